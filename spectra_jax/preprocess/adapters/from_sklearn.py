"""Fitted transformers of scikit-learn by class name: (transformer, signal) -> (step, constants)."""

from typing import Any

import numpy as np

from spectra_jax.preprocess.pipeline import Constants, Step
from spectra_jax.preprocess.signal import Signal
from spectra_jax.preprocess.steps import autoscale, normalise, project


def _standard_scaler(scaler: Any, signal: Signal) -> tuple[Step, Constants]:
  zero, one = np.zeros(len(signal.axis)), np.ones(len(signal.axis))
  offset = scaler.mean_ if scaler.with_mean else zero
  spread = scaler.scale_ if scaler.with_std else one
  return autoscale.Step('sd' if scaler.with_std else 'none'), autoscale.constants(offset, spread)


def _min_max_scaler(scaler: Any, signal: Signal) -> tuple[Step, Constants]:
  if scaler.clip:
    raise ValueError('MinMaxScaler has clip=True, expected False: no step here cuts values off')
  return autoscale.Step('none'), autoscale.constants(
    -scaler.min_ / scaler.scale_, 1 / scaler.scale_
  )


def _pca(pca: Any, signal: Signal) -> tuple[Step, Constants]:
  loading = pca.components_
  if pca.whiten:
    loading = loading / np.sqrt(pca.explained_variance_)[:, None]
  return project.Step(len(loading)), {'offset': np.float64(pca.mean_), 'loading': loading}


def _normalizer(normalizer: Any, signal: Signal) -> tuple[Step, None]:
  return normalise.Step({'l1': 'sum', 'l2': 'vector', 'max': 'max'}[normalizer.norm]), None


CONVERTERS = {
  'StandardScaler': _standard_scaler,
  'MinMaxScaler': _min_max_scaler,
  'PCA': _pca,
  'Normalizer': _normalizer,
}
