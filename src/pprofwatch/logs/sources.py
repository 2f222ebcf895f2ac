"""Where a log's bytes come from: a plain or compressed file, or standard input. What it is, its first bytes tell."""

from __future__ import annotations

import errno
import functools
import os
import re
import stat
import sys
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

STANDARD_INPUT = "-"

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_GZIP_MAGIC = b"\x1f\x8b"
#: What a plain log begins with: a year, or a day of the week.
_PLAIN = re.compile(rb"[A-Za-z0-9 ]*")

#: Told of damage in compressed data: offset and length in the file, and what is wrong.
Report: TypeAlias = "Callable[[int, int, str], None]"


class Source(Protocol):
    """A log's text, as bytes in order."""

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        ...


class RawFile:
    """An open file or pipe, and how far into it reading has got."""

    def __init__(self, descriptor: int, *, owned: bool = True) -> None:
        status = os.fstat(descriptor)
        # Where standard input is a file, who else has it open may have left it anywhere: it is read as a pipe is.
        self.seekable = owned and stat.S_ISREG(status.st_mode)
        self.inode = status.st_ino
        self.size = status.st_size
        self.position = 0
        self._descriptor = descriptor
        self._owned = owned
        self._pushed_back = b""

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        if self._pushed_back:
            data, self._pushed_back = self._pushed_back[:count], self._pushed_back[count:]
        elif self.seekable:
            data = os.pread(self._descriptor, count, self.position)
        else:
            data = os.read(self._descriptor, count)
        self.position += len(data)
        return data

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def current_size(self) -> int:
        """How many bytes the file has now."""
        return os.fstat(self._descriptor).st_size

    def seek(self, offset: int) -> None:
        """Go on reading at ``offset``, if the file is seekable."""
        self.position = offset

    def read_at(self, offset: int, count: int) -> bytes:
        """The ``count`` bytes at ``offset``, if the file is seekable; fewer where it ends before."""
        return os.pread(self._descriptor, count, offset)

    def peek(self, count: int) -> bytes:
        """The next bytes, ``count`` of them unless the file ends before; they will be read again."""
        if self.seekable:
            return os.pread(self._descriptor, count, self.position)
        while len(self._pushed_back) < count and (more := os.read(self._descriptor, count - len(self._pushed_back))):
            self._pushed_back += more
        return self._pushed_back[:count]

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_raw(path: str) -> RawFile:
    """Open a log for reading; ``-`` is standard input.

    Raises:
        OSError: It can't be opened, or is a folder.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # it was closed
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return _standard_input(sys.stdin.fileno())
    return RawFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


@functools.lru_cache(maxsize=1)
def _standard_input(descriptor: int) -> RawFile:
    """The same each time: who reads it must get what somebody else has only peeked at."""
    return RawFile(descriptor, owned=False)


def decoded(raw: RawFile, path: str, report: Report) -> Source:
    """The text in a file, decompressed where its first bytes say that it is compressed.

    Args:
        raw: The file, at its beginning.
        path: Its path, which only matters where the first bytes are damaged.
        report: Called with damage in compressed data: offset and length in the file, and what is wrong.
    """
    magic = raw.peek(4)
    damaged_zstd = path.endswith(".zst") and not _PLAIN.fullmatch(magic)
    is_gzip = magic.startswith(_GZIP_MAGIC)
    if not (is_zstd(magic) or damaged_zstd or is_gzip):
        return raw
    from pprofwatch.logs.compressed import GzipSource, ZstdSource  # noqa: PLC0415  # plain logs need none of it

    return GzipSource(raw, report) if is_gzip else ZstdSource(raw, report)


def is_zstd(magic: bytes) -> bool:
    """Whether a file that begins with these four bytes is compressed with Zstandard."""
    return magic == ZSTD_MAGIC or _ZSTD_SKIPPABLE.match(magic) is not None
