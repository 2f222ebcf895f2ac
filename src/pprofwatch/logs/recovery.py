"""What a live segment that was left behind needs before it is appended to: where its last whole entry ends."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pprofwatch.logs.entry import MAX_HEADER, ScannedEntry, parse_header
from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.search import parse_line
from pprofwatch.logs.sources import RawFile
from pprofwatch.logs.window import Window

#: How much of a segment's end is read at first, in bytes: mostly, its last entry is not longer.
_TAIL = 256 << 10
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_TIME_SHAPE = b"0000-00-00T00:00:00.000Z "


@dataclass(frozen=True, slots=True)
class Recovery:
    """The state of a segment.

    ``end`` is the offset in bytes where the next entry belongs: what stands behind it, if anything, is what was written
    of an entry by a daemon that was killed then. ``began`` is the first entry's time in Unix seconds, None if there is
    none. ``usable`` is False where something else stands behind the last entry: nothing may be cut or appended there.
    """

    end: int
    began: float | None
    usable: bool = True


def examine(descriptor: int) -> Recovery:
    """Find where the last whole entry of a live segment ends. Reads little, unless that entry is torn.

    An entry is whole if it has its full length. Its checksum doesn't matter here: a write that was cut short leaves too
    few bytes, and an entry damaged in another way was recorded once, and is for readers to report.
    """
    size = os.fstat(descriptor).st_size
    first = os.pread(descriptor, MAX_HEADER, 0)
    header = parse_line(first[: first.find(b"\n") + 1])
    if header is not None and _ends_whole(os.pread(descriptor, _TAIL, max(0, size - _TAIL))):
        return Recovery(size, header.time)
    end, began = _scan(descriptor)
    return Recovery(end, began, usable=end == size or is_left_over(descriptor, end))


def is_left_over(descriptor: int, offset: int) -> bool:
    """Whether what stands from ``offset`` on is what a kill or a loss of power leaves of the entry being written."""
    length = os.fstat(descriptor).st_size - offset
    return _is_torn(os.pread(descriptor, MAX_HEADER, offset), length) or _is_zeros(descriptor, offset)


def _ends_whole(tail: bytes) -> bool:
    """Whether an entry of ours ends exactly where ``tail`` does, and begins in it."""
    length_at = len(tail)
    while tail.endswith(b"\n") and (length_at := tail.rfind(b" bytes=", 0, length_at)) >= 0:
        line_at = tail.rfind(b"\n", max(0, length_at - MAX_HEADER), length_at) + 1
        line_end = tail.find(b"\n", length_at, length_at + MAX_HEADER)
        header = parse_header(tail[line_at:line_end])
        if header is not None and header.length is not None:
            body_end = line_end + 1 + header.length
            if body_end + (tail[body_end - 1 : body_end] != b"\n") == len(tail):
                return True
    return False


def _scan(descriptor: int) -> tuple[int, float | None]:
    """Where the last whole entry of ours ends, and the time of the first entry of any kind."""
    began: float | None = None
    last: ScannedEntry | None = None
    with RawFile(os.dup(descriptor)) as raw:
        for entry in Scanner(Window(raw), lambda *_: None, first_lines=True).entries():
            began = entry.header.time if began is None else began
            if entry.header.length is not None:
                last = entry
    if last is None:
        return 0, began
    # A body without a newline gets one: where it is missing, the entry is torn.
    return (last.end if os.pread(descriptor, 1, last.end - 1) == b"\n" else last.offset), began


def _is_torn(tail: bytes, length: int) -> bool:
    """Whether ``tail``, and nothing after it if ``length`` is no more, is the beginning of an entry of ours."""
    line, newline, _ = tail.partition(b"\n")
    if not newline:
        shape = line[: len(_TIME_SHAPE)].translate(_DIGITS_TO_ZERO)
        return length <= MAX_HEADER and _TIME_SHAPE.startswith(shape)
    header = parse_header(line)
    return header is not None and header.length is not None and len(line) + 1 + header.length + 1 > length


def _is_zeros(descriptor: int, offset: int) -> bool:
    """Whether only zeros follow: where power was lost, blocks that were never written can have been added."""
    while block := os.pread(descriptor, _TAIL, offset):
        if block.strip(b"\0"):
            return False
        offset += len(block)
    return True
