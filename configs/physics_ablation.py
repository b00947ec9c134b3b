"""What physical laws are worth to a model: each as none, as a loss, and by construction.

  python -m experiments.sweep run --config=configs/physics_ablation.py --root=runs/optical --jobs=2
  python -m experiments.sweep run --config=configs/physics_ablation.py:paired-quick --root=runs/p
  python -m experiments.train --config=configs/physics_ablation.py:quick --workdir=runs/optical_0

Variants full, quick (the default of the sweep) and tiny: n and k from a noisy reflectance with
hidden bands, under Kramers-Kronig and k >= 0. With paired- before them: IR and Raman from hidden
bands of both, under mutual exclusion and intensities >= 0. One run of quick takes about two minutes
on two CPU cores. Numbers: README.md, from experiments/results/physics_ablation.
"""

from collections.abc import Mapping

from ml_collections import ConfigDict

from configs import default

SEEDS = (0, 1, 2)  # of parameters, batches, masks and noise; the split stays
SIZES = ('full', 'quick', 'tiny')
FREE = {'head.name': 'unconstrained'}
# How each law is asked for: what changes in the config.
MODES = {
  'optical_constants': (
    FREE,
    FREE | {'loss.weights.model.kramers_kronig': 1.0, 'loss.weights.model.non_negativity': 1.0},
    {'head.name': 'non_negative', 'task.optical_constants.absolute': True},
  ),
  'paired': (
    FREE,
    # One molecule in sixty has an inversion centre, and the loss is a share of overlap a point.
    FREE | {'loss.weights.model.selection_rules': 100.0, 'loss.weights.model.non_negativity': 1.0},
    {'head.name': 'paired', 'task.paired.intensities': True},
  ),
}
# What a law could make up for: labels of one of the two alone, or few molecules.
SETTINGS = {
  'optical_constants': ({}, {'loss.weights.model.k_mse': 0.0}, {'split.train_share': 0.05}),
  'paired': ({},),
}


def get_config(variant: str = 'quick') -> ConfigDict:
  paired, size = variant.startswith('paired-'), variant.removeprefix('paired-')
  if size not in SIZES:
    raise ValueError(
      f'configs/physics_ablation.py has no variant {variant!r}, expected full, quick or tiny, with '
      'or without paired- before it'
    )
  c = default.get_config()
  (_paired if paired else _optical)(c)
  c.head.name = 'unconstrained'
  c.train.batch_size = 16
  c.backbone.linoss.r_min = 0.5  # poles that forget within a few tokens learn local shapes sooner
  {'full': _full, 'quick': _quick, 'tiny': _tiny}[size](c)
  return c.lock()


def sweep(variant: str = 'quick') -> list[dict]:
  """Overrides of `get_config(variant)`: every setting, with every seed, with every mode."""
  task = get_config(variant).task.name
  return default.product(SETTINGS[task], {'seed': SEEDS}, MODES[task])


def mode(config: Mapping) -> str:
  """How a run's laws are asked for: 'none', 'soft', or by construction: its head."""
  if config['head']['name'] != 'unconstrained':
    return config['head']['name']
  weights = config['loss']['weights']['model']
  laws = [weight for term, weight in weights.items() if not term.endswith('_mse')]
  return 'soft' if any(laws) else 'none'


def _optical(c: ConfigDict) -> None:
  c.dataset.name, c.task.name = 'computed_optical', 'optical_constants'
  terms = {'n_mse': 1.0, 'k_mse': 1.0, 'kramers_kronig': 0.0, 'non_negativity': 0.0}
  c.loss.weights.model = ConfigDict(terms)


def _paired(c: ConfigDict) -> None:
  c.task.name = 'paired'
  c.head.unconstrained.names = ('ir', 'raman')
  terms = {'ir_mse': 1.0, 'raman_mse': 1.0, 'selection_rules': 0.0, 'non_negativity': 0.0}
  c.loss.weights.model = ConfigDict(terms)


def _full(c: ConfigDict) -> None:
  c.backbone.width = 96
  c.train.steps = 10_000
  c.train.eval_every = 1000
  c.checkpoint.every = 1000


def _quick(c: ConfigDict) -> None:
  c.backbone.width = 48
  c.backbone.linoss.state = 32
  c.train.steps = 1500
  c.train.eval_every = 500
  c.checkpoint.every = 500


def _tiny(c: ConfigDict) -> None:
  c.axis.low_cm, c.axis.high_cm, c.axis.points = 800.0, 2000.0, 320
  c.split.train_share = 0.1
  c.tokenize.step_cm = 30.0
  c.backbone.width = 16
  c.backbone.linoss.state = 8
  c.backbone.linoss.blocks = 1
  c.task[c.task.name].eval_masks = 2
  c.train.steps = 10
  c.train.eval_every = 5
  c.optimizer.warmup_steps = 5
  c.checkpoint.every = 5
  c.log.every = 1
