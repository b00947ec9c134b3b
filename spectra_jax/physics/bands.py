"""Group frequencies: where a bond or a group of atoms absorbs and scatters, and who says so.

A range [cm^-1] holds most compounds with that group as liquids, solids or dilute solutions (CO2, CO
and H2O vapour: gases). Neighbours, hydrogen bonds, rings and conjugation move bands to the edges of
it and beyond: `assign` gives candidates, never an identification, and a line without a candidate
proves nothing. Ranges are condensed and rounded. A source is where the band is treated in detail;
only those of `colthup` have been compared number for number with the printed table. Raman strengths
are rules of thumb.

Harmonic wavenumbers lie elsewhere. GFN2-xTB needs a factor for each kind of bond to come here:

  group      factor   molecules of the shipped set with a mode in the range:
                      with the group   without any such bond
  S-H        1.055    85 %             3 %
  O-H        1.0275   76 %             0.2 % (without N-H either)
  C-H sp3    0.975    97 %             2 %
  C=C=C      0.945    97 %             2 %
  C#N        0.935    63 %             1 %
"""

import dataclasses
import difflib

STRENGTHS = {'s': 'strong', 'm': 'medium', 'w': 'weak', '0': 'none or nearly none'}
SOURCES = {
  'colthup': 'Colthup, Infrared Spectroscopy, in: Encyclopedia of Physical Science and Technology, '
  '3rd ed., Academic Press (2001), Table IV',
  'socrates': 'Socrates, Infrared and Raman Characteristic Group Frequencies, 3rd ed. (2001)',
  'larkin': 'Larkin, Infrared and Raman Spectroscopy, Elsevier (2011)',
  'nist': 'Shimanouchi, Tables of Molecular Vibrational Frequencies, NSRDS-NBS 39 (1972), and NIST '
  'Chemistry WebBook; the range adds the rotational branches at 300 K',
}
LOW, HIGH = 400.0, 4000.0  # cm^-1, what the table covers


@dataclasses.dataclass(frozen=True)
class Band:
  """One group frequency.

  Attributes:
    name: group and vibration, bonds as in SMILES.
    low, high: range [cm^-1].
    infrared, raman: usual strength, a key of `STRENGTHS`.
    source: a key of `SOURCES`.
  """

  name: str
  low: float
  high: float
  infrared: str
  raman: str
  source: str


def _band(name, low, high, strengths, source):
  """`strengths`: infrared, then Raman."""
  return Band(name, float(low), float(high), strengths[0], strengths[1], source)


TABLE = (
  # X-H
  _band('O-H free', 3580, 3670, 'mw', 'socrates'),
  _band('O-H hydrogen-bonded', 3200, 3550, 'sw', 'socrates'),
  _band('O-H carboxylic acid', 2500, 3300, 'sw', 'larkin'),
  _band('N-H amine', 3250, 3500, 'mm', 'larkin'),
  _band('N-H amide', 3180, 3500, 'sw', 'larkin'),
  _band('N-H ammonium', 2400, 3200, 'sw', 'socrates'),
  _band('C-H sp', 3267, 3340, 'sw', 'colthup'),
  _band('C-H sp2 aromatic', 3000, 3100, 'ws', 'colthup'),
  _band('C-H sp2 olefinic', 3000, 3100, 'mm', 'socrates'),
  _band('C-H sp3', 2840, 3000, 'ss', 'socrates'),
  _band('CH3 out-of-phase stretch', 2952, 2972, 'ss', 'colthup'),
  _band('CH3 in-phase stretch', 2862, 2882, 'ms', 'colthup'),
  _band('CH2 out-of-phase stretch', 2916, 2936, 'ss', 'colthup'),
  _band('CH2 in-phase stretch', 2843, 2863, 'ms', 'colthup'),
  _band('C-H aldehyde', 2680, 2900, 'mm', 'socrates'),
  _band('S-H', 2540, 2590, 'ws', 'colthup'),
  _band('P-H', 2275, 2440, 'mm', 'colthup'),
  _band('Si-H', 2100, 2250, 'sm', 'colthup'),
  _band('B-H', 2350, 2640, 'sm', 'colthup'),
  # triple and cumulated bonds
  _band('C#N', 2220, 2260, 'ms', 'colthup'),
  _band('C#C terminal', 2100, 2140, 'ws', 'colthup'),
  _band('C#C inner', 2190, 2260, 'ws', 'socrates'),
  _band('S-C#N', 2135, 2170, 'ms', 'colthup'),
  _band('N=C=O', 2263, 2275, 'sw', 'colthup'),
  _band('N=C=S', 2050, 2150, 'sm', 'colthup'),
  _band('N=N=N azide', 2080, 2170, 'sm', 'socrates'),
  _band('C=C=C out-of-phase', 1900, 2000, 'sw', 'colthup'),
  # C=O
  _band('C=O anhydride in-phase', 1770, 1825, 'sm', 'colthup'),
  _band('C=O anhydride out-of-phase', 1715, 1755, 'mw', 'colthup'),
  _band('C=O cyclic anhydride in-phase', 1845, 1870, 'mm', 'colthup'),
  _band('C=O cyclic anhydride out-of-phase', 1750, 1800, 'sw', 'colthup'),
  _band('C=O acid chloride', 1795, 1810, 'sm', 'colthup'),
  _band('C=O ester', 1735, 1750, 'sm', 'socrates'),
  _band('C=O conjugated ester', 1715, 1735, 'sm', 'colthup'),
  _band('C=O gamma-lactone', 1740, 1795, 'sm', 'colthup'),
  _band('C=O aldehyde', 1720, 1740, 'sm', 'socrates'),
  _band('C=O ketone', 1705, 1725, 'sm', 'colthup'),
  _band('C=O conjugated ketone', 1640, 1700, 'sm', 'colthup'),
  _band('C=O acid dimer', 1680, 1720, 'sm', 'colthup'),
  _band('C=O amide (I)', 1630, 1690, 'sm', 'colthup'),
  _band('C=O carbamate', 1683, 1740, 'sm', 'colthup'),
  _band('CO2- out-of-phase', 1540, 1650, 'sw', 'colthup'),
  _band('CO2- in-phase', 1360, 1450, 'mm', 'colthup'),
  # C=C, C=N, N=N, rings
  _band('C=C', 1630, 1680, 'ms', 'colthup'),
  _band('C=N', 1630, 1690, 'ms', 'socrates'),
  _band('N=N azo', 1380, 1580, 'ws', 'socrates'),
  _band('aromatic ring 1600', 1585, 1620, 'ms', 'colthup'),
  _band('aromatic ring 1580', 1565, 1590, 'ms', 'colthup'),
  _band('aromatic ring 1500', 1470, 1525, 'mw', 'colthup'),
  _band('aromatic ring breathing', 990, 1010, 'ws', 'larkin'),
  _band('aromatic out-of-plane ring', 665, 710, 'sw', 'colthup'),
  # deformations
  _band('NH2 scissors', 1590, 1650, 'sw', 'larkin'),
  _band('N-H amide (II)', 1515, 1570, 'sw', 'larkin'),
  _band('CH2 and CH3 deformation', 1450, 1475, 'mm', 'colthup'),
  _band('CH3 umbrella', 1377, 1383, 'mw', 'colthup'),
  _band('CH2 rock of a chain', 722, 726, 'w0', 'colthup'),
  _band('CH2 wag of R2C=CH2', 885, 895, 'sw', 'colthup'),
  _band('CH wag of vinyl', 985, 995, 'sw', 'colthup'),
  _band('CH2 wag of vinyl', 905, 910, 'sw', 'colthup'),
  _band('CH wag of trans C=C', 965, 980, 's0', 'colthup'),
  _band('CH wag of cis C=C', 650, 730, 'mw', 'colthup'),
  _band('aromatic CH wag, 5 adjacent', 730, 800, 'sw', 'colthup'),
  _band('aromatic CH wag, 4 adjacent', 735, 805, 'sw', 'colthup'),
  _band('aromatic CH wag, 3 adjacent', 750, 825, 'sw', 'colthup'),
  _band('aromatic CH wag, 2 adjacent', 795, 860, 'sw', 'colthup'),
  _band('aromatic CH wag, isolated', 810, 935, 'sw', 'colthup'),
  # N-O, S-O, P-O, Si-O
  _band('NO2 out-of-phase', 1500, 1570, 'sm', 'socrates'),
  _band('NO2 in-phase', 1320, 1390, 'ss', 'socrates'),
  _band('S=O sulfoxide', 1020, 1070, 'sw', 'socrates'),
  _band('SO2 out-of-phase', 1300, 1400, 'sw', 'colthup'),
  _band('SO2 in-phase', 1100, 1200, 'ss', 'colthup'),
  _band('SO3- out-of-phase', 1120, 1230, 'sw', 'colthup'),
  _band('SO3- in-phase', 1025, 1080, 'ms', 'colthup'),
  _band('P=O', 1140, 1320, 'sm', 'colthup'),
  _band('P-O-C', 970, 1050, 'sw', 'colthup'),
  _band('Si-O', 1000, 1110, 'sw', 'colthup'),
  _band('Si-CH3 umbrella', 1255, 1280, 'sw', 'colthup'),
  _band('B-O', 1310, 1380, 'sw', 'colthup'),
  # single bonds of heavy atoms
  _band('C-O alcohol', 1000, 1200, 'sw', 'socrates'),
  _band('C-O phenol', 1180, 1260, 'sw', 'socrates'),
  _band('C-O-C ether', 1060, 1150, 'sw', 'socrates'),
  _band('C-O-C aryl ether', 1220, 1280, 'sw', 'larkin'),
  _band('C-O ester', 1150, 1300, 'sw', 'larkin'),
  _band('C-N amine', 1020, 1250, 'mm', 'socrates'),
  _band('C-N aryl amine', 1250, 1360, 'sm', 'socrates'),
  _band('C=S', 1020, 1250, 'ss', 'socrates'),
  _band('C-F', 1000, 1400, 'sw', 'socrates'),
  _band('C-Cl', 550, 830, 'ss', 'socrates'),
  _band('C-Br', 500, 690, 'ss', 'socrates'),
  _band('C-I', 480, 600, 'ss', 'socrates'),
  _band('C-S', 570, 780, 'ws', 'socrates'),
  _band('S-S', 430, 550, 'ws', 'larkin'),
  # small molecules
  _band('CO2 out-of-phase stretch', 2290, 2390, 's0', 'nist'),
  _band('CO2 Fermi dyad', 1270, 1410, '0s', 'nist'),
  _band('CO2 bend', 600, 740, 's0', 'nist'),
  _band('CO', 2030, 2240, 'mm', 'nist'),
  _band('H2O vapour stretch', 3500, 3950, 'ss', 'nist'),
  _band('H2O vapour bend', 1300, 2000, 'sw', 'nist'),
  _band('H2O liquid stretch', 3000, 3700, 'ss', 'socrates'),
  _band('H2O liquid bend', 1610, 1670, 'mw', 'socrates'),
)
_BY_NAME = {band.name: band for band in TABLE}


def assign(nu: float) -> list[Band]:
  """Bands whose range holds the wavenumber `nu` [cm^-1], the narrowest range first; maybe none.

  Raises:
    ValueError: `nu` is not between 400 and 4000 cm^-1, where the table has fundamentals.
  """
  if not LOW <= nu <= HIGH:
    raise ValueError(
      f'nu is {nu} cm^-1, expected {LOW:g} to {HIGH:g}, where group frequencies are; overtones '
      '(NIR) and lattice modes are not in this table'
    )
  found = [band for band in TABLE if band.low <= nu <= band.high]
  return sorted(found, key=lambda band: band.high - band.low)


def at(name: str) -> Band:
  """The band of that name.

  Raises:
    ValueError: no such band; near names are told.
  """
  if name not in _BY_NAME:
    near = difflib.get_close_matches(name, _BY_NAME, n=3, cutoff=0.0)
    raise ValueError(f'there is no band {name!r}, expected a name of bands.TABLE, as {near}')
  return _BY_NAME[name]
