"""The processes of a job: how they find each other, agree, and act as one."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils

HEARTBEAT_SECONDS = 10  # a killed worker is noticed after about this long; the default is 100
# Heartbeats go by the wall clock: a laptop that slept, or a clock that was set, aborted a process
# that has nobody to miss.
NO_HEARTBEAT_SECONDS = 10**8


def initialize(
  coordinator: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
  distributed: bool | None = None,
) -> None:
  """Joins the distributed runtime, also for one process; call it before anything computes.

  The runtime is what turns SIGTERM into `Checkpoints.reached_preemption`; from then on SIGTERM no
  longer kills the process. Without arguments a Slurm step or TPU pod of several processes is
  detected, anything else is one process with a coordinator of its own. A second call does nothing.

  When a process dies, the others are aborted within about `HEARTBEAT_SECONDS`: none goes on alone.
  What started them starts all of them again, and they go on from the newest sound checkpoint.

  Args:
    coordinator: 'host:port' of process 0; with it, both other arguments are needed.
    num_processes: how many processes there are.
    process_id: which one this is, from 0.
    distributed: True = jax must find the other processes (Slurm, TPU, MPI, Kubernetes) or this one
      is refused, so that a job never trains as many copies; False = one process, wherever it is;
      None = as detected.

  Raises:
    ValueError: some of the three addresses are given and others are not, or `distributed` does not
      fit them or the machine.
  """
  given = [value is not None for value in (coordinator, num_processes, process_id)]
  if any(given) and not all(given):
    raise ValueError(
      f'coordinator={coordinator}, num_processes={num_processes}, process_id={process_id} is half '
      'an address; give all three, or none on one machine and under Slurm'
    )
  if all(given) and distributed is False:
    raise ValueError(
      f'distributed is False with coordinator={coordinator}; expected no address for one process; '
      'leave one of them out'
    )
  if jax.distributed.is_initialized():
    return
  if all(given):
    jax.distributed.initialize(
      coordinator, num_processes, process_id, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
    )
  elif distributed or (distributed is None and _in_cluster()):
    _join_cluster()
  else:
    # Within one process the runtime would send collectives through TCP, 17 times slower a step.
    jax.config.update('jax_cpu_collectives_implementation', None)
    # Loopback only: nobody else has any business with the coordinator of a single process.
    with reserved_port() as port:
      address = f'127.0.0.1:{port}'
      jax.distributed.initialize(
        address,
        1,
        0,
        coordinator_bind_address=address,
        heartbeat_timeout_seconds=NO_HEARTBEAT_SECONDS,
      )


def _join_cluster() -> None:
  try:
    jax.distributed.initialize(heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
  except (ValueError, TypeError, KeyError) as error:
    raise ValueError(
      f'distributed is True but jax finds no other processes here ({error}); expected a step of '
      'srun, a TPU pod or mpirun; start it there, or give coordinator, num_processes, process_id'
    ) from None


def _in_cluster() -> bool:
  # A batch script outside srun has SLURM_NTASKS but no step, and is one process.
  slurm = 'SLURM_STEP_NODELIST' in os.environ and int(os.environ.get('SLURM_NTASKS', '1')) > 1
  return slurm or ',' in os.environ.get('TPU_WORKER_HOSTNAMES', '')


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
  """A port of this machine that is kept for a coordinator which is still to come.

  The runtime listens with SO_REUSEPORT, so it can where this socket is bound and does not listen;
  nobody else is given the port meanwhile. One that was only found free is anybody's for the seconds
  until process 0 has started.
  """
  with socket.socket() as held:
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(('127.0.0.1', 0))
    yield held.getsockname()[1]


def on_first_process(action: Callable[[], int | None], what: str) -> int | None:
  """Runs `action` on process 0 and hands its integer (or None) to all processes.

  Raises:
    Exception: on process 0 whatever `action` raised.
    RuntimeError: on the others, at the same point, so that none waits for a process that left.
  """
  if jax.process_count() == 1:
    return action()
  error, code = None, np.zeros(2, np.int32)
  if jax.process_index() == 0:
    try:
      value = action()
      code = np.array([1, 0] if value is None else [2, value], np.int32)
    except Exception as e:
      error = e
  status, value = multihost_utils.broadcast_one_to_all(code)
  if error is not None:
    raise error
  if status == 0:
    raise RuntimeError(f'process 0 could not {what}; see its message')
  return int(value) if status == 2 else None


def all_agree(flag: bool) -> bool:
  """True when `flag` is true on every process."""
  if jax.process_count() == 1:
    return bool(flag)
  return bool(np.all(multihost_utils.process_allgather(np.array(flag, np.int32))))


def use_cpu_cores(batch_size: int) -> None:
  """Makes a CPU device of each core, as many as divide `batch_size`; call it before any backend.

  The filter of a recurrence runs on one core, so a batch split over devices trains faster than one
  device with all cores. A count that was set already (JAX_NUM_CPU_DEVICES) stands; on a GPU or TPU
  this changes nothing that is used.
  """
  if jax.config.jax_num_cpu_devices < 0:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    count = max(n for n in range(1, cores + 1) if batch_size % n == 0)
    jax.config.update('jax_num_cpu_devices', count)
