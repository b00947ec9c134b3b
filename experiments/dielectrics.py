"""Causal susceptibilities in closed form, in float64 numpy: what the physics is tested against.

Convention e^{-i w t}, wavenumbers in cm^-1, all dimensionless: chi = Re chi + i Im chi with Im chi
>= 0 for nu > 0, and Re chi(nu) = (2/pi) P int_0^inf x Im chi(x) / (x^2 - nu^2) dx exactly.
"""

import numpy as np
from scipy.special import dawsn, wofz


def lorentz(nu, f, nu0, gamma):
  """f nu0^2 / (nu0^2 - nu^2 - i gamma nu); f = static value, gamma = FWHM [cm^-1]."""
  return f * nu0**2 / ((nu0 - nu) * (nu0 + nu) - 1j * gamma * nu)


def lorentz_window(nu, f, nu0, gamma, a, b, length=1.0):
  """(2/pi) P int_a^b x Im chi(x) / (x^2 - nu^2) dx of that line, at any real nu.

  Where nu is an end point, which diverges, Hadamard's finite part: |end - nu| counts as `length`
  [cm^-1].
  """
  over = lambda v: _cauchy(np.asarray(v, np.float64), f, nu0, gamma, a, b, length)
  return (over(nu) + over(-nu)).imag / np.pi


def lorentz_window_inverse(nu, f, nu0, gamma, a, b, length=1.0):
  """-(2 nu/pi) P int_a^b Re chi(x) / (x^2 - nu^2) dx of that line, ends as above."""
  over = lambda v: _cauchy(np.asarray(v, np.float64), f, nu0, gamma, a, b, length)
  return (over(-nu) - over(nu)).real / np.pi


def _cauchy(v, f, nu0, gamma, a, b, length):
  """P int_a^b chi(x) / (x - v) dx = sum_q r_q (ln((b-q)/(a-q)) - ln|(b-v)/(a-v)|) / (q - v).

  chi(x) = sum_q r_q / (x - q), with poles q = -i gamma/2 +- sqrt(nu0^2 - gamma^2/4) [not equal].
  """
  root = np.sqrt(complex((nu0 - gamma / 2) * (nu0 + gamma / 2)))
  distance = lambda end: np.log(np.where(end == v, length, np.abs(end - v)))
  total = 0.0
  for q, residue in ((root - 0.5j * gamma, -1), (-root - 0.5j * gamma, 1)):
    logs = np.log(b - q) - np.log(a - q) - (distance(b) - distance(a))
    total = total + residue * f * nu0**2 / (2 * root) * logs / (q - v)
  return total


def gaussian(nu, A, nu0, sigma):
  """i A [w(z-) - w(z+)], z-+ = (nu -+ nu0) / (sqrt2 sigma): Gauss and Dawson; A = height."""
  minus, plus = (nu - nu0) / (np.sqrt(2) * sigma), (nu + nu0) / (np.sqrt(2) * sigma)
  absorbed = np.exp(-(minus**2)) - np.exp(-(plus**2))
  return A * (2 / np.sqrt(np.pi) * (dawsn(plus) - dawsn(minus)) + 1j * absorbed)


def voigt(nu, A, nu0, sigma, hwhm):
  """i A [w(z-) - w(z+)], z-+ = (nu -+ nu0 + i hwhm) / (sqrt2 sigma): a Gauss of Lorentz lines."""
  width = np.sqrt(2) * sigma
  return 1j * A * (wofz((nu - nu0 + 1j * hwhm) / width) - wofz((nu + nu0 + 1j * hwhm) / width))
