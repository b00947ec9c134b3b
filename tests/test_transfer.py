"""Poles, zeros, responses of linear layers against eigenvalues, impulse responses and algebra."""

import functools
import importlib
import json
import pathlib
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import default, pretrain
from spectra_jax import (
  blocks,
  figures,
  interferogram,
  train,
  transfer,
  transfer_report,
  transfer_zeros,
)
from spectra_jax.checkpoint import Checkpoints
from spectra_jax.scan import oscillator_ssm
from spectra_jax.transfer import ChannelFilter, DiagonalFilter, OscillatorFilter
from spectra_jax.workdir import claim

WIDTH = 3
DNU = 14.0


def oscillators(r_P, theta_P, seed=0, delay=0, width=WIDTH):
  """Oscillators with these poles and random matrices, in float64 without cancellation."""
  r_P, theta_P = np.asarray(r_P, float), np.asarray(theta_P, float)
  c_P = (1 - r_P) ** 2 + 4 * r_P * np.sin(theta_P / 2) ** 2
  e_P = (1 - r_P) ** 2 + 4 * r_P * np.cos(theta_P / 2) ** 2
  rng = np.random.default_rng(seed)
  size = 2 * len(r_P)
  b, c, d = rng.normal(size=(size, width)), rng.normal(size=(width, size)), rng.normal(size=width)
  return OscillatorFilter((1 - r_P) * (1 + r_P), c_P, e_P, b, c, d, delay)


def diagonal(r_P, theta_P, seed=0, width=WIDTH):
  rng = np.random.default_rng(seed)
  draw = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)
  poles_P = np.asarray(r_P) * np.exp(1j * np.asarray(theta_P))
  return DiagonalFilter(
    poles_P, draw(len(poles_P), width), draw(width, len(poles_P)), np.ones(width)
  )


def channels(seed=0):
  rng = np.random.default_rng(seed)
  draw = lambda: rng.normal(size=(WIDTH, 4)) + 1j * rng.normal(size=(WIDTH, 4))
  poles = rng.uniform(0.3, 0.9, (WIDTH, 4)) * np.exp(1j * rng.uniform(0, np.pi, (WIDTH, 4)))
  return ChannelFilter(poles, draw(), draw(), rng.normal(size=WIDTH))


def ring(count=5, seed=3, **options):
  rng = np.random.default_rng(seed)
  return oscillators(rng.uniform(0.5, 0.95, count), rng.uniform(0.01, 3.13, count), **options)


def dense(system, i, j):
  """(A, B, C, D) of the channel, y_n = C s_n + D u_n, from the recurrences as they are written."""
  if isinstance(system, OscillatorFilter):
    count = len(system.g_P)
    a, b, c = np.zeros((4 * count,) * 2), np.zeros(4 * count), np.zeros(4 * count)
    for q in range(2 * count):
      g, k = system.g_P[q % count], system.c_P[q % count]
      here = slice(2 * q, 2 * q + 2)
      a[here, here], b[here] = [[1 - g, -k], [1 - g, 1 - k]], system.b_QxD[q, j]
      c[2 * q + 1] = system.c_out_DxQ[i, q]
    return a, b, c, system.d_D[i] * (i == j)
  if isinstance(system, DiagonalFilter):
    poles, b, c = system.poles_P, system.b_PxD[:, j], system.c_out_DxP[i]
  else:
    poles, b, c = system.poles_DxN[i], system.b_DxN[i] * (i == j), system.c_out_DxN[i]
  both = np.concatenate([c, c.conj()]) / 2
  return np.diag(np.r_[poles, poles.conj()]), np.r_[b, b.conj()], both, system.d_D[i] * (i == j)


def evaluate(system, i, j, z):
  """H_ij(z) = d + z^-delay z C (z - A)^-1 B by a dense solve."""
  a, b, c, d = dense(system, i, j)
  delay = getattr(system, 'delay', 0)
  return d + z ** (1 - delay) * c @ np.linalg.solve(z * np.eye(len(a)) - a, b.astype(complex))


def impulse_response(system, length):
  """y_LxDxD of unit impulses on each input, one recurrence step after the other."""
  width = len(system.d_D)
  y = np.zeros((length, width, width))
  for i in range(width):
    for j in range(width):
      a, b, c, d = dense(system, i, j)
      state, y[0, i, j] = b.astype(complex), d
      for n in range(getattr(system, 'delay', 0), length):
        y[n, i, j] += (c @ state).real
        state = a @ state
  return y


SYSTEMS = {
  'oscillators': ring(),
  'diagonal': diagonal([0.9, 0.5, 0.8, 0.7], [0.0, 1.0, 3.0, -0.4]),
  'channels': channels(),
}


@functools.cache
def run_scan(length=1024):
  """Impulse responses [L, D, D] of `ring()` by the layers' own scan in float64, both directions."""
  system = ring()
  with jax.enable_x64(True):

    @functools.partial(jax.jit, static_argnames='reverse')
    def run(u_BxLxD, reverse):
      arrays = (system.g_P, system.c_P, system.b_QxD, system.c_out_DxQ, system.d_D, u_BxLxD)
      return oscillator_ssm(*arrays, e_P=system.e_P, algorithm='sequential', reverse=reverse)

    impulse = np.zeros((WIDTH, length, WIDTH))
    impulse[np.arange(WIDTH), 0, np.arange(WIDTH)] = 1.0
    ahead = np.asarray(run(impulse, False)).transpose(1, 2, 0)
    back = np.asarray(run(impulse[:, ::-1], True))[:, ::-1].transpose(1, 2, 0)
  return ahead, back


def test_response_is_the_transform_of_what_the_scan_does():
  theta = 2 * np.pi * np.arange(513) / 1024
  exact = transfer.response(ring(), theta)
  for y_LxDxD in run_scan():
    np.testing.assert_allclose(np.fft.rfft(y_LxDxD, axis=0), exact, atol=1e-9)


@pytest.mark.parametrize('name', SYSTEMS)
def test_response_is_the_transform_of_the_impulse_response(name):
  system = SYSTEMS[name]
  theta = 2 * np.pi * np.arange(513) / 1024
  exact = np.fft.rfft(impulse_response(system, 1024), axis=0)
  np.testing.assert_allclose(transfer.response(system, theta), exact, atol=1e-9)
  np.testing.assert_allclose(transfer.response(system, -theta), exact.conj(), atol=1e-9)
  rms = np.sqrt((np.abs(exact) ** 2).sum((1, 2)) / WIDTH)
  np.testing.assert_allclose(transfer.gain(system, theta), rms, rtol=1e-9)


def test_a_delay_turns_only_what_passes_the_state():
  theta = np.linspace(-3, 3, 7)
  direct = np.diag(ring().d_D)
  late = transfer.response(ring(delay=1), theta) - direct
  turned = (transfer.response(ring(), theta) - direct) * np.exp(-1j * theta)[:, None, None]
  np.testing.assert_allclose(late, turned, atol=1e-13)


@given(log_distance=st.floats(-7, 0), log_damping=st.floats(-9, -1), high=st.booleans())
@settings(max_examples=60, deadline=None)
def test_poles_keep_their_digits_at_both_ends_of_the_angles(log_distance, log_damping, high):
  r, near = 1 - 10.0**log_damping, 10.0**log_distance
  theta = np.pi - near if high else near
  system = oscillators([r], [theta])
  found = transfer.poles(system)[0]
  offset = np.arctan2(found.imag, -found.real if high else found.real)
  # the last digits of c, which holds theta^2 beside (1 - r)^2, and of pi - near are worth this much
  rtol = 1e-9 + 1e-15 * ((1 - r) / near) ** 2 + 5e-16 * high / near
  np.testing.assert_allclose(offset, near, rtol=rtol)
  np.testing.assert_allclose(1 - np.abs(found), 1 - r, rtol=1e-6, atol=4e-16)
  rounded = system._replace(
    e_P=system.e_P * (1 + 1e-7 * (not high)), c_P=system.c_P * (1 + 1e-7 * high)
  )
  np.testing.assert_allclose(transfer.poles(rounded)[0], found, atol=1e-15)


@given(g=st.floats(-0.0, 1.9), share=st.floats(-0.2, 1.2))
@settings(max_examples=100, deadline=None)
def test_poles_are_eigenvalues_also_where_they_are_real(g, share):
  c = share * (4 - 2 * g)
  system = OscillatorFilter(*(np.array([v]) for v in (g, c, 4 - 2 * g - c)), *[np.ones(1)] * 3)
  matrix = np.array([[1 - g, -c], [1 - g, 1 - c]])
  exact = np.sort_complex(np.linalg.eigvals(matrix))
  # a double pole moves by the square root of the rounding of the matrix
  np.testing.assert_allclose(np.sort_complex(transfer.poles(system)), exact, atol=5e-7)
  np.testing.assert_allclose(np.prod(transfer.poles(system)), 1 - g, atol=1e-14)


def test_poles_of_diagonal_filters_come_with_their_conjugates():
  system = SYSTEMS['channels']
  both = transfer.poles(system)
  assert both.shape == (WIDTH, 8)
  np.testing.assert_array_equal(both[:, 4:], system.poles_DxN.conj())


def test_a_planted_ripple_of_50_cm_reads_50_cm():
  period, decay = 50.0, 333.0
  system = oscillators([np.exp(-DNU / decay)], [2 * np.pi * DNU / period])
  np.testing.assert_allclose(transfer.period_cm(transfer.poles(system), DNU), period, rtol=1e-12)
  np.testing.assert_allclose(
    transfer.decay_length_cm(transfer.poles(system), DNU), decay, rtol=1e-12
  )
  ripples = np.geomspace(2 * DNU, 3600, 4001)
  loudest = ripples[np.argmax(transfer.gain(system, transfer.angle(ripples, DNU)))]
  np.testing.assert_allclose(loudest, period, rtol=0.01)


def test_halving_the_token_spacing_halves_both_lengths():
  poles = transfer.poles(ring())
  for length in (transfer.period_cm, transfer.decay_length_cm):
    np.testing.assert_allclose(length(poles, DNU / 2), length(poles, DNU) / 2, rtol=1e-14)


def test_limits_of_the_lengths():
  poles = np.array([0.5, -0.5, 1j, 0.0, np.exp(0.3j) * (1 + 2e-16)])
  np.testing.assert_array_equal(transfer.period_cm(poles, 3.0)[:3], [np.inf, 6.0, 12.0])
  np.testing.assert_array_equal(transfer.decay_length_cm(poles, 3.0)[2:], [np.inf, 0.0, np.inf])
  assert (transfer.decay_length_cm(np.array([1.1]), 3.0) < 0).all()


def test_response_at_period_is_response_at_the_angle():
  system = ring()
  found = transfer.response_at_period(system, np.array([28.0, 56.0]), DNU)
  np.testing.assert_allclose(found, transfer.response(system, np.array([np.pi, np.pi / 2])))


def residue_scale(system, i, j, z):
  """Size of the terms whose sum H_ij(z) is."""
  a, b, c, d = dense(system, i, j)
  values, vectors = np.linalg.eig(a)
  terms = (c @ vectors) * np.linalg.solve(vectors, b.astype(complex)) * z / (z - values)
  return np.abs(terms).sum() + abs(d)


@pytest.mark.parametrize('name', [*SYSTEMS, 'late'])
@pytest.mark.parametrize('channel', [(0, 0), (2, 1)])
def test_zeros_and_poles_make_the_transfer_function(name, channel):
  """H = constant z^m prod (z - zero) / prod (z - pole), and it vanishes at each zero."""
  system = ring(delay=1) if name == 'late' else SYSTEMS[name]
  i, j = (2, 2) if name == 'channels' else channel
  zeros = transfer_zeros.zeros(system, i, j)
  for z in zeros:
    assert abs(evaluate(system, i, j, z)) < 1e-10 * residue_scale(system, i, j, z)
  # without feed-through the sections share a factor z^2, a diagonal one z, a delay takes one away
  left_out = 0 if i == j else {'oscillators': 2, 'late': 1, 'diagonal': 1}[name]
  poles = transfer.poles(system)
  poles = poles[i] if name == 'channels' else poles
  if name == 'diagonal':
    poles = np.delete(poles, 4)  # the conjugate of the real one, which is one pole
  assert len(zeros) + left_out == len(poles) - (name == 'late' and i != j)
  points = np.array([1.3 + 0.2j, -0.4 + 1j, -2.0])
  product = lambda z: z**left_out * np.prod(z - zeros) / np.prod(z - poles)
  factors = [evaluate(system, i, j, z) / product(z) for z in points]
  np.testing.assert_allclose(factors, factors[0], rtol=1e-9)


def test_zeros_of_one_oscillator_in_closed_form():
  """d + k / (1 - t w + q w^2) = 0 is a quadratic in z = 1/w."""
  system = oscillators([0.9], [1.2])
  k = system.c_out_DxQ[0] @ system.b_QxD[:, 0]
  t, q, d = 2 * 0.9 * np.cos(1.2), 0.81, system.d_D[0]
  exact = np.roots([d + k, -d * t, d * q])
  np.testing.assert_allclose(
    np.sort_complex(transfer_zeros.zeros(system, 0, 0)), np.sort_complex(exact), rtol=1e-12
  )


@pytest.mark.parametrize('theta', [[0.7, 0.7, 2.0], [0.0, 0.0, 0.5], [np.pi, np.pi, np.pi]])
def test_a_multiple_pole_is_no_zero(theta):
  system = oscillators([0.8, 0.8, 0.6], theta, seed=5)
  found, poles = transfer_zeros.zeros(system, 0, 0), transfer.poles(system)
  assert len(found) == 4  # two different sections
  assert np.abs(found[:, None] - poles).min() > 1e-3
  for z in found:
    assert abs(evaluate(system, 0, 0, z)) < 1e-9 * residue_scale(system, 0, 0, z)


def test_many_oscillators_still_have_exact_zeros():
  """Degree 128, which no polynomial of float64 coefficients survives."""
  rng = np.random.default_rng(7)
  system = oscillators(rng.uniform(0.9, 1, 64), rng.uniform(0, np.pi, 64), width=2)
  found = transfer_zeros.zeros(system, 0, 0)
  assert len(found) == 128
  worst = max(abs(evaluate(system, 0, 0, z)) / residue_scale(system, 0, 0, z) for z in found[::7])
  assert worst < 1e-9


class Smoother(nn.Module):
  """A layer of one oscillator: a parameter of each block and direction that can be told apart."""

  reverse: bool

  @nn.compact
  def advance(self, state, u_BxTxD):
    return state, u_BxTxD * self.param('scale', nn.initializers.ones, (u_BxTxD.shape[-1],))

  def state_space(self, width):
    scale = self.get_variable('params', 'scale')
    return oscillators([0.9], [1.0], width=width)._replace(d_D=scale * (2 - self.reverse))


class Stack(blocks.Recurrent):
  def layer(self):
    return Smoother


def test_layers_come_by_block_and_direction_on_the_host():
  params = {
    f'block_{i}': {way: {'scale': jnp.full(2, 3.0 * i + j)} for j, way in enumerate(ways)}
    for i, ways in enumerate([('forward', 'backward')] * 2)
  }
  found = transfer.layers(Stack(blocks=2), {'params': params}, 2)
  scales = {name: float(system.d_D[0]) for name, system in found.items()}
  assert scales == {
    'block_0/forward': 0.0,
    'block_0/backward': 1.0,
    'block_1/forward': 6.0,
    'block_1/backward': 4.0,
  }
  assert all(type(system.d_D) is np.ndarray for system in found.values())
  assert {system.d_D.dtype for system in found.values()} == {np.dtype('float64')}


def test_a_layer_that_is_not_linear_is_refused():
  class Gated(blocks.Recurrent):
    def layer(self):
      return lambda reverse, name: nn.Dense(2)

  for backbone in (Gated(blocks=1), nn.Dense(2)):
    with pytest.raises(ValueError, match='have no state_space: expected linear ones'):
      transfer.layers(backbone, {'params': {'block_0': {'forward': {}}}}, 2)


@pytest.mark.parametrize(
  ('name', 'changes'), [('linoss', {'discretisation': 'ex', 'heads': 2}), ('s4d', {})]
)
def test_the_filters_of_the_backbones_do_what_their_layers_do(name, changes):
  options = {**default.get_config().backbone[name].to_dict(), 'state': 8, **changes}
  module = importlib.import_module(f'spectra_jax.backbones.{name}').Backbone(**options, parent=None)
  layer = module.layer()(reverse=True, name=None)
  impulse = jnp.zeros((2, 24, 2)).at[jnp.arange(2), -1, jnp.arange(2)].set(1.0)

  @jax.jit
  def run(key):
    variables = layer.init(key, None, impulse, method='advance')
    return variables['params'], layer.apply(variables, None, impulse, method='advance')[1]

  params, y_DxLxD = run(jax.random.key(0))
  block = {'forward': params, 'backward': params}
  variables = {'params': {f'block_{i}': block for i in range(module.blocks)}}
  system = transfer.layers(module, variables, 2)['block_0/backward']
  found = np.asarray(y_DxLxD)[:, ::-1].transpose(1, 2, 0)
  np.testing.assert_allclose(found, impulse_response(system, 24), atol=2e-5)
  assert np.abs(found[1:]).max() > 1e-3


@pytest.mark.parametrize(
  ('call', 'words'),
  [
    (lambda: transfer.period_cm(np.ones(1), 0.0), 'dnu is 0.0 cm.-1; expected the positive'),
    (lambda: transfer.angle(np.array([27.0]), DNU), 'period 27 cm.-1 is shorter than two tokens'),
    (lambda: transfer_zeros.zeros(ring(), 0, 3), 'input channel is 3; expected 0 to 2'),
    (lambda: transfer_zeros.zeros(channels(), 0, 1), 'output 0 does not depend on input 1'),
    (lambda: transfer_zeros.zeros(ring(delay=2), 0, 0), 'delay is 2 tokens; expected 0 or 1'),
    (lambda: transfer.poles((1, 2)), 'a layer is given as tuple; expected one of Oscillator'),
  ],
)
def test_bad_calls_are_refused_with_a_sentence(call, words):
  with pytest.raises(ValueError, match=words):
    call()


# ---- the figure and the program ---------------------------------------------


def reading(seed=0):
  rng = np.random.default_rng(seed)
  poles = np.stack([[30.0, 300.0, np.inf], [20.0, np.inf, -5.0]])
  return {'poles': poles, 'at_cm': np.geomspace(28, 3600, 9), 'gain_db': rng.normal(size=9)}


@pytest.mark.parametrize('along', figures.ALONG)
def test_figure_names_its_axes_and_draws_every_layer(along):
  layers = {'block_0/forward': reading(), 'block_0/backward': reading(1)}
  figure = figures.poles_and_gain(layers, along)
  left, right = figure.axes
  assert all('cm$^{-1}$' in label for label in (left.get_xlabel(), left.get_ylabel()))
  assert left.get_xlabel() == right.get_xlabel()
  assert ('not positions' in left.get_title('left')) == (along == 'wavenumber')
  assert [t.get_text() for t in figure.legends[0].get_texts()] == [
    'block 0, forward',
    'block 0, backward',
  ]
  np.testing.assert_array_equal(right.get_lines()[2].get_ydata(), reading(1)['gain_db'])
  dots = np.array([line.get_xydata() for line in left.get_lines()])
  assert np.isfinite(dots).all()
  np.testing.assert_array_equal(dots[0][0], [30.0, 20.0])
  high_to_low = left.get_xlim()[0] > left.get_xlim()[1]
  assert high_to_low == (along == 'retardation')


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  """A tiny run as it is at step 0, on disk."""
  config = pretrain.get_config('tiny')
  config.parallel.devices = 1
  run = train.prepare(config, str(tmp_path_factory.mktemp('run')))
  state = train.init_state(run)
  with claim(run.workdir, config, run.data_hash):
    checkpoints = Checkpoints(run.workdir / 'checkpoints', **config.checkpoint.to_dict())
    checkpoints.save(0, state, {config.checkpoint.best_metric: 1.0}, force=True)
    checkpoints.close()
  return run, state


def test_the_report_reads_the_poles_of_a_checkpoint(workdir, monkeypatch):
  (run, state), seen = workdir, []
  monkeypatch.setattr(train, 'init_state', lambda run: state)  # only the template of the restore
  monkeypatch.setattr(train, 'prepare', lambda config, path: (seen.append(config), run)[1])
  found = json.loads(json.dumps(transfer_report.read(run.workdir, 1, 2), allow_nan=False))
  assert seen[0].to_dict() == run.config.to_dict()
  assert list(found['layers']) == ['block_0/forward', 'block_0/backward']
  system = transfer.layers(run.module.backbone, {'params': state.params['backbone']}, 16)
  upper = transfer.poles(system['block_0/backward'])[:8]
  layer = found['layers']['block_0/backward']
  for name, length in (('period', transfer.period_cm), ('decay_length', transfer.decay_length_cm)):
    np.testing.assert_allclose(layer[f'poles_{name}_along_axis_cm'], length(upper, 30.0), rtol=1e-5)
  gain = transfer.gain(system['block_0/backward'], transfer.angle(layer['at_cm'], 30.0 - 1e-3))
  np.testing.assert_allclose(layer['gain_db'], 20 * np.log10(gain), atol=0.05)
  assert len(layer['zeros_period_along_axis_cm']) >= 7
  assert (run.workdir / 'figures' / 'transfer.png').stat().st_size > 10_000


def test_a_model_without_a_backbone_of_its_own_is_refused(workdir, monkeypatch):
  run, part = workdir[0], {'encoder': {}}
  monkeypatch.setattr(transfer_report.trained, 'load', lambda _: (run, part))
  with pytest.raises(ValueError, match=r'task masked, whose model has no .* \(parts: encoder\)'):
    transfer_report.read(run.workdir, 0, 0)


def test_a_folder_without_a_run_is_refused(tmp_path):
  with pytest.raises(ValueError, match=r'config\.json is missing; expected the f'):
    transfer_report.read(tmp_path, 0, 0)


@pytest.mark.slow
def test_the_program_refuses_a_folder_without_a_run(tmp_path):
  command = [sys.executable, '-m', 'experiments.transfer', f'--workdir={tmp_path}']
  root = pathlib.Path(__file__).parents[1]
  done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
  assert done.returncode == 1
  assert 'config.json is missing; expected the folder of a run' in done.stderr


def test_a_run_on_retardations_is_read_as_lines():
  """The gain of a planted oscillator is loudest at its wavenumber."""
  nu_T = 400 + 14.0 * np.arange(258)
  line = interferogram.pole(1700.0, 60.0, nu_T)
  system = oscillators([abs(line)], [np.angle(line)])
  found = transfer_report._as_lines(system, nu_T, 0, 0)
  np.testing.assert_allclose(found['poles'], [[1700.0], [60.0]], rtol=1e-9)
  assert abs(found['at_cm'][np.argmax(found['gain_db'])] - 1700.0) < 14.0
