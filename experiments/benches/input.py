"""Spectra a second that the input gathers, from memory and from memory-mapped shards.

  python -m experiments.bench input --rows=200000 --points=1024

A batch is what a training step takes: rows of a random permutation (`batches.training_rows`) and
their float32 values. The shards are written anew into a temporary folder; as a machine has just
written them, they are mostly in its page cache: this measures the gather, not a disk.

  memory_spectra_per_s  from one array
  memmap_spectra_per_s  from shards
  ..._per_cpu_s         the same by the time that the process had a core: on a busy machine this is
                        the gather, the other one the machine; without a busy one they agree
  rows_us               of one batch, the permutation's rows alone [microseconds]
"""

import pathlib
import statistics
import tempfile
import time

import numpy as np
from absl import flags

from experiments import timing
from spectra_jax import batches, shards

_ROWS = flags.DEFINE_integer('rows', 100_000, 'rows there are', lower_bound=1)
_POINTS = flags.DEFINE_integer('points', 1024, 'points of a spectrum, L', lower_bound=1)
_BATCHES = flags.DEFINE_list('batches', ['16', '64', '512'], 'batch sizes; the first one counts')
_SHARD = flags.DEFINE_integer('shard_rows', 4096, 'spectra of a shard', lower_bound=1)
_SECONDS = 0.2  # of one timed stretch


def run() -> dict:
  """Medians over --rounds stretches, memory and shards in turn."""
  values = np.random.default_rng(0).random((_ROWS.value, _POINTS.value), np.float32)
  with tempfile.TemporaryDirectory() as folder:
    stored = _shards(pathlib.Path(folder), values)
    rows = batches.training_rows(0, 0, min(64, len(values)), len(values))
    np.testing.assert_array_equal(stored[rows], values[rows])
    sizes = {size: _measure(int(size), values, stored) for size in _BATCHES.value}
  first = sizes[_BATCHES.value[0]]
  return {
    'case': f'N={_ROWS.value},L={_POINTS.value},shard={_SHARD.value}',
    'rounds': timing.ROUNDS.value,
    'memory_spectra_per_s': first['memory'],
    'memmap_spectra_per_s': first['memmap'],
    'memory_spectra_per_cpu_s': first['memory_cpu'],
    'memmap_spectra_per_cpu_s': first['memmap_cpu'],
    'rows_us': first['rows_us'],
    'batches': sizes,
  }


def _shards(folder: pathlib.Path, values: np.ndarray) -> shards.Sharded:
  starts = range(0, len(values), _SHARD.value)
  files = [shards.write(folder, f'{i:05d}', values[i : i + _SHARD.value]) for i in starts]
  return shards.read(folder, files, verify=False)


def _measure(size: int, values: np.ndarray, stored: shards.Sharded) -> dict[str, float]:
  """Spectra a second of both, and the time of the rows, for batches of `size`."""
  rows_of = lambda step: batches.training_rows(0, step, size, len(values))
  gathers = {
    'memory': lambda step: values[rows_of(step)],
    'memmap': lambda step: stored[rows_of(step)],
    'rows': rows_of,
  }
  rate = {name: [] for name in gathers}
  for _ in range(timing.ROUNDS.value):
    for name, gather in gathers.items():
      gather(0)
      rate[name].append(_calls_per_second(gather))
  median = lambda name, clock: statistics.median(found[clock] for found in rate[name])
  both = ('memory', 'memmap')
  wall = {name: size * median(name, 'wall') for name in both}
  cpu = {f'{name}_cpu': size * median(name, 'cpu') for name in both}
  return wall | cpu | {'rows_us': 1e6 / median('rows', 'wall')}


def _calls_per_second(gather) -> dict[str, float]:
  """By the clock, and by the time that this process had a core."""
  start, cpu, step = time.perf_counter(), time.process_time(), 0
  while time.perf_counter() - start < _SECONDS:
    gather(step)
    step += 1
  wall, cpu = time.perf_counter() - start, time.process_time() - cpu
  return {'wall': step / wall, 'cpu': step / cpu}


def lines(result: dict) -> list[str]:
  """One row a batch size."""
  table = [f'input, {result["case"]}', f'{"batch":>8}{"memory":>14}{"shards":>14}{"rows":>12}']
  for size, row in result['batches'].items():
    rates = f'{row["memory"]:12,.0f}/s{row["memmap"]:12,.0f}/s'
    table.append(f'{size:>8}{rates}{row["rows_us"]:9.1f} us')
  return table
