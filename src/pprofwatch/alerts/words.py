"""Numbers, names and times as a person reads them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pprofwatch.leaks.target import GOROUTINE, HEAP, THREADCREATE

if TYPE_CHECKING:
    from pprofwatch.leaks.leak import Leak
    from pprofwatch.model import Frame

#: Names are cut to so many characters; a generic's can fill a page.
_LONGEST_NAME = 200
_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600
#: What is counted, one and many, by profile.
_THINGS = {
    GOROUTINE: ("goroutine", "goroutines"),
    THREADCREATE: ("OS thread", "OS threads"),
    HEAP: ("live object", "live objects"),
}
#: Units of a rate, and how many an hour are one of each.
_UNITS = (("a second", 3600.0), ("a minute", 60.0), ("an hour", 1.0), ("a day", 1 / 24))


def where(frame: Frame) -> str:
    """A frame's place in the source, where the profile tells it."""
    return f"{cut(frame.file)}:{frame.line}" if frame.file else cut(frame.function)


def rate(leak: Leak) -> str:
    """A leak's rate and how uncertain it is, in the unit in which it is a number from 1 on where there is one.

    Empty where nothing grows.
    """
    per_hour = leak.per_hour
    if per_hour <= 0:
        return ""
    unit, an_hour = next((known for known in _UNITS if per_hour >= known[1]), _UNITS[-1])
    value, error = per_hour / an_hour, leak.per_hour_error / an_hour
    decimals = 0 if value >= 10 else 1 if value >= 1 else 2
    uncertain = _short(error, decimals)
    return f"+{_short(value, decimals)} {unit}" + (f" ± {uncertain}" if uncertain != "0" else "")


def _short(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def count(profile: str, number_of: int) -> str:
    """So many of what a profile counts: ``1 goroutine``, ``1,204 OS threads``."""
    one, many = _THINGS[profile]
    return f"{number(number_of)} {one if number_of == 1 else many}"


def plural(profile: str) -> str:
    """What a profile counts: ``goroutines``, ``OS threads``, ``live objects``."""
    return _THINGS[profile][1]


def number(count: int) -> str:
    """A count with separators: 1,204."""
    return f"{count:,}"


def cut(name: str) -> str:
    """A name that fits a screen."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def span(seconds: float) -> str:
    """A span of time in words: ``90 seconds``, ``44 minutes``, ``3 hours``."""
    for unit, size in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if seconds == size:
            return f"1 {unit}"
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}s"
    return f"{seconds:.0f} seconds"


def clock(time: float, now: float) -> str:
    """The time of day in UTC, as the log has it; with the date when it was another day's."""
    moment = dt.datetime.fromtimestamp(time, dt.UTC)
    away = abs(now - time)
    form = "%H:%M:%S UTC" if away < 600 else "%H:%M UTC" if away < _DAY / 2 else "%Y-%m-%d %H:%M UTC"
    return moment.strftime(form)
