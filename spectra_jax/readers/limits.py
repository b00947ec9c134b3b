"""How much a reader takes in before it refuses, and how archives are opened within that."""

import dataclasses
import io
import pathlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

MIB = 2**20
HIDDEN = ('__MACOSX/', '.')  # what macOS adds to archives
END_OF_ARCHIVE = b'PK\x05\x06'
LARGEST_COMMENT = 2**16
LARGEST_ENTRY = 1024  # bytes of a member in the directory: 46, its name and extras
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error)


@dataclasses.dataclass(frozen=True)
class Limits:
  """Largest sizes; a file beyond them is refused before it is read."""

  file_bytes: int = 64 * MIB  # one file, or one member of an archive, unpacked
  archive_bytes: int = 512 * MIB  # an archive, and all its members together, unpacked
  members: int = 10_000
  ratio: int = 100  # unpacked / packed bytes of a member


LIMITS = Limits()


def read_bytes(path: pathlib.Path, limits: Limits) -> bytes:
  """A file's content.

  Raises:
    ValueError: no file, an empty one or one above `limits.file_bytes`.
  """
  _check_size(path, limits.file_bytes)
  with open(path, 'rb') as file:
    return file.read(limits.file_bytes)


def is_archive(path: pathlib.Path) -> bool:
  """True for a zip, by its first bytes."""
  if not path.is_file():
    return False
  with open(path, 'rb') as file:
    return file.read(4) in (b'PK\x03\x04', END_OF_ARCHIVE)


def members(path: pathlib.Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
  """(name, content) of every file in a zip; nothing is ever written to disk.

  Raises:
    ValueError: a damaged archive, more or larger members than `limits`, a member that inflates
      like a bomb, is encrypted or a link, or whose name leads out of the archive.
  """
  _check_size(path, limits.archive_bytes)
  _check_directory(path, limits)
  try:
    with zipfile.ZipFile(path) as archive:
      yield from _contents(archive, limits)
  except (RuntimeError, NotImplementedError, *DAMAGED) as error:
    if type(error) is ValueError:
      raise
    raise ValueError(f'the archive is damaged ({error}); download or pack it again') from error


def _contents(archive: zipfile.ZipFile, limits: Limits) -> Iterator[tuple[str, bytes]]:
  for info in archive.infolist():
    _check_member(info, limits)
  infos = [i for i in archive.infolist() if not (i.is_dir() or i.filename.startswith(HIDDEN))]
  total = sum(info.file_size for info in infos)
  if total > limits.archive_bytes:
    raise ValueError(
      f'the members have {total} bytes unpacked, expected at most {limits.archive_bytes}; raise '
      'limits.archive_bytes or read fewer at a time'
    )
  if not infos:
    raise ValueError('the archive holds no file, expected spectra; pack it again')
  for info in infos:
    with archive.open(info) as member:
      data = member.read(limits.file_bytes + 1)  # the stated size may be a lie
    if len(data) != info.file_size:
      raise ValueError(
        f'member {info.filename} has {len(data)} bytes, expected {info.file_size}; pack it again'
      )
    yield info.filename, data


def _check_member(info: zipfile.ZipInfo, limits: Limits) -> None:
  name = info.filename
  parts = name.replace('\\', '/').split('/')
  if not name or name.startswith(('/', '\\')) or '..' in parts or ':' in parts[0]:
    raise ValueError(f'member {name!r} leads out of the archive, expected plain names; rename it')
  if stat.S_ISLNK(info.external_attr >> 16):
    raise ValueError(f'member {name!r} is a link, expected plain files; pack the file itself')
  if info.flag_bits & 1:
    raise ValueError(f'member {name!r} is encrypted, expected plain files; unpack the archive')
  if info.file_size > limits.file_bytes:
    raise ValueError(
      f'member {name!r} has {info.file_size} bytes, expected at most {limits.file_bytes}; raise '
      'limits.file_bytes'
    )
  if info.file_size > limits.ratio * max(info.compress_size, 1):
    raise ValueError(
      f'member {name!r} inflates from {info.compress_size} to {info.file_size} bytes, expected at '
      f'most {limits.ratio} times as many; raise limits.ratio if it is no bomb'
    )


def _check_size(path: pathlib.Path, largest: int) -> None:
  if not path.is_file():
    raise ValueError('there is no such file, expected a spectrum; mind the spelling')
  size = path.stat().st_size
  if size == 0:
    raise ValueError('the file is empty, expected a spectrum; copy or export it again')
  if size > largest:
    raise ValueError(f'the file has {size} bytes, expected at most {largest}; raise limits=')


def _check_directory(path: pathlib.Path, limits: Limits) -> None:
  """Refuses too many members before `zipfile` makes an object of each."""
  with open(path, 'rb') as file:
    file.seek(max(0, path.stat().st_size - LARGEST_COMMENT - 22))
    tail = file.read()
  at = tail.rfind(END_OF_ARCHIVE)
  if at < 0 or len(tail) < at + 22:
    raise ValueError('the archive has no directory, expected a whole zip; copy or pack it again')
  count, size = struct.unpack_from('<HI', tail, at + 10)
  if count > limits.members or size > limits.members * LARGEST_ENTRY:
    raise ValueError(
      f'the archive has {count} members or more, expected at most {limits.members}; raise '
      'limits.members or read fewer at a time'
    )


def inflated(data: bytes, largest: int) -> bytes:
  """`data` without its zlib compression.

  Raises:
    ValueError: damaged, or more than `largest` bytes.
  """
  stream, out = zlib.decompressobj(), io.BytesIO()
  try:
    out.write(stream.decompress(data, largest + 1))
  except zlib.error as error:
    raise ValueError(f'a compressed part is damaged ({error}); copy the file again') from error
  if out.tell() > largest:
    raise ValueError(
      f'a compressed part inflates beyond {largest} bytes, expected at most that; save '
      'it without compression if it is no bomb'
    )
  return out.getvalue()
