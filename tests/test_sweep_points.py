"""What a sweep consists of: values as written, names that a disk can hold, one run an identity."""

import dataclasses
import itertools
import json
import pathlib
import re

import pytest
from absl import flags
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import default, physics_ablation, pretrain
from spectra_jax.sweeps import choices, points
from spectra_jax.workdir import identity

ROOT = pathlib.Path(__file__).parent.parent
TINY = f'{ROOT}/configs/pretrain.py:tiny'


# ---- lists of overrides -----------------------------------------------------


def test_product_zipped_and_chain_are_what_they_are_called():
  assert default.product({'a': (1, 2), 'b': 'xy'}) == [
    {'a': 1, 'b': 'x'},
    {'a': 1, 'b': 'y'},
    {'a': 2, 'b': 'x'},
    {'a': 2, 'b': 'y'},
  ]
  together = default.zipped({'c': (5, 6), 'd': (7, 8)})
  assert together == [{'c': 5, 'd': 7}, {'c': 6, 'd': 8}]
  assert default.product(together, {'a': (1, 2)})[1] == {'c': 5, 'd': 7, 'a': 2}
  assert default.chain([{}], together) == [{}, *together]
  assert default.product() == [{}]


def test_combinations_that_contradict_themselves_are_refused():
  with pytest.raises(ValueError, match=r"zipped keys have \{'a': 2, 'b': 1\} values"):
    default.zipped({'a': (1, 2), 'b': (3,)})
  with pytest.raises(ValueError, match=r"sets \['a', 'a'\]; expected each key once"):
    default.product({'a': (1,)}, [{'a': 2}])


def test_a_sweep_of_a_config_is_found_by_its_path():
  path = f'{ROOT}/configs/physics_ablation.py'
  assert points.of_config(f'{path}:paired-tiny') == physics_ablation.sweep('paired-tiny')
  assert points.of_config(path) == physics_ablation.sweep()
  with pytest.raises(ValueError, match=r'has no sweep\(\); .* give --sweep='):
    points.of_config(TINY)
  with pytest.raises(ValueError, match=r'configs/none.py is missing'):
    points.of_config('configs/none.py:tiny')


STUDIES = sorted(path.stem for path in (ROOT / 'configs').glob('spektron*.py'))


@pytest.mark.parametrize('name', [name for name in STUDIES if name != 'spektron_adapt'])
def test_every_point_of_a_study_on_data_that_ship_is_a_run_of_its_own(name):
  path = f'{ROOT}/configs/{name}.py'
  listed = points.of_config(path)
  sweep, left_out = points.plan(path, listed)
  assert len(sweep.points) == len(listed)
  assert not left_out


WORD = st.from_regex(r'[a-z_][a-z0-9_]{0,5}', fullmatch=True)
SCALAR = st.one_of(
  st.integers(-(10**9), 10**9),
  st.floats(allow_nan=False, allow_infinity=False),
  st.booleans(),
  st.text('ab,;=()[]{} .', max_size=6),
)
VALUE = st.one_of(SCALAR, st.lists(SCALAR, max_size=3).map(tuple))
KEY = st.lists(WORD, min_size=1, max_size=3).map('.'.join)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(KEY, st.lists(VALUE, min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_written_as_a_literal_comes_back(wanted):
  text = ';'.join(f'{key}={",".join(map(repr, values))}' for key, values in wanted.items())
  found = choices.parse(text)
  expected = [dict(zip(wanted, row, strict=True)) for row in itertools.product(*wanted.values())]
  assert found == expected
  assert list(map(repr, found)) == list(map(repr, expected))  # 1 is neither True nor 1.0


def test_words_and_ranges():
  assert choices.parse('backbone.name=linoss, s5 ;seed=range(2),7') == [
    {'backbone.name': name, 'seed': seed} for name in ('linoss', 's5') for seed in (0, 1, 7)
  ]
  assert choices.parse('a=range(5,1,-2)') == [{'a': 5}, {'a': 3}]
  assert choices.parse('dataset.computed.path=/data/lines.npz')[0] == {
    'dataset.computed.path': '/data/lines.npz'
  }


@pytest.mark.parametrize(
  ('text', 'words'),
  [
    ('', "'' in the sweep '' is no choice of values; expected key=value,value"),
    ('seed', "'seed' in the sweep"),
    ('a b=1', "'a b=1' in the sweep"),
    ('seed=1;seed=2', 'gives seed twice'),
    ('seed=', 'seed= is no value'),
    ('seed=1,', 'seed= is no value'),
    ('seed=(1', r'seed=\(1 is no value'),
    ('seed=range(0)', r'seed=range\(0\) is no value'),
    ('seed=range(9,1,0)', r'seed=range\(9,1,0\) is no value'),
    ('seed=range(100000000)', 'of 1 to 10000 integers'),
    ('seed=__import__("os").getpid()', 'seed=__import__.* is no value'),
  ],
)
def test_what_is_no_sweep_is_refused_with_a_sentence(text, words):
  with pytest.raises(ValueError, match=words):
    choices.parse(text)


# ---- configs ----------------------------------------------------------------


@given(
  st.fixed_dictionaries(
    {},
    optional={
      'seed': st.integers(0, 10**6),
      'optimizer.lr': st.floats(1e-8, 1.0),
      'backbone.name': st.sampled_from(['s5', 'conv']),
      'split.fractions': st.tuples(*3 * [st.floats(0.1, 0.8)]),
      'dataset.computed.kinds': st.sampled_from([('ir',), ('ir', 'raman')]),
      'dataset.computed.path': st.text('ab /.,=-', max_size=5),
      'log.progress': st.booleans(),
    },
  )
)
@settings(max_examples=20, deadline=None)
def test_flags_carry_every_type_of_value(overrides):
  expected = pretrain.get_config('tiny')
  expected.update_from_flattened_dict(overrides)
  assert points.load(TINY, overrides).to_json() == expected.to_json()


@pytest.mark.parametrize(
  ('overrides', 'words'),
  [
    ({'optimizer.lrr': 1.0}, r"pretrain.py:tiny with \{'optimizer.lrr': 1.0\}.* Did you mean"),
    ({'seed': 1.5}, 'invalid literal for int'),
    ({'seed': True}, 'invalid literal for int'),
    ({'optimizer.lr': 'high'}, 'could not convert'),
    ({'backbone.name': 5}, 'backbone.name takes str and not 5'),
    ({'log.progress': 'yes'}, 'log.progress'),
    ({'backbone': 3}, 'is no config'),
  ],
)
def test_what_does_not_fit_the_config_is_refused(overrides, words):
  with pytest.raises(ValueError, match=words):
    points.load(TINY, overrides)


def test_a_variant_that_is_not_there_is_refused_in_one_line():
  with pytest.raises(ValueError, match=r"is no config: .* has no variant 'fast'") as caught:
    points.load(TINY.replace('tiny', 'fast'), {})
  assert 'Traceback' not in str(caught.value)


# ---- names and identities ---------------------------------------------------


@pytest.mark.parametrize(
  ('keys', 'short'),
  [
    ({'optimizer.lr', 'seed'}, {'optimizer.lr': 'lr', 'seed': 'seed'}),
    ({'seed', 'split.seed'}, {'seed': 'seed', 'split.seed': 'split.seed'}),
    ({'a.x.n', 'b.x.n', 'b.m'}, {'a.x.n': 'a.x.n', 'b.x.n': 'b.x.n', 'b.m': 'm'}),
    ({'backbone.name', 'head.name'}, {'backbone.name': 'backbone', 'head.name': 'head'}),
  ],
)
def test_keys_are_shortened_as_far_as_they_stay_unique(keys, short):
  assert points.shorten(keys) == short


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(KEY, VALUE, max_size=4), min_size=1, max_size=8))
def test_names_are_folders_and_different_for_different_overrides(sweep):
  names = points._names(sweep)
  for name in names:
    assert re.fullmatch(r'[\w][\w=,.+-]*', name, re.ASCII)
    assert len(name) <= points.LONGEST_NAME
  told = [repr(sorted(overrides.items())) for overrides in sweep]
  for (a, name), (b, other) in itertools.combinations(zip(told, names, strict=True), 2):
    assert a == b or name.casefold() != other.casefold()
  assert names == points._names(sweep)


def test_values_that_a_file_system_may_confuse_get_other_names():
  names = points._names([{'path': path} for path in ('a b', 'a_b', 'A/b', 'c')])
  assert len({name.casefold() for name in names}) == 4
  assert names[3] == 'path=c'  # and only those
  assert len(points._names([{'path': 'x' * 300}])[0]) == points.LONGEST_NAME


def plan(text):
  return points.plan(TINY, choices.parse(text))


def test_points_are_named_by_what_they_change_and_are_the_runs_they_say():
  sweep, left_out = plan('optimizer.lr=1e-4,0.002;seed=0,1')
  assert not left_out
  assert [point.name for point in sweep.points] == [
    'lr=0.0001,seed=0',
    'lr=0.0001,seed=1',
    'lr=0.002,seed=0',
    'lr=0.002,seed=1',
  ]
  config = pretrain.get_config('tiny')
  data = (ROOT / 'spectra_jax/data/computed_vib.sha256').read_text().split()[0]
  assert sweep.points[2].identity == identity(config, data)  # lr and seed are the config's own
  assert len({point.identity for point in sweep.points}) == 4


def test_what_all_points_share_is_in_no_name():
  shared = {'dataset.computed.path': '', 'train.steps': 7}
  sweep, left_out = points.plan(TINY, [{'seed': 0}, {'seed': 0, 'train.steps': 7}], shared)
  assert [(point.name, point.overrides) for point in sweep.points] == [
    ('seed=0', {'seed': 0} | shared)
  ]
  assert left_out == ['seed=0,steps=7 is the same run as seed=0: left out']
  points.check(sweep)


def test_the_same_run_is_planned_once():
  sweep, left_out = points.plan(TINY, [{}, {'seed': 0}, {'optimizer.lr': 1}, {'log.every': 7}])
  assert [point.name for point in sweep.points] == ['base', 'lr=1.0']
  assert left_out == [
    'seed=0 is the same run as base: left out',
    'every=7 is the same run as base: left out',
  ]


def test_a_component_that_is_not_there_is_found_before_anything_runs():
  with pytest.raises(ValueError, match=r"backbones has no 'linos'"):
    plan('backbone.name=linoss,linos')
  with pytest.raises(ValueError, match='is empty; expected a point'):
    points.plan(TINY, [])


def test_a_command_is_the_flags_of_the_run(tmp_path):
  sweep, _ = plan("split.fractions=(0.7,0.2,0.1);backbone.name=s5;dataset.computed.path=''")
  words = sweep.points[0].command(TINY, str(tmp_path))
  assert words[1:5] == [
    '-m',
    'experiments.train',
    f'--config={TINY}',
    f'--workdir={tmp_path / sweep.points[0].name}',
  ]
  values = flags.FlagValues()
  points.config_flags.DEFINE_config_file(
    'config', flag_values=values, sys_argv=['x', words[3], *words[5:]]
  )
  values(['x', words[3], *words[5:]])
  assert values.config.split.fractions == (0.7, 0.2, 0.1)
  assert values.config.backbone.name == 's5'


# ---- the root folder --------------------------------------------------------


def snapshot(folder):
  return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_a_root_keeps_what_was_listed_and_takes_more(tmp_path):
  first, _ = points.settle(plan('seed=0,1')[0], tmp_path)
  assert points.read(tmp_path) == first
  document = json.loads((tmp_path / 'sweep.json').read_text())
  assert document['config'] == TINY
  assert document['points'][1] == dataclasses.asdict(first.points[1])
  before = (tmp_path / 'sweep.json').stat().st_mtime_ns
  points.settle(plan('seed=1')[0], tmp_path)
  assert (tmp_path / 'sweep.json').stat().st_mtime_ns == before

  more, sentences = points.settle(plan('seed=1,2;optimizer.lr=0.002')[0], tmp_path)
  assert [point.name for point in more.points] == ['seed=1', 'seed=2,lr=0.002']
  assert sentences == [
    'seed=1,lr=0.002 is the same run as seed=1, which is there: it keeps that name'
  ]
  assert [point.name for point in points.read(tmp_path).points] == [
    'seed=0',
    'seed=1',
    'seed=2,lr=0.002',
  ]


def test_overrides_come_back_with_their_types(tmp_path):
  sweep, _ = points.settle(plan('split.fractions=(0.7,0.2,0.1);log.progress=False')[0], tmp_path)
  assert points.read(tmp_path) == sweep
  points.check(sweep)


def test_a_name_with_other_content_is_refused_and_nothing_changes(tmp_path):
  sweep, _ = plan('seed=0,1')
  (tmp_path / 'seed=1').mkdir()
  (tmp_path / 'seed=1' / 'config.json').write_text(json.dumps({'identity': 'f' * 64}))
  before = snapshot(tmp_path)
  with pytest.raises(ValueError, match=r'seed=1 belongs to run ffffffff and point seed=1 is run'):
    points.settle(sweep, tmp_path)
  assert snapshot(tmp_path) == before


def test_a_config_that_changed_since_is_refused(tmp_path):
  sweep, _ = points.settle(plan('seed=0,1')[0], tmp_path)
  aged = dataclasses.replace(sweep.points[1], identity='f' * 64)
  with pytest.raises(ValueError, match=r'point seed=1 was run ffffffff .* would be another today'):
    points.check(dataclasses.replace(sweep, points=(sweep.points[0], aged)))
  document = {'config': TINY, 'points': [dataclasses.asdict(aged)]}
  (tmp_path / 'sweep.json').write_text(json.dumps(document))
  with pytest.raises(ValueError, match='config or data changed since'):
    points.settle(sweep, tmp_path)


def test_a_root_has_one_config(tmp_path):
  points.settle(plan('seed=0')[0], tmp_path)
  other, _ = points.plan(TINY.replace('tiny', 'quick'), [{}])
  with pytest.raises(ValueError, match='expected one config a root'):
    points.settle(other, tmp_path)


@pytest.mark.parametrize('content', ['', '[]', '{"config": 1}', '{"config": "x", "points": [1]}'])
def test_a_damaged_sweep_file_is_named(tmp_path, content):
  (tmp_path / 'sweep.json').write_text(content)
  with pytest.raises(ValueError, match=r'sweep.json cannot be read'):
    points.read(tmp_path)


def test_a_folder_without_a_sweep_is_named(tmp_path):
  with pytest.raises(ValueError, match=r'sweep.json is missing; expected the root folder'):
    points.read(tmp_path)
