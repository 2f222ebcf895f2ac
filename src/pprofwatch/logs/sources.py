"""Where a log's bytes come from: a plain or compressed file, or standard input. What it is, its first bytes tell."""

from __future__ import annotations

import gzip
import os
import re
import stat
import sys
import zlib
from typing import IO, TYPE_CHECKING, Protocol, Self, TypeAlias, cast

from pprofwatch.logs import seal
from pprofwatch.logs.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

if TYPE_CHECKING:
    from collections.abc import Callable

STANDARD_INPUT = "-"

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
_GZIP_MAGIC = b"\x1f\x8b"
#: What a plain log begins with: a year, or a day of the week.
_PLAIN = re.compile(rb"[A-Za-z0-9 ]*")
#: Compressed bytes taken from a file at a time.
_BLOCK = 128 << 10
#: Of a file that is searched for frames, taken at a time.
_SEARCHED = 1 << 20
#: The longest window that is decompressed, as the power of two: what ``zstd --long`` makes, 128 MiB.
_WINDOW_LOG_MAX = 27

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
        return RawFile(sys.stdin.fileno(), owned=False)
    return RawFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


def decoded(raw: RawFile, path: str, report: Report) -> Source:
    """The text in a file, decompressed where its first bytes say that it is compressed.

    Args:
        raw: The file, at its beginning.
        path: Its path, which only matters where the first bytes are damaged.
        report: Called with damage in compressed data: offset and length in the file, and what is wrong.
    """
    magic = raw.peek(4)
    damaged_zstd = path.endswith(".zst") and not _PLAIN.fullmatch(magic)
    if is_zstd(magic) or damaged_zstd:
        return ZstdSource(raw, report)
    if magic.startswith(_GZIP_MAGIC):
        return GzipSource(raw, report)
    return raw


def is_zstd(magic: bytes) -> bool:
    """Whether a file that begins with these four bytes is compressed with Zstandard."""
    return magic == _ZSTD_MAGIC or _ZSTD_SKIPPABLE.match(magic) is not None


def find_frames(raw: RawFile) -> list[int]:
    """Where Zstandard frames seem to begin in a seekable file: offsets. By chance, other bytes may look the same."""
    frames: list[int] = []
    overlap = len(_ZSTD_MAGIC) - 1
    for begin in range(0, raw.size, _SEARCHED):
        block = raw.read_at(begin, _SEARCHED + overlap)
        found = -1
        while (found := block.find(_ZSTD_MAGIC, found + 1)) >= 0:
            frames.append(begin + found)
    return frames


class ZstdSource:
    """Zstandard frames, one after the other. After a damaged one it goes on with the next.

    Attributes:
        awaited_text: Where the text of the frame begins that stands at ``awaited`` in the file, once it has been
            reached; both in bytes.
    """

    def __init__(self, raw: RawFile, report: Report, *, awaited: int | None = None) -> None:
        self.awaited_text: int | None = None
        self._awaited = awaited
        self._text = 0
        self._raw = raw
        self._report = report
        self._waiting = b""  # compressed bytes that no decoder has seen
        self._fresh = True
        self._pass_broken_seal()
        self._start_frame()

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        while True:
            if self._decoder.eof:
                self._waiting = self._decoder.unused_data
                self._start_frame()
            if self._decoder.needs_input and not self._waiting:
                self._waiting = self._raw.read(_BLOCK)
                if not self._waiting:
                    if self._fresh or not self._find_next_frame(b"", "ends too early"):
                        return b""
                    continue
            try:
                block, self._waiting = self._waiting, b""
                data = self._decoder.decompress(block, count)
            except ZstdError as error:
                if not self._find_next_frame(block, f"is damaged ({error})"):
                    return b""
                continue
            self._fresh = False
            if data:
                self._text += len(data)
                return data

    def _pass_broken_seal(self) -> None:
        """Begin at the first frame, into which a damaged seal may seem to reach."""
        head = self._raw.peek(2 * seal.LENGTH)
        if seal.is_broken_seal(head) and (first := head.find(_ZSTD_MAGIC)) > 0:
            self._raw.read(first)
            self._report(0, first, "the seal is damaged")

    def _start_frame(self) -> None:
        self._decoder = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG_MAX})
        self._frame_at = self._raw.position - len(self._waiting)
        self._fresh = True
        if self._frame_at == self._awaited:
            self.awaited_text = self._text

    def _find_next_frame(self, block: bytes, what: str) -> bool:
        """Report the frame that is being read, and go on at the next one; False if there is none."""
        frame_at = self._frame_at
        if self._raw.seekable:
            # The damage may have led the decoder past the beginning of other frames: go back.
            self._raw.seek(frame_at + 1)
            block = b""
        else:
            block = block[max(0, frame_at + 1 - (self._raw.position - len(block))) :]
        while (found := block.find(_ZSTD_MAGIC)) < 0:
            more = self._raw.read(_BLOCK)
            if not more:
                break
            block = block[-len(_ZSTD_MAGIC) + 1 :] + more
        self._waiting = block[found:] if found >= 0 else b""
        self._start_frame()
        self._report(frame_at, self._frame_at - frame_at, f"compressed data {what}")
        return found >= 0


class GzipSource:
    """Gzip members, one after the other, up to the first damage."""

    def __init__(self, raw: RawFile, report: Report) -> None:
        self._raw = raw
        self._report = report
        self._file = gzip.GzipFile(fileobj=cast("IO[bytes]", raw), mode="rb")  # it reads, and no more
        self._damaged = False

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        if self._damaged:
            return b""
        try:
            return self._file.read1(count)
        except EOFError:
            self._stop("compressed data ends too early")
        except (gzip.BadGzipFile, zlib.error) as error:
            self._stop(f"compressed data is damaged ({error})")
        return b""

    def _stop(self, reason: str) -> None:
        self._damaged = True
        offset = self._raw.position
        while self._raw.read(_BLOCK):
            pass
        self._report(offset, max(self._raw.position - offset, 1), reason)
