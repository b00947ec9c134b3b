"""The profile of a run: a trace that TensorBoard reads, and what the input takes of a step."""

import json

import jax
import jax.numpy as jnp
import pytest

from configs import pretrain
from spectra_jax import profile, train
from spectra_jax.log import Log
from spectra_jax.workdir import claim

FIRST = 5  # updates that were done before


def loop(workdir, steps, wanted=True):
  """The calls of the training loop around a small computation; what it said."""
  c = pretrain.get_config('tiny').log
  c.tensorboard, said = False, []
  log = Log(workdir, c, FIRST + steps, 8)
  log.say = said.append
  kept = profile.Profile(workdir, FIRST, log, wanted)
  work = jax.jit(lambda x: jnp.sin(x).sum())
  for step in range(FIRST, FIRST + steps):
    kept.begin(step)
    kept.lap(step, 'gather')
    x = jnp.ones(100)
    kept.lap(step, 'place')
    metrics = work(x)
    kept.lap(step, 'dispatch')
    jax.block_until_ready(metrics)
    kept.lap(step, 'wait')
    kept.end(step, metrics)
  kept.close()
  log.close()
  return said


def steps_of(workdir):
  (folder,) = (workdir / 'profile' / 'plugins' / 'profile').iterdir()  # where TensorBoard looks
  (trace,) = folder.glob('*.xplane.pb')
  planes = jax.profiler.ProfileData.from_file(str(trace)).planes
  found = [event for plane in planes for line in plane.lines for event in line.events]
  return [dict(event.stats)['step_num'] for event in found if event.name == 'step']


def check_summary(workdir, said):
  found = json.loads((workdir / 'profile' / 'summary.json').read_text())
  assert found['steps'] == profile.LAST - profile.FIRST + 1
  assert found['device_over_input'] == found['device_ms'] / found['input_ms'] > 0
  assert max(found[f'{name}_ms'] for name in ('gather', 'place')) <= found['input_ms']
  assert max(found['input_ms'], found['device_ms']) <= found['step_ms']
  (line,) = (text for text in said if text.startswith('profile of steps 10 to 20'))
  assert f'{found["device_over_input"]:.3g} times as long' in line


def test_the_trace_has_the_tenth_to_the_twentieth_step_of_this_process(tmp_path):
  said = loop(tmp_path, 23)
  assert steps_of(tmp_path) == [FIRST + n - 1 for n in range(10, 21)]
  check_summary(tmp_path, said)


def test_a_run_that_ends_before_leaves_its_trace_and_no_summary(tmp_path):
  assert loop(tmp_path, 12) == []
  assert steps_of(tmp_path) == [FIRST + n - 1 for n in (10, 11, 12)]
  assert not (tmp_path / 'profile' / 'summary.json').exists()


def test_nothing_is_left_unasked(tmp_path):
  assert loop(tmp_path, 23, wanted=False) == []
  assert not (tmp_path / 'profile').exists()


@pytest.mark.slow
def test_a_profiled_run_is_the_one_without(tmp_path):
  config = pretrain.get_config('tiny')
  config.train.steps, config.log.figures = 22, False
  for name, wanted in (('profiled', True), ('plain', False)):
    run = train.prepare(config, str(tmp_path / name))
    with claim(run.workdir, config, run.data_hash):
      train.train(run, profiled=wanted)
  lines = [(tmp_path / name / 'metrics.jsonl').read_bytes() for name in ('profiled', 'plain')]
  assert lines[0] == lines[1]
  assert steps_of(tmp_path / 'profiled') == list(range(9, 20))
  assert not (tmp_path / 'plain' / 'profile').exists()


def test_medians_are_of_milliseconds_and_of_sums():
  parts = {'gather': [1.0, 3.0, 2.0], 'place': [9.0, 1.0, 1.0], 'step': [50.0, 60.0, 70.0]}
  found = profile.summary({**parts, 'dispatch': [40.0, 1.0, 2.0], 'wait': [0.0, 39.0, 70.0]})
  assert found['gather_ms'] == 2000.0
  assert found['place_ms'] == 1000.0
  assert found['input_ms'] == 4000.0  # of 10, 4 and 3 s
  assert found['device_ms'] == 40_000.0
  assert found['device_over_input'] == 10.0


def test_too_few_steps_are_refused():
  profile.check_steps(20)
  with pytest.raises(ValueError, match=r'train\.steps is 19, expected at least 20 with --profile'):
    profile.check_steps(19)
