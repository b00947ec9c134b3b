"""The foundation model on simulated instruments: chemistry and instrument kept apart in its latent.

  python -m experiments.train --config=configs/spektron_instruments.py:quick --workdir=runs/apart
  python -m experiments.sweep run --config=configs/spektron_instruments.py --root=runs/apart

Hardware: two CPU cores, six minutes a run of quick. Variants quick (the default), full with experts
and attention, and tiny, which the tests run. The sweep takes nine of eleven losses away one by one,
all that keep apart at once, and makes consistency of views 4 and 20 times as strong. Table
spektron_disentangle: instrument from z_chem after erasure 0.15 by a linear reader (chance 0.167),
swap error 0.07 (IR), 0.11 (Raman).
"""

from ml_collections import ConfigDict

from configs import default

SEEDS = (0, 1, 2)  # of parameters, batches, masks, instruments and noise; the split stays
WEIGHTS = {
  'masked_mse': 1.0,
  'denoising': 0.3,
  'decoded_mse': 0.5,
  'swap_consistency': 0.5,
  'contrastive': 0.1,
  'instrument': 0.1,
  'adversary': 0.1,
  'sinkhorn': 0.1,
  'view_consistency': ((0, 0.0), (500, 1e-4), (3000, 5e-3)),
  # Paid from the start, the price closes every dimension before any is of use.
  'information_bottleneck': ((0, 0.0), (1500, 3e-4)),
  'non_negativity': 0.1,
}
# What keeps chemistry and instrument apart; without it there is a bottleneck of two halves.
APART = (
  'swap_consistency',
  'contrastive',
  'instrument',
  'adversary',
  'sinkhorn',
  'view_consistency',
)
STRONGER = (4, 20)  # times the weight of view_consistency: what keeping apart costs the chemistry
ALONE = (*APART, 'information_bottleneck', 'denoising', 'non_negativity')  # taken away one by one


def get_config(variant: str = 'quick') -> ConfigDict:
  sizes = {'full': _full, 'quick': _quick, 'tiny': _tiny}
  if variant not in sizes:
    raise ValueError(
      f'configs/spektron_instruments.py has no variant {variant!r}, expected full, quick or tiny'
    )
  c = default.get_config()
  c.task.name = 'foundation'
  c.backbone.linoss.r_min = 0.5  # poles that forget within a few tokens learn local shapes sooner
  c.foundation.heads.decoded = 'latent_decoder'
  c.loss.weights.model = ConfigDict(WEIGHTS)
  c.train.batch_size = 8  # molecules, of two kinds, seen twice: 32 spectra
  c.train.eval_batch_size = 16
  c.task.foundation.least_active = 8
  c.task.foundation.least_gap = 0.0  # what it is at the end is the question; 0.05 would watch it
  c.task.foundation.hidden = 128
  c.task.foundation.free_nats = 0.02
  sizes[variant](c)
  return c.lock()


def off(term: str) -> float | tuple:
  """The weight of nothing, a number or a schedule as the term's own is."""
  return ((0, 0.0),) if isinstance(WEIGHTS[term], tuple) else 0.0


def stronger(factor: float) -> tuple:
  """The schedule of view_consistency, its weights times `factor`."""
  return tuple((step, factor * weight) for step, weight in WEIGHTS['view_consistency'])


def without(*terms: str) -> dict:
  """Overrides that take these terms out of the loss."""
  return {f'loss.weights.model.{term}': off(term) for term in terms}


def sweep(variant: str = 'quick') -> list[dict]:
  """All losses and none that keeps apart with every seed; one dial; each loss alone taken away."""
  del variant
  whole = default.product([{}, without(*APART)], {'seed': SEEDS})
  dial = {'loss.weights.model.view_consistency': [stronger(factor) for factor in STRONGER]}
  alone = [without(term) for term in ALONE]
  one = {'seed': (0,)}
  return default.chain(whole, default.product(dial, one), default.product(alone, one))


def _quick(c: ConfigDict) -> None:
  c.tokenize.step_cm, c.tokenize.knots_per_step = 28.0, 4  # half the tokens, the same splines
  c.train.steps = 4000
  c.train.eval_every = 1000
  c.checkpoint.every = 1000


def _full(c: ConfigDict) -> None:
  c.backbone.width = 128
  c.backbone.linoss.blocks = 4
  c.backbone.linoss.dropout = 0.05
  c.foundation.mixture.experts = 4
  c.foundation.attention.blocks = 1
  c.loss.weights.model.expert_balance = 0.01
  c.task.foundation.probe_views = 6
  c.train.batch_size = 16
  c.train.steps = 12_000
  c.train.eval_every = 1000
  c.checkpoint.every = 1000


def _tiny(c: ConfigDict) -> None:
  c.axis.points = 512
  c.axis.high_cm = 2400.0
  c.split.train_share = 0.1
  c.tokenize.step_cm = 30.0
  c.backbone.width = 16
  c.backbone.linoss.state = 8
  c.backbone.linoss.blocks = 1
  c.foundation.mixture.experts = 2
  c.foundation.bottleneck.chem = 12
  c.foundation.bottleneck.inst = 6
  c.head.latent_decoder.hidden = 32
  c.loss.weights.model.expert_balance = 0.01
  c.task.masked.eval_masks = 8
  c.task.foundation.probe_views = 1
  c.task.foundation.erasure_molecules = 64
  c.task.foundation.least_active = 0
  c.task.foundation.least_gap = 0.0
  c.train.steps = 10
  c.train.eval_every = 7
  c.optimizer.warmup_steps = 5
  c.checkpoint.every = 5
  c.log.every = 1
