"""Which molecule has this spectrum: IR, Raman or both against what graphs say, molecules unseen.

Library points come from molecular graphs alone (spectra_jax/retrieval.py), of all molecules of the
data set; the queries are molecules of a side whose formulas are nowhere in training. A rank counts
the points nearer than the right one and half of those as near. Spectra are as in masked
reconstruction: square roots over a training-set constant of the kind, here whole.

Baselines: the mean spectrum for every molecule (nothing is found), and kernel ridge regression from
the subtrees of a graph to its spectrum, compared in the same coordinates. Beside retrieval stands
how well functional groups are told from embeddings by ridge regression, against the same on
spectra.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import augment, figures, graphs, model, roots, shards, whole_spectrum
from spectra_jax.chemometrics import graph_kernel, group_probe
from spectra_jax.forms import Terms
from spectra_jax.heads.molecule import Atoms
from spectra_jax.library import Library
from spectra_jax.losses.info_nce import info_nce
from spectra_jax.retrieval import LIBRARY, MODES, PARTS, RetrievalModel, columns, ranked, seen
from spectra_jax.roots import KINDS
from spectra_jax.scores import by_method, put
from spectra_jax.spectra import Spectra
from spectra_jax.splits import Split

BASELINES = ('mean', 'kernel_ridge')
GRAPH = ('element', 'hydrogens', 'charge', 'aromatic', 'ring', 'degree', 'relation')
Outputs = Mapping[str, np.ndarray]
Scores = Mapping[str, Terms]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
  """Retrieval of the molecules of one data set.

  Attributes:
    config: the whole config.
    nu_L: wavenumbers [cm^-1].
    spectra: 'ir' and 'raman', row for row the same molecules.
    split: who is in training, validation and test.
    scale: training-set root mean square of sqrt(intensity), a kind.
    mean: training-set mean [L] of the scaled roots, a kind.
    basis: training-set principal components [L, C] of the scaled roots, a kind: the coordinates.
    graph: of all molecules, `Graphs.padded`.
    groups_MxG: functional groups of all molecules.
  """

  config: ConfigDict
  nu_L: np.ndarray
  spectra: Mapping[str, Spectra]
  split: Split
  scale: Mapping[str, float]
  mean: Mapping[str, np.ndarray]
  basis: Mapping[str, np.ndarray]
  graph: Mapping[str, np.ndarray]
  groups_MxG: np.ndarray

  # --- what the loop calls -------------------------------------------------------------------

  def module(self) -> RetrievalModel:
    o, c = self.options, self.config
    embeds, predicts = ('embedding' in o.parts), ('spectrum' in o.parts)
    embedding = model.component('heads', 'embedding').Head
    return RetrievalModel(
      atoms=Atoms(o.width, o.layers),
      spectra=model.build_part(c, 'head', {}) if predicts else None,
      tokenizer=model.tokenizer(c, len(KINDS)) if embeds else None,
      backbone=model.build_part(c, 'backbone', {}) if embeds else None,
      of_tokens=embedding(o.embedding) if embeds else None,
      of_atoms=embedding(o.embedding) if embeds else None,
    )

  @functools.lru_cache(maxsize=8)  # noqa: B019  of the tasks asked last
  def examples(self, side: str) -> dict[str, np.ndarray]:
    """Molecules: raw intensities of both kinds, graph, row, kind.

    Of a held-out side its molecules once for each of `MODES` ('kind' is its place), then those
    whose points are the library ('kind' is `LIBRARY`): of the test side all molecules of the data
    set, of the validation side its own.
    """
    own = getattr(self.split, side)
    if side == 'train':
      rows, kind_N = own, np.zeros(len(own), np.int32)
    else:
      there = np.arange(len(self.groups_MxG)) if side == 'test' else own
      rows = np.concatenate([*(own for _ in MODES), there])
      kind_N = np.repeat(np.arange(LIBRARY + 1), [*(len(own) for _ in MODES), len(there)])
    values = {kind: shards.select(self.spectra[kind].values, rows) for kind in KINDS}
    return {
      **(values if side == 'train' else {kind: np.asarray(x) for kind, x in values.items()}),
      **{name: self.graph[name][rows] for name in GRAPH},
      'kind': kind_N.astype(np.int32),
      'row': rows.astype(np.int32),
    }

  def inputs(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array], train: bool
  ) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scales what is measured: (model inputs, targets). In training draws what that is, and others
    of the same formula to tell each molecule from.
    """
    del step
    mode_B = jax.vmap(self._mode)(keys_B) if train else batch['kind']
    measured = seen(mode_B)
    root = {kind: jnp.sqrt(batch[kind]) / self.scale[kind] for kind in KINDS}
    inputs = {
      'values': {kind: jnp.where(measured[kind][:, None], root[kind], 0.0) for kind in KINDS},
      'visible': {
        kind: jnp.broadcast_to(measured[kind][:, None], root[kind].shape) for kind in KINDS
      },
      'graph': {name: batch[name] for name in GRAPH},
    }
    label_BxW = batch['row'][:, None]
    if train and self.options.isomers:
      isomers_BxI = jax.vmap(self._isomers)(keys_B, batch['row'])
      inputs['isomers'] = {name: jnp.asarray(self.graph[name])[isomers_BxI] for name in GRAPH}
      label_BxW = jnp.concatenate([label_BxW, isomers_BxI], 1)
    return inputs, {'root': root, 'measured': measured, 'label': label_BxW}

  def losses(self, outputs: Outputs, targets: Mapping[str, Any]) -> dict[str, jax.Array]:
    """'info_nce' of the whole space; 'forward', the squared error of the predicted spectra, 0
    where the space has none.
    """
    query_BxV, points_BxWxV = self.queries(outputs, targets['root']), self.points(outputs)
    told = {**targets['measured'], 'embedding': jnp.ones(len(query_BxV), bool)}
    weight = [
      jnp.broadcast_to(told[name][:, None], (len(query_BxV), width))
      for name, width in self.widths(outputs['sharpness']).items()
    ]
    weight_BxV = jnp.concatenate(weight, 1).astype(jnp.float32)
    found = {'info_nce': info_nce(query_BxV, weight_BxV, points_BxWxV, targets['label'])}
    predicted = [kind for kind in KINDS if kind in outputs]
    error = [((outputs[k][:, 0] - targets['root'][k]) ** 2).mean(-1) for k in predicted]
    found['forward'] = sum(error, jnp.zeros(len(query_BxV))) / len(KINDS)
    return found

  def metrics(self, outputs: Outputs, targets: Mapping[str, Any]) -> Scores:
    """'<mode>.recall_<k>' and '<mode>.mrr' of a whole side, whose `examples` the targets are, and
    both among the side's own molecules; '<kind>.nre' of predicted spectra: their squared error over
    that of the mean.
    """
    row_M = targets['row'][targets['kind'] == LIBRARY]
    points_MxV = np.asarray(self.points(outputs))[targets['kind'] == LIBRARY, 0]
    root = {kind: np.sqrt(targets[kind]) / self.scale[kind] for kind in KINDS}
    query_NxV = np.asarray(self.queries(outputs, root))
    # Rows of a side and of the library ascend.
    place_Q = np.searchsorted(row_M, targets['row'][targets['kind'] == 0])
    found, widths = {}, self.widths(outputs['sharpness'])
    for k, mode in enumerate(MODES):
      asked_N, told_V = targets['kind'] == k, columns(mode, widths)
      for name, rows_K in (('', np.arange(len(row_M))), ('among_own.', place_Q)):
        library = Library(row_M[rows_K], points_MxV[rows_K])
        true_Q = np.searchsorted(rows_K, place_Q)
        rank_Q = library.ranks(query_NxV[asked_N], true_Q, told_V)
        found |= {f'{mode}.{name}{key}': x for key, x in ranked(rank_Q, asked_N).items()}
    for kind in (kind for kind in KINDS if kind in outputs):
      square = lambda guess, kind=kind: ((guess - root[kind]) ** 2).sum(1) * (targets['kind'] == 0)
      errors = square(np.asarray(outputs[kind])[:, 0]), square(np.float32(self.mean[kind]))
      found[f'{kind}.nre'] = Terms('ratio', np.float64(np.stack(errors)))
    return found

  def score(self, outputs: Outputs, side: str) -> Scores:
    """`metrics` of outputs for one whole side, on the host; of the test side also 'groups.f1'."""
    found = self.metrics(outputs, self.examples(side))
    if side == 'test' and 'embedding' in outputs:
      found['groups.f1'] = self._group_score(np.asarray(outputs['embedding']))
    return found

  def baselines(self, side: str, names: tuple[str, ...] = BASELINES) -> dict[str, Outputs]:
    """Outputs of methods without a network: predicted roots, and what groups are told from."""
    examples, found = self.examples(side), {}
    ones_N = np.ones(len(examples['row']), np.float32)
    level = {'sharpness': dict.fromkeys(KINDS, ones_N)}
    if 'mean' in names:
      shape = (len(examples['row']), 1, len(self.nu_L))
      found['mean'] = {k: np.broadcast_to(np.float32(self.mean[k]), shape) for k in KINDS} | level
    if 'kernel_ridge' in names:
      predicted = self._kernel_ridge
      of_row = lambda kind: predicted[kind][examples['row']][:, None]
      found['kernel_ridge'] = {kind: of_row(kind) for kind in KINDS} | level
    return found

  def effective(self, params: Any) -> Any:
    return params

  def selection(self, scores: Scores, mean: Scores, kind_N: np.ndarray) -> dict[str, float]:
    """Numbers logged at each validation; 'error' is the share of first answers that are wrong where
    both kinds are measured.
    """
    del mean, kind_N
    recall = {f'recall_1_{mode}': float(scores[f'{mode}.recall_1']) for mode in MODES}
    return {'error': 1 - recall['recall_1_both'], **recall}

  def report(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> dict:
    """Recall and mean reciprocal rank with intervals over formulas; sizes of the libraries."""
    found = {'library': len(self.groups_MxG), 'own_library': len(self.split.test)}
    return put(found, self.ratios(scores, baselines, kind_N), self.groups('test'))

  def ratios(self, scores: Scores, baselines: Mapping[str, Scores], kind_N: np.ndarray) -> Scores:
    """Place in the report -> its terms."""
    del kind_N
    told = by_method(scores, baselines)
    return told | {f'groups.f1.{name}': own for name, own in self._group_baselines.items()}

  def groups(self, side: str) -> np.ndarray:
    """[N] formula of each example of a side."""
    return self.spectra['ir'].meta['group'][self.examples(side)['row']]

  def figures(
    self, outputs: Outputs, side: str, baselines: Mapping[str, Outputs]
  ) -> dict[str, Figure]:
    """Measured and predicted spectra of the molecule of median error; nothing without them."""
    if 'spectrum' not in self.options.parts:
      return {}
    own, examples = getattr(self.split, side), self.examples(side)
    root = lambda kind: np.sqrt(examples[kind][: len(own)]) / self.scale[kind]
    error_N = sum(((outputs[k][: len(own), 0] - root(k)) ** 2).mean(1) for k in KINDS)
    row = int(np.argsort(error_N)[len(own) // 2])
    panels = [
      {
        'title': f'{figures.KIND_NAMES[kind]}   {self.spectra[kind].meta["id"][own[row]]}',
        'ylabel': r'$\sqrt{I}$ / scale',
        'masked': np.zeros(len(self.nu_L), bool),
        'curves': {
          'computed spectrum': root(kind)[row],
          'kernel ridge, from the graph': baselines['kernel_ridge'][kind][row, 0],
          'model, from the graph': np.asarray(outputs[kind][row, 0]),
        },
      }
      for kind in KINDS
    ]
    return {'predicted': figures.overlays(self.nu_L, panels)}

  def learning_curve(
    self, records: Sequence[Mapping[str, float]], report: Mapping[str, Mapping]
  ) -> Figure:
    """Validation recall@1 over the steps, beside the test recall@1 of kernel ridge."""
    return figures.learning_curve(
      records,
      curves={f'val/recall_1_{mode}': f'{mode}, validation' for mode in MODES},
      levels={
        f'{mode}, kernel ridge (test)': report[mode]['among_own']['recall_1']['kernel_ridge']
        for mode in MODES
      },
      ylabel='recall@1 among the molecules of the side',
    )

  def table(self, report: Mapping[str, Mapping]) -> list[list[str]]:
    """Rows of the terminal's table: method, then recall@1 of each mode with its 95 % interval."""
    recall = {mode: report[mode]['recall_1'] for mode in MODES}
    rows = whole_spectrum.table(recall, ('model', *BASELINES), MODES)
    return [[f'recall@1 among {report["library"]:,}', *MODES], *rows[1:]]

  # --- parts ---------------------------------------------------------------------------------

  @property
  def options(self) -> ConfigDict:
    return self.config.task.retrieval

  def coordinates(self, root: jax.Array, kind: str) -> jax.Array:
    """Scaled roots [..., L] -> [..., C]."""
    return (root - np.float32(self.mean[kind])) @ np.float32(self.basis[kind])

  def widths(self, sharpness: Mapping[str, Any]) -> dict[str, int]:
    """Coordinates of each part of a point, in their order."""
    wide = {kind: self.basis[kind].shape[1] for kind in KINDS}
    return {name: wide.get(name, self.options.embedding) for name in sharpness}

  def points(self, outputs: Outputs) -> jax.Array:
    """[B, W, V] of molecules: coordinates of predicted spectra, then the embedding."""
    of = lambda name: (
      outputs['molecule'] if name == 'embedding' else self.coordinates(outputs[name], name)
    )
    parts = [x[:, None, None] * of(name) for name, x in outputs['sharpness'].items()]
    return jnp.concatenate(parts, -1)

  def queries(self, outputs: Outputs, root: Mapping[str, jax.Array]) -> jax.Array:
    """[B, V] of spectra; what is not measured has coordinates that are not to be compared."""
    of = lambda name: (
      outputs['embedding'] if name == 'embedding' else self.coordinates(root[name], name)
    )
    parts = [x[:, None] * of(name) for name, x in outputs['sharpness'].items()]
    return jnp.concatenate(parts, -1)

  def _mode(self, key: jax.Array) -> jax.Array:
    """Both kinds, or with `options.alone` one of them, each as often."""
    alone_key, which_key = jax.random.split(jax.random.fold_in(key, 0))
    alone = jax.random.bernoulli(alone_key, self.options.alone)
    return jnp.where(alone, jax.random.bernoulli(which_key).astype(int), MODES.index('both'))

  def _isomers(self, key: jax.Array, row: jax.Array) -> jax.Array:
    """[I] rows of training molecules of the same formula, the own one may be among them."""
    sorted_N, first_M, count_M = map(jnp.asarray, self._formulas)
    draw = jax.random.uniform(jax.random.fold_in(key, 1), (self.options.isomers,))
    place_I = first_M[row] + jnp.floor(draw * count_M[row]).astype(jnp.int32)
    return sorted_N[place_I]

  @functools.cached_property
  def _formulas(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows sorted by formula; of each row of the data where its formula begins there and
    how many have it.
    """
    formula_M = self.spectra['ir'].meta['group']
    train = self.split.train[np.argsort(formula_M[self.split.train], kind='stable')]
    first_M = np.searchsorted(formula_M[train], formula_M)
    count_M = np.searchsorted(formula_M[train], formula_M, side='right') - first_M
    return tuple(np.int32(x) for x in (train, first_M, count_M))

  @functools.cached_property
  def _kernel_ridge(self) -> dict[str, np.ndarray]:
    """{kind: roots [M, L] predicted from graphs}, regularisation chosen on the validation side."""
    truth = np.concatenate([self._all_roots(kind) for kind in KINDS], 1)
    kernel_MxM = graph_kernel.subtree_kernel(self.graph, self.options.radius)
    predicted = graph_kernel.ridge(kernel_MxM, truth, self.split.train, self.split.validation)
    return dict(zip(KINDS, np.split(predicted, len(KINDS), 1), strict=True))

  def _all_roots(self, kind: str) -> np.ndarray:
    return np.float32(np.sqrt(np.asarray(self.spectra[kind].values)) / self.scale[kind])

  def _group_score(self, feature_NxF: np.ndarray) -> Terms:
    """F1 of groups told from features of the test side's library rows."""
    kind_N = self.examples('test')['kind']
    said = group_probe.told(feature_NxF[kind_N == LIBRARY], self.groups_MxG, self.split)
    return group_probe.f1(said, self.groups_MxG[self.split.test], kind_N == MODES.index('both'))

  @functools.cached_property
  def _group_baselines(self) -> dict[str, Terms]:
    """The same from whole spectra; and what saying all groups of every molecule is worth."""
    root_MxL = np.concatenate([self._all_roots(kind) for kind in KINDS], 1)
    true = self.groups_MxG[self.split.test]
    asked_N = self.examples('test')['kind'] == MODES.index('both')
    said = group_probe.told(root_MxL, self.groups_MxG, self.split)
    return {
      'ridge': group_probe.f1(said, true, asked_N),
      'mean': group_probe.f1(np.ones_like(true), true, asked_N),
    }


def build(config: ConfigDict, spectra: Mapping[str, Spectra], split: Split) -> Task:
  """The task on this data; every constant comes from the training side alone.

  Raises:
    ValueError: spectra of other kinds than IR and Raman, molecules without a graph, or options that
      leave nothing to search.
  """
  augment.check_off(config.augment, 'retrieval')
  options = config.task.retrieval
  roots.check_both(spectra)
  roots.check_intensities(spectra)
  if not options.parts or set(options.parts) - set(PARTS):
    raise ValueError(
      f'task.retrieval.parts is {tuple(options.parts)}, expected one or both of '
      f'{", ".join(PARTS)}; correct it'
    )
  if config.head.name != 'molecule':
    raise ValueError(
      f'head.name is {config.head.name!r}, expected molecule for task retrieval; correct it'
    )
  meta = spectra['ir'].meta
  known = graphs.of_data_set(meta.get('smiles', meta['id']))
  scale, mean, basis = {}, {}, {}
  for kind in KINDS:
    values = spectra[kind].values
    scale[kind], mean[kind] = roots.constants(values, split.train)
    basis[kind] = roots.components(values, split.train, scale[kind], options.components)
  nu_L = spectra['ir'].axis
  return Task(config, nu_L, spectra, split, scale, mean, basis, known.padded(), known.groups)
