"""Golden spectra: a few with their results, by which a file shows that it computes what it did."""

import dataclasses

import jax
import numpy as np

from spectra_jax.preprocess.chunks import Chunked


@dataclasses.dataclass(frozen=True, eq=False)
class Golden:
  """A few spectra and their results, by which a file shows that it computes what it did."""

  values: np.ndarray  # [G, L]
  result: np.ndarray  # [G, M]


def golden_rows(mean_L: np.ndarray, dtype: str) -> np.ndarray:
  """[4, L] spectra near the training mean: no measured one leaves with a file."""
  phase_L = np.linspace(0, np.pi, len(mean_L))
  rows = [mean_L * (1 + 0.1 * g * np.cos((3 * g + 1) * phase_L)) for g in range(4)]
  return np.stack(rows).astype(dtype)


def check_golden(chunked: Chunked, golden: Golden, tolerance: float, written: str) -> None:
  """Raises a ValueError unless the golden spectra give their results again, together and alone.

  Args:
    chunked: what a file was read into.
    golden: what the file has.
    tolerance: largest difference over the largest result; 0 asks for the same bits.
    written: the platform and versions that wrote the file.
  """
  together = chunked.transform(golden.values)
  alone = np.concatenate([chunked.transform(row[None]) for row in golden.values])
  if alone.tobytes() != together.tobytes():
    raise ValueError(
      f'on {here()} a spectrum alone gives other bits than inside a batch: max difference '
      f'{np.abs(alone - together).max():.3g}; expected the same; report it with these versions'
    )
  if together.tobytes() == golden.result.tobytes():
    return
  difference = float(np.abs(together - golden.result).max())
  size = float(np.abs(golden.result).max())
  if not difference <= tolerance * size:
    raise ValueError(
      f'this platform gives other bits: max difference {difference:.3g} of results up to {size:.3g}'
      f' on {here()}, written on {written}, tolerance {tolerance:g}; load it where it was written, '
      'or with a tolerance (a share of the largest result) that the model can take'
    )


def here() -> str:
  """Device and versions that decide the bits."""
  return f'{jax.devices()[0].device_kind} with jax {jax.__version__}'
