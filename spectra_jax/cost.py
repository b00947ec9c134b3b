"""What a run cost: wall time and energy of all its processes, restarts included; peak memory.

`attempts.json` in the workdir has one entry a start of the run. It is brought up to date whenever
the run validates or saves, so of a killed process at most the time since then is missing.
"""

import datetime
import json
import os
import pathlib
import resource
import sys
import time
from typing import Any

import jax

from spectra_jax.workdir import write_json_atomic

ATTEMPTS = 'attempts.json'


class Meter:
  """Counts from now on, beside what earlier processes of the same run have counted.

  Process 0 writes; on the others only time and memory of their own are seen.
  """

  def __init__(self, workdir: str | os.PathLike, first_step: int, began: float):
    """Opens an attempt that goes on after `first_step` updates.

    Args:
      workdir: folder of the run; it exists.
      first_step: 0, or the step that was restored.
      began: `time.monotonic()` from which on it counts.

    Raises:
      ValueError: attempts.json is not what this class wrote.
    """
    self._path = pathlib.Path(workdir) / ATTEMPTS
    self._before = _read(self._path)
    self._clock, self._joules = began, device_energy_j()
    now = datetime.datetime.now(datetime.UTC)
    self._attempt = {'started': now.isoformat(timespec='seconds'), 'first_step': first_step}
    self.mark(first_step)

  def mark(self, step: int) -> None:
    """Writes how far this attempt has come, after `step` updates."""
    joules = device_energy_j()
    known = self._joules is not None and joules is not None
    self._attempt |= {
      'step': step,
      'wall_s': round(time.monotonic() - self._clock, 1),
      'energy_j': round(joules - self._joules, 1) if known else None,
    }
    if jax.process_index() == 0:
      write_json_atomic(self._path, [*self._before, self._attempt])

  def totals(self) -> dict[str, Any]:
    """Sums over attempts up to the last `mark`, and the peaks of this process so far.

    'energy_j' is that of the devices of process 0, null where one attempt could not tell.
    """
    attempts = [*self._before, self._attempt]
    joules = [attempt['energy_j'] for attempt in attempts]
    return {
      'attempts': len(attempts),
      'wall_s_total': round(sum(attempt['wall_s'] for attempt in attempts), 1),
      'energy_j': None if None in joules else round(sum(joules), 1),
      'peak_host_bytes': peak_host_bytes(),
      'peak_device_bytes': peak_device_bytes(),
    }


def peak_host_bytes() -> int:
  """Largest resident size of this process so far."""
  unit = 1 if sys.platform == 'darwin' else 1024  # macOS counts bytes, Linux KiB
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peak_device_bytes() -> list[int] | None:
  """Largest use of each local device so far; None where the devices do not tell, as CPUs."""
  stats = [device.memory_stats() for device in jax.local_devices()]
  known = [found['peak_bytes_in_use'] for found in stats if found and 'peak_bytes_in_use' in found]
  return known if len(known) == len(stats) else None


def device_energy_j() -> float | None:
  """Counter of the local GPUs' energy [J], of which differences count; None where nobody tells."""
  if jax.default_backend() != 'gpu':
    return None
  try:
    import pynvml  # an extra, [gpu]: nobody needs it to train
  except ImportError:
    return None
  try:
    pynvml.nvmlInit()
    millijoules = [
      pynvml.nvmlDeviceGetTotalEnergyConsumption(_nvml_handle(pynvml, device.local_hardware_id))
      for device in jax.local_devices()
    ]
  except (pynvml.NVMLError, ValueError, IndexError):
    return None  # an old GPU or driver, or a slice of a GPU
  return sum(millijoules) / 1000


def _nvml_handle(pynvml: Any, place: int) -> Any:
  """NVML counts all GPUs of the machine, CUDA only those that it may see."""
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  name = visible.split(',')[place].strip() if visible else str(place)
  if name.isdigit():
    return pynvml.nvmlDeviceGetHandleByIndex(int(name))
  return pynvml.nvmlDeviceGetHandleByUUID(name)


def _read(path: pathlib.Path) -> list[dict[str, Any]]:
  if not path.exists():
    return []
  try:
    attempts = json.loads(path.read_text())
    sum(attempt['wall_s'] for attempt in attempts)
    [attempt['energy_j'] for attempt in attempts]
  except (ValueError, KeyError, TypeError):
    raise ValueError(
      f'{path} is not a list of attempts; expected what the run wrote; move it away, and the time '
      'of earlier attempts is not counted'
    ) from None
  return attempts
