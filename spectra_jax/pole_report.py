"""What training did to the poles of several runs that differ by their seeds, as one report.

Runs are grouped by their config without the seed. The data set `planted` knows the pole that a
layer of tokens should have; how near the nearest pole is to it is compared with where it was before
training, and with networks of the same seeds that were trained on another planted pole.
"""

import collections
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from spectra_jax import figures, pole_drift, report, train, trained, transfer
from spectra_jax.datasets import planted
from spectra_jax.workdir import NOT_IDENTITY, write_json_atomic

MOST_POLES = 600  # of a layer: pairing takes the cube of it
SAME_TASK = ('dataset.planted.period_cm', 'dataset.planted.decay_cm')  # in what tasks differ


class Poles(NamedTuple):
  """Of one run, layer by layer.

  initial, trained: [K] arrays [P] of all poles, conjugates included.
  gain: [2, K] gain at the planted pole's ripple over the median gain, before and after, in dB.
  """

  config: ConfigDict
  report: Mapping[str, Any]
  step_cm: float
  initial: list[np.ndarray]
  trained: list[np.ndarray]
  gain: np.ndarray

  @property
  def planted(self) -> complex | None:
    """The pole that this run's data have, if any."""
    if self.config.dataset.name != 'planted':
      return None
    options = self.config.dataset.planted
    return planted.pole(options.period_cm, options.decay_cm, self.step_cm)


def read(workdir: pathlib.Path) -> Poles:
  """Poles of a finished run, before and after training.

  Raises:
    ValueError: no finished run, one of another task than masked, other data, or layers that are not
      linear or have too many poles.
  """
  path = workdir / 'report.json'
  if not path.exists():
    raise ValueError(f'{path} is missing, expected a run that has finished; train it to its end')
  run, params = trained.load(workdir, ('masked',))
  before = jax.jit(lambda: train.initial_params(run.task, run.module, run.config.seed))()
  sides = [_layers(run, tree) for tree in (before, params)]
  poles = [[transfer.poles(system).ravel() for system in side.values()] for side in sides]
  count = max(map(len, poles[0]))
  if count > MOST_POLES:
    raise ValueError(
      f'a layer of {workdir} has {count} poles, expected at most {MOST_POLES} to pair; choose a '
      'backbone whose channels share theirs, such as linoss or s5'
    )
  step_cm = run.config.tokenize.step_cm
  found = Poles(run.config, json.loads(path.read_text()), step_cm, *poles, np.zeros((2, 0)))
  if found.planted is None:
    return found
  theta = np.angle(found.planted)
  gain = [[_relative_gain(system, theta) for system in side.values()] for side in sides]
  return found._replace(gain=np.array(gain))


def _layers(run: train.Run, params: Any) -> Mapping[str, transfer.LinearFilter]:
  own = {'params': run.task.effective(params)['backbone']}
  return transfer.layers(run.module.backbone, own, run.config.backbone.width)


def _relative_gain(system: transfer.LinearFilter, theta: float) -> float:
  """20 log10 of the gain at an angle over the median of those from 0 to pi."""
  everywhere = transfer.gain(system, np.linspace(0.01, np.pi, 128))
  return float(20 * np.log10(transfer.gain(system, np.array([theta]))[0] / np.median(everywhere)))


def groups(runs: Sequence[Poles]) -> dict[str, list[Poles]]:
  """Runs that differ by their seeds alone, by a name of what they are.

  Raises:
    ValueError: a seed is there twice, which would count as evidence twice.
  """
  found: dict[str, list[Poles]] = {}
  for run in sorted(runs, key=lambda run: run.config.seed):
    found.setdefault(_key(run.config, leave=()), []).append(run)
  for mine in found.values():
    seeds = [run.config.seed for run in mine]
    if len(seeds) > len(set(seeds)):
      raise ValueError(
        f'runs of {_name(mine[0].config)} have the seeds {seeds}, expected each once; leave the '
        'copies out of --runs'
      )
  return found


def document(mine: Sequence[Poles], others: Sequence[Poles]) -> dict[str, Any]:
  """The report of one group, for `experiments.table`.

  Args:
    mine: runs of several seeds.
    others: runs of the same seeds on other planted poles; none where there are none.
  """
  results: dict[str, Any] = {
    'poles': pole_drift.drift([r.initial for r in mine], [r.trained for r in mine])._asdict()
  }
  for name in ('nre', 'gaussian'):
    results[name] = float(np.mean([_of_kinds(run.report['results'], name) for run in mine]))
  if mine[0].planted is not None:
    results['planted'] = _planted(mine, others)
  first = mine[0]
  return {
    'task': first.report['task'],
    'results': results,
    'split': first.report['split'],
    'seed': 0,  # all of `seeds` are in every number
    'seeds': [run.config.seed for run in mine],
    'resumed_from': 0,
    'wall_s': sum(run.report['wall_s'] for run in mine),
    **report.provenance(),
    'config': json.loads(first.config.to_json()),
  }


def _of_kinds(results: Mapping[str, Any], name: str) -> float:
  """Mean over kinds of spectra."""
  return float(np.mean([of_kind[name] for of_kind in results.values()]))


def _planted(mine: Sequence[Poles], others: Sequence[Poles]) -> dict[str, Any]:
  """How near the nearest pole of any layer is to the planted one, and the gain there."""
  wanted = mine[0].planted
  near = lambda layers: min(pole_drift.nearest(poles, wanted) for poles in layers)
  after = [near(run.trained) for run in mine]
  before = [near(run.initial) for run in mine]
  told = {
    'nearest_before': float(np.mean(before)),
    'nearest_after': float(np.mean(after)),
    'gain_db_before': float(np.mean([run.gain[0].max() for run in mine])),
    'gain_db_after': float(np.mean([run.gain[1].max() for run in mine])),
  }
  told |= dict(
    zip(('moved_nearer', 'p', 'least_p'), pole_drift.preference(after, before), strict=True)
  )
  of_seed = collections.defaultdict(list)
  for run in others:
    of_seed[run.config.seed].append(near(run.trained))
  pairs = [
    (a, float(np.mean(of_seed[run.config.seed])))
    for a, run in zip(after, mine, strict=True)
    if run.config.seed in of_seed
  ]
  if len(pairs) > 1:
    own, other = zip(*pairs, strict=True)
    tested = pole_drift.preference(own, other)
    told |= {'nearest_other': float(np.mean(other))}
    told |= dict(zip(('nearer_than_other', 'p_other', 'least_p_other'), tested, strict=True))
  return told


def write(runs: Sequence[Poles], root: pathlib.Path) -> dict[str, Any]:
  """root/NAME/report.json and poles.png of every group; {name: results}.

  Raises:
    ValueError: a group of one seed.
  """
  found, told = groups(runs), {}
  names = folders(found)
  for key, mine in found.items():
    others = [
      run
      for other, theirs in found.items()
      for run in theirs
      if other != key and _key(run.config, SAME_TASK) == _key(mine[0].config, SAME_TASK)
    ]
    name = names[key]
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    made = document(mine, others)
    write_json_atomic(folder / 'report.json', made)
    figure(mine).savefig(folder / 'poles.png', dpi=100)
    told[name] = made['results']
  return told


def folders(found: Mapping[str, Sequence[Poles]]) -> dict[str, str]:
  """Key of a group -> what its folder is called; groups alike but for sizes or training by hash."""
  names = {key: _name(mine[0].config) for key, mine in found.items()}
  alike = collections.Counter(names.values())
  by_hash = lambda key: '-' + hashlib.sha256(key.encode()).hexdigest()[:6]
  return {key: name + by_hash(key) * (alike[name] > 1) for key, name in names.items()}


def _name(config: ConfigDict) -> str:
  options = config.dataset.planted
  planted_at = f'-{options.period_cm:g}-{options.decay_cm:g}' * (config.dataset.name == 'planted')
  return f'{config.dataset.name}{planted_at}-{config.backbone.name}'


def _key(config: ConfigDict, leave: tuple[str, ...]) -> str:
  plain = json.loads(config.to_json())
  for name in ('seed', *NOT_IDENTITY):
    del plain[name]
  for name in leave:
    *parts, last = name.split('.')
    at = plain
    for part in parts:
      at = at[part]
    at.pop(last)
  return json.dumps(plain, sort_keys=True)


def figure(mine: Sequence[Poles]) -> Figure:
  """Period and decay length of all poles, before and after training, and of the planted one."""
  step_cm, drawn = mine[0].step_cm, Figure(figsize=(6.4, 5.2), layout='constrained')
  ax = drawn.subplots()
  sides = {'before training': ([r.initial for r in mine], '#BBBBBB')}
  sides['after training'] = ([r.trained for r in mine], figures.BLUE)
  for label, (runs, colour) in sides.items():
    poles = np.concatenate([layer for run in runs for layer in run])
    poles = poles[poles.imag >= 0]
    decay = np.clip(transfer.decay_length_cm(poles, step_cm), 1.0, 1e5)
    period = np.clip(transfer.period_cm(poles, step_cm), 2 * step_cm, 2e4)
    ax.plot(period, decay, '.', color=colour, ms=6, label=label)
  if mine[0].planted is not None:
    options = mine[0].config.dataset.planted
    ax.plot(
      options.period_cm,
      options.decay_cm,
      'x',
      color=figures.VERMILION,
      ms=14,
      mew=3,
      label='planted',
    )
  ax.set(xscale='log', yscale='log')
  ax.set_xlabel('Period along the axis (cm$^{-1}$)', fontsize=13)
  ax.set_ylabel('Decay length along the axis (cm$^{-1}$)', fontsize=13)
  ax.tick_params(labelsize=12)
  ax.grid(color='#E8E8E8', lw=0.8)
  drawn.legend(loc='outside lower center', ncols=3, frameon=False, fontsize=11)
  return drawn
