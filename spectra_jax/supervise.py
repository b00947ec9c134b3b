"""One job of several processes on one machine: when one of them dies, all start again.

A process of a broken job cannot go on alone, and a new one cannot join it, so all are started again
and restore the newest sound checkpoint. On a cluster the queue does this (Slurm's requeue).
"""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from spectra_jax import distributed
from spectra_jax.checkpoint import MANIFEST

GRACE_SECONDS = 30.0  # for the others of a process that ended in order: they may be saving
POLL_SECONDS = 0.05


class Job:
  """The processes of one attempt."""

  def __init__(self, command: Sequence[str], processes: int, port: int):
    """Starts `command` once a process, each with the address of process 0 and its number."""
    environment, address = dict(os.environ), []
    if processes > 1:  # a single one finds its own cores and its own coordinator
      environment = {'JAX_NUM_CPU_DEVICES': str(max(_cores() // processes, 1)), **environment}
      address = [f'--coordinator=127.0.0.1:{port}', f'--num_processes={processes}']
    number = lambda i: [f'--process_id={i}'] if processes > 1 else []
    self.members = [
      subprocess.Popen([*command, *address, *number(i)], env=environment) for i in range(processes)
    ]

  def send(self, number: int) -> None:
    """A signal to every process that still runs."""
    for member in self.members:
      if member.poll() is None:
        member.send_signal(number)

  def wait(self) -> list[int]:
    """Exit statuses, once all have ended; what outlives a dead one is killed."""
    first_end = None
    while None in (codes := [member.poll() for member in self.members]):
      ended = [code for code in codes if code is not None]
      if any(ended) and first_end is None:
        first_end = time.monotonic()
      lost = any(code < 0 for code in ended)  # by a signal: nothing orderly is under way
      if lost or (first_end and time.monotonic() - first_end > GRACE_SECONDS):
        self.send(signal.SIGKILL)
      time.sleep(POLL_SECONDS)
    return codes


def supervise(
  command: Sequence[str], workdir: str | os.PathLike, processes: int, patience: int
) -> int:
  """Runs a training job to its end through the deaths of its processes.

  SIGTERM to this process goes to all of them, which save and end; then there is no new attempt.
  Should this process be killed, the others go on, and the lock of the workdir keeps a second job
  out until they ended.

  Args:
    command: program and words of one process, without its address.
    workdir: of the run, where progress is looked for.
    processes: how many.
    patience: attempts in a row without a newer checkpoint after which it gives up.

  Returns:
    0, or the first exit status of the last attempt that is not 0.

  Raises:
    ValueError: `processes` or `patience` is below 1.
  """
  for name, value in (('processes', processes), ('patience', patience)):
    if value < 1:
      raise ValueError(f'{name} is {value}; expected at least 1; raise it')
  job, stopped, futile = None, False, 0

  def stop(*_):
    nonlocal stopped
    stopped = True
    if job is not None:
      job.send(signal.SIGTERM)

  before = signal.signal(signal.SIGTERM, stop)
  try:
    while True:
      reached = newest_step(workdir)
      with distributed.reserved_port() as port:
        job = Job(command, processes, port)
        if stopped:  # the signal came while they started
          job.send(signal.SIGTERM)
        codes = job.wait()
      failed = next((code for code in codes if code), 0)
      futile = 0 if newest_step(workdir) > reached else futile + 1
      if not failed or stopped or futile == patience:
        return failed
      text = f'processes ended with {codes}; all start again from step {newest_step(workdir)}'
      print(f'supervise: {text}', file=sys.stderr, flush=True)
  finally:
    signal.signal(signal.SIGTERM, before)


def newest_step(workdir: str | os.PathLike) -> int:
  """The newest step with a sealed checkpoint; 0 without one."""
  folder = pathlib.Path(workdir) / 'checkpoints'
  return max((int(p.parent.name) for p in folder.glob(f'[0-9]*/{MANIFEST}')), default=0)


def _cores() -> int:
  return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
