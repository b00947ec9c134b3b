"""The real data sets are what their provenance says; skipped where they are not at hand.

Shapes, axes, means and counts are those that were written down when the files were collected.
"""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from spectra_jax import native
from spectra_jax.datasets import (
  corn,
  jcamp_folder,
  nirsoil,
  optical_constants,
  rruff_archive,
  rruff_excellent_unoriented,
  rruff_pairs,
  rruff_splits,
  tablets,
  tecator,
  ucr,
  wheat_kernels,
)

NIR = {  # data set -> folder, rows, groups, axis [nm], means of targets, rows where known
  corn: (
    'corn',
    (240, 700, 80, 1100.0, 2498.0),
    {'moisture': 10.234, 'oil': 3.498, 'protein': 8.668, 'starch': 64.696},
    240,
  ),
  tecator: (
    'tecator',
    (215, 100, 193, 850.0, 1050.0),
    {'moisture': 63.20, 'fat': 18.14, 'protein': 17.68},
    215,
  ),
  tablets: ('tablets_idrc2002', (1310, 650, 655, 600.0, 1898.0), {}, 1310),
  nirsoil: ('nirsoil', (825, 700, 825, 1100.0, 2498.0), {}, 825),
  wheat_kernels: ('wheat_kernel', (523, 100, 523, 850.0, 1048.0), {}, 523),
}


@pytest.mark.parametrize('dataset', NIR, ids=lambda dataset: dataset.INFO['name'])
def test_near_infrared_sets(real_data, dataset):
  folder, (rows, points, groups, first, last), means, known = NIR[dataset]
  spectra = dataset.read(real_data / folder)
  assert spectra.values.shape == (rows, points)
  assert (spectra.axis[0], spectra.axis[-1], spectra.axis_unit) == (first, last, 'nm')
  assert len(set(spectra.meta['group'])) == groups
  for name, mean in means.items():
    target = spectra.meta[f'target/{name}']
    assert np.isfinite(target).sum() == known
    assert np.nanmean(target.astype(np.float64)) == pytest.approx(mean, abs=0.006)
  axis = np.linspace(1e7 / last + 1, 1e7 / first - 1, 50)
  loaded = dataset.load(axis, slice(3, 7), path=str(real_data / folder))
  (of_kind,) = loaded.values()
  assert of_kind.mask.all()
  np.testing.assert_array_equal(of_kind.meta['id'], spectra.meta['id'][3:7])
  expected = np.interp(1e7 / axis, spectra.axis, spectra.values[5])  # straight in nm, not in cm^-1
  np.testing.assert_allclose(of_kind.values[2], expected, atol=2e-3)


def test_each_corn_sample_is_on_three_instruments_and_glass_on_all(real_data):
  spectra, glass = corn.read(real_data / 'corn'), corn.standards(real_data / 'corn')
  for group in ('corn-01', 'corn-80'):
    rows = spectra.meta['group'] == group
    assert sorted(spectra.meta['instrument'][rows]) == ['m5', 'mp5', 'mp6']
    assert len(set(spectra.meta['target/starch'][rows])) == 1
  count = {name: int((glass.meta['instrument'] == name).sum()) for name in corn.INSTRUMENTS}
  assert count == {'m5': 3, 'mp5': 4, 'mp6': 4}


def test_duplicates_of_tecator_are_the_listed_ones_and_share_a_group(real_data):
  spectra = tecator.read(real_data / 'tecator')
  same = (spectra.values[:, None] == spectra.values[None]).all(-1)
  found = [tuple(pair) for pair in np.argwhere(np.triu(same, 1)).tolist()]
  assert tuple(found) == tecator.INFO['duplicates']
  assert len(found) == 22
  group = spectra.meta['group']
  assert all(group[one] == group[other] for one, other in found)
  assert sum(one < 172 <= other for one, other in found) == 7
  sides, counts = np.unique(spectra.meta['side'], return_counts=True)
  assert dict(zip(sides, counts, strict=True)) == {'train': 129, 'validation': 43, 'test': 43}


def test_tablets_soils_and_kernels_have_their_sides_and_targets(real_data):
  pills = tablets.read(real_data / 'tablets_idrc2002').meta
  count = {side: int((pills['side'] == side).sum()) // 2 for side in set(pills['side'])}
  assert count == {'train': 155, 'validation': 40, 'test': 460}
  assert np.unique(pills['group'][pills['outlier']]).tolist() == [
    f'calibrate-{i}' for i in (121, 125, 126, 18)
  ]
  means = [pills[f'target/{name}'].mean() for name in tablets.TARGETS]
  assert means == pytest.approx([378.9, 19.4, 189.9], abs=0.2)  # mg, arbitrary, mg of 200 nominal
  soils = nirsoil.read(real_data / 'nirsoil').meta
  known = {name: int(np.isfinite(soils[f'target/{name}']).sum()) for name in nirsoil.TARGETS}
  assert known == {'Nt': 645, 'Ciso': 732, 'CEC': 447}
  assert int((soils['side'] == 'train').sum()) == 618
  kernels = wheat_kernels.read(real_data / 'wheat_kernel').meta['side']
  assert (int((kernels == 'train').sum()), int((kernels == 'test').sum())) == (415, 108)


def test_ucr_sets_are_standardised_and_have_no_wavenumbers(real_data):
  beef, coffee = ucr.read(real_data / 'ucr_spectra')
  assert (beef.values.shape, coffee.values.shape) == ((60, 470), (56, 286))
  assert len(set(beef.meta['label'])) == 5
  assert len(set(coffee.meta['label'])) == 2
  for one, error in ((beef, 1 / 3), (coffee, 0.0)):
    np.testing.assert_allclose(one.values.std(1, ddof=1), 1, atol=1e-5)
    np.testing.assert_allclose(one.values.mean(1), 0, atol=1e-5)
    train = one.meta['side'] == 'train'  # the archive's nearest-neighbour errors
    distance = ((one.values[~train][:, None] - one.values[train]) ** 2).sum(-1)
    guess = one.meta['label'][train][distance.argmin(1)]
    assert (guess != one.meta['label'][~train]).mean() == pytest.approx(error)
  with pytest.raises(ValueError, match='indices of points are no wavenumbers'):
    ucr.load(np.linspace(500, 4000, 20), path=str(real_data / 'ucr_spectra'))


def test_optical_constants_are_pairs_of_n_and_k(real_data):
  folder = real_data / 'optical_constants'
  found = optical_constants.load(np.array([1000.0, 1640.0, 2500.0]), path=str(folder))
  assert set(found) == {'n', 'k'}
  np.testing.assert_array_equal(found['n'].meta['id'], found['k'].meta['id'])
  water = found['n'].meta['id'].tolist().index('H2O_Hale')
  # Hale and Querry at 10 um: n = 1.218, k = 0.0508.
  assert found['n'].values[water, 0] == pytest.approx(1.218, abs=1e-3)
  assert found['k'].values[water, 0] == pytest.approx(0.0508, abs=1e-4)
  assert (found['k'].values[water].argmax(), len(found['n'])) == (1, 9)  # the bend of water


def test_splits_of_the_paper(real_data):
  spectra = rruff_splits.read(real_data / 'rruff_splits')
  np.testing.assert_array_equal(spectra.axis, rruff_splits.AXIS)
  sizes = {}
  for subset in rruff_splits.SUBSETS:
    chosen = rruff_splits.choose(spectra, subset, 0.0)
    train = chosen.meta['side'] == 'train'
    sizes[subset] = int(train.sum()), int((~train).sum()), len(set(chosen.meta['label']))
  assert sizes == {'raw': (347, 150, 63), 'clean': (164, 30, 17)}
  for labels in (85, 170, 255, 340):
    sides = rruff_splits.sides(spectra, labels)
    assert [int((sides == side).sum()) for side in ('train', 'test')] == [labels, 150]
    assert len(set(spectra.meta['label'][sides == 'train'])) == 63
  with pytest.raises(ValueError, match='labels is 100, expected one of 85, 170, 255, 340'):
    rruff_splits.sides(spectra, 100)


def test_nearest_neighbours_reach_what_they_reached(real_data):
  """Cosine 1-NN: 0.447, 0.553, 0.540, 0.560 with 85 to 340 labels."""
  spectra = rruff_splits.read(real_data / 'rruff_splits')
  unit = spectra.values / np.linalg.norm(spectra.values, axis=1, keepdims=True)
  for labels, accuracy in zip((85, 170, 255, 340), (0.447, 0.553, 0.540, 0.560), strict=True):
    sides = rruff_splits.sides(spectra, labels)
    train, test = sides == 'train', sides == 'test'
    guess = spectra.meta['label'][train][(unit[test] @ unit[train].T).argmax(1)]
    assert (guess == spectra.meta['label'][test]).mean() == pytest.approx(accuracy, abs=5e-4)


@pytest.mark.parametrize('shift_cm', [15, 30])  # of the authors' shifted test sets
def test_shifted_test_sets_are_the_published_ones(real_data, shift_cm):
  with np.load(real_data / 'rruff_splits' / 'soysal_rruff.npz') as stored:
    published = stored[f'raw_test_shift{shift_cm}_X']
  path = str(real_data / 'rruff_splits')
  found = rruff_splits.load(rruff_splits.AXIS, path=path, shift_cm=float(shift_cm))['raman']
  test = found.meta['side'] == 'test'
  np.testing.assert_array_equal(found.values[test], published)
  plain = rruff_splits.load(rruff_splits.AXIS, path=path)['raman']
  np.testing.assert_array_equal(found.values[~test], plain.values[~test])


def test_the_recipe_makes_rows_of_the_splits_from_original_files(real_data):
  originals = rruff_archive.read(real_data / 'rruff_lr_samples')
  assert len(originals) == 5
  splits = rruff_splits.read(real_data / 'rruff_splits')
  for mineral in ('Topaz', 'Vivianite'):
    (original,) = [one for one in originals if one.meta['label'][0] == mineral]
    error = np.abs(splits.values - rruff_splits.recipe([original]).values[0]).max(1)
    assert error.min() < 1e-6
    assert splits.meta['label'][error.argmin()] == mineral
    assert np.sort(error)[1] > 0.01  # and of no other row


def test_unoriented_archive(real_data):
  spectra = rruff_excellent_unoriented.read(real_data / 'rruff_excellent_unoriented')
  column = lambda name: np.concatenate([one.meta[name] for one in spectra])
  assert len(spectra) == 5471
  assert sum(one.state == 'measured' for one in spectra) == 10
  assert (len(set(column('label'))), len(set(column('specimen')))) == (1749, 2911)
  lasers, counts = np.unique(column('laser_nm'), return_counts=True)
  assert dict(zip(lasers, counts, strict=True)) == {532: 2708, 780: 1597, 785: 766, 514: 400}
  assert np.median([len(one.axis) for one in spectra]) == 2382
  assert max(one.axis[0] for one in spectra) < 304
  assert max(one.axis[-1] for one in spectra) == pytest.approx(4244, abs=1)
  with np.load(real_data / 'rruff_excellent_unoriented/excellent_unoriented_u16.npz') as stored:
    uneven = np.isin(np.arange(len(spectra)), stored['irregular_index'])
    np.testing.assert_array_equal(spectra[3].axis, np.float64(stored['irregular_x'][:1077]))
  spread = np.array([np.ptp(np.diff(one.axis)) for one in spectra])
  assert (spread[~uneven] < 1e-6).all()
  assert (spread[uneven] > 1e-5).all()
  covers = [one.axis[0] <= 200 and one.axis[-1] >= 1300 for one in spectra]
  assert sum(covers) == 2179
  some = native.on_axis(spectra[:40], np.arange(200.0, 1301.0))['raman']
  np.testing.assert_array_equal(some.mask.all(1), covers[:40])


@pytest.mark.slow  # reads 384 text files
def test_raw_and_processed_pairs(real_data):
  spectra = rruff_pairs.read(real_data / 'rruff_raw_processed_pairs')
  axis = np.arange(300.0, 1300.0)
  raw, processed = rruff_pairs.pairs(spectra, axis)
  assert raw.values.shape == (192, 1000)
  minerals, counts = np.unique(raw.meta['label'], return_counts=True)
  names = ('Actinolite', 'Adamite', 'Aegirine', 'Aenigmatite', 'Akermanite', 'Albite')
  assert tuple(minerals) == names
  assert counts.tolist() == [57, 18, 24, 15, 12, 66]
  np.testing.assert_array_equal(raw.meta['group'], processed.meta['group'])
  # What processing takes away is smooth: lines stay where they are, of almost all.
  lines = [part.values - uniform_filter1d(part.values, 61, axis=1) for part in (raw, processed)]
  alike = [np.corrcoef(*rows)[0, 1] for rows in zip(*lines, strict=True)]
  assert np.quantile(alike, 0.1) > 0.98


@pytest.mark.slow  # reads 68 files of up to 14,000 points
def test_gas_phase_files(real_data):
  path = real_data / 'jcamp_gas_ir'
  spectra = jcamp_folder.read(path)
  assert len(spectra) == 69  # 68 files, one of which holds two
  quantitative = '(micromol/mol)-1m-1 (base 10)'
  found = jcamp_folder.of_unit(native.of_kind(spectra, 'absorbance'), quantitative)
  assert len(found) == 28
  with pytest.raises(ValueError, match=r"kind is '', expected one of absorbance, transmittance"):
    native.of_kind(spectra, '')
  with pytest.raises(ValueError, match=r"unit is '', expected one of '\(micromol"):
    jcamp_folder.of_unit(native.of_kind(spectra, 'absorbance'), '')
