"""Weights of a trained model as one file: arrays by their path, and what they are weights of.

An .npz of plain arrays, which is never unpickled, with its sha256 in a file beside it. `about` is
JSON: config, kinds of spectra, the constants that scaled them, and where the numbers come from.
"""

import dataclasses
import hashlib
import io
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from configs import default
from spectra_jax.workdir import write_bytes_atomic

SHIPPED = pathlib.Path(__file__).parent.resolve() / 'data' / 'pretrained.npz'
ABOUT, PARAMS = 'about', 'params'
STORED = ('float32', 'float16')
TASKS = ('masked', 'foundation')  # whose models reconstruct spectra, of any kind they know
MOST_BYTES = 4 * 2**20  # of a file that ships with the package

# Of these a run has what it says and no more: a term that it lacks is no older key.
AS_STORED = ('weights',)

Tree = Any


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
  """Parameters of a model.

  Attributes:
    params: nested dicts of float32 arrays.
    about: what they are of: 'config', 'kinds', 'scale', and what `export` of a run tells.
    hash: sha256 of the file.
  """

  params: Tree
  about: Mapping[str, Any]
  hash: str

  @property
  def config(self) -> ConfigDict:
    """The config of the run, locked."""
    return with_later_keys(self.about['config'])

  @property
  def kinds(self) -> tuple[str, ...]:
    """Kinds of spectra, in the order of the kind index."""
    return tuple(self.about['kinds'])

  @property
  def line_widths(self) -> tuple[float, float] | None:
    """(least, most) FWHM [cm^-1] of lines in training; None where data or instruments decide."""
    config = self.config
    if (config.dataset.name, config.task.name) != ('computed', 'masked'):
      return None
    low, high = (config.dataset.computed.fwhm_cm + more for more in config.task.masked.widen_cm)
    return low, high


def read(path: str | pathlib.Path = SHIPPED) -> Weights:
  """The weights of a file, checked against the sha256 beside it.

  Raises:
    FileNotFoundError: no such file, or no sha256 beside it.
    ValueError: the file is not what was written.
  """
  path = pathlib.Path(path)
  recorded = path.with_suffix('.sha256')
  for needed in (path, recorded):
    if not needed.is_file():
      raise FileNotFoundError(
        f'{needed} is missing, expected weights and their sha256 side by side; reinstall the '
        'package or make them with `python -m experiments.export_weights`'
      )
  content, want = path.read_bytes(), recorded.read_text().split()[0]
  found = hashlib.sha256(content).hexdigest()
  if want != found:
    raise ValueError(
      f'{path} is damaged: its sha256 is {found[:12]}..., but {recorded.name} says '
      f'{want[:12]}...; restore the file (git checkout, or reinstall the package)'
    )
  return Weights(*_arrays(path, content), found)


def _arrays(path: pathlib.Path, content: bytes) -> tuple[Tree, dict[str, Any]]:
  try:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
      about, params = json.loads(str(arrays[ABOUT])), {}
      for name in arrays.files:
        if name != ABOUT:
          _put(params, name.split('/')[1:], arrays[name].astype(np.float32))
  except (KeyError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(
      f'{path} is no file of weights ({error}); make one with '
      '`python -m experiments.export_weights`'
    ) from error
  return params, about


def _put(tree: dict, parts: list[str], leaf: np.ndarray) -> None:
  for part in parts[:-1]:
    tree = tree.setdefault(part, {})
  tree[parts[-1]] = leaf


def digest(params: Tree) -> str:
  """sha256 of parameters by their paths."""
  found = hashlib.sha256()
  for name, leaf in sorted(flat(params).items()):
    found.update(name.encode() + np.asarray(leaf).tobytes())
  return found.hexdigest()


def write(
  path: str | pathlib.Path, params: Tree, about: Mapping[str, Any], stored: str = 'float32'
) -> str:
  """Writes the file and its sha256, which is returned.

  Args:
    path: ends in .npz.
    params: nested dicts of arrays.
    about: JSON.
    stored: dtype in the file; float16 halves it and keeps three digits.

  Raises:
    ValueError: another dtype, numbers that it cannot hold, or, of the file that ships, more than
      `MOST_BYTES`.
  """
  path = pathlib.Path(path)
  if stored not in STORED or path.suffix != '.npz':
    raise ValueError(
      f'weights were to be written as {stored!r} to {path}, expected one of {", ".join(STORED)} '
      'and a name that ends in .npz; correct it'
    )
  content = io.BytesIO()
  with np.errstate(over='ignore'):  # told below
    leaves = {name: np.asarray(leaf).astype(stored) for name, leaf in flat(params).items()}
  lost = [name for name, leaf in leaves.items() if not np.isfinite(leaf).all()]
  if lost:
    raise ValueError(f'{lost[0]} has values that {stored} cannot hold; store float32')
  arrays = {f'{PARAMS}/{name}': leaf for name, leaf in leaves.items()}
  np.savez_compressed(content, **{ABOUT: np.array(json.dumps(about))}, **arrays)
  size = len(content.getvalue())
  if path.resolve() == SHIPPED and size > MOST_BYTES:
    raise ValueError(
      f'the weights take {size / 2**20:.1f} MiB, expected at most {MOST_BYTES / 2**20:.0f} to '
      'ship; store float16 or train a smaller model'
    )
  found = hashlib.sha256(content.getvalue()).hexdigest()
  write_bytes_atomic(path, content.getvalue())
  write_bytes_atomic(path.with_suffix('.sha256'), f'{found}  {path.name}\n'.encode())
  return found


def flat(tree: Tree, prefix: str = '') -> dict[str, Any]:
  """{'a': {'b': leaf}} -> {'a/b': leaf}."""
  found = {}
  for name, part in tree.items():
    place = f'{prefix}{name}'
    found |= flat(part, f'{place}/') if isinstance(part, Mapping) else {place: part}
  return found


def with_later_keys(stored: Mapping[str, Any]) -> ConfigDict:
  """The config of a run from its JSON, locked. Keys that came after the run are as
  configs/default.py has them, with which every run stays what it was.
  """
  return ConfigDict(_filled(tuples(stored), default.get_config().to_dict())).lock()


def _filled(kept: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
  found = {**usual, **kept}
  for key in kept.keys() & usual.keys():
    if isinstance(usual[key], Mapping) and key not in AS_STORED:
      found[key] = _filled(kept[key], usual[key])
  return found


def tuples(value: Any) -> Any:
  """A config as it was before JSON made lists of its tuples."""
  if isinstance(value, Mapping):
    return {key: tuples(part) for key, part in value.items()}
  return tuple(map(tuples, value)) if isinstance(value, list) else value
