"""What a run cost survives its processes; what nobody can tell is null."""

import json
import pathlib
import time

import pytest

from spectra_jax import cost

STATUS = pathlib.Path('/proc/self/status')


def test_attempts_add_up(tmp_path):
  """Of two attempts that began 100 s and 20 s ago: 120 s."""
  cost.Meter(tmp_path, 0, time.monotonic() - 100).mark(7)
  meter = cost.Meter(tmp_path, 5, time.monotonic() - 20)
  found = meter.totals()
  assert found['attempts'] == 2
  assert 119.8 <= found['wall_s_total'] < 130
  first, second = json.loads((tmp_path / cost.ATTEMPTS).read_text())
  assert (first['first_step'], first['step'], second['first_step']) == (0, 7, 5)


def test_energy_is_null_as_soon_as_one_attempt_cannot_tell(tmp_path, monkeypatch):
  joules = iter([10.0, 10.0, 35.0, None, None])
  monkeypatch.setattr(cost, 'device_energy_j', lambda: next(joules))
  meter = cost.Meter(tmp_path, 0, time.monotonic())
  meter.mark(3)
  assert meter.totals()['energy_j'] == 25.0
  assert cost.Meter(tmp_path, 3, time.monotonic()).totals()['energy_j'] is None


@pytest.mark.parametrize('content', ['{', '{}x', '[{"wall_s": "one"}]', '[{"wall_s": 1.0}]', '3'])
def test_a_broken_file_is_named(tmp_path, content):
  (tmp_path / cost.ATTEMPTS).write_text(content)
  with pytest.raises(ValueError, match=r'attempts.json is not a list of attempts; .* move it away'):
    cost.Meter(tmp_path, 0, time.monotonic())


@pytest.mark.skipif(not STATUS.exists(), reason='Linux tells it there')
def test_peak_of_this_process_is_in_bytes():
  (line,) = [x for x in STATUS.read_text().splitlines() if x.startswith('VmHWM')]
  kib = int(line.split()[1])
  assert kib * 1000 < cost.peak_host_bytes() < kib * 1100  # it may have grown since
