"""What of a model is trained when it starts from the weights of another: one file, one `Method`.

  begin(base, seed) -> trained       what the state holds, optimises and saves
  merge(base, trained) -> params     of the model, inside `task.effective`

`base` is the model's own draw from `config.seed` with the tokeniser and the backbone of
`config.adapt.init_from` put in. It is a constant of the run's program: no optimiser and no
checkpoint holds it, so what is frozen cannot move, and the hash of the file it comes from is part
of the run's identity.
"""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from spectra_jax import weights
from spectra_jax.model import component
from spectra_jax.weights import Weights

SHIPPED = 'shipped'
TRUNK = ('tokenizer', 'backbone')  # what weights are taken of
HEAD = 'head'  # what names of parts begin with that are new for each task

Tree = Any


@dataclasses.dataclass(frozen=True, eq=False)
class Adapted:
  """A task whose state holds what a method trains.

  Attributes:
    task: what the loop calls for everything else.
    base: parameters of the whole model, on the host.
    method: of a file of this folder.
    start: what the state holds before step 1, on the host.
  """

  task: Any
  base: Tree
  method: Any
  start: Tree

  def __getattr__(self, name: str) -> Any:
    return getattr(self.task, name)

  def effective(self, params: Tree) -> Tree:
    """Parameters of the model, of what the state holds."""
    return self.task.effective(self.method.merge(self.base, params))


def adapted(
  config: ConfigDict, task: Any, draw: Callable[[], Tree], data_hash: str
) -> tuple[Any, str]:
  """(the task as `config.adapt` has it, the hash of all that the run reads).

  Args:
    config: of the run.
    task: of its data.
    draw: gives the model's own parameters.
    data_hash: of the data.

  Raises:
    ValueError: weights that do not fit the model, or none of this kind.
    FileNotFoundError: no weights there.
  """
  adapt = config.adapt
  if adapt.name == 'full' and not adapt.init_from:
    return task, data_hash  # nothing is taken and all is trained
  base = jax.tree.map(np.asarray, jax.jit(draw)())
  if adapt.init_from:
    found = source(adapt.init_from)
    base = with_trunk(base, found, adapt.kind)
    data_hash = hashlib.sha256(f'{data_hash} {found.hash}'.encode()).hexdigest()
  method = component('adaptation', adapt.name).Method(**adapt[adapt.name].to_dict())
  return Adapted(task, base, method, method.begin(base, config.seed)), data_hash


def source(init_from: str) -> Weights:
  """The weights of `config.adapt.init_from`: 'shipped', a file of weights or a finished workdir."""
  if init_from == SHIPPED:
    return weights.read()
  path = pathlib.Path(init_from)
  return _of_workdir(path) if path.is_dir() else weights.read(path)


def _of_workdir(workdir: pathlib.Path) -> Weights:
  from spectra_jax import trained  # it imports train, which imports this

  params, about = trained.reconstruction(workdir)
  return Weights(params, about, weights.digest(params))


def with_trunk(drawn: Tree, found: Weights, kind: str) -> Tree:
  """The drawn parameters with tokeniser and backbone of the weights, in every member.

  Args:
    drawn: {'tokenizer', 'backbone', 'head'}, or {'encoders_0': {'tokenizer', 'backbone'}, ...}.
    found: the weights.
    kind: which of their kinds the spectra are like; a model of one kind takes its embedding.

  Raises:
    ValueError: a leaf of another shape, another kind, or a model without such parts.
  """
  if kind not in found.kinds:
    raise ValueError(
      f'adapt.kind is {kind!r}, expected one of {", ".join(found.kinds)}, the kinds that the '
      'weights have seen; set it to the one that the spectra are most like'
    )
  if not any(name in TRUNK or _has_trunk(part) for name, part in drawn.items()):
    raise ValueError(
      f'the model has the parts {", ".join(drawn)}, expected {" and ".join(TRUNK)}, which '
      "adapt.init_from gives; choose another encoder or task, or set adapt.init_from = ''"
    )
  return {name: _part(name, part, found, kind) for name, part in drawn.items()}


def heads(base: Tree) -> Tree:
  """The parts of a model that are new for each task.

  Raises:
    ValueError: there are none.
  """
  found = {name: part for name, part in base.items() if name.startswith(HEAD)}
  if not found:
    raise ValueError(
      f'the model has the parts {", ".join(base)} and none that begins with {HEAD!r}, expected one '
      'that adapt.name trains whole; set adapt.name = full, or choose task regress or classify'
    )
  return found


def _has_trunk(part: Tree) -> bool:
  return isinstance(part, Mapping) and TRUNK[0] in part


def _part(name: str, part: Tree, found: Weights, kind: str) -> Tree:
  if name in TRUNK:
    return _fitted(part, _of_kind(found, kind, part)[name], name)
  if _has_trunk(part):
    return {inner: _part(inner, own, found, kind) for inner, own in part.items()}
  return part


def _of_kind(found: Weights, kind: str, part: Tree) -> Tree:
  """The weights' trunk, its kinds as many as the part has."""
  trunk = {name: found.params[name] for name in TRUNK}
  if 'kind' not in part or len(part['kind']['embedding']) == len(found.kinds):
    return trunk
  row = found.kinds.index(kind)
  table = {'embedding': found.params['tokenizer']['kind']['embedding'][row : row + 1]}
  return {**trunk, 'tokenizer': {**trunk['tokenizer'], 'kind': table}}


def _fitted(drawn: Tree, given: Tree, name: str) -> Tree:
  here, there = (weights.flat(tree, f'{name}/') for tree in (drawn, given))
  shape = lambda tree, leaf: np.shape(tree[leaf]) if leaf in tree else 'absent'
  wrong = [x for x in sorted(here | there) if shape(here, x) != shape(there, x)]
  if wrong:
    raise ValueError(
      f'adapt.init_from has {wrong[0]} {shape(there, wrong[0])} and the model '
      f'{shape(here, wrong[0])} (first of {len(wrong)} differences), expected the same; set '
      'config.backbone and the ratio of tokenize.kernel_cm to step_cm to those of the weights'
    )
  return given
