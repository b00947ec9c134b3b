"""The log of a run reads the same however often the run was interrupted."""

import json
import math

import jax
import pytest
from matplotlib.figure import Figure

from configs import default
from spectra_jax import log as logs
from spectra_jax.log import Log

STEPS = 23  # no period below divides it


def config(**changes):
  c = default.get_config().log
  c.update({'every': 4, 'tensorboard': False, 'progress': False, **changes})
  return c


def run(workdir, first, last, **changes):
  """Steps first + 1 ... last of a run that validates every 5 steps and before step 1."""
  log = Log(workdir, config(**changes), STEPS, batch_size=8, first_step=first)
  if first == 0:
    log.write(0, {'nre': 1.0}, prefix='val/')
  for step in range(first + 1, last + 1):
    log.step(step, {'loss': 1.0 / step, 'grad_norm': step / 3.0})
    if step % 5 == 0:
      log.write(step, {'nre': 1.0 / (1 + step)}, prefix='val/')
  log.close()
  return log


def steps(path, key):
  lines = [json.loads(line) for line in (path / 'metrics.jsonl').read_text().splitlines()]
  return [line['step'] for line in lines if key in line]


def test_lines_come_at_their_periods_and_at_the_last_step(tmp_path):
  run(tmp_path, 0, STEPS)
  assert steps(tmp_path, 'train/loss') == [4, 8, 12, 16, 20, 23]
  assert steps(tmp_path, 'val/nre') == [0, 5, 10, 15, 20]


@pytest.mark.parametrize(('saved', 'killed'), [(5, 5), (5, 9), (20, 22), (3, 23), (0, 7)])
def test_an_interrupted_run_reads_like_an_uninterrupted_one(tmp_path, saved, killed):
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  whole.mkdir()
  parts.mkdir()
  run(whole, 0, STEPS)
  run(parts, 0, killed)
  with open(parts / 'metrics.jsonl', 'a') as file:
    file.write('{"step": 24, "train/lo')
  run(parts, saved, STEPS)
  assert (parts / 'metrics.jsonl').read_bytes() == (whole / 'metrics.jsonl').read_bytes()


def test_a_line_without_its_newline_is_dropped(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1, "a": 1.0}\n{"step": 2, "a": 2.0}')
  Log(tmp_path, config(), STEPS, 8, first_step=2).close()
  assert (tmp_path / 'metrics.jsonl').read_text() == '{"step": 1, "a": 1.0}\n'


def test_an_uncut_file_is_not_rewritten(tmp_path):
  run(tmp_path, 0, 10)
  before = (tmp_path / 'metrics.jsonl').stat()
  Log(tmp_path, config(), STEPS, 8, first_step=10).close()
  after = (tmp_path / 'metrics.jsonl').stat()
  assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_non_finite_numbers_are_null_in_the_file_and_nan_when_read(tmp_path):
  log = Log(tmp_path, config(), STEPS, 8)
  log.write(1, {'a': math.nan, 'b': -math.inf, 'c': 0.1})
  refuse = lambda name: pytest.fail(f'{name} is no JSON')
  text = (tmp_path / 'metrics.jsonl').read_text()
  assert json.loads(text, parse_constant=refuse) == {'step': 1, 'a': None, 'b': None, 'c': 0.1}
  (record,) = log.records()
  assert math.isnan(record['a'])
  assert record['c'] == 0.1
  log.close()


def test_each_line_is_on_disk_when_write_returns(tmp_path):
  log = Log(tmp_path, config(), STEPS, 8)
  log.write(1, {'a': 1.0})
  assert steps(tmp_path, 'a') == [1]
  log.close()


def test_numbers_survive_the_file_bit_for_bit(tmp_path):
  log = Log(tmp_path, config(), STEPS, 8)
  values = [0.1, 1 / 3, float(jax.numpy.float32(0.1)), 5e-324]
  for step, value in enumerate(values):
    log.write(step, {'a': value})
  assert [record['a'] for record in log.records()] == values
  log.close()


def test_speed_is_spectra_over_the_median_step(tmp_path, monkeypatch):
  clock = iter([0.0, 0.5, 1.0, 61.0, 61.5])  # one step waits a minute for a validation
  monkeypatch.setattr(logs.time, 'perf_counter', lambda: next(clock))
  log = Log(tmp_path, config(), STEPS, batch_size=8)
  assert log.spectra_per_second is None
  for step in range(1, 6):
    log.step(step, {'loss': 1.0})
  assert log.spectra_per_second == 16.0
  log.close()


def test_the_bar_shows_speed_and_loss_on_a_terminal_only(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr('sys.stderr.isatty', lambda: True, raising=False)
  run(tmp_path, 0, STEPS, progress=True)
  shown = capsys.readouterr().err
  assert f'{STEPS}/{STEPS}' in shown
  assert 'spectra/s, loss 0.04348' in shown
  run(tmp_path, 0, STEPS, progress=False)
  monkeypatch.setattr('sys.stderr.isatty', lambda: False, raising=False)
  run(tmp_path, 0, STEPS, progress=True)
  assert capsys.readouterr().err == ''


def test_figures_and_events_go_where_they_belong(tmp_path):
  log = Log(tmp_path, config(tensorboard=True), STEPS, 8)
  log.write(1, {'loss': 1.0}, prefix='train/')
  figure = Figure(figsize=(1, 1))
  figure.subplots().plot([0, 1])
  log.figure('curve', figure)
  log.close()
  assert (tmp_path / 'figures' / 'curve.png').read_bytes().startswith(b'\x89PNG')
  (events,) = (tmp_path / 'tb').iterdir()
  content = events.read_bytes()
  assert b'train/loss' in content
  assert b'curve' in content


def test_other_processes_than_the_first_write_nothing(tmp_path, monkeypatch):
  monkeypatch.setattr(logs.jax, 'process_index', lambda: 1)
  log = run(tmp_path, 0, STEPS, tensorboard=True)
  log.figure('curve', None)
  assert list(tmp_path.iterdir()) == []
  assert log.records() == []
