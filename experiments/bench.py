"""Runs one benchmark of experiments/benches by its file name and files its result.

  python -m experiments.bench layer --shape=8,2048,128,128

The last line of standard output is the result as one JSON object. It is also stored as
`{bench: {case: result}}` in --output, beside whatever other benchmarks wrote there; committed
results live in experiments/results/bench/<device>.json. With GLIBC_TUNABLES=glibc.malloc.hugetlb=1
in the environment memory comes in huge pages, as in experiments.train.
"""

import importlib
import json
import os
import pathlib
import pkgutil
import re
import sys

import jax
from absl import app, flags

from experiments import benches
from spectra_jax import report

_OUTPUT = flags.DEFINE_string(
  'output', '', "JSON file of results; '' = experiments/results/bench/<device>.json"
)


def load(name: str):
  """The module experiments/benches/<name>.py.

  Raises:
    ValueError: there is no such file.
  """
  there = sorted(found.name for found in pkgutil.iter_modules(benches.__path__))
  if name not in there:
    raise ValueError(
      f'there is no benchmark {name!r}: expected one of {", ".join(there)}; '
      'give one of them as the first argument'
    )
  return importlib.import_module(f'experiments.benches.{name}')


def device() -> str:
  """Name of the first device, for a CPU with its cores: 'nvidia-h200', 'cpu-2-cores'."""
  kind = jax.devices()[0].device_kind
  kind = f'cpu-{os.cpu_count()}-cores' if kind == 'cpu' else kind
  return re.sub(r'[^a-z0-9]+', '-', kind.lower()).strip('-')


def store(path: pathlib.Path, bench: str, case: str, result: dict) -> None:
  """Puts one result into the file, keeping the results of other benchmarks and cases."""
  results = json.loads(path.read_text()) if path.exists() else {}
  results.setdefault(bench, {})[case] = result
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(results, indent=2, sort_keys=True) + '\n')


def main(argv: list[str]) -> None:
  name = argv[1]
  bench = load(name)
  tunables = os.environ.get('GLIBC_TUNABLES', '')
  result = {'bench': name} | report.provenance() | {'device': device()} | bench.run()
  if tunables:  # huge pages change times: another case
    result['case'] += f',{tunables}'
  print('\n'.join(bench.lines(result)))
  path = pathlib.Path(_OUTPUT.value or f'experiments/results/bench/{device()}.json')
  store(path, name, result['case'], result)
  print(json.dumps(result))


if __name__ == '__main__':
  if len(sys.argv) > 1:
    load(sys.argv[1])  # before the flags are parsed: a benchmark brings its own
  app.run(main)
