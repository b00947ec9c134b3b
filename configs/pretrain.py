"""Masked pretraining of a bidirectional D-LinOSS on the computed IR and Raman spectra.

  python -m experiments.train --config=configs/pretrain.py:quick --workdir=runs/quick
  python -m experiments.train --config=configs/pretrain.py --workdir=runs/pretrain

Hardware: two CPU cores. Variants: full (the default), quick, long, wide (long with lines of 8 to 40
cm^-1 and noise in training, not of 16 and none) and tiny, which the tests run.
Their numbers and times: README.md, from the reports in experiments/results/pretrain/<variant>.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ('full', 'long', 'wide', 'quick', 'tiny')


def get_config(variant: str = 'full') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/pretrain.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = default.get_config()
  c.train.batch_size = 16
  c.backbone.linoss.r_min = 0.5  # poles that forget within a few tokens learn local shapes sooner
  if variant == 'full':
    c.backbone.width = 128
    c.backbone.linoss.blocks = 4
    c.backbone.linoss.dropout = 0.05
    c.train.steps = 20_000
    c.train.eval_every = 1000
    c.checkpoint.every = 1000
  if variant in ('long', 'wide'):  # with a quarter of the tokens of full to read
    c.tokenize.step_cm, c.tokenize.knots_per_step, c.tokenize.kernel_cm = 56.0, 8, 168.0
    c.backbone.width = 176
    c.backbone.linoss.blocks = 4
    c.backbone.linoss.dropout = 0.05
    c.optimizer.ema_decay, c.optimizer.weight_decay = 0.998, 0.05
    c.optimizer.name = 'muon'  # in 4000 steps where adamw was in 8000, one seed
    c.train.batch_size = 32
    c.train.steps = 54_000
    c.train.eval_every = 2000
    c.checkpoint.every = 1000
  if variant == 'wide':
    c.task.masked.widen_cm, c.task.masked.noise = (-8.0, 24.0), 0.2
  if variant == 'quick':
    c.train.steps = 2500
    c.train.eval_every = 500
    c.checkpoint.every = 500
    c.log.every = 25
  if variant == 'tiny':
    c.axis.points = 512
    c.axis.high_cm = 2400.0
    c.split.train_share = 0.1
    c.tokenize.step_cm = 30.0
    c.backbone.width = 16
    c.backbone.linoss.state = 8
    c.backbone.linoss.blocks = 1
    c.backbone.linoss.dropout = 0.1
    c.task.masked.eval_masks = 8
    c.train.steps = 20
    c.train.eval_every = 7
    c.optimizer.warmup_steps = 5
    c.checkpoint.every = 5
    c.log.every = 1
  return c
