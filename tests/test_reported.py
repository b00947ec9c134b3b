"""No number without a regime and a split; repeats are not taken for independent."""

import numpy as np
import pytest

from spectra_jax import metrics, splits
from spectra_jax.reported import Score, repeated_score, score

IDS = np.array([f'r{i}' for i in range(60)])
GROUPS = np.array([f'g{i // 2}' for i in range(60)])


def dealt(seed, regime='grouped', fractions=(0.5, 0.1, 0.4)):
  return splits.make_split(IDS, GROUPS, regime, fractions, seed)


def test_a_score_says_what_it_is_a_number_of():
  split, rng = dealt(0), np.random.default_rng(0)
  terms = metrics.rmsep(rng.normal(size=len(split.test)), np.zeros(len(split.test)))
  found = score(terms, GROUPS[split.test], split, seeds=(0, 1))
  assert found.value == terms.value
  assert (found.low, found.high) == terms.interval(GROUPS[split.test])
  assert (found.regime, found.split) == ('grouped', split.hash)
  assert str(found).endswith(f'over groups (grouped, {split.hash}, 2 seeds)')
  with pytest.raises(ValueError, match='expected those of the 24 test rows'):
    score(metrics.rmsep(np.zeros(3), np.ones(3)), GROUPS[:3], split)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'regime': ''}, "a score has regime '' and split 'abc'"),
    ({'regime': 'random'}, "a score has regime 'random'"),
    ({'split': ''}, 'without them it cannot be reported'),
    ({'value': np.nan}, 'a score is nan with interval'),
    ({'low': 2.0}, r'a score is 0.5 with interval \[2.0, 1.0\]'),
  ],
)
def test_a_score_without_a_regime_split_or_interval_is_refused(change, words):
  whole = {'value': 0.5, 'low': 0.4, 'high': 1.0, 'over': 'groups', 'regime': 'iid'}
  with pytest.raises(ValueError, match=words):
    Score(**{**whole, 'split': 'abc', 'seeds': (), **change})


def test_repeats_share_their_training_rows_and_the_interval_knows_it():
  repeats = splits.repeated(dealt, range(8))
  values = np.random.default_rng(1).normal(1.0, 0.1, 8)
  found = repeated_score(values, repeats)
  share = np.mean([len(split.test) / len(split.train) for split in repeats])
  _, low, high = metrics.mean_interval(values)
  wider = np.sqrt((1 / 8 + share) / (1 / 8))
  assert found.high - found.low == pytest.approx(wider * (high - low))
  assert (found.regime, found.over, found.split) == (
    'grouped',
    'splits',
    splits.joint_hash(repeats),
  )
  with pytest.raises(ValueError, match='7 numbers were given of 8 splits'):
    repeated_score(values[:7], repeats)
  with pytest.raises(ValueError, match=r"splits of regimes \['grouped', 'iid'\]"):
    repeated_score(values[:2], [repeats[0], dealt(0, 'iid')])


def test_the_corrected_interval_covers_where_the_plain_one_does_not():
  """The mean of training rows predicts test rows: true error 1 + 1 / n, over 150 data sets."""
  rng, covered, plain = np.random.default_rng(0), 0, 0
  repeats = splits.repeated(lambda seed: dealt(seed, 'iid'), range(10))
  truth = 1 + 1 / len(repeats[0].train)
  for _ in range(150):
    y = rng.normal(size=60)
    values = [np.mean((y[s.test] - y[s.train].mean()) ** 2) for s in repeats]
    found, (_, low, high) = repeated_score(values, repeats), metrics.mean_interval(values)
    covered += found.low <= truth <= found.high
    plain += low <= truth <= high
  assert covered >= 132  # 95 % nominal
  assert plain < 110
