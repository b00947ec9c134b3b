"""R's .RData files as plain arrays, through the package rdata."""

import pathlib
from typing import Any

SUFFIXES = ('.rdata', '.rda')


def read(path: pathlib.Path) -> dict[str, Any]:
  """Name -> array, or a dict of such for lists and data frames.

  Raises:
    ValueError: rdata is not installed, or cannot read the file.
  """
  try:
    import rdata  # of the extra [io], and slow to import
  except ModuleNotFoundError as error:
    raise ValueError(
      f"{path} is read with rdata, which is not installed; run `pip install 'spectra_jax[io]'`"
    ) from error
  try:
    # A column that is a matrix has no place in a pandas data frame.
    return rdata.read_rda(path, constructor_dict={'data.frame': lambda columns, _: dict(columns)})
  except Exception as error:  # of any type: the file may hold anything
    says = ' '.join(str(error).split())[:120]
    raise ValueError(
      f'{path} is no RData file that rdata can read ({type(error).__name__}: {says}); get it again'
    ) from error
