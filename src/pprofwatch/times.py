"""Times and durations as text: RFC 3339 with ``Z`` in logs, ``10s`` and ``24h`` in options."""

from __future__ import annotations

import datetime as dt
import functools
import re

#: Seconds in each unit of a duration, largest first.
UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST_DURATION = 100 * 365 * UNITS["d"]
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|[wdhms])")
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII | re.IGNORECASE
)
_STAMP = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_END_OF_TIME = dt.datetime(9999, 12, 31, tzinfo=dt.UTC).timestamp()


def format_time(time: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds: ``2026-11-22T13:49:53.102Z``."""
    hours, milliseconds = divmod(round(time * 1000), 3_600_000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    # Half as long again would an f-string take.
    return "%s:%02d:%02d.%03dZ" % (_format_hour(hours), seconds // 60, seconds % 60, milliseconds)  # noqa: UP031


@functools.lru_cache(maxsize=16)  # the times of a log mostly share it with the one before
def _format_hour(hours: int) -> str:
    return dt.datetime.fromtimestamp(hours * 3600, dt.UTC).strftime("%Y-%m-%dT%H")


def parse_duration(text: str) -> float:
    """Seconds in ``10s``, ``200ms``, ``1h30m``, ``90d``: numbers, each with its unit, as Go and Prometheus write them.

    Raises:
        ValueError: It is not one, or longer than a century.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("expected a duration with its unit, such as 200ms, 10s, 1h30m or 90d")
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds > LONGEST_DURATION:
        raise ValueError("expected a duration of less than a century")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that ``parse_duration`` reads back to the millisecond: ``10s``, ``1h30m``, ``24h``, ``90d``."""
    rest = round(seconds * 1000)
    text = ""
    for unit, size in UNITS.items():
        if unit == "w" or (unit == "d" and seconds < 2 * size):
            continue  # 24h and 36h are read faster than 1d and 1d12h, and 90d than 12w6d
        count, rest = divmod(rest, round(size * 1000))
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_time(text: str) -> float:
    """Unix seconds of an RFC 3339 time, as ``format_time`` writes it and as ``date -Is`` and ``date --rfc-3339`` do.

    Raises:
        ValueError: It is not one, or no such time exists.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("expected a time such as 2026-11-22T13:49:53Z")
    return unix_seconds(dt.datetime.fromisoformat(text.upper()))


def format_stamp(time: float) -> str:
    """Unix seconds as the time in a file's name: ``20261122T134953Z``."""
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def parse_stamp(text: str) -> float:
    """Unix seconds of a time in a file's name.

    Raises:
        ValueError: It is not one, or no such time exists.
    """
    if not _STAMP.fullmatch(text):
        raise ValueError("expected a time such as 20261122T134953Z")
    return unix_seconds(dt.datetime.fromisoformat(text))


def unix_seconds(moment: dt.datetime) -> float:
    """Unix seconds of a moment that knows its zone.

    Raises:
        ValueError: It is outside of what ``format_time`` can write.
    """
    seconds = moment.timestamp()
    if not 0 <= seconds < _END_OF_TIME:
        raise ValueError("expected a time between 1970 and 9999")
    return seconds
