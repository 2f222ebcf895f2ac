"""A compressed log's text: Zstandard frames or gzip members, and what of them can be read where some are damaged."""

from __future__ import annotations

import gzip
import zlib
from typing import IO, TYPE_CHECKING, cast

from pprofwatch.logs import seal
from pprofwatch.logs.sources import ZSTD_MAGIC
from pprofwatch.logs.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

if TYPE_CHECKING:
    from pprofwatch.logs.sources import RawFile, Report

#: Compressed bytes taken from a file at a time.
_BLOCK = 128 << 10
#: Of a file that is searched for frames, taken at a time.
_SEARCHED = 1 << 20
#: A Zstandard block's header, in bytes; the number of the kind that is one byte, repeated; and a flag of a frame.
_BLOCK_HEADER = 3
_RUN_LENGTH = 1
_SINGLE_SEGMENT = 0x20
#: The longest window that is decompressed, as the power of two: what ``zstd --long`` makes, 128 MiB.
_WINDOW_LOG_MAX = 27


def find_frames(raw: RawFile) -> list[int]:
    """Where Zstandard frames seem to begin in a seekable file: offsets. By chance, other bytes may look the same."""
    frames: list[int] = []
    overlap = len(ZSTD_MAGIC) - 1
    for begin in range(0, raw.size, _SEARCHED):
        block = raw.read_at(begin, _SEARCHED + overlap)
        found = -1
        while (found := block.find(ZSTD_MAGIC, found + 1)) >= 0:
            frames.append(begin + found)
    return frames


def first_torn_block(raw: RawFile, frame_at: int) -> int:
    """Where the first block stands that a seekable file, cut short in its last Zstandard frame, has not whole.

    All blocks before it were read, and of it at most what was stored as it is. Where there are none, it is where the
    frame begins; where it was cut between two blocks, it is the file's end. The forms are those of RFC 8878, sections
    3.1.1.1 and 3.1.1.2.
    """
    magic_and_descriptor = raw.read_at(frame_at, len(ZSTD_MAGIC) + 1)
    if len(magic_and_descriptor) <= len(ZSTD_MAGIC) or not magic_and_descriptor.startswith(ZSTD_MAGIC):
        return frame_at
    descriptor = magic_and_descriptor[-1]
    has_window = not descriptor & _SINGLE_SEGMENT
    size_bytes = (int(not has_window), 2, 4, 8)[descriptor >> 6]
    first = at = frame_at + len(magic_and_descriptor) + has_window + (0, 1, 2, 4)[descriptor & 3] + size_bytes
    while len(header := raw.read_at(at, _BLOCK_HEADER)) == _BLOCK_HEADER:
        number = int.from_bytes(header, "little")
        is_last, kind, size = number & 1, number >> 1 & 3, number >> 3
        after = at + _BLOCK_HEADER + (1 if kind == _RUN_LENGTH else size)
        if after > raw.size:
            break
        at = after
        if is_last:  # and a checksum should follow
            break
    return frame_at if at == first else min(at, raw.size)


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
                    if self._fresh or not self._find_next_frame(b"", "ends too early", is_cut=True):
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
        if seal.is_broken_seal(head) and (first := head.find(ZSTD_MAGIC)) > 0:
            self._raw.read(first)
            self._report(0, first, "the seal is damaged")

    def _start_frame(self) -> None:
        self._decoder = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG_MAX})
        self._frame_at = self._raw.position - len(self._waiting)
        self._fresh = True
        if self._frame_at == self._awaited:
            self.awaited_text = self._text

    def _find_next_frame(self, block: bytes, what: str, *, is_cut: bool = False) -> bool:
        """Report the frame that is being read, and go on at the next one; False if there is none.

        Of one that ``is_cut``, ending where the file does, what could be read is left out of the report.
        """
        frame_at = self._frame_at
        begin = frame_at
        if self._raw.seekable:
            # The damage may have led the decoder past the beginning of other frames: go back.
            self._raw.seek(frame_at + 1)
            block = b""
        else:
            block = block[max(0, frame_at + 1 - (self._raw.position - len(block))) :]
        while (found := block.find(ZSTD_MAGIC)) < 0:
            more = self._raw.read(_BLOCK)
            if not more:
                break
            block = block[-len(ZSTD_MAGIC) + 1 :] + more
        self._waiting = block[found:] if found >= 0 else b""
        if found < 0 and is_cut and self._raw.seekable:
            begin = first_torn_block(self._raw, frame_at)
        self._start_frame()
        self._report(begin, max(self._frame_at - begin, 1), f"compressed data {what}")
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
