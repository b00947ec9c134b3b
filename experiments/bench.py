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

from experiments import benches, parse_flags
from spectra_jax import report

_OUTPUT = flags.DEFINE_string(
  'output', '', "JSON file of results; '' = experiments/results/bench/<device>.json"
)


def names() -> list[str]:
  """Of all benchmarks."""
  return sorted(found.name for found in pkgutil.iter_modules(benches.__path__))


def load(name: str):
  """The module experiments/benches/<name>.py.

  Raises:
    ValueError: there is no such file.
  """
  if name not in names():
    raise ValueError(
      f'there is no benchmark {name!r}: expected one of {", ".join(names())}; give one of them'
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
  if len(argv) != 2:
    raise app.UsageError(f'there are {len(argv) - 1} names, expected one of {", ".join(names())}')
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
  named = [word for word in sys.argv[1:] if not word.startswith('-')]
  try:
    _ = [load(name) for name in named[:1]]  # before flags are parsed: a benchmark brings its own
  except ValueError as error:
    sys.exit(f'error: {error}')
  app.run(main, flags_parser=parse_flags)
