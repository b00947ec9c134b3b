"""One example or more for each file in spectra_jax/losses: what breaks its law and what obeys it.

`tests/test_contracts.py` tries all of them: a file without an example here fails there. The key is
the name of the file, for its other functions with a slash behind it. Arrays have one row for each
of three examples; gradients are taken with respect to the first of them.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from experiments import dielectrics
from spectra_jax.losses.adversary import adversary
from spectra_jax.losses.baseline_smoothness import baseline_smoothness
from spectra_jax.losses.beer_lambert import beer_lambert
from spectra_jax.losses.contrastive import contrastive
from spectra_jax.losses.cross_entropy import cross_entropy
from spectra_jax.losses.denoising import denoising
from spectra_jax.losses.force_constant import force_constant, product_rule
from spectra_jax.losses.info_nce import info_nce
from spectra_jax.losses.information_bottleneck import information_bottleneck
from spectra_jax.losses.kramers_kronig import kramers_kronig
from spectra_jax.losses.masked_mse import masked_mse
from spectra_jax.losses.non_negativity import non_negativity
from spectra_jax.losses.passivity import passivity
from spectra_jax.losses.selection_rules import selection_rules
from spectra_jax.losses.sinkhorn import sinkhorn
from spectra_jax.losses.sum_rules import molecule, sum_rules, upper_bound
from spectra_jax.losses.swap_consistency import swap_consistency
from spectra_jax.losses.view_consistency import view_consistency
from spectra_jax.physics import kramers_kronig as transforms

AXIS = np.linspace(500.0, 2000.0, 128)  # cm^-1
ROWS = np.array([[1.0], [2.0], [0.5]])
RNG = np.random.default_rng(0)


@dataclasses.dataclass(frozen=True)
class Example:
  """A loss, arguments that break its law and that obey it, and which of them are intensities.

  Attributes:
    loss: of the arrays, everything else bound.
    violated, satisfied: arrays [3, ...].
    strong: which of the arrays are intensities, or what scales with them.
    degree: of the loss in the intensity: 0 for a law, which is dimensionless.
    strong_loss: the loss at ten times the scale, if a bound argument carries the scale.
    alone: an example's loss depends on that example alone, and on no other of the batch.
  """

  loss: Callable
  violated: tuple[np.ndarray, ...]
  satisfied: tuple[np.ndarray, ...]
  strong: tuple[int, ...]
  degree: int = 0
  strong_loss: Callable | None = None
  alone: bool = True

  def tenfold(self) -> tuple[np.ndarray, ...]:
    return tuple(a * 10 if i in self.strong else a for i, a in enumerate(self.violated))


def bands(heights=ROWS):
  """[3, L] positive bands at 900 and 1500 cm^-1."""
  shape = lambda nu0: 1 / (1 + ((AXIS - nu0) / 60) ** 2)
  return heights * shape(900.0) + heights[::-1] * shape(1500.0)


def refraction():
  """(n, k) of one Lorentz line each, n of what is absorbed in the window and far from it."""
  lines = [(0.01, 900.0, 80.0), (0.02, 1200.0, 60.0), (0.005, 1500.0, 120.0)]
  k = np.stack([dielectrics.lorentz(AXIS, *line).imag for line in lines])
  n = np.stack([dielectrics.lorentz_window(AXIS, *line, AXIS[0], AXIS[-1]) for line in lines])
  return 1.4 + n - 0.02 * (500 / AXIS) ** 2 + 0.01 * (AXIS / 2000) ** 2, k


def single(**options):
  return {'state': 'measured', **options}


def _kramers_kronig():
  plan = transforms.plan(AXIS, tails='none')
  options = {'edge': 0.02, 'floor': 1e-10, 'tolerance': 0.02, 'kinds': ('n', 'k')}
  n, k = refraction()
  loss = functools.partial(kramers_kronig, plan, **single(**options))
  return Example(loss, (2 * n.mean(-1, keepdims=True) - n, k), (n, k), strong=(0, 1))


def _beer_lambert():
  pure = np.abs(RNG.normal(size=(3, 4, 16)))
  amount = RNG.uniform(0.2, 1.0, (3, 4))
  mixture = np.einsum('bc,bcl->bl', amount, pure)
  loss = functools.partial(beer_lambert, **single(tolerance=1e-3, kind='absorbance'))
  return Example(loss, (1.1 * mixture + 0.1, pure, amount), (mixture, pure, amount), strong=(0, 1))


def _selection_rules():
  g, u = np.tile([1.0, 0.0], (3, 4)), np.tile([0.0, 2.0], (3, 4))
  both = ROWS * RNG.uniform(0.5, 1.0, (3, 8))
  centre = np.array([True, True, False])
  loss = functools.partial(selection_rules, **single(kinds=('ir', 'raman')))
  free = np.where(centre[:, None], u, both)
  return Example(loss, (both, both + g, centre | True), (free, ROWS * g, centre), strong=(0, 1))


def _cross_entropy():
  weight_C = np.array([0.5, 1.0, 2.0, 1.5])
  loss = functools.partial(cross_entropy, weight_C=weight_C, smoothing=0.0)
  target = np.eye(4)[[2, 0, 3]]
  return Example(loss, (RNG.normal(size=(3, 4)), target), (1000.0 * target, target), strong=())


def _upper_bound():
  k = bands(0.1 * ROWS)
  total = 4 / np.pi * np.trapezoid(AXIS * k, AXIS)
  loss = functools.partial(upper_bound, AXIS, **single(kind='k'))
  return Example(loss, (k, 0.7 * total), (k, 1.1 * total), strong=(0, 1))


def _molecule():
  intensity, rotational = RNG.uniform(0, 100, (3, 6)), np.array([3.0, 0.0, 10.0])
  total = intensity.sum(-1) + rotational
  options = {'tolerance': 1e-4, 'kind': 'ir', 'state': 'computed'}
  loss = functools.partial(molecule, **options)
  wrong = (1.2 * intensity, rotational, total)
  return Example(loss, wrong, (intensity, rotational, total), strong=(0, 1, 2))


def _isotopes(law):
  nu, ratio = RNG.uniform(500, 3000, (3, 4)), RNG.uniform(0.5, 0.9, (3, 4))
  right = nu * np.sqrt(ratio)
  ratio = np.sqrt(ratio.prod(-1)) if law is product_rule else ratio
  loss = functools.partial(law, **single(tolerance=1e-3, kind='wavenumber'))
  return Example(loss, (nu * ROWS**0.1 * 1.02, right, ratio), (nu, right, ratio), strong=(0, 1))


def _contrastive():
  views = np.stack([np.eye(3), np.roll(np.eye(3), 1, 0)], 1) + 0.1 * RNG.normal(size=(3, 2, 3))
  right = np.eye(3)[:, None] + np.zeros((3, 2, 3))
  label = np.arange(3)[:, None] + np.zeros((3, 2), int)
  loss = functools.partial(contrastive, temperature=0.005)
  return Example(loss, (views, label), (right, label), strong=(0,), alone=False)


def _info_nce():
  rng = np.random.default_rng(3)
  query, weight = 0.3 * rng.normal(size=(3, 4)), np.ones((3, 4))
  points = 0.3 * rng.normal(size=(3, 2, 4))
  label = np.arange(6).reshape(2, 3).T
  right = 1000.0 * np.stack([np.eye(3, 4), -np.eye(3, 4)], 1)
  arrays = lambda query, points: (query, weight, points, label)
  return Example(info_nce, arrays(query, points), arrays(right[:, 0], right), (), alone=False)


def _adversary():
  target = np.eye(4)[[2, 0, 3]]
  wrong, right = RNG.normal(size=(3, 4)), 1000.0 * target
  return Example(adversary, (wrong, target), (right, target), strong=())


def _information_bottleneck():
  wrong, right = RNG.normal(size=(2, 3, 5)), np.zeros((2, 3, 5))
  loss = functools.partial(information_bottleneck, free=0.0)
  return Example(loss, tuple(wrong), tuple(right), strong=())


def _view_consistency():
  mean, log_variance, other, other_log_variance = RNG.normal(size=(4, 3, 5))
  wrong, right = (other, other_log_variance), (mean, log_variance)
  return Example(view_consistency, (*right, *wrong), (*right, *right), strong=())


def _sinkhorn():
  x, y = RNG.normal(size=(2, 3, 4))
  loss = functools.partial(sinkhorn, blur=0.5, iterations=20)
  return Example(loss, (x, y + 3.0), (x, x), strong=(0, 1), degree=2, alone=False)


def examples() -> dict[str, Example]:
  waves = np.sin(AXIS / 20 + np.arange(3)[:, None])
  hidden = RNG.uniform(800, 1600, (3, 1)) > AXIS
  percent = functools.partial(passivity, **single(kinds=('transmittance', 'reflectance')))
  strength = functools.partial(sum_rules, AXIS, **single(start=0.01, kind='absorbance'))
  straight = ROWS + ROWS * AXIS / 1000
  return {
    'masked_mse': Example(
      masked_mse, (waves, bands(), hidden), (bands(), bands(), hidden), strong=(0, 1), degree=2
    ),
    'denoising': Example(
      denoising, (waves, bands(), hidden), (bands(), bands(), hidden), strong=(0, 1), degree=2
    ),
    'swap_consistency': Example(swap_consistency, (waves, bands()), (bands(),) * 2, strong=(0, 1)),
    'contrastive': _contrastive(),
    'info_nce': _info_nce(),
    'adversary': _adversary(),
    'information_bottleneck': _information_bottleneck(),
    'view_consistency': _view_consistency(),
    'sinkhorn': _sinkhorn(),
    'non_negativity': Example(
      functools.partial(non_negativity, **single(kind='absorbance')),
      (ROWS * waves + 0.2,),
      (bands() * (bands() > 0.3),),
      strong=(0,),
    ),
    'passivity': Example(
      functools.partial(percent, full_scale=1.0),
      (0.6 + 0.7 * waves, 0.1 * bands() / bands().max()),
      (np.clip(waves, 0, 1), 0 * waves),
      strong=(0, 1),
      strong_loss=functools.partial(percent, full_scale=10.0),
    ),
    'baseline_smoothness': Example(
      functools.partial(baseline_smoothness, AXIS, **single(width_cm=150.0, kind='baseline')),
      (straight + ROWS * waves,),
      (straight + ROWS * np.cos(AXIS / 300),),
      strong=(0,),
    ),
    'cross_entropy': _cross_entropy(),
    'sum_rules': Example(strength, (1.3 * bands() + 0.01, bands()), (bands(),) * 2, strong=(0, 1)),
    'sum_rules/upper_bound': _upper_bound(),
    'sum_rules/molecule': _molecule(),
    'kramers_kronig': _kramers_kronig(),
    'beer_lambert': _beer_lambert(),
    'selection_rules': _selection_rules(),
    'force_constant': _isotopes(force_constant),
    'force_constant/product_rule': _isotopes(product_rule),
  }
