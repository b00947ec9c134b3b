"""The real loop under kills, signals and other device counts: always the same run.

Every run here is the tiny pretraining with clipping, masks and dropout on, by SGD, because Adam
hides a gradient of the wrong scale. Test scores and figures at the end are left out.
"""

import json
import random
import signal
import time

import jax
import numpy as np
import optax
import pytest

from configs import pretrain
from spectra_jax import batches, distributed, parallel, placement, train
from spectra_jax.log import Log
from spectra_jax.tasks import masked
from spectra_jax.workdir import claim
from tests import processes, synthetic

STEPS = 23  # saves every 5 and validations every 7 do not divide it
FLAGS = {
  'split.train_share': 1.0,
  'train.steps': STEPS,
  'optimizer.name': 'sgd',
  'optimizer.lr': 0.02,
  'optimizer.ema_decay': 0.9,
  'parallel.devices': 1,
  'log.tensorboard': False,
}


@pytest.fixture(scope='module')
def flags(tmp_path_factory):
  folder = tmp_path_factory.mktemp('data')
  path = synthetic.write(folder, synthetic.lines(60))
  return {
    **FLAGS,
    'dataset.computed.path': str(path),
    'log.compile_cache': str(folder / 'compiled'),
  }


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
  monkeypatch.setattr(train, 'finish', lambda *args: {})


def make_config(flags):
  config = pretrain.get_config('tiny')
  config.update_from_flattened_dict(flags)
  return config


def execute(workdir, flags):
  config = make_config(flags)
  run = train.prepare(config, str(workdir))
  with claim(run.workdir, config, run.data_hash):
    train.train(run)


@pytest.fixture(scope='module')
def whole(flags, tmp_path_factory):
  """Workdir of the uninterrupted run on one device."""
  workdir = tmp_path_factory.mktemp('whole')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(train, 'finish', lambda *args: {})
    execute(workdir, flags)
  return workdir


def trace(workdir):
  """{metric: {step: value}}; a step that is written twice fails."""
  columns = {}
  for line in (workdir / 'metrics.jsonl').read_text().splitlines():
    record = json.loads(line)
    for name, value in record.items():
      assert record['step'] not in columns.setdefault(name, {}) or name == 'step'
      columns[name][record['step']] = value
  return columns


def saved_steps(workdir):
  return sorted(int(p.name) for p in (workdir / 'checkpoints').iterdir() if p.name.isdecimal())


def restore(workdir, flags):
  """(state as numpy, step, metrics) of the last checkpoint."""
  config = make_config(flags)
  checkpoints = train.Checkpoints(workdir / 'checkpoints', **config.checkpoint.to_dict())
  state, *rest = checkpoints.restore(train.init_state(train.prepare(config, str(workdir))))
  return jax.tree.map(np.asarray, state), *rest


def assert_same_run(workdir, whole, flags):
  """Bit for bit: every line of the log and every number of the last checkpoint."""
  assert (workdir / 'metrics.jsonl').read_text() == (whole / 'metrics.jsonl').read_text()
  states = [restore(folder, flags)[0] for folder in (workdir, whole)]
  assert states[0].step == STEPS
  jax.tree.map(np.testing.assert_array_equal, *states)


def assert_close_run(workdir, whole, rtol=1e-5):
  ours, theirs = trace(workdir), trace(whole)
  assert ours.keys() == theirs.keys()
  for name, column in theirs.items():
    assert ours[name].keys() == column.keys()
    for step, value in column.items():
      np.testing.assert_allclose(ours[name][step], value, rtol=rtol, err_msg=f'{name} at {step}')


# ---- bookkeeping ------------------------------------------------------------


def test_the_test_is_about_what_it_says(whole):
  """Clipping acts, the loss moves, and something is validated, or parity would mean little."""
  columns = trace(whole)
  norms, losses = columns['train/grad_norm'], columns['train/loss']
  assert max(norms.values()) > pretrain.get_config('tiny').optimizer.clip_norm
  assert losses[1] > 1.1 * losses[STEPS]
  assert columns['val/nre'][0] != columns['val/nre'][STEPS]


def test_periods_that_do_not_divide_the_steps(flags, tmp_path):
  periods = {'log.every': 2, 'train.eval_every': 4, 'checkpoint.every': 3}
  execute(tmp_path, {**flags, **periods, 'checkpoint.keep_last': 100})
  columns = trace(tmp_path)
  assert list(columns['train/loss']) == [*range(2, STEPS, 2), STEPS]
  assert list(columns['val/nre']) == [*range(0, STEPS, 4), STEPS]
  assert saved_steps(tmp_path) == [*range(3, STEPS, 3), STEPS]
  state, step, metrics = restore(tmp_path, flags)
  assert step == state.step == STEPS
  assert metrics['nre'] == columns['val/nre'][STEPS]


# ---- interruptions ----------------------------------------------------------


class Crash(Exception):
  pass


def crash_at(step, monkeypatch):
  """The process 'dies' when it has written the metrics of `step`."""
  honest = Log.step

  def dying(self, done, metrics):
    honest(self, done, metrics)
    if done == step:
      raise Crash

  monkeypatch.setattr(Log, 'step', dying)


@pytest.mark.slow
def test_crashes_and_a_damaged_checkpoint_leave_the_same_run(flags, whole, tmp_path, monkeypatch):
  for step in (3, 5, 11, 16, 22):  # before the first save, at one, between, right after one
    with monkeypatch.context() as patch:
      crash_at(step, patch)
      with pytest.raises(Crash):
        execute(tmp_path, flags)
    if step == 16:
      target = tmp_path / 'checkpoints' / '15' / 'state' / 'manifest.ocdbt'
      target.write_bytes(b'x' + target.read_bytes()[1:])
  execute(tmp_path, flags)
  assert (tmp_path / 'checkpoints' / 'damaged' / '15').is_dir()
  assert_same_run(tmp_path, whole, flags)


@pytest.mark.parametrize(
  'meshes',
  [
    [(8, 2, 2)],
    pytest.param([(8, 2, 1), (8, 1, 1), (8, 8, 1), (4, 2, 1)], marks=pytest.mark.slow),
    pytest.param([(2, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 2)], marks=pytest.mark.slow),
  ],
)
def test_any_mesh_takes_the_same_run_and_one_device_goes_on_with_it(
  meshes, flags, whole, tmp_path, monkeypatch
):
  """With clipping, dropout, masks and a moving average, by SGD; each dies after five more steps.

  Devices, fsdp, seq; three devices share out 68 tokens unevenly.
  """
  for i, (devices, fsdp, seq) in enumerate(meshes):
    mesh = {'parallel.devices': devices, 'parallel.fsdp': fsdp, 'parallel.seq': seq}
    with monkeypatch.context() as patch:
      crash_at(6 + 5 * i, patch)
      with pytest.raises(Crash):
        execute(tmp_path, {**flags, **mesh})
  execute(tmp_path, flags)
  assert_close_run(tmp_path, whole)


WORKER = """
import json, sys, time
from spectra_jax import distributed
address = json.loads(sys.argv[3])
distributed.initialize(*address)
from configs import pretrain
from spectra_jax import train
from spectra_jax.log import Log
from spectra_jax.workdir import claim

honest, pause = Log.step, float(sys.argv[4])

def slow(self, step, metrics):
  honest(self, step, metrics)
  time.sleep(pause)

Log.step = slow
train.finish = lambda *args: {}
config = pretrain.get_config('tiny')
config.update_from_flattened_dict(json.loads(sys.argv[2]))
run = train.prepare(config, sys.argv[1])
with claim(run.workdir, config, run.data_hash):
  train.train(run)
print('finished')
"""


def start(workdir, flags, address=(), devices=8, pause=0.0):
  words = (str(workdir), json.dumps(flags), json.dumps(address), str(pause))
  return processes.start('-c', WORKER, *words, devices=devices)


def wait_for_step(workdir, step, process):
  """Returns once the log has a line of `step` or a later one."""
  path, deadline = workdir / 'metrics.jsonl', time.monotonic() + 180
  while time.monotonic() < deadline and process.poll() is None:
    lines = path.read_text().splitlines() if path.exists() else []
    if any(f'"step": {n}, "train/' in line for line in lines for n in range(step, STEPS)):
      return
    time.sleep(0.005)
  raise AssertionError(f'step {step} did not come:\n{processes.finish(process, code=None)}')


def kill(workdir, flags, step):
  process = start(workdir, flags, pause=0.05)
  wait_for_step(workdir, step, process)
  process.send_signal(signal.SIGKILL)
  assert 'finished' not in processes.finish(process, code=-signal.SIGKILL)


def terminate(workdir, flags, step):
  process = start(workdir, flags, pause=0.25)  # the runtime looks for a notice once a second
  wait_for_step(workdir, step, process)
  process.send_signal(signal.SIGTERM)
  output = processes.finish(process, code=None)
  assert 'SIGTERM at step' in output, output
  assert process.returncode != 0  # so that a queue knows that the run is not over
  stopped = int(output.rsplit('SIGTERM at step ', 1)[1].split(':')[0])
  assert saved_steps(workdir)[-1] == stopped == max(trace(workdir)['train/loss'])


def test_a_run_killed_and_then_terminated_is_the_uninterrupted_one(flags, whole, tmp_path):
  kill(tmp_path, flags, 8)
  terminate(tmp_path, flags, 9)
  execute(tmp_path, flags)
  assert_same_run(tmp_path, whole, flags)
  killed, terminated, last = json.loads((tmp_path / 'attempts.json').read_text())
  assert killed['first_step'] == 0 < terminated['first_step'] <= last['first_step']
  assert last['first_step'] == terminated['step']  # SIGTERM: counted up to the end
  assert min(attempt['wall_s'] for attempt in (killed, terminated, last)) > 0


@pytest.mark.slow
def test_many_kills_and_terminations_at_random_steps(flags, whole, tmp_path):
  rng = random.Random()
  for run in range(4):
    workdir, steps = tmp_path / str(run), sorted(rng.sample(range(1, STEPS - 2), 3))
    for step in steps:
      stop = rng.choice([kill, terminate]) if step < STEPS / 2 else kill
      stop(workdir, flags, step)
    processes.finish(start(workdir, flags))
    assert_same_run(workdir, whole, flags)


# ---- devices ----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(('devices', 'fsdp', 'seq'), [(2, 1, 1), (2, 1, 2), (3, 1, 3), (8, 2, 2)])
def test_one_step_changes_every_parameter_as_on_one_device(devices, fsdp, seq, flags, tmp_path):
  """By SGD without clipping, with dropout and masks; against the largest change of each leaf."""

  def step(devices, fsdp, seq):
    mesh = {'parallel.devices': devices, 'parallel.fsdp': fsdp, 'parallel.seq': seq}
    run = train.prepare(make_config({**flags, **mesh}), str(tmp_path))
    start = jax.tree.map(np.asarray, train.initial_params(run.task, run.module, 0))
    state = parallel.init_state(start, optax.sgd(1.0), 0.0, run.mesh)
    step_fn = parallel.make_step(train.make_loss(run), optax.sgd(1.0), 0.0, run.mesh)
    batch = {name: x[:16] for name, x in run.task.examples('train').items()}
    state, _ = step_fn(state, placement.shard_batch(batch, run.mesh))
    return jax.tree.map(np.subtract, placement.to_host(state.params), start)

  def close(ours, theirs):
    assert np.abs(theirs).max() > 0
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max() + 1e-6)

  jax.tree.map(close, step(devices, fsdp, seq), step(1, 1, 1))


@pytest.mark.slow
def test_micro_batches_take_the_same_run(flags, whole, tmp_path):
  execute(tmp_path, {**flags, 'parallel.devices': 2, 'train.accumulate': 4})
  assert_close_run(tmp_path, whole)


@pytest.mark.slow
def test_pmap_is_shard_map_bit_for_bit_in_the_loop(flags, tmp_path):
  texts = []
  for name in parallel.MAPS:
    execute(tmp_path / name, {**flags, 'parallel.devices': 8, 'parallel.map': name})
    texts.append((tmp_path / name / 'metrics.jsonl').read_text())
  assert texts[0] == texts[1]


@pytest.mark.slow
@pytest.mark.parametrize('fsdp', [1, 8])
def test_two_processes_of_four_devices_take_the_same_run(fsdp, flags, whole, tmp_path):
  """Terminated on the way, by a signal to one of them, and started again as one process of four.

  With fsdp = 8 no process holds a whole parameter.
  """
  several = {**flags, 'parallel.devices': 0, 'parallel.fsdp': fsdp}
  with distributed.reserved_port() as port:
    address = f'127.0.0.1:{port}'
    first, second = (
      start(tmp_path, several, (address, 2, i), devices=4, pause=0.25) for i in range(2)
    )
    wait_for_step(tmp_path, 6, first)
    second.send_signal(signal.SIGTERM)
    outputs = [processes.finish(process, code=None) for process in (first, second)]
  assert all('SIGTERM at step' in output for output in outputs), outputs
  assert 6 < saved_steps(tmp_path)[-1] < STEPS
  execute(tmp_path, {**flags, 'parallel.devices': 4})
  assert_close_run(tmp_path, whole)


# ---- not a number -----------------------------------------------------------


def test_a_non_finite_loss_stops_with_its_batch_and_a_finite_checkpoint(
  flags, tmp_path, monkeypatch
):
  """One bad spectrum in the training set: the run ends at the first batch that draws it."""
  honest, bad = masked.Task.examples, 40

  def examples(self, side):
    found = dict(honest(self, side))
    if side == 'train':
      found['values'] = found['values'].copy()
      found['values'][bad] = np.nan
    return found

  monkeypatch.setattr(masked.Task, 'examples', examples)
  config = make_config(flags)
  rows_there = len(train.prepare(config, str(tmp_path)).task.examples('train')['row'])
  draw = lambda step: batches.training_rows(config.seed, step - 1, 16, rows_there)
  expected = next(step for step in range(1, STEPS) if bad in draw(step))
  assert expected > 1
  often = {**flags, 'checkpoint.every': 1, 'checkpoint.keep_last': 100}
  for _ in range(2):  # and the run does not get past it when it is started again
    with pytest.raises(FloatingPointError, match=f'at step {expected}, .*nonfinite_step{expected}'):
      execute(tmp_path, often)
    assert saved_steps(tmp_path) == list(range(1, expected))
  batch = np.load(tmp_path / f'nonfinite_step{expected}.npz')
  assert np.isnan(batch['values']).any(axis=1).tolist() == (draw(expected) == bad).tolist()
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(restore(tmp_path, flags)[0]))
