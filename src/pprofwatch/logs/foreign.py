"""Logs that pprofwatch did not write: a shell loop's, with a line from ``date`` before what ``curl`` got.

A header line there holds nothing but the time, in a form that ``date`` has in English: ``Wed Dec 31 13:49:53 IST 2025``
(also with AM or PM, or the day before the month), ``date -R``, ``date -Is``, ``date --rfc-3339``. What follows is a
profile, an error's text, or nothing where the server was down.

A zone that is a number is applied. One that is a name is not, since the names mean nothing (``IST`` has three
meanings): such a time is taken as UTC. Times then differ from true ones by a constant, times between entries are right,
and what is shown is what the log's lines say.
"""

from __future__ import annotations

import datetime as dt
import functools
import re

from pprofwatch.logs.entry import MAX_TEXT, Header
from pprofwatch.times import parse_time, unix_seconds

#: No line of ``date`` is shorter or longer, in bytes.
MIN_DATE_LINE = 19
MAX_DATE_LINE = 64

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?"
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]{{0,6}}"
_ZONE = r"([A-Za-z]{1,6}|[+-]\d\d(?::?\d\d)?)"
_DATE = re.compile(
    rf"{_WEEKDAY} +(?:{_MONTH} +(\d\d?)|(\d\d?) {_MONTH})(?: (\d{{4}}))? +"
    rf"(\d\d?):(\d\d):(\d\d)(?: ([AP]M))?(?: {_ZONE})?(?: (\d{{4}}))?",
    re.ASCII,
)
_ISO = re.compile(rf"(\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})?) ?{_ZONE}?", re.ASCII)
_PROFILE = re.compile(rb"([!-~]{1,100}) profile: (?:total -?\d|-?\d+: -?\d+ \[)")


def parse_date_line(line: bytes) -> Header | None:
    """The header in a line (without its newline) that holds nothing but a time; None if it isn't one."""
    return _parse_date_line(line) if MIN_DATE_LINE <= len(line) <= MAX_DATE_LINE else None


@functools.lru_cache(maxsize=16)  # a line is looked at when it is found, and again when it is read
def _parse_date_line(line: bytes) -> Header | None:
    try:
        text = line.decode("ascii").rstrip()
        time = _parse_iso(text) if text[:1].isdigit() else _parse_date(text)
    except ValueError:  # no such day, hour or zone, or not ASCII
        return None
    return None if time is None else Header(time, "", "", None)


def profile_name(first_line: bytes) -> str:
    """The profile whose text begins with this line; empty if none does. ``heap`` for allocs too: they begin alike."""
    if first_line.startswith(b"--- mutex:"):
        return "mutex"
    if first_line.startswith(b"--- contention:"):
        return "block"
    match = _PROFILE.match(first_line)
    return match[1].decode("ascii") if match else ""


def error_text(body: bytes) -> str:
    """What stands in the place of a profile, in one line."""
    first = body.strip()[: 4 * MAX_TEXT].split(b"\n", 1)[0].strip()
    return first.decode("utf-8", "replace")[:MAX_TEXT] or "no answer was logged"


def _parse_iso(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    return parse_time(match[1] + (match[2] if match[2] and match[2][0] in "+-" else "Z"))


def _parse_date(text: str) -> float | None:
    match = _DATE.fullmatch(text)
    if match is None or bool(match[5]) == bool(match[11]):
        return None
    hour = int(match[6])
    if match[9]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[9] == "PM" else 0)
    month = _MONTHS.index(match[1] or match[4]) + 1
    day, year = int(match[2] or match[3]), int(match[5] or match[11])
    return unix_seconds(dt.datetime(year, month, day, hour, int(match[7]), int(match[8]), tzinfo=_zone(match[10])))


def _zone(text: str | None) -> dt.timezone:
    if not text or text[0] not in "+-":
        return dt.UTC
    digits = text[1:].replace(":", "")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return dt.timezone(-offset if text[0] == "-" else offset)
