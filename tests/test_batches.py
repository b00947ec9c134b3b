"""A batch is a function of (seed, step); an epoch visits every row once."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.batches import example_keys, padded_batches, split_keys, training_rows


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(1, 40), st.integers(0, 3))
def test_every_epoch_visits_every_row_once(rows, batch_size, seed):
  steps = -(-3 * rows // batch_size)
  trace = np.concatenate([training_rows(seed, s, batch_size, rows) for s in range(steps)])
  for epoch in range(3):
    assert sorted(trace[epoch * rows : (epoch + 1) * rows]) == list(range(rows))


def test_order_depends_on_seed_and_epoch_only():
  np.testing.assert_array_equal(training_rows(0, 3, 8, 100), training_rows(0, 3, 8, 100))
  assert not np.array_equal(training_rows(0, 0, 100, 100), training_rows(1, 0, 100, 100))
  assert not np.array_equal(training_rows(0, 0, 100, 100), training_rows(0, 1, 100, 100))


@pytest.mark.parametrize('batch_size', [1, 3, 7, 10])
def test_padding_is_marked_and_drops_nothing(batch_size):
  rows = np.arange(20, 30)
  batches = padded_batches(rows, batch_size)
  assert all(len(part) == batch_size for part, _ in batches)
  np.testing.assert_array_equal(np.concatenate([part[real] for part, real in batches]), rows)


def test_keys_belong_to_rows_not_to_places():
  data = lambda keys: np.asarray(jax.random.key_data(keys))
  keys = data(example_keys(0, 5, np.array([4, 9, 2])))
  np.testing.assert_array_equal(keys[::-1], data(example_keys(0, 5, np.array([2, 9, 4]))))
  assert not np.array_equal(keys, data(example_keys(0, 6, np.array([4, 9, 2]))))
  for_inputs, for_dropout = split_keys(example_keys(0, 5, np.array([4, 9])))
  assert len({tuple(k) for k in data(for_inputs)} | {tuple(k) for k in data(for_dropout)}) == 4
