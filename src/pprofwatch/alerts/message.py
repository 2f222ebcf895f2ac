"""An event as text for a person: what is wrong, where to look, how fast, and what to run next."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import TYPE_CHECKING

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.config.settings import LeakConfig
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.leaks.detector import Leak
    from pprofwatch.model import Frame

#: Names are cut to so many characters; a generic's can fill a page.
_LONGEST_NAME = 200
_DAY = 24 * 3600


def headline(event: Event) -> str:
    """The event in one line."""
    function = cut(event.leak.culprit.function)
    if event.action is Action.RESOLVED:
        lasted = format_duration(max(0, round(event.time - event.leak.since)))
        count = number(event.leak.count_to)
        return f"RESOLVED {event.target}: {function} has shrunk back to {count} goroutines, after {lasted}"
    if event.action is Action.REPEATED:  # it may have stopped growing: what is sure is that they are still there
        return f"LEAK {event.target}: still there: goroutines grew without bound in {function}"
    return f"LEAK {event.target}: goroutines grow without bound in {function}"


def alert(event: Event, log: Path, settings: LeakConfig) -> str:
    """The event in full, a few lines: the headline, then what a person needs at three in the morning.

    Args:
        event: What happened.
        log: The log to look into next.
        settings: What it was found with, so that the next command finds it, too.
    """
    if event.action is Action.RESOLVED:
        return headline(event)
    leak = event.leak
    grown = f"{number(leak.count_from)} → {number(leak.count_to)} since {_clock(leak.since, event.time)}"
    total = f"total {number(leak.total_from)} → {number(leak.total_to)}"
    rows = [
        ("where", where(leak.culprit)),
        ("growth", f"{grown} ({rate(leak)}), {total}"),
    ]
    if leak.also:
        others = "1 more stack grows" if len(leak.also) == 1 else f"{len(leak.also)} more stacks grow"
        rows.append(("also", f"{others} with it"))
    rows.append(("next", f"pprofwatch check {_options(settings)}{shlex.quote(str(log))}"))
    return "\n".join([headline(event), *(f"  {label:<8} {text}" for label, text in rows)])


def _options(settings: LeakConfig) -> str:
    """The options of ``check`` that differ from its defaults."""
    usual = LeakConfig()
    window = "" if settings.window == usual.window else f"--leak-window {format_duration(settings.window)} "
    return window + ("" if settings.min_count == usual.min_count else f"--leak-min-count {settings.min_count} ")


def where(frame: Frame) -> str:
    """A frame's place in the source, where the profile tells it."""
    return f"{cut(frame.file)}:{frame.line}" if frame.file else cut(frame.function)


def rate(leak: Leak) -> str:
    """A leak's rate, in the unit in which it is a number from 1 on where there is one."""
    per_hour = leak.per_hour
    for unit, seconds in (("a second", 3600.0), ("a minute", 60.0), ("an hour", 1.0)):
        if per_hour >= seconds:
            value = per_hour / seconds
            return f"+{value:,.0f} {unit}" if value >= 10 else f"+{value:.2g} {unit}"
    return f"+{per_hour * 24:.2g} a day"


def number(count: int) -> str:
    """A count with separators: 1,204."""
    return f"{count:,}"


def cut(name: str) -> str:
    """A name that fits a screen."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _clock(time: float, now: float) -> str:
    """The time of day in UTC, as the log has it; with the date when it was another day's."""
    moment = dt.datetime.fromtimestamp(time, dt.UTC)
    form = "%H:%M:%S UTC" if now - time < 600 else "%H:%M UTC" if now - time < _DAY / 2 else "%Y-%m-%d %H:%M UTC"
    return moment.strftime(form)
