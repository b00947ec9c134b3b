"""Eight fake devices on the CPU for the whole suite; arrays stay on the first one unless asked."""

import functools
import os
import pathlib

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# OpenBLAS threads wait for each other on a busy machine: a tiny run took 300 s, with one 28 s.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

# Most of the suite is compilation of programs that run once; runs in other processes inherit this.
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')

import jax
import numpy as np
import pytest

from spectra_jax.datasets import computed, computed_optical
from spectra_jax.datasets.computed import ALL

jax.config.update('jax_num_cpu_devices', 8)


def _kept(load):
  """`load` that broadens the shipped lines once for each axis: they take seconds, and most runs."""
  spectra = functools.cache(lambda axis, options: load(np.frombuffer(axis), **dict(options)))

  @functools.wraps(load)
  def kept(axis, rows=ALL, **options):
    if options.get('path') or rows != ALL:
      return load(axis, rows, **options)
    return spectra(np.asarray(axis, np.float64).tobytes(), tuple(options.items()))

  return kept


computed.load = _kept(computed.load)
computed_optical.load = _kept(computed_optical.load)


@pytest.fixture(scope='session')
def real_data() -> pathlib.Path:
  """The folder of real data sets, which the repository does not hold."""
  beside = pathlib.Path(__file__).parents[2] / 'shared' / 'data'
  folder = pathlib.Path(os.environ.get('SPECTRA_JAX_DATA') or beside)
  if not folder.is_dir():
    pytest.skip(f'no real spectra: {folder} is not there and $SPECTRA_JAX_DATA names no folder')
  return folder
