"""Preprocessing that deploys as it was trained: fit once, then a pure function with its constants.

  pipeline = Pipeline((snv.Step(), savitzky_golay.Step(window=11, degree=2, derivative=1)))
  fitted = pipeline.fit(train)          # constants come from the training side alone
  corrected = fitted.apply(test)        # refuses other axes, kinds and states
  document.save(fitted, 'pipeline.json')

A step is spectra_jax/preprocess/steps/<name>.py: Step; a file joins by existing.
"""

from spectra_jax.preprocess.pipeline import Fitted, Pipeline, described

__all__ = ['Fitted', 'Pipeline', 'described']
