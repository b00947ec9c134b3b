"""Which molecule gave this spectrum, by spectra of another instrument: both never trained on.

A library of all molecules is measured on one simulated spectrometer, the queries on another
(spectra_jax/datasets/instruments.py); queries are molecules of a side, IR and Raman apart. Training
shows the same molecule on two other instruments, drawn anew each time, of the six that are for
training or of many more from the same ranges, and asks for the partner among the batch. Baselines
compare spectra as they were measured, at least 0: by their cosine, and by that of their slopes,
which no flat baseline touches, over as many points as find most on the validation side.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict
from scipy.signal import savgol_filter

from spectra_jax import augment, figures, model, roots, shards, whole_spectrum
from spectra_jax.datasets import instruments
from spectra_jax.forms import Terms
from spectra_jax.library import Library
from spectra_jax.losses.info_nce import info_nce
from spectra_jax.retrieval import SHARPNESS, ranked
from spectra_jax.roots import KINDS
from spectra_jax.scores import by_method, put
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split
from spectra_jax.tasks import masked

BASELINES = ('mean', 'cosine', 'slopes')
# Side -> numbers of the instruments of its library and of its queries; nothing is trained on those
# of the test side. (Of the network two things were chosen there: docs/foundation.md.)
INSTRUMENTS = {
  'validation': (1, 2),
  'test': (1 + instruments.TRAINING, 2 + instruments.TRAINING),
}
OTHERS = 1  # seed of instruments that are drawn for training
WINDOWS = (
  5,
  9,
  13,
  19,
  27,
  39,
  55,
  79,
)  # points of the parabola whose slope is taken, to be chosen from
Outputs = Mapping[str, np.ndarray]
Scores = Mapping[str, Terms]


class SearchModel(nn.Module):
  """Spectra -> points at a learned distance from the origin, whatever the instrument.

  Attributes:
    tokenizer, backbone, head: modules; the head gives vectors of length 1.
    slope_cm: read for the roots the slopes of intensities over so many cm^-1, of root mean square
      1: fluorescence and scatter are smooth, and under a root what lies on them becomes small; 0 =
      read the roots.
  """

  tokenizer: nn.Module
  backbone: nn.Module
  head: nn.Module
  slope_cm: float

  @nn.compact
  def __call__(
    self, values_BxWxL: jax.Array, kind_B: jax.Array, nu_L: np.ndarray, train: bool
  ) -> dict[str, jax.Array]:
    """{'point': [B, W, V]} of W measurements of the same samples."""
    batch, views, points = values_BxWxL.shape
    values = values_BxWxL.swapaxes(0, 1).reshape(-1, points)  # one view after the other
    values = slopes(values, nu_L, self.slope_cm) if self.slope_cm else values
    seen = jnp.ones(values.shape, bool)
    x = self.tokenizer(values, seen, jnp.tile(kind_B, views), nu_L)
    every = np.ones(x.shape[:2], bool)  # what a token saw is in its channels
    x = self.backbone(x, self.tokenizer.positions(nu_L), every, train)
    first = nn.initializers.constant(np.log(SHARPNESS['embedding']))
    unit = self.head(x, nu_L) * jnp.exp(self.param('log_sharpness', first, ()))
    return {'point': unit.reshape(views, batch, -1).swapaxes(0, 1)}


def slopes(roots_NxL: jax.Array, nu_L: np.ndarray, width_cm: float) -> jax.Array:
  """Slopes of the squares over their root mean square: [N, L]; of none 0.

  The slope at a point is that of the straight line of least squares through all points within half
  of width_cm, which has noise of its own to the power -3/2 of their number,

    s_i = sum_k k x_(i+k) / sum_k k^2 ,  k = -h..h ,

  which is Savitzky and Golay's of degree 1 and 2; beyond the ends x is as at the ends.

  Args:
    roots_NxL: of intensities.
    nu_L: even wavenumbers [cm^-1].
    width_cm: at least two steps.
  """
  half = max(1, round(width_cm / 2 / abs(nu_L[1] - nu_L[0])))
  offset_K = np.arange(-half, half + 1, dtype=np.float32)
  taps_K = jnp.asarray(offset_K[::-1] / (offset_K**2).sum())  # convolve turns them about
  intensity_NxL = roots_NxL**2
  padded = jnp.pad(intensity_NxL, ((0, 0), (half, half)), mode='edge')
  slope_NxL = jax.vmap(lambda x: jnp.convolve(x, taps_K, mode='valid'))(padded)
  size_Nx1 = jnp.sqrt((slope_NxL**2).mean(-1, keepdims=True))
  digits_Nx1 = 1e-6 * intensity_NxL.max(-1, keepdims=True)  # below them a slope is rounding
  return jnp.where(size_Nx1 > digits_Nx1, slope_NxL / jnp.maximum(size_Nx1, 1e-12), 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """Search of spectra across instruments.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1].
    kinds: kinds of spectra, in the order of the kind index.
    spectra: kind -> computed spectra, row for row the same molecules.
    split: who is in training, validation and test.
    scale_K: training-set root mean square of sqrt(intensity), a kind.
    benches: kind -> all instruments.
    trained_on: kind -> those that training measures on.
  """

  config: ConfigDict
  nu_L: np.ndarray
  kinds: tuple[str, ...]
  spectra: Mapping[str, Spectra]
  split: Split
  scale_K: np.ndarray
  benches: Mapping[str, instruments.Setting]
  trained_on: Mapping[str, instruments.Setting]

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> SearchModel:
    c = self.config
    return SearchModel(
      model.tokenizer(c, len(self.kinds)),
      model.build_part(c, 'backbone', {}),
      model.build_part(c, 'head', {'outputs': c.task.spectrum_search.embedding}),
      c.task.spectrum_search.slope_cm,
    )

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def examples(self, side: str) -> dict[str, np.ndarray]:
    """Spectra, kind after kind: computed intensities, kind, row, number of the instrument; of a
    held-out side its own, then the library ('asked' is False): of the test side all molecules, of
    the validation side all but those of the test side.
    """
    own, count = getattr(self.split, side), len(self.spectra[self.kinds[0]])
    hidden = [] if side == 'test' else self.split.test
    library = np.setdiff1d(np.arange(count), hidden)
    parts = [(own, True)] if side == 'train' else [(own, True), (library, False)]
    pieces = [(k, rows, asked) for k in range(len(self.kinds)) for rows, asked in parts]
    values = [shards.select(self.spectra[self.kinds[k]].values, rows) for k, rows, _ in pieces]
    joined = shards.concatenate(values)
    column = lambda pick, dtype: np.concatenate(
      [np.full(len(piece[1]), pick(piece)) for piece in pieces]
    ).astype(dtype)
    of_library, of_queries = INSTRUMENTS.get(side, (0, 0))
    return {
      'values': joined if side == 'train' else np.asarray(joined),
      'kind': column(lambda piece: piece[0], np.int32),
      'asked': column(lambda piece: piece[2], bool),
      'instrument': column(lambda piece: of_queries if piece[2] else of_library, np.int32),
      'row': np.concatenate([k * count + rows for k, rows, _ in pieces]).astype(np.int32),
    }

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measures: in training on two instruments, else on that of the library or of the queries."""
    del step
    if train:
      benches, count = self.trained_on, len(self.trained_on[self.kinds[0]].read)
      number_BxW = jax.vmap(lambda key: _two_instruments(key, count))(keys_B)
    else:
      benches = self.benches
      number_BxW = batch['instrument'][:, None]
      keys_B = jax.vmap(_held_out_key)(batch['row'], batch['instrument'])
    views = [
      self._measured(benches, keys_B, w, batch['values'], batch['kind'], number_BxW[:, w])
      for w in range(number_BxW.shape[1])
    ]
    inputs = {'values_BxWxL': jnp.stack(views, 1), 'kind_B': batch['kind']}
    return inputs, {'label': batch['row'][:, None]}

  def losses(self, outputs: Outputs, targets: Mapping[str, Any]) -> dict[str, jax.Array]:
    """'info_nce': each first measurement finds its second one, and the other way."""
    query_BxV, points_BxWxV = outputs['point'][:, 0], outputs['point'][:, 1:]
    weight_BxV = jnp.ones_like(query_BxV)
    return {'info_nce': info_nce(query_BxV, weight_BxV, points_BxWxV, targets['label'])}

  def metrics(self, outputs: Outputs, targets: Mapping[str, Any]) -> Scores:
    """'<kind>.recall_<k>' and '<kind>.mrr' of the spectra of a whole side, whose `examples` the
    targets are, in its library.
    """
    found, point_NxV = {}, np.asarray(outputs['point'])[:, 0]
    for k, kind in enumerate(self.kinds):
      of_kind = targets['kind'] == k
      asked_N, there_N = of_kind & targets['asked'], of_kind & ~targets['asked']
      library = Library(targets['row'][there_N], point_NxV[there_N])
      true_Q = np.searchsorted(library.ids, targets['row'][asked_N])  # rows ascend in both
      rank_Q = library.ranks(point_NxV[asked_N], true_Q)
      found |= {f'{kind}.{key}': x for key, x in ranked(rank_Q, asked_N).items()}
    return found

  def score(self, outputs: Outputs, side: str) -> Scores:
    """`metrics` of outputs for one whole side, on the host."""
    return self.metrics(outputs, self.examples(side))

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, Outputs]:
    """Points of methods without a network: {'point': [N, 1, V]}."""
    found = {}
    if 'mean' in names:
      found['mean'] = np.zeros((len(self.examples(side)['row']), 1, 1), np.float32)
    if 'cosine' in names:
      found['cosine'] = _unit(self._as_measured(side))[:, None]
    if 'slopes' in names:
      found['slopes'] = self._slopes(side, self.windows)[:, None]
    return {name: {'point': point} for name, point in found.items()}

  def effective(self, params: Any) -> Any:
    return params

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'error' is the mean share of wrong first answers."""
    del mean, kind_N
    recall = {f'recall_1_{kind}': float(scores[f'{kind}.recall_1']) for kind in self.kinds}
    return {'error': 1 - float(np.mean(list(recall.values()))), **recall}

  def report(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> dict:
    """Recall and mean reciprocal rank with intervals over formulas; who measured what."""
    name = lambda number: instruments.NAMES[number]
    of_library, of_queries = INSTRUMENTS['test']
    found = {'library_on': name(of_library), 'queries_on': name(of_queries)}
    found['library'] = len(self.spectra[self.kinds[0]])
    found['slope_window_points'] = dict(self.windows)
    return put(found, self.ratios(scores, baselines, kind_N), self.groups('test'))

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Scores:
    """Place in the report -> its terms."""
    del kind_N
    return by_method(scores, baselines)

  def groups(self, side: str) -> np.ndarray:
    """[N] formula of each example of a side."""
    meta = self.spectra[self.kinds[0]].meta
    return meta['group'][self.examples(side)['row'] % len(meta['group'])]

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, Outputs]
  ) -> dict[str, Figure]:
    """The first molecule of the side on both instruments."""
    examples, measured_NxL = self.examples(side), self._as_measured(side)
    row = getattr(self.split, side)[0]
    panels = []
    for k, kind in enumerate(self.kinds):
      own_N = examples['row'] == k * len(self.spectra[kind]) + row
      pick = lambda asked, own_N=own_N: measured_NxL[own_N & (examples['asked'] == asked)][0]
      curves = {'in the library': pick(False), 'asked for': pick(True)}
      title = f'{figures.KIND_NAMES[kind]}   {self.spectra[kind].meta["id"][row]}'
      whole = np.zeros(len(self.nu_L), bool)
      panels.append({'title': title, 'ylabel': 'Intensity', 'masked': whole, 'curves': curves})
    return {'instruments': figures.overlays(self.nu_L, panels)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation recall@1 over the steps; beside it that of the raw cosine on the test side, whose
    library is larger.
    """
    return figures.learning_curve(
      records,
      curves={f'val/recall_1_{kind}': f'{kind}, validation' for kind in self.kinds},
      levels={
        f'{kind}, raw cosine (test)': report[kind]['recall_1']['cosine'] for kind in self.kinds
      },
      ylabel='recall@1',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: method, then recall@1 of each kind with its 95 % interval."""
    recall = {kind: report[kind]['recall_1'] for kind in self.kinds}
    rows = whole_spectrum.table(recall, ('model', *BASELINES), self.kinds)
    header = [f'recall@1 among {report["library"]:,} on another instrument', *self.kinds]
    return [header, *rows[1:]]

  # --- parts ---------------------------------------------------------------------------------

  def _measured(self, benches, keys_B, view, values_BxL, kind_B, number_B) -> jax.Array:
    """[B, L] scaled roots as these instruments give them; what is below zero counts as zero."""

    def one(key, values_L, k, number):
      key = jax.random.fold_in(key, view)
      of_kinds = [
        lambda key, x, i, kind=kind: instruments.measured(
          key, x, instruments.pick(benches[kind], i), instruments.frame_of(kind, self.nu_L)
        )
        for kind in self.kinds
      ]
      return jax.lax.switch(k, of_kinds, key, values_L, number)

    measured_BxL = jax.vmap(one)(keys_B, values_BxL.astype(jnp.float32), kind_B, number_B)
    scale_Bx1 = jnp.asarray(self.scale_K, jnp.float32)[kind_B][:, None]
    # The slope of a root is infinite at 0; nothing here is differentiated by the spectrum.
    return jnp.sqrt(jnp.maximum(measured_BxL, 0.0)) / scale_Bx1

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def _as_measured(self, side: str) -> np.ndarray:
    """[N, L] intensities of the side's measurements, scaled by a constant of the kind."""
    examples = self.examples(side)
    measure = jax.jit(lambda batch: self.inputs(None, 0, batch, train=False)[0]['values_BxWxL'])
    parts = [
      np.asarray(measure({name: x[start : start + 512] for name, x in examples.items()}))[:, 0]
      for start in range(0, len(examples['row']), 512)
    ]
    return np.concatenate(parts) ** 2

  def _slopes(self, side: str, windows: Mapping[str, int]) -> np.ndarray:
    """[N, L] slopes of parabolas through so many points of what was measured, of length 1."""
    found, kind_N = self._as_measured(side).copy(), self.examples(side)['kind']
    for k, kind in enumerate(self.kinds):
      own = kind_N == k
      found[own] = savgol_filter(found[own], windows[kind], 2, deriv=1)
    return _unit(found)

  @functools.cached_property
  def windows(self) -> dict[str, int]:
    """Kind -> that of `WINDOWS` by which most validation spectra are found, the least of equals."""
    fitting = [points for points in WINDOWS if points <= len(self.nu_L)]
    recall = {}
    for points in fitting:
      point = self._slopes('validation', dict.fromkeys(self.kinds, points))[:, None]
      recall[points] = self.score({'point': point}, 'validation')
    best = lambda kind: max(fitting, key=lambda points: recall[points][f'{kind}.recall_1'].value)
    return {kind: best(kind) for kind in self.kinds}


def _held_out_key(row: jax.Array, number: jax.Array) -> jax.Array:
  """Of a spectrum's day and noise on one instrument. Without the number a query and its partner in
  the library would share their noise, and be found by it.
  """
  return jax.random.fold_in(jax.random.fold_in(jax.random.key(masked.EVAL_SEED), row), number)


def _two_instruments(key: jax.Array, count: int) -> jax.Array:
  """[2] different ones of so many, the reference among them."""
  return jax.random.choice(jax.random.fold_in(key, 2), count, (2,), replace=False)


def _unit(x_NxV: np.ndarray) -> np.ndarray:
  return x_NxV / np.maximum(np.linalg.norm(x_NxV, axis=-1, keepdims=True), 1e-12)


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: spectra of other kinds than instruments are there for, or a head that gives spectra.
  """
  augment.check_off(config.augment, 'spectrum_search')
  if set(spectra) - set(KINDS):
    raise ValueError(
      f'the data set gives {", ".join(sorted(spectra))}, expected computed ir, raman or both, for '
      'which instruments are simulated; set dataset.name = computed'
    )
  if config.head.name != 'embedding':
    raise ValueError(
      f'head.name is {config.head.name!r}, expected embedding for task spectrum_search; correct it'
    )
  kinds = tuple(spectra)
  nu_L = spectra[kinds[0]].axis
  roots.check_intensities(spectra)
  scale = [roots.constants(spectra[kind].values, split.train)[0] for kind in kinds]
  benches = {kind: instruments.bench(kind, nu_L) for kind in kinds}
  trained_on = {kind: _trained_on(config, kind, benches[kind], nu_L) for kind in kinds}
  return Task(config, nu_L, kinds, spectra, split, np.array(scale), benches, trained_on)


def _trained_on(
  config: ConfigDict, kind: str, bench: instruments.Setting, nu_L: np.ndarray
) -> instruments.Setting:
  count = config.task.spectrum_search.instruments
  if count < 0:
    raise ValueError(
      f'task.spectrum_search.instruments is {count}, expected 0 for the six of the bench or how '
      'many are drawn for training; correct it'
    )
  if count:
    return instruments.bench(kind, nu_L, count, OTHERS)
  return jax.tree.map(lambda leaf: leaf[: 1 + instruments.TRAINING], bench)
