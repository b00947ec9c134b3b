"""From a run to the file of weights that ships, and the page that says what they are."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectra_jax import storage, train, trained, weights
from spectra_jax.spectra import check_resolution
from spectra_jax.tasks import masked

OTHERS = ('gaussian', 'linear')
WIDTHS_CM = (8.0, 12.0, 16.0, 24.0, 32.0, 40.0)  # FWHM of the lines that are tried
# Of report.json: where the numbers come from.
TOLD = (
  *('results', 'split', 'seed', 'parameters', 'commit', 'device', 'cpu_cores', 'packages'),
  *('data_hash', 'wall_s_total', 'task'),
)

CARD = """# Model card: the weights that ship

A model of {parameters:,} parameters (backbone `{backbone}`) that fills in hidden bands of IR and
Raman spectra of small molecules. `from spectra_jax import load_pretrained` reads it;
[tour.md](tour.md) uses it; what its features are worth elsewhere is in
[foundation.md](foundation.md).

## What it has seen

Harmonic GFN2-xTB line lists (`spectra_jax/data/README.md`) of the {train:,} molecules of the
training side ({regime} split by formula, hash `{split}`), as {line_shape} lines
{seen} (FWHM), from {low_cm:g} to {high_cm:g} cm^-1 on {points} points{noise};
square roots of intensities over one constant a kind; bands of {band_cm:g} cm^-1 hidden,
{ratio:.0%} of the axis.

## What it does

NRE is the squared error on hidden bands over that of the mean spectrum, on {test:,} molecules of
formulas that were not in training, with lines of {fwhm_cm:g} cm^-1 and no noise; brackets are 95 %
intervals over formulas.

| kind | NRE on hidden bands | conditional Gaussian | straight line | mean spectrum |
|---|---|---|---|---|
{rows}

NRE by region:

{regions}

{widths}

## What it cannot

- No measured spectrum was in training: no {noiseless}baseline, water or CO2, no anharmonic
  overtones or combination bands, no interaction between molecules.
- Molecules have C, H, N, O, F, S, Cl (beyond a curated list at most one of the last two) and few
  heavy atoms: no minerals, metals, polymers or salts.
- Lines were {seen}: those of a sample should not be much narrower or broader.
- Nothing outside {low_cm:g} to {high_cm:g} cm^-1. Near infrared can be read on a stretched axis
  (`configs/spektron_adapt.py`); whether that helped, there and on minerals: foundation.md.
- Intensities of a filled band come without an interval.

## Where it comes from

Run of commit `{commit}`, seed {seed}, {wall_s:.0f} s on {device} with {cpu_cores} cores, jax {jax};
file `{file}`, sha256 `{digest}...`, made by

    python -m experiments.export_weights --workdir=WORKDIR --output={file}

Licence: Apache-2.0, as the code; the computed spectra are CC0-1.0.
"""
WIDTHS_SAY = (
  'Of lines of other widths than those of the first table, where a straight line is the thing to '
  'beat:'
)
NOISE = ',\nwith white noise of up to {:.0%} of the mean intensity on what is shown'


def export(
  workdir: pathlib.Path, path: pathlib.Path, stored: str = 'float32'
) -> tuple[str, dict[str, Any]]:
  """Writes the weights of a finished run that reconstructs spectra: (sha256 of the file, about).

  Raises:
    ValueError: no finished run of such a task, or weights that cannot ship; see `weights.write`.
  """
  report = workdir / 'report.json'
  if not report.exists():
    raise ValueError(f'{report} is missing, expected a run that has finished; train it to its end')
  document = json.loads(report.read_text())
  params, about = trained.reconstruction(workdir)
  about |= {name: document[name] for name in TOLD}
  about['line_widths'] = by_line_width(workdir)
  return weights.write(path, params, about, stored), about


def by_line_width(workdir: pathlib.Path) -> dict[str, dict[str, dict[str, float]]]:
  """FWHM [cm^-1] -> kind -> NRE of the 'model' and of a straight line ('linear') on test molecules
  whose lines are that wide, where the axis can hold them, scaled as those of training are; {} of
  another task than masked, or of data whose lines nobody can choose.
  """
  run, params = trained.load(workdir)
  params = run.task.effective(params)
  if (run.config.dataset.name, run.config.task.name) != ('computed', 'masked'):
    return {}
  found = {}
  for fwhm_cm in (width for width in WIDTHS_CM if _fits(width, run.task.nu_L)):
    c = run.config.copy_and_resolve_references()
    c.dataset.computed.fwhm_cm, c.task.masked.widen_cm = fwhm_cm, (0.0, 0.0)
    task = masked.build(c, storage.load(c), run.task.split)
    predict = train.make_predict(dataclasses.replace(run, config=c, task=task))
    filled = predict(params, task.examples('test'))
    results, _ = train.judged(task, filled, task.baselines('test', ('mean', 'linear')))
    told = lambda of_kind: {'model': of_kind['nre'], 'linear': of_kind['linear']}
    found[f'{fwhm_cm:g}'] = {kind: told(of_kind) for kind, of_kind in results.items()}
  return found


def page(about: Mapping[str, Any], path: pathlib.Path, digest: str) -> str:
  """The model card in Markdown; every number is from `about`."""
  config, split = about['config'], about['split']
  noise = config['task'].get('masked', {}).get('noise', 0.0)
  return CARD.format(
    backbone=config['backbone']['name'],
    train=split['rows']['train'],
    test=split['rows']['test'],
    split=split['hash'],
    regime=split['regime'],
    rows='\n'.join(_row(kind, about['results'][kind]) for kind in about['kinds']),
    regions='\n'.join(_regions(about)),
    widths='\n'.join(_widths(about)),
    seen=_seen(weights.Weights({}, about, digest)),
    commit=(about['commit'] or 'unknown')[:12],
    wall_s=about['wall_s_total'],
    jax=about['packages']['jax'],
    file=path,
    digest=digest[:16],
    **{name: about[name] for name in ('parameters', 'seed', 'device', 'cpu_cores')},
    **{name: config['axis'][name] for name in ('low_cm', 'high_cm', 'points')},
    line_shape=config['dataset']['computed']['line_shape'].capitalize(),
    fwhm_cm=config['dataset']['computed']['fwhm_cm'],
    noise=NOISE.format(noise) if noise else '',
    noiseless='' if noise else 'noise, ',
    **{name: config['task']['masked'][name] for name in ('band_cm', 'ratio')},
  )


def _row(kind: str, found: Mapping[str, Any]) -> str:
  cell = lambda name, value: '{:.3f} [{:.3f}, {:.3f}]'.format(value, *found['intervals'][name])
  cells = [cell('model', found['nre']), *(cell(name, found[name]) for name in OTHERS)]
  return f'| {kind} | ' + ' | '.join([*cells, '1']) + ' |'


def _fits(fwhm_cm: float, nu_L: np.ndarray) -> bool:
  try:
    check_resolution(nu_L, fwhm_cm)
  except ValueError:
    return False
  return True


def _widths(about: Mapping[str, Any]) -> list[str]:
  if not about['line_widths']:
    return ['Other widths of lines were not tried.']
  kinds = about['kinds']
  head = '| FWHM [cm^-1] | ' + ' | '.join(f'{kind} | straight line' for kind in kinds) + ' |'
  cells = lambda of: ' | '.join(
    f'{of[kind][name]:.3f}' for kind in kinds for name in ('model', 'linear')
  )
  rows = [f'| {fwhm} | {cells(of)} |' for fwhm, of in about['line_widths'].items()]
  return [WIDTHS_SAY, '', head, '|---' * (1 + 2 * len(kinds)) + '|', *rows]


def _seen(found: weights.Weights) -> str:
  if found.line_widths is None:
    return 'as wide as data and instruments of training made them'
  low, high = found.line_widths
  return f'{low:g} cm^-1 wide' if low == high else f'{low:g} to {high:g} cm^-1 wide'


def _regions(about: Mapping[str, Any]) -> list[str]:
  kinds, results = about['kinds'], about['results']
  lines = ['| region [cm^-1] | ' + ' | '.join(kinds) + ' |', '|---' * (1 + len(kinds)) + '|']
  for region in results[kinds[0]]['regions']:
    nre = (f'{results[kind]["regions"][region]["model"]:.3f}' for kind in kinds)
    low, high = masked.REGIONS[region]
    lines.append(f'| {region.replace("_", " ")}, {low:g}-{high:g} | ' + ' | '.join(nre) + ' |')
  return lines
