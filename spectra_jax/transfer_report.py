"""What the linear layers of a trained run do along the axis, as one document and a figure."""

import pathlib
from typing import Any

import numpy as np

from spectra_jax import figures, interferogram, trained, transfer, transfer_zeros

POINTS = 256  # of the gain


def read(workdir: pathlib.Path, output: int, input: int) -> dict[str, Any]:
  """The document of the run in `workdir`; writes its figure.

  Raises:
    ValueError: no run, no checkpoint, other data, a model without a backbone of its own, or one
      without linear layers.
    RuntimeError: every checkpoint is damaged.
  """
  run, params = trained.load(workdir)
  effective = run.task.effective(params)
  if 'backbone' not in effective:
    raise ValueError(
      f'{workdir} is a run of task {run.config.task.name}, whose model has no backbone of its own '
      f'(parts: {", ".join(sorted(effective))}), expected one that reads tokens and predicts '
      'spectra; choose another'
    )
  variables = {'params': effective['backbone']}
  found = transfer.layers(run.module.backbone, variables, run.config.backbone.width)
  nu_T = run.module.tokenizer.positions(run.task.nu_L)
  along = 'retardation' if run.config.backbone.name == 'interferogram' else 'wavenumber'
  describe = _as_lines if along == 'retardation' else _as_lengths
  layers = {name: describe(system, nu_T, output, input) for name, system in found.items()}
  path = workdir / 'figures' / 'transfer.png'
  path.parent.mkdir(exist_ok=True)
  figures.poles_and_gain(layers, along).savefig(path)
  return {
    'what_the_numbers_are': figures.ALONG[along].title,
    'backbone': run.config.backbone.name,
    'token_step_cm': run.config.tokenize.step_cm,
    'channel': [output, input],
    'layers': {name: _plain(layer, along) for name, layer in layers.items()},
    'figure': str(path),
  }


def _as_lengths(system, nu_T: np.ndarray, output: int, input: int) -> dict[str, np.ndarray]:
  """Period and decay length of poles and zeros, and the gain at ripples between them, in cm^-1."""
  dnu, span = nu_T[1] - nu_T[0], nu_T[-1] - nu_T[0]
  lengths = lambda z: np.stack([transfer.period_cm(z, dnu), transfer.decay_length_cm(z, dnu)])
  at_cm = np.geomspace(2 * dnu, span, POINTS)
  gain = transfer.gain(system, transfer.angle(at_cm, dnu))
  return _reading(system, lengths, at_cm, gain, output, input)


def _as_lines(system, nu_T: np.ndarray, output: int, input: int) -> dict[str, np.ndarray]:
  """nu0 and gamma of poles and zeros, and the gain at wavenumbers, in cm^-1."""
  lines = lambda z: np.stack(interferogram.line_of_pole(z, nu_T))
  at_cm = np.linspace(nu_T[0], nu_T[-1], POINTS)
  step = interferogram.retardation(nu_T)[1]
  theta = 2 * np.pi * (at_cm - interferogram.lower_edge(nu_T)) * step
  return _reading(system, lines, at_cm, transfer.gain(system, theta), output, input)


def _reading(system, pair, at_cm, gain, output, input):
  upper = lambda z: z[z.imag >= 0]  # a pole and its conjugate are one
  return {
    'poles': pair(upper(transfer.poles(system).ravel())),
    'zeros': pair(upper(transfer_zeros.zeros(system, output, input))),
    'at_cm': at_cm,
    'gain_db': 20 * np.log10(gain),
  }


def _plain(layer: dict[str, np.ndarray], along: str) -> dict[str, list]:
  """JSON of a layer, six digits, null for infinity."""
  number = lambda x: float(f'{x:.6g}') if np.isfinite(x) else None
  plain = {key: [number(x) for x in layer[key]] for key in ('at_cm', 'gain_db')}
  for kind in ('poles', 'zeros'):
    for name, values in zip(figures.ALONG[along].names, layer[kind], strict=True):
      plain[f'{kind}_{name}'] = [number(x) for x in values]
  return plain
