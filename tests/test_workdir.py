"""A folder belongs to one run, and a refusal leaves it as it was."""

import os
import signal

import pytest

from configs import default
from spectra_jax import workdir as workdirs
from spectra_jax.workdir import claim, identity
from tests import processes


def config(**changes):
  c = default.get_config()
  c.update_from_flattened_dict(changes)
  return c


def snapshot(folder):
  return {
    str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None)
    for p in [folder, *folder.rglob('*')]
  }


def test_identity_is_what_decides_the_numbers():
  same = identity(config(), 'data')
  for changes in ({'parallel.devices': 4}, {'log.every': 7}, {'checkpoint.every': 3}):
    assert identity(config(**changes), 'data') == same
  different = [
    identity(config(), 'other'),
    identity(config(seed=1), 'data'),
    identity(config(**{'train.steps': 7}), 'data'),
    identity(config(**{'split.fractions': (0.7, 0.2, 0.1)}), 'data'),
  ]
  assert len({same, *different}) == 5


def test_a_claim_makes_the_folder_and_the_same_run_comes_back(tmp_path):
  folder = tmp_path / 'a' / 'b'
  with claim(folder, config(), 'data'):
    pass
  before = (folder / 'config.json').read_bytes()
  assert b'"linoss"' in before
  with claim(folder, config(**{'parallel.devices': 4, 'log.every': 7}), 'data'):
    pass
  assert (folder / 'config.json').read_bytes() == before


def test_another_config_is_refused_with_every_difference_and_nothing_changes(tmp_path):
  with claim(tmp_path, config(), 'data'):
    (tmp_path / 'metrics.jsonl').write_text('{}')
  before = snapshot(tmp_path)
  other = config(seed=3, **{'train.batch_size': 64, 'split.fractions': (0.7, 0.2, 0.1)})
  with pytest.raises(ValueError, match='another --workdir or the same config') as caught:
    claim(tmp_path, other, 'other').__enter__()
  text = str(caught.value)
  assert 'seed is 0 there and 3 here' in text
  assert 'train.batch_size is 32 there and 64 here' in text
  assert 'split.fractions is [0.8, 0.1, 0.1] there and [0.7, 0.2, 0.1] here' in text
  assert "data is 'data' there and 'other' here" in text
  assert text.count(' there and ') == 4
  assert snapshot(tmp_path) == before


@pytest.mark.parametrize('name', ['checkpoints', 'metrics.jsonl', 'report.json'])
def test_results_without_a_config_are_refused(tmp_path, name):
  (tmp_path / name).mkdir()
  before = snapshot(tmp_path)
  with pytest.raises(ValueError, match=f'has {name} but no config.json'):
    claim(tmp_path, config(), 'data').__enter__()
  assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
  'content', ['', '{', '[]', '{"config": 1}', '{"config": 1, "data_hash": 2}']
)
def test_a_foreign_config_file_is_refused(tmp_path, content):
  (tmp_path / 'config.json').write_text(content)
  with pytest.raises(ValueError, match=r'config.json is not the config of a run'):
    claim(tmp_path, config(), 'data').__enter__()
  assert (tmp_path / 'config.json').read_text() == content


def test_a_second_claim_is_refused_until_the_first_ends(tmp_path):
  with claim(tmp_path, config(), 'data'):
    before = snapshot(tmp_path)
    with pytest.raises(BlockingIOError, match='is in use by another process'):
      claim(tmp_path, config(), 'data').__enter__()
    assert snapshot(tmp_path) == before
  with claim(tmp_path, config(), 'data'):
    pass


HOLDER = """
import sys, time
from configs import default
from spectra_jax.workdir import claim
with claim(sys.argv[1], default.get_config(), 'data'):
  print('held')
  time.sleep(600)
"""


def test_the_lock_goes_with_a_killed_process(tmp_path):
  holder = processes.start('-c', HOLDER, str(tmp_path))
  processes.wait_for(holder, 'held')
  with pytest.raises(BlockingIOError, match='in use'):
    claim(tmp_path, config(), 'data').__enter__()
  holder.send_signal(signal.SIGKILL)
  holder.wait()
  with claim(tmp_path, config(), 'data'):
    pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
  (tmp_path / 'file').write_text('')
  with pytest.raises(OSError, match=r'cannot be written \(Not a directory\)'):
    claim(tmp_path / 'file' / 'run', config(), 'data').__enter__()

  def refuse(*args):
    raise OSError(30, os.strerror(30))

  monkeypatch.setattr(workdirs.os, 'open', refuse)  # root may write anywhere else
  with pytest.raises(OSError, match=r'cannot be written \(Read-only file system\)'):
    claim(tmp_path, config(), 'data').__enter__()


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / 'report.json'
  workdirs.write_json_atomic(path, {'a': 1})
  with pytest.raises(ValueError, match='JSON'):
    workdirs.write_json_atomic(path, {'a': float('nan')})

  def full(handle):
    raise OSError(28, os.strerror(28))

  monkeypatch.setattr(workdirs.os, 'fsync', full)
  with pytest.raises(OSError, match='No space'):
    workdirs.write_json_atomic(path, {'a': 2})
  assert path.read_text() == '{\n  "a": 1\n}\n'
