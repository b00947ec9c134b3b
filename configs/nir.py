"""Networks on near infrared, on the splits of the classical methods: one convolution, or tokens.

  python -m experiments.train --config=configs/nir.py:cnn --workdir=runs/nir/tecator/cnn
  python -m experiments.sweep run --config=configs/nir.py:cnn --root=runs/nir/cnn

Protocols are those of spectra_jax/protocols.py; a run stands in the table of its data set, one of
twenty splits only together with the others. Spectra keep their own points. The convolution counts
points; tokens are made of the same values at 1e7 / nm [cm^-1], unevenly spaced. The few choices
(dense layer, decay, steps) were made on the validation sides of Tecator and wheat, which did not
train then (protocol.refit = False); now they do, as they do of classical methods. Hardware: two CPU
cores, 20 seconds to a minute a run.

Variants: cnn (one wide convolution and a dense layer, the shape of Cui & Fearn 2018,
doi:10.1016/j.chemolab.2018.07.008; several members), linoss (D-LinOSS on tokens), tiny.
"""

from ml_collections import ConfigDict

from configs import default

VARIANTS = ('cnn', 'linoss', 'tiny')
SEEDS = (0, 1, 2)
_SLOPE = {'name': 'savitzky_golay', 'window': 11, 'degree': 2, 'derivative': 1}
_CURVATURE = {'name': 'savitzky_golay', 'window': 11, 'degree': 3, 'derivative': 2}
SNV = {'name': 'snv'}
# Those of the classical methods, for networks.
PREPROCESSINGS = {
  'raw': (),
  'snv': (SNV,),
  'derivative_snv': (_SLOPE, SNV),
  'second_derivative_snv': (_CURVATURE, SNV),
}
FOLDERS = {
  'corn': 'corn',
  'tecator': 'tecator',
  'wheat_kernels': 'wheat_kernel',
  'tablets': 'tablets_idrc2002',
  'nirsoil': 'nirsoil',
}
# Protocol -> (data set, regime, what is asked).
PROTOCOLS = {
  'tecator': ('tecator', 'given', ('fat',)),
  'tecator_apart': ('tecator', 'grouped', ('fat',)),
  'wheat_kernels': ('wheat_kernels', 'given', ('protein',)),
  'tablets_1': ('tablets', 'given', ('assay',)),
  'tablets_2': ('tablets', 'given', ('assay',)),
  'nirsoil': ('nirsoil', 'given', ('Nt', 'Ciso', 'CEC')),
}
SPLITS = 20  # of each of the following
# Protocol -> (as above, with which preprocessings).
REPEATED = {
  'corn_m5': (
    ('corn', 'grouped', ('moisture', 'oil', 'protein', 'starch')),
    ('raw', 'derivative_snv'),
  ),
  'tecator_repeated': (('tecator', 'grouped', ('fat',)), ('second_derivative_snv',)),
}


def of_protocol(name: str) -> dict:
  """The keys that a protocol decides."""
  known = PROTOCOLS | {repeated: about for repeated, (about, _) in REPEATED.items()}
  dataset, regime, targets = known[name]
  return {
    'protocol.name': name,
    'dataset.name': dataset,
    'split.regime': regime,
    'task.regress.targets': targets,
  }


def get_config(variant: str = 'cnn') -> ConfigDict:
  if variant not in VARIANTS:
    raise ValueError(
      f'configs/nir.py has no variant {variant!r}, expected one of {", ".join(VARIANTS)}'
    )
  c = default.get_config()
  c.update_from_flattened_dict(of_protocol('tecator'))
  for dataset, folder in FOLDERS.items():
    c.dataset[dataset].path = f'../shared/data/{folder}'
  c.axis.low_cm, c.axis.high_cm, c.axis.points = 3000.0, 20000.0, 0  # all that was measured
  c.split.fractions = (0.8, 0.2, 0.0)  # where no validation side is given
  c.protocol.refit = True
  c.preprocess = PREPROCESSINGS['second_derivative_snv']
  c.task.name = c.head.name = 'regress'
  c.loss.weights.model = ConfigDict({'mse': 1.0})
  c.checkpoint.best_metric = 'error'
  c.optimizer.ema_decay = 0.99
  c.train.members = 3
  {'cnn': _cnn, 'linoss': _linoss, 'tiny': _tiny}[variant](c)
  return c.lock()


def sweep(variant: str = 'cnn') -> list[dict]:
  """Every protocol with every preprocessing and seed; of cnn also the splits of repeated ones."""
  once = default.product(
    {'seed': SEEDS},
    [of_protocol(name) for name in PROTOCOLS],
    {'preprocess': tuple(PREPROCESSINGS.values())},
  )
  return default.chain(once, repeated()) if variant == 'cnn' else once


def repeated() -> list[dict]:
  """Every split of the repeated protocols with their preprocessings, one seed."""
  of_split = {'protocol.repeat': range(SPLITS), 'seed': SEEDS[:1]}
  return default.chain(
    *(
      default.product(
        [of_protocol(name)], {'preprocess': [PREPROCESSINGS[one] for one in names]}, of_split
      )
      for name, (_, names) in REPEATED.items()
    )
  )


def _cnn(c: ConfigDict) -> None:
  c.encoder.name = 'compact_cnn'
  c.encoder.compact_cnn.update({'widths': (8,), 'kernels': (21,), 'pools': (1,), 'slope': 0.3})
  c.head.regress.update({'pool': 'flatten', 'norm': False, 'hidden': 36})
  c.optimizer.lr, c.optimizer.weight_decay = 2e-3, 0.3
  c.train.steps, c.train.eval_every = 2000, 1000
  c.checkpoint.every = 2000


def _linoss(c: ConfigDict) -> None:
  c.tokenize.step_cm, c.tokenize.kernel_cm = 100.0, 400.0
  c.backbone.width = 32
  c.backbone.linoss.state = 32
  c.backbone.linoss.r_min = 0.5
  c.train.members = 1
  c.train.steps, c.train.eval_every = 1000, 500
  c.checkpoint.every = 1000


def _tiny(c: ConfigDict) -> None:
  _cnn(c)
  c.train.members = 1
  c.train.steps, c.train.eval_every, c.checkpoint.every, c.log.every = 10, 5, 5, 1
  c.optimizer.warmup_steps = 5
