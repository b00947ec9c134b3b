"""Sums a group are those of a loop over examples; damage is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectra_jax import forms, law_report, metrics, scores


@given(st.lists(st.tuples(st.sampled_from('abcd'), st.floats(0, 9), st.floats(0, 9)), min_size=1))
def test_sums_are_those_of_a_loop(rows):
  groups, top, bottom = map(np.array, zip(*rows, strict=True))
  found = scores.by_group({'ir.nre': (top, bottom)}, groups)
  assert found['groups'].tolist() == sorted(set(groups))
  for k, name in enumerate(found['groups']):
    mine = [row for row in rows if row[0] == name]
    np.testing.assert_allclose(found['ir.nre'][0, k], sum(row[1] for row in mine))
    np.testing.assert_allclose(found['ir.nre'][1, k], sum(row[2] for row in mine))


def test_what_is_written_is_read(tmp_path):
  assert scores.read(tmp_path) is None
  scores.write(tmp_path, scores.by_group({'n.nre': (np.ones(3), np.ones(3))}, ['b', 'a', 'b']))
  found = scores.read(tmp_path)
  assert found['groups'].tolist() == ['a', 'b']
  assert found['n.nre'].tolist() == [[1, 2], [1, 2]]


@pytest.mark.parametrize('keep', [0, 10, 200])
def test_a_cut_file_is_named(tmp_path, keep):
  scores.write(tmp_path, scores.by_group({'n.nre': (np.ones(3), np.ones(3))}, ['b', 'a', 'b']))
  path = tmp_path / scores.FILE
  path.write_bytes(path.read_bytes()[:keep])
  with pytest.raises(ValueError, match=r'scores.npz cannot be read .* delete it and run'):
    scores.read(tmp_path)


def test_reports_on_laws_come_back_from_their_groups():
  """Every number of such a report that is no interval, and of none but the truth's laws."""
  rng, count = np.random.default_rng(0), 7
  names = ('n', 'n/hidden', 'kramers_kronig')
  draw = lambda: {name: (rng.uniform(1, 2, count), np.full(count, 3.0)) for name in names}
  methods = {name: draw() for name in ('model', 'mean', 'gaussian')}
  parts = (('n',), ('hidden',), ('kramers_kronig',))
  report = law_report.report(methods, np.array(list('aabbccc')), *parts)
  found = scores.by_group(law_report.ratios(methods, *parts), list('aabbccc'))
  numbers = {'n.nre': report['n']['nre']}
  numbers |= {f'n.{name}': report['n'][name] for name in ('mean', 'gaussian')}
  numbers |= {f'n.parts.hidden.{name}': report['n']['parts']['hidden'][name] for name in methods}
  laws = report['laws']['kramers_kronig']
  numbers |= {f'laws.kramers_kronig.{name}': laws[name] for name in methods}
  assert set(found) == {'groups', *numbers}
  for name, value in numbers.items():
    np.testing.assert_allclose(found[name][0].sum() / found[name][1].sum(), value)


def test_scores_that_are_no_ratios_keep_their_form(tmp_path):
  rng = np.random.default_rng(0)
  p, y = rng.normal(size=(2, 30))
  groups = rng.integers(0, 6, 30)
  told = {'fat.rmsep': metrics.rmsep(p, y), 'fat.sep': metrics.sep(p, y), 'fat.nre': (p**2, y**2)}
  scores.write(tmp_path, scores.by_group(told, groups))
  found = scores.read(tmp_path)
  assert {name: scores.form(found, name) for name in told} == {
    'fat.rmsep': 'root_ratio',
    'fat.sep': 'sep',
    'fat.nre': 'ratio',
  }
  for name in ('fat.rmsep', 'fat.sep'):
    value = forms.FORMS[scores.form(found, name)](found[name].sum(1))
    np.testing.assert_allclose(value, told[name].value)
