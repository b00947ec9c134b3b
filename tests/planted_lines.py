"""Five Lorentzian lines whose spectrum and interferogram are known in closed form."""

import numpy as np

AXIS = 400 + 1.8 * np.arange(2000)
CENTRE = np.array([800.0, 1100.0, 1130.0, 1700.0, 2900.0])  # two of them overlap
GAMMA = np.array([8.0, 12.0, 16.0, 20.0, 30.0])
AREA = np.array([1.0, 2.0, 1.5, 3.0, 2.0])


def lorentzians(centre, gamma, area, nu_L):
  half = gamma / 2
  return (area / np.pi * half / ((nu_L[:, None] - centre) ** 2 + half**2)).sum(-1)


def mirrored(centre, gamma, area, nu_L):
  """Unit lines and all their images in both edges of the window: tails that are not cut off.

  The wrapped Cauchy density: sum_n exp(-s |n|) cos(n x) = sinh s / (cosh s - cos x).
  """
  width = len(nu_L) * (nu_L[1] - nu_L[0])
  place = lambda nu: np.pi * (nu - nu_L[0] + 0.5 * (nu_L[1] - nu_L[0])) / width
  s, x, m = np.pi * gamma / (2 * width), place(nu_L)[:, None], place(centre)
  wrapped = lambda x: np.sinh(s) / (np.cosh(s) - np.cos(x)) / (2 * width)
  return (area * (wrapped(x - m) + wrapped(x + m))).sum(-1)
