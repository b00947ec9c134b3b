"""SNV and a Savitzky-Golay first derivative of many spectra, beside chemotools, in one run.

  python -m experiments.bench preprocess --spectrum_rows=100000 --spectrum_points=1000

Both sides get the arrays that they work in: this package float32, chemotools float64, so that
neither has to convert. Rounds take them in turn.

  snv_sg_s               median time of `Fitted.transform` [s]
  ratio_over_chemotools  median time of chemotools over it
  ratio_cpu              the same of processor time, of all threads: on a busy machine this compares
                         the code, the other one the machine; it knows nothing of a second core
  max_error              largest difference from chemotools, over the largest value: in float32
  max_error_f64          the same in float64, of the first 1,000 spectra
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from absl import flags
from chemotools.derivative import SavitzkyGolay
from chemotools.scatter import StandardNormalVariate
from sklearn.pipeline import make_pipeline

from experiments import timing
from spectra_jax.preprocess import Fitted, Pipeline, chunks
from spectra_jax.preprocess.steps import savitzky_golay, snv
from spectra_jax.spectra import Spectra

_SPECTRA = flags.DEFINE_integer('spectrum_rows', 100_000, 'spectra, N', lower_bound=1)
_POINTS = flags.DEFINE_integer('spectrum_points', 1000, 'points of a spectrum', lower_bound=16)
_CHUNKS = flags.DEFINE_list('chunks', [str(chunks.CHUNK)], 'rows at a time; the first one counts')
_WINDOW, _DEGREE = 11, 2
_SEEN = 1000  # spectra that are compared in float64


def run() -> dict:
  """Medians over --rounds calls of each, in turn."""
  values = _drawn(_SPECTRA.value, _POINTS.value)
  wide = values.astype(np.float64)
  oracle = make_pipeline(
    StandardNormalVariate(), SavitzkyGolay(_WINDOW, _DEGREE, deriv=1, mode='interp')
  ).fit(wide[:16])
  fitted = {int(rows): _fitted(values, 'float32', int(rows)) for rows in _CHUNKS.value}
  calls = {f'chunk {rows}': _call(known, values) for rows, known in fitted.items()}
  calls['chemotools'] = _call(oracle, wide)
  times = _interleaved(calls)
  first, wanted = next(iter(fitted)), oracle.transform(wide)
  exact = _fitted(values, 'float64', first).transform(wide[:_SEEN])
  seconds = {name: _spread(found) for name, found in times.items()}
  ours, theirs = seconds[f'chunk {first}'], seconds['chemotools']
  return {
    'case': f'N={len(values)},L={_POINTS.value},window={_WINDOW}',
    'rounds': timing.ROUNDS.value,
    'snv_sg_s': ours['median'],
    'ratio_over_chemotools': theirs['median'] / ours['median'],
    'ratio_cpu': theirs['cpu'] / ours['cpu'],
    'max_error': _error(fitted[first].transform(values), wanted),
    'max_error_f64': _error(exact, wanted[:_SEEN]),
    'seconds': seconds,
  }


def _drawn(count: int, points: int) -> np.ndarray:
  """Bands on a background with noise, float32."""
  rng, place = np.random.default_rng(0), np.linspace(0, 1, points, dtype=np.float32)
  shapes = np.stack([np.exp(-(((place - c) / 0.05) ** 2)) for c in (0.2, 0.5, 0.7)] + [place])
  values = rng.random((count, 4), np.float32) @ shapes
  values += np.float32(0.01) * rng.standard_normal(values.shape, np.float32)
  return values


def _fitted(values: np.ndarray, dtype: str, chunk: int) -> Fitted:
  axis, few = np.arange(values.shape[1], dtype=np.float64), values[:16]
  full = np.ones(few.shape, bool)
  train = Spectra(few, axis, 'index', 'absorbance', 'measured', full, {}, 'drawn')
  steps = (snv.Step(), savitzky_golay.Step(_WINDOW, _DEGREE, derivative=1))
  return Pipeline(steps, dtype, chunk).fit(train)


def _call(transformer, values: np.ndarray) -> Callable[[], None]:
  return lambda: transformer.transform(values)


def _interleaved(calls: dict[str, Callable[[], None]]) -> dict[str, list[tuple[float, float]]]:
  """(wall, processor) seconds of every call, one of each a round, after one that is not timed."""
  for call in calls.values():
    call()
  times = {name: [] for name in calls}
  for _ in range(timing.ROUNDS.value):
    for name, call in calls.items():
      wall, cpu = time.perf_counter(), time.process_time()
      call()
      times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
  return times


def _error(found: np.ndarray, wanted: np.ndarray) -> float:
  """Block by block: the arrays are large."""
  blocks = range(0, len(wanted), _SEEN)
  worst = max(np.abs(found[i : i + _SEEN] - wanted[i : i + _SEEN]).max() for i in blocks)
  return float(worst / np.abs(wanted).max())


def _spread(found: list[tuple[float, float]]) -> dict[str, float]:
  wall, cpu = zip(*found, strict=True)
  middle = statistics.median
  return {'median': middle(wall), 'min': min(wall), 'max': max(wall), 'cpu': middle(cpu)}


def lines(result: dict) -> list[str]:
  """Seconds of each."""
  table = [f'SNV and derivative, {result["case"]}, on {result["device"]}']
  for name, found in result['seconds'].items():
    table.append(f'{name:12}' + ''.join(f'{key} {found[key]:.3f} s  ' for key in found))
  table.append(f'ratio {result["ratio_over_chemotools"]:.1f}, error {result["max_error"]:.1e}')
  return table
