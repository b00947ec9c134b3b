"""What the paper is made of: parts, each with the runs and the tables that are made from them.

  python -m experiments.paper --quick --jobs=2 --root=runs/paper_quick
  python -m experiments.paper --only=real --data_dir=DATA --root=runs/paper

A part has sweeps of networks, cells of classical methods, studies and tables. A sweep is its folder
below the root, its config, its points (() = the sweep() of the config), and the config keys that
name a data set with its folder below DATA. Cells are groups of protocols x methods x
preprocessings. A study is a binary that reports, after all runs, on them or on data: its folder
below the root, flags, folders of data, and the folders that it makes.
Variants: full, and quick, which goes through all of it with models that have learned nothing.
"""

from collections.abc import Sequence

from ml_collections import ConfigDict

from configs import default, nir, rruff, spektron_adapt, spektron_poles
from configs.tables import corn

PARTS = ('pretrain', 'physics', 'real', 'spektron')
SEEDS = ({'seed': 0}, {'seed': 1}, {'seed': 2})

SPLITS = {'dataset.rruff_splits.path': 'rruff_splits'}
ARCHIVE = {**SPLITS, 'dataset.rruff_splits.archive': 'rruff_excellent_unoriented'}
MINERALS = {'dataset.rruff_excellent_unoriented.path': 'rruff_excellent_unoriented'}
SPEKTRON_TABLES = (
  *('spektron_backbones', 'spektron_cross', 'spektron_cross_laws', 'spektron_scaling'),
  *('spektron_poles', 'spektron_adapt_corn', 'spektron_adapt_tecator', 'spektron_adapt_tablets'),
  *('spektron_adapt_minerals', 'spektron_disentangle', 'spektron_parts'),
  *('spektron_retrieval', 'spektron_search'),
)
# Protocols of few labels, and the data sets that they are drawn from.
FEW = tuple(
  f'few_{name}_{labels}' for name in spektron_adapt.PROTOCOLS for labels in spektron_adapt.LABELS
)
FEW_DATA = ('corn', 'tecator', 'tablets')
REAL_TABLES = (
  *('rruff_labels', 'rruff_shift', 'rruff_deals', 'rruff_corrected', 'rruff_archive'),
  *('rruff_minerals', 'rruff_minerals_lasers'),
  *('corn', 'tecator', 'tecator_grouped', 'tablets', 'nirsoil', 'wheat_kernels'),
)

CORN = ('corn_m5', 'corn_mp5', 'corn_mp6')
NEAR_INFRARED = (
  *('tecator', 'tecator_apart', 'tecator_repeated'),
  *('tablets_1', 'tablets_2', 'nirsoil', 'wheat_kernels'),
)
NUMBERS = corn.METHODS
LONGER = ('random_convolutions', 'forest', 'neighbours', 'wavelet_peaks')
CLASSES = ('pls_da', 'ridge', 'svm', 'random_convolutions', 'neighbours')
CORRECTED = ('snv', 'arpls', 'arpls_snv')
FIXED = ('raw', 'snv', 'msc', 'derivative_snv', 'second_derivative_snv')


def get_config(variant: str = 'full') -> ConfigDict:
  if variant not in ('full', 'quick'):
    raise ValueError(f'configs/paper.py has no variant {variant!r}, expected full or quick')
  c, quick = ConfigDict(), variant == 'quick'
  pretrain = [_sweep('pretrain/quick', f'pretrain:{"tiny" if quick else "quick"}', SEEDS)]
  longer = {'full': SEEDS, 'long': SEEDS[:1], 'wide': SEEDS[:1]}
  if not quick:
    pretrain += [_sweep(f'pretrain/{name}', f'pretrain:{name}', at) for name, at in longer.items()]
  size = 'tiny' if quick else 'quick'
  ablation = [
    _sweep('physics_ablation/optical_constants', f'physics_ablation:{size}'),
    _sweep('physics_ablation/paired', f'physics_ablation:paired-{size}'),
  ]
  networks, cells = (_tiny_networks(), _few_cells()) if quick else (_networks(), _cells())
  c.parts = (  # run in this order
    _part('pretrain', ('pretrain',), pretrain),
    _part('physics', ('optical_constants', 'paired'), ablation),
    _part('real', REAL_TABLES, networks, cells),
    _part('spektron', SPEKTRON_TABLES, _spektron(quick), _spektron_cells(quick), _studies(quick)),
  )
  return c.lock()


def _part(
  name: str,
  tables: tuple,
  sweeps: list[dict],
  cells: tuple[dict, ...] = (),
  studies: tuple[dict, ...] = (),
) -> dict:
  parts = {'sweeps': tuple(sweeps), 'cells': cells, 'studies': studies}
  return {'name': name, 'tables': tables, **parts}


def _sweep(folder: str, config: str, points: Sequence[dict] = (), data: dict | None = None) -> dict:
  name, _, variant = config.partition(':')
  place = {'folder': folder, 'config': f'configs/{name}.py:{variant}'}
  return {**place, 'points': tuple(points), 'data': data or {}}


def _spektron(quick: bool) -> list[dict]:
  """The foundation model's studies, at the sizes for two CPU cores."""
  runs = {
    'spektron_cross/full': 'spektron_cross:full',
    'spektron_cross/laws': 'spektron_cross:laws',
    'spektron_backbones/quick': 'spektron_backbones:quick',
    'spektron_scaling/quick': 'spektron_scaling:quick',
    'spektron_instruments/quick': 'spektron_instruments:quick',
    'spektron/parts': 'spektron:quick',
    'spektron_retrieval/quick': 'spektron_retrieval:quick',
    'spektron_search/quick': 'spektron_search:quick',
  }
  corn = {'dataset.corn.path': 'corn'}
  if not quick:
    return [
      *(_sweep(folder, config) for folder, config in runs.items()),
      _sweep('spektron_poles/fringes', 'spektron_poles:fringes'),
      _sweep('spektron_adapt/few', 'spektron_adapt:few', data=_few_data()),
      _sweep('spektron_adapt/minerals', 'spektron_adapt:minerals', data=SPLITS),
    ]
  return [
    _sweep('spektron_poles/fringes', 'spektron_poles:tiny', _two_seeds_of_poles()),
    _sweep('spektron_adapt/few', 'spektron_adapt:tiny', SEEDS[:1], corn),
  ] + [
    _sweep(folder.partition('/')[0], f'{config.partition(":")[0]}:tiny', SEEDS[:2])
    for folder, config in runs.items()
    if not config.endswith(':laws')
  ]


def _two_seeds_of_poles() -> list[dict]:
  periods = {'dataset.planted.period_cm': spektron_poles.PERIODS_CM}
  return default.product(periods, SEEDS[:2])


def _few_data() -> dict:
  """Config key of a data set -> its folder."""
  return {f'dataset.{name}.path': name for name in FEW_DATA}


def _spektron_cells(quick: bool) -> tuple[dict, ...]:
  """Classical methods on the same draws of few labels."""
  return (_group(FEW[:1] if quick else FEW, ('pls', 'ridge'), ('chosen',)),)


def _studies(quick: bool) -> tuple[dict, ...]:
  """Seeds as one model, ridge on features of networks, and what training did to poles."""
  poles = _study('spektron_pole_reports', 'poles', {'runs': '{root}/spektron_poles/fringes/*'})
  poles['makes'] = ('planted-120-600-linoss', 'planted-300-600-linoss')
  of_linoss = {'runs': '{root}/spektron_backbones/quick/*backbone=linoss*'}
  computed = _study('spektron_pole_reports', 'poles', of_linoss)
  computed['makes'] = ('computed-linoss',)
  if quick:
    few = _features(FEW[:1], {'sources': 'random', 'seeds': '0'}, FEW_DATA[:1])
    return (_ensemble('spektron_cross/*'), few, poles)
  minerals = tuple(f'rruff_{labels}' for labels in rruff.LABELS)
  return (
    _ensemble('spektron_cross/full/*'),
    _features(FEW, {}, FEW_DATA),
    _features(minerals, {'kind': 'raman'}, ('rruff_splits',)),
    poles,
    computed,
  )


def _ensemble(runs: str) -> dict:
  """Those below the root as one model."""
  flags = {'runs': f'{{root}}/{runs}', 'name': 'cross'}
  return _study('spektron_ensembles', 'ensemble', flags) | {'makes': ('cross',)}


def _features(protocols: tuple, flags: dict, data: tuple) -> dict:
  study = _study('spektron_features', 'features', {'protocols': ','.join(protocols), **flags})
  return {**study, 'data': data, 'makes': tuple(f'{name}/random-seed0' for name in protocols)}


def _study(folder: str, binary: str, flags: dict) -> dict:
  return {'folder': folder, 'binary': binary, 'flags': flags, 'data': (), 'makes': ()}


def _networks() -> list[dict]:
  """Each variant's own sweep."""
  return [
    *(
      _sweep(f'rruff/{name}', f'rruff:{name}', data=SPLITS)
      for name in ('strong', 'paper', 'corrected', 'tokens')
    ),
    _sweep('rruff/archive', 'rruff:archive', data=ARCHIVE),
    _sweep('rruff_minerals/cnn', 'rruff_minerals:cnn', data=MINERALS),
    _sweep('rruff_minerals/linoss', 'rruff_minerals:linoss', data=MINERALS),
    *(_near_infrared(variant) for variant in ('cnn', 'linoss')),
  ]


def _near_infrared(variant: str) -> dict:
  """Its own sweep, where the data are left to the paper."""
  data = {f'dataset.{name}.path': name for name in nir.FOLDERS}
  points = [{k: v for k, v in point.items() if k not in data} for point in nir.sweep(variant)]
  return _sweep(f'nir/{variant}', f'nir:{variant}', points, data)


def _tiny_networks() -> list[dict]:
  shifts = {'task.classify.shifts_cm': (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0), 'seed': 0}
  return [
    _sweep('rruff/strong', 'rruff:tiny', (shifts,), SPLITS),
    _sweep('rruff/archive', 'rruff:tiny', (shifts,), ARCHIVE),
    _sweep('rruff_minerals/cnn', 'rruff_minerals:tiny', ({'seed': 0},), MINERALS),
    _sweep('nir/cnn', 'nir:tiny', ({'seed': 0},), {'dataset.tecator.path': 'tecator'}),
  ]


def _cells() -> tuple[dict, ...]:
  minerals = (*(f'rruff_{labels}' for labels in rruff.LABELS), 'rruff_deals')
  return (
    _group((*CORN, *NEAR_INFRARED), NUMBERS, ('chosen',)),
    _group(NEAR_INFRARED, LONGER, ('chosen',)),
    _group((*CORN, *NEAR_INFRARED), ('pls',), FIXED),
    _group(minerals, CLASSES, ('raw', 'derivative_snv')),
    _group(minerals, ('aligned_svm',), ('raw',)),  # it takes derivatives itself
    _group(('rruff_deals',), ('svm', 'ridge', 'pls_da', 'neighbours'), CORRECTED),
  )


def _few_cells() -> tuple[dict, ...]:
  return (
    _group(('tecator',), ('pls', 'ridge'), ('chosen',)),
    _group(('tecator',), ('pls',), ('raw',)),
  )


def _group(protocols: tuple, methods: tuple, preprocessings: tuple) -> dict:
  return {'protocols': protocols, 'methods': methods, 'preprocessings': preprocessings}
