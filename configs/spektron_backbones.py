"""Backbones at as many parameters, steps and directions, on the same masks: who fills bands in.

  python -m experiments.sweep run --config=configs/spektron_backbones.py:quick \\
    --root=runs/spektron_backbones/quick --jobs=2
  python -m experiments.table --tables=spektron_backbones --runs=runs

Masked reconstruction of configs/pretrain.py on tokens twice as long. Widths are those of
`spectra_jax.model.match_params`; all have four blocks and look both ways. Variants: quick (0.15
million parameters, for two CPU cores), full (0.5 million), large (2 million) and tiny. Nothing was
tuned for one of them: recurrences start with memories from two tokens on, which helped LinOSS in
configs/pretrain.py and is given to S4D and S5 as well, and convolutions reach as far as they can.
One to nine minutes a run of quick. Table spektron_backbones: NRE of D-LinOSS 0.25 (IR), 0.23
(Raman).
"""

from ml_collections import ConfigDict

from configs import default

SIZES = {'quick': 150_000, 'full': 500_000, 'large': 2_000_000}  # parameters
VARIANTS = (*SIZES, 'tiny')
SEEDS = (0, 1, 2)
WIDTHS = {  # backbone -> width of each size
  'linoss': (80, 192, 432),
  'conv': (72, 128, 264),
  'transformer': (56, 104, 200),
  'mamba': (48, 88, 192),
  's4d': (72, 168, 408),
  's5': (80, 192, 432),
  'hybrid': (56, 128, 272),
  'interferogram': (80, 192, 432),
}
STEPS = {'quick': 3000, 'full': 6000, 'large': 10_000}


def get_config(variant: str = 'quick') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/spektron_backbones.py has no variant {variant!r}, expected one of '
      f'{", ".join(VARIANTS)}'
    )
  c = default.get_config()
  c.tokenize.step_cm, c.tokenize.knots_per_step = 28.0, 4
  c.train.batch_size = 16
  b = c.backbone
  for name in ('linoss', 'conv', 'transformer', 'mamba', 's4d', 's5', 'interferogram'):
    b[name].blocks = 4
  b.hybrid.conv_blocks, b.hybrid.ssm_blocks, b.hybrid.attention_blocks = 1, 2, 1
  b.interferogram.bidirectional = True
  b.linoss.state = b.interferogram.state = b.s5.state = 32
  b.linoss.r_min = 0.5
  b.s5.init_blocks = 4
  b.s5.dt_max = b.s4d.dt_max = 1.0
  b.conv.dilations = (1, 2, 4, 8)
  if variant == 'tiny':
    _tiny(c)
  else:
    b.width = WIDTHS['linoss'][list(SIZES).index(variant)]
    c.train.steps = STEPS[variant]
    c.train.eval_every = c.checkpoint.every = 1000
  return c.lock()


def sweep(variant: str = 'quick') -> list[dict]:
  """Every backbone with the width of this size, one seed of all before the next."""
  place = 0 if variant == 'tiny' else list(SIZES).index(variant)
  backbones = {
    'backbone.name': tuple(WIDTHS),
    'backbone.width': tuple(widths[place] for widths in WIDTHS.values()),
  }
  return default.product({'seed': SEEDS}, default.zipped(backbones))


def _tiny(c: ConfigDict) -> None:
  c.axis.points = 800  # every region of the table, in steps that its knots can do with
  c.split.train_share = 0.1
  c.task.masked.eval_masks = 4
  c.backbone.width = 16
  c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
  c.optimizer.warmup_steps = 5
