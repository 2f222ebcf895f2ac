"""Logs that pprofwatch did not write: a shell loop's, with a line from ``date`` before what ``curl`` got.

A header line there holds nothing but the time, in a form that ``date`` has in English: ``Wed Dec 31 13:49:53 IST 2025``
(also with AM or PM, or the day before the month), ``date -R``, ``date -Is``, ``date --rfc-3339``, ``date +%s`` (also
with milliseconds); with marks about it or not: ``=== 2025-12-31 13:49:53 ===``. What follows is a profile, an error's
text, or nothing where the server was down.

A zone that is a number is applied, and so is the name of one that has a single meaning. Other names have several:
``IST`` is India's, Ireland's or Israel's. Such a time is taken as UTC. Times then differ from true ones by a constant,
times between entries are right, also where summer time ends meanwhile, and what is shown is what the log's lines say.
"""

from __future__ import annotations

import datetime as dt
import functools
import re

from pprofwatch.logs.entry import MAX_TEXT, Header
from pprofwatch.times import parse_time, unix_seconds

#: No line of ``date`` is shorter or longer, in bytes, with marks about it.
MIN_DATE_LINE = 10
MAX_DATE_LINE = 100
#: What may stand about a time to make it stand out.
MARKS = "-=~+_*#<>[]()|: "

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
#: ``date +%s``, from 2014, when Go was young, up to 2065; and ``date +%s%3N``.
_SECONDS = re.compile(r"(1[4-9]\d{8}|2\d{9})(?:[.,]?(\d{3})|[.,](\d{1,9}))?", re.ASCII)
#: Hours ahead of UTC, by zones' names: those of the tz database that are one zone's, and those of North America, of
#: which others have some, as RFC 5322 (section 4.3) has them. Summer times whose other name has several meanings, and
#: isn't applied, are an hour ahead of that: CDT of CST, IDT of IST.
_ZONES = """
    GMT 0 WET 0 WEST 1 BST 1 CET 1 CEST 2 MET 1 MEST 2 EET 2 EEST 3 MSK 3 WAT 1 CAT 2 SAST 2 EAT 3 PKT 5 WIB 7 WITA 8
    HKT 8 AWST 8 JST 9 KST 9 WIT 9 ACST 9.5 ACDT 10.5 AEST 10 AEDT 11 NZST 12 NZDT 13 NST -3.5 NDT -2.5 AST -4 ADT -3
    EST -5 EDT -4 MST -7 MDT -6 PST -8 PDT -7 AKST -9 AKDT -8 HST -10 HDT -9 SST -11 CDT 1 IDT 1
"""
_HOURS_AHEAD = {name: float(hours) for name, hours in re.findall(r"(\w+) (\S+)", _ZONES)}
_PROFILE = re.compile(rb"([!-~]{1,100}) profile: (?:total -?\d|-?\d+: -?\d+ \[)")


def parse_date_line(line: bytes) -> Header | None:
    """The header in a line (without its newline) that holds nothing but a time; None if it isn't one."""
    return _parse_date_line(line) if MIN_DATE_LINE <= len(line) <= MAX_DATE_LINE else None


@functools.lru_cache(maxsize=16)  # a line is looked at when it is found, and again when it is read
def _parse_date_line(line: bytes) -> Header | None:
    try:
        text = line.decode("ascii").rstrip().strip(MARKS)
        time = _parse_number(text) if text[:1].isdigit() else _parse_date(text)
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


def _parse_number(text: str) -> float | None:
    if seconds := _SECONDS.fullmatch(text):
        return float(f"{seconds[1]}.{seconds[2] or seconds[3] or 0}")
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    zone = match[2] or ""
    if zone[:1] in ("+", "-"):
        return parse_time(match[1] + zone)
    return parse_time(match[1] + "Z") - 3600 * _HOURS_AHEAD.get(zone, 0)


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
        return dt.timezone(dt.timedelta(hours=_HOURS_AHEAD.get(text or "", 0)))
    digits = text[1:].replace(":", "")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return dt.timezone(-offset if text[0] == "-" else offset)
