"""Minerals of RRUFF's processed Raman spectra: specimens held out, or lasers as well.

  python -m experiments.train --config=configs/rruff_minerals.py:cnn --workdir=runs/minerals/cnn
  python -m experiments.sweep run --config=configs/rruff_minerals.py:cnn --root=runs/minerals/cnn

108 minerals with at least 8 processed spectra, 1,408 in all. The regime 'grouped' keeps the spectra
of a specimen (RRUFF id) on one side; 'instrument' tests specimens that are new on a laser that is
new. Minerals without a training specimen are left out. Variants: cnn (the strong CNN of
configs/rruff.py), linoss (D-LinOSS on tokens), tiny. The nearest neighbour stands in the report of
each run.
"""

from ml_collections import ConfigDict

from configs import default, rruff

VARIANTS = ('cnn', 'linoss', 'tiny')
SEEDS = (0, 1, 2)
LASERS = {
  'split.regime': ('instrument',),
  'split.train_on': (('532.0', '514.0'),),
  'split.test_on': (('780.0', '785.0'),),
}


def get_config(variant: str = 'cnn') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/rruff_minerals.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = rruff.get_config({'cnn': 'strong', 'linoss': 'tokens', 'tiny': 'tiny'}[variant])
  c.dataset.name = 'rruff_excellent_unoriented'
  c.dataset.rruff_excellent_unoriented.path = '../shared/data/rruff_excellent_unoriented'
  c.axis.low_cm, c.axis.high_cm, c.axis.points = 150.0, 1350.0, 601  # every 2 cm^-1
  c.split.regime, c.split.fractions = 'grouped', (0.7, 0.05, 0.25)
  c.split.instrument = 'laser_nm'
  c.task.classify.least = 8
  c.task.classify.leave_out_unseen = True  # a mineral may have been measured on one laser alone
  c.task.classify.shifts_cm, c.task.classify.shift_fill = (0.0,), 0.0
  c.encoder.compact_cnn.update({'kernels': (11, 9, 7, 5), 'pools': (2, 4, 4, 4)})
  c.preprocess = ()  # baselines were taken off, and some spectra end within the axis
  c.augment.shift.max_cm = 4.0
  c.augment.drift.position_cm = 0.0
  c.augment.polynomial.height = c.augment.exponential.height = 0.0  # as were those of training
  c.augment.response.fraction = c.augment.read.fraction = 0.0  # and what noise belongs to
  return c.lock()


def sweep(variant: str = 'cnn') -> list[dict]:
  """Both regimes with every seed."""
  regimes = default.chain([{'split.regime': 'grouped'}], default.zipped(LASERS))
  return default.product(regimes, {'seed': SEEDS})
