"""What mapping a step over devices costs: weak scaling, and the overhead on one device.

  JAX_NUM_CPU_DEVICES=8 python -m experiments.bench mapping --mapping_figure=docs/mapping.png

A step is loss, gradient, clipping and optimizer of configs/pretrain.py:quick. Weak scaling gives
every device --per_device spectra, so that a step on N real devices would take the time of one. Fake
devices of a CPU share its cores: on C cores N devices cannot take less than N / C times the time of
one, so what the figure shows is the distance from that line, which is the cost of mapping, copies
and collectives. It cannot show what a network between real devices costs, nor memory that fsdp
frees, which is given as bytes of state a device instead.

The overhead compares the step over a mesh of one device with the same step under jit alone.
"""

import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from configs import pretrain
from experiments import timing
from spectra_jax import parallel, placement, train

_FIGURE = flags.DEFINE_string('mapping_figure', '', "PNG of the weak scaling; '' = none")
_ROWS = flags.DEFINE_integer('per_device', 4, 'spectra a device', lower_bound=1)
_VARIANT = flags.DEFINE_string('variant_mapped', 'quick', 'of configs/pretrain.py')


def _run() -> train.Run:
  config = pretrain.get_config(_VARIANT.value)
  config.parallel.devices = 1
  return train.prepare(config, 'unused')


def _state_bytes(state: parallel.State) -> int:
  """Of the piece of one device."""
  return sum(x.addressable_data(0).nbytes for x in jax.tree.leaves(state))


def _unmapped(run: train.Run):
  """The step as one would write it without devices in mind."""
  loss_fn = train.make_loss(run)

  def step(state, batch):
    (loss, _), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params, batch, state.step)
    updates, opt_state = run.optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    norm = optax.tree.norm(grads)
    return parallel.State(params, None, opt_state, state.step + 1), {
      'loss': loss,
      'grad_norm': norm,
      'finite': jnp.isfinite(norm),
    }

  return step


def _batch(run: train.Run, rows: int) -> dict[str, np.ndarray]:
  return {name: x[:rows] for name, x in run.task.examples('train').items()}


def _mapped(run: train.Run, devices: int, fsdp: int):
  """((step, arguments), bytes of state a device) on a mesh."""
  mesh = placement.make_mesh(devices, fsdp)
  step = parallel.make_step(train.make_loss(run), run.optimizer, 0.0, mesh)
  state = placement.shard_state(jax.device_get(train.init_state(run)), mesh)
  batch = placement.shard_batch(_batch(run, _ROWS.value * devices), mesh)
  return (step, (state, batch)), _state_bytes(state)


def run() -> dict:
  """{'measured': {MESH: times}, 'state_bytes': {MESH: ...}, 'weak': ..., 'overhead': ...}."""
  model, there = _run(), jax.device_count()
  counts = [n for n in (1, 2, 4, 8) if n <= there]
  meshes = [(n, fsdp) for n in counts for fsdp in sorted({1, n})]
  functions, state_bytes = {}, {}
  for devices, fsdp in meshes:
    name = f'{devices // fsdp}x{fsdp}'
    functions[name], state_bytes[name] = _mapped(model, devices, fsdp)
  batch, state = jax.device_put(_batch(model, _ROWS.value)), jax.device_get(train.init_state(model))
  functions['unmapped'] = (_unmapped(model), (jax.device_put(state), batch))
  measured = timing.interleaved(functions, timing.ROUNDS.value)
  weak = {
    name: timing.ratio(measured, name, '1x1') / max(_devices(name) / os.cpu_count(), 1)
    for name in state_bytes
  }
  if _FIGURE.value:
    _draw(measured, counts).savefig(_FIGURE.value)
  return {
    'case': f'rows={_ROWS.value},{_VARIANT.value},devices={there}',
    'rounds': timing.ROUNDS.value,
    'overhead': timing.ratio(measured, '1x1', 'unmapped'),
    'weak_over_cores': weak,
    'state_bytes': state_bytes,
    'measured': measured,
  }


def _devices(name: str) -> int:
  data, fsdp = map(int, name.split('x'))
  return data * fsdp


def _draw(measured: timing.Measured, counts: list[int]) -> Figure:
  one, cores = measured['1x1']['ms'], os.cpu_count()
  curves = {
    'data': [measured[f'{n}x1']['ms'] for n in counts],
    'fsdp': [measured[f'1x{n}']['ms'] for n in counts],
    f'what {cores} shared cores allow': [one * max(n / cores, 1) for n in counts],
  }
  figure = Figure(figsize=(6.4, 4.4), layout='constrained')
  ax = figure.subplots()
  for (label, ms), style in zip(curves.items(), ('o-', 's--', 'k:'), strict=True):
    ax.loglog(counts, ms, style, label=label)
  ax.set_xticks(counts, list(map(str, counts)))
  ax.xaxis.set_minor_locator(NullLocator())
  ax.set_xlabel(f'Fake devices of one CPU, {_ROWS.value} spectra each')
  ax.set_ylabel('Time of one step (ms)')
  ax.legend()
  return figure


def lines(result: dict) -> list[str]:
  """Times, then the two ratios."""
  found = [f'one step of {result["case"]}, on {result["device"]}']
  found += timing.table(result['measured'])
  found.append(f'mapped over one device / not mapped: {result["overhead"]:.3f}')
  for name, ratio in result['weak_over_cores'].items():
    size = result['state_bytes'][name] / 2**20
    found.append(f'{name}: {ratio:.2f} of what the cores allow, {size:.2f} MiB of state a device')
  return found
