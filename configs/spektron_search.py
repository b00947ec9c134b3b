"""Spectra found among those of another simulated instrument.

  python -m experiments.train --config=configs/spektron_search.py:quick --workdir=runs/search
  python -m experiments.sweep run --config=configs/spektron_search.py --root=runs/search --jobs=2

Hardware: two CPU cores, seven minutes a run of quick. Variants: quick, and tiny, which tests run.
Table spektron_search: recall@1 1.00 (IR), 0.98 (Raman).
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ('quick', 'tiny')
SEEDS = (0, 1, 2)


def get_config(variant: str = 'quick') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/spektron_search.py has no variant {variant!r}, expected quick or tiny'
    )
  c = default.get_config()
  c.task.name, c.head.name = 'spectrum_search', 'embedding'
  c.loss.weights.model = ConfigDict({'info_nce': 1.0})
  c.task.spectrum_search.slope_cm, c.task.spectrum_search.instruments = 45.0, 256
  # Long tokens with as many knots: half the tokens cost half the time and lose no resolution.
  c.tokenize.step_cm, c.tokenize.knots_per_step = 28.0, 4
  c.backbone.width = 64
  c.backbone.linoss.r_min = 0.5  # poles that forget within a few tokens learn local shapes sooner
  c.optimizer.ema_decay = 0.99
  c.checkpoint.best_metric = 'error'
  c.train.batch_size, c.train.eval_batch_size = 64, 256
  c.train.steps, c.train.eval_every, c.checkpoint.every = 3000, 1000, 1000
  if variant == 'tiny':
    c.axis.points, c.axis.high_cm = 512, 2400.0
    c.split.train_share = 0.1
    c.tokenize.step_cm, c.tokenize.knots_per_step, c.tokenize.kernel_cm = 60.0, 2, 240.0
    c.backbone.width, c.backbone.linoss.state, c.backbone.linoss.blocks = 16, 8, 1
    c.task.spectrum_search.embedding, c.task.spectrum_search.instruments = 16, 8
    c.optimizer.ema_decay, c.optimizer.warmup_steps = 0.0, 5
    c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
  return c.lock()


def sweep(variant: str = 'quick') -> list[dict]:
  """Seeds."""
  return [{'seed': seed} for seed in SEEDS]
