"""Do poles learn what was planted: fringes of one period and coherence, bands of 300 cm^-1 hidden.

  python -m experiments.sweep run --config=configs/spektron_poles.py \\
    --root=runs/spektron_poles/fringes
  python -m experiments.poles --runs='runs/spektron_poles/fringes/*' \\
    --root=runs/spektron_pole_reports

Hidden bands are wider than the tokeniser's kernel, so that what is in them has to come through the
recurrence. Two periods with the same seeds: poles of a run must be nearer to its own. Hardware: two
CPU cores, about half a minute a run. Variants: fringes, and tiny, which tests run. Table
spektron_poles: the nearest pole comes from 0.13 to 0.04 of the planted one (period 120 cm^-1).
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ('fringes', 'tiny')
SEEDS = (0, 1, 2, 3, 4, 5)  # least p of an exact test: 1/64 one-sided
PERIODS_CM = (120.0, 300.0)


def get_config(variant: str = 'fringes') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/spektron_poles.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = default.get_config()
  c.dataset.name = 'planted'
  c.split.regime = 'iid'
  c.task.masked.band_cm = 300.0
  c.task.masked.eval_masks = 16
  c.backbone.width = 32
  c.backbone.linoss.blocks = 1
  c.backbone.linoss.state = 16
  c.backbone.linoss.r_min = 0.5
  c.optimizer.ssm_lr_factor = 1.0  # poles are what is looked at
  c.train.batch_size = 16
  c.train.steps, c.train.eval_every, c.checkpoint.every = 2000, 1000, 2000
  if variant == 'tiny':
    c.dataset.planted.count = 60
    c.axis.high_cm, c.axis.points = 2400.0, 512
    c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
    c.optimizer.warmup_steps = 5
  return c.lock()


def sweep(variant: str = 'fringes') -> list[dict]:
  """Both periods with every seed."""
  del variant
  return default.product({'dataset.planted.period_cm': PERIODS_CM, 'seed': SEEDS})
