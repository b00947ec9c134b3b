"""How far chemistry and instrument are apart in a latent: probes, swaps, and units that are used.

Scores of one kind of spectrum stand at KIND.SCORE.METHOD of a report:

  instrument_chem       share of spectra whose instrument a linear probe tells from z_chem: chance
  ..._nonlinear         the same of a nonlinear probe
  ..._sampled           of a linear probe of samples of q(z_chem | spectrum), whose noise the mean
                        does not have: what is left for those who read the latent as training does
  ..._erased            of probes of the mean without what a linear reader of training molecules
  ..._erased_nonlinear  is told (spectra_jax/erasure.py)
  instrument_inst       from z_inst: 1
  properties            error of what a linear probe of z_chem says of atoms, over their deviation,
                        beside the same probe of the spectrum itself
  ..._erased, _sampled  the same of these latents
  properties_new        its error by spectra of an instrument that nothing was trained on, fitted on
                        those of training instruments
  swap                  z_chem of a molecule, z_inst of another one's spectrum: squared error, over
                        that of the mean spectrum; beside it what no swap at all leaves (identity)
  transfer              error of a spectrum moved to the reference instrument by the operator,
                        likewise, beside what is left where it stays as it is (identity)
  cross                 error of the other kind of spectrum, over that of its mean, from the view of
                        the protocol (bands hidden); under the kind that is predicted
  physics               error of what a medium with these n and k absorbs, from the same view, over
                        that of the mean spectrum
  decoded               error of the spectrum out of its latents, likewise
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from spectra_jax import probes
from spectra_jax.datasets import instruments
from spectra_jax.forms import Terms
from spectra_jax.views import FIRST, NEW, PROTOCOL

LATENTS = ('chem', 'inst')


@dataclasses.dataclass(frozen=True, eq=False)
class Latents:
  """What a model says of one side and what is true of it: arrays [N, K, V, ...] on the host.

  Views are those of `spectra_jax/views.py`, the ones on training instruments last.

  Attributes:
    outputs: 'chem_mean', 'chem_log_variance', of z_inst likewise where there is one, 'chem_erased'
      where that was fitted; of spectra
      'decoded', 'cross' and 'physics', and of one view 'swapped' and 'transferred', where there
      are heads.
    targets: 'number' of the instruments, 'noisy', 'clean', and 'swapped' of one view.
    mean_KxL: training-set mean spectra.
    properties_NxY: what probes ask for.
    group_N: formulas.
    thorough: nonlinear probes too.
  """

  outputs: Mapping[str, np.ndarray]
  targets: Mapping[str, np.ndarray]
  mean_KxL: np.ndarray
  properties_NxY: np.ndarray
  group_N: np.ndarray
  thorough: bool


def terms(latents: Latents, kinds: Sequence[str]) -> dict[str, Terms]:
  """Place in the report -> its terms, of [K N] examples, kind after kind."""
  found = {}
  for k, kind in enumerate(kinds):
    for name, own in _of_kind(latents, k).items():
      found[f'{kind}.{name}'] = _placed(own, k, len(kinds))
  return found


def units(latents: Latents) -> dict[str, float]:
  """Active units of each latent, and how much each says [nats]."""
  found = {}
  for name in LATENTS:
    if f'{name}_mean' not in latents.outputs:
      continue
    mean, log_variance = (
      np.float64(latents.outputs[f'{name}_{part}'][:, :, FIRST])
      for part in ('mean', 'log_variance')
    )
    nats = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(-1)
    found[f'active_{name}'] = probes.active_units(mean.reshape(-1, mean.shape[-1]))
    found[f'nats_{name}'] = float(nats.mean())
  return found


def summary(found: Mapping[str, Terms], kinds: Sequence[str]) -> dict[str, float]:
  """Means over kinds, by short names, of those that validations log."""
  short = {
    'probe_chem': 'instrument_chem.model',
    'probe_inst': 'instrument_inst.model',
    'property_error': 'properties.model',
    'swap_error': 'swap.model',
  }
  there = {name: path for name, path in short.items() if f'{kinds[0]}.{path}' in found}
  numbers = {
    name: float(np.mean([found[f'{kind}.{path}'].value for kind in kinds]))
    for name, path in there.items()
  }
  if 'probe_inst' in numbers:
    numbers['probe_gap'] = numbers['probe_inst'] - numbers['probe_chem']
  return numbers


def table(report: Mapping[str, Mapping], kinds: Sequence[str]) -> list[list[str]]:
  """Rows of the terminal's table: score and method, then each kind's with its 95 % interval."""
  rows = []
  for score, methods in report[kinds[0]].items():
    if not (isinstance(methods, Mapping) and 'model' in methods and 'intervals' in methods):
      continue
    for method in (name for name in methods if name != 'intervals'):
      cell = lambda kind, score=score, method=method: '{:.3f} [{:.3f}, {:.3f}]'.format(
        report[kind][score][method], *report[kind][score]['intervals'][method]
      )
      rows.append([f'{score.replace("_", " ")}, {method}', *map(cell, kinds)])
  return rows


# ---- of one kind ------------------------------------------------------------


def _of_kind(latents: Latents, k: int) -> dict[str, Terms]:
  outputs = latents.outputs
  about = (latents.properties_NxY, latents.group_N)
  chem = lambda view: outputs['chem_mean'][:, k, view]
  found = {
    **_instrument(latents, k, 'chem'),
    **{
      f'properties{how}.model': probes.told_numbers(z[:, k, FIRST], *about)
      for how, z in _readings(latents, 'chem').items()
    },
    'properties_new.model': probes.told_numbers(chem(FIRST), *about, asked_NxF=chem(NEW)),
  }
  if latents.thorough:
    spectrum = latents.targets['noisy'][:, k, FIRST]
    found['properties.spectrum'] = probes.told_numbers(spectrum, *about)
  if 'inst_mean' in outputs:
    found |= _instrument(latents, k, 'inst')
  return found | _spectra(latents, k)


def _instrument(latents: Latents, k: int, name: str) -> dict[str, Terms]:
  """Of all views on training instruments, added up for each molecule."""
  number = latents.targets['number'][:, k, FIRST:] - 1
  molecules, views = number.shape
  group = np.repeat(latents.group_N, views)

  def told(features, nonlinear=False):
    flat = features[:, k, FIRST:].reshape(molecules * views, -1)
    about = (number.reshape(-1), group, instruments.TRAINING)
    parts = probes.told_class(flat, *about, nonlinear=nonlinear).parts_KxN
    return Terms('ratio', parts.reshape(2, molecules, views).sum(-1))

  read, views_N = _readings(latents, name), np.full(molecules, views)
  chance = Terms('ratio', np.stack([views_N / instruments.TRAINING, views_N]))
  found = {f'instrument_{name}.chance': chance}
  found |= {f'instrument_{name}{how}.model': told(z) for how, z in read.items()}
  if name == 'chem' and latents.thorough:
    curved = {how: told(z, nonlinear=True) for how, z in read.items() if how != '_sampled'}
    found |= {f'instrument_{name}{how}_nonlinear.model': terms for how, terms in curved.items()}
  return found


def _readings(latents: Latents, name: str) -> dict[str, np.ndarray]:
  """How a latent is read, '' being by its mean -> [N, K, V, Z]; of z_chem more where thorough."""
  mean = latents.outputs[f'{name}_mean']
  if name != 'chem' or not latents.thorough:
    return {'': mean}
  noise = np.random.default_rng(probes.SEED).normal(size=mean.shape)
  deviation = np.exp(0.5 * latents.outputs[f'{name}_log_variance'])
  found = {'': mean, '_sampled': mean + deviation * noise}
  if f'{name}_erased' in latents.outputs:
    found['_erased'] = latents.outputs[f'{name}_erased']
  return found


def _spectra(latents: Latents, k: int) -> dict[str, Terms]:
  """Errors of what there is of decoded, swapped, transferred, crossed and absorbed spectra."""
  outputs, clean = latents.outputs, latents.targets['clean']
  own, other = clean[:, k, FIRST], latents.targets['swapped'][:, k, 0]
  error = lambda found, true: ((np.float64(found) - true) ** 2).sum(-1)
  ratio = lambda found, true: Terms(
    'ratio', np.stack([error(found, true), error(latents.mean_KxL[k], true)])
  )
  found = {}
  if 'decoded' in outputs:
    found['decoded.model'] = ratio(outputs['decoded'][:, k, FIRST], own)
    found['swap.model'] = ratio(outputs['swapped'][:, k, 0], other)
    found['swap.identity'] = ratio(own, other)
  if 'transferred' in outputs:
    found['transfer.model'] = ratio(outputs['transferred'][:, k, 0], clean[:, k, PROTOCOL])
    found['transfer.identity'] = ratio(own, clean[:, k, PROTOCOL])
  if 'cross' in outputs:
    found['cross.model'] = ratio(outputs['cross'][:, 1 - k, PROTOCOL], clean[:, k, PROTOCOL])
  if 'physics' in outputs:
    found['physics.model'] = ratio(outputs['physics'][:, k, PROTOCOL], clean[:, k, PROTOCOL])
  return found


def _placed(own: Terms, k: int, kinds: int) -> Terms:
  """The examples of one kind among those of all; the others add nothing."""
  parts = np.zeros((own.parts_KxN.shape[0], kinds, own.parts_KxN.shape[1]))
  parts[:, k] = own.parts_KxN
  return Terms(own.form, parts.reshape(len(parts), -1))
