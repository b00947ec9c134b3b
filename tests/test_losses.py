"""The masked error is what its formula says; the weighted sum is in one place and complete."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectra_jax.losses import weight_at, weighted_sum
from spectra_jax.losses.masked_mse import masked_mse


def test_masked_mse_by_hand():
  x = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
  y = jnp.array([[0.0, 0.0, 9.0], [1.0, 1.0, 1.0]])
  masked = jnp.array([[True, True, False], [False, False, False]])
  np.testing.assert_allclose(masked_mse(x, y, masked), [2.5, 0.0])


def test_masked_mse_has_no_gradient_outside_the_mask():
  x = jax.random.normal(jax.random.key(0), (2, 10))
  masked = jnp.arange(10) < 4
  grad = jax.grad(lambda x: masked_mse(x, x * 0, jnp.broadcast_to(masked, x.shape)).sum())(x)
  assert (grad[:, 4:] == 0).all()
  np.testing.assert_allclose(grad[:, :4], 2 * x[:, :4] / 4, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 400))
def test_schedules_interpolate_and_hold(step):
  weight = float(weight_at(((100, 0.0), (300, 2.0)), step))
  np.testing.assert_allclose(weight, np.clip((step - 100) / 100, 0, 2), atol=1e-6)
  assert float(weight_at(0.5, step)) == 0.5


def test_weighted_sum_is_complete_or_refused():
  terms = {'a': jnp.array([1.0, 3.0]), 'b': jnp.array([10.0, 30.0])}
  assert float(weighted_sum({'a': 1.0, 'b': ((0, 0.5), (10, 0.0))}, terms, 0)) == 12.0
  assert float(weighted_sum({'a': 1.0, 'b': ((0, 0.5), (10, 0.0))}, terms, 10)) == 2.0
  with pytest.raises(ValueError, match=r"names \['a'\], but the task returns \['a', 'b'\]"):
    weighted_sum({'a': 1.0}, terms, 0)
