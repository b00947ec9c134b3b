"""Every key of a table, once. Rows, columns and references: spectra_jax/tables/spec.py."""

from ml_collections import ConfigDict

from configs import nir


def get_config() -> ConfigDict:
  c = ConfigDict()
  c.caption = ''  # what the numbers are, in a sentence
  c.rows = ()  # dicts of label, runs, where, method
  c.columns = ()  # dicts of label, metric, of_method, interval, regime, format, scale; see below
  c.references = ()  # dicts of label, values, regime, source
  c.sections = ()  # config keys: rows of the same values form a section; () = one section
  c.seeds = ()  # that each row of a model must have; what lacks is counted as missing
  c.page = ()  # labels of the columns that pages of the documentation show; () = all
  c.against = ''  # label of the row that the others are tested against; '' = no tests
  c.test = 'permutation'  # of rows, paired by test groups; or wilcoxon
  c.level = 0.95  # of intervals
  c.resamples = 2000  # of the bootstrap
  return c.lock()


def result(
  label: str, metric: str, of_method: str, shown: str = '{:.3f}', interval: str = ''
) -> dict:
  """A column of `results` in report.json: of models `metric`, of other methods `of_method`."""
  return {
    'label': label,
    'metric': f'results.{metric}',
    'of_method': f'results.{of_method}',
    'interval': f'results.{interval}' if interval else '',
    'regime': 'grouped',
    'format': shown,
    'scale': 1.0,
  }


def of_model(label: str, score: str, regime: str, shown: str = '{:.3f}') -> dict:
  """A column of `results` whose score holds models and other methods by name, and intervals."""
  methods = (f'{score}.model', f'{score}.{{method}}')
  column = result(label, *methods, shown, interval=f'{score}.intervals.{{method}}')
  return column | {'regime': regime}


def about(label: str, metric: str, shown: str, scale: float = 1.0) -> dict:
  """A column of report.json that is no score, which baselines do not have: a time, a size."""
  return {
    'label': label,
    'metric': metric,
    'of_method': '',
    'interval': '',
    'regime': '',
    'format': shown,
    'scale': scale,
  }


CLASSICAL = {  # file in spectra_jax/chemometrics -> label
  'pls': 'PLS',
  'pcr': 'PCR',
  'ridge': 'ridge',
  'svm': 'SVM',
  'gaussian_process': 'Gaussian process',
  'random_convolutions': 'random convolutions',
  'forest': 'random forest',
  'neighbours': 'nearest neighbours',
  'wavelet_peaks': 'wavelet peaks, SVM',
}


PREPROCESSED = {  # name in spectra_jax/chemometrics_report.py and configs/nir.py -> words
  'raw': 'raw spectra',
  'snv': 'SNV',
  'derivative_snv': 'first derivative, SNV',
  'second_derivative_snv': 'second derivative, SNV',
}
NETWORKS = {  # variant of configs/nir.py -> label, what selects its runs
  'cnn': ('compact CNN', {'encoder.name': 'compact_cnn'}),
  'linoss': ('D-LinOSS on tokens', {'encoder.name': 'tokens', 'backbone.name': 'linoss'}),
}


def real(
  protocols: str,
  regime: str,
  targets: dict[str, tuple[str, str]],
  networks: tuple[tuple[str, str], ...] = (),
  of: dict[str, str] | None = None,
  methods: tuple[str, ...] = tuple(CLASSICAL),
) -> ConfigDict:
  """A table of methods on real spectra: RMSEP of properties, runs below chemometrics/PROTOCOL.

  Args:
    protocols: glob of their names (spectra_jax/protocols.py); a section each where it has a star.
    regime: of their splits.
    targets: property -> (heading with unit, format).
    networks: (variant, preprocessing) of runs of configs/nir.py that stand there too, and PLS under
      each of their preprocessings.
    of: config keys of these runs.
    methods: the classical ones.
  """
  c = get_config()
  row = lambda label, name, preprocessing='chosen', method='model': {
    'label': label,
    'runs': f'chemometrics/{protocols}/*',
    'where': {'method.name': name, 'preprocessing.name': preprocessing},
    'method': method,
  }
  network = lambda variant, name: {
    'label': f'{NETWORKS[variant][0]}, {PREPROCESSED[name]}',
    'runs': 'nir/**',
    'where': {**of, **NETWORKS[variant][1], 'preprocess': nir.PREPROCESSINGS[name]},
    'method': 'model',
  }
  also = dict.fromkeys(['raw', *(name for _, name in networks)])
  c.rows = (
    *(row(CLASSICAL[name], name) for name in methods),
    *(row(f'PLS, {words}', 'pls', name) for name, words in PREPROCESSED.items() if name in also),
    *(network(*asked) for asked in networks),
    row('mean of the training side', 'pls', 'chosen', 'mean'),
  )
  c.columns = tuple(
    of_model(heading, f'{name}.rmsep', regime, shown) for name, (heading, shown) in targets.items()
  )
  c.sections = ('protocol.name',) if '*' in protocols else ()
  c.against = 'PLS'
  return c


ADAPTED = {  # label -> what selects runs of configs/spektron_adapt.py
  'network from scratch': {'adapt.name': 'full', 'adapt.init_from': ''},
  'fine-tuned': {'adapt.name': 'full', 'adapt.init_from': 'shipped'},
  'LoRA': {'adapt.name': 'lora', 'adapt.init_from': 'shipped'},
}
FEATURES = {  # label -> source in spectra_jax/features_report.py
  'ridge on features, random network': 'random',
  'ridge on features, pretrained': 'pretrained',
  'ridge on features, test-time training': 'test_time',
}


def few_labels(protocol: str, dataset: str, regime: str, columns: tuple[dict, ...]) -> ConfigDict:
  """A table of few-label curves: PLS and ridge on spectra, ridge on features, networks; a section
  for each number of labels.

  Args:
    protocol: that labels are drawn from (`protocols.FEW_FROM`).
    dataset: file in spectra_jax/datasets.
    regime: of its splits.
    columns: of scores.
  """
  c = get_config()
  row = lambda label, runs, where: {
    'label': label,
    'runs': runs,
    'where': where,
    'method': 'model',
  }
  plain = lambda name: {'method.name': name, 'preprocessing.name': 'chosen'}
  classical = f'chemometrics/few_{protocol}_*/*'
  features = f'spektron_features/few_{protocol}_*/*'
  ours = {'dataset.name': dataset, 'split.regime': regime}
  c.rows = (
    *(row(CLASSICAL[name], classical, plain(name)) for name in ('pls', 'ridge')),
    *(row(label, features, {'features.name': name}) for label, name in FEATURES.items()),
    *(row(label, 'spektron_adapt/few/**', {**ours, **way}) for label, way in ADAPTED.items()),
    {**row('mean of the training side', classical, plain('pls')), 'method': 'mean'},
  )
  c.columns = columns
  c.sections = ('protocol.name',)
  c.against = 'ridge on features, random network'
  c.caption = (
    f'Error of prediction with 10, 20, 50 (five draws, test sides pooled) and all labels of '
    f'{protocol}. Weights were pretrained on computed spectra of another range; what they bring '
    'is the difference from the same network without them.'
  )
  return c


def rmsep(targets: dict[str, tuple[str, str]], regime: str) -> tuple[dict, ...]:
  """Columns of properties: name -> (heading with unit, format)."""
  return tuple(
    of_model(heading, f'{name}.rmsep', regime, shown) for name, (heading, shown) in targets.items()
  )
