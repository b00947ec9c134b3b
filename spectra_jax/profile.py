"""Where the time of a step goes: a trace for TensorBoard, and input against step in one line.

The loop gathers a batch and hands it over while the device still works on the step before, so the
input costs nothing until it takes longer than a step. The summary says how far that is away.
"""

import pathlib
import statistics
import time
from typing import Any

import jax

from spectra_jax.log import Log
from spectra_jax.workdir import write_json_atomic

FIRST, LAST = 10, 20  # steps of this process that are looked at: it has compiled by then
FOLDER, SUMMARY = 'profile', 'summary.json'


def check_steps(steps: int) -> None:
  """Raises a ValueError when a run of `steps` has not enough of them to profile."""
  if steps < LAST:
    raise ValueError(
      f'train.steps is {steps}, expected at least {LAST} with --profile, which looks at steps '
      f'{FIRST} to {LAST}; raise it or leave --profile out'
    )


class Profile:
  """Steps `FIRST` to `LAST` of this process, as process 0 sees them; without `wanted`, nothing."""

  def __init__(self, workdir: pathlib.Path, first_step: int, log: Log, wanted: bool):
    """`first_step` updates were done before this process."""
    self._folder, self._first_step, self._log = workdir / FOLDER, first_step, log
    self._wanted = wanted and jax.process_index() == 0
    self._parts: dict[str, list[float]] = {}
    self._annotation: Any = None
    self._began = self._lap = 0.0
    self._tracing = False

  def _looked_at(self, step: int) -> bool:
    return self._wanted and FIRST <= step - self._first_step + 1 <= LAST

  def begin(self, step: int) -> None:
    """The loop turns to step `step`, counted from 0 over the whole run."""
    if not self._looked_at(step):
      return
    if not self._tracing:
      jax.profiler.start_trace(str(self._folder))
      self._tracing = True
    self._annotation = jax.profiler.StepTraceAnnotation('step', step_num=step)
    self._annotation.__enter__()
    self._began = self._lap = time.perf_counter()

  def lap(self, step: int, part: str) -> None:
    """`part` of the step has just ended."""
    if self._looked_at(step):
      now = time.perf_counter()
      self._parts.setdefault(part, []).append(now - self._lap)
      self._lap = now

  def end(self, step: int, metrics: Any) -> None:
    """The loop is done with the step, whose `metrics` may still be on their way."""
    if not self._looked_at(step):
      return
    self._parts.setdefault('step', []).append(time.perf_counter() - self._began)
    self._annotation.__exit__(None, None, None)
    if step - self._first_step + 1 == LAST:
      jax.block_until_ready(metrics)  # the trace shall hold all of the last step
      self.close()
      self._report()

  def _report(self) -> None:
    found = summary(self._parts)
    write_json_atomic(self._folder / SUMMARY, found)
    self._log.say(
      f'profile of steps {FIRST} to {LAST}: input {found["input_ms"]:.3g} ms (gather '
      f'{found["gather_ms"]:.3g}, place {found["place_ms"]:.3g}), device {found["device_ms"]:.3g} '
      f'ms: {found["device_over_input"]:.3g} times as long; trace in {self._folder}'
    )

  def close(self) -> None:
    """Ends the trace where the run ends before it."""
    if self._tracing:
      jax.profiler.stop_trace()
      self._tracing = False


def summary(parts: dict[str, list[float]]) -> dict[str, float]:
  """Medians [ms] over the steps of lists of seconds 'gather', 'place', 'dispatch', 'wait', 'step'.

  'input_ms' is gather and place. 'device_ms' is dispatch and wait, when the host has nothing to do
  (a CPU may compute within the dispatch): all that a faster input could not save.
  """
  found = {f'{name}_ms': 1e3 * statistics.median(seconds) for name, seconds in parts.items()}
  together = lambda a, b: 1e3 * statistics.median(map(sum, zip(parts[a], parts[b], strict=True)))
  found |= {'input_ms': together('gather', 'place'), 'device_ms': together('dispatch', 'wait')}
  ratio = found['device_ms'] / found['input_ms']
  return found | {'steps': len(parts['step']), 'device_over_input': ratio}
