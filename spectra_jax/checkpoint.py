"""Checkpoints that are whole or refused: every file is hashed once written and before it is read.

orbax restores flipped bits without a word and cannot open a manager over a damaged metrics file.
So each step folder carries a `manifest` (sha256 of every file, shape, dtype and CRC of every leaf,
the metrics), written by process 0 after the commit and closed by a hash of its own. A step without
a sound manifest is not restored, never deleted, and moved to `damaged/` before the next save.
"""

import functools
import hashlib
import json
import math
import os
import pathlib
import shutil
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import preservation_policy

from spectra_jax import distributed
from spectra_jax.workdir import write_bytes_atomic

MANIFEST = 'manifest'
SAVING = '.saving'  # holds the step whose save has begun and is not sealed yet
DAMAGED = 'damaged'

State = Any


class Checkpoints:
  """The checkpoints of one run: `keep_last` newest and `keep_best` best by validation.

  A step is the number of completed updates, `state.step`, so a run goes on with exactly that one.
  """

  def __init__(
    self,
    directory: str | os.PathLike,
    every: int,
    keep_last: int,
    keep_best: int,
    best_metric: str,
    best_mode: str,
  ):
    """Touches no file.

    Args:
      directory: of this run's checkpoints alone; made at the first save.
      every: steps from one save to the next.
      keep_last: at least 2, since a damaged newest one needs an older one behind it.
      keep_best: of the steps with the best `best_metric`.
      best_metric: name among the metrics of each save; a non-finite value counts as the worst.
      best_mode: 'min' or 'max'.

    Raises:
      ValueError: an option outside its range.
    """
    self.directory = pathlib.Path(directory).resolve()
    self.every, self.keep_last, self.keep_best = every, keep_last, keep_best
    self.best_metric, self.best_mode = best_metric, best_mode
    self._last: int | None = None
    self._verdicts: dict[int, str | None] = {}  # step -> what is wrong with it, None = sound
    for name, least in (('every', 1), ('keep_last', 2), ('keep_best', 0)):
      if getattr(self, name) < least:
        raise ValueError(
          f'checkpoint.{name} is {getattr(self, name)}; expected at least {least}; raise it'
        )
    if best_mode not in ('min', 'max'):
      raise ValueError(
        f"checkpoint.best_mode is {best_mode!r}; expected 'min' or 'max'; set it to one of them"
      )

  # ---- saving -----------------------------------------------------------------

  def should_save(self, step: int) -> bool:
    """True every `every` steps, unless that step is the one last saved or restored."""
    return step % self.every == 0 and step != self._last

  def reached_preemption(self, step: int) -> bool:
    """True at the step that all processes agreed to stop at after one of them got SIGTERM.

    Call it after every step on every process: the agreed step is compared for equality. False
    without `distributed.initialize`.
    """
    return multihost_utils.reached_preemption_sync_point(step)

  def save(
    self, step: int, state: State, metrics: Mapping[str, float], force: bool = False
  ) -> bool:
    """Writes `state` and returns when it can be restored; False when there was nothing to do.

    Args:
      step: completed updates, equal to `state.step`.
      state: any sharding; every process calls.
      metrics: the latest validation; ranks this step among the best and comes back at restore.
      force: also between the regular steps.

    Raises:
      ValueError: step and state disagree, a newer step exists, or the metric is missing.
    """
    if step == self._last or not (force or self.should_save(step)):
      return False
    self._check(step, state, metrics)
    metrics = {name: float(value) for name, value in metrics.items()}
    leaves = _describe(state)
    distributed.on_first_process(lambda: self._begin(step), f'begin checkpoint {step}')
    self._manager.save(
      step, args=ocp.args.Composite(state=ocp.args.StandardSave(state)), metrics=metrics, force=True
    )
    distributed.on_first_process(
      lambda: self._seal(step, leaves, metrics), f'write the manifest of checkpoint {step}'
    )
    self._last = step
    return True

  def close(self) -> None:
    """Waits for what is still being written or deleted."""
    if '_manager' in self.__dict__:
      self._manager.close()

  @functools.cached_property
  def _manager(self) -> ocp.CheckpointManager:
    # Opened at the first save only: opening changes the folder, and a reader must not.
    distributed.on_first_process(
      self._set_aside, f'set damaged checkpoints in {self.directory} aside'
    )
    keep = [
      preservation_policy.LatestN(self.keep_last),
      preservation_policy.BestN(
        get_metric_fn=self._score, reverse=self.best_mode == 'min', n=self.keep_best
      ),
    ]
    return ocp.CheckpointManager(
      self.directory,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=preservation_policy.AnyPreservationPolicy(keep),
        best_fn=self._score,  # without it orbax writes no metrics and BestN keeps every step
        best_mode=self.best_mode,
        cleanup_tmp_directories=True,
        enable_async_checkpointing=False,  # what `save` returned from is on disk and sealed
      ),
    )

  def _score(self, metrics: Mapping[str, float]) -> float:
    value = metrics.get(self.best_metric, math.nan)
    worst = math.inf if self.best_mode == 'min' else -math.inf
    return value if math.isfinite(value) else worst

  def _check(self, step: int, state: State, metrics: Mapping[str, float]) -> None:
    completed = int(state.step)
    if step != completed:
      raise ValueError(
        f'checkpoint step is {step}; expected {completed}, the updates that the state has '
        'completed; pass state.step'
      )
    if self.best_metric not in metrics:
      raise ValueError(
        f'metrics of checkpoint {step} are {sorted(metrics)}; expected {self.best_metric!r} among '
        'them; validate before the first save or set checkpoint.best_metric to one of them'
      )
    newest = max(self._manager.all_steps(), default=-1)
    if newest >= step:
      raise ValueError(
        f'checkpoint step is {step} but {self.directory} has step {newest}; expected a later step; '
        'restore before going on, or use another --workdir'
      )

  def _begin(self, step: int) -> None:
    write_bytes_atomic(self.directory / SAVING, str(step).encode())

  def _seal(self, step: int, leaves: dict, metrics: dict[str, float]) -> None:
    folder = self.directory / str(step)
    files = {str(path.relative_to(folder)): _sha256(path) for path in _files(folder)}
    document = {'step': step, 'metrics': metrics, 'leaves': leaves, 'files': files}
    body = json.dumps(document, indent=1).encode()
    write_bytes_atomic(folder / MANIFEST, _digest(body) + b'\n' + body)
    self._verdicts[step] = None
    (self.directory / SAVING).unlink()

  def _set_aside(self) -> None:
    self.directory.mkdir(parents=True, exist_ok=True)
    for step in self._steps():
      if self._verdict(step) is not None:
        self._move_away(step)
    cut_off = self._cut_off()
    if cut_off is not None:  # never was a checkpoint, so nothing is lost with it
      shutil.rmtree(self.directory / str(cut_off), ignore_errors=True)

  def _move_away(self, step: int) -> None:
    (self.directory / DAMAGED).mkdir(exist_ok=True)
    names = (f'{step}-{n}' if n else str(step) for n in range(10**6))
    target = next(p for name in names if not (p := self.directory / DAMAGED / name).exists())
    os.rename(self.directory / str(step), target)
    logging.warning('damaged checkpoint %d is now %s', step, target)

  # ---- restoring --------------------------------------------------------------

  def restore(
    self, template: State, best: bool = False
  ) -> tuple[State, int, dict[str, float]] | None:
    """The newest sound checkpoint as (state, step, metrics), or None when there is none at all.

    Changes no file. A damaged step is named in a warning and an older one is taken.

    Args:
      template: state with the wanted structure, shapes, dtypes and shardings (arrays or
        ShapeDtypeStructs); the device count may differ from the one that saved.
      best: the one with the best `best_metric` instead of the newest.

    Raises:
      ValueError: a sound checkpoint has another structure than `template`.
      RuntimeError: checkpoints exist and every one is damaged.
    """
    like = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), template
    )
    choose = lambda: self._choose(template, best)
    while (step := distributed.on_first_process(choose, 'find a sound checkpoint')) is not None:
      folder = self.directory / str(step)
      with ocp.StandardCheckpointer() as checkpointer:
        state = checkpointer.restore(folder / 'state', like)
      manifest = _read_manifest(folder)
      wrong = _wrong_leaves(manifest['leaves'], state)
      if distributed.all_agree(not wrong):
        self._last = step
        return state, step, manifest['metrics']
      self._verdicts[step] = f'{", ".join(wrong[:3]) or "an array"} was read with another checksum'
    return None

  def _choose(self, template: State, best: bool) -> int | None:
    steps = self._steps()
    faults = {step: fault for step in steps if (fault := self._verdict(step)) is not None}
    for step, fault in faults.items():
      logging.warning('checkpoint %s/%d is damaged: %s', self.directory, step, fault)
    sound = [step for step in steps if step not in faults]
    if steps and not sound:
      named = '; '.join(f'{step}: {fault}' for step, fault in faults.items())
      raise RuntimeError(
        f'no checkpoint in {self.directory} is usable ({named}) and this run will not restart from '
        'scratch over them; put a good copy back or use another --workdir'
      )
    if not sound:
      return None
    manifests = {step: _read_manifest(self.directory / str(step)) for step in sound}
    sign = -1 if self.best_mode == 'min' else 1
    rank = lambda step: (sign * self._score(manifests[step]['metrics']) if best else 0, step)
    chosen = max(sound, key=rank)
    _check_structure(self.directory / str(chosen), manifests[chosen]['leaves'], template)
    return chosen

  def _steps(self) -> list[int]:
    """Steps that were sealed once, oldest first; one cut off while it was saved is none."""
    if not self.directory.exists():
      return []
    found = {int(p.name) for p in self.directory.iterdir() if p.is_dir() and p.name.isdecimal()}
    return sorted(found - {self._cut_off()})

  def _cut_off(self) -> int | None:
    """The step whose save was cut off before its manifest was written."""
    path = self.directory / SAVING
    text = path.read_text(errors='replace') if path.exists() else ''
    if not text.isdecimal() or (self.directory / text / MANIFEST).exists():
      return None
    return int(text)

  def _verdict(self, step: int) -> str | None:
    if step not in self._verdicts:
      self._verdicts[step] = _fault(self.directory / str(step))
    return self._verdicts[step]


# ---- files ------------------------------------------------------------------


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
  return sorted(p for p in folder.rglob('*') if p.is_file() and p != folder / MANIFEST)


def _sha256(path: pathlib.Path) -> str:
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _digest(body: bytes) -> bytes:
  return hashlib.sha256(body).hexdigest().encode()


def _read_manifest(folder: pathlib.Path) -> dict[str, Any] | None:
  """The manifest of a step, or None when it is not what was written."""
  digest, _, body = (folder / MANIFEST).read_bytes().partition(b'\n')
  return json.loads(body) if digest == _digest(body) else None


def _fault(folder: pathlib.Path) -> str | None:
  """What is wrong with a step on disk, in a few words; None when it is as it was written."""
  try:
    manifest = _read_manifest(folder)
  except OSError as error:
    return f'its manifest cannot be read ({error.strerror})'
  if manifest is None:
    return 'its manifest was altered'
  for name, digest in manifest['files'].items():
    try:
      if _sha256(folder / name) != digest:
        return f'{name} was altered'
    except OSError as error:
      return f'{name} cannot be read ({error.strerror})'
  return None


# ---- leaves -----------------------------------------------------------------


def _named(state: State) -> dict[str, Any]:
  leaves, _ = jax.tree_util.tree_flatten_with_path(state)
  return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf for path, leaf in leaves}


def _describe(state: State) -> dict[str, dict[str, Any]]:
  return {
    name: {'shape': list(x.shape), 'dtype': str(x.dtype), 'crc32': _crc(x)}
    for name, x in _named(state).items()
  }


def _crc(x: jax.Array) -> int | None:
  """CRC of the whole array; None when no process holds it whole (the manifest covers the files)."""
  if x.is_fully_replicated:
    x = x.addressable_data(0)
  elif not x.is_fully_addressable:
    return None
  return zlib.crc32(np.ascontiguousarray(x).tobytes())


def _wrong_leaves(described: dict, state: State) -> list[str]:
  wrong = []
  for name, x in _named(state).items():
    expected, found = described[name]['crc32'], _crc(x)
    if None not in (expected, found) and expected != found:
      wrong.append(name)
  return wrong


def _check_structure(folder: pathlib.Path, described: dict, template: State) -> None:
  there = {name: (tuple(d['shape']), d['dtype']) for name, d in described.items()}
  here = {name: (x.shape, str(x.dtype)) for name, x in _named(template).items()}
  differing = sorted(name for name in there | here if there.get(name) != here.get(name))
  if differing:
    name = differing[0]
    show = lambda of: '{1}{0}'.format(*of[name]) if name in of else 'absent'
    raise ValueError(
      f'checkpoint {folder} is of another model: {name} is {show(there)} there and {show(here)} '
      f'here (first of {len(differing)} differences); use the config that wrote it or another '
      '--workdir'
    )
