"""What a run tells while it runs: metrics.jsonl, TensorBoard, figures and a progress bar.

metrics.jsonl is the record: one JSON object a line, flushed, cut back to the restored step when a
run goes on, so that after any number of interruptions it reads like one uninterrupted run.
"""

import collections
import io
import json
import math
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import tensorboardX
from absl import logging
from ml_collections import ConfigDict
from tqdm import tqdm

from spectra_jax.workdir import write_bytes_atomic

if TYPE_CHECKING:
  from matplotlib.figure import Figure

METRICS = 'metrics.jsonl'
TIMED_STEPS = 200  # the speed is a median over this many steps


class Log:
  """Process 0 writes; on the others every method does nothing."""

  def __init__(
    self,
    workdir: str | os.PathLike,
    config: ConfigDict,
    total_steps: int,
    batch_size: int,
    first_step: int = 0,
  ):
    """Opens the log of a run that has completed `first_step` updates.

    Args:
      workdir: folder of the run; it exists.
      config: `config.log`.
      total_steps: of the run.
      batch_size: global, spectra a step.
      first_step: lines of later steps are removed, at 0 all lines (the run starts again).
    """
    self.workdir, self.config = pathlib.Path(workdir), config
    self.total_steps, self.batch_size = total_steps, batch_size
    self._step = first_step
    self._seconds: collections.deque[float] = collections.deque(maxlen=TIMED_STEPS)
    self._clock: float | None = None
    self._first = jax.process_index() == 0
    self._file = self._board = self._bar = None
    if self._first:
      _cut(self.workdir / METRICS, first_step if first_step > 0 else -1)
      self._file = open(self.workdir / METRICS, 'a', encoding='utf-8')  # noqa: SIM115
      self._board = self._open_board(first_step)
      self._bar = self._open_bar(first_step)

  def _open_board(self, first_step: int) -> tensorboardX.SummaryWriter | None:
    if not self.config.tensorboard:
      return None
    purge = first_step + 1 if first_step else 0  # hides what an interrupted run wrote beyond it
    return tensorboardX.SummaryWriter(str(self.workdir / 'tb'), purge_step=purge, flush_secs=30)

  def _open_bar(self, first_step: int) -> tqdm:
    return tqdm(
      total=self.total_steps,
      initial=first_step,
      unit='step',
      file=sys.stderr,
      dynamic_ncols=True,
      disable=not (self.config.progress and sys.stderr.isatty()),
    )

  def step(self, step: int, metrics: Mapping[str, float]) -> None:
    """One completed update: moves the bar; written as 'train/...' every `log.every` steps."""
    if not self._first:
      return
    now = time.perf_counter()
    if self._clock is not None:
      self._seconds.append(now - self._clock)
    self._clock = now
    self._bar.update(step - self._bar.n)
    if step % self.config.every == 0 or step == self.total_steps:
      speed = self.spectra_per_second or 0.0
      self._bar.set_postfix_str(f'{speed:.0f} spectra/s, loss {metrics["loss"]:.4g}')
      self.write(step, metrics, prefix='train/')

  def write(self, step: int, metrics: Mapping[str, float], prefix: str = '') -> None:
    """Appends one line of scalars named prefix + name; a non-finite one is null in the file."""
    if not self._first:
      return
    self._step = step
    scalars = {prefix + name: float(value) for name, value in metrics.items()}
    line = {name: x if math.isfinite(x) else None for name, x in scalars.items()}
    self._file.write(json.dumps({'step': step, **line}, allow_nan=False) + '\n')
    self._file.flush()
    if self._board is not None:
      for name, value in scalars.items():
        self._board.add_scalar(name, value, step)

  def validation(self, step: int, metrics: Mapping[str, float]) -> None:
    """Writes a validation as 'val/...', and says it in a line on standard error."""
    self.write(step, metrics, prefix='val/')
    if self._first:
      numbers = ', '.join(f'{name} {value:.4f}' for name, value in metrics.items())
      speed = self.spectra_per_second
      left = (self.total_steps - step) * self.batch_size / speed if speed else math.nan
      pace = f'; {speed:.0f} spectra/s, {left:.0f} s left' if speed else ''
      self.say(f'step {step}/{self.total_steps}: {numbers}{pace}')

  def say(self, text: str) -> None:
    """A line on standard error, above the progress bar; `log.progress` switches both off."""
    if self._first and self.config.progress:
      tqdm.write(text, file=sys.stderr)

  def figure(self, name: str, figure: 'Figure') -> None:
    """Saves figures/<name>.png, and shows it in TensorBoard at the step written last."""
    if not self._first or not self.config.figures:
      return
    folder = self.workdir / 'figures'
    folder.mkdir(exist_ok=True)
    png = io.BytesIO()
    figure.savefig(png, format='png')
    write_bytes_atomic(folder / f'{name}.png', png.getvalue())
    if self._board is not None:
      self._board.add_figure(name, figure, self._step, close=False)

  def whole_config(self, config: ConfigDict) -> None:
    """Shows the config of the run in TensorBoard, as text."""
    if self._board is not None:
      lines = json.dumps(json.loads(config.to_json()), indent=2).splitlines()
      verbatim = ''.join(f'    {line}\n' for line in lines)  # as Markdown has it
      self._board.add_text('config', verbatim, self._step)

  def records(self) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, null as NaN; none on other processes than 0."""
    lines, _ = _parse((self.workdir / METRICS).read_bytes()) if self._first else ([], 0)
    nan = lambda value: math.nan if value is None else value
    return [{name: nan(value) for name, value in record.items()} for record, _ in lines]

  @property
  def spectra_per_second(self) -> float | None:
    """Batch over the median time from one step to the next; None before the second step."""
    return self.batch_size / statistics.median(self._seconds) if self._seconds else None

  def close(self) -> None:
    """Flushes everything and ends the bar."""
    for part in (self._bar, self._file, self._board):
      if part is not None:
        part.close()


def _parse(content: bytes) -> tuple[list[tuple[dict[str, Any], bytes]], int]:
  """(record, line) of each whole line, and how many lines were not whole."""
  whole, broken = [], 0
  for line in content.splitlines(keepends=True):
    try:
      record = json.loads(line)
      int(record['step'])
    except (ValueError, KeyError, TypeError):
      broken += 1
      continue
    if line.endswith(b'\n'):
      whole.append((record, line))
    else:  # the process died between the object and its newline
      broken += 1
  return whole, broken


def _cut(path: pathlib.Path, last_step: int) -> None:
  """Removes lines beyond `last_step`, and broken ones, in one atomic replacement."""
  if not path.exists():
    return
  content = path.read_bytes()
  lines, broken = _parse(content)
  if broken:
    logging.warning('%s: dropped %d broken line(s)', path, broken)
  kept = b''.join(line for record, line in lines if record['step'] <= last_step)
  if kept != content:
    write_bytes_atomic(path, kept)
