"""Line lists load verified, broaden to the closed form, and pair IR with Raman."""

import numpy as np
import pytest

from spectra_jax.datasets import computed
from spectra_jax.spectra import uniform_axis
from tests import synthetic

AXIS = uniform_axis(400.0, 4000.0, 1024)


@pytest.fixture
def file(tmp_path):
  return synthetic.write(tmp_path, synthetic.lines())


def test_load_gives_paired_spectra(file):
  spectra = computed.load(AXIS, path=str(file))
  assert set(spectra) == {'ir', 'raman'}
  np.testing.assert_array_equal(spectra['ir'].meta['id'], spectra['raman'].meta['id'])
  assert spectra['ir'].source == computed.file_hash(file)
  for made in spectra.values():
    assert made.values.dtype == np.float32
    assert (made.values > 0).all()


@pytest.mark.parametrize('kind', ['ir', 'raman'])
def test_rendering_equals_the_plain_sum_of_lorentzians(kind):
  lines = synthetic.lines(300)  # more than one chunk
  dense = computed.render(lines, kind, AXIS, 'lorentz', (16.0,))
  for molecule in (0, 1, 299):
    modes = lines.modes(molecule)
    strength = getattr(lines, computed.INTENSITY_OF_KIND[kind])[modes]
    offset = AXIS[:, None] - lines.frequency[modes]
    want = (strength * (8 / np.pi) / (offset**2 + 64)).sum(1)
    np.testing.assert_allclose(dense[molecule], want, rtol=2e-4)


def test_damaged_and_missing_files_are_refused(file):
  data = bytearray(file.read_bytes())
  data[len(data) // 2] ^= 1
  file.write_bytes(data)
  with pytest.raises(ValueError, match=r'lines.npz is damaged: its sha256 .* restore the file'):
    computed.load_lines(file)
  file.with_suffix('.sha256').unlink()
  with pytest.raises(FileNotFoundError, match=r'lines.sha256 is missing'):
    computed.load_lines(file)


def test_a_file_that_is_something_else_is_refused(tmp_path):
  path = tmp_path / 'lines.npz'
  np.savez(path, x=np.zeros(3))
  path.with_suffix('.sha256').write_text(computed.file_hash(path))
  with pytest.raises(ValueError, match='is not a file of computed line lists'):
    computed.load_lines(path)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'kinds': ('uv',)}, "kind is 'uv', expected one of ir, raman"),
    ({'line_shape': 'box'}, "line_shape is 'box', expected one of lorentz, gauss, voigt"),
    ({'fwhm_cm': 2.0}, 'axis step is 3.52 cm.* at most 1'),
    ({'line_shape': 'voigt'}, 'line widths are .16.0, 0.0. .* expected positive'),
  ],
)
def test_bad_requests_are_refused(file, change, words):
  with pytest.raises(ValueError, match=words):
    computed.load(AXIS, path=str(file), **change)
