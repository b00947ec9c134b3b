"""Axes as chemists draw them: labelled with units, wavenumbers descending, hidden bands shaded."""

import numpy as np

from spectra_jax import figures, spectra

NU = np.linspace(400, 4000, 200)


def panel():
  masked = np.zeros(200, bool)
  masked[[0, 1, 50, 51, 52, 199]] = True
  line = np.sin(NU / 100)
  return {'title': 'IR', 'true': line, 'model': line + 1, 'gaussian': line - 1, 'masked': masked}


def test_reconstruction_axis_descends_and_names_units():
  figure = figures.reconstructions(NU, [panel(), panel()])
  last = figure.axes[-1]
  assert last.get_xlim() == (4000.0, 400.0)
  assert 'cm' in last.get_xlabel()
  assert all(ax.get_ylabel() for ax in figure.axes)


def test_shading_covers_each_hidden_run_and_nothing_else():
  figure = figures.reconstructions(NU, [panel()])
  ax = figure.axes[0]
  spans = [patch.get_extents().transformed(ax.transData.inverted()) for patch in ax.patches]
  hidden = [sorted((span.x0, span.x1)) for span in spans]
  masked, inside = panel()['masked'], np.zeros(len(NU), bool)
  for low, high in hidden:
    inside |= (low - 1e-6 <= NU) & (high + 1e-6 >= NU)
  assert len(hidden) == 3
  np.testing.assert_array_equal(inside, masked)


def test_predictions_are_drawn_only_where_hidden():
  figure = figures.reconstructions(NU, [panel()])
  _, gaussian, model = figure.axes[0].get_lines()
  for line in (gaussian, model):
    np.testing.assert_array_equal(np.isfinite(line.get_ydata()), panel()['masked'])


def test_learning_curve_draws_what_was_recorded():
  records = [{'step': 0, 'a': 2.0}, {'step': 5}, {'step': 10, 'a': 0.5}]
  figure = figures.learning_curve(records, {'a': 'A'}, {'bar': 0.7}, 'NRE')
  curve, level = figure.axes[0].get_lines()
  np.testing.assert_array_equal(curve.get_xydata(), [[0, 2.0], [10, 0.5]])
  assert level.get_ydata()[0] == 0.7


def test_every_kind_of_spectrum_has_a_name():
  assert set(figures.KIND_NAMES) == set(spectra.KINDS)
