"""A pipeline as a scikit-learn transformer, for its grids, pipelines and cross-validation."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from spectra_jax.preprocess.chunks import CHUNK
from spectra_jax.preprocess.pipeline import Pipeline, Step
from spectra_jax.spectra import Spectra


class SpectraTransformer(TransformerMixin, BaseEstimator):
  """`Pipeline(steps)` fitted by `fit`, applied by `transform`, to plain arrays [N, L].

  scikit-learn's arrays have no axis, kind or state, so they are said here once.

  Args:
    steps: of `Pipeline`.
    axis: [L], or None = the index of a column; then axis_unit must be 'index'.
    axis_unit, kind, state: words of `Spectra`.
    dtype, chunk: of `Pipeline`.

  Attributes:
    fitted_: the `Fitted` pipeline, which `document` saves.
  """

  def __init__(
    self,
    steps: tuple[Step, ...],
    *,
    axis: np.ndarray | None = None,
    axis_unit: str = 'index',
    kind: str = 'absorbance',
    state: str = 'measured',
    dtype: str = 'float64',
    chunk: int = CHUNK,
  ):
    self.steps = steps
    self.axis = axis
    self.axis_unit = axis_unit
    self.kind = kind
    self.state = state
    self.dtype = dtype
    self.chunk = chunk

  def fit(self, X: np.ndarray, y: object = None) -> 'SpectraTransformer':
    """Constants from the rows of X; y is not looked at."""
    X = validate_data(self, X, dtype=np.float64, ensure_min_features=2)
    pipeline = Pipeline(tuple(self.steps), self.dtype, self.chunk)
    self.fitted_ = pipeline.fit(self._spectra(X))
    return self

  def transform(self, X: np.ndarray) -> np.ndarray:
    """[N, L] -> [N, M] in `dtype`."""
    check_is_fitted(self)
    return self.fitted_.transform(validate_data(self, X, dtype=np.float64, reset=False))

  def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
    """[M] positions on the axis of the result, as words."""
    check_is_fitted(self)
    out = self.fitted_.out
    return np.array([f'{position:.10g} {out.axis_unit}' for position in out.axis], object)

  def __sklearn_tags__(self):
    tags = super().__sklearn_tags__()
    tags.transformer_tags.preserves_dtype = [self.dtype]
    return tags

  def _spectra(self, X: np.ndarray) -> Spectra:
    if self.axis is None and self.axis_unit != 'index':
      raise ValueError(
        f"axis is None with axis_unit {self.axis_unit!r}, expected 'index'; give the axis"
      )
    axis = np.arange(X.shape[1], dtype=np.float64) if self.axis is None else np.float64(self.axis)
    full = np.broadcast_to(np.True_, X.shape)
    return Spectra(X, axis, self.axis_unit, self.kind, self.state, full, {}, 'an array')
