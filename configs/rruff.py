"""Minerals from raw Raman spectra: the compact CNN of arXiv:2509.25964, a stronger one, tokens.

  python -m experiments.train --config=configs/rruff.py:strong --workdir=runs/rruff/strong \\
    --config.dataset.rruff_splits.path=DATA/rruff_splits
  python -m experiments.sweep run --config=configs/rruff.py:paper --root=runs/rruff/paper

The data set is a folder that `python -m experiments.prepare rruff_splits` checks. 63 classes, 340
labels or fewer, 150 test spectra: one standard error of an accuracy of 83 % is 3.1 points.
Hardware: two CPU cores, about three minutes a run of strong on a quiet machine. Variants:

  paper      convolutions of 16, 32, 64 channels, max-pool, dense 2048, dropout; no augmentation
  corrected  the same on spectra without their baseline; its sweep: what corrections are worth
  strong     derivative channels, four convolutions; trained on moved spectra with baselines
  archive    strong, with RRUFF's processed spectra of the same minerals as further training spectra
  tokens     tokeniser and backbone instead of convolutions on points, trained as strong
  tiny       what tests run

The few choices in strong were made on a third of the labelled spectra held out of training; those
in tokens (derivatives, features of all tokens and not their mean) on what 170 labels leave over.
Numbers and times: the tables rruff_labels and rruff_shift, of runs in rruff/VARIANT below the root.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ('paper', 'corrected', 'strong', 'archive', 'tokens', 'tiny')
LABELS = (85, 170, 255, 340)  # that the paper has
POOLS = (2, 16, 64)  # the paper's dial, points of the last max-pool
SEEDS = (0, 1, 2)
BACKBONES = ('linoss', 's5', 'conv', 'transformer')
_BASELINE, _SNV = {'name': 'arpls', 'lam': 1e5}, {'name': 'snv'}
_SLOPE = {'name': 'savitzky_golay', 'window': 11, 'degree': 2, 'derivative': 1}
# As the classical methods name them: (config.correct, config.preprocess).
CORRECTIONS = {
  'snv': ((), (_SNV,)),
  'derivative_snv': ((), (_SLOPE, _SNV)),
  'arpls': ((_BASELINE,), ()),
  'arpls_snv': ((_BASELINE,), (_SNV,)),
}
# Five deals of the 497 spectra there are, as many in training and test as in the fixed one.
REPEATS = {
  'protocol.name': ('rruff_deals',) * 5,
  'protocol.repeat': range(5),
  'split.regime': ('iid',) * 5,
  'dataset.rruff_splits.labels': (0,) * 5,
}


def get_config(variant: str = 'strong') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/rruff.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = default.get_config()
  c.dataset.name = 'rruff_splits'
  c.dataset.rruff_splits.path = '../shared/data/rruff_splits'
  c.dataset.rruff_splits.labels = 340
  c.axis.low_cm, c.axis.high_cm, c.axis.points = 200.0, 1591.0, 1392  # the data's own
  c.split.regime = 'given'
  c.task.name = 'classify'
  c.task.classify.shifts_cm = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
  c.task.classify.shift_fill = 0.18822509  # with which the authors fill their shifted test sets
  c.head.name = 'classify'
  c.loss.weights.model = ConfigDict({'cross_entropy': 1.0})
  c.checkpoint.best_metric = 'error'
  c.train.eval_every = c.checkpoint.every = 1000
  recipes = (_paper, _corrected, _strong, _archive, _tokens, _tiny)
  dict(zip(VARIANTS, recipes, strict=True))[variant](c)
  return c.lock()


def sweep(variant: str = 'strong') -> list[dict]:
  """The fixed split with each number of labels, further seeds of the best known, and the deals.

  Of the paper's CNN with each of its pools; of tokens with each backbone, which no deal is for; of
  corrected spectra with each correction, for the deals alone. Of the archive, all labels alone.
  """
  labels = {'dataset.rruff_splits.labels': LABELS, 'seed': (0,)}
  seeds = {'dataset.rruff_splits.labels': (340,), 'seed': SEEDS[1:]}
  deals = default.product(default.zipped(REPEATS), {'seed': (0,)})
  if variant == 'corrected':
    correct, preprocess = zip(*CORRECTIONS.values(), strict=True)
    return default.product(default.zipped({'correct': correct, 'preprocess': preprocess}), deals)
  if variant == 'archive':
    return default.product({**labels, 'dataset.rruff_splits.labels': (340,)})
  if variant == 'tokens':
    return default.product({'backbone.name': BACKBONES}, labels)
  if variant == 'paper':
    pools = {'encoder.compact_cnn.pools': [(2, 2, pool) for pool in POOLS]}
    return default.product(pools, default.chain(default.product(labels), deals))
  return default.chain(default.product(labels), default.product(seeds), deals)


def _paper(c: ConfigDict) -> None:
  """Adam at 1e-3 as there; a cosine in place of its decay by plateaus, and no early stop."""
  c.encoder.name = 'compact_cnn'
  c.head.classify.update({'pool': 'flatten', 'norm': False, 'hidden': 2048, 'dropout': 0.5})
  c.optimizer.lr, c.optimizer.weight_decay, c.optimizer.clip_norm = 1e-3, 0.0, 0.0
  c.optimizer.b2, c.optimizer.warmup_steps = 0.999, 0
  c.train.steps = 1000


def _corrected(c: ConfigDict) -> None:
  _paper(c)
  c.encoder.compact_cnn.pools = (2, 2, 16)
  c.task.classify.shifts_cm = (0.0,)
  c.correct = (_BASELINE,)


def _strong(c: ConfigDict) -> None:
  c.encoder.name = 'compact_cnn'
  c.encoder.compact_cnn.channels = ('snv', 'derivative', 'root_derivative')
  c.encoder.compact_cnn.widths = (32, 64, 96, 128)
  c.encoder.compact_cnn.kernels = (21, 11, 7, 5)
  c.encoder.compact_cnn.pools = (4, 4, 4, 4)
  c.encoder.compact_cnn.slope = 0.1
  c.head.classify.update({'pool': 'flatten', 'norm': False, 'dropout': 0.5})
  c.task.classify.smoothing = 0.1
  _augmented(c)
  c.optimizer.weight_decay, c.optimizer.ema_decay = 0.02, 0.998
  c.train.steps = 4000


def _archive(c: ConfigDict) -> None:
  _strong(c)
  c.dataset.rruff_splits.archive = '../shared/data/rruff_excellent_unoriented'


def _tokens(c: ConfigDict) -> None:
  c.tokenize.step_cm, c.tokenize.kernel_cm = 8.0, 48.0
  c.backbone.width = 64
  c.backbone.linoss.r_min = 0.5  # poles that forget within a few tokens learn local shapes sooner
  c.preprocess = (_SLOPE, _SNV)  # what the strong CNN takes of spectra by its channels
  c.head.classify.update({'pool': 'flatten', 'dropout': 0.5})
  c.task.classify.smoothing = 0.1
  _augmented(c)
  c.optimizer.weight_decay, c.optimizer.ema_decay = 0.02, 0.998
  c.train.steps = 1500


def _augmented(c: ConfigDict) -> None:
  """Axes 30 cm^-1 out of calibration and more, fluorescence, gratings, noise."""
  c.augment.shift.max_cm = 40.0
  c.augment.drift.position_cm = 6.0
  c.augment.polynomial.height = 0.5
  c.augment.exponential.height = 0.5
  c.augment.response.fraction = 0.3
  c.augment.read.fraction = 0.02


def _tiny(c: ConfigDict) -> None:
  _strong(c)
  c.encoder.compact_cnn.widths = (4, 8, 8, 8)
  c.task.classify.shifts_cm = (0.0, 30.0)
  c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
  c.optimizer.warmup_steps = 5
