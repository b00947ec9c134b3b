"""Faults that happen to a training run (`chaos.Victim`), and what the run must do then.

Each is a function of the victim: True when the run took it as it should, False when it did not,
None when the fault did not happen, as when the run came to its end before.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from spectra_jax.chaos import PATIENCE_SECONDS, Victim
from spectra_jax.checkpoint import SAVING


def killed(victim: Victim) -> bool | None:
  """SIGKILL at a random moment, of the start too."""
  victim.start()
  if victim.rng.random() < 0.2:
    victim.lives(victim.rng.uniform(0, 3))
    return _kill(victim)
  as_expected = victim.went_on()
  victim.lives(victim.rng.uniform(0, 1.5))
  return _kill(victim, as_expected)


def killed_while_saving(victim: Victim) -> bool | None:
  """SIGKILL between the beginning of a save and its manifest."""
  victim.start()
  as_expected, saving = victim.went_on(), victim.place.workdir / 'checkpoints' / SAVING
  for _ in range(victim.rng.randint(1, 3)):
    while not saving.exists():
      if victim.process.poll() is not None:
        return _over(victim)
      time.sleep(0)
    time.sleep(victim.rng.uniform(0, 0.03))
  return _kill(victim, as_expected)


def terminated(victim: Victim) -> bool | None:
  """SIGTERM: the run saves the step that it is at, says so, and ends with another status than 0."""
  victim.start()
  as_expected = victim.went_on()
  if not victim.lives(victim.rng.uniform(0, 0.5)):
    return _over(victim)
  code, before = victim.end(signal.SIGTERM), victim.sealed()
  if victim.finished():
    return None
  said = victim.said().rsplit('SIGTERM at step ', 1)[-1].split(':')[0]
  return as_expected and code > 0 and said == str(before[-1])


def bit_flipped(victim: Victim) -> bool | None:
  """One bit of one file of the newest checkpoint."""

  def flip(content: bytes) -> bytes:
    place = victim.rng.randrange(len(content))
    changed = content[place] ^ (1 << victim.rng.randrange(8))
    return content[:place] + bytes([changed]) + content[place + 1 :]

  return _harmed(victim, flip)


def truncated(victim: Victim) -> bool | None:
  """One file of the newest checkpoint ends early."""
  return _harmed(victim, lambda content: content[: victim.rng.randrange(len(content))])


def metrics_deleted(victim: Victim) -> bool | None:
  """Nobody can bring back what was written; the run goes on and writes what comes."""
  return killed(victim) if victim.lose_record() else None


def claimed_twice(victim: Victim) -> bool | None:
  """A second process of the same run is refused in a sentence, and the first notices nothing."""
  victim.start()
  as_expected = victim.went_on()
  second = subprocess.run(
    victim.place.command, capture_output=True, text=True, timeout=PATIENCE_SECONDS
  )
  if victim.process.poll() is not None:
    return _over(victim)
  refused = second.returncode == 1 and 'is in use by another process' in second.stderr
  return _kill(victim, refused and as_expected)


def clock_jumped(victim: Victim) -> bool | None:
  """The wall clock goes three days back, then a year ahead; not the monotonic one."""
  if not victim.place.faketime:
    return None
  offset = victim.place.output.with_suffix('.clock')
  offset.write_text('-3d')
  environment = {
    'LD_PRELOAD': victim.place.faketime,
    'FAKETIME_TIMESTAMP_FILE': str(offset),
    'FAKETIME_CACHE_DURATION': '1',
    'FAKETIME_DONT_FAKE_MONOTONIC': '1',
  }
  victim.start(environment)
  as_expected = victim.went_on()
  offset.write_text('+365d')
  victim.lives(2.5)
  return _kill(victim, as_expected)


def disk_filled(victim: Victim) -> bool | None:
  """No byte left on the disk: the run ends with an error, and goes on once there is room again."""
  if victim.place.disk is None:
    return None
  victim.start()
  as_expected = victim.went_on()
  victim.lives(victim.rng.uniform(0, 1.0))
  ballast = victim.place.disk / 'ballast'
  try:
    with contextlib.suppress(OSError), open(ballast, 'wb', buffering=0) as file:
      while True:
        file.write(bytes(1 << 12))
    code = victim.end()
  finally:
    ballast.unlink()
  return None if victim.finished() else as_expected and code != 0


def made_read_only(victim: Victim) -> bool | None:
  """The run is refused in a sentence and leaves the folder as it was."""
  if victim.place.disk is None or not victim.place.workdir.exists():
    return None
  before, said = _listing(victim.place.workdir), len(victim.said())
  _mount('-o', 'remount,ro', str(victim.place.disk))
  try:
    victim.start()
    code = victim.end()
  finally:
    _mount('-o', 'remount,rw', str(victim.place.disk))
  refused = 'cannot be written (Read-only file system)' in victim.said()[said:]
  return code == 1 and refused and _listing(victim.place.workdir) == before


def worker_killed(victim: Victim) -> bool | None:
  """SIGKILL of one process of a job of several; its supervisor starts all of them again."""
  if victim.process is None or victim.process.poll() is not None:
    victim.start()
  if not victim.went_on():
    return _over(victim)
  victim.lives(victim.rng.uniform(0, 2.0))
  workers = _children(victim.process.pid)
  if not workers or victim.finished():
    return None
  os.kill(victim.rng.choice(workers), signal.SIGKILL)
  while set(workers) & set(_children(victim.process.pid)):  # one of them may be saving still
    time.sleep(0.001)
  victim.foresee()
  return True


ALONE = (
  *(killed, killed_while_saving, terminated, bit_flipped, truncated, metrics_deleted),
  *(claimed_twice, clock_jumped, disk_filled, made_read_only),
)
WEIGHTS = (4, 6, 3, 4, 4, 2, 2, 2, 3, 2)


def _children(process: int) -> list[int]:
  path = pathlib.Path(f'/proc/{process}/task/{process}/children')
  return [int(word) for word in path.read_text().split()] if path.exists() else []


def _kill(victim: Victim, as_expected: bool = True) -> bool | None:
  """`as_expected` when SIGKILL met the run alive."""
  return as_expected if victim.end(signal.SIGKILL) == -signal.SIGKILL else _over(victim)


def _over(victim: Victim) -> bool | None:
  """What to say of a run that ended before its fault: nothing, unless it failed."""
  return None if victim.finished() else False


def _harmed(victim: Victim, change: Callable[[bytes], bytes]) -> bool | None:
  return killed(victim) if victim.harm(change) else None


def _listing(folder: pathlib.Path) -> list:
  return sorted((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob('*'))


# ---- disks ------------------------------------------------------------------


def _mount(*words: str) -> None:
  subprocess.run(['mount', *words], check=True, capture_output=True)


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, megabytes: int) -> Iterator[pathlib.Path | None]:
  """A file system of its own at `folder`; None where this process may not mount one."""
  folder.mkdir(parents=True, exist_ok=True)
  try:
    _mount('-t', 'tmpfs', '-o', f'size={megabytes}m', 'spectra_jax', str(folder))
  except (OSError, subprocess.CalledProcessError):
    yield None
    return
  try:
    yield folder
  finally:
    subprocess.run(['umount', '--lazy', str(folder)], check=True)


def find_faketime() -> str:
  """Path of libfaketime where the system has it; '' = not."""
  places = pathlib.Path('/usr/lib').glob('**/faketime/libfaketimeMT.so.1')
  return str(next(places, ''))
