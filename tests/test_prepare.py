"""A prepared data set is the one that was read, and a command that dies leaves no half of one."""

import dataclasses
import http.server
import json
import pathlib
import threading

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from configs import pretrain
from experiments import prepare as command
from spectra_jax import data_files, download, model, native, prepared, shards, storage, train
from spectra_jax.datasets import corn, folder, nirsoil, optical_constants, tablets, tecator
from spectra_jax.prepare import prepare
from spectra_jax.spectra import Spectra

CONTENT = np.random.default_rng(0).bytes(300_000)


def write_folder(place: pathlib.Path, count: int = 6, ragged: bool = True) -> pathlib.Path:
  """A folder of text spectra and labels.csv; positive lines, replicates share a group."""
  place.mkdir(parents=True, exist_ok=True)
  lines = ['file,group,label,target/protein,axis_unit,kind']
  for i in range(count):
    axis = 400.0 + (10 + i % 2 if ragged else 10) * np.arange(201)
    values = 1 + 0.5 * np.sin(axis / (50 + i)) ** 2
    text = '\n'.join(f'{x:g},{y:.6f}' for x, y in zip(axis, values, strict=True))
    (place / f's{i}.csv').write_text(text + '\n')
    target = '' if i == 1 else f'{i / 4}'
    lines.append(f's{i}.csv,sample {i // 2},class {i % 3},{target},cm^-1,absorbance')
  (place / 'labels.csv').write_text('\n'.join(lines) + '\n')
  return place


def same(found: native.Native, wanted: native.Native) -> None:
  assert isinstance(found, Spectra) == isinstance(wanted, Spectra)
  found, wanted = native.as_list(found), native.as_list(wanted)
  assert len(found) == len(wanted)
  for one, other in zip(found, wanted, strict=True):
    for name in ('values', 'mask', 'axis'):
      np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ('axis_unit', 'kind', 'state', 'source'):
      assert getattr(one, name) == getattr(other, name)
    assert set(one.meta) == set(other.meta)
    for name, column in other.meta.items():
      np.testing.assert_array_equal(one.meta[name], column)


@pytest.mark.parametrize('ragged', [False, True])
def test_what_was_prepared_is_what_was_read(tmp_path, ragged):
  raw = write_folder(tmp_path / 'raw', ragged=ragged)
  made = prepare('folder', str(tmp_path), str(raw))
  assert made | {'path': ''} == {
    'name': 'folder',
    'spectra': 6,
    'axis': [400.0, 2600.0 if ragged else 2400.0],
    'axis_unit': 'cm^-1',
    'sha256': folder.there(raw)[0],
    'path': '',
  }
  same(folder.read(tmp_path / 'folder'), folder.read(raw))
  axis = np.linspace(350, 2500, 40)
  for rows in (slice(None), slice(2, 5), slice(6, 9)):
    wanted = folder.load(axis, rows, path=str(raw))['absorbance']
    same(folder.load(axis, rows, path=made['path'])['absorbance'], wanted)
  np.testing.assert_array_equal(wanted.values, np.empty((0, 40)))


def test_masks_are_kept(tmp_path):
  spectra = folder.read(write_folder(tmp_path / 'raw'))
  mask = np.array(spectra[3].mask)
  mask[0, 5] = False
  spectra[3] = dataclasses.replace(spectra[3], mask=mask)
  (tmp_path / 'made').mkdir()
  prepared.write(tmp_path / 'made', spectra, folder.INFO)
  same(prepared.read(tmp_path / 'made', folder.INFO), spectra)


def test_a_second_call_writes_nothing_and_other_data_are_refused(tmp_path):
  raw = write_folder(tmp_path / 'raw')
  first = prepare('folder', str(tmp_path / 'd'), str(raw))
  times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'd' / 'folder').iterdir()}
  assert prepare('folder', str(tmp_path / 'd'), str(raw)) == first
  assert prepare('folder', str(tmp_path / 'd')) == first  # without the source, which may be gone
  assert {path: path.stat().st_mtime_ns for path in times} == times
  other = write_folder(tmp_path / 'other', count=4)
  with pytest.raises(ValueError, match=r'holds other data .* use another --data_dir'):
    prepare('folder', str(tmp_path / 'd'), str(other))
  same(folder.read(tmp_path / 'd' / 'folder'), folder.read(raw))


def test_what_a_killed_call_leaves_is_no_data_set_and_is_swept_away(tmp_path, monkeypatch):
  raw = write_folder(tmp_path / 'raw')
  with monkeypatch.context() as patch:  # the machine stops before the manifest is written
    patch.setattr(
      prepared, 'write_json_atomic', lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
      prepare('folder', str(tmp_path / 'd'), str(raw))
  assert not (tmp_path / 'd' / 'folder').exists()
  prepare('folder', str(tmp_path / 'd'), str(raw))
  same(folder.read(tmp_path / 'd' / 'folder'), folder.read(raw))
  assert [p.name for p in (tmp_path / 'd').iterdir() if p.is_dir()] == ['folder']


def test_a_place_that_is_taken_is_left_alone(tmp_path):
  raw = write_folder(tmp_path / 'folder')
  with pytest.raises(ValueError, match='folder exists and was not made by prepare'):
    prepare('folder', str(tmp_path), str(raw))
  assert (raw / 's0.csv').exists()


@pytest.mark.parametrize('name', ['values.npy', 'meta.npz', 'blocks.npz'])
def test_a_damaged_or_missing_file_is_named(tmp_path, name):
  prepare('folder', str(tmp_path), str(write_folder(tmp_path / 'raw')))
  path = tmp_path / 'folder' / name
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  with pytest.raises(ValueError, match=f'{name} is damaged: .* experiments.prepare folder` again'):
    folder.read(tmp_path / 'folder')
  path.unlink()
  with pytest.raises(ValueError, match=f'{name} is missing'):
    prepare('folder', str(tmp_path))


def test_a_folder_of_another_data_set_is_refused(tmp_path):
  prepare('folder', str(tmp_path), str(write_folder(tmp_path / 'raw')))
  with pytest.raises(
    ValueError, match=r'is of spectra_jax native 1 folder 1.0.0, expected .* corn'
  ):
    corn.read(tmp_path / 'folder')
  (tmp_path / 'folder' / 'manifest.json').write_text('[]')
  with pytest.raises(ValueError, match=r'manifest\.json is of something else'):
    folder.read(tmp_path / 'folder')


def test_a_run_takes_a_prepared_folder_in_memory_and_in_shards(tmp_path):
  raw = write_folder(tmp_path / 'raw')
  made = prepare('folder', str(tmp_path), str(raw))
  c = pretrain.get_config('tiny')
  c.dataset.name, c.dataset.folder.path = 'folder', made['path']
  c.data.cache, c.data.shard_rows = str(tmp_path / 'cache'), 4
  in_memory = storage.load(c)['absorbance']
  c.data.storage = 'memmap'
  stored = storage.load(c)['absorbance']
  assert isinstance(stored.values, shards.Sharded)
  same(stored, in_memory)
  c.dataset.folder.path = str(raw)
  same(storage.load(c)['absorbance'], in_memory)


def test_options_that_choose_fewer_rows_than_there_are_leave_no_empty_shards(tmp_path, real_data):
  c = pretrain.get_config('tiny')
  c.dataset.name, c.dataset.rruff_splits.path = 'rruff_splits', str(real_data / 'rruff_splits')
  c.dataset.rruff_splits.subset = 'clean'
  c.axis.low_cm, c.axis.high_cm, c.axis.points = 250.0, 1550.0, 131
  in_memory = storage.load(c)['raman']
  c.data.storage, c.data.cache, c.data.shard_rows = 'memmap', str(tmp_path), 97
  stored = storage.load(c)['raman']
  same(stored, in_memory)
  assert len(stored.values.pieces) == 2


@pytest.mark.parametrize(
  ('low_cm', 'sign', 'words'),
  [
    (380.0, '', 'some absorbance spectra do not cover the axis, .* narrow axis.low_cm'),
    (420.0, '-', 'one absorbance spectrum goes down to -1.5, expected none below 0'),
  ],
)
def test_masked_reconstruction_refuses_what_it_cannot_take(tmp_path, low_cm, sign, words):
  raw = write_folder(tmp_path / 'raw', count=40)
  text = (raw / 's7.csv').read_text()
  (raw / 's7.csv').write_text(text.replace(',', f',{sign}'))
  c = pretrain.get_config('tiny')
  c.dataset.name, c.dataset.folder.path, c.axis.low_cm = 'folder', str(raw), low_cm
  with pytest.raises(ValueError, match=words):
    train.prepare(c, str(tmp_path / 'run'))


@pytest.mark.parametrize(
  ('name', 'source', 'words'),
  [
    ('computed', '', 'data set computed ships with the package'),
    ('nothing', '', "datasets has no 'nothing', expected one of computed, "),
    ('corn', '', 'corn was not downloaded: no licence allows .* get corn.mat from https'),
    ('corn', '/nowhere', 'source /nowhere is not there'),
  ],
)
def test_what_cannot_be_prepared_says_why(tmp_path, name, source, words):
  with pytest.raises((ValueError, OSError), match=words):
    prepare(name, str(tmp_path), source)


def test_a_file_that_is_another_one_is_refused(tmp_path):
  (tmp_path / 'corn.mat').write_bytes(b'corn')
  with pytest.raises(
    ValueError, match=r'source .*corn.mat has sha256 .* expected corn.mat \(e28fd'
  ):
    prepare('corn', str(tmp_path / 'd'), str(tmp_path / 'corn.mat'))
  with pytest.raises(ValueError, match=r'corn.mat has sha256 .* expected e28fd4be274a'):
    prepare('corn', str(tmp_path / 'd'), str(tmp_path))
  (tmp_path / 'corn.mat').unlink()
  with pytest.raises(
    FileNotFoundError, match=r'corn.mat is missing from data set corn; no licence'
  ):
    prepare('corn', str(tmp_path / 'd'), str(tmp_path))


def test_a_manual_file_is_taken_under_any_name(tmp_path, real_data):
  (tmp_path / 'download (1).mat').symlink_to(real_data / 'corn' / 'corn.mat')
  made = prepare('corn', str(tmp_path / 'd'), str(tmp_path / 'download (1).mat'))
  assert (made['spectra'], made['axis'], made['axis_unit']) == (240, [1100.0, 2498.0], 'nm')
  same(corn.read(made['path']), corn.read(real_data / 'corn'))


R_FILES = {  # what the R packages hold, from what was made of it
  tecator: ('tecator/tecator.npz', lambda z: {'absorp': z['X'], 'endpoints': z['Y']}),
  nirsoil: (
    'nirsoil/NIRsoil.npz',
    lambda z: {
      'NIRsoil': {
        'spc': z['X'].astype(np.float64),
        **{name: z[name] for name in ('Nt', 'Ciso', 'CEC', 'train')},
      }
    },
  ),
  tablets: (
    'tablets_idrc2002/shootout.npz',
    lambda z: {'shootout': {k.replace('_', '.'): z[k] for k in z.files if k[-2] == '_'}},
  ),
}


FOLDERS = {  # of the real data -> data set
  'corn': 'corn',
  'jcamp_gas_ir': 'jcamp_folder',
  'nirsoil': 'nirsoil',
  'optical_constants': 'optical_constants',
  'rruff_excellent_unoriented': 'rruff_excellent_unoriented',
  'rruff_lr_samples': 'rruff_archive',
  'rruff_raw_processed_pairs': 'rruff_pairs',
  'rruff_splits': 'rruff_splits',
  'tablets_idrc2002': 'tablets',
  'tecator': 'tecator',
  'ucr_spectra': 'ucr',
  'wheat_kernel': 'wheat_kernels',
}


@pytest.mark.slow  # all of them
def test_every_folder_of_real_data_is_one_prepare_and_one_read(tmp_path, real_data):
  assert set(FOLDERS) == {path.name for path in real_data.iterdir() if path.is_dir()}
  for name, dataset in FOLDERS.items():
    made = prepare(dataset, str(tmp_path), str(real_data / name))
    read = model.component('datasets', dataset).read
    raw = read(real_data / name)
    assert made['spectra'] == sum(len(one) for one in native.as_list(raw))
    same(read(made['path']), raw)


@pytest.mark.slow  # imports pandas and xarray
@pytest.mark.parametrize('dataset', R_FILES, ids=lambda dataset: dataset.INFO['name'])
def test_files_of_r_packages_are_converted(tmp_path, real_data, dataset):
  rdata = pytest.importorskip('rdata')
  name, (path, stored) = dataset.INFO['name'], R_FILES[dataset]
  with np.load(real_data / path) as arrays:
    rdata.write_rda(tmp_path / 'x.RData', stored(arrays))
  rdata.write_rda(tmp_path / 'wrong.rda', {'iris': np.eye(3)})
  made = prepare(name, str(tmp_path / 'd'), str(tmp_path / 'x.RData'))
  same(dataset.read(made['path']), dataset.read((real_data / path).parent))
  with pytest.raises(ValueError, match=f'wrong.rda holds iris, but not what {name} is made of'):
    prepare(name, str(tmp_path / 'e'), str(tmp_path / 'wrong.rda'))
  (tmp_path / 'no.rda').write_bytes(b'no')
  with pytest.raises(ValueError, match=r'no.rda is no RData file that rdata can read'):
    prepare(name, str(tmp_path / 'e'), str(tmp_path / 'no.rda'))


def test_an_npz_of_other_numbers_is_refused(tmp_path, real_data):
  with np.load(real_data / 'tecator' / 'tecator.npz') as stored:
    arrays = dict(stored)
  np.savez(tmp_path / 'tecator.npz', **arrays)  # another file of the same arrays
  same(tecator.read(tmp_path), tecator.read(real_data / 'tecator'))
  arrays['Y'][3, 1] += 1e-12
  np.savez(tmp_path / 'tecator.npz', **arrays)
  with pytest.raises(ValueError, match=r'tecator.npz has sha256 .* expected f8242c5d6e47'):
    tecator.read(tmp_path)


def test_free_files_are_downloaded(tmp_path, real_data, monkeypatch):
  here = real_data / 'optical_constants'
  urls = tuple((here / name).as_uri() for name in optical_constants.INFO['files'])
  monkeypatch.setitem(optical_constants.INFO, 'urls', urls)
  made = prepare('optical_constants', str(tmp_path))
  assert made['spectra'] == 18
  assert made['sha256'] == optical_constants.there(here)[0]


def test_the_last_line_of_the_command_is_json(tmp_path, capsys):
  raw = write_folder(tmp_path / 'raw')
  flags.FLAGS(['prepare'])
  with flagsaver.flagsaver(data_dir=str(tmp_path), source=str(raw)):
    command.main(['prepare', 'folder'])
  line = json.loads(capsys.readouterr().out.splitlines()[-1])
  assert set(line) >= {'name', 'spectra', 'axis', 'sha256'}
  assert json.loads((tmp_path / 'folder.json').read_text()) == line


class Server(http.server.BaseHTTPRequestHandler):
  """Serves CONTENT; breaks off once after `breaks_at` bytes, and knows ranges if it `resumes`."""

  breaks_at, resumes, ranges = 0, True, ()

  def do_GET(self):
    asked = self.headers.get('Range')
    type(self).ranges = (*self.ranges, asked)
    start = int(asked.removeprefix('bytes=').removesuffix('-')) if asked and self.resumes else 0
    if start >= len(CONTENT):
      return self.send_error(416)
    self.send_response(206 if start else 200)
    self.send_header('Content-Length', str(len(CONTENT) - start))
    self.end_headers()
    end = self.breaks_at or len(CONTENT)
    type(self).breaks_at = 0
    return self.wfile.write(CONTENT[start:end])

  def log_message(self, *_):
    pass


@pytest.fixture
def server():
  handler = type('Handler', (Server,), {})
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as serving:
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
    thread.start()
    yield handler, f'http://127.0.0.1:{serving.server_port}/file'
    serving.shutdown()
    thread.join()


@pytest.mark.parametrize('resumes', [True, False])
def test_a_download_goes_on_where_it_broke_off(tmp_path, server, resumes):
  handler, url = server
  handler.breaks_at, handler.resumes = 100_000, resumes
  (tmp_path / 'content').write_bytes(CONTENT)
  sha256 = data_files.sha256(tmp_path / 'content')
  path = tmp_path / 'new' / 'file'
  with pytest.raises(OSError, match=r'broke off \(100000 of 300000 bytes came\); .* again'):
    download.fetch(url, path, sha256)
  assert not path.exists()
  assert path.with_name('file.part').stat().st_size == 100_000
  download.fetch(url, path, sha256)
  assert path.read_bytes() == CONTENT
  assert handler.ranges == (None, 'bytes=100000-')
  download.fetch(url, path, sha256)  # is there
  assert len(handler.ranges) == 2
  assert [found.name for found in path.parent.iterdir()] == ['file']


def test_a_download_of_something_else_is_deleted(tmp_path, server):
  _, url = server
  (tmp_path / 'file.part').write_bytes(CONTENT + b'more')  # so that the range is refused
  with pytest.raises(ValueError, match=r'expected 000000000000\.\.\.; it was deleted'):
    download.fetch(url, tmp_path / 'file', '0' * 64)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('ragged', [False, True])
def test_tfds_reads_it_back_without_tensorflow(tmp_path, ragged):
  import tensorflow_datasets as tfds

  raw = write_folder(tmp_path / 'raw', ragged=ragged)
  for _ in range(2):
    made = prepare('folder', str(tmp_path), str(raw), 'tfds')
  examples = tfds.builder_from_directory(f'{made["path"]}/1.0.0').as_data_source(split='spectra')
  spectra = native.as_list(folder.read(raw))
  rows = [one.take([i]) for one in spectra for i in range(len(one))]
  assert len(examples) == len(rows)
  for example, row in zip(examples, rows, strict=True):
    np.testing.assert_array_equal(example['values'], row.values[0])
    np.testing.assert_array_equal(example['axis'], row.axis)
    assert example['id'].decode() == row.meta['id'][0]
    assert example['kind'].decode() == row.kind
    np.testing.assert_array_equal(example['target/protein'], row.meta['target/protein'][0])
  with pytest.raises(ValueError, match='holds other data'):
    prepare('folder', str(tmp_path), str(write_folder(tmp_path / 'other', 4)), 'tfds')
