"""`experiments.retrieve`: from a trained run and a file to ranked molecules."""

import json

import numpy as np
import pytest

from spectra_jax.datasets import computed
from spectra_jax.spectra import uniform_axis
from tests.processes import finish, start

AXIS = uniform_axis(420.0, 2350.0, 800)
ROW = 4000


@pytest.mark.slow
def test_a_tiny_run_names_molecules_for_files(tmp_path):
  pytest.importorskip('rdkit')
  workdir = f'--workdir={tmp_path / "run"}'
  config = '--config=configs/spektron_retrieval.py:tiny'
  trained = json.loads(finish(start('-m', 'experiments.train', config, workdir)).splitlines()[-1])
  assert trained['library'] == 7027
  assert trained['both']['recall_1']['kernel_ridge'] > 0.1
  lines, files = computed.load_lines(), []
  for kind in ('ir', 'raman'):
    values = computed.render(lines, kind, AXIS, 'lorentz', (16.0,), slice(ROW, ROW + 1))[0]
    header = 'wavenumber (cm-1),absorbance' if kind == 'ir' else 'raman shift (cm-1),intensity'
    rows = [f'{nu:.3f},{x:.6g}' for nu, x in zip(AXIS, values, strict=True)]
    (tmp_path / f'{kind}.csv').write_text('\n'.join([header, *rows]))
    files.append(f'--{kind}={tmp_path / kind}.csv')
  (tmp_path / 'more.smi').write_text('CCCCCCCCO octanol\n')
  more = f'--smiles={tmp_path / "more.smi"}'
  more = [more, f'--library={tmp_path / "library.npz"}']
  output = finish(start('-m', 'experiments.retrieve', workdir, *files, *more, '--top=7028'))
  again = finish(start('-m', 'experiments.retrieve', workdir, *files, *more, '--top=7028'))
  assert again == output
  document = json.loads(output.splitlines()[-1])
  assert document == json.loads((tmp_path / 'run' / 'retrieved.json').read_text())
  named = [one['id'] for one in document['ranking']]
  assert set(named) == {*lines.smiles.tolist(), 'CCCCCCCCO'}
  assert (np.diff([one['distance'] for one in document['ranking']]) >= -1e-4).all()
  refused = start('-m', 'experiments.retrieve', workdir)
  assert 'neither --ir nor --raman was given' in finish(refused, code=1)
