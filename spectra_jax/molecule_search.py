"""Whose spectrum is this: a trained retrieval run, a file, and a library that may be any SMILES."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from spectra_jax import graphs, readers, weights
from spectra_jax.align import align
from spectra_jax.heads.molecule import CHARGES, ELEMENTS
from spectra_jax.library import Library
from spectra_jax.retrieval import MODES, columns
from spectra_jax.roots import KINDS, SAME
from spectra_jax.spectra import Spectra
from spectra_jax.tasks.retrieval import GRAPH, Task

BLOCK = 512  # molecules at a time
LEAST_SHARE = 0.5  # of the model's axis that a spectrum must cover
AS = {**{kind: kind for kind in KINDS}, **SAME, 'transmittance': 'ir'}  # what a file may hold


def library(
  task: Task, params: Any, smiles: Sequence[str] = (), known: Library | None = None
) -> Library:
  """Points of all molecules of the run's data set, then of those SMILES that none is called by.

  Args:
    task: of the run.
    params: of the run.
    smiles: of further molecules.
    known: an earlier library of this run, which grows.

  Raises:
    ValueError: a SMILES that is none or of atoms that no model has seen, or a library of another
      run.
  """
  made_by = weights.digest(params)
  if known is None:
    known = Library(task.spectra['ir'].meta['id'], points(task, params, task.graph), made_by)
  if known.made_by != made_by:
    raise ValueError(
      f'the library was made by parameters {known.made_by[:12]!r}, expected those of this run, '
      f'{made_by[:12]!r}, whose points alone its queries are near; make it again'
    )
  there = set(known.ids.tolist())
  new = [name for name in dict.fromkeys(smiles) if name not in there]
  if not new:
    return known
  atoms = task.graph['element'].shape[1]
  more = graphs.of_smiles(new)
  _check_atoms(more)
  return known.grown(more.smiles, points(task, params, more.padded(max(atoms, more.largest))))


def _check_atoms(more: graphs.Graphs) -> None:
  for name, known in (('element', ELEMENTS), ('charge', CHARGES)):
    strange = np.flatnonzero(~np.isin(getattr(more, name), known))
    if len(strange):
      row = np.searchsorted(more.atom_offsets, strange[0], side='right') - 1
      raise ValueError(
        f'{more.smiles[row]} has an atom of {name} {getattr(more, name)[strange[0]]}, expected one '
        f'of {", ".join(map(str, known))}, which models tell apart; leave it out'
      )


def points(task: Task, params: Any, graph: Mapping[str, np.ndarray]) -> np.ndarray:
  """[M, V] of molecules, from their graphs alone."""
  module = task.module()

  @jax.jit
  def some(params, graph):
    called = lambda method, *x: module.apply({'params': params}, *x, method=method)
    outputs = called('of_molecules', graph, task.nu_L)
    alone = {name: x[:, None] for name, x in outputs.items()}
    sharpness = called('sharpness', len(graph['element']))
    return task.points({**alone, 'sharpness': sharpness})[:, 0]

  graph = {name: graph[name] for name in GRAPH}
  parts = []
  for start in range(0, len(graph['element']), BLOCK):
    part = {name: x[start : start + BLOCK] for name, x in graph.items()}
    parts.append(np.asarray(some(params, part)))
  return np.concatenate(parts)


def query(
  task: Task, params: Any, measured: Mapping[str, Spectra]
) -> tuple[np.ndarray, np.ndarray]:
  """(point [1, V], columns [V] that it tells) of one sample's IR, Raman or both.

  The root of what was measured is scaled to the mean square of training spectra, since a file does
  not tell how much of the sample there was; where nothing was measured it counts as the mean.

  Args:
    measured: 'ir' (absorbance), 'raman', or both -> one spectrum on any axis.

  Raises:
    ValueError: no spectrum, several, or one that covers less than half of the model's axis.
  """
  if not measured or set(measured) - set(KINDS):
    raise ValueError(f'spectra are {sorted(measured)}, expected one or both of {", ".join(KINDS)}')
  roots = {kind: _root(task, kind, spectra) for kind, spectra in measured.items()}
  root = {kind: roots.get(kind, np.float32(task.mean[kind]))[None] for kind in KINDS}
  visible = {kind: np.full((1, len(task.nu_L)), kind in measured) for kind in KINDS}
  called = lambda method, *x: task.module().apply({'params': params}, *x, method=method)
  outputs = {'sharpness': called('sharpness', 1)}
  if 'embedding' in outputs['sharpness']:
    outputs['embedding'] = called('embed', root, visible, task.nu_L, False)
  told_V = columns(_mode(measured), task.widths(outputs['sharpness']))
  return np.asarray(task.queries(outputs, root)), told_V


def read(path: str, kind: str = '') -> tuple[str, Spectra]:
  """('ir' or 'raman', the one spectrum of a file), transmittance as absorbance.

  Args:
    path: of any format that `spectra_jax.readers` reads.
    kind: where the file does not state it.

  Raises:
    ValueError: not one spectrum, or one of another kind.
  """
  found = readers.read(path, kind=kind)
  if len(found) != 1 or len(found[0]) != 1:
    raise ValueError(f'{path} holds {sum(map(len, found))} spectra, expected one; cut it out')
  spectra = found[0]
  if spectra.kind not in AS:
    raise ValueError(
      f'{path} holds {spectra.kind}, expected one of {", ".join(AS)}; convert it, or tell its kind'
    )
  return AS[spectra.kind], spectra


def ranking(library: Library, point_1xV: np.ndarray, told_V: np.ndarray, k: int) -> list[dict]:
  """[{'rank', 'id', 'distance'}] of the k nearest."""
  place_1xK, squared_1xK = library.search(point_1xV, k, told_V)
  found = zip(library.ids[place_1xK[0]].tolist(), np.sqrt(squared_1xK[0]).tolist(), strict=True)
  return [{'rank': n + 1, 'id': name, 'distance': x} for n, (name, x) in enumerate(found)]


def _root(task: Task, kind: str, spectra: Spectra) -> np.ndarray:
  """[L] on the model's axis, of mean square 1 where measured, like the training spectra."""
  on_axis = align([spectra], task.nu_L)
  values_L, mask_L = np.float64(on_axis.values[0]), on_axis.mask[0]
  if mask_L.mean() < LEAST_SHARE:
    raise ValueError(
      f'the {kind} spectrum covers {mask_L.mean():.0%} of {task.nu_L[0]:g} to {task.nu_L[-1]:g} '
      f'cm^-1, expected at least {LEAST_SHARE:.0%}; measure more of it'
    )
  if spectra.kind == 'transmittance':
    values_L = -np.log10(np.maximum(values_L, 1e-4))
  root_L = np.sqrt(np.maximum(values_L, 0.0))
  size = np.sqrt((root_L[mask_L] ** 2).mean())
  if not size > 0:
    raise ValueError(f'the {kind} spectrum is nowhere above 0, expected intensities; look at it')
  return np.float32(np.where(mask_L, root_L / size, task.mean[kind]))


def _mode(measured: Mapping[str, Spectra]) -> str:
  """Which of `MODES` these spectra are."""
  return MODES[-1] if len(measured) == len(KINDS) else next(iter(measured))
