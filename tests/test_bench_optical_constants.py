"""The benchmark on tabulated optical constants: on a file made here, and on the real ones."""

import pathlib

import numpy as np
import pytest
from absl import flags

from experiments import dielectrics
from experiments.benches import optical_constants
from tests.test_bench import in_process

FOLDER = pathlib.Path(flags.FLAGS['folder'].default)
FILE = """REFERENCES: |
    Nobody.
DATA:
  - type: tabulated nk
    data: |
{rows}
CONDITIONS:
    temperature: 298
"""


def write(path, nu, index):
  columns = zip(1e4 / nu[::-1], index.real[::-1], index.imag[::-1], strict=True)
  rows = '\n'.join('        {:.9e} {:.9e} {:.9e}'.format(*row) for row in columns)
  path.write_text(FILE.format(rows=rows))


def test_a_made_up_liquid_and_its_table(tmp_path):
  nu = np.arange(450.0, 4050.0, 0.5)
  chi = dielectrics.lorentz(nu, 0.02, 1700.0, 20.0) + dielectrics.lorentz(nu, 0.05, 380.0, 20.0)
  index = np.sqrt(1.8 + chi)
  write(tmp_path / 'liquid.yml', nu, index)
  read = optical_constants.read(tmp_path / 'liquid.yml')
  np.testing.assert_allclose(read, [nu, index.real, index.imag], rtol=1e-8)
  result = in_process('optical_constants', f'--folder={tmp_path}')['liquid']
  rms = [errors['rms_delta_n'] for errors in result['by_anchors'].values()]
  assert result['anchors'] == 2
  assert result['rms_delta_n'] == rms[2] < 1e-4
  assert rms[1] > 10 * rms[2]


@pytest.mark.skipif(not any(FOLDER.glob('*.yml')), reason=f'no optical constants in {FOLDER}')
def test_tabulated_liquids():
  result = in_process('optical_constants', f'--folder={FOLDER}')
  for name in ('benzene_Myers', 'ethanol_Myers', 'propanol_Myers', 'H2O_Rowe-273K'):
    assert result[name]['rms_delta_n'] < 1e-4, name


def test_files_that_it_cannot_use_are_refused(tmp_path):
  with pytest.raises(ValueError, match=r'has no \*.yml; expected tabulated n and k'):
    in_process('optical_constants', f'--folder={tmp_path}')
  (tmp_path / 'formula.yml').write_text('DATA:\n  - type: formula 1\n')
  with pytest.raises(ValueError, match=r'formula\.yml has no block `type: tabulated nk`'):
    in_process('optical_constants', f'--folder={tmp_path}')
  nu = np.linspace(600.0, 4100.0, 20)
  write(tmp_path / 'formula.yml', nu, np.sqrt(1.8 + dielectrics.lorentz(nu, 0.1, 900.0, 90.0)))
  with pytest.raises(ValueError, match=r'goes from 600 to 4100 cm.* expected at least 500 to 4000'):
    in_process('optical_constants', f'--folder={tmp_path}')
