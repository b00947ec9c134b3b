"""What more molecules and more parameters are worth: D-LinOSS on masked reconstruction.

  python -m experiments.sweep run --config=configs/spektron_scaling.py:quick \\
    --root=runs/spektron_scaling/quick --jobs=2
  python -m experiments.table --tables=spektron_scaling --runs=runs
  python -m experiments.scaling --root=runs

Shares of the training molecules (whole formulas; validation and test stay) at one size, and sizes
on all of them, three seeds each, otherwise configs/spektron_backbones.py with the same number of
steps whatever the share: with 1 % of the molecules that is hundreds of epochs. Variants: quick (for
two CPU cores: 0.045 to 0.5 million parameters, one to five minutes a run), full (0.1 to 2 million)
and tiny. Table spektron_scaling: IR NRE 0.46 with 1 % of the molecules, 0.25 with all.
"""

from ml_collections import ConfigDict

from configs import default, spektron_backbones

VARIANTS = ('quick', 'full', 'tiny')
SEEDS = (0, 1, 2)
SHARES = (0.01, 0.05, 0.2)  # beside 1
WIDTHS = {'quick': (32, 192), 'full': (64, 120, 288, 432), 'tiny': (8,)}  # beside the one of shares


def get_config(variant: str = 'quick') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/spektron_scaling.py has no variant {variant!r}, expected one of '
      f'{", ".join(VARIANTS)}'
    )
  return spektron_backbones.get_config(variant)


def sweep(variant: str = 'quick') -> list[dict]:
  """Shares at the width of the config, and widths on all molecules, which both begin with. Each
  seed has molecules of its own in training.
  """
  shares = default.product({'split.train_share': (get_config(variant).split.train_share, *SHARES)})
  sizes = default.product({'backbone.width': WIDTHS[variant]})
  seeds = default.zipped({'seed': SEEDS, 'split.train_seed': SEEDS})
  return default.product(seeds, default.chain(shares, sizes))
