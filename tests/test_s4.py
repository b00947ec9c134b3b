"""S4D and S4 against dense matrices, unrolled in numpy; their paths against one another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.backbones import s4, s4d
from spectra_jax.scan.channels import Poles, discretise
from spectra_jax.scan.low_rank import LowRank

LAYERS = {
  's4': functools.partial(s4.Channels, dt_min=1e-3, dt_max=0.1),
  's4d': functools.partial(
    s4d.Channels, initialisation='lin', discretisation='zoh', dt_min=1e-3, dt_max=0.1
  ),
  's4d-inv': functools.partial(
    s4d.Channels, initialisation='inv', discretisation='bilinear', dt_min=1e-3, dt_max=0.1
  ),
}


def hippo(state):
  """The dense HiPPO-LegS pair (A, B), equation by equation."""
  A = np.zeros((state, state))
  for n in range(state):
    for k in range(n + 1):
      A[n, k] = -(n + 1) if n == k else -np.sqrt((2 * n + 1) * (2 * k + 1))
  return A, np.sqrt(2 * np.arange(state) + 1.0)


def bilinear(A, B, dt):
  left = np.linalg.inv(np.eye(len(A)) - dt / 2 * A)
  return left @ (np.eye(len(A)) + dt / 2 * A), left @ (dt * B)


def unroll(A_bar, B_bar, C, u_T, x=None):
  """(outputs, last state) of the recurrence, token by token."""
  x, y = np.zeros(len(B_bar), A_bar.dtype) if x is None else x, []
  for u in u_T:
    x = A_bar @ x + B_bar * u
    y.append(C @ x)
  return np.array(y), x


def complex_draw(rng, *shape):
  return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


@functools.partial(jax.jit, static_argnums=(1,))
def run(system, tokens, x_BxDxP, u_BxTxD):
  """Everything a system does, once by its closed forms and once step by step."""
  after, y_TxBxD = jax.lax.scan(system.step, x_BxDxP, jnp.swapaxes(u_BxTxD, 0, 1))
  return {
    'kernel': system.kernel(tokens),
    'free': system.free(x_BxDxP, tokens),
    'after': system.after(x_BxDxP, u_BxTxD),
    'steps_y': jnp.swapaxes(y_TxBxD, 0, 1),
    'steps_after': after,
  }


def assert_is_the_recurrence(system, matrices, x_BxDxP, u_BxTxD, full):
  """system against dense (A_bar, B_bar, C) of each channel; full: half state -> dense state."""
  tokens = u_BxTxD.shape[1]
  found = jax.device_get(run(system, tokens, x_BxDxP, u_BxTxD))
  for d, dense in enumerate(matrices):
    impulse = np.eye(tokens)[0]
    np.testing.assert_allclose(found['kernel'][d], unroll(*dense, impulse)[0].real, atol=1e-10)
    for b, (x_DxP, u_TxD) in enumerate(zip(x_BxDxP, u_BxTxD, strict=True)):
      free, _ = unroll(*dense, np.zeros(tokens), full(x_DxP[d]))
      y, after = unroll(*dense, u_TxD[:, d], full(x_DxP[d]))
      np.testing.assert_allclose(found['free'][b, :, d], free.real, atol=1e-10)
      np.testing.assert_allclose(found['steps_y'][b, :, d], y.real, atol=1e-10)
      for name in ('after', 'steps_after'):
        np.testing.assert_allclose(full(found[name][b, d]), after, atol=1e-10)


both_halves = lambda x_P: np.concatenate((x_P, x_P.conj()))


@pytest.mark.parametrize('tokens', [1, 18, 45])
def test_low_rank_closed_forms_are_the_dense_recurrence(tokens):
  rng, D, P = np.random.default_rng(tokens), 2, 3
  h, q, b, c = (0.4 * complex_draw(rng, D, P) for _ in range(4))
  h = -np.abs(h.real) - 0.01 + 1j * h.imag
  matrices = []
  for d in range(D):
    h_N, q_N, b_N, c_N = (both_halves(a[d]) for a in (h, q, b, c))
    matrices.append((*bilinear(2 * (np.diag(h_N) - np.outer(q_N, q_N.conj())), b_N, 1.0), c_N))
  x, u = complex_draw(rng, 2, D, P), rng.standard_normal((2, tokens, D))
  with jax.enable_x64(True):
    system = LowRank(*map(jnp.asarray, (h, q, b, c)))
    assert_is_the_recurrence(system, matrices, x, u, both_halves)


@pytest.mark.parametrize('initialisation', s4d.INITIALISATIONS)
@pytest.mark.parametrize('discretisation', ['zoh', 'bilinear'])
def test_diagonal_closed_forms_are_the_dense_recurrence(initialisation, discretisation):
  rng, dt, tokens = np.random.default_rng(0), np.array([0.02, 0.9]), 21
  a = np.tile(s4d.INITIALISATIONS[initialisation](6), (2, 1))
  b, c = complex_draw(rng, 2, 3), complex_draw(rng, 2, 3)
  z = dt[:, None] * a
  poles = np.exp(z) if discretisation == 'zoh' else (1 + z / 2) / (1 - z / 2)
  b_bar = (np.exp(z) - 1) / a * b if discretisation == 'zoh' else dt[:, None] / (1 - z / 2) * b
  matrices = [
    (np.diag(both_halves(p)), both_halves(i), both_halves(o))
    for p, i, o in zip(poles, b_bar, c, strict=True)
  ]
  x, u = complex_draw(rng, 2, 2, 3), rng.standard_normal((2, tokens, 2))
  with jax.enable_x64(True):
    system = jax.jit(discretise, static_argnums=0)(discretisation, a, b, c, dt)
    assert_is_the_recurrence(system, matrices, x, u, both_halves)


@pytest.mark.parametrize('state', [2, 10, 64])
def test_legs_is_the_normal_form_of_hippo(state):
  """B* (s - A)^-1 B and B* (s - A)^-1 p of the dense matrix, which no change of basis moves."""
  A, B = hippo(state)
  a, b, p = (both_halves(part) for part in s4d.legs(state))
  low_rank = np.diag(a) - np.outer(p, p.conj())
  for s in (0.3, 2j, 5 - 20j):
    dense = np.linalg.solve(s * np.eye(state) - A, B)
    ours = np.linalg.solve(s * np.eye(state) - low_rank, b)
    np.testing.assert_allclose(b.conj() @ ours, B @ dense, rtol=1e-9)
    half_n = np.sqrt(np.arange(state) + 0.5)
    np.testing.assert_allclose(p.conj() @ ours, half_n @ dense, rtol=1e-9)
  assert (np.sort(s4d.legs(state)[0].imag) == s4d.legs(state)[0].imag).all()


@pytest.mark.parametrize(('state', 'tokens'), [(8, 37), (64, 100)])
def test_kernel_is_that_of_dense_hippo(state, tokens):
  rng, dt = np.random.default_rng(0), 0.05
  A, B = hippo(state)
  a, b, p = s4d.legs(state)
  p_N = np.sqrt(np.arange(state) + 0.5)
  frequencies, v = np.linalg.eigh(-1j * (A + np.outer(p_N, p_N) + np.eye(state) / 2))
  v_NxP = v[:, frequencies > 0]
  v_NxP = v_NxP * np.conj(p / (v_NxP.conj().T @ p_N))  # an eigenvector has a free phase
  c = complex_draw(rng, state // 2)
  dense = unroll(*bilinear(A, B, dt), 2 * np.real(c @ v_NxP.conj().T), np.eye(tokens)[0])[0]
  with jax.enable_x64(True):
    system = LowRank(*(jnp.asarray(x)[None] for x in (dt * a / 2, (dt / 2) ** 0.5 * p, dt * b, c)))
    kernel = jax.device_get(jax.jit(lambda s: s.kernel(tokens))(system))[0]
  np.testing.assert_allclose(kernel, dense, atol=1e-8)


@functools.cache
def spectral_radius():
  return jax.jit(lambda h, q: LowRank(h, q, h, h).change())


@given(seed=st.integers(0, 999), size=st.floats(0.01, 30.0))
@settings(max_examples=15, deadline=None)
def test_low_rank_is_stable_whatever_its_parameters(seed, size):
  rng = np.random.default_rng(seed)
  h, q = size * complex_draw(rng, 2, 4), size * complex_draw(rng, 2, 4)
  with jax.enable_x64(True):
    change = jax.device_get(spectral_radius()(-np.abs(h.real) + 1j * h.imag, q))
  assert np.abs(1 + np.linalg.eigvals(change)).max() <= 1 + 1e-9


@functools.cache
def layer(name, state, width, reverse=False):
  """(module, variables) of one direction."""
  module = LAYERS[name](state=state, reverse=reverse)
  return module, jax.jit(module.init)(jax.random.key(1), jnp.zeros((1, 2, width)))


def recurrence(module, variables, u_BxTxD):
  """(last state, outputs) token by token, where `advance` takes the convolution."""
  system, d_D = module.apply(variables, u_BxTxD.shape[-1], u_BxTxD.dtype, method='_system')
  u_TxBxD = jnp.swapaxes(u_BxTxD, 0, 1)
  state, y_TxBxD = jax.lax.scan(system.step, system.rest(len(u_BxTxD)), u_TxBxD)
  return state, jnp.swapaxes(y_TxBxD, 0, 1) + d_D * u_BxTxD


@pytest.mark.parametrize('name', LAYERS)
def test_float32_convolution_is_the_recurrence(name):
  module, variables = layer(name, 64, 3)
  u = np.random.default_rng(0).standard_normal((1, 150, 3), np.float32)
  convolution = lambda v, u: module.apply(v, None, u, method='advance')
  found = jax.jit(lambda v, u: (convolution(v, u), recurrence(module, v, u)))(variables, u)
  for one, other in zip(*map(jax.tree.leaves, found), strict=True):
    np.testing.assert_allclose(one, other, atol=2e-5)


@pytest.mark.parametrize('name', ['s4', 's4d'])
def test_gradients_of_the_convolution_are_those_of_the_recurrence(name):
  """By every parameter and the input, through outputs and last state, in float64."""
  module, variables = layer(name, 6, 2)
  u = np.random.default_rng(0).standard_normal((1, 18, 2))

  @jax.jit
  def gradients(v, u):
    paths = (
      functools.partial(module.apply, method='advance'),
      functools.partial(recurrence, module),
    )
    arguments = ((v, None, u), (v, u))
    loss = lambda path, a: sum(jnp.sum(jnp.abs(x - 0.5) ** 2) for x in jax.tree.leaves(path(*a)))
    return [jax.grad(functools.partial(loss, p))(a) for p, a in zip(paths, arguments, strict=True)]

  with jax.enable_x64(True):
    found = gradients(jax.tree.map(lambda a: np.asarray(a, np.float64), variables), u)
  for one, other in zip(*map(jax.tree.leaves, jax.device_get(found)), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-10 * np.abs(other).max())


@pytest.mark.parametrize('tokens', [5, 30])
def test_reverse_is_the_flipped_layer(tokens):
  (forward, variables), (backward, _) = (layer('s4d', 6, 3, reverse) for reverse in (False, True))
  u = np.random.default_rng(0).standard_normal((2, tokens, 3), np.float32)
  state, y = jax.jit(functools.partial(forward.apply, method='advance'))(variables, None, u)
  other, flipped = jax.jit(functools.partial(backward.apply, method='advance'))(
    variables, None, u[:, ::-1]
  )
  np.testing.assert_allclose(flipped[:, ::-1], y, atol=2e-6)
  np.testing.assert_allclose(other, state, atol=2e-6)


@pytest.mark.parametrize(('name', 'state'), [('s4', 64), ('s4d', 64)])
def test_state_space_is_the_layer(name, state):
  module, variables = layer(name, state, 3)
  read = functools.partial(module.apply, variables, 3, method='state_space')
  filter_ = jax.device_get(read() if name == 's4' else jax.jit(read)())
  n = np.arange(40)
  k = np.real(
    np.sum(
      (filter_.c_out_DxN * filter_.b_DxN)[..., None]
      * np.asarray(filter_.poles_DxN, complex)[..., None] ** n,
      axis=1,
    )
  )
  impulse = np.zeros((1, 40, 3), np.float32)
  impulse[0, 0] = 1
  y = np.asarray(jax.jit(module.apply)(variables, impulse))[0].T
  k[:, 0] += filter_.d_D
  np.testing.assert_allclose(y, k, atol=5e-6)


def test_a_double_pole_without_a_second_eigenvector_has_a_state_space():
  """Lambda = -1/2 +- i, p = 1: A = -3/2 and 1 above the diagonal, in some basis."""
  module, variables = layer('s4', 2, 1)
  one = np.float32([[[1.0]], [[0.0]]])
  dynamics = {'frequency': one[0], 'P': one, 'B': one, 'log_step': np.zeros(1, np.float32)}
  variables = {
    'params': variables['params'] | {'dynamics': variables['params']['dynamics'] | dynamics}
  }
  filter_ = module.apply(variables, 1, method='state_space')
  np.testing.assert_allclose(filter_.poles_DxN, 0.25 / 1.75, atol=1e-7)
  powers = filter_.poles_DxN[0, :, None] ** np.arange(40)
  kernel = np.real(filter_.c_out_DxN[0] * filter_.b_DxN[0] @ powers)
  system, _ = module.apply(variables, 1, jnp.float32, method='_system')
  np.testing.assert_allclose(jax.jit(lambda s: s.kernel(40)[0])(system), kernel, atol=1e-6)


def test_poles_of_hippo_are_the_integers():
  module, variables = layer('s4', 4, 3)
  poles = np.sort(module.apply(variables, 3, method='poles').real, axis=1)[:, ::-1]
  half = np.exp(np.float64(variables['params']['dynamics']['log_step']))[:, None] / 2
  n = np.arange(1, 5)
  np.testing.assert_allclose(poles, (1 - half * n) / (1 + half * n), atol=1e-5)


def test_frequency_response_is_the_transform_of_the_impulse_response():
  module, variables = layer('s4', 16, 3)
  steps = {'log_step': np.log(np.float32([0.1, 0.2, 0.3]))}
  variables = {
    'params': variables['params'] | {'dynamics': variables['params']['dynamics'] | steps}
  }
  impulse = np.zeros((1, 512, 3), np.float32)
  impulse[0, 0] = 1
  y_TxD = np.asarray(jax.jit(module.apply)(variables, impulse))[0]
  angles = np.array([-0.7, 0.0, 0.1, 2.0, np.pi])
  exact = np.exp(-1j * np.outer(angles, np.arange(512))) @ y_TxD
  respond = lambda v: module.apply(v, 3, angles, method='frequency_response')
  found = jax.jit(respond)(variables)
  np.testing.assert_allclose(found, exact.T, atol=2e-5)


def test_long_powers_of_poles_keep_their_digits():
  """At 90,000 tokens and angles of up to half a turn, from float32 parameters."""
  log_radius, turns = np.float32([[-1e-6, -1e-5]]), np.float32([[0.2497321, -0.0003217]])
  flipped, n = np.array([[False, True]]), 30000 * np.arange(4)
  found = jax.jit(lambda p: p.powers(30000, 4))(Poles(log_radius, turns, flipped))
  poles = (log_radius.astype(np.float64), turns.astype(np.float64))
  exact = np.exp(poles[0][..., None] * n + 2j * np.pi * (poles[1][..., None] * n % 1))
  np.testing.assert_allclose(found, exact, atol=2e-6)  # flipped to an even power is not flipped


@pytest.mark.parametrize('angle', [1e-3, np.pi - 1e-3])
def test_float32_keeps_slow_poles_near_both_ends(angle):
  """|lambda| = 1 - 1e-4 by the bilinear rule: 6e-8 on lambda itself would give 6e-4."""
  h = (np.exp(-1e-4 + 1j * angle) - 1) / (np.exp(-1e-4 + 1j * angle) + 1)
  arrays = (np.full((1, 1), 2 * h), np.ones((1, 1)), np.ones((1, 1)), np.ones(1))
  narrow = lambda a: a.astype(np.complex64 if np.iscomplexobj(a) else np.float32)
  impulse = np.zeros((1, 20000, 1), np.float32)
  impulse[0, 0] = 1
  start = np.zeros((1, 1, 1), np.complex64)

  def last_outputs(arrays, start, impulse):
    system = discretise('bilinear', *arrays)
    return system.kernel(20000)[0], run(system, 1, start, impulse)['steps_y'][0, :, 0]

  found = jax.jit(last_outputs)([narrow(a) for a in arrays], start, impulse)
  with jax.enable_x64(True):
    widened = [np.asarray(narrow(a), np.result_type(a)) for a in arrays]
    exact = jax.jit(last_outputs)(widened, start.astype(complex), impulse.astype(float))
  for value, expected in zip(found, exact, strict=True):
    expected = np.asarray(expected)
    assert np.abs(np.asarray(value) - expected).max() < 3e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
  ('name', 'field', 'sentence'),
  [
    ('s4d', {'initialisation': 'hippo'}, "unknown S4D initialisation 'hippo': expected one of"),
    ('s4d', {'discretisation': 'euler'}, "unknown S4D discretisation 'euler': expected one of"),
    ('s4d', {'state': 7}, 'state is 7; expected an even number'),
    ('s4', {'state': 0}, 'state is 0; expected an even number'),
    ('s4', {'dt_min': 0.5}, 'dt_min is 0.5 and dt_max is 0.1; expected 0 < dt_min <= dt_max'),
  ],
)
def test_bad_options_are_refused(name, field, sentence):
  module = {'s4': s4, 's4d': s4d}[name].Backbone(**field)
  with pytest.raises(ValueError, match=sentence):
    jax.eval_shape(module.init, jax.random.key(0), np.zeros((1, 5, 4)), None, None, False)
