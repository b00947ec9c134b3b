"""What the paper is made of: sweeps and the tables that are made from their runs.

  python -m experiments.paper --quick --jobs=2 --root=runs/paper_quick

Variants: full, and quick, which goes through all of it with models that have learned nothing.
"""

from ml_collections import ConfigDict

# Folder of a sweep below the root -> the variant of its config for each variant of the paper, and
# the points; () = the sweep() of the config.
SEEDS = ({'seed': 0}, {'seed': 1}, {'seed': 2})
SWEEPS = {
  'pretrain': ('pretrain', {'full': 'full', 'quick': 'tiny'}, SEEDS),
  'physics_ablation/optical_constants': (
    'physics_ablation',
    {'full': 'quick', 'quick': 'tiny'},
    (),
  ),
  'physics_ablation/paired': (
    'physics_ablation',
    {'full': 'paired-quick', 'quick': 'paired-tiny'},
    (),
  ),
}


def get_config(variant: str = 'full') -> ConfigDict:
  if variant not in ('full', 'quick'):
    raise ValueError(f'configs/paper.py has no variant {variant!r}, expected full or quick')
  c = ConfigDict()
  c.sweeps = tuple(  # run in this order; 'points' () = the sweep() of the config's file
    {'folder': folder, 'config': f'configs/{name}.py:{variants[variant]}', 'points': points}
    for folder, (name, variants, points) in SWEEPS.items()
  )
  c.tables = ('pretrain', 'optical_constants', 'paired')  # of configs/tables
  return c.lock()
