"""Scaling curves of hand-made reports: which points they hold, and that they are drawn."""

import json

import numpy as np
import pytest

from spectra_jax import figures, scaling_curves
from spectra_jax.tables import cells, spec

TABLE = spec.load('spektron_scaling')


def nre(molecules, parameters, seed):
  return 10 / np.sqrt(molecules) * (100_000 / parameters) ** 0.1 * (1 + 0.01 * seed)


def make_run(root, share, width, seed):
  molecules, parameters = round(5000 * share), 1000 * width
  value = nre(molecules, parameters, seed)
  report = {
    'results': {
      kind: {'nre': factor * value, 'gaussian': 0.5 / share**0.1}
      for kind, factor in (('ir', 1.0), ('raman', 0.8))
    },
    'wall_s': 60.0,
    'wall_s_total': 60.0,
    'seed': seed,
    'parameters': parameters,
    'split': {'regime': 'grouped', 'hash': f'share{share}', 'rows': {'train': molecules}},
    'config': {
      'seed': seed,
      'backbone': {'width': width},
      'split': {'train_share': share},
      'train': {'steps': 3000},
    },
  }
  folder = root / 'spektron_scaling' / f'{share}-{width}-{seed}'
  folder.mkdir(parents=True)
  (folder / 'report.json').write_text(json.dumps(report))


@pytest.fixture(scope='module')
def lines(tmp_path_factory):
  root = tmp_path_factory.mktemp('runs')
  for share, width in ((0.01, 80), (0.2, 80), (1.0, 80), (1.0, 32), (1.0, 192)):
    for seed in range(3):
      make_run(root, share, width, seed)
  return cells.build(TABLE, root)


def test_curves_hold_one_size_or_one_number_of_molecules(lines):
  of_molecules = scaling_curves.against_molecules(lines)
  of_parameters = scaling_curves.against_parameters(lines)
  curve = of_molecules['IR NRE']
  assert [x for x, *_ in curve] == [50, 1000, 5000]
  for x, value, low, high in curve:
    assert value == pytest.approx(nre(x, 80_000, 1))
    assert low < value < high
  assert [x for x, *_ in of_molecules['Raman NRE, conditional Gaussian']] == [50, 1000, 5000]
  assert [x for x, *_ in of_parameters['Raman NRE']] == [32_000, 80_000, 192_000]
  assert set(of_parameters) == {'IR NRE', 'Raman NRE'}


def test_figure_draws_every_point(lines, tmp_path):
  panels = {
    'molecules': scaling_curves.against_molecules(lines),
    'parameters': scaling_curves.against_parameters(lines),
  }
  figure = figures.scaling(panels)
  for ax, curves in zip(figure.axes, panels.values(), strict=True):
    drawn = [bars.lines[0].get_xydata()[:, 0].tolist() for bars in ax.containers]
    assert drawn == [[x for x, *_ in curve] for curve in curves.values()]
  figure.savefig(tmp_path / 'scaling.png')


def test_no_runs_are_refused(tmp_path):
  (tmp_path / 'spektron_scaling').mkdir()
  with pytest.raises(ValueError, match='no run of the table is there'):
    scaling_curves.against_molecules(cells.build(TABLE, tmp_path))
