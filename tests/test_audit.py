"""Exact media break no law; each law is broken once on purpose and found, in its row and size."""

import numpy as np
import pytest

from spectra_jax.audit import shifts
from spectra_jax.audit.findings import NotTested
from spectra_jax.audit.predictions import Predictions
from tests.exact_media import HWHM, KINDS, NU, PLANTED, ROWS, asked, at, file_of, media

# ---- exact media ------------------------------------------------------------


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_exact_media_break_no_law(dtype):
  found = asked(file_of(dtype=dtype))
  tested = {name: f for name, f in found.items() if not isinstance(f, NotTested)}
  assert {name: np.flatnonzero(f.violated_N).tolist() for name, f in tested.items()} == {
    name: [] for name in tested
  }
  assert set(tested) == {
    *(f'non_negativity/{kind}' for kind in ('ir', 'raman', 'absorbance', 'n', 'k')),
    *(f'passivity/{kind}' for kind in ('transmittance', 'reflectance')),
    'passivity/transmittance+reflectance',
    'kramers_kronig_passive/n+k',
    'kramers_kronig_bounded/n+k',
    *(f'f_sum_growth/{kind}' for kind in ('ir', 'absorbance', 'k')),
    *(f'f_sum/{kind}' for kind in ('ir', 'k')),
    *(f'linewidth/{kind}' for kind in ('ir', 'raman', 'absorbance', 'k')),
    'mutual_exclusion/ir+raman',
  }


@pytest.mark.slow
@pytest.mark.parametrize('hwhm', [None, HWHM])
def test_many_exact_media_break_no_law_of_dispersion(hwhm):
  for seed in range(200):
    values = {kind: media(seed)[kind] for kind in ('n', 'k')}
    found = asked(Predictions(NU, values, hwhm_min=hwhm))
    assert not any(
      found[f'kramers_kronig_{law}/n+k'].violated_N.any() for law in ('passive', 'bounded')
    )


def test_what_does_not_apply_says_why():
  reasons = {
    name: f.reason
    for name, f in asked(file_of(kinds=('absorbance',))).items()
    if hasattr(f, 'reason')
  }
  assert 'absorption alone neither breaks nor obeys it' in reasons['kramers_kronig']
  assert 'store true_absorbance' in reasons['f_sum/absorbance']
  assert 'store both' in reasons['mutual_exclusion/absorbance+raman']
  assert 'give --shifted' in reasons['shift_equivariance']
  alone = Predictions(NU, {'k': media()['k']})
  assert 'give --hwhm_min' in asked(alone)['linewidth/k'].reason
  flags = np.zeros(ROWS, bool)
  pair = {kind: media()[kind] for kind in ('ir', 'raman')}
  found = asked(Predictions(NU, pair, {}, flags))
  assert found['mutual_exclusion/ir+raman'].reason == 'no row is centrosymmetric'


@pytest.mark.parametrize('state', ['snv', 'derivative'])
def test_of_data_that_were_centred_or_differentiated_no_law_is_asked(state):
  found = asked(file_of(), state=state)
  assert all(isinstance(f, NotTested) for f in found.values())
  assert 'cannot be asked of' in found['non_negativity/k'].reason


def test_an_uneven_axis_leaves_out_what_needs_an_even_one():
  uneven = NU + 0.5 * np.sin(NU / 300)
  values = {kind: media()[kind] for kind in ('n', 'k')}
  found = asked(Predictions(uneven, values, {}, None, HWHM))
  for name in ('kramers_kronig/n+k', 'linewidth/k'):
    assert 'even' in found[name].reason
  assert not isinstance(found['f_sum_growth/k'], NotTested)


# ---- planted ----------------------------------------------------------------


def ripple(row):
  return row + 0.02 * row.max() * (-1.0) ** np.arange(len(row))


def narrow(hwhm):
  return lambda row: row + 0.3 * row.max() / (1 + ((NU - 1500) / hwhm) ** 2)


def mirrored(row):
  return 2 * row.mean() - row


REST = 1 - media()['reflectance'][PLANTED]

# What is planted -> (law that must find it, size or None where only its sign is known, tolerance).
PLANTS = {
  'negative k': ({'k': at(300, -0.1)}, 'non_negativity/k', 0.1, 1e-6),
  'negative ir': ({'ir': at([10, 12], -0.02)}, 'non_negativity/ir', 0.02, 1e-6),
  'negative absorbance': ({'absorbance': at(0, -1e-4)}, 'non_negativity/absorbance', 1e-4, 1e-6),
  'T above 1': (
    {'transmittance': lambda t: t + 1.05 - t.max()},
    'passivity/transmittance',
    0.05,
    1e-6,
  ),
  'R below 0': ({'reflectance': lambda r: r - r.min() - 0.01}, 'passivity/reflectance', 0.01, 1e-6),
  'light is made': (
    {'transmittance': lambda t: REST + 0.02},
    'passivity/transmittance+reflectance',
    0.02,
    1e-6,
  ),
  'n of the other sign': ({'n': mirrored}, 'kramers_kronig_passive/n+k', 1.0, 0.5),
  'n of the other sign, by the bound': ({'n': mirrored}, 'kramers_kronig_bounded/n+k', None, 0),
  'n without bands': ({'n': lambda n: n.mean() + 0 * n}, 'kramers_kronig_passive/n+k', None, 0),
  'n moved by 5 steps': ({'n': lambda n: np.roll(n, 5)}, 'kramers_kronig_passive/n+k', None, 0),
  'too strong': ({'k': lambda k: 1.3 * k}, 'f_sum/k', np.log(1.3), 1e-6),
  'a band is missing': (
    {'ir': lambda v: v * (NU > 1000)},
    'f_sum/ir',
    None,
    0,
  ),
  'falling sum': ({'k': at(slice(300, 330), -0.1)}, 'f_sum_growth/k', None, 0),
  'a narrow line': ({'raman': narrow(HWHM / 3)}, 'linewidth/raman', None, 0),
  'a ripple': ({'k': ripple}, 'linewidth/k', 3 * 0.02, 0.004),  # a value less twice a mean
  'Raman like IR': (
    {'raman': lambda _: media()['ir'][PLANTED]},
    'mutual_exclusion/ir+raman',
    1,
    1e-6,
  ),
}


@pytest.mark.parametrize('plant', PLANTS)
def test_what_is_planted_is_found_in_its_row_and_size(plant):
  changes, law, size, tolerance = PLANTS[plant]
  kinds = (
    {'n', 'k'} if 'kramers' in law else {*changes, 'ir', 'raman', 'transmittance', 'reflectance'}
  )
  found = asked(file_of(changes, kinds=tuple(kind for kind in KINDS if kind in kinds)))[law]
  np.testing.assert_array_equal(found.violated_N, np.arange(ROWS) == PLANTED)
  assert found.worst_row == PLANTED
  assert found.where_NxL[PLANTED].any()
  assert not np.delete(found.where_NxL, PLANTED, axis=0).any()
  if size is not None:
    np.testing.assert_allclose(found.size_N[PLANTED], size, rtol=0, atol=tolerance)


def test_bands_may_coincide_as_they_do_in_the_true_spectra():
  """One shared band of four could be two degenerate modes, unless the truth is known."""
  pair = {kind: media()[kind] for kind in ('ir', 'raman')}
  shared = {**pair, 'raman': np.where(NU < 1100, 0.9 * pair['ir'], pair['raman'])}
  name, centred = 'mutual_exclusion/ir+raman', np.arange(ROWS) != 0
  without = asked(Predictions(NU, shared, {}, centred))[name]
  known = asked(Predictions(NU, shared, pair, centred))[name]
  degenerate = asked(Predictions(NU, shared, shared, centred))[name]
  assert (without.size_N > 0.06).all()
  assert not without.where_NxL.any()
  assert (without.violated_N.any(), known.violated_N.all(), degenerate.violated_N.any()) == (
    0,
    1,
    0,
  )
  assert known.worst_row == 1 + known.worst  # row 0 has no centre and is not asked


def test_a_violation_is_shaded_where_it_is():
  found = asked(file_of({'k': at([300, 301], -0.1)}, kinds=('k',)))['non_negativity/k']
  np.testing.assert_array_equal(np.flatnonzero(found.where_NxL[PLANTED]), [300, 301])


def test_tolerance_is_a_share_of_the_maximum():
  given = file_of({'k': at(300, -0.1)}, kinds=('k',))
  name = 'non_negativity/k'
  assert asked(given, tolerance=0.099)[name].violated_N.any()
  assert not asked(given, tolerance=0.101)[name].violated_N.any()


# ---- shift equivariance -----------------------------------------------------


def test_an_equivariant_model_is_told_from_one_that_is_not():
  curve = lambda nu: 1 / (1 + ((nu - np.array([[900], [1700], [2400]])) / 20) ** 2)
  given = Predictions(NU, {'ir': curve(NU)})
  moved = curve(NU - 12.0)
  moved[1] *= 1.05
  name = 'shift_equivariance/ir'
  found = asked(given, Predictions(NU, {'ir': moved}), shift_cm=12.0)[name]
  np.testing.assert_array_equal(found.violated_N, [False, True, False])
  np.testing.assert_allclose(found.size_N[1], 0.05, atol=1e-3)
  down = asked(given, Predictions(NU, {'ir': curve(NU + 12.0)}), shift_cm=-12.0)[name]
  assert not down.violated_N.any()


def test_a_shift_must_be_whole_steps_of_the_same_axis():
  with pytest.raises(
    ValueError, match=r'shift_cm is 10 cm.-1, expected a whole number of steps of 4'
  ):
    shifts.whole_steps(NU, 10.0)
  given = Predictions(NU, {'ir': media()['ir']})
  other = Predictions(NU + 1, {'ir': media()['ir']})
  with pytest.raises(ValueError, match='on the same axis'):
    asked(given, other, shift_cm=4.0)
