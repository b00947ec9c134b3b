"""Several looks at one molecule: as computed, and as simulated instruments measure it, some hidden.

Values are softened roots (spectra_jax/roots.py) of intensities over the squared training scale: the
square roots of masked reconstruction but where there is nothing but noise. Whoever borrows an
instrument borrows its day too, so that what the borrower would look like there is known exactly.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from spectra_jax import batches, roots
from spectra_jax.datasets import instruments
from spectra_jax.datasets.instruments import Setting
from spectra_jax.gather import neighbours
from spectra_jax.tasks import masked

# Held-out views, and where those of the training instruments begin.
PROTOCOL, BORROWED, NEW, FIRST = 0, 1, 2, 3


@dataclasses.dataclass(frozen=True, eq=False)
class Views:
  """How examples are seen: in training by the reference and one training instrument; held out

    PROTOCOL   by the reference, with the bands hidden that masked reconstruction hides
    BORROWED   another molecule, the lender, by a training instrument
    NEW        by an instrument that nothing is trained on
    FIRST ...  by training instruments, dealt in turn

  Attributes:
    masked: masked reconstruction of the same spectra: constants and masks.
    bench: kind -> its instruments, stacked.
    whole_share: of training views nothing is hidden in.
    probe_views: held-out views by training instruments.
  """

  masked: masked.Task
  bench: Mapping[str, Setting]
  whole_share: float
  probe_views: int

  def root(self, values: jax.Array, k: int) -> jax.Array:
    """Softened root of intensities of kind k over the scale."""
    return roots.softened(values / jnp.float32(self.masked.scale_K[k] ** 2))

  def training(
    self, keys_B: jax.Array, step: ArrayLike, batch: Mapping[str, jax.Array]
  ) -> dict[str, jax.Array]:
    """The reference and one training instrument: [2, K, B, ...]."""
    found = [
      self._pair(k, self._purposes(keys_B, k), step, batch) for k in range(len(self.masked.kinds))
    ]
    return jax.tree.map(lambda *parts: jnp.stack(parts, 1), *found)

  def _pair(self, k, keys, step, batch) -> dict[str, jax.Array]:
    """Both views of one kind: [2, B, ...]."""
    values, observe, noisy = batch[self.masked.kinds[k]], self._observe(k), self._noisy(k)
    drawn = lambda key: jax.random.randint(key, (), 1, 1 + instruments.TRAINING)
    number = jax.vmap(drawn)(keys['number'])
    own, lent = (self._today(k, *of) for of in ((number, keys['day']), self._next(number, keys)))
    seen, borrowed = observe(values, own), observe(values, lent)
    both = lambda first, second: jnp.stack([first, second])
    root = lambda x: self.root(x, k)
    reference = root(values)
    return {
      'noisy': both(reference, root(noisy(keys['noise'], seen, own))),
      'clean': both(reference, root(seen)),
      'swapped': both(root(borrowed), reference),
      'visible': both(*(self._hide(keys[name], step) for name in ('mask', 'other_mask'))),
      'fwhm_cm': both(jnp.zeros_like(own.fwhm_cm), own.fwhm_cm),
      'number': both(jnp.zeros_like(number), number),
    }

  def _next(self, number_B, keys) -> tuple[jax.Array, jax.Array]:
    """Instrument and day of the next example, whose z_inst is borrowed."""
    number_B, data_B = neighbours((number_B, jax.random.key_data(keys['day'])))
    return number_B, jax.random.wrap_key_data(data_B)

  def _hide(self, keys_B, step) -> jax.Array:
    """[B, L] visible points; of some spectra all."""
    whole_B, mask_B = batches.split_keys(keys_B)
    share = self.whole_share
    whole = jax.vmap(lambda key: jax.random.bernoulli(key, share))(whole_B)
    return self.masked.training_mask(mask_B, step) | whole[:, None]

  def held_out(self, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """See PROTOCOL to FIRST: [V, K, B, ...]; the same for the same row, whatever the batch."""
    keys_B = batches.example_keys(masked.EVAL_SEED, 0, batch['row'])
    found = [self._seen(k, self._purposes(keys_B, k), batch) for k in range(len(self.masked.kinds))]
    return jax.tree.map(lambda *parts: jnp.stack(parts, 1), *found)

  def _seen(self, k, keys, batch) -> dict[str, jax.Array]:
    """The held-out views of one kind: [V, B, ...]."""
    values, lender = batch[self.masked.kinds[k]], batch[f'lender/{self.masked.kinds[k]}']
    observe, noisy, place = self._observe(k), self._noisy(k), batch['place']
    numbers = self.dealt(place)
    fold = lambda name, v: jax.vmap(lambda key: jax.random.fold_in(key, v))(keys[name])
    today = [self._today(k, number, fold('day', v)) for v, number in enumerate(numbers)]
    sample = [values, lender, *[values] * (len(numbers) - 2)]
    clean = [observe(x, setting) for x, setting in zip(sample, today, strict=True)]
    dirty = [noisy(fold('noise', v), x, today[v]) for v, x in enumerate(clean)]
    # The first view is that of masked reconstruction to the bit: roots, not softened ones.
    exact = jnp.sqrt(values) / jnp.float32(self.masked.scale_K[k])
    roots = lambda some: jnp.stack([exact, *(self.root(x, k) for x in some[1:])])
    hidden = self.masked.held_out_mask(batch['mask'])
    borrowed = self.root(observe(values, today[BORROWED]), k)
    return {
      'noisy': roots(dirty),
      'clean': roots(clean),
      'swapped': borrowed[None],
      'visible': jnp.stack([hidden, *[jnp.ones_like(hidden)] * (len(numbers) - 1)]),
      'fwhm_cm': jnp.stack([setting.fwhm_cm for setting in today]),
      'number': jnp.stack(numbers),
    }

  def dealt(self, place_B: ArrayLike) -> list[jax.Array]:
    """Numbers of the instruments of the held-out views, dealt to the molecules in turn: V of [B].

    Args:
      place_B: places of the molecules on their side.
    """
    count, new = instruments.TRAINING, instruments.HELD_OUT
    own = [1 + (place_B + j) % count for j in range(self.probe_views)]
    borrowed = 1 + (place_B + count // 2 + place_B // count % 2) % count
    return [0 * place_B, borrowed, 1 + count + place_B % new, *own]

  def _purposes(self, keys_B, k) -> dict[str, jax.Array]:
    """Keys of one kind for each purpose."""
    names = ('number', 'day', 'noise', 'mask', 'other_mask')
    own = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, k), len(names)))(keys_B)
    return {name: own[:, i] for i, name in enumerate(names)}

  def _today(self, k, number_B, keys_B) -> Setting:
    settings = self.bench[self.masked.kinds[k]]
    one = lambda number, key: instruments.occasion(key, instruments.pick(settings, number))
    return jax.vmap(one)(number_B, keys_B)

  def _observe(self, k):
    frame = instruments.frame_of(self.masked.kinds[k], self.masked.nu_L)
    return jax.vmap(lambda x_L, setting: instruments.observe(x_L, setting, frame))

  def _noisy(self, k):
    frame = instruments.frame_of(self.masked.kinds[k], self.masked.nu_L)
    return jax.vmap(lambda key, x_L, setting: instruments.noisy(key, x_L, setting, frame))
