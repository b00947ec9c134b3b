"""Eight fake devices on the CPU for the whole suite; arrays stay on the first one unless asked."""

import functools
import os
import pathlib
import shutil
import tempfile

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# OpenBLAS threads wait for each other on a busy machine: a tiny run took 300 s, with one 28 s.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('OMP_NUM_THREADS', '1')  # tblite's: 34 s of small molecules become one

# Most of the suite is compilation of programs that run once; runs in other processes inherit this.
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')

# Runs keep what they compiled: here in a folder of this run of the tests, not in the user's own.
# Workers and runs in other processes share it, and the first process takes it away.
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR', f'{tempfile.gettempdir()}/spectra_jax_tests_{os.getpid()}'
)

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


def pytest_unconfigure():
  own = f'{tempfile.gettempdir()}/spectra_jax_tests_{os.getpid()}'
  shutil.rmtree(own, ignore_errors=True)  # of a worker: there is none


@pytest.fixture(scope='module', autouse=True)
def long_programs_alone_are_kept():
  """A run keeps every program it compiles; what comes after it in this process should not."""
  default = jax.config.jax_persistent_cache_min_compile_time_secs
  yield
  jax.config.update('jax_persistent_cache_min_compile_time_secs', default)


@pytest.fixture(scope='session')
def real_data() -> pathlib.Path:
  """The folder of real data sets, which the repository does not hold."""
  beside = pathlib.Path(__file__).parents[2] / 'shared' / 'data'
  folder = pathlib.Path(os.environ.get('SPECTRA_JAX_DATA') or beside)
  if not folder.is_dir():
    pytest.skip(f'no real spectra: {folder} is not there and $SPECTRA_JAX_DATA names no folder')
  return folder
