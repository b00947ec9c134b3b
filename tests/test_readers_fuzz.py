"""Mutated files of every format are read or refused by a ValueError, in bounded time and memory.

Run as a program it is the long check: `python -m tests.test_readers_fuzz 10000` limits its own
memory and the processor time of each read, and prints what happened as JSON.
"""

import faulthandler
import json
import pathlib
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter

import numpy as np
import pytest

from spectra_jax import readers
from tests import spectral_files as files

SECONDS = 2.0  # processor time of one read
BYTES = 512 * 2**20
TOLD = {'axis_unit': 'nm', 'kind': 'absorbance'}  # so that no mutant is refused only for its units
EXTREMES = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def bit_flips(rng, data, other):
  out = bytearray(data)
  for at in rng.integers(len(out), size=rng.integers(1, 9)):
    out[at] ^= 1 << rng.integers(8)
  return bytes(out)


def truncation(rng, data, other):
  return data[: rng.integers(len(data))]


def splice(rng, data, other):
  """The head of one file and the tail of another one, or of itself."""
  return data[: rng.integers(len(data))] + other[rng.integers(len(other)) :]


def swapped_lines(rng, data, other):
  lines = data.split(b'\n')
  i, j = rng.integers(len(lines), size=2)
  lines[i], lines[j] = lines[j], lines[i]
  return b'\n'.join(lines)


def changed_digits(rng, data, other):
  digits = [at for at, byte in enumerate(data) if 48 <= byte < 58]
  out = bytearray(data)
  for at in rng.choice(digits, size=rng.integers(1, 5)) if digits else ():
    out[at] = rng.choice(list(b'0123456789-.eE?@%ZsJj'))
  return bytes(out)


def changed_counts(rng, data, other):
  """A whole number somewhere, in binary or in digits, becomes one that no file can hold."""
  out, at = bytearray(data.ljust(8, b'\0')), rng.integers(max(1, len(data) - 4))
  if rng.random() < 0.5:
    struct.pack_into('<I', out, at, int(rng.choice(EXTREMES)))
  else:
    out[at:at] = str(rng.choice(EXTREMES)).encode()
  return bytes(out)


MUTATIONS = (bit_flips, truncation, splice, swapped_lines, changed_digits, changed_counts)


def mutants(seed: int, count: int):
  """(name, content): a function of (seed, number), one to three mutations each."""
  seeds = list(all_seeds().items())
  for i in range(count):
    rng = np.random.default_rng((seed, i))
    name, data = seeds[i % len(seeds)]
    for _ in range(rng.integers(1, 4)):
      data = data or b'0'
      other = seeds[rng.integers(len(seeds))][1] if rng.random() < 0.5 else data
      data = MUTATIONS[rng.integers(len(MUTATIONS))](rng, data, other)
    yield name, data


def all_seeds() -> dict[str, bytes]:
  return files.seeds() | {'two.zip': files.zipped(a__jdx=files.jcamp('dup'), b__csv=files.csv())}


def read(name: str, data: bytes):
  if not name.endswith('.zip'):
    return readers.read_bytes(data, name, **TOLD)
  with tempfile.TemporaryDirectory() as folder:  # archives are read from disk
    path = pathlib.Path(folder) / name
    path.write_bytes(data)
    return readers.read(path, **TOLD)


def outcome(name: str, data: bytes) -> str:
  """'read' or 'refused'; anything but a ValueError passes through."""
  try:
    found = read(name, data)
  except ValueError as error:
    one_line = str(error).startswith(f'{name}: ') and '\n' not in str(error)
    return 'refused' if one_line else f'refused without a name: {error}'
  for spectra in found:
    assert np.isfinite(spectra.values).all()
    assert (np.diff(spectra.axis) > 0).all()
  return 'read'


def test_mutated_files_are_read_or_refused():
  found = Counter(outcome(name, data) for name, data in mutants(seed=0, count=150))
  assert found['refused'] > 50
  assert found['read'] > 10


def test_mutations_reach_every_format():
  """The mutants of each seed differ from it, and some of each format are still recognised."""
  seeds = all_seeds()
  assert all(data != seeds[name] for name, data in list(mutants(seed=1, count=60))[::7])
  assert {name for name, _ in mutants(seed=1, count=60)} == set(seeds)


@pytest.mark.slow
def test_ten_thousand_mutated_files():
  root = pathlib.Path(__file__).parent.parent
  command = [sys.executable, '-m', 'tests.test_readers_fuzz', '10000']
  done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=1800)
  assert done.returncode == 0, done.stderr[-2000:]
  found = json.loads(done.stdout.splitlines()[-1])
  assert found['read'] + found['refused'] == 10_000
  assert min(found['read'], found['refused']) > 500
  assert found['slowest_s'] < SECONDS
  assert found['grown_bytes'] < BYTES


def main(count: int) -> dict:
  """Reads `count` mutants in limited memory; a read that takes too long ends the program."""
  faulthandler.enable()
  for name, data in all_seeds().items():  # packages are imported before memory is limited
    outcome(name, data)
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[0])
  limit = pages * resource.getpagesize() + BYTES
  resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  found, slowest = Counter(), 0.0
  for name, data in mutants(seed=2, count=count):
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its signal ends the program
    start = time.process_time()
    found[outcome(name, data)] += 1
    slowest = max(slowest, time.process_time() - start)
  signal.setitimer(signal.ITIMER_PROF, 0)
  grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
  return {**found, 'slowest_s': slowest, 'grown_bytes': grown}


if __name__ == '__main__':
  print(json.dumps(main(int(sys.argv[1]))))
