"""A hundred random bits of the files of a real run's checkpoints: each one is noticed."""

import random
import shutil

import jax
import numpy as np
import pytest

from configs import pretrain
from spectra_jax import train
from spectra_jax.checkpoint import Checkpoints
from spectra_jax.workdir import claim
from tests import synthetic

FLIPS = 100


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  """(run, its checkpoints' folder): steps 15 and 20 of a tiny run of eight devices, two by four."""
  folder = tmp_path_factory.mktemp('run')
  config = pretrain.get_config('tiny')
  path = synthetic.write(folder, synthetic.lines(60))
  changes = {'dataset.computed.path': str(path), 'split.train_share': 1.0, 'log.tensorboard': False}
  config.update_from_flattened_dict({**changes, 'parallel.devices': 8, 'parallel.fsdp': 4})
  run = train.prepare(config, str(folder / 'w'))
  with pytest.MonkeyPatch.context() as patch, claim(run.workdir, config, run.data_hash):
    patch.setattr(train, 'finish', lambda *args: {})
    train.train(run)
  return run, run.workdir / 'checkpoints'


def restore(run, folder):
  options = run.config.checkpoint.to_dict()
  return Checkpoints(folder, **options).restore(train.init_state(run))


@pytest.mark.slow
def test_every_one_of_a_hundred_flipped_bits_is_caught(finished, tmp_path):
  run, original = finished
  folder = shutil.copytree(original, tmp_path / 'checkpoints')
  newest, older = sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal())[::-1][:2]
  shutil.move(folder / str(newest), tmp_path / 'newest')
  expected, step, _ = restore(run, folder)
  assert step == older
  shutil.move(tmp_path / 'newest', folder / str(newest))
  assert restore(run, folder)[1] == newest
  files = sorted(p for p in (folder / str(newest)).rglob('*') if p.is_file())
  sizes = [path.stat().st_size for path in files]
  rng, hit = random.Random(), set()
  for i in range(FLIPS):
    # Every file once, then bits drawn evenly from all bytes there are.
    path = files[i] if i < len(files) else rng.choices(files, sizes)[0]
    content = path.read_bytes()
    place = rng.randrange(len(content))
    changed = content[place] ^ (1 << rng.randrange(8))
    path.write_bytes(content[:place] + bytes([changed]) + content[place + 1 :])
    state, step, _ = restore(run, folder)
    assert step == older, f'a flipped bit at byte {place} of {path} was restored'
    jax.tree.map(np.testing.assert_array_equal, state, expected)
    path.write_bytes(content)
    hit.add(path)
  assert hit == set(files)
  assert restore(run, folder)[1] == newest
