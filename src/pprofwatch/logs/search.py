"""Finding the next header line in a log's bytes, where nothing says how far away it is."""

from __future__ import annotations

import re

from pprofwatch.logs.entry import MAX_HEADER, Header, parse_header
from pprofwatch.logs.foreign import MARKS, MAX_DATE_LINE, MIN_DATE_LINE, parse_date_line, profile_name

_OWN_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")
#: What stands in each header of ours, in the first line of each profile that counts goroutines or threads, and at the
#: beginning of each of its records.
LENGTH = b" bytes="
TOTAL = b" profile: total "
RECORD = re.compile(rb"\d+ @")
#: A line that may be a date, after the newline before it.
_DATE_LINE = re.compile(
    rf"\n([{re.escape(MARKS)}]{{0,{MAX_DATE_LINE}}}+(?:[MTWFS][a-z]{{2,8}},? |\d{{4}}-\d\d-\d\d[T ]|[12]\d{{9,12}}\b)"
    rf"[^\n]{{0,{MAX_DATE_LINE}}})(?=\n)".encode()
)
#: What stands in a profile that counts goroutines or threads behind its first line, beside blank lines.
_PROFILE_LINE = re.compile(rb"#\t0x|# labels: |\d+ @")
#: Lines that are no profile's are looked at one by one, back from the next profile, for so many bytes.
_WALK = 64 << 10


def parse_line(line: bytes) -> Header | None:
    """The header, of ours or a date, in a line. It must end in its newline: else it may be torn."""
    if not line.endswith(b"\n"):
        return None
    return parse_header(line[:-1]) or parse_date_line(line[:-1])


def find_header(data: bytes, start: int) -> int:
    """Where the first header line at or after ``start`` begins, or -1.

    Ours may begin anywhere, also in the middle of a line that damage or a careless ``cat`` made of two. A date must be
    a line of its own. A line that the end of ``data`` cuts is none.

    Args:
        data: A stretch of a log.
        start: Where to begin: at the beginning of a line.
    """
    date = _find_date(data, start)
    own = _find_own(data, start, date + MAX_HEADER if date >= 0 else len(data))
    if own < 0 or date < 0:
        return max(own, date)
    return min(own, date)


def find_behind_profile(data: bytes, start: int) -> int:
    """What ``find_header`` finds, where ``start`` is inside of a profile that counts goroutines or threads; faster.

    Most of a shell loop's log is such profiles, and looking at the beginning of each line takes several times as long
    as looking for the next ``profile: total``. What stands between the end of one and the next, and no more, is then
    gone through line by line: the next header, and before it those of polls that brought no profile.
    """
    while True:
        profile_at = _next_profile(data, start)
        stop = max(data.rfind(b"\n", start) + 1, start) if profile_at < 0 else profile_at
        first, line_end = -1, stop
        while line_end > start:
            line_at = max(data.rfind(b"\n", start, line_end - 1) + 1, start)
            if stop - line_at > _WALK:
                return find_header(data, start)
            is_profile = _PROFILE_LINE.match(data, line_at, line_end)
            if (own := _find_own(data, line_at, line_end)) >= 0:
                first = own
            elif is_profile:
                break
            elif line_end - line_at > MIN_DATE_LINE and parse_date_line(data[line_at : line_end - 1]):
                first = line_at
            line_end = line_at
        # A heap, block or mutex profile may have been passed over: their records have another form.
        record = data.rfind(b" @", start, line_end)
        if record >= 0 and not RECORD.match(data, max(data.rfind(b"\n", start, record) + 1, start)):
            return find_header(data, start)
        if first >= 0 or profile_at < 0:
            return first
        start = profile_at  # a profile without a header before it, as damage may leave one


def _next_profile(data: bytes, start: int) -> int:
    """Where the first line of the next profile after ``start`` begins, or -1."""
    found = start
    while (found := data.find(TOTAL, found + 1)) >= 0:
        line_at = data.rfind(b"\n", start, found) + 1
        if line_at > start and profile_name(data[line_at : found + 200]):
            return line_at
    return -1


def _find_date(data: bytes, start: int) -> int:
    newline = data.find(b"\n", start, start + MAX_DATE_LINE + 1)
    if newline >= 0 and parse_date_line(data[start:newline]):
        return start
    for match in _DATE_LINE.finditer(data, start):
        if parse_date_line(match[1]):
            return match.start(1)
    return -1


def _find_own(data: bytes, start: int, stop: int) -> int:
    """The first header of ours that begins in ``start`` to ``stop``: found by its length, and from there backwards."""
    searched, newline = start, -1
    while (length_at := data.find(LENGTH, searched, stop)) >= 0:
        if newline < length_at:
            newline = data.find(b"\n", length_at)
            if newline < 0:
                return -1
        line_at = max(data.rfind(b"\n", searched, length_at) + 1, searched, newline - MAX_HEADER)
        for match in _OWN_TIME.finditer(data, line_at, length_at + 1):
            if parse_header(data[match.start() : newline]):
                return match.start()
        searched = length_at + 1
    return -1
