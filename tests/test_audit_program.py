"""Files of predictions, those of our own runs, and the program that audits them."""

import functools
import inspect
import json
import sys
import types

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import audit as program
from spectra_jax import audit, trained
from spectra_jax.audit import predictions, runs
from spectra_jax.tasks import optical_constants, paired
from tests import processes
from tests.exact_media import HWHM, NU, PLANTED, ROWS, asked, at, file_of, media
from tests.test_masked import make_task

# ---- files ------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_written(tmp_path):
  given = file_of()
  predictions.write(tmp_path / 'p.npz', given)
  back = predictions.read(tmp_path / 'p.npz')
  assert list(back.values) == list(given.values)
  assert back.hwhm_min == HWHM
  np.testing.assert_array_equal(back.centrosymmetric, given.centrosymmetric)
  np.testing.assert_array_equal(back.truth['k'], given.truth['k'])
  only = predictions.read(tmp_path / 'p.npz', ['k'])
  assert (list(only.values), list(only.truth)) == (['k'], ['k'])


GOOD = {'axis': NU, 'axis_unit': 'cm^-1', 'ir': media()['ir']}


@pytest.mark.parametrize(
  ('arrays', 'words'),
  [
    ({'axis': NU, 'ir': media()['ir']}, "has no 'axis_unit', expected an .npz of numpy arrays"),
    ({**GOOD, 'axis_unit': 'nm'}, "axis_unit is 'nm', expected 'cm.-1'.*convert nm by 1e7 / nm"),
    ({**GOOD, 'axis': NU[::-1]}, 'not strictly increasing.*flip a descending one'),
    ({**GOOD, 'spectra': NU}, "has an array 'spectra', expected an .npz of numpy arrays"),
    ({'axis': NU, 'axis_unit': 'cm^-1'}, 'has predictions of no kind, expected an .npz'),
    ({**GOOD, 'ir': NU}, r'ir has shape \(626,\), expected \[626, 626\]: a row for each sample'),
    ({**GOOD, 'k': media()['k'][:3]}, r'k has shape \(3, 626\), expected \[5, 626\]'),
    ({**GOOD, 'ir': np.ones((2, 626), int)}, 'ir has dtype int64, expected float32 or float64'),
    ({**GOOD, 'ir': np.full((2, 626), np.nan)}, 'ir is nan in row 0 at point 0 .*leave such rows'),
    ({**GOOD, 'true_ir': np.ones((2, 3))}, r'true_ir has shape \(2, 3\)'),
    ({**GOOD, 'centrosymmetric': np.ones(5)}, r'centrosymmetric is float64.*expected bool \[5\]'),
    ({**GOOD, 'hwhm_min': np.ones(2)}, 'hwhm_min has shape .2,., expected one number'),
    ({**GOOD, 'hwhm_min': -1.0}, 'hwhm_min is -1.0, expected a positive half width'),
    ({**GOOD, 'ir': np.array([None])}, 'cannot be read .*expected an .npz of numpy arrays'),
  ],
)
def test_a_file_in_another_shape_is_refused_with_a_sentence(arrays, words, tmp_path):
  np.savez(tmp_path / 'p.npz', **arrays)
  with pytest.raises(ValueError, match=words):
    predictions.read(tmp_path / 'p.npz')


def test_what_is_no_file_of_predictions_is_refused(tmp_path):
  (tmp_path / 'text.npz').write_text('nu, k')
  np.save(tmp_path / 'array.npy', NU)
  np.savez(tmp_path / 'good.npz', **GOOD)
  for name in ('text.npz', 'array.npy'):
    with pytest.raises(ValueError, match=r'cannot be read .*expected an .npz of numpy arrays'):
      predictions.read(tmp_path / name)
  with pytest.raises(FileNotFoundError, match=r'is missing, expected an .npz'):
    predictions.read(tmp_path / 'none.npz')
  with pytest.raises(ValueError, match='has predictions of ir, expected raman; add them'):
    predictions.read(tmp_path / 'good.npz', ['ir', 'raman'])


@pytest.mark.parametrize(
  ('numbers', 'words'),
  [
    ({'tolerance': 1.0}, 'tolerance is 1.0, expected a share'),
    ({'low_max': 0.0}, 'low_max is 0.0, expected a positive finite number'),
    ({'state': 'raw'}, "state is 'raw', expected one of measured"),
  ],
)
def test_assumptions_out_of_range_are_refused(numbers, words):
  with pytest.raises(ValueError, match=words):
    audit.Assumptions(**numbers)


# ---- our own runs -----------------------------------------------------------


tiny_task = functools.cache(lambda: make_task(axis=np.linspace(400, 4000, 128), molecules=24))


def test_a_masked_task_predicts_intensities_with_their_sign():
  task = tiny_task()
  _, targets = task.held_out('test')
  truth, masked = np.asarray(targets['values']), np.asarray(targets['masked'])
  arrays = task.predictions(np.where(masked, -2 * truth, 7.0), 'test')
  for k, kind in enumerate(task.kinds):
    rows = task.examples('test')['kind'] == k
    exact = np.where(masked[rows], -4.0, 1.0) * task.examples('test')['values'][rows]
    np.testing.assert_allclose(arrays[kind], exact, rtol=1e-5)
    np.testing.assert_array_equal(arrays[f'true_{kind}'], task.examples('test')['values'][rows])


@pytest.mark.parametrize('intensities', [False, True])
def test_a_paired_task_predicts_the_whole_axis(intensities):
  exact = {kind: np.float32(media()[kind]) for kind in paired.KINDS}
  scale = {'ir': 0.5, 'raman': 2.0}
  shares = {kind: exact[kind] / scale[kind] ** 2 for kind in paired.KINDS}
  shares['ir'][PLANTED] *= -1
  task = types.SimpleNamespace(
    examples=lambda side: {**exact, 'centrosymmetric': np.ones(ROWS, bool)},
    options=types.SimpleNamespace(intensities=intensities),
    scale=scale,
  )
  roots = {kind: np.sign(share) * np.sqrt(np.abs(share)) for kind, share in shares.items()}
  arrays = paired.Task.predictions(task, shares if intensities else roots, 'test')
  sign = np.where(np.arange(ROWS) == PLANTED, -1, 1)[:, None]
  np.testing.assert_allclose(arrays['ir'], sign * exact['ir'], rtol=1e-5)
  np.testing.assert_allclose(arrays['raman'], exact['raman'], rtol=1e-5)
  np.testing.assert_array_equal(arrays['true_ir'], exact['ir'])


def test_a_task_of_optical_constants_predicts_them_in_absolute_units():
  exact = {name: np.float32(media()[name]) for name in ('n', 'k')}
  task = types.SimpleNamespace(
    examples=lambda side: exact,
    absolute=lambda outputs: {name: 2 * outputs[name] for name in ('n', 'k')},
  )
  outputs = {name: values / 2 for name, values in exact.items()}
  arrays = optical_constants.Task.predictions(task, outputs, 'test')
  for name in ('n', 'k'):
    np.testing.assert_array_equal(arrays[name], exact[name])
    np.testing.assert_array_equal(arrays[f'true_{name}'], exact[name])


def test_a_run_is_audited_on_its_test_side(monkeypatch):
  class Run:
    task = tiny_task()

  monkeypatch.setattr(trained, 'load', lambda workdir: (Run, 'params'))
  predict = lambda params, examples: np.full(examples['values'].shape, -1.0, np.float32)
  monkeypatch.setattr(runs.train, 'make_predict', lambda run: predict)
  given = runs.of_run('runs/any')
  assert (list(given.values), list(given.truth)) == (['ir', 'raman'], ['ir', 'raman'])
  assert len(given) == len(Run.task.split.test)
  assert asked(given)['non_negativity/ir'].violated_N.all()


# ---- the program ------------------------------------------------------------


def example():
  """The lines of numpy in the docstring of the program."""
  told = inspect.getdoc(program).splitlines()
  return [line.strip() for line in told if line.startswith(('  import numpy', '  nu =', '  np.'))]


def test_the_documented_example_is_written_read_and_audited(tmp_path, capsys):
  assert len(example()) == 3
  folder = f'import os; os.chdir({str(tmp_path)!r})'
  exec('\n'.join([folder, *example(), f'os.chdir({str(processes.REPOSITORY)!r})']), {})
  path = tmp_path / 'predictions.npz'
  laws = run_program(path, capsys, hwhm_min=8.0, strict=True)
  assert laws['linewidth/ir']['violations'] == 0
  assert laws['non_negativity/ir']['applies']
  assert not laws['kramers_kronig']['applies']
  document = json.loads((tmp_path / 'predictions.audit.json').read_text())
  assert document['laws'] == laws
  assert document['hwhm_min'] == 8
  assert (tmp_path / 'predictions.audit.png').stat().st_size > 10_000


def run_program(path, capsys, **values):
  if not flags.FLAGS.is_parsed():
    flags.FLAGS(sys.argv[:1])
  with flagsaver.flagsaver(**values):
    program.main(['audit', str(path)])
  return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_strict_fails_only_where_a_law_is_broken(tmp_path, capsys):
  predictions.write(tmp_path / 'p.npz', file_of({'k': at(300, -0.1)}, kinds=('k',)))
  laws = run_program(tmp_path / 'p.npz', capsys, json=str(tmp_path / 'other.json'))
  found = laws['non_negativity/k']
  assert (found['violations'], found['rows'], found['worst_row']) == (1, ROWS, PLANTED)
  assert found['worst'] == pytest.approx(0.1)
  assert found['rate_interval'] == pytest.approx([0.036, 0.624], abs=1e-3)
  assert (tmp_path / 'other.png').exists()
  with pytest.raises(SystemExit) as stopped:
    run_program(tmp_path / 'p.npz', capsys, strict=True)
  assert stopped.value.code == 1
  with pytest.raises(SystemExit, match=r'error: .* is missing, expected an .npz of numpy arrays'):
    run_program(tmp_path / 'none.npz', capsys)


def test_the_figure_shows_the_worst_rows_from_high_to_low():
  given = file_of({'k': at(300, -0.1)}, kinds=('n', 'k'))
  figure = audit.figure(given, list(asked(given).values()))
  titles = [ax.get_title('left') for ax in figure.axes]
  assert titles[0] == f'non negativity/k, row {PLANTED}: 0.1 of the maximum below 0'
  assert sum('no row violates it' in title for title in titles) < len(titles)
  assert figure.axes[-1].get_xlim() == (NU[-1], NU[0])
  assert all(ax.get_ylabel() for ax in figure.axes)
  np.testing.assert_array_equal(
    figure.axes[0].get_lines()[0].get_ydata(), given.values['k'][PLANTED]
  )
