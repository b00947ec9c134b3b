"""Reads TensorBoard's event files back: records framed by their length and masked CRCs."""

import pathlib
import struct
from collections.abc import Iterator

from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event


def read(folder: pathlib.Path) -> Iterator[Event]:
  """All events of a folder, file by file; both checksums of each record must hold."""
  for path in sorted(folder.iterdir()):
    content, place = path.read_bytes(), 0
    while place < len(content):
      (size,) = struct.unpack_from('<Q', content, place)
      head, body = content[place : place + 8], content[place + 12 : place + 12 + size]
      assert struct.unpack_from('<I', content, place + 8) == (_masked(head),)
      assert struct.unpack_from('<I', content, place + 12 + size) == (_masked(body),)
      yield Event.FromString(body)
      place += size + 16


def _masked(content: bytes) -> int:
  crc = crc32c(content)
  return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
