"""The whole foundation model: configs/spektron_instruments.py with every part there is.

  python -m experiments.train --config=configs/spektron.py:quick --workdir=runs/spektron/quick
  python -m experiments.sweep run --config=configs/spektron.py --root=runs/spektron/parts

Wide wavelet kernels, tokens that know the instrument's resolution, D-LinOSS, experts, attention,
the bottleneck, and heads that reconstruct, decode, predict the other kind of spectrum, give n and k
of a passive and causal medium, transfer between instruments, count atoms and embed. The sweep takes
each part away once, with its loss. The head `oscillators` gives n and k too, at twenty times the
time of a step.

Hardware: two CPU cores, six to eleven minutes a run of quick. Variants: full, quick (the default)
and tiny, which the tests run. Table spektron_parts.
"""

from ml_collections import ConfigDict

from configs import default, spektron_instruments

HEADS = {
  'cross': 'reconstruct',
  'physics': 'non_negative',
  'transferred': 'transfer_operator',
  'properties': 'regress',
  'embedding': 'embedding',
}
WEIGHTS = {
  'cross_mse': 0.3,
  'physics_mse': 0.1,
  'transferred_mse': 0.3,
  'properties_mse': 0.05,
  'expert_balance': 0.01,
}
# Part -> overrides of a model without it.
WITHOUT = {
  'wavelets': {'tokenize.kernel': 'spline', 'tokenize.kernel_cm': 112.0},
  'resolution': {'tokenize.resolution': False},
  'experts': {'foundation.mixture.experts': 0, 'loss.weights.model.expert_balance': 0.0},
  'attention': {'foundation.attention.blocks': 0},
  'cross': {'foundation.heads.cross': '', 'loss.weights.model.cross_mse': 0.0},
  'physics': {'foundation.heads.physics': '', 'loss.weights.model.physics_mse': 0.0},
  'transferred': {'foundation.heads.transferred': '', 'loss.weights.model.transferred_mse': 0.0},
  'properties': {'foundation.heads.properties': '', 'loss.weights.model.properties_mse': 0.0},
  'embedding': {'foundation.heads.embedding': ''},
}


def get_config(variant: str = 'quick') -> ConfigDict:
  c = spektron_instruments.get_config(variant).unlock()
  c.tokenize.kernel = 'wavelet'
  c.tokenize.kernel_cm = 448.0
  c.tokenize.resolution = True
  c.foundation.mixture.experts = 4
  c.foundation.mixture.mlp_ratio = 0.5
  c.foundation.attention.blocks = 1
  c.foundation.attention.heads = 2
  c.foundation.attention.mlp_ratio = 1.0
  c.foundation.heads.update(HEADS)
  c.head.regress.pool = 'mean'  # of one token, the latent
  c.loss.weights.model.update(WEIGHTS)
  c.head.transfer_operator.modes = 64  # of tokens every 28 cm^-1 too
  if variant == 'quick':
    c.train.steps = 2500  # of about 0.14 s on two quiet cores
  if variant == 'tiny':
    c.tokenize.kernel_cm = 240.0
    c.foundation.embedding = 8
    c.head.transfer_operator.update({'width': 8, 'modes': 16, 'period_cm': 2400.0})
  return c.lock()


def sweep(variant: str = 'quick') -> list[dict]:
  """All parts, then each alone taken away."""
  del variant
  return default.product([{}, *WITHOUT.values()], {'seed': (0,)})
