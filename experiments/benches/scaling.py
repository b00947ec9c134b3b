"""How the time of one layer grows with the length of the sequence, as a table and a figure.

One spectrum (B = 1) with the D and P of --shape and each L of --lengths: one direction of D-LinOSS
with the published scan and fused, S5 with its associative scan, and without their projections the
dense convolution and the attention of the conv and transformer backbones at the same width. The
attention stops at 8192 tokens, where it takes seconds.
"""

import pathlib

import numpy as np
from absl import flags

from experiments import timing
from experiments.benches import layer
from spectra_jax import figures
from spectra_jax.attention import attend
from spectra_jax.short_convolution import convolve

_FIGURE = flags.DEFINE_string('figure', '', "PNG of the growth; '' = none")

_TAPS, _HEADS, _LONGEST_ATTENTION = 31, 4, 8192
LABELS = {
  'associative': 'D-LinOSS, published scan',
  's5_associative': 'S5, published scan',
  'attention': f'attention, {_HEADS} heads',
  'conv': f'dense convolution, {_TAPS} taps',
  'fused': 'D-LinOSS, fused',
}


def _functions(shape):
  """{'forward_fused': (function, arguments), ...} at one length."""
  _, length, width, _ = shape
  rng = np.random.default_rng(0)
  x_BxLxD = rng.standard_normal((1, length, width), np.float32)
  kernel = rng.standard_normal((_TAPS, width, width), np.float32) / width
  heads = lambda x_BxLxD: x_BxLxD.reshape(1, length, _HEADS, -1)
  others = {'conv': (lambda kernel, x: convolve(x, kernel), (kernel, x_BxLxD))}
  if length <= _LONGEST_ATTENTION:
    others['attention'] = (lambda q, k: attend(heads(q), heads(k), heads(k)), (x_BxLxD, x_BxLxD))
  found = layer.functions(shape)
  for name, (apply, given) in others.items():
    found |= {f'forward_{name}': (apply, given)}
    found |= {f'training_{name}': (timing.mean_square(apply), given)}
  return found


def run() -> dict:
  """{'measured': {L: {function: times}}} and the ratios to the fused layer at each L."""
  *_, width, state = timing.shape()
  measured = {
    length: timing.interleaved(_functions((1, int(length), width, state)), timing.ROUNDS.value)
    for length in timing.LENGTHS.value
  }
  if _FIGURE.value:
    _draw(measured).savefig(pathlib.Path(_FIGURE.value))
  return {
    'case': f'B=1,D={width},P={state},L={"/".join(timing.LENGTHS.value)}',
    'rounds': timing.ROUNDS.value,
    'ratios': {length: layer.ratios(rows) for length, rows in measured.items()},
    'measured': measured,
  }


def _draw(measured):
  lengths = list(map(int, measured))

  def curves(what):
    rows = {name: [m.get(f'{what}_{name}') for m in measured.values()] for name in LABELS}
    return {
      LABELS[name]: [row['ms'] if row else np.nan for row in found] for name, found in rows.items()
    }

  return figures.growth(lengths, {what: curves(what) for what in ('forward', 'training')})


def lines(result: dict) -> list[str]:
  """The tables of all lengths."""
  found = [f'one layer, {result["case"]}, on {result["device"]}']
  for length, rows in result['measured'].items():
    found += [f'L = {length}', *timing.table(rows)]
  return found
