"""Stepping quickly through what is plainly whole in a log.

Each function yields entries, and returns the offset of the first that wants a closer look: damage, a failed poll of a
shell loop, a line that is longer than usual, the log's end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.logs.entry import MAX_BODY, Header, ScannedEntry, is_undamaged, parse_header
from pprofwatch.logs.foreign import MAX_DATE_LINE, parse_date_line, profile_name
from pprofwatch.logs.search import LENGTH, RECORD, TOTAL

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pprofwatch.logs.window import Window

#: No profile's first line is longer, in bytes.
_LONG = 1024


def skim_own(
    window: Window, offset: int, wanted: Callable[[Header], bool], *, first_lines: bool
) -> Generator[ScannedEntry, None, int]:
    """Step from header to header of ours, as long as each stands where the one before it says.

    Args:
        window: The log.
        offset: Where an entry begins.
        wanted: Which entries to yield.
        first_lines: Cut bodies to their first line; their checksums are then not looked at.
    """
    data = window.glimpse(offset)
    header, line_end = _own_header(data)
    while header is not None and header.length is not None:
        window.keep = offset
        body: bytes | None = b""
        if is_wanted := wanted(header):
            if first_lines:
                body = _line_within(data, line_end + 1, header.length)
            else:
                body = window.piece(offset + line_end + 1, header.length)
                body = body if is_undamaged(body, header) else None
        end = offset + line_end + 1 + header.length
        behind = window.glimpse(end - 1)
        # A body without a newline gets one.
        added = not behind.startswith(b"\n") and behind.startswith(b"\n", 1)
        data = behind[1 + added :]
        next_header, next_line_end = _own_header(data)
        if body is None or not behind or (data and (next_header is None or next_header.is_checked < header.is_checked)):
            break
        if is_wanted:
            yield ScannedEntry(offset, end + added, header, body)
        offset, header, line_end = end + added, next_header, next_line_end
    return offset


def skim_loop(
    window: Window, offset: int, line: bytes, header: Header, wanted: Callable[[Header], bool], *, first_lines: bool
) -> Generator[ScannedEntry, None, int]:
    """Step from first line to first line of a shell loop's log, as long as dates and profiles alternate.

    Args:
        window: The log.
        offset: Where an entry begins.
        line: The date there, with its newline.
        header: What it says.
        wanted: Which entries to yield.
        first_lines: Cut bodies to their first line.
    """
    while True:
        window.keep = offset
        body_at = offset + len(line)
        first_line = window.line(body_at, _LONG)
        profile = profile_name(first_line)
        if not profile or TOTAL not in first_line or LENGTH in first_line or not first_line.endswith(b"\n"):
            return offset
        date_at = _find_date(window, body_at + len(first_line))
        if date_at is None:
            return offset
        next_line = window.line(date_at, MAX_DATE_LINE + 1)
        next_header = parse_date_line(next_line[:-1])
        if next_header is None:
            return offset
        header = header._replace(profile=profile)
        if wanted(header):
            body = first_line[:-1] if first_lines else window.read(body_at, date_at - body_at)
            yield ScannedEntry(offset, date_at, header, body)
        offset, line, header = date_at, next_line, next_header


def _find_date(window: Window, start: int) -> int | None:
    """Where the date before the next profile behind ``start`` is, if both stand as they mostly do."""
    searched = start
    while (found := window.data.find(TOTAL, searched - window.base)) < 0:
        if window.at_end or window.end - start > MAX_BODY:
            return None
        searched = max(searched, window.end - len(TOTAL))
        window.read_on()
    data, begin = window.data, start - window.base
    profile_at = data.rfind(b"\n", begin, found) + 1
    date_at = data.rfind(b"\n", begin, profile_at - 1) + 1 if profile_at else 0
    if not date_at:
        return None
    last_end = date_at - data.endswith(b"\n\n", begin, date_at)
    last_at = data.rfind(b"\n", begin, last_end - 1) + 1
    if not last_at or not data.startswith(b"#\t0x", last_at) or data.find(LENGTH, last_at, found) >= 0:
        return None
    # A heap, block or mutex profile may have been passed over: their records have another form.
    record = data.rfind(b" @", begin, last_at)
    record_at = max(data.rfind(b"\n", begin, record) + 1, begin)
    return window.base + date_at if record >= 0 and RECORD.match(data, record_at) else None


def _own_header(data: bytes) -> tuple[Header | None, int]:
    """The header of ours that ``data`` begins with, if it does, and where its line ends."""
    line_end = data.find(b"\n")
    return (parse_header(data[:line_end]) if line_end >= 0 else None), line_end


def _line_within(data: bytes, start: int, length: int) -> bytes | None:
    """The first line of so many bytes in ``data``, without its newline; None where more must be read to find it."""
    line_end = data.find(b"\n", start, start + length)
    if line_end < 0:
        return data[start : start + length] if start + length <= len(data) else None
    return data[start:line_end]
