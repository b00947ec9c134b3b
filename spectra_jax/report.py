"""What a run leaves behind: its numbers, and everything needed to know what they are numbers of."""

import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from spectra_jax.splits import check_told

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'scipy')


def provenance() -> dict[str, Any]:
  """Versions, device and commit of this process."""
  return {
    'python': platform.python_version(),
    'packages': {name: importlib.metadata.version(name) for name in PACKAGES},
    'device': jax.devices()[0].device_kind,
    'devices': jax.device_count(),
    'processes': jax.process_count(),
    'cpu_cores': os.cpu_count(),
    'commit': _git('rev-parse', 'HEAD'),
    'dirty': bool(_git('status', '--porcelain', '--untracked-files=no')),
  }


def _git(*words: str) -> str | None:
  """Output of a git command on the source tree; None where that is no checkout."""
  folder = pathlib.Path(__file__).parent
  try:
    done = subprocess.run(['git', *words], cwd=folder, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip()


def document(
  config: ConfigDict,
  identity: str,
  data_hash: str,
  split: Mapping[str, Any],
  parameters: int,
  results: Mapping[str, Any],
  timing: Mapping[str, float],
  cost: Mapping[str, Any],
) -> dict[str, Any]:
  """The content of report.json; `identity` is the hash of config and data.

  Raises:
    ValueError: the split has no regime or no hash.
  """
  check_told(split.get('regime', ''), split.get('hash', ''))
  return {
    'task': config.task.name,
    'results': dict(results),
    **timing,
    **cost,
    'split': dict(split),
    'seed': config.seed,
    'parameters': parameters,
    'identity': identity,
    'data_hash': data_hash,
    **provenance(),
    'config': json.loads(config.to_json()),
  }


def text_table(rows: Sequence[Sequence[str]]) -> str:
  """Columns aligned for a terminal; the first row is the header."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  line = lambda row: '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
  body = [line(row).rstrip() for row in rows]
  return '\n'.join([body[0], '  '.join('-' * width for width in widths), *body[1:]])
