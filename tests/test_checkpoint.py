"""Whatever happens to the files, a restore gives back what was saved or says what is wrong."""

import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import optax
import pytest
from absl import logging

from spectra_jax import parallel, placement
from spectra_jax.checkpoint import Checkpoints
from tests import processes

OPTIMIZER = optax.adamw(0.1)


def make_state(step=0, devices=2, width=5, ema=0.9, fsdp=1):
  """A state whose every number depends on `step`, so that a mix of two steps is noticed."""
  rng = np.random.default_rng(step)
  params = {'dense': {'kernel': rng.normal(size=(width, 40)).astype(np.float32)}}
  state = parallel.init_state(params, OPTIMIZER, ema, placement.make_mesh(devices, fsdp))
  return state.replace(step=state.step + step)


def store(folder, every=5, keep_last=2, keep_best=0, mode='min'):
  return Checkpoints(folder, every, keep_last, keep_best, 'nre', mode)


def fill(folder, steps=(5, 10), scores=None, **options):
  checkpoints = store(folder, **options)
  for i, step in enumerate(steps):
    assert checkpoints.save(step, make_state(step), {'nre': scores[i] if scores else 1.0})
  checkpoints.close()


def on_disk(folder):
  return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal())


def check_restored(folder, step, devices=2):
  state, found, _ = store(folder).restore(make_state(devices=devices))
  assert found == step
  jax.tree.map(np.testing.assert_array_equal, state, make_state(step, devices))


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """Steps 5 and 10, saved once; a test that damages them works on a copy."""
  folder = tmp_path_factory.mktemp('saved') / 'checkpoints'
  fill(folder)
  return folder


@pytest.fixture
def folder(saved, tmp_path):
  return shutil.copytree(saved, tmp_path / 'checkpoints')


@pytest.fixture
def warnings(monkeypatch):
  lines = []
  monkeypatch.setattr(logging, 'warning', lambda text, *args: lines.append(text % args))
  return lines


# ---- what is saved comes back -----------------------------------------------


def test_nothing_saved_is_none_and_touches_nothing(tmp_path):
  checkpoints = store(tmp_path / 'checkpoints')
  assert checkpoints.restore(make_state()) is None
  checkpoints.close()
  assert not (tmp_path / 'checkpoints').exists()


@pytest.mark.parametrize('devices', [1, 2, 8])
def test_a_state_comes_back_bit_for_bit_on_any_device_count(saved, devices):
  state, step, metrics = store(saved).restore(make_state(devices=devices))
  assert (step, int(state.step), metrics) == (10, 10, {'nre': 1.0})
  jax.tree.map(np.testing.assert_array_equal, state, make_state(10))
  kernel = state.params['dense']['kernel']
  assert kernel.sharding == make_state(devices=devices).params['dense']['kernel'].sharding
  assert type(state.opt_state) is type(make_state().opt_state)


def test_a_split_state_comes_back_on_any_mesh(tmp_path):
  store(tmp_path).save(5, make_state(5, devices=8, fsdp=4), {'nre': 1.0})
  for devices, fsdp in ((1, 1), (4, 2), (8, 8)):
    like = make_state(devices=devices, fsdp=fsdp)
    state, *_ = store(tmp_path).restore(like)
    jax.tree.map(np.testing.assert_array_equal, state, make_state(5))
    assert state.params['dense']['kernel'].sharding == like.params['dense']['kernel'].sharding


def test_a_flipped_bit_of_a_split_state_is_caught(tmp_path, warnings):
  for step in (5, 10):
    store(tmp_path).save(step, make_state(step, devices=8, fsdp=8), {'nre': 1.0})
  largest = max(
    (tmp_path / '10' / 'state').rglob('*'), key=lambda p: p.is_file() * p.stat().st_size
  )
  content = bytearray(largest.read_bytes())
  content[len(content) // 2] ^= 4
  largest.write_bytes(content)
  check_restored(tmp_path, 5)
  assert any('10 is damaged' in line for line in warnings)


def test_it_restores_without_writing(saved):
  before = {p: p.stat().st_mtime_ns for p in [saved, *saved.rglob('*')]}
  store(saved).restore(make_state())
  assert {p: p.stat().st_mtime_ns for p in [saved, *saved.rglob('*')]} == before


def test_saves_come_every_so_many_steps_once_each(tmp_path):
  checkpoints = store(tmp_path, every=4)
  saves = [s for s in range(1, 11) if checkpoints.save(s, make_state(s), {'nre': 1.0})]
  assert saves == [4, 8]
  assert checkpoints.save(10, make_state(10), {'nre': 1.0}, force=True)
  assert not checkpoints.save(10, make_state(10), {'nre': 1.0}, force=True)
  check_restored(tmp_path, 10)
  again = store(tmp_path, every=5)
  again.restore(make_state())
  assert not again.should_save(10)
  assert again.should_save(15)


# ---- which are kept ---------------------------------------------------------


@pytest.mark.parametrize(
  ('mode', 'scores', 'kept'),
  [
    ('min', [3.0, 1.0, 2.0, 4.0, 5.0], [10, 20, 25]),
    ('max', [3.0, 1.0, 2.0, 0.5, 0.0], [5, 20, 25]),
    ('min', [3.0, 1.0, float('nan'), float('-inf'), 5.0], [10, 20, 25]),
    ('min', [3.0, 4.0, 5.0, 2.0, 1.0], [20, 25]),
  ],
)
def test_newest_are_never_deleted_and_the_best_is_kept(tmp_path, mode, scores, kept):
  steps = [5, 10, 15, 20, 25]
  fill(tmp_path, steps, scores, keep_best=1, mode=mode)
  assert on_disk(tmp_path) == kept
  best = store(tmp_path, keep_best=1, mode=mode).restore(make_state(), best=True)
  assert best[1] == (kept[0] if len(kept) == 3 else 25)


def test_a_restart_forgets_no_score(tmp_path):
  fill(tmp_path, [5, 10], [1.0, 2.0], keep_best=1)
  for step in (15, 20):  # each from a new process
    fill(tmp_path, [step], [3.0], keep_best=1)
  assert on_disk(tmp_path) == [5, 15, 20]


# ---- damage -----------------------------------------------------------------


def test_any_flipped_bit_is_named_and_an_older_step_is_taken(folder, warnings):
  """Every file once, and more at random places."""
  rng = random.Random(0)
  files = sorted(p for p in (folder / '10').rglob('*') if p.is_file())
  assert {'manifest', '_CHECKPOINT_METADATA', 'metrics'} <= {p.name for p in files}
  for path in files + rng.choices(files, weights=[p.stat().st_size for p in files], k=20):
    content = path.read_bytes()
    place, bit = rng.randrange(len(content)), rng.randrange(8)
    flipped = bytearray(content)
    flipped[place] ^= 1 << bit
    path.write_bytes(flipped)
    warnings.clear()
    check_restored(folder, 5)
    assert any(path.name in line and 'checkpoints/10 is damaged' in line for line in warnings)
    path.write_bytes(content)
  check_restored(folder, 10)


@pytest.mark.parametrize('damage', ['truncate', 'empty', 'remove'])
def test_any_cut_or_missing_file_is_named_and_an_older_step_is_taken(folder, warnings, damage):
  for path in sorted(p for p in (folder / '10').rglob('*') if p.is_file()):
    content = path.read_bytes()
    if damage == 'remove':
      path.unlink()
    else:
      path.write_bytes(content[: len(content) // 2] if damage == 'truncate' else b'')
    warnings.clear()
    check_restored(folder, 5)
    assert any(path.name in line for line in warnings)
    path.write_bytes(content)


def test_the_damaged_step_is_saved_again_and_the_damaged_files_are_kept(folder, warnings):
  target = folder / '10' / 'state' / 'manifest.ocdbt'
  target.write_bytes(b'x' + target.read_bytes()[1:])
  for expected in ('10', '10-1'):  # it may happen twice
    checkpoints = store(folder)
    assert checkpoints.restore(make_state())[1] == 5
    assert on_disk(folder) == [5, 10]
    assert checkpoints.save(10, make_state(10), {'nre': 1.0})
    assert (folder / 'damaged' / expected / 'state' / 'manifest.ocdbt').exists()
    assert any('damaged/10' in line for line in warnings)
    check_restored(folder, 10)
    (folder / '10' / 'metrics' / 'metrics').write_bytes(b'{')


def test_a_damaged_step_takes_no_place_among_the_newest(tmp_path):
  fill(tmp_path, [5, 10, 15])
  (tmp_path / '15' / 'metrics' / 'metrics').unlink()
  checkpoints = store(tmp_path)
  assert checkpoints.restore(make_state())[1] == 10
  checkpoints.save(12, make_state(12), {'nre': 1.0}, force=True)
  assert on_disk(tmp_path) == [10, 12]


def test_a_run_whose_checkpoints_are_all_damaged_does_not_start_again(folder):
  for step in ('5', '10'):
    (folder / step / '_CHECKPOINT_METADATA').unlink()
  before = sorted(folder.rglob('*'))
  with pytest.raises(RuntimeError, match='will not restart from scratch') as caught:
    store(folder).restore(make_state())
  assert '5: _CHECKPOINT_METADATA cannot be read' in str(caught.value)
  assert sorted(folder.rglob('*')) == before


def test_a_wrong_array_behind_sound_files_is_noticed(folder, warnings, monkeypatch):
  """As when memory fails between reading and use: every hash fits and the leaf does not."""
  from spectra_jax import checkpoint

  honest = checkpoint.ocp.StandardCheckpointer.restore

  def failing(self, path, like):
    state = honest(self, path, like)
    if path.parent.name != '10':
      return state
    kernel = state.ema['dense']['kernel'].at[0, 0].add(1e-7)
    return state.replace(ema={'dense': {'kernel': kernel}})

  monkeypatch.setattr(checkpoint.ocp.StandardCheckpointer, 'restore', failing)
  check_restored(folder, 5)
  assert any('ema/dense/kernel was read with another checksum' in line for line in warnings)


@pytest.mark.parametrize(
  ('changes', 'sentence'),
  [
    ({'width': 6}, r'ema/dense/kernel is float32\(5, 40\) there and float32\(6, 40\) here'),
    ({'ema': 0.0}, r'ema/dense/kernel is float32\(5, 40\) there and absent here'),
  ],
)
def test_another_structure_is_an_error_and_no_damage(saved, warnings, changes, sentence):
  with pytest.raises(ValueError, match=sentence):
    store(saved).restore(make_state(**changes))
  assert warnings == []


# ---- saves that were cut off ------------------------------------------------


def cut_off_save(folder, step, monkeypatch):
  """A process that dies between orbax's commit and the manifest."""
  with monkeypatch.context() as patch:
    patch.setattr(Checkpoints, '_seal', lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
      store(folder).save(step, make_state(step), {'nre': 1.0})
  assert (folder / str(step)).is_dir()


def test_a_cut_off_save_is_no_checkpoint_and_is_done_again(folder, warnings, monkeypatch):
  cut_off_save(folder, 15, monkeypatch)
  check_restored(folder, 10)
  assert warnings == []
  fill(folder, [15])
  check_restored(folder, 15)
  assert not (folder / 'damaged').exists()


def test_a_cut_off_first_save_starts_again(tmp_path, monkeypatch):
  cut_off_save(tmp_path, 5, monkeypatch)
  assert store(tmp_path).restore(make_state()) is None
  fill(tmp_path, [5])
  check_restored(tmp_path, 5)


def test_a_lost_manifest_is_damage_and_no_cut_off_save(folder, warnings):
  (folder / '10' / 'manifest').unlink()
  check_restored(folder, 5)
  assert any('its manifest cannot be read' in line for line in warnings)


SAVER = """
import sys
from tests import test_checkpoint as t
checkpoints = t.store(sys.argv[1], every=1)
step = 0
restored = checkpoints.restore(t.make_state(width=2000))
if restored:
  step = restored[1]
print('restored', step)
while True:
  step += 1
  checkpoints.save(step, t.make_state(step, width=2000), {'nre': 1.0})
  print('saved', step)
"""


def kill_while_saving(folder, seconds):
  process = processes.start('-c', SAVER, str(folder), devices=2)
  processes.wait_for(process, 'saved')
  time.sleep(seconds)
  process.send_signal(signal.SIGKILL)
  done = [int(line.split()[1]) for line in process.stdout if line.startswith('saved')]
  process.wait()
  state, step, _ = store(folder, every=1).restore(make_state(width=2000))
  assert step >= max(done, default=1)
  jax.tree.map(np.testing.assert_array_equal, state, make_state(step, width=2000))


def test_a_kill_in_the_middle_of_saves_leaves_a_sound_one(tmp_path):
  rng = random.Random(0)
  for _ in range(2):
    kill_while_saving(tmp_path, rng.uniform(0.3, 0.6))


@pytest.mark.slow
def test_many_kills_in_the_middle_of_saves(tmp_path):
  rng = random.Random()
  for _ in range(15):
    kill_while_saving(tmp_path, rng.uniform(0.0, 0.4))


# ---- SIGTERM ----------------------------------------------------------------

PREEMPTED = """
import sys, time
from spectra_jax import distributed
distributed.initialize()
from tests import test_checkpoint as t
checkpoints = t.store(sys.argv[1], every=10**6)
for step in range(1, 10**6):
  time.sleep(0.01)
  if step == 3:
    print('running')
  if checkpoints.reached_preemption(step):
    checkpoints.save(step, t.make_state(step), {'nre': 0.25}, force=True)
    checkpoints.close()
    print('stopped at', step)
    break
"""


def test_sigterm_is_a_save_and_an_orderly_end(tmp_path):
  process = processes.start('-c', PREEMPTED, str(tmp_path), devices=2)
  processes.wait_for(process, 'running')
  started = time.monotonic()
  process.send_signal(signal.SIGTERM)
  output = processes.finish(process)
  assert time.monotonic() - started < 20
  step = int(output.split()[-1])
  assert store(tmp_path).restore(make_state())[1:] == (step, {'nre': 0.25})


# ---- refusals ---------------------------------------------------------------


@pytest.mark.parametrize(
  ('options', 'sentence'),
  [
    ({'keep_last': 1}, 'keep_last is 1; expected at least 2'),
    ({'every': 0}, 'every is 0; expected at least 1'),
    ({'keep_best': -1}, 'keep_best is -1'),
    ({'mode': 'least'}, "best_mode is 'least'; expected 'min' or 'max'"),
  ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, sentence):
  with pytest.raises(ValueError, match=sentence):
    store(tmp_path, **options)


@pytest.mark.parametrize(
  ('step', 'completed', 'metrics', 'sentence'),
  [
    (15, 14, {'nre': 1.0}, 'step is 15; expected 14, the updates'),
    (15, 15, {}, r"metrics of checkpoint 15 are \[\]; expected 'nre' among"),
    (7, 7, {'nre': 1.0}, 'step is 7 but .* has step 10'),
  ],
)
def test_saves_that_do_not_fit_are_refused(folder, step, completed, metrics, sentence):
  with pytest.raises(ValueError, match=sentence):
    store(folder).save(step, make_state(completed), metrics, force=True)
  assert on_disk(folder) == [5, 10]
  assert not os.path.exists(folder / '.saving')
