"""Spectra of lines whose places tell the class and whose heights tell an amount, for tests."""

import numpy as np

from configs import default
from spectra_jax.spectra import Spectra
from spectra_jax.splits import make_split

AXIS = np.arange(200.0, 360.0)
CLASSES = 4


def spectra(rows: int = 80, noise: float = 0.05, seed: int = 0) -> Spectra:
  """Class c has lines at 30 + 30 c and 45 + 25 c points; every other target is not known."""
  rng = np.random.default_rng(seed)
  label, amount = np.arange(rows) % CLASSES, rng.uniform(0.5, 1.5, rows)
  line = lambda places: np.exp(-0.5 * ((np.arange(len(AXIS)) - places[:, None]) / 3) ** 2)
  values = amount[:, None] * (line(30 + 30.0 * label) + 0.5 * line(45 + 25.0 * label))
  values = np.float32(values + noise * rng.normal(size=values.shape))
  known = np.arange(rows) % 3 > 0
  meta = {
    'id': np.array([f'r{i}' for i in range(rows)]),
    'group': np.array([f'g{i // 2}' for i in range(rows)]),
    'label': np.array([f'class {c}' for c in label]),
    'target/amount': np.float32(amount),
    'target/sparse': np.float32(np.where(known, 10 * amount, np.nan)),
  }
  return Spectra(
    values, AXIS, 'cm^-1', 'raman', 'measured', np.full(values.shape, True), meta, 'no'
  )


def split(of: Spectra):
  return make_split(of.meta['id'], of.meta['group'], 'iid', (0.6, 0.2, 0.2), 0)


def config(task: str, **changes):
  """Of a small run of the compact CNN for `task`."""
  c = default.get_config()
  c.task.name, c.head.name, c.encoder.name = task, task, 'compact_cnn'
  c.encoder.compact_cnn.update({'widths': (4, 8), 'kernels': (5, 3), 'pools': (4, 2)})
  c.update_from_flattened_dict(changes)
  return c
