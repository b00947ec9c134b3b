"""Minerals from raw Raman spectra whose axis is out of calibration, against the pools of the CNN.

python -m experiments.table --tables=rruff_shift
"""

from ml_collections import ConfigDict

from configs.tables import default, rruff_labels

SHIFTS = (5, 10, 15, 20, 25, 30)  # cm^-1, to higher wavenumbers
LABELS = 340


def get_config() -> ConfigDict:
  c = default.get_config()
  c.caption = (
    f'Accuracy with {LABELS} labels on the 150 published test spectra, moved along the axis and '
    'filled as the authors do; at 15 and 30 cm^-1 these are their own shifted test sets.'
  )
  c.rows = rruff_labels.rows({'split.regime': 'given', 'dataset.rruff_splits.labels': LABELS})
  place = lambda k, shift: f'shift_{shift}.top{k}' if shift else f'top{k}'
  c.columns = tuple(
    rruff_labels.score(f'top-{k}, {shift} cm⁻¹ (%)', place(k, shift))
    for k, shifts in ((1, (0, 15, 30)), (3, (0, *SHIFTS)))
    for shift in shifts
  )
  published = lambda m, value: {
    'label': f'published CNN, pool {m}',
    'values': {'top-3, 30 cm⁻¹ (%)': value},
    'regime': 'given',
    'source': rruff_labels.PAPER,
  }
  c.references = (published(64, 57.0), published(2, 16.0))
  return c
