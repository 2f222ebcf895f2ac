"""The seal before a compressed segment: how long all that follows is, and its checksum.

Each entry has a checksum of its own. But a file that was cut between two frames, or whose frames changed places, holds
good entries alone; and there are bits in a frame that a decoder ignores. The seal is a frame that ``zstd`` skips
(RFC 8878, section 3.1.2), with a line of text in it: ``pprofwatch bytes=000000123456 crc32=5e8f1a2b``.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pprofwatch.logs.sources import RawFile

_WORD = b"pprofwatch"
_LINE = re.compile(_WORD + rb" bytes=(\d{12}) crc32=([0-9a-f]{8})\n")
_LINE_LENGTH = len(_WORD) + 35
_HEAD = b"\x50\x2a\x4d\x18" + _LINE_LENGTH.to_bytes(4, "little")
#: How long a seal is, in bytes.
LENGTH = len(_HEAD) + _LINE_LENGTH
_BLOCK = 256 << 10


class Seal(NamedTuple):
    """What a seal says of the bytes behind it."""

    size: int
    crc32: int

    def encode(self) -> bytes:
        """The seal as it stands in the file."""
        return _HEAD + _WORD + b" bytes=%012d crc32=%08x\n" % self


def parse_seal(data: bytes) -> Seal | None:
    """The seal that ``data``, a file's beginning, begins with, or None."""
    match = _LINE.fullmatch(data, len(_HEAD), LENGTH)
    return Seal(int(match[1]), int(match[2], 16)) if match and data.startswith(_HEAD) else None


def is_broken_seal(data: bytes) -> bool:
    """Whether ``data``, a file's beginning, began with a seal before it was damaged."""
    return parse_seal(data) is None and (data.startswith(_HEAD) or _WORD in data[:LENGTH])


def is_sealed(raw: RawFile, seal: Seal) -> bool:
    """Whether what stands behind the seal of a seekable file is what it says. Reads all of it.

    Raises:
        OSError: The file can't be read.
    """
    if raw.size != LENGTH + seal.size:
        return False
    offset, crc32 = LENGTH, 0
    while block := raw.read_at(offset, _BLOCK):
        offset += len(block)
        crc32 = zlib.crc32(block, crc32)
    return (offset - LENGTH, crc32) == seal
