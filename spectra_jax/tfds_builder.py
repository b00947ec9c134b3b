"""Any data set of measured spectra as a tensorflow_datasets data set, without TensorFlow.

Files are array_record; read them with `tfds.builder_from_directory(path).as_data_source()`. An
example is one spectrum on its own grid, with its units, and every meta column.
"""

import pathlib
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from spectra_jax import native
from spectra_jax.data_files import Info
from spectra_jax.spectra import Spectra

SPLIT = 'spectra'  # splits are made by spectra_jax.splits, which keeps groups whole
WORDS = ('axis_unit', 'kind', 'state')


def build(info: Info, spectra: native.Native, folder: pathlib.Path) -> pathlib.Path:
  """Writes `folder`/NAME/VERSION unless it is there; returns it. tfds renames it when it is whole.

  Raises:
    ValueError: spectra that have different columns, or other data in the folder.
  """
  blocks = native.as_list(spectra)
  wanted = set(blocks[0].meta)
  for one in blocks:
    if set(one.meta) != wanted:
      raise ValueError(
        f'the spectra have columns {sorted(one.meta)} and {sorted(wanted)}, expected '
        'the same of all'
      )
  made = _builder_class(info, blocks)(data_dir=folder, file_format='array_record')
  made.download_and_prepare()
  there = made.info.metadata['source']
  if there != blocks[0].source:
    raise ValueError(
      f'{made.data_path} holds other data (sha256 {there[:12]}..., not '
      f'{blocks[0].source[:12]}...), expected the '
      'same or nothing; delete it or use another folder'
    )
  return pathlib.Path(made.data_path)


def _builder_class(info: Info, blocks: list[Spectra]) -> type:
  """A builder class; tfds takes name and version from the class itself."""

  class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version('1.0.0')
    name = info['name']
    url_infos: ClassVar = {}  # nothing is downloaded; looking for their file needs more packages

    def _info(self) -> tfds.core.DatasetInfo:
      return tfds.core.DatasetInfo(
        builder=self,
        description=f'{info["name"]} {info["version"]}, licence: {info["licence"]}',
        citation=info['citation'],
        features=tfds.features.FeaturesDict(_features(blocks[0])),
        disable_shuffling=True,
        metadata=tfds.core.MetadataDict(source=blocks[0].source, version=info['version']),
      )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
      del dl_manager
      return {SPLIT: _examples(blocks)}

    def _generate_examples(self) -> Iterator:
      return _examples(blocks)

  return Builder


def _features(spectra: Spectra) -> dict[str, Any]:
  grids = {'values': np.float32, 'axis': np.float64, 'mask': np.bool_}
  return {
    **{name: tfds.features.Tensor(shape=(None,), dtype=dtype) for name, dtype in grids.items()},
    **{name: tfds.features.Text() for name in WORDS},
    **{name: _column(values.dtype) for name, values in spectra.meta.items()},
  }


def _column(dtype: np.dtype) -> Any:
  return tfds.features.Text() if dtype.kind == 'U' else tfds.features.Scalar(dtype.type)


def _examples(blocks: list[Spectra]) -> Iterator[tuple[int, dict[str, Any]]]:
  key = 0
  for one in blocks:
    words = {name: getattr(one, name) for name in WORDS}
    for row in range(len(one)):
      columns = {
        name: str(values[row]) if values.dtype.kind == 'U' else values[row]
        for name, values in one.meta.items()
      }
      arrays = {'values': np.asarray(one.values[row]), 'mask': np.asarray(one.mask[row])}
      yield key, {**arrays, 'axis': one.axis, **words, **columns}
      key += 1
