"""Runs on this machine: each in a process of its own, n at a time, on cores or GPUs of its own.

While a run goes, running.json of its folder says where; its output is added to log.txt, and when it
ends exit.json says how. That is the same under a cluster's scheduler, whose jobs call `start` too.
"""

import collections
import contextlib
import dataclasses
import datetime
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from spectra_jax.workdir import write_json_atomic

LOG, RUNNING, EXIT = 'log.txt', 'running.json', 'exit.json'
LAST_LINES = 20
POLL_SECONDS = 0.1
STOPPED = 'SIGTERM at step'  # how a run begins its last line when it saved and left


@dataclasses.dataclass(frozen=True)
class Job:
  """A command and the folder of what it leaves."""

  name: str
  folder: pathlib.Path
  argv: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Place:
  """What one run may use: cores by number (none = any), and variables of its environment."""

  cores: tuple[int, ...] = ()
  variables: Mapping[str, str] = dataclasses.field(default_factory=dict)


# ---- one run ----------------------------------------------------------------


class Child:
  """A started job, or one of its processes: rank 0 speaks for all."""

  def __init__(self, job: Job, process: subprocess.Popen, rank: int, begin: int):
    self.job, self.process, self.rank = job, process, rank
    self.stopping = False
    self._begin = begin  # of this start's output in the log

  def stop(self) -> None:
    """SIGTERM: a run saves and leaves."""
    self.stopping = True
    if self.process.poll() is None:
      self.process.send_signal(signal.SIGTERM)

  def wait(self) -> None:
    """Returns when the process has ended, also from within a signal handler.

    `Popen.wait` holds a lock that a handler, which interrupts it, would wait for without end.
    """
    with contextlib.suppress(ChildProcessError):
      os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

  def outcome(self) -> dict[str, Any]:
    """How the process, which has ended, did so; written to exit.json."""
    with open(_log(self.job, self.rank), 'rb') as file:
      file.seek(self._begin)
      lines = collections.deque(file, LAST_LINES)
    last = [line.decode(errors='replace').rstrip() for line in lines]
    returncode = self.process.wait()
    told = any(line.startswith(STOPPED) for line in last)
    ended = {
      'returncode': returncode,
      'last_lines': last,
      'finished': _now(),
      'stopped': returncode != 0 and (told or self.stopping or returncode == -signal.SIGTERM),
    }
    if self.rank == 0:
      write_json_atomic(self.job.folder / EXIT, ended)
      (self.job.folder / RUNNING).unlink(missing_ok=True)
    return ended


def start(job: Job, place: Place, rank: int = 0) -> Child:
  """Starts process `rank` of `job` in a session of its own: Ctrl-C reaches the launcher alone."""
  job.folder.mkdir(parents=True, exist_ok=True)
  with open(_log(job, rank), 'ab') as file:
    begin = file.tell()
    process = subprocess.Popen(
      job.argv,
      stdin=subprocess.DEVNULL,
      stdout=file,
      stderr=subprocess.STDOUT,
      env={**os.environ, 'PYTHONUNBUFFERED': '1', **place.variables},
      start_new_session=True,
    )
    if place.cores:  # before it can have started a thread, which would not follow
      os.sched_setaffinity(process.pid, place.cores)
    child = Child(job, process, rank, begin)
  if rank == 0:
    host = {'host': socket.gethostname(), 'pid': process.pid}
    write_json_atomic(job.folder / RUNNING, {**host, 'started': _now(), 'command': list(job.argv)})
    (job.folder / EXIT).unlink(missing_ok=True)
  return child


def _log(job: Job, rank: int) -> pathlib.Path:
  return job.folder / (f'log-{rank}.txt' if rank else LOG)


def _now() -> str:
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='milliseconds')


# ---- many -------------------------------------------------------------------


def places(jobs: int, environment: Mapping[str, str]) -> list[Place]:
  """`jobs` equal shares of the cores and GPUs that this process may use.

  Raises:
    ValueError: fewer cores or GPUs than jobs.
  """
  affinity = getattr(os, 'sched_getaffinity', None)  # on macOS there is none, and no share
  cores = sorted(affinity(0)) if affinity else list(range(os.cpu_count()))
  gpus = _gpus(environment)
  for what, found in (('cores', cores), *([('GPUs', gpus)] if gpus else [])):
    if not 1 <= jobs <= len(found):
      raise ValueError(
        f'--jobs is {jobs} and there are {len(found)} {what}; expected 1 to {len(found)}, so that '
        'no two runs share one; set it so'
      )
  share = lambda of, i: of[i * (len(of) // jobs) : (i + 1) * (len(of) // jobs)]
  return [
    Place(
      tuple(share(cores, i)) if affinity else (),
      {'CUDA_VISIBLE_DEVICES': ','.join(share(gpus, i))} if gpus else {},
    )
    for i in range(jobs)
  ]


def _gpus(environment: Mapping[str, str]) -> list[str]:
  """Names that CUDA_VISIBLE_DEVICES takes, of the GPUs that a run would see."""
  platforms = environment.get('JAX_PLATFORMS', '')
  if platforms and not {'cuda', 'gpu'} & set(platforms.split(',')):
    return []
  if 'CUDA_VISIBLE_DEVICES' in environment:
    return [name for name in environment['CUDA_VISIBLE_DEVICES'].split(',') if name]
  if shutil.which('nvidia-smi') is None:
    return []
  asked = ['nvidia-smi', '--query-gpu=index', '--format=csv,noheader']
  return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()


def run(
  jobs: Sequence[Job], shares: Sequence[Place], say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
  """Runs `jobs` in order, as many at a time as there are `shares`; one that fails stops no other.

  On SIGINT or SIGTERM nothing more is started, the running ones get SIGTERM, and this returns when
  they have saved and left; another SIGINT kills them.

  Returns:
    {name: content of exit.json} of each job that was started.
  """
  waiting, free = collections.deque(jobs), list(reversed(shares))
  running: dict[str, tuple[Child, Place]] = {}
  outcomes = {}
  with _signals() as received:
    try:
      while running or (waiting and not received):
        while waiting and free and not received:
          job, place = waiting.popleft(), free.pop()
          running[job.name] = start(job, place), place
          say(f'{job.name}: started, {len(waiting)} waiting')
        for name, (child, place) in list(running.items()):
          if child.process.poll() is not None:
            outcomes[name] = child.outcome()
            say(describe(name, outcomes[name]))
            free.append(place)
            del running[name]
        _pass_on(received, [child for child, _ in running.values()], say)
        time.sleep(POLL_SECONDS)
    finally:  # nobody is left behind, whatever happened here
      for child, _ in running.values():
        child.stop()
        child.wait()
  return outcomes


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
  """The list of SIGINTs and SIGTERMs that came, growing."""
  received: list[int] = []
  note = lambda number, _: received.append(number)
  before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
  try:
    yield received
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _pass_on(received: list[int], children: Sequence[Child], say: Callable[[str], None]) -> None:
  fresh = [child for child in children if received and not child.stopping]
  if fresh:
    say(f'stopping: {len(fresh)} save and leave; Ctrl-C again kills them')
  for child in fresh:
    child.stop()
  if received.count(signal.SIGINT) > 1:
    for child in children:
      child.process.kill()


def describe(name: str, ended: Mapping[str, Any]) -> str:
  """How a run ended, with the end of its output when it failed."""
  if ended['returncode'] == 0:
    return f'{name}: finished'
  if ended['stopped']:
    return f'{name}: stopped, to be resumed'
  code = ended['returncode']
  how = f'killed by {signal.Signals(-code).name}' if code < 0 else f'exit status {code}'
  return '\n  '.join([f'{name}: FAILED, {how}', *ended['last_lines'][-8:]])
