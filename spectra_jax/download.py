"""One file from the network: resumed where it broke off, and kept only if its sha256 is right."""

import http.client
import os
import pathlib
import urllib.error
import urllib.request

from spectra_jax import data_files

CHUNK = 2**20  # bytes
TIMEOUT_S = 60.0
PARTIAL, RANGE_REFUSED = 206, 416  # HTTP


def fetch(url: str, path: pathlib.Path, sha256: str) -> None:
  """Makes `path` the file of that sha256, from `url` unless it is there; whole or not at all.

  What was loaded lies in path + '.part' until it is whole; another call goes on from there where
  the server allows it.

  Raises:
    OSError: the network or the disk gave up; what was loaded stays.
    ValueError: the file is another one; it is deleted.
  """
  if path.is_file() and data_files.sha256(path) == sha256:
    return
  part = path.with_name(f'{path.name}.part')
  path.parent.mkdir(parents=True, exist_ok=True)
  try:
    _load(url, part)
  except (OSError, http.client.HTTPException) as error:
    raise OSError(
      f'{url} broke off ({error}); what was loaded stays in {part}; run the same command again, or '
      'download the file by hand and give it as --source'
    ) from error
  found = data_files.sha256(part)
  if found != sha256:
    part.unlink()
    raise ValueError(
      f'{url} gave a file of sha256 {found[:12]}..., expected {sha256[:12]}...; it was deleted; '
      'try again, or give the right file as --source'
    )
  os.replace(part, path)


def _load(url: str, part: pathlib.Path) -> None:
  """Appends to `part` what it still lacks, or loads it anew where the server sends all of it."""
  there = part.stat().st_size if part.exists() else 0
  request = urllib.request.Request(url, headers={'Range': f'bytes={there}-'} if there else {})
  try:
    answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
  except urllib.error.HTTPError as error:
    if there and error.code == RANGE_REFUSED:  # nothing is lacking, or the file is another one now
      return
    raise
  with answer, open(part, 'ab' if answer.status == PARTIAL else 'wb') as file:
    wanted = answer.headers.get('Content-Length')
    loaded = 0
    while chunk := answer.read(CHUNK):
      file.write(chunk)
      loaded += len(chunk)
    file.flush()
    os.fsync(file.fileno())
  if wanted is not None and loaded != int(wanted):
    raise OSError(f'{loaded} of {wanted} bytes came')
