"""What `experiments.inspect` says of a file, against spectra whose noise and widths are known."""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from spectra_jax import inspection
from spectra_jax.datasets import computed
from spectra_jax.spectra import Spectra
from tests import spectral_files as files

ROOT = pathlib.Path(__file__).parent.parent
AXIS = np.arange(600.0, 3400.0, 1.0)


def made(values, kind='absorbance', axis=AXIS, unit='cm^-1', mask=None, **meta):
  values = np.atleast_2d(values).astype(np.float32)
  mask = np.ones(values.shape, bool) if mask is None else mask
  meta = {name: np.array([column] * len(values)) for name, column in meta.items()}
  return Spectra(values, axis, unit, kind, 'measured', mask, meta, '')


def bands(fwhm_cm, sigma, rows=1, spacing_cm=250):
  """Gaussian bands of height 1 over white noise."""
  width = fwhm_cm / np.sqrt(8 * np.log(2))
  clean = sum(
    np.exp(-((AXIS - centre) ** 2) / (2 * width**2)) for centre in range(800, 3300, spacing_cm)
  )
  return clean + sigma * np.random.default_rng(0).normal(size=(rows, len(AXIS)))


@pytest.mark.parametrize('sigma', [0.001, 0.01])
def test_snr_is_height_over_noise(sigma):
  found = inspection.describe(made(bands(20.0, sigma, rows=5, spacing_cm=2000)))
  assert found['snr'] == pytest.approx(1 / sigma, rel=0.1)
  assert found['warnings'] == []


@pytest.mark.parametrize('fwhm_cm', [6.0, 12.0, 30.0])
def test_resolution_is_the_width_of_the_narrowest_bands(fwhm_cm):
  assert inspection.describe(made(bands(fwhm_cm, 1e-3)))['resolution'] == pytest.approx(
    fwhm_cm, rel=0.1
  )
  down = made(1 - 0.9 * bands(fwhm_cm, 1e-3), 'transmittance')
  assert inspection.describe(down)['resolution'] == pytest.approx(fwhm_cm, rel=0.1)


def test_what_cannot_be_told_is_null():
  found = inspection.describe(made(np.linspace(0, 1, len(AXIS))))
  assert found['resolution'] is None
  assert found['resolution_stated_cm'] is None


@pytest.mark.parametrize(
  ('spectra', 'says'),
  [
    (made(50 + 40 * bands(9, 1e-3), 'transmittance'), 'transmittance reaches 90.*kind=%T'),
    (made(50 + 40 * bands(9, 1e-3), 'reflectance'), 'kind=%R'),
    (made(bands(9, 1e-3) - 0.5, 'reflectance'), r'goes down to -0.5\d*, a fraction'),
    (made(9 * bands(9, 1e-3)), 'absorbance reaches 9.*: saturated'),
    (made(np.minimum(bands(30, 1e-3), 0.5)), 'stands 5 times in a row or more in 1 spectra'),
    (made(bands(9, 0) * 0 + AXIS), '1 spectra have no noise'),
    (made(bands(9, 1e-3), axis=AXIS**1.1), 'the steps of the axis go from'),
    (made(bands(9, 1e-3), axis=AXIS * 100), 'beyond the visible'),
    (made(bands(9, 1e-3), axis=AXIS / 100), r'ends at 33.99 cm\^-1.*um\?'),
    (made(bands(9, 1e-3), resolution_cm=0.5), 'step of 1 cm.* is wider than the resolution, 0.5'),
    (made(bands(3, 1e-3), resolution_cm=16.0), 'narrower than the resolution, 16: spikes'),
    (made(bands(9, 1e-3), mask=AXIS[None] > 700), '101 points were not measured'),
    (made(bands(9, 1e-3), warning='Oddly printed.'), 'Oddly printed.'),
  ],
)
def test_odd_spectra_are_told(spectra, says):
  said = inspection.describe(spectra)['warnings']
  assert any(re.search(says, text) for text in said), said


def test_wavenumbers_descend_to_the_right_and_wavelengths_do_not():
  nu, nm = made(bands(9, 1e-3)), made(bands(9, 1e-3), unit='nm')
  panels = inspection.figure('both', [nu, nm]).axes
  assert panels[0].get_xlim() == (AXIS[-1], AXIS[0])
  assert panels[1].get_xlim() == (AXIS[0], AXIS[-1])
  assert panels[1].get_xlabel() == 'Wavelength (nm)'


def inspect(folder, *arguments):
  command = [
    sys.executable,
    '-m',
    'experiments.inspect',
    '--output_dir',
    folder / 'out',
    *arguments,
  ]
  return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_last_line_is_one_object(tmp_path):
  (tmp_path / 'a.jdx').write_bytes(files.jcamp('dup', YUNITS='%T'))
  done = inspect(tmp_path, tmp_path / 'a.jdx')
  found = json.loads(done.stdout.splitlines()[-1])
  assert done.returncode == 0
  assert (found['kind'], found['axis_unit'], found['points']) == ('transmittance', 'cm^-1', 24)
  assert found['axis'] == [1700.0, 4000.0]
  assert isinstance(found['warnings'], list)
  assert json.loads((tmp_path / 'out' / 'inspect.json').read_text()) == found
  assert (tmp_path / 'out' / 'a.jdx.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
def test_bad_files_are_one_sentence_each(tmp_path):
  (tmp_path / 'a.jdx').write_bytes(files.jcamp())
  (tmp_path / 'b.csv').write_bytes(files.csv(''))
  both = inspect(tmp_path, tmp_path / 'a.jdx', tmp_path / 'b.csv')
  first, second = json.loads(both.stdout.splitlines()[-1])['files']
  assert (both.returncode, first['kind']) == (1, 'absorbance')
  assert 'pass it as axis_unit=' in second['error']
  done = inspect(tmp_path, tmp_path / 'b.csv')
  assert done.returncode == 1
  assert done.stderr == (
    'error: b.csv: the axis has no unit, expected one of cm^-1, nm, um, index; pass it as '
    'axis_unit=\n'
  )
  told = inspect(tmp_path, tmp_path / 'b.csv', '--axis_unit=um', '--kind=%R')
  found = json.loads(told.stdout.splitlines()[-1])
  assert (found['kind'], found['axis_unit']) == ('reflectance', 'cm^-1')


@pytest.mark.parametrize('fwhm_cm', [8.0, 16.0, 32.0])
def test_the_width_of_lines_is_found_with_gaps_too(fwhm_cm):
  axis = np.linspace(400.0, 4000.0, 1024)
  found = computed.load(axis, slice(3000, 3030), fwhm_cm=fwhm_cm)['ir']
  assert inspection.line_width(found) == pytest.approx(fwhm_cm, rel=0.1)
  mask = np.ones(found.values.shape, bool)
  mask[:, 300:340] = False
  gaps = dataclasses.replace(found, mask=mask)
  assert inspection.line_width(gaps) == pytest.approx(fwhm_cm, rel=0.1)
  flat = dataclasses.replace(found, values=np.ones_like(found.values))
  assert np.isnan(inspection.line_width(flat))
