"""Your own spectra: a folder with a labels.csv (spectra_jax/datasets/folder.py).

  python -m experiments.train --config=configs/own.py:properties --workdir=runs/mine \\
    --config.dataset.folder.path=data/folder --config.task.regress.targets="('protein',)"
  python -m experiments.train --config=configs/own.py:classes --workdir=runs/mine_classes \\
    --config.dataset.folder.path=data/folder

A small convolutional network on all points that were measured (of properties three of them,
averaged); replicates of one `group` stay on one side. Compare with PLS before you believe it:
`experiments.chemometrics` knows data sets by name, `spectra_jax.chemometrics` takes arrays.

Variants: properties (columns target/... of the table), classes (its column label) and tiny, which
tests run. Hardware: two CPU cores, minutes.
"""

from ml_collections import ConfigDict

from configs import default, nir, rruff

VARIANTS = ('properties', 'classes', 'tiny')


def get_config(variant: str = 'properties') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/own.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = (rruff.get_config('strong') if variant == 'classes' else nir.get_config('cnn')).unlock()
  c.dataset.name, c.dataset.folder.path = 'folder', 'data/folder'
  plain = default.get_config()
  c.protocol, c.augment = plain.protocol, plain.augment  # what your instrument does, you know
  c.axis.low_cm, c.axis.high_cm, c.axis.points = 0.0, 1e5, 0  # all that was measured
  c.split.regime, c.split.fractions = 'grouped', (0.6, 0.2, 0.2)
  c.task.classify.shifts_cm = (0.0,)
  if variant == 'classes':
    c.preprocess = nir.PREPROCESSINGS['snv']
  else:
    c.task.regress.targets, c.preprocess = (), nir.PREPROCESSINGS['derivative_snv']
  if variant == 'tiny':
    c.train.members = 1
    c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
    c.optimizer.warmup_steps = 5
  return c.lock()
