"""Sweeps: many runs of one config, on this machine or on a cluster.

  python -m experiments.sweep run --config=configs/pretrain.py:tiny \\
    --sweep='backbone.name=linoss,s5;seed=range(4)' --root=runs/backbones --jobs=2
  python -m experiments.sweep status --root=runs/backbones

  list    names the points and writes ROOT/sweep.json; without --sweep they are the config's sweep()
  run     trains them here, --jobs at a time, each on cores or GPUs of its own
  submit  hands them to a scheduler: --executor=slurm, --minutes and what a job asks for
  status  how far each is and how long still; --watch=SECONDS, --json
  report  all of it as one HTML page, ROOT/index.html
  resume  what did not finish, by `run`, or by `submit` with --executor
  print   a shell line a point, for launchers of pods such as `gcloud compute tpus tpu-vm ssh
          --worker=all` or xpk; untested on any pod

Each point is one folder of ROOT, and a run of its own: what is finished or runs is passed over, so
every command may be given again. The last line is one JSON object, that of run, resume and submit
also in ROOT/run.json or ROOT/submit.json.
"""

import importlib.util
import json
import os
import pathlib
import shlex
import sys
import time
from typing import Any

from absl import app, flags

from spectra_jax.sweeps import choices, local, page, points, status
from spectra_jax.workdir import write_json_atomic

COMMANDS = ('list', 'run', 'submit', 'status', 'resume', 'print', 'report')

CONFIG = flags.DEFINE_string('config', None, 'configs/NAME.py or configs/NAME.py:VARIANT.')
SWEEP = flags.DEFINE_string('sweep', None, "'key=a,b;key=range(5)' instead of the config's own.")
ROOT = flags.DEFINE_string('root', None, 'Folder of all points.')
JOBS = flags.DEFINE_integer('jobs', 1, 'run, resume: how many at a time.')
WATCH = flags.DEFINE_float('watch', 0.0, 'status: seconds from one look to the next; 0 = once.')
JSON = flags.DEFINE_bool('json', False, 'status: the JSON object alone.')
EXECUTOR = flags.DEFINE_enum('executor', None, ['slurm', 'local'], 'submit, resume: of submitit.')
MINUTES = flags.DEFINE_integer('minutes', None, 'submit: time limit of a job.')
NODES = flags.DEFINE_integer('nodes', 1, 'submit: machines a point.', lower_bound=1)
GPUS = flags.DEFINE_integer('gpus', 0, 'submit: GPUs a machine.', lower_bound=0)
CPUS = flags.DEFINE_integer('cpus', 1, 'submit: cores a process.', lower_bound=1)
THROTTLE = flags.DEFINE_integer('throttle', 0, 'submit: jobs at a time; 0 = no limit.')
SLURM = flags.DEFINE_list('slurm', [], 'submit: further options of sbatch, account=a,qos=b.')


def say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)


def chosen(command: str) -> points.Sweep:
  """The points that flags or root name, by the names they have in the root."""
  if command == 'resume':
    there = points.read(ROOT.value)
    points.check(there)
    return there
  if CONFIG.value is None:
    raise ValueError(f'{command} has no --config; expected configs/NAME.py:VARIANT; give one')
  asked = points.of_config(CONFIG.value) if SWEEP.value is None else choices.parse(SWEEP.value)
  sweep, same = points.plan(CONFIG.value, asked)
  settled, renamed = points.settle(sweep, ROOT.value)
  for sentence in [*same, *renamed]:
    say(sentence)
  return settled


def unfinished(sweep: points.Sweep) -> list[local.Job]:
  """The jobs of what has neither finished nor runs now."""
  return status.unfinished(points.jobs(sweep, pathlib.Path(ROOT.value)), say)


def run(sweep: points.Sweep) -> None:
  """Trains here, and leaves with an exit status that says whether all is finished."""
  shares = local.places(JOBS.value, os.environ)
  outcomes = local.run(unfinished(sweep), shares, say)
  found = status.read(ROOT.value)
  print(status.table(found))
  codes = {name: ended['returncode'] for name, ended in outcomes.items()}
  conclude('run', {'counts': status.counts(found), 'returncodes': codes})
  names = {point.name for point in sweep.points}
  sys.exit(0 if all(s.state == 'finished' for s in found if s.name in names) else 1)


def submit(sweep: points.Sweep) -> None:
  """Hands to the scheduler what it does not have yet."""
  if EXECUTOR.value is None or MINUTES.value is None:
    raise ValueError('submit lacks --executor or --minutes; expected both; give them')
  if importlib.util.find_spec('submitit') is None:
    raise ValueError("submitit is missing; expected it installed; pip install -e '.[cluster]'")
  from spectra_jax.sweeps import cluster  # an extra

  request = cluster.Request(
    MINUTES.value, NODES.value, GPUS.value, CPUS.value, THROTTLE.value, options()
  )
  path = pathlib.Path(ROOT.value) / 'submit.json'
  before = json.loads(path.read_text())['jobs'] if path.exists() else {}
  there = cluster.queued(before, EXECUTOR.value)
  for name, number in there.items():
    say(f'{name}: in the queue already, as {number}')
  jobs = [job for job in unfinished(sweep) if job.name not in there]
  ids = cluster.submit(jobs, pathlib.Path(ROOT.value), EXECUTOR.value, request) if jobs else {}
  conclude('submit', {'submitted': list(ids), 'jobs': {**before, **ids}})


def options() -> dict[str, str]:
  pairs = [pair.partition('=') for pair in SLURM.value]
  if not all(equals and key for key, equals, _ in pairs):
    raise ValueError(f'--slurm is {",".join(SLURM.value)}; expected key=value,...; write it so')
  return {key: value for key, _, value in pairs}


def show() -> None:
  """The table of `status`, once or until nothing moves any more."""
  while True:
    found = status.read(ROOT.value)
    if not JSON.value:
      print(('\x1b[H\x1b[2J' if WATCH.value else '') + status.table(found))
    if not WATCH.value or not {'running', 'waiting'} & {s.state for s in found}:
      return print(json.dumps(status.document(ROOT.value, found)))
    time.sleep(WATCH.value)


def conclude(command: str, document: dict[str, Any]) -> None:
  write_json_atomic(pathlib.Path(ROOT.value) / f'{command}.json', document)
  print(json.dumps(document))


def main(argv: list[str]) -> None:
  if len(argv) != 2 or argv[1] not in COMMANDS:
    raise app.UsageError(f'{argv[1:]} is no command; expected one of {", ".join(COMMANDS)}')
  command = argv[1]
  try:
    if command == 'status':
      return show()
    if command == 'report':
      return print(json.dumps({'page': str(page.write(ROOT.value))}))
    sweep = chosen(command)
    if command == 'run' or (command == 'resume' and EXECUTOR.value is None):
      run(sweep)
    elif command in ('submit', 'resume'):
      submit(sweep)
    elif command == 'print':
      for point in sweep.points:
        print(shlex.join(['python', *point.command(sweep.config, ROOT.value)[1:]]))
    else:
      print('\n'.join(point.name for point in sweep.points))
      print(json.dumps({'root': ROOT.value, 'points': [point.name for point in sweep.points]}))
  except (ValueError, OSError) as error:
    sys.exit(f'error: {error}')


if __name__ == '__main__':
  flags.mark_flag_as_required('root')
  app.run(main)
