"""The table is well formed, holds textbook lines, and tells groups of the shipped molecules."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectra_jax.datasets import computed
from spectra_jax.physics import bands, intensities, isotopes


def test_every_entry_is_a_range_with_strengths_and_a_source():
  assert len(bands.TABLE) >= 45
  assert len({band.name for band in bands.TABLE}) == len(bands.TABLE)
  for band in bands.TABLE:
    assert bands.LOW <= band.low < band.high <= bands.HIGH
    assert {band.infrared, band.raman} <= set(bands.STRENGTHS)
    assert band.infrared + band.raman != '00'
  used = collections.Counter(band.source for band in bands.TABLE)
  assert set(used) == set(bands.SOURCES)


# Textbook lines of single compounds, none of which the table was made from.
LINES = {
  'acetone': (1715, 'C=O ketone'),
  'acetonitrile': (2254, 'C#N'),
  'ethyl acetate': (1742, 'C=O ester'),
  'ethyl acetate, C-O': (1241, 'C-O ester'),
  'acetyl chloride': (1806, 'C=O acid chloride'),
  'acetic anhydride': (1824, 'C=O anhydride in-phase'),
  'nitromethane': (1562, 'NO2 out-of-phase'),
  'nitrobenzene': (1347, 'NO2 in-phase'),
  'dimethyl sulfoxide': (1042, 'S=O sulfoxide'),
  'benzene, Raman': (992, 'aromatic ring breathing'),
  'toluene': (1604, 'aromatic ring 1600'),
  'dimethyl disulfide': (509, 'S-S'),
  '1-hexyne': (3312, 'C-H sp'),
  '1-hexene': (1642, 'C=C'),
  'ethanethiol': (2570, 'S-H'),
  'chloroform': (668, 'C-Cl'),
  'carbon dioxide': (2349, 'CO2 out-of-phase stretch'),
  'carbon dioxide, bend': (667, 'CO2 bend'),
  'water vapour': (1595, 'H2O vapour bend'),
  'water vapour, stretch': (3756, 'H2O vapour stretch'),
  'polystyrene': (2924, 'CH2 out-of-phase stretch'),
  'polystyrene, ring': (698, 'aromatic out-of-plane ring'),
  'polydimethylsiloxane': (1260, 'Si-CH3 umbrella'),
  'carbon monoxide': (2143, 'CO'),
}


@pytest.mark.parametrize('compound', LINES)
def test_known_lines_find_their_band(compound):
  nu, name = LINES[compound]
  assert name in [band.name for band in bands.assign(nu)]


@given(st.floats(bands.LOW, bands.HIGH))
def test_candidates_are_those_that_hold_the_line_narrowest_first(nu):
  found = bands.assign(nu)
  assert {band.name for band in found} == {b.name for b in bands.TABLE if b.low <= nu <= b.high}
  widths = [band.high - band.low for band in found]
  assert widths == sorted(widths)
  assert all(bands.at(band.name) is band for band in found)


def test_the_quiet_region_is_quiet():
  """Nothing organic between X-H and triple bonds but what has B, P or Si, salts and acids."""
  names = {band.name for nu in range(2400, 2530, 10) for band in bands.assign(nu)}
  assert names <= {'O-H carboxylic acid', 'N-H ammonium', 'P-H', 'B-H'}


def test_deuterium_takes_c_h_into_the_quiet_region():
  """Ranges, force constants and masses agree with each other: C-D stretches at 2050 to 2250."""
  band = bands.at('C-H sp3')
  light, heavy = isotopes.reduced_mass(12.0, 1.00783), isotopes.reduced_mass(12.0, 2.01410)
  for nu in (band.low, band.high):
    force = intensities.force_of_wavenumber(nu, light)
    moved = intensities.wavenumber_of_force(force, heavy)
    np.testing.assert_allclose(moved, nu * isotopes.diatomic_ratio(light, heavy), rtol=1e-12)
    assert 2050 < moved < 2250
    assert 4 < force < 5.5  # mdyn/angstrom


# Name -> (group, every group of the kind, factor of GFN2-xTB, least share with, largest without).
SHIPPED = {
  'S-H': ('[SX2H]', '[SX2H]', 1.055, 0.84, 0.04),
  'O-H free': ('[OX2H]', '[O,N;!H0]', 1.0275, 0.74, 0.01),
  'C-H sp3': ('[CX4;!H0]', '[#6;!H0]', 0.975, 0.96, 0.03),
  'C=C=C out-of-phase': ('C=C=C', '[*]=[*]=[*]', 0.945, 0.95, 0.03),
  'C#N': ('[CX2]#[NX1]', '[*]#[*]', 0.935, 0.60, 0.02),
}


def test_computed_modes_tell_groups_by_the_table():
  chem = pytest.importorskip('rdkit.Chem', reason='rdkit is in the [compute] extra')
  lines = computed.load_lines()
  molecules = [chem.MolFromSmiles(smiles) for smiles in lines.smiles]
  owner = np.repeat(np.arange(len(lines)), np.diff(lines.mode_offsets))
  for name, (group, kind, factor, least, largest) in SHIPPED.items():
    band, found = bands.at(name), np.zeros(len(lines), bool)
    scaled = factor * lines.frequency
    found[owner[(scaled >= band.low) & (scaled <= band.high)]] = True
    pattern, wide = chem.MolFromSmarts(group), chem.MolFromSmarts(kind)
    has = np.array([m.HasSubstructMatch(pattern) for m in molecules])
    like = np.array([m.HasSubstructMatch(wide) for m in molecules])
    assert found[has].mean() >= least, (name, found[has].mean())
    assert found[~like].mean() <= largest, (name, found[~like].mean())


@pytest.mark.parametrize('nu', [399.0, 5200.0, float('nan')])
def test_a_line_outside_the_table_is_refused(nu):
  with pytest.raises(ValueError, match=r'expected 400 to 4000, .* overtones \(NIR\)'):
    bands.assign(nu)


def test_a_wrong_name_is_refused_with_near_ones():
  with pytest.raises(ValueError, match=r"no band 'C=O keton', .* \['C=O ketone'"):
    bands.at('C=O keton')
