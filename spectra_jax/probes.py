"""What a latent says, asked by simple means: which instrument, how much of what, how many numbers.

A probe is fitted to some groups and asked about the others, in folds that keep groups (molecules of
one formula) whole, so that it cannot know an instrument by the molecule. Linear: ridge on
standardised features, of one-hot targets for classes; its strength is the best by generalised cross
validation (Golub, Heath & Wahba 1979, doi:10.1080/00401706.1979.10489751). Nonlinear: the same on
random Fourier features of them (Rahimi & Recht 2007), for what a linear one cannot see.
"""

import numpy as np

from spectra_jax import splits
from spectra_jax.forms import Terms

STRENGTHS = tuple(10.0 ** np.arange(-4.0, 3.1, 0.5))  # of ridges tried, over the number of rows
FOLDS = 5
SEED = 0  # of folds and random features
FOURIER = 512  # random features
ACTIVE = 0.01  # variance of the mean from which on a dimension counts


def active_units(mean_NxZ: np.ndarray) -> int:
  """Dimensions whose mean varies over the data: Var_x(E_q[z]) > 0.01 (Burda et al. 2016).

  arXiv:1509.00519, sec. 5.2. Of a collapsed latent it is 0: it says the same of every spectrum.
  """
  return int((np.var(np.float64(mean_NxZ), axis=0) > ACTIVE).sum())


def told_class(
  features_NxF: np.ndarray,
  label_N: np.ndarray,
  group_N: np.ndarray,
  classes: int,
  nonlinear: bool = False,
) -> Terms:
  """Accuracy of a probe that reads a class off the features: one hit or miss an example.

  Chance is 1 / classes where all are equally frequent.

  Args:
    features_NxF: latents, or spectra.
    label_N: integers below `classes`.
    group_N: who must be in one fold.
    classes: how many there are.
    nonlinear: look at random Fourier features.
  """
  target_NxC = np.eye(classes)[label_N]
  said_NxC = _held_out(features_NxF, target_NxC, group_N, nonlinear, features_NxF)
  hit_N = np.float64(said_NxC.argmax(1) == label_N)
  return Terms('ratio', np.stack([hit_N, np.ones_like(hit_N)]))


def told_numbers(
  features_NxF: np.ndarray,
  target_NxY: np.ndarray,
  group_N: np.ndarray,
  asked_NxF: np.ndarray | None = None,
) -> Terms:
  """Error of a linear probe of several numbers: root mean square of e / sd over all of them.

  0 = read off exactly, 1 = no better than the mean. A number that does not vary is left out.

  Args:
    features_NxF: that the probe is fitted to.
    target_NxY: the numbers.
    group_N: who must be in one fold.
    asked_NxF: features of the same rows that it is asked about; None = those it is fitted to.

  Raises:
    ValueError: none of them varies.
  """
  target_NxY = np.float64(target_NxY)
  target_NxY = target_NxY[:, target_NxY.std(0) > 0]
  if not target_NxY.shape[1]:
    raise ValueError('no property varies over these rows, expected one that does; take more rows')
  standard_NxY = (target_NxY - target_NxY.mean(0)) / target_NxY.std(0)
  asked_NxF = features_NxF if asked_NxF is None else asked_NxF
  said_NxY = _held_out(features_NxF, standard_NxY, group_N, False, asked_NxF)
  error_NxY = said_NxY - standard_NxY
  count_N = np.full(len(error_NxY), float(error_NxY.shape[1]))
  return Terms('root_ratio', np.stack([(error_NxY**2).sum(1), count_N]))


def _held_out(features_NxF, target_NxY, group_N, nonlinear, asked_NxF) -> np.ndarray:
  """[N, Y] predictions of each fold from the others."""
  features_NxF, asked_NxF = np.float64(features_NxF), np.float64(asked_NxF)
  found = np.zeros(np.shape(target_NxY))
  for fold in splits.folds(np.asarray(group_N), FOLDS, SEED):
    others = np.setdiff1d(np.arange(len(found)), fold)
    if len(fold) and len(others):
      found[fold] = _ridge(features_NxF[others], target_NxY[others], asked_NxF[fold], nonlinear)
  return found


def _ridge(train_NxF, target_NxY, test_MxF, nonlinear) -> np.ndarray:
  """[M, Y]; standardised by the training rows, strength by generalised cross-validation."""
  centre_F, spread_F = train_NxF.mean(0), train_NxF.std(0)
  scale = lambda x: (x - centre_F) / np.where(spread_F > 1e-9, spread_F, np.inf)
  train_NxF, test_MxF = scale(train_NxF), scale(test_MxF)
  if nonlinear:
    train_NxF, test_MxF = (_fourier(x) for x in (train_NxF, test_MxF))
  rows, mean_F, mean_Y = len(train_NxF), train_NxF.mean(0), target_NxY.mean(0)
  u_NxR, s_R, v_RxF = np.linalg.svd(train_NxF - mean_F, full_matrices=False)
  along_RxY = u_NxR.T @ (target_NxY - mean_Y)
  beside = ((target_NxY - mean_Y) ** 2).sum() - (along_RxY**2).sum()

  def shrunk(strength):
    return s_R**2 / (s_R**2 + strength * rows)

  def validated(strength):
    kept_R = shrunk(strength)
    error = (((1 - kept_R)[:, None] * along_RxY) ** 2).sum() + beside
    return error / (1 - (1 + kept_R.sum()) / rows) ** 2 if 1 + kept_R.sum() < rows else np.inf

  kept_R = shrunk(min(STRENGTHS, key=validated))
  weights_FxY = v_RxF.T @ ((kept_R / np.maximum(s_R, 1e-12))[:, None] * along_RxY)
  return (test_MxF - mean_F) @ weights_FxY + mean_Y


def _fourier(x_NxF: np.ndarray) -> np.ndarray:
  """[N, FOURIER] cosines whose products are exp(-|x - y|^2 / 2 F) on average, besides x itself."""
  rng = np.random.default_rng(SEED)
  turn_FxR = rng.normal(size=(x_NxF.shape[1], FOURIER)) / np.sqrt(x_NxF.shape[1])
  phase_R = rng.uniform(0, 2 * np.pi, FOURIER)
  return np.concatenate([x_NxF, np.cos(x_NxF @ turn_FxR + phase_R)], 1)
