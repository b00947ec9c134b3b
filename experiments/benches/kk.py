"""The Kramers-Kronig transform of a window against what others do: error, time, and its bound.

On an even axis up to 4000 cm^-1 whose first sample is a whole number of steps from zero (which the
FFT of the odd extension needs; ours does not), against the exact windowed transform in closed form,
at all points but the two ends, relative to max |chi|:

  errors             of every method for one Lorentz line (FWHM 20 at 1700), five bands, water-like
                     bands that reach over both edges; error_f64, error_f32: ours, the worst.
  ms_..              of --spectra in float32. The quadratures are timed as one matrix product, the
                     fastest way to apply them; gradients are those of the mean square.
  growth             fastest ms at each L for 4 spectra; its exponent over the upper half of L.
  bound_violations   points of --media media (`experiments.random_media`) outside the interval of
                     `kramers_kronig_bound`, float32, without and with tails.
  bound_median_slack median of bound / error over their points, without tails.

--figures=docs draws the errors against width and distance from the edge, and the growth.
"""

import functools
import pathlib

import jax
import numpy as np
from absl import flags

from experiments import kramers_kronig_methods as methods
from experiments import random_media, timing
from spectra_jax import figures
from spectra_jax.physics import kramers_kronig as kk
from spectra_jax.physics import kramers_kronig_bound as kb

_SPECTRA = flags.DEFINE_list('spectra', ['256', '2048'], 'spectra and points of what is timed')
_MEDIA = flags.DEFINE_integer('media', 1000, 'random media under the bound', lower_bound=1)
_GROWTH = flags.DEFINE_list('growth', [str(2**p) for p in range(9, 18)], 'points of the growth')
_FIGURES = flags.DEFINE_string('figures', '', "folder of the figures; '' = none")

HIGH, ZERO_TO_FIRST = 4000.0, 1 / 7  # cm^-1; steps below the window over steps in it
PADS = (2, 4, 8)
SAMPLES = {  # static strength, centre, FWHM [cm^-1]
  'one_line': [(0.01, 1700, 20)],
  'five_bands': [
    (0.004, 1050, 24),
    (0.003, 1250, 20),
    (0.002, 1460, 22),
    (0.006, 1700, 26),
    (0.008, 2950, 36),
  ],
  'water_like': [(0.35, 600, 250), (0.018, 1640, 85), (0.002, 2130, 220), (0.07, 3400, 330)],
}
_WIDTHS = np.geomspace(0.25, 10, 17)  # HWHM / h
_DISTANCES = np.array([-40, -20, -10, -4, -1, 0, 1, 4, 10, 20, 40, 80, 160, 320])  # steps inside


def axis(points: int) -> tuple[int, np.ndarray]:
  """(first, nu [L]): nu_i = (first + i) h up to `HIGH`."""
  first = round(ZERO_TO_FIRST * points)
  return first, (first + np.arange(points)) * (HIGH / (first + points - 1))


def transforms(points: int) -> dict:
  """{name: function of k [..., L]}; matrices only up to 4096 points."""
  first, nu_L = axis(points)
  plan = kk.plan(nu_L, tails='none')
  made = {'ours': functools.partial(kk.transform, plan), 'hilbert': methods.hilbert}
  for pad in PADS:
    made[f'fft_pad{pad}'] = functools.partial(methods.odd_extension, first=first, pad=pad)
  if points <= 4096:
    for name, matrix in methods.MATRICES.items():
      made[name] = functools.partial(_product, matrix(nu_L))
  return made


def _product(matrix_LxL, k_BxL):
  return k_BxL @ jax.numpy.asarray(matrix_LxL, k_BxL.dtype)


def _errors(made, nu_L, media):
  """{method: largest error [media]} and that of ours in float32, relative to max |chi|."""
  chi_BxL = np.array([random_media.susceptibility(nu_L, medium) for medium in media])
  exact_BxL = np.array([random_media.window(nu_L, medium) for medium in media])
  scale_B = np.abs(chi_BxL).max(-1)

  def worst(function, dtype):
    with jax.enable_x64(True):
      found_BxL = np.asarray(jax.jit(function)(chi_BxL.imag.astype(dtype)), np.float64)
    return np.abs(found_BxL - exact_BxL)[:, 1:-1].max(-1) / scale_B

  errors = {name: worst(function, np.float64) for name, function in made.items()}
  return errors | {'ours_float32': worst(made['ours'], np.float32)}


def _samples(points):
  """{sample: {method: error}}."""
  media = [random_media.Medium(*np.array(lines, float).T) for lines in SAMPLES.values()]
  errors = _errors(transforms(points), axis(points)[1], media)
  return {
    sample: {name: float(error_B[i]) for name, error_B in errors.items()}
    for i, sample in enumerate(SAMPLES)
  }


# ---- time -------------------------------------------------------------------


def _spectra(batch, points):
  """Random media, float32."""
  rng, nu_L = np.random.default_rng(0), axis(points)[1]
  media = [random_media.draw(rng, nu_L[0], HIGH, 10.0) for _ in range(min(batch, 8))]
  few_BxL = np.array([random_media.susceptibility(nu_L, medium).imag for medium in media])
  return np.resize(few_BxL, (batch, points)).astype(np.float32)


def _gradient(function):
  return jax.grad(lambda k_BxL: (function(k_BxL) ** 2).mean())


def _timed(batch, points):
  """Forward of all methods and gradients of ours and the longest FFT, interleaved."""
  made, k_BxL = transforms(points), jax.device_put(_spectra(batch, points))
  functions = {f'forward_{name}': (function, (k_BxL,)) for name, function in made.items()}
  for name in ('ours', f'fft_pad{PADS[-1]}'):
    functions[f'gradient_{name}'] = (_gradient(made[name]), (k_BxL,))
  return timing.interleaved(functions, timing.ROUNDS.value)


def _growth():
  """{points: {method: the fastest ms}} of four spectra."""
  found = {}
  for points in map(int, _GROWTH.value):
    k_BxL = jax.device_put(_spectra(4, points))
    functions = {name: (function, (k_BxL,)) for name, function in transforms(points).items()}
    rows = timing.interleaved(functions, timing.ROUNDS.value)
    found[points] = {name: row['ms_min'] for name, row in rows.items()}
  return found


def _exponent(growth):
  """d log(ms) / d log(points) of ours over the upper half of the lengths."""
  lengths = sorted(growth)[len(growth) // 2 :]
  ms = [growth[points]['ours'] for points in lengths]
  return float(np.polyfit(np.log(lengths), np.log(ms), 1)[0]) if len(lengths) > 1 else None


# ---- bound ------------------------------------------------------------------


def coverage(media: int, tails: str, points: int = 1024) -> tuple[int, float]:
  """(points outside the interval, median of bound / error) in float32 on 500-4000 cm^-1."""
  nu_L, rng = np.linspace(500, HIGH, points), np.random.default_rng(0)
  hwhm_min, plan = 6 * (nu_L[1] - nu_L[0]), kk.plan(nu_L, tails=tails)
  violations, slack = 0, []
  for _ in range(media):
    medium = random_media.draw(rng, 500, HIGH, hwhm_min)
    chi_L = random_media.susceptibility(nu_L, medium)
    k_L = chi_L.imag.astype(np.float32)
    error_L = chi_L.real - np.asarray(kk.transform(plan, k_L), np.float64)
    told = random_media.assumptions(medium, 500, HIGH, hwhm_min, 3.0)
    lower_L, upper_L = kb.interval(plan, k_L, **told)
    inside_L = (lower_L <= error_L) & (error_L <= upper_L)
    bound_L = np.maximum(-lower_L, upper_L)
    violations += int((~(inside_L & np.isfinite(bound_L)))[1:-1].sum())
    slack.append((bound_L / np.abs(error_L))[1:-1])
  return violations, float(np.median(slack))


# ---- figures ----------------------------------------------------------------


def _lines_of(hwhm_B, centre_B):
  return [
    random_media.Medium(*np.array([[2 * w / c], [c], [2 * w]]))
    for w, c in zip(hwhm_B, centre_B, strict=True)
  ]


def _bound(nu_L, media, hwhm_B):
  """The largest bound on the quadrature of each medium of one line, relative to max |chi|."""
  plan, found = kk.plan(nu_L, tails='none'), []
  for medium, hwhm in zip(media, hwhm_B, strict=True):
    chi_L = random_media.susceptibility(nu_L, medium)
    told = random_media.assumptions(medium, nu_L[0], nu_L[-1], hwhm, 3.0)
    beyond = (told['low_max'], told['high_max'], told['high_power'])
    allowed_L = kb.quadrature(plan, chi_L.imag, hwhm, *beyond) + kb.rounding(chi_L.imag, float)
    found.append(allowed_L[1:-1].max() / np.abs(chi_L).max())
  return np.array(found)


def width_errors(points: int = 1024) -> dict:
  """{method: error at each of `_WIDTHS`}, the worst of a line on a sample and between two."""
  _, nu_L = axis(points)
  step, middle = nu_L[1] - nu_L[0], nu_L[points // 2]
  at = [_lines_of(_WIDTHS * step, np.full(len(_WIDTHS), middle + s * step)) for s in (0, 0.25, 0.5)]
  made = transforms(points)
  bound = lambda media: {'bound': _bound(nu_L, media, _WIDTHS * step)}
  each = [_errors(made, nu_L, media) | bound(media) for media in at]
  return {name: np.max([errors[name] for errors in each], axis=0) for name in each[0]}


def edge_errors(points: int = 1024, hwhm_steps: float = 6.0) -> dict:
  """{method: error at each of `_DISTANCES` of the line from the lower edge}."""
  _, nu_L = axis(points)
  step = nu_L[1] - nu_L[0]
  hwhm_B = np.full(len(_DISTANCES), hwhm_steps * step)
  media = _lines_of(hwhm_B, nu_L[0] + _DISTANCES * step)
  return _errors(transforms(points), nu_L, media) | {'bound': _bound(nu_L, media, hwhm_B)}


def _draw(folder, growth):
  error = 'Largest error / max |χ|'
  laws = {'2 exp(-π HWHM / h)': (_WIDTHS, 2 * np.exp(-np.pi * _WIDTHS))}
  along = lambda x, found: {name: (x, y) for name, y in found.items()}
  x = 'Half width of the line over the step, HWHM / h'
  figure = figures.transforms(along(_WIDTHS, width_errors()), laws, (x, error), 'log')
  figure.savefig(folder / 'kk_error_width.png', dpi=120)
  x = 'Centre of a line of HWHM 6 h, in steps h from the lower edge'
  figure = figures.transforms(along(_DISTANCES, edge_errors()), {}, (x, error), 'symlog')
  figure.savefig(folder / 'kk_error_edge.png', dpi=120)
  times = {
    name: [(points, row[name]) for points, row in growth.items() if name in row]
    for name in ('fft_pad8', 'maclaurin', 'ours')
  }
  times = {name: tuple(zip(*pairs, strict=True)) for name, pairs in times.items()}
  longest = max(growth)
  laws = {'proportional to N log N': _n_log_n(sorted(growth), growth[longest]['ours'])}
  labels = ('Points of the spectrum, N', 'Time of 4 spectra (ms)')
  figures.transforms(times, laws, labels, 'log').savefig(folder / 'kk_growth.png', dpi=120)


def _n_log_n(lengths, last_ms):
  work = np.array(lengths) * np.log(lengths)
  return lengths, last_ms * work / work[-1]


# ---- result -----------------------------------------------------------------


def run() -> dict:
  """Errors, times, growth and the coverage of the bound."""
  batch, points = map(int, _SPECTRA.value)
  samples, growth = _samples(points), _growth()
  measured = _timed(batch, points)
  over = lambda name: timing.ratio(measured, f'forward_{name}', 'forward_ours')
  counted = {tails: coverage(_MEDIA.value, tails) for tails in ('none', 'power_law')}
  if _FIGURES.value:
    _draw(pathlib.Path(_FIGURES.value), growth)
  return {
    'case': f'{batch}x{points},media={_MEDIA.value}',
    'rounds': timing.ROUNDS.value,
    'error_f64': max(row['ours'] for row in samples.values()),
    'error_f32': max(row['ours_float32'] for row in samples.values()),
    f'ms_{batch}x{points}': measured['forward_ours']['ms'],
    'ms_gradient': measured['gradient_ours']['ms'],
    **{f'ratio_over_{name}': over(name) for name in transforms(points) if name != 'ours'},
    'ratio_of_minima_over_fft_pad8': timing.ratio(
      measured, 'forward_fft_pad8', 'forward_ours', 'ms_min'
    ),
    'growth_exponent': _exponent(growth),
    'bound_violations': sum(violations for violations, _ in counted.values()),
    'bound_median_slack': counted['none'][1],
    'bound_median_slack_tails': counted['power_law'][1],
    'errors': samples,
    'growth': growth,
    'measured': measured,
  }


def lines(result: dict) -> list[str]:
  """The result as tables."""
  heads = list(result['errors'])
  row = lambda name: ''.join(f'{result["errors"][head][name]:12.1e}' for head in heads)
  found = [f'Kramers-Kronig, {result["case"]}, on {result["device"]}; largest errors']
  found += [f'{"":18}' + ''.join(f'{head:>12}' for head in heads)]
  found += [f'{name:18}{row(name)}' for name in result['errors'][heads[0]]]
  keys = [key for key, value in result.items() if isinstance(value, float)]
  found += [*timing.table(result['measured']), *(f'{key:26} {result[key]:.3g}' for key in keys)]
  return [*found, f'{"bound_violations":26} {result["bound_violations"]}']
