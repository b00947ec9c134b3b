"""Runs as jobs of a scheduler, through submitit: an array with a job a point.

Where a job is preempted, or near its time limit, Slurm sends SIGTERM: the run saves, and the job
asks to be queued again and goes on from there. A job that was cancelled is not queued again.
"""

import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

# Read by submitit when it is imported, here and in the job: the runtime of jax saves on SIGTERM.
os.environ['SUBMITIT_PREEMPT_SIGNAL'] = 'TERM'

import submitit
from submitit.helpers import DelayedSubmission

from spectra_jax.sweeps.local import POLL_SECONDS, Child, Job, Place, describe, start

SAVE_SECONDS = 120  # from the signal to the end of the job's time
RESTARTS = 100  # of a job that comes to its time limit; preemptions are not counted
LOGS = 'submitit'  # folder in the root


@dataclasses.dataclass(frozen=True)
class Request:
  """What each job asks for."""

  minutes: int
  nodes: int = 1
  gpus: int = 0  # a node
  cpus: int = 1  # a process
  throttle: int = 0  # jobs at a time; 0 = as many as the cluster gives
  options: Mapping[str, str] = dataclasses.field(default_factory=dict)  # further ones of sbatch


class Task:
  """What runs in each process of a job; submitit pickles it."""

  def __init__(self, job: Job):
    self.job = job
    self._child: Child | None = None

  def __call__(self) -> dict[str, Any]:
    """Runs the command to its end; a run that has its report is left alone.

    Raises:
      RuntimeError: it failed, so that the scheduler's records say so too.
    """
    if (self.job.folder / 'report.json').exists():
      return {'returncode': 0}
    self._child = start(self.job, Place(), submitit.JobEnvironment().global_rank)
    while self._child.process.poll() is None:  # a handler may interrupt this, see Child.wait
      time.sleep(POLL_SECONDS)
    ended = self._child.outcome()
    if ended['returncode'] != 0:
      raise RuntimeError(describe(self.job.name, ended))
    return ended

  def checkpoint(self) -> DelayedSubmission | None:
    """Called in the handler of SIGTERM: waits for the save, then says what to queue again."""
    if self._child is not None:
      self._child.stop()
      self._child.wait()
      self._child.outcome()
    if _cancelled():
      return None
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Slurm's, when it queues this job again
    return DelayedSubmission(Task(self.job))

  def __getstate__(self) -> dict[str, Any]:
    return {'job': self.job, '_child': None}


def _cancelled() -> bool:
  """Whether Slurm ends this job itself; it queues a preempted one again without being asked."""
  number = os.environ.get('SLURM_JOB_ID')
  if number is None:
    return False
  asked = ['squeue', '--noheader', f'--jobs={number}', '--format=%T']
  answer = subprocess.run(asked, capture_output=True, text=True, check=False)
  return answer.stdout.strip() != 'RUNNING'


def submit(
  jobs: Sequence[Job], root: pathlib.Path, executor: str, request: Request
) -> dict[str, str]:
  """Hands `jobs` to the scheduler and returns.

  Args:
    jobs: their folders are on a disk that all machines see.
    root: where submitit keeps its own files, in LOGS.
    executor: 'slurm', or 'local': all at once on this machine, to try it.
    request: for each of them.

  Returns:
    {name of the job: its id}.

  Raises:
    ValueError: there is no Slurm here, or the request does not fit the executor.
  """
  _check(executor, request)
  limit = {f'{executor}_max_num_timeout': RESTARTS}
  made = submitit.AutoExecutor(root / LOGS, cluster=executor, **limit)
  made.update_parameters(**_parameters(root.resolve().name, executor, request))
  with made.batch():
    submitted = [made.submit(Task(job)) for job in jobs]
  return {job.name: handle.job_id for job, handle in zip(jobs, submitted, strict=True)}


def queued(ids: Mapping[str, str], executor: str) -> dict[str, str]:
  """Those of {name: id} that the scheduler still has; submitit's local one keeps no queue.

  Raises:
    ValueError: Slurm does not answer.
  """
  if executor == 'local' or shutil.which('squeue') is None:  # `submit` refuses the latter
    return {}
  asked = ['squeue', '--noheader', '--array', '--format=%i']
  answer = subprocess.run(asked, capture_output=True, text=True, check=False)
  if answer.returncode != 0:
    raise ValueError(
      f'squeue failed ({answer.stderr.strip()}), so that a job might be submitted twice; expected '
      'the list of jobs; try again when Slurm answers'
    )
  found = set(answer.stdout.split())
  return {name: number for name, number in ids.items() if number in found}


def _check(executor: str, request: Request) -> None:
  if executor == 'slurm' and shutil.which('sbatch') is None:
    raise ValueError(
      '--executor is slurm and there is no sbatch here; expected a machine that submits to Slurm; '
      'log in to one, or use `sweep run`'
    )
  if executor == 'local' and (request.throttle or request.nodes > 1 or request.options):
    raise ValueError(
      '--executor is local, which starts all jobs at once on this machine; expected no --throttle, '
      '--nodes or --slurm; use `sweep run --jobs=N` instead'
    )
  if request.minutes * 60 <= SAVE_SECONDS:
    raise ValueError(
      f'--minutes is {request.minutes}; expected more than {SAVE_SECONDS // 60}, which are left '
      'for the last save; raise it'
    )


def _parameters(name: str, executor: str, request: Request) -> dict[str, Any]:
  """As submitit calls them. jax takes one GPU a process where Slurm starts several processes."""
  shared = {
    'name': name,
    'timeout_min': request.minutes,
    'nodes': request.nodes,
    'tasks_per_node': max(request.gpus, 1) if request.nodes > 1 else 1,
    'gpus_per_node': request.gpus,
    'cpus_per_task': request.cpus,
  }
  if executor == 'local':
    return shared
  return shared | {
    'gpus_per_node': request.gpus or None,  # a cluster without GPUs refuses to be asked for 0
    'slurm_signal_delay_s': SAVE_SECONDS,
    'slurm_array_parallelism': request.throttle or None,
    'slurm_setup': ['export SUBMITIT_PREEMPT_SIGNAL=TERM'],
    'slurm_additional_parameters': {'requeue': True, **request.options},
  }
