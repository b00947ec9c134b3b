"""The sharded driver: resumed runs, foreign folders, packing."""

import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip('tblite', reason='tblite is in the [compute] extra')
pytest.importorskip('rdkit', reason='rdkit is in the [compute] extra')

from spectra_jax.data import compute

FEW = [('O', False), ('C', False), ('O=C=O', True), ('FC#CF', True), ('CCCCO', False), ('N', False)]
SCRIPT = """
import pathlib, sys
from spectra_jax.data import compute
if __name__ == '__main__':
  compute.run(pathlib.Path(sys.argv[1]), {few}, processes=1, shard_size=2)
"""


def start(folder: pathlib.Path, script: pathlib.Path) -> subprocess.Popen:
  script.write_text(SCRIPT.format(few=FEW))
  root = pathlib.Path(compute.__file__).parents[2]
  return subprocess.Popen(
    [sys.executable, script, folder],
    env={**os.environ, 'PYTHONPATH': str(root)},
    stderr=subprocess.DEVNULL,
  )


def wait_for(condition, seconds=30.0):
  limit = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < limit, 'waited too long'
    time.sleep(0.005)


@pytest.fixture(scope='module')
def shards(tmp_path_factory):
  """Shards of a run that was not interrupted."""
  folder = tmp_path_factory.mktemp('whole')
  assert start(folder / 'shards', folder / 'run.py').wait(60) == 0
  return folder / 'shards'


def test_a_run_killed_inside_a_shard_goes_on_and_ends_with_the_same_bytes(shards, tmp_path):
  broken = tmp_path / 'shards'
  process = start(broken, tmp_path / 'run.py')
  wait_for(lambda: (broken / '00000.npz').exists())
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert not (broken / '00002.npz').exists()
  kept = (broken / '00000.npz').stat().st_mtime_ns
  assert start(broken, tmp_path / 'run.py').wait(60) == 0
  assert (broken / '00000.npz').stat().st_mtime_ns == kept
  names = ['00000.npz', '00001.npz', '00002.npz', 'settings.json']
  assert [(broken / n).read_bytes() for n in names] == [(shards / n).read_bytes() for n in names]


def test_a_folder_of_other_settings_is_refused(shards):
  with pytest.raises(ValueError, match='was made with shard_size = 2, this run has 3'):
    compute.run(shards, FEW, shard_size=3)


def test_pack_sorts_lists_refusals_and_records_the_hash(shards, tmp_path):
  refused = compute.pack(shards, tmp_path / 'out.npz')
  assert refused == {'imaginary mode': 1}
  with np.load(tmp_path / 'out.npz') as stored:
    arrays = dict(stored)
  assert arrays['smiles'].tolist() == ['C', 'N', 'O', 'O=C=O', 'CCCCO']
  assert arrays['listed'].tolist() == [False, False, False, True, False]
  assert arrays['heavy_atoms'].tolist() == [1, 1, 1, 3, 5]
  assert np.diff(arrays['atom_offsets']).tolist() == [5, 4, 3, 3, 15]
  assert np.diff(arrays['mode_offsets']).tolist() == [9, 6, 3, 4, 39]
  assert (tmp_path / 'refused.csv').read_text().startswith('smiles,reason\nFC#CF,imaginary mode')
  digest = hashlib.sha256((tmp_path / 'out.npz').read_bytes()).hexdigest()
  assert (tmp_path / 'out.sha256').read_text().split() == [digest, 'out.npz']


def test_the_same_molecule_twice_is_packed_once(tmp_path):
  compute.run(tmp_path, [('C', False), ('[CH4]', False)], processes=1)
  assert compute.pack(tmp_path, tmp_path / 'out.npz') == {'duplicate': 1}


def test_a_target_ends_the_pack_at_a_shard(shards, tmp_path):
  compute.pack(shards, tmp_path / 'out.npz', target=3)
  with np.load(tmp_path / 'out.npz') as stored:
    assert stored['smiles'].tolist() == ['C', 'O', 'O=C=O']


def test_an_empty_folder_is_refused(tmp_path):
  with pytest.raises(ValueError, match='holds no finished shard'):
    compute.pack(tmp_path, tmp_path / 'out.npz')
