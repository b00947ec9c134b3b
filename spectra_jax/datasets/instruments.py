"""Computed spectra as simulated spectrometers measure them: known chemistry, known instrument.

Light meets an instrument in this order, and the same functions do it as in augmentation, whose
docstrings have the formulas (`spectra_jax/augment`); IR acts on the transmitted light, Raman on the
scattered light:

  line shape   the signal convolved with that of a Fourier spectrometer (IR) or a slit (Raman)
  stray light  (s + a s_0) / (1 + a), a share a of the open beam, or of the highest point
  response     s gain(nu), what an old reference (IR) or an uncorrected detector (Raman) leaves
  baseline     scatter that grows with wavenumber (IR), fluorescence that falls with it (Raman)
  axis         what lies at nu is read at nu + offset + stretch (nu - NU_0)
  noise        white, and of counted photons (Raman)

`bench(kind, nu_L)` holds nine instruments of a kind: the reference, which changes nothing, six to
train on and two that are held out. Their numbers are drawn once, from the ranges below, each range
cut into as many strata as there are instruments so that no two are alike:

  spectra  = jax.vmap(lambda key, x, i: measured(key, x, pick(bench, i), frame))(keys, values, i)

An instrument is not quite the same on two days: `occasion` draws its baseline and its axis anew.
What it then sees without noise is `observe`, so that one sample on the occasion of another sample's
measurement is known too: the truth that swapped latents are compared with.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from spectra_jax.augment.background import raised
from spectra_jax.augment.bands import apodised, moved, smooth
from spectra_jax.augment.frame import Frame, add_to_signal, amplify, level, signal, values_of
from spectra_jax.datasets import computed
from spectra_jax.physics import instrument
from spectra_jax.spectra import Spectra, check_resolution

INFO = {
  'name': 'instruments',
  'urls': (),  # the line lists that ship with the package
  'sha256_file': 'computed_vib.sha256',  # beside the .npz
  'version': '1.1.0',  # noise and day of an instrument are its own
  'licence': 'CC0-1.0',
  'citation': f'{computed.INFO["citation"]}; on simulated spectrometers',
  'units': {'absorbance': '1', 'raman': 'A^4/amu per cm^-1'},
}
KIND_OF = {'ir': 'absorbance', 'raman': 'raman'}  # what a spectrometer gives of a computed kind
TRAINING, HELD_OUT = 6, 2
REFERENCE = 0  # number of the instrument that changes nothing
NAMES = (  # of the instruments of each kind, by number
  'reference',
  *(f'training_{n + 1}' for n in range(TRAINING)),
  *(f'held_out_{n + 1}' for n in range(HELD_OUT)),
)
# Decadic absorbance of an intensity of 1 km/mol per cm^-1, of 2e-6 mol of the sample on 1 cm^2.
ABSORBANCE = 2e-6 * 1e5 / np.log(10)
NU_0 = 2200.0  # cm^-1; where a stretch of the axis turns about
SEED, COUNT = 20_261_121, TRAINING + HELD_OUT  # of the instruments
# Ranges of the instruments' numbers; log: drawn evenly on a logarithmic scale.
RANGES = {
  'ir': {
    'fwhm_cm': (8.0, 32.0, 'log'),  # of the line shape
    'stray': (0.0, 0.03, ''),  # of the open beam
    'droop': (0.0, 0.15, ''),  # the gain lies between 1 - droop and 1
    'baseline': (0.0, 0.15, ''),  # at 4000 cm^-1 [absorbance]
    'decay': (1.0, 4.0, ''),  # power of the wavenumber by which scatter grows
    'offset_cm': (-4.0, 4.0, ''),
    'stretch': (-5e-4, 5e-4, ''),
    'read': (3e-4, 5e-3, 'log'),  # noise [of the open beam]
    'shot': (0.0, 0.0, ''),
  },
  'raman': {
    'fwhm_cm': (8.0, 32.0, 'log'),
    'stray': (0.0, 0.03, ''),  # of the highest point
    'droop': (0.1, 0.7, ''),
    'baseline': (0.02, 0.4, ''),  # at the low end [of the highest point]
    'decay': (500.0, 3000.0, 'log'),  # fall of the fluorescence to 1/e [cm^-1]
    'offset_cm': (-4.0, 4.0, ''),
    'stretch': (-5e-4, 5e-4, ''),
    'read': (1e-3, 1e-2, 'log'),  # noise [of the highest point]
    'shot': (3e-3, 3e-2, 'log'),  # noise at the highest point [of it]
  },
}
RESPONSE_CM = {'ir': 600.0, 'raman': 1500.0}  # shortest period of the gain along the axis
APODISATION = 'medium'  # Norton-Beer, of the Fourier spectrometers
DAILY_CM = 0.2  # standard deviation of the axis from day to day [cm^-1]
DAILY_BASELINE = (0.5, 1.5)  # factor of the baseline from sample to sample, drawn evenly
CHUNK = 64  # molecules at a time: bounds memory, one compilation


class Setting(NamedTuple):
  """What one instrument, or several stacked, does to a spectrum on one axis. A tree of arrays."""

  window_L: jax.Array  # apodisation at retardations i / (2 L step); 1 at the first
  gain_L: jax.Array  # of the signal, above 0 and at most 1
  baseline_L: jax.Array  # [absorbance, or of the highest point], nowhere below 0
  stray: jax.Array  # [share of the open beam, or of the highest point]
  offset_cm: jax.Array
  stretch: jax.Array
  read: jax.Array  # white noise [share likewise]
  shot: jax.Array  # noise of counted photons at the highest point [share]
  fwhm_cm: jax.Array  # of the line shape, as the instrument's maker says it; 0 = the reference


@functools.cache
def drawn(kind: str, count: int = COUNT, seed: int = SEED) -> dict[str, np.ndarray]:
  """Number of an instrument -> [I], the reference left out: see `RANGES`.

  Args:
    kind: of spectra.
    count: I; each number has one in each of so many parts of its range.
    seed: another one draws other instruments.

  Raises:
    ValueError: a kind without instruments.
  """
  if kind not in RANGES:
    raise ValueError(f'kind is {kind!r}, expected one of {", ".join(RANGES)}')
  rng, found = np.random.default_rng([seed, list(RANGES).index(kind)]), {}
  for name, (low, high, scale) in RANGES[kind].items():
    share = (rng.permutation(count) + rng.uniform(size=count)) / count
    found[name] = low * (high / low) ** share if scale else low + (high - low) * share
  return found


def frame_of(kind: str, nu_L: np.ndarray) -> Frame:
  """What the values of a kind's instruments are, for the functions of `spectra_jax/augment`."""
  return Frame(np.asarray(nu_L, np.float64), 'cm^-1', KIND_OF[kind], 'measured')


def bench(kind: str, nu_L: np.ndarray, count: int = COUNT, seed: int = SEED) -> Setting:
  """The reference and `drawn` instruments of a kind on an even axis [cm^-1], stacked: leaves
  [1 + I, ...], by default in the order of `NAMES`.
  """
  numbers, frame = drawn(kind, count, seed), frame_of(kind, nu_L)
  keys = jax.random.split(jax.random.key(seed), count)
  r_IxL = np.stack([smooth(key, frame.nu_L, RESPONSE_CM[kind]) for key in keys])
  columns = {
    'window_L': np.stack([_window(kind, fwhm_cm, frame) for fwhm_cm in numbers['fwhm_cm']]),
    'gain_L': 1 - 0.5 * numbers['droop'][:, None] * (1 - r_IxL),
    'baseline_L': numbers['baseline'][:, None] * _shape(kind, numbers['decay'][:, None], frame),
    **{name: numbers[name] for name in Setting._fields if name in numbers},
  }
  neutral = {'window_L': 1.0, 'gain_L': 1.0}
  reference = lambda name, x: np.full((1, *x.shape[1:]), neutral.get(name, 0.0))
  return Setting(
    **{name: np.float32(np.concatenate([reference(name, x), x])) for name, x in columns.items()}
  )


def pick(settings: Setting, number: jax.Array) -> Setting:
  """The setting of one instrument by its number; of several with an array of them."""
  return jax.tree.map(lambda x: jnp.asarray(x)[number], settings)


def occasion(key: jax.Array, setting: Setting) -> Setting:
  """The same instrument on some day: another baseline and a slightly other axis."""
  key_baseline, key_axis = jax.random.split(key)
  factor = jax.random.uniform(key_baseline, minval=DAILY_BASELINE[0], maxval=DAILY_BASELINE[1])
  moved_cm = jnp.where(setting.fwhm_cm > 0, DAILY_CM * jax.random.normal(key_axis), 0.0)
  return setting._replace(
    baseline_L=setting.baseline_L * factor, offset_cm=setting.offset_cm + moved_cm
  )


def observe(values_L: jax.Array, setting: Setting, frame: Frame) -> jax.Array:
  """One computed spectrum as the instrument sees it without noise, in the computed unit: [L].

  The reference gives back what came in, to rounding; nothing becomes negative.
  """
  unit = ABSORBANCE if frame.kind == 'absorbance' else 1.0
  every_L = np.ones(len(frame.axis_L), bool)
  x_L = values_of(apodised(signal(values_L * unit, frame), setting.window_L), frame)
  open_beam = level(x_L, every_L, frame)
  lit_L = (signal(x_L, frame) + setting.stray * open_beam) / (1 + setting.stray)
  x_L = amplify(values_of(lit_L, frame), setting.gain_L, frame)
  x_L = raised(x_L, every_L, setting.baseline_L, frame)
  away_L = jnp.asarray(frame.nu_L - NU_0, jnp.float32)
  error_L = setting.offset_cm + setting.stretch * away_L
  return moved(x_L, every_L, frame.points(error_L))[0] / unit


def noisy(key: jax.Array, observed_L: jax.Array, setting: Setting, frame: Frame) -> jax.Array:
  """What the detector says of a spectrum that `observe` gave: [L], also below zero."""
  unit = ABSORBANCE if frame.kind == 'absorbance' else 1.0
  x_L, every_L = observed_L * unit, np.ones(len(frame.axis_L), bool)
  share_L = jnp.maximum(signal(x_L, frame) / level(x_L, every_L, frame), 0.0)
  lit_L = share_L > 0
  counted_L = setting.shot**2 * jnp.where(lit_L, share_L, 0.0)
  deviation_L = jnp.sqrt(jnp.maximum(setting.read**2 + counted_L, 1e-30))
  change_L = deviation_L * level(x_L, every_L, frame) * jax.random.normal(key, x_L.shape)
  return add_to_signal(x_L, jnp.where(setting.fwhm_cm > 0, change_L, 0.0), frame) / unit


def measured(key: jax.Array, values_L: jax.Array, setting: Setting, frame: Frame) -> jax.Array:
  """One computed spectrum as it comes from an instrument on some day: [L]."""
  key_day, key_noise = jax.random.split(key)
  today = occasion(key_day, setting)
  return noisy(key_noise, observe(values_L, today, frame), today, frame)


def _window(kind: str, fwhm_cm: float, frame: Frame) -> np.ndarray:
  """[L] transform of a line shape of this width, or of the narrowest that the axis shows."""
  step, points = frame.even_step('cm^-1'), len(frame.axis_L)
  delta_L = np.arange(points) / (2 * points * step)
  if kind == 'raman':
    return np.exp(-((np.pi * fwhm_cm * delta_L) ** 2) / (4 * np.log(2)))
  maximum_cm = min(instrument.fwhm(1.0, APODISATION) / fwhm_cm, 0.5 / step)
  return instrument.window(delta_L, maximum_cm, APODISATION)


def _shape(kind: str, decay_Ix1: np.ndarray, frame: Frame) -> np.ndarray:
  """[I, L] baseline of height 1."""
  if kind == 'raman':
    return np.exp(-(frame.nu_L - frame.nu_L.min()) / decay_Ix1)
  return (frame.nu_L / 4000.0) ** decay_Ix1


# ---- the data set -----------------------------------------------------------

there = computed.there  # the same line lists


def load(
  axis: np.ndarray,
  rows: slice = computed.ALL,
  *,
  path: str = '',
  kinds: tuple[str, ...] = ('ir', 'raman'),
  fwhm_cm: float = 16.0,
  held_out: bool = False,
  seed: int = 0,
) -> Mapping[str, Spectra]:
  """Every molecule measured once a kind, on instruments dealt to the molecules in turn.

  Args:
    axis: [L] even wavenumbers [cm^-1].
    rows: of some molecules alone, with the values that they have among all.
    path: of a line-list file; '' is the one that ships.
    kinds: computed kinds, 'ir' and 'raman'; spectra are 'absorbance' and 'raman', with the column
      'instrument' in their meta.
    fwhm_cm: of the lines before any instrument.
    held_out: on the two instruments that nothing is to be trained on; else on the six others.
    seed: of days and noise.

  Raises:
    ValueError: an axis that is uneven or does not suit the line width; see also
      `computed.load_lines`.
  """
  check_resolution(axis, fwhm_cm)
  pure = computed.load(axis, rows, path=path, kinds=kinds, fwhm_cm=fwhm_cm)
  number_N = np.arange(len(computed.load_lines(path)))[rows]
  first, count = (1 + TRAINING, HELD_OUT) if held_out else (1, TRAINING)
  spectra = {}
  for kind in kinds:
    of_kind = pure[kind]
    instrument_N = first + number_N % count
    values = _measure_all(kind, of_kind, number_N, instrument_N, seed)
    meta = {**of_kind.meta, 'instrument': np.array(NAMES)[instrument_N]}
    about = (axis, 'cm^-1', KIND_OF[kind], 'measured', of_kind.mask, meta, of_kind.source)
    spectra[KIND_OF[kind]] = Spectra(values, *about)
  return spectra


def _measure_all(kind, spectra, number_N, instrument_N, seed) -> np.ndarray:
  """[N, L] float32 in INFO['units']."""
  frame, settings = frame_of(kind, spectra.axis), bench(kind, spectra.axis)
  start = jax.random.fold_in(jax.random.key(seed), list(RANGES).index(kind))

  @jax.jit
  def some(number_B, values_BxL, instrument_B):
    one = lambda number, values_L, i: measured(
      jax.random.fold_in(jax.random.fold_in(start, number), i), values_L, pick(settings, i), frame
    )
    return jax.vmap(one)(number_B, values_BxL, instrument_B)

  parts = []
  for begin in range(0, len(number_N), CHUNK):
    take = np.minimum(np.arange(begin, begin + CHUNK), len(number_N) - 1)
    parts.append(np.asarray(some(number_N[take], spectra.values[take], instrument_N[take])))
  unit = ABSORBANCE if kind == 'ir' else 1.0
  return unit * np.concatenate(parts)[: len(number_N)] if parts else spectra.values
