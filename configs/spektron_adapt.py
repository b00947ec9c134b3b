"""Networks from pretrained weights on real spectra with few labels: fine-tuned, LoRA, from scratch.

  python -m experiments.sweep run --config=configs/spektron_adapt.py:few \\
    --root=runs/spektron_adapt/few
  python -m experiments.features --protocols=few_corn_m5_10 --data_dir=../shared/data \\
    --root=runs/spektron_features

The weights have seen computed spectra of small molecules from 400 to 4000 cm^-1. Near infrared is
another range with bands some ten times as wide: the tokeniser is read on an axis that is stretched
by a whole number (`PROTOCOLS`), and spectra are preprocessed to root mean square 1. What is gained
must show against the same network without the weights ('' below).
Raman of minerals is read as it is, by the weights' Raman kind.

Protocols draw 10, 20, 50 labels five times (spectra_jax/protocols.py); classical methods have the
same draws. Hardware: two CPU cores, a quarter of a minute a run of few. Tables
spektron_adapt_corn, _tecator, _tablets, _minerals. Variants:

  few      near infrared, D-LinOSS of configs/pretrain.py, whose weights ship
  minerals rruff_splits with the fewest labels and the most
  tiny     what tests run
"""

from ml_collections import ConfigDict

from configs import default, nir, pretrain, rruff

VARIANTS = ('few', 'minerals', 'tiny')
SEEDS = (0, 1, 2)
LABELS = ('10', '20', '50', 'all')
DRAWS = 5
WEIGHTS = 'wide'  # variant of configs/pretrain.py that the weights come from
# Protocol -> (data set, regime, targets, how far the axis is stretched, splits of all labels).
PROTOCOLS = {
  'corn_m5': ('corn', 'grouped', ('moisture', 'oil', 'protein', 'starch'), 4, DRAWS),
  'tecator_apart': ('tecator', 'grouped', ('fat',), 6, 1),
  'tablets_1': ('tablets', 'given', ('assay',), 12, 1),
}
# From the weights, their control, and the network that has nothing of either.
WAYS = (
  {'adapt.name': 'full', 'adapt.init_from': ''},
  {'adapt.name': 'full', 'adapt.init_from': 'shipped'},
  {'adapt.name': 'lora', 'adapt.init_from': 'shipped'},
)


def tokens(stretch: int = 1) -> dict[str, float]:
  """Those of the weights on an axis that is `stretch` times as long."""
  source = pretrain.get_config(WEIGHTS).tokenize
  return {f'tokenize.{key}': stretch * source[key] for key in ('step_cm', 'kernel_cm')}


def of_protocol(name: str, labels: str) -> dict:
  """The keys that a protocol and a number of labels decide."""
  dataset, regime, targets, stretch, _ = PROTOCOLS[name]
  return {
    'protocol.name': f'few_{name}_{labels}',
    'dataset.name': dataset,
    'split.regime': regime,
    'task.regress.targets': targets,
    **tokens(stretch),
  }


def get_config(variant: str = 'few') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/spektron_adapt.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = rruff.get_config('tokens') if variant == 'minerals' else nir.get_config('linoss')
  c.unlock()
  _architecture(c)
  c.adapt.init_from = 'shipped'
  c.optimizer.lr, c.optimizer.ema_decay = 1e-3, 0.99
  if variant == 'minerals':
    c.adapt.kind = 'raman'
    c.update_from_flattened_dict(tokens())
    c.train.steps = 2000
    c.train.eval_every = c.checkpoint.every = 1000
    return c.lock()
  c.update_from_flattened_dict(of_protocol('corn_m5', '20'))
  c.dataset.corn.path = '../shared/data/corn'
  c.preprocess = nir.PREPROCESSINGS['derivative_snv']
  c.train.batch_size = 16
  c.train.steps, c.train.eval_every, c.checkpoint.every = 300, 300, 300
  c.optimizer.warmup_steps = 30
  if variant == 'tiny':
    c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
    c.optimizer.warmup_steps = 5
  return c.lock()


def sweep(variant: str = 'few') -> list[dict]:
  """Every protocol, number of labels and draw, each way."""
  if variant == 'minerals':
    labels = (rruff.LABELS[0], rruff.LABELS[-1])
    return default.product(list(WAYS), {'dataset.rruff_splits.labels': labels, 'seed': SEEDS})
  draws = [
    of_protocol(name, labels) | {'protocol.repeat': k, 'seed': 0}
    for name, (*_, splits) in PROTOCOLS.items()
    for labels in LABELS
    for k in range(splits if labels == 'all' else DRAWS)
  ]
  return default.product(list(WAYS), draws)


def _architecture(c: ConfigDict) -> None:
  """That of the weights: their run's backbone and tokeniser."""
  source = pretrain.get_config(WEIGHTS)
  c.backbone.update(source.backbone.to_dict())
  c.tokenize.update(source.tokenize.to_dict())
