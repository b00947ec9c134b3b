"""Trains what a config describes.

  python -m experiments.train --config=configs/pretrain.py:quick --workdir=runs/quick

The same command goes on with a run that was stopped. The last line of standard output is one JSON
object; workdir/report.json holds it with the config, versions and split.
"""

import contextlib
import json
import math
import os
import sys

# Two threads of OpenBLAS wait for each other on a busy machine: a baseline of 4 s took 250 s.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from experiments import parse_flags
from spectra_jax import distributed, profile, report, train
from spectra_jax.workdir import claim

CONFIG = config_flags.DEFINE_config_file('config', None, 'Python file of the experiment.')
WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
COORDINATOR = flags.DEFINE_string('coordinator', None, "Process 0's host:port.")
DISTRIBUTED = flags.DEFINE_bool(
  'distributed',
  None,
  'One of several processes, which jax finds by itself (srun, TPU pod, mpirun) or is refused; '
  'with no, one process even there; left out, as detected.',
)
PROCESSES = flags.DEFINE_integer('num_processes', None, 'How many processes the job has.')
PROCESS = flags.DEFINE_integer('process_id', None, 'Which one this is.')
PROFILE = flags.DEFINE_bool('profile', False, 'Trace steps 10 to 20 into workdir/profile.')


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments {argv[1:]}')
  if not flags.FLAGS['verbosity'].present:
    logging.set_verbosity(logging.WARNING)  # orbax and jax tell every detail otherwise
  with contextlib.ExitStack() as held:
    try:  # everything that can be wrong with the call is found here, before any training
      batch = CONFIG.value.train
      if PROFILE.value:
        profile.check_steps(batch.steps)
      examples = math.gcd(batch.batch_size // max(batch.accumulate, 1), batch.eval_batch_size)
      distributed.use_cpu_cores(examples * CONFIG.value.parallel.seq)
      distributed.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value, DISTRIBUTED.value)
      run = train.prepare(CONFIG.value, WORKDIR.value)
      held.enter_context(claim(run.workdir, run.config, run.data_hash))
    except (ValueError, OSError) as error:
      sys.exit(f'error: {error}')
    document = train.train(run, profiled=PROFILE.value)
  if jax.process_index() == 0:
    print(report.text_table(run.task.table(document['results'])))
    summary = {'wall_s': document['wall_s'], 'spectra_per_s': document['spectra_per_s']}
    print(json.dumps({**document['results'], **summary}))


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'workdir'])
  app.run(main, flags_parser=parse_flags)
