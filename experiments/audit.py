"""Holds predicted spectra of any model against every law that applies to their kind and state.

  python -m experiments.audit predictions.npz --kind=auto --state=measured --hwhm_min=8
  python -m experiments.audit --workdir=runs/quick --hwhm_min=8

The file holds numpy arrays (no pickles): the axis in ascending cm^-1, and predictions [N, L] named
after their kind: ir, raman, absorbance, transmittance, reflectance, k, n (`spectra_jax.spectra`);
if you like true_<kind> [N, L], centrosymmetric [N] bool, and hwhm_min. Such a file is written by

  import numpy as np
  nu = np.linspace(400, 4000, 1801)
  np.savez('predictions.npz', axis=nu, axis_unit='cm^-1', ir=8 / ((nu - [[1700]]) ** 2 + 8**2))

With --workdir the test-side predictions of a trained run are written to workdir/predictions.npz and
audited. Prints a table, what each law rests on, and why a law was not tested; writes the figure of
the worst rows and a JSON file. The last line of standard output is one JSON object: law/kind ->
applies, violations, worst, rate_interval (95 %, Wilson), ...
"""

import dataclasses
import json
import os
import pathlib
import sys

os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from absl import app, flags, logging

from experiments import parse_flags
from spectra_jax import audit
from spectra_jax.audit import findings, predictions, runs
from spectra_jax.spectra import STATES
from spectra_jax.workdir import write_json_atomic

KIND = flags.DEFINE_list('kind', ['auto'], 'Kinds to audit; auto = all in the file.')
STATE = flags.DEFINE_enum('state', 'measured', STATES, 'What was done to the values.')
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of a run, instead of a file.')
OUTPUT = flags.DEFINE_string('json', None, 'JSON file; default: beside the predictions.')
STRICT = flags.DEFINE_bool('strict', False, 'Exit status 1 when any law is violated.')
SHIFTED = flags.DEFINE_string('shifted', None, 'Predictions from inputs shifted by --shift_cm.')
SHIFT = flags.DEFINE_float('shift_cm', None, 'A whole number of steps of the axis [cm^-1].')
TOLERANCE = flags.DEFINE_float('tolerance', 0.0, "Share of a row's maximum beyond rounding.")
SUMS = flags.DEFINE_float('sum_tolerance', 0.1, 'Largest |ln(sum / reference)|.')
HWHM = flags.DEFINE_float('hwhm_min', None, 'No line is narrower (HWHM) [cm^-1].')
LOW = flags.DEFINE_float('low_max', None, 'Largest k below the window; default: largest inside.')
HIGH = flags.DEFINE_float('high_max', None, 'k above is <= high_max (b/nu)^high_power; alike.')
POWER = flags.DEFINE_float('high_power', 1.0, 'How k falls above the window, above 0 to 3.')
SLOPE = flags.DEFINE_float('edge_slope_max', None, '|dk/dnu| beyond the edges; alike [cm].')


def main(argv: list[str]) -> None:
  if len(argv) > 2 or (len(argv) == 2) == (WORKDIR.value is not None):
    raise app.UsageError('give one file of predictions, or --workdir')
  logging.set_verbosity(logging.WARNING)
  try:
    path = _run_predictions() if WORKDIR.value else pathlib.Path(argv[1])
    given = predictions.read(path, _kinds())
    shifted = predictions.read(SHIFTED.value, _kinds()) if SHIFTED.value else None
    assumptions = _assumptions()
    found = audit.audit(given, assumptions, shifted)
    output = pathlib.Path(OUTPUT.value or path.with_suffix('.audit.json'))
    laws = findings.summary(found)
    document = {'predictions': str(path), **dataclasses.asdict(assumptions), 'laws': laws}
    write_json_atomic(output, document)
    audit.figure(given, found).savefig(output.with_suffix('.png'))
  except (ValueError, OSError, RuntimeError) as error:
    sys.exit(f'error: {error}')
  print(findings.table(found))
  print(f'{output} and {output.with_suffix(".png")}')
  print(json.dumps(laws, allow_nan=False))
  if STRICT.value and any(law.get('violations') for law in laws.values()):
    sys.exit(1)


def _kinds() -> tuple[str, ...]:
  return () if KIND.value == ['auto'] else tuple(KIND.value)


def _run_predictions() -> pathlib.Path:
  workdir = pathlib.Path(WORKDIR.value)
  predicted = runs.of_run(workdir)
  predictions.write(workdir / 'predictions.npz', predicted)
  return workdir / 'predictions.npz'


def _assumptions() -> audit.Assumptions:
  return audit.Assumptions(
    state=STATE.value,
    tolerance=TOLERANCE.value,
    sum_tolerance=SUMS.value,
    hwhm_min=HWHM.value,
    low_max=LOW.value,
    high_max=HIGH.value,
    high_power=POWER.value,
    edge_slope_max=SLOPE.value,
    shift_cm=SHIFT.value,
  )


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
