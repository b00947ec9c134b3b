"""Baselines by any method of pybaselines: on the host, spectrum by spectrum, not exportable.

What deploys is asls, arpls, detrend and emsc. This is for comparing them with the rest.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectra_jax.preprocess.chunks import check_measured
from spectra_jax.preprocess.signal import Signal
from spectra_jax.preprocess.steps.arpls import check_baseline
from spectra_jax.spectra import Spectra


def subtract_baseline(spectra: Spectra, method: str, options: Mapping[str, Any]) -> Spectra:
  """Spectra without their baselines by `pybaselines.Baseline(axis).<method>(values, **options)`.

  Args:
    spectra: with every point measured.
    method: 'airpls', 'modpoly', 'snip', ...; what it computes: pybaselines' documentation.
    options: its arguments; those left out are pybaselines' defaults.

  Raises:
    ValueError: no such method, spectra without a baseline, or points that were not measured.
    ImportError: pybaselines is not installed.
  """
  from pybaselines import Baseline

  out = check_baseline(method, Signal.of(spectra))
  check_measured(spectra)
  fitter = Baseline(spectra.axis)
  if method.startswith('_') or not callable(getattr(fitter, method, None)):
    raise ValueError(f'pybaselines has no method {method!r}; see its list of algorithms')
  compute = getattr(fitter, method)
  rows = [row - compute(row, **options)[0] for row in np.float64(spectra.values[:])]
  said = f'{spectra.source} {method} {json.dumps(dict(options), sort_keys=True, default=repr)}'
  return dataclasses.replace(
    spectra,
    values=np.float32(rows),
    state=out.state,
    source=hashlib.sha256(said.encode()).hexdigest(),
  )
