"""Computes the shipped spectra: candidates -> shards (resumable) -> one npz and its card.

A shard is 50 candidates in one npz, written by one process as a temporary file and renamed, so
that a run killed at any moment is taken up where it was: finished shards stay, the rest is done
again, and the result is the same bit for bit. Needs the `[compute]` extra.
"""

import csv
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import signal
from collections.abc import Iterator, Sequence

import numpy as np
import tqdm

SHARD_SIZE = 50
TIMEOUT_S = 60
PROGRAMS = ('tblite', 'rdkit', 'numpy', 'scipy')
THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')
DUPLICATE_CM = 0.02  # cm^-1, spectra of one formula that agree within this are one molecule

# name -> dtype; per molecule, per atom, per mode. What the arrays mean: README.md beside this.
MOLECULE = {
  'smiles': str,
  'formula': str,
  'point_group': str,
  'centrosymmetric': bool,
  'listed': bool,
  'heavy_atoms': np.uint8,
  'dipole': np.float64,
  'fsum_total': np.float64,
  'sum_rule_violation': np.float32,
  'gradient_max': np.float32,
}
ATOM = {'atomic_number': np.uint8, 'position': np.float64}
MODE = {
  'frequency': np.float32,
  'ir_intensity': np.float64,
  'raman_activity': np.float32,
  'depolarisation': np.float32,
  'parity': np.int8,
}


def run(
  shards: pathlib.Path,
  candidates: Sequence[tuple[str, bool]],
  target: int | None = None,
  processes: int | None = None,
  shard_size: int = SHARD_SIZE,
  timeout_s: float = TIMEOUT_S,
) -> int:
  """Computes candidates in order until all are done or `target` molecules have passed.

  Args:
    shards: folder of finished shards; made if missing, continued if the settings are the same.
    candidates: (SMILES, listed as centrosymmetric).
    target: stop after the shard that brings the number of molecules that passed to this.
    processes: worker processes, one a core by default.
    shard_size: candidates in a shard.
    timeout_s: seconds after which a molecule is refused.

  Returns:
    Number of molecules that passed.

  Raises:
    ValueError: the folder was made by other settings.
  """
  _claim(shards, candidates, shard_size, timeout_s)
  os.environ.update(dict.fromkeys(THREADS, '1'))  # inherited by the workers, before tblite loads
  starts = range(0, len(candidates), shard_size)
  jobs = [
    (shards / f'{k:05d}.npz', candidates[i : i + shard_size], timeout_s, os.getpid())
    for k, i in enumerate(starts)
  ]
  passed = 0
  bar = tqdm.tqdm(total=len(candidates), unit='molecule', mininterval=5)
  with multiprocessing.get_context('spawn').Pool(processes) as pool, bar:
    for (_, part, *_), count in zip(jobs, pool.imap(_shard, jobs), strict=True):
      passed += count
      bar.update(len(part))
      bar.set_postfix(passed=passed, refresh=False)
      if target is not None and passed >= target:
        break
  return passed


def settings(
  candidates: Sequence[tuple[str, bool]], shard_size: int, timeout_s: float
) -> dict[str, object]:
  """What the contents of a shards folder depend on, as JSON values."""
  lines = '\n'.join(f'{smiles} {int(listed)}' for smiles, listed in candidates)
  return {
    'candidates': len(candidates),
    'candidates_sha256': hashlib.sha256(lines.encode()).hexdigest(),
    'shard_size': shard_size,
    'timeout_s': timeout_s,
    'programs': {name: importlib.metadata.version(name) for name in PROGRAMS},
  }


def _claim(shards, candidates, shard_size, timeout_s) -> None:
  shards.mkdir(parents=True, exist_ok=True)
  mine, path = settings(candidates, shard_size, timeout_s), shards / 'settings.json'
  if not path.exists():
    _write(path, lambda stream: stream.write(json.dumps(mine, indent=2).encode()))
  theirs = json.loads(path.read_text())
  different = [key for key in mine if theirs.get(key) != mine[key]]
  if different:
    key = different[0]
    raise ValueError(
      f'{shards} was made with {key} = {theirs.get(key)}, this run has {mine[key]}; '
      'give another folder or the settings in its settings.json.'
    )


def _write(path: pathlib.Path, write) -> None:
  """Atomic: a reader sees the whole file or none."""
  temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
  with open(temporary, 'wb') as stream:
    write(stream)
    stream.flush()
    os.fsync(stream.fileno())
  os.replace(temporary, path)


def _shard(job) -> int:
  """Computes one shard unless it is there; returns how many of its molecules passed."""
  path, part, timeout_s, parent = job
  if not path.exists():
    results, refused = [], []
    for smiles, listed in part:
      if os.getppid() != parent:  # the run was killed: leave its queue alone
        os._exit(1)
      result, reason = _attempt(smiles, listed, timeout_s)
      if result is None:
        refused.append((smiles, reason))
      else:
        results.append((result, listed))
    arrays = _arrays(results)
    arrays['refused'] = np.array(refused, dtype=str).reshape(-1, 2)
    _write(path, lambda stream: np.savez(stream, **arrays))
  with np.load(path) as stored:
    return len(stored['smiles'])


def _attempt(smiles, listed, timeout_s):
  """(result, '') or (None, reason)."""
  from spectra_jax.data import vibrations  # here: tblite reads the thread count when it loads

  def expire(*_):
    raise vibrations.Refused('timed out', f'after {timeout_s} s')

  signal.signal(signal.SIGALRM, expire)
  signal.setitimer(signal.ITIMER_REAL, timeout_s)
  try:
    return vibrations.vibrations(smiles, centred=listed), ''
  except vibrations.Refused as refusal:
    return None, str(refusal)
  finally:
    signal.setitimer(signal.ITIMER_REAL, 0)


def _arrays(results) -> dict[str, np.ndarray]:
  """Ragged results as flat arrays: (Vibrations, listed) pairs -> name -> array."""
  columns = {name: [] for name in (*MOLECULE, *ATOM, *MODE)}
  for result, listed in results:
    extra = {'listed': listed, 'heavy_atoms': int((result.atomic_number > 1).sum())}
    for name, column in columns.items():
      column.append(extra[name] if name in extra else getattr(result, name))
  arrays = {name: np.array(columns[name], dtype=kind) for name, kind in MOLECULE.items()}
  for name, kind in (ATOM | MODE).items():
    parts = [np.asarray(part, kind) for part in columns[name]]
    arrays[name] = np.concatenate(parts) if parts else np.zeros(0, kind)
  arrays['atoms'] = np.array([len(part) for part in columns['atomic_number']], np.int32)
  arrays['modes'] = np.array([len(part) for part in columns['frequency']], np.int32)
  return arrays


def finished(shards: pathlib.Path) -> Iterator[dict[str, np.ndarray]]:
  """The finished shards of a folder, in order, up to the first one that is missing."""
  for index in range(len(list(shards.glob('[0-9]*.npz')))):
    path = shards / f'{index:05d}.npz'
    if not path.exists():
      return
    with np.load(path) as stored:
      yield dict(stored)


def pack(shards: pathlib.Path, output: pathlib.Path, target: int | None = None) -> dict[str, int]:
  """Joins finished shards into the shipped file, with `.sha256` and `refused.csv` beside it.

  Molecules are sorted by (heavy atoms, SMILES). Of two of one formula whose wavenumbers all
  agree within 0.02 cm^-1 the first in candidate order stays.

  Args:
    shards: folder that `run` filled.
    output: the npz to write.
    target: use no shard after the one that brings the number of molecules to this.

  Returns:
    refused candidates by reason.

  Raises:
    ValueError: no finished shard.
  """
  parts = []
  for part in finished(shards):
    parts.append(part)
    if target is not None and sum(len(p['smiles']) for p in parts) >= target:
      break
  if not parts:
    raise ValueError(f'{shards} holds no finished shard; run compute_spectra on it first.')
  joined = {name: np.concatenate([_rows(p[name], name) for p in parts]) for name in parts[0]}
  refused = [tuple(row) for row in joined.pop('refused')]
  keep, repeated = _unique(joined)
  refused += [(str(joined['smiles'][i]), 'duplicate') for i in repeated]
  order = sorted(keep, key=lambda i: (joined['heavy_atoms'][i], joined['smiles'][i]))
  _save(output, _select(joined, np.array(order)))
  with open(output.with_name('refused.csv'), 'w', newline='') as stream:
    csv.writer(stream, lineterminator='\n').writerows([('smiles', 'reason'), *refused])
  reasons = [reason.split(':')[0] for _, reason in refused]
  return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def _rows(array, name):
  """An empty column keeps the number of axes of a filled one."""
  wide = {'position': (0, 3), 'dipole': (0, 3)}
  return array.reshape(wide[name]) if not array.size and name in wide else array


def _unique(joined) -> tuple[list[int], list[int]]:
  """Indices of molecules that stay, and of those that repeat an earlier one."""
  stop = np.cumsum(joined['modes'])
  seen, keep, repeated = {}, [], []
  for i, formula in enumerate(joined['formula']):
    lines = np.sort(joined['frequency'][stop[i] - joined['modes'][i] : stop[i]])
    earlier = seen.setdefault(str(formula), [])
    same = any(len(l) == len(lines) and abs(l - lines).max() < DUPLICATE_CM for l in earlier)
    (repeated if same else keep).append(i)
    earlier.append(lines)
  return keep, repeated


def _select(joined, order) -> dict[str, np.ndarray]:
  """Molecules `order` of flat arrays, with offsets and the table of element masses."""
  from rdkit import Chem

  arrays = {name: joined[name][order] for name in MOLECULE}
  for count, names in (('atoms', ATOM), ('modes', MODE)):
    stop = np.cumsum(joined[count])
    rows = np.concatenate([np.arange(stop[i] - joined[count][i], stop[i]) for i in order])
    arrays |= {name: joined[name][rows] for name in names}
    offsets = np.concatenate([[0], np.cumsum(joined[count][order])]).astype(np.int32)
    arrays[f'{count[:-1]}_offsets'] = offsets
  elements = np.unique(arrays['atomic_number'])
  weight = Chem.GetPeriodicTable().GetAtomicWeight
  arrays['element_number'] = elements
  arrays['element_mass'] = np.array([weight(int(z)) for z in elements])
  return arrays


def _save(output: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
  output.parent.mkdir(parents=True, exist_ok=True)
  _write(output, lambda stream: np.savez_compressed(stream, **arrays))
  digest = hashlib.sha256(output.read_bytes()).hexdigest()
  line = f'{digest}  {output.name}\n'
  _write(output.with_suffix('.sha256'), lambda stream: stream.write(line.encode()))
