"""Molecules found by their spectra: predicted spectra, embeddings, and both as one space.

  python -m experiments.train --config=configs/spektron_retrieval.py:quick --workdir=runs/retrieval
  python -m experiments.sweep run --config=configs/spektron_retrieval.py:quick --root=runs/retrieval

Hardware: two CPU cores, ten minutes a run of quick. Variants: full, quick, and tiny, which tests
run. Table spektron_retrieval: recall@1 0.89 from IR and Raman.
"""

from ml_collections import ConfigDict

from configs import default

SEEDS = (0, 1, 2)
ALONE = ('spectrum', 'embedding')  # what the space is made of, one without the other


def get_config(variant: str = 'full') -> ConfigDict:
  if variant not in ('full', 'quick', 'tiny'):
    raise ValueError(
      f'configs/spektron_retrieval.py has no variant {variant!r}, expected full, quick or tiny'
    )
  c = default.get_config()
  c.task.name, c.head.name = 'retrieval', 'molecule'
  c.loss.weights.model = ConfigDict({'info_nce': 0.03, 'forward': 1.0})
  # Long tokens with as many knots: half the tokens cost half the time and lose no resolution.
  c.tokenize.step_cm, c.tokenize.knots_per_step = 28.0, 4
  c.backbone.width = 64
  c.backbone.linoss.r_min = 0.5  # poles that forget within a few tokens learn local shapes sooner
  c.optimizer.ema_decay = 0.998
  c.checkpoint.best_metric = 'error'
  c.train.batch_size, c.train.eval_batch_size = 64, 256
  {'full': _full, 'quick': _quick, 'tiny': _tiny}[variant](c)
  return c.lock()


def sweep(variant: str = 'full') -> list[dict]:
  """Both parts with every seed, each alone with one."""
  alone = [{'task.retrieval.parts': (part,), 'seed': 0} for part in ALONE]
  return default.chain(default.product({'seed': SEEDS}), alone)


def _full(c: ConfigDict) -> None:
  c.task.retrieval.width = 192
  c.backbone.width, c.backbone.linoss.blocks = 96, 3
  c.train.steps, c.train.eval_every, c.checkpoint.every = 8000, 2000, 1000


def _quick(c: ConfigDict) -> None:
  c.train.steps, c.train.eval_every, c.checkpoint.every = 2000, 500, 500


def _tiny(c: ConfigDict) -> None:
  c.axis.points, c.axis.high_cm = 512, 2400.0
  c.split.train_share = 0.1
  c.tokenize.step_cm, c.tokenize.knots_per_step, c.tokenize.kernel_cm = 60.0, 2, 240.0
  c.backbone.width, c.backbone.linoss.state, c.backbone.linoss.blocks = 16, 8, 1
  c.task.retrieval.width, c.task.retrieval.layers, c.task.retrieval.components = 16, 2, 16
  c.task.retrieval.embedding, c.task.retrieval.radius = 16, 1
  c.head.molecule.hidden, c.head.molecule.spacing_cm = 16, 40.0
  c.optimizer.ema_decay = 0.0
  c.optimizer.warmup_steps = 5
  c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
