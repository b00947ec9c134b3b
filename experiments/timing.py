"""Times functions in turn in one process, so that a load on the machine falls on all of them.

The flags that several benchmarks take are here, since a flag can be defined only once.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
from absl import flags

SHAPE = flags.DEFINE_list('shape', ['8', '2048', '128', '128'], 'B,L,D,P of a layer')
DROPOUT = flags.DEFINE_float('dropout', 0.1, 'rate of both dropouts of a block')
LENGTHS = flags.DEFINE_list('lengths', ['512', '2048', '8192', '32768'], 'tokens, L')
TAPS = flags.DEFINE_integer('taps', 31, 'tokens under one kernel of a CNN', lower_bound=1)
ROUNDS = flags.DEFINE_integer('rounds', 9, 'timed calls of each function', lower_bound=1)

Measured = dict[str, dict[str, float]]


def shape() -> tuple[int, int, int, int]:
  """B, L, D, P of --shape."""
  if len(SHAPE.value) != 4 or not all(map(str.isdigit, SHAPE.value)):
    raise ValueError(
      f'--shape={",".join(SHAPE.value)} has {len(SHAPE.value)} numbers, expected the four whole '
      'ones B,L,D,P; give --shape=8,2048,128,128'
    )
  return tuple(map(int, SHAPE.value))


def compiled(function: Callable, *arguments: Any) -> jax.stages.Compiled:
  """The program for arguments of these shapes."""
  return jax.jit(function).lower(*arguments).compile()


def temp_mib(program: jax.stages.Compiled) -> float:
  """Memory that XLA allocates for temporaries [MiB], besides arguments and results."""
  return program.memory_analysis().temp_size_in_bytes / 2**20


def milliseconds(program: Callable, arguments: tuple) -> float:
  """One call, until its results are there."""
  start = time.perf_counter()
  jax.block_until_ready(program(*arguments))
  return 1e3 * (time.perf_counter() - start)


def interleaved(functions: dict[str, tuple[Callable, tuple]], rounds: int) -> Measured:
  """{name: {'ms' (median), 'ms_min', 'ms_max', 'temp_mib'}} of {name: (function, arguments)}.

  Every round calls each function twice and times the second call: it then finds caches and
  allocator as itself left them, which is how a loop over one function runs.
  """
  programs = {name: compiled(function, *given) for name, (function, given) in functions.items()}
  times = {name: [] for name in functions}
  for _ in range(rounds):
    for name, (_, given) in functions.items():
      milliseconds(programs[name], given)
      times[name].append(milliseconds(programs[name], given))
  return {
    name: {
      'ms': statistics.median(times[name]),
      'ms_min': min(times[name]),
      'ms_max': max(times[name]),
      'temp_mib': temp_mib(program),
    }
    for name, program in programs.items()
  }


def ratio(measured: Measured, slow: str, fast: str, key: str = 'ms') -> float | None:
  """How many times more `slow` takes than `fast`; None where `fast` takes nothing at all."""
  return measured[slow][key] / measured[fast][key] if measured[fast][key] else None


def table(measured: Measured) -> list[str]:
  """One line a function under a header."""
  width = max(map(len, measured)) + 2
  header = f'{"":{width}}{"ms":>10}{"min":>10}{"max":>10}{"temp MiB":>10}'
  row = lambda name: ''.join(f'{value:10.2f}' for value in measured[name].values())
  return [header, *(f'{name:{width}}{row(name)}' for name in measured)]


def mean_square(apply: Callable) -> Callable:
  """(variables, *inputs) -> value and gradient of mean(apply^2) by the variables and first input.

  What training does to a layer, without an optimizer.
  """
  loss = lambda *arguments: jax.numpy.mean(apply(*arguments) ** 2)
  return jax.value_and_grad(loss, argnums=(0, 1))
