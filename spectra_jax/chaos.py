"""Faults thrown at real training runs, and a book of what must come of them.

A `Victim` is one run that is started again after every fault. The book says, from the folder alone
and before each start, from which step the run must go on: the newest sealed checkpoint that was not
damaged here. At its end its record must be, byte for byte, that of a run that nothing happened to.
"""

import dataclasses
import json
import os
import pathlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from spectra_jax.checkpoint import MANIFEST
from spectra_jax.cost import ATTEMPTS
from spectra_jax.log import METRICS

PATIENCE_SECONDS = 300.0  # for anything that a run must do; a busy machine is slow
POLL_SECONDS = 0.002


@dataclasses.dataclass(frozen=True)
class Place:
  """Where a run is: its workdir, the disk under it and what it is started with."""

  workdir: pathlib.Path
  command: tuple[str, ...]  # of a training process, with its --workdir
  disk: pathlib.Path | None  # a small file system of its own, where this process may mount one
  faketime: str  # path of libfaketime; '' = none here

  @property
  def output(self) -> pathlib.Path:
    """What the run prints; beside the disk, which may be full."""
    name = self.workdir.name
    return (self.disk or self.workdir).parent / f'{name}.txt'


class Victim:
  """One run that faults happen to."""

  def __init__(self, place: Place, rng: random.Random):
    """Nothing runs yet."""
    self.place, self.rng = place, rng
    self.harmed: dict[pathlib.Path, bytes | None] = {}  # file of a checkpoint -> its bad content
    self.record_from: int | None = 0  # metrics.jsonl lost what it had up to here; None = not known
    self.lost, self.silent = 0, 0
    self.process: subprocess.Popen | None = None
    self._expected, self._attempts_before, self._record_lost_at = 0, 0, 0

  # ---- the run ----------------------------------------------------------------

  def start(self, environment: dict[str, str] | None = None) -> None:
    """Starts the run, or starts it again."""
    self.foresee()
    with open(self.place.output, 'a') as output:
      self.process = subprocess.Popen(
        self.place.command, stdout=output, stderr=output, env=os.environ | (environment or {})
      )

  def foresee(self) -> None:
    """Puts down from which step the next attempt must go on, while none is under way."""
    self._expected, self._attempts_before = self.newest_sound(), len(self._attempts())

  def went_on(self) -> bool:
    """Waits until the run says where it goes on, and compares; False when it ended before.

    Raises:
      TimeoutError: it says nothing.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(self._attempts()) == self._attempts_before:
      if self.process.poll() is not None:
        return False
      if time.monotonic() > deadline:
        raise TimeoutError(f'{self.place.command} does not start:\n{self.said()[-3000:]}')
      time.sleep(10 * POLL_SECONDS)
    first = self._attempts()[-1]['first_step']
    self.lost += max(self._expected - first, 0)
    self.silent += first > self._expected  # from a checkpoint that is damaged, or none
    if self.record_from is None:
      self.record_from = self._attempts()[self._record_lost_at]['first_step']
    return first == self._expected

  def lives(self, seconds: float) -> bool:
    """Lets the run go on for a while; False when it ended by itself."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
      if self.process.poll() is not None:
        return False
      time.sleep(POLL_SECONDS)
    return True

  def end(self, number: int | None = None) -> int:
    """Sends a signal, if any, and waits for the exit status."""
    if number is not None and self.process.poll() is None:
      self.process.send_signal(number)
    return self.process.wait(PATIENCE_SECONDS)

  def finish(self) -> None:
    """Lets the run come to its end, undisturbed.

    Raises:
      RuntimeError: it does not; the message has the end of what it printed.
    """
    self.start()
    self.went_on()
    if self.end() != 0:
      raise RuntimeError(f'a run that nothing happens to fails:\n{self.said()[-3000:]}')

  def finished(self) -> bool:
    """True once the report is there."""
    return (self.place.workdir / 'report.json').exists()

  def said(self) -> str:
    """All that the run has printed."""
    return self.place.output.read_text(errors='replace') if self.place.output.exists() else ''

  def _attempts(self) -> list:
    path = self.place.workdir / ATTEMPTS
    return json.loads(path.read_text()) if path.exists() else []

  # ---- the book ---------------------------------------------------------------

  def sealed(self) -> list[int]:
    """Steps with a manifest, oldest first."""
    found = (self.place.workdir / 'checkpoints').glob(f'[0-9]*/{MANIFEST}')
    return sorted(int(path.parent.name) for path in found)

  def newest_sound(self) -> int:
    """The newest sealed step without a file that was harmed here and still is; 0 without one."""
    still = lambda path, bad: path.exists() and path.read_bytes() == bad
    self.harmed = {path: bad for path, bad in self.harmed.items() if still(path, bad)}
    return max((s for s in self.sealed() if not self._is_harmed(s)), default=0)

  def _is_harmed(self, step: int) -> bool:
    folder = self.place.workdir / 'checkpoints' / str(step)
    return any(folder in path.parents for path in self.harmed)

  def lose_record(self) -> bool:
    """Deletes metrics.jsonl; False where there is none."""
    path = self.place.workdir / METRICS
    if not path.exists():
      return False
    path.unlink()
    self.record_from, self._record_lost_at = None, len(self._attempts())
    return True

  def harm(self, change: Callable[[bytes], bytes]) -> bool:
    """Changes a file of the newest sound checkpoint; False where no other would be left."""
    sound = [step for step in self.sealed() if not self._is_harmed(step)]
    if len(sound) < 2:
      return False
    folder = self.place.workdir / 'checkpoints' / str(sound[-1])
    files = sorted(p for p in folder.rglob('*') if p.is_file() and p.stat().st_size)
    path = self.rng.choice(files)
    bad = change(path.read_bytes())
    path.write_bytes(bad)
    self.harmed[path] = bad
    return True


# ---- comparison -------------------------------------------------------------


def same_record(workdir: pathlib.Path, whole: pathlib.Path, record_from: int = 0) -> bool:
  """True when metrics.jsonl and the results in report.json are those of `whole`.

  Bit for bit, of metrics.jsonl only what comes after `record_from` where the file was deleted.
  """
  lines = (whole / METRICS).read_bytes().splitlines(keepends=True)
  if record_from:
    lines = [line for line in lines if json.loads(line)['step'] > record_from]
  results = [json.loads((f / 'report.json').read_text())['results'] for f in (workdir, whole)]
  return (workdir / METRICS).read_bytes() == b''.join(lines) and results[0] == results[1]


# ---- the storm --------------------------------------------------------------


@dataclasses.dataclass
class Book:
  """What was injected and what came of it."""

  path: pathlib.Path  # one JSON object a fault, as they happen
  injected: int = 0
  survived: int = 0
  lost: int = 0  # steps, besides those since the last save
  silent_corruption: int = 0
  runs: int = 0
  by_fault: dict[str, list[int]] = dataclasses.field(default_factory=dict)  # [injected, survived]

  def note(self, run: str, fault: str, survived: bool) -> None:
    """One fault that happened."""
    self.injected += 1
    self.survived += survived
    row = self.by_fault.setdefault(fault, [0, 0])
    row[0] += 1
    row[1] += survived
    with open(self.path, 'a') as file:
      file.write(json.dumps({'run': run, 'fault': fault, 'survived': survived}) + '\n')

  def close_run(self, victim: Victim, whole: pathlib.Path) -> None:
    """A victim that came to its end."""
    same = same_record(victim.place.workdir, whole, victim.record_from or 0)
    self.runs += 1
    self.lost += victim.lost
    self.silent_corruption += victim.silent + (not same)


def storm(
  book: Book,
  victim: Victim,
  whole: pathlib.Path,
  faults: Sequence[Callable],
  weights: Sequence[int],
  deadline: float,
  most: int,
) -> None:
  """Throws at most `most` random faults at a run until `deadline`, then lets it come to its end."""
  for _ in range(most):
    if time.monotonic() > deadline or victim.finished():
      break
    fault = victim.rng.choices(faults, weights)[0]
    survived = fault(victim)
    if survived is not None:
      book.note(victim.place.workdir.name, fault.__name__, bool(survived))
      print(f'{victim.place.workdir.name}: {fault.__name__}, survived: {survived}', flush=True)
  if victim.process is not None and victim.process.poll() is None:
    victim.went_on()
    victim.end()
  if not victim.finished():
    victim.finish()
  book.close_run(victim, whole)


def command(module: str, words: Sequence[str], workdir: pathlib.Path) -> tuple[str, ...]:
  """A training process in `workdir`; `module` may bring words of its own, before `--`."""
  return (sys.executable, '-u', '-m', *module.split(), *words, f'--workdir={workdir}')
