"""A TIME as it is given to a command: ``13:49``, an RFC 3339 time, or ``-10m``."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from pprofwatch.times import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

WHEN_HELP = "13:49, 2026-11-22T13:49:53Z, or -10m: before the log's end; UTC where no zone is given"
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
_DAY = 86400


def is_time_of_day(text: str) -> bool:
    """Whether a TIME says no day."""
    return _CLOCK.fullmatch(text) is not None


def parse_when(text: str, log_end: Callable[[], float]) -> float:
    """Unix seconds of a TIME.

    Args:
        text: A time of day: the last one in the log. An RFC 3339 time, or its beginning: a day, a minute. Or a minus
            and a duration: so long before the log's end. Times without a zone are UTC, as those in logs are.
        log_end: The time of the log's last entry in Unix seconds; asked for only where it matters.

    Raises:
        ValueError: It is none of these.
    """
    try:
        if text.startswith("-"):
            before = parse_duration(text[1:])
            return log_end() - before
        if clock := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            end = log_end()
            on_last_day = end - end % _DAY + hour * 3600 + minute * 60 + second
            return on_last_day if on_last_day <= end else on_last_day - _DAY
        moment = dt.datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time: {WHEN_HELP}") from None
