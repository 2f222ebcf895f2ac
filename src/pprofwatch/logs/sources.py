"""Where a log's bytes come from: a plain or compressed file, or standard input. What it is, its first bytes tell."""

from __future__ import annotations

import errno
import functools
import os
import re
import stat
import sys
from pathlib import Path
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
        #: Of a pipe, what was only looked at, and how much of that has been read since.
        self._looked_at = bytearray()
        self._read_again = 0

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        if self._looked_at:
            data = bytes(self._looked_at[self._read_again : self._read_again + count])
            self._read_again += len(data)
            if self._read_again == len(self._looked_at):
                self._looked_at, self._read_again = bytearray(), 0
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
        data = self.look(0, count)
        while len(data) < count and (more := self.look(len(data), count - len(data))):
            data += more
        return data

    def look(self, offset: int, count: int) -> bytes:
        """Some of the bytes that stand ``offset`` behind the next one, at most ``count``; none at the end.

        They will be read again. Those between must have been looked at.
        """
        if self.seekable:
            return os.pread(self._descriptor, count, self.position + offset)
        begin = self._read_again + offset
        if begin >= len(self._looked_at):
            self._looked_at += os.read(self._descriptor, count)
        return bytes(self._looked_at[begin : begin + count])

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Look(RawFile):
    """What is in a file from where it is read on, to be read without taking it away."""

    def __init__(self, raw: RawFile) -> None:
        super().__init__(raw.fileno(), owned=False)
        self._raw = raw

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        data = self.look(0, count)
        self.position += len(data)
        return data

    def look(self, offset: int, count: int) -> bytes:
        """See there."""
        return self._raw.look(self.position + offset, count)


def open_raw(path: str) -> RawFile:
    """Open a log for reading; ``-`` is standard input. What can be read once only is opened once only.

    Raises:
        OSError: It can't be opened, or is a folder.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # it was closed
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return _standard_input(sys.stdin.fileno())
    return _pipe(path) if is_pipe(path) else RawFile(_open(path))


def is_pipe(path: str) -> bool:
    """Whether what is there can be read once only, as standard input, a pipe or a device."""
    return path == STANDARD_INPUT or (Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir())


def is_folder(path: str) -> bool:
    """Whether it is a folder: of a target's logs, of several targets', or of profile files."""
    return path != STANDARD_INPUT and Path(path).is_dir()


# The same each time: who reads it must get what somebody else has only looked at.
@functools.lru_cache(maxsize=1)
def _standard_input(descriptor: int) -> RawFile:
    return RawFile(descriptor, owned=False)


@functools.cache
def _pipe(path: str) -> RawFile:
    return RawFile(_open(path), owned=False)


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


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


def is_compressed(magic: bytes) -> bool:
    """Whether a file that begins with these four bytes is compressed, by Zstandard or gzip."""
    return is_zstd(magic) or magic.startswith(_GZIP_MAGIC)


def is_zstd(magic: bytes) -> bool:
    """Whether a file that begins with these four bytes is compressed with Zstandard."""
    return magic == ZSTD_MAGIC or _ZSTD_SKIPPABLE.match(magic) is not None
