"""Augmentation of training spectra: only what samples and spectrometers do, in physical units.

  augmented = augment.build(config.augment, spectra)   # refuses what does not suit kind and state
  values_L, mask_L = augmented(key, values_L, mask_L)  # one example; vmap it over a batch

The key is the example's own (`batches.example_keys`): the same row at the same step gets the same
augmentation in whatever batch, on whatever number of devices. Each augmentation folds its own name
into it, so that one more or less changes none of the others.
"""

import dataclasses
import inspect
import zlib
from collections.abc import Mapping
from typing import Any

import jax

from spectra_jax.augment import background, bands, mixing, noise, rules
from spectra_jax.augment.frame import Frame, bridged
from spectra_jax.spectra import Spectra

# name -> function and its magnitudes (all 0 = off), in the order in which light meets them
STEPS = {
  'drift': (bands.drift, ('position_cm', 'width_cm')),
  'exponential': (background.exponential, ('height',)),
  'polynomial': (background.polynomial, ('height',)),
  'etalon': (background.etalon, ('contrast',)),
  'response': (background.response, ('fraction',)),
  'resolution': (bands.resolution, ('fwhm_cm',)),
  'shift': (bands.shift, ('max_cm',)),
  'shot': (noise.shot, ('fraction',)),
  'flicker': (noise.flicker, ('fraction',)),
  'read': (noise.read, ('fraction',)),
  'crop': (bands.crop, ('edge_cm',)),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Augmentation:
  """What config.augment does to one training example; `build` makes it.

  Attributes:
    frame: what the spectra are.
    options: name -> options of each augmentation that is on, in the order of `STEPS`.
    mixing_share: the largest share of another spectrum; 0 = no mixing.
  """

  frame: Frame
  options: Mapping[str, Mapping[str, Any]]
  mixing_share: float

  def __call__(
    self, key: jax.Array, values_L: jax.Array, mask_L: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """One example, augmented: (values [L], mask [L]); what is masked is finite and no data."""
    if self.options:
      values_L = bridged(values_L, mask_L)
    for name, options in self.options.items():
      step, _ = STEPS[name]
      values_L, mask_L = step(purpose(key, name), values_L, mask_L, self.frame, **options)
    return values_L, mask_L

  def mix(self, key: jax.Array, example: Any, library: Any) -> Any:
    """One example, mixed with one of the training set, before `__call__`: see `mixing.mix`."""
    if not self.mixing_share:
      return example
    return mixing.mix(purpose(key, 'mixing'), example, library, share=self.mixing_share)


MAGNITUDES = {'mixing': ('share',), **{name: which for name, (_, which) in STEPS.items()}}


def check_off(options: Mapping[str, Mapping[str, Any]], task: str) -> None:
  """Raises a ValueError where an augmentation is on, for tasks that do not augment."""
  for name, keys in MAGNITUDES.items():
    for key in keys:
      if options[name][key]:
        raise ValueError(
          f'augment.{name}.{key} is {options[name][key]}, expected 0 for the task {task}, which '
          'does not augment; set it to 0 or choose classify or regress'
        )


def purpose(key: jax.Array, name: str) -> jax.Array:
  """The key of one augmentation of an example."""
  return jax.random.fold_in(key, zlib.crc32(name.encode()))


def _check_keys(name: str, given: Mapping[str, Any]) -> None:
  parameters = inspect.signature(STEPS[name][0]).parameters.values()
  wanted = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
  if set(given) != wanted:
    raise ValueError(
      f'augment.{name} has the keys {sorted(given)}, expected {sorted(wanted)}; add or drop some'
    )


def build(options: Mapping[str, Mapping[str, Any]], spectra: Spectra) -> Augmentation:
  """The augmentations of `options` (config.augment) that are on, checked against these spectra.

  Raises:
    ValueError: one that there is not or that physics forbids, one that does not suit kind, state or
      axis, or a magnitude out of bounds; nothing is computed.
  """
  rules.check_known(options)
  frame = Frame.of(spectra)
  share = options['mixing']['share'] if 'mixing' in options else 0.0
  rules.check_magnitude('mixing.share', share, most=1.0)
  if share:
    rules.check('mixing', frame)
  for name in STEPS.keys() & options.keys():
    _check_keys(name, options[name])
  active = {
    name: dict(options[name])
    for name, (_, magnitudes) in STEPS.items()
    if name in options and any(options[name][magnitude] for magnitude in magnitudes)
  }
  for name in active:
    rules.check(name, frame)
  augmentation = Augmentation(frame, active, share)
  length = len(frame.axis_L)
  example = jax.ShapeDtypeStruct((length,), 'float32'), jax.ShapeDtypeStruct((length,), 'bool')
  jax.eval_shape(augmentation, jax.eval_shape(lambda: jax.random.key(0)), *example)
  return augmentation
