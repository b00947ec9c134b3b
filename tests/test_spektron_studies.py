"""The studies of backbones, sizes and directions ask for what they say."""

import pytest

from configs import spektron_backbones, spektron_cross, spektron_scaling
from spectra_jax import model

SIZES = spektron_backbones.SIZES


def counted(name, size, width):
  config = spektron_backbones.get_config(size).copy_and_resolve_references()
  config.axis.points, config.axis.high_cm = 320, 1600.0  # counting needs no long axis
  config.backbone.name, config.backbone.width = name, width
  return model.count_parameters(config, kinds=2)['total']


@pytest.mark.parametrize('name', spektron_backbones.WIDTHS)
def test_widths_match_the_smallest_size(name):
  size = next(iter(SIZES))
  width = spektron_backbones.WIDTHS[name][0]
  assert counted(name, size, width) == pytest.approx(SIZES[size], rel=0.12)


@pytest.mark.slow
@pytest.mark.parametrize('name', spektron_backbones.WIDTHS)
def test_widths_are_the_nearest_of_every_size(name):
  for width, size in zip(spektron_backbones.WIDTHS[name], SIZES, strict=True):
    config = spektron_backbones.get_config(size).copy_and_resolve_references()
    config.axis.points, config.axis.high_cm = 320, 1600.0
    config.backbone.name = name
    assert model.match_params(config, SIZES[size], kinds=2)[0].backbone.width == width


def test_every_backbone_is_in_the_study_and_looks_both_ways():
  names = set(spektron_backbones.WIDTHS)
  assert names | {'s4'} == set(model.names('backbones'))  # s4 takes ten times as long as s4d
  config = spektron_backbones.get_config('quick')
  for name in names:
    options = config.backbone[name]
    assert options.bidirectional
    blocks = [options[key] for key in options if key.endswith('blocks') and key != 'init_blocks']
    assert sum(blocks) == 4


def test_sweeps_have_three_seeds_of_each_point():
  points = {
    'backbones': spektron_backbones.sweep('quick'),
    'scaling': spektron_scaling.sweep('quick'),
    'cross': spektron_cross.sweep('quick'),
    'laws': spektron_cross.sweep('laws'),
  }
  counts = {'backbones': 8, 'scaling': 6, 'cross': 1, 'laws': 3}
  for name, sweep in points.items():
    assert len({tuple(sorted(point.items())) for point in sweep}) == len(sweep) == 3 * counts[name]
    assert {point['seed'] for point in sweep} == {0, 1, 2}
  assert {p['split.train_share'] for p in points['scaling'] if 'split.train_share' in p} == {
    *(0.01, 0.05, 0.2, 1.0)
  }
