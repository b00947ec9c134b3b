"""Temporary memory of a layer by XLA's own count, from compiling alone: nothing runs.

For each L of --lengths and the B, D, P of --shape: forward and training of one direction, published
scan, S5 with its associative scan, and fused. Figures do not depend on the load of the machine.
"""

from experiments import timing
from experiments.benches import layer


def run() -> dict:
  """{'temp_mib': {L: {'training_fused': MiB, ...}}} and the ratios at the longest."""
  batch, _, *widths = timing.shape()
  temp_mib = {}
  for length in map(int, timing.LENGTHS.value):
    functions = layer.functions((batch, length, *widths))
    programs = {name: timing.compiled(f, *given) for name, (f, given) in functions.items()}
    temp_mib[str(length)] = {name: timing.temp_mib(p) for name, p in programs.items()}
  longest = {name: {'temp_mib': mib} for name, mib in temp_mib[timing.LENGTHS.value[-1]].items()}
  ratio = lambda other: timing.ratio(longest, f'training_{other}', 'training_fused', 'temp_mib')
  return {
    'case': f'B={batch},D={widths[0]},P={widths[1]},L={"/".join(timing.LENGTHS.value)}',
    'ratio_memory': ratio('associative'),
    'ratio_memory_s5': ratio('s5_associative'),
    'temp_mib': temp_mib,
  }


def lines(result: dict) -> list[str]:
  """The result as a table, MiB."""
  names = list(next(iter(result['temp_mib'].values())))
  table = [f'temporaries in MiB, {result["case"]}, on {result["device"]}']
  table.append(f'{"":26}' + ''.join(f'{"L=" + length:>10}' for length in result['temp_mib']))
  for name in names:
    cells = ''.join(f'{row[name]:10.1f}' for row in result['temp_mib'].values())
    table.append(f'{name:26}{cells}')
  return table
