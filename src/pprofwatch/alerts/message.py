"""An event as text for a person: what is wrong, where to look, how fast, what proves it, and what to run next."""

from __future__ import annotations

import datetime as dt
import shlex
from typing import TYPE_CHECKING

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.words import clock, count, cut, number, plural, rate, span, where
from pprofwatch.config.settings import LeakConfig
from pprofwatch.leaks.culprit import culprit
from pprofwatch.leaks.forecast import Forecast, forecast
from pprofwatch.leaks.severity import Severity
from pprofwatch.leaks.target import GOROUTINE, HEAP, THREADCREATE
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.leaks.evidence import Evidence
    from pprofwatch.leaks.leak import Leak

#: The severity of an event's first word; that of a proven leak is no worse, but sure.
_WORDS = {Severity.PROVEN: "LEAK"}
_HOUR = 3600
#: So many functions of other stacks of the same bug are named.
_MOST_NAMES = 3


def headline(event: Event) -> str:
    """The event in one line."""
    if event.action is Action.RESOLVED:
        word, text = "RESOLVED", _resolved(event)
    elif event.action is Action.WORSENED:
        word, text = "WORSE", f"now {what(event.profile, event.leak, 'growing', counted=True)}"
    elif event.action is Action.REPEATED:  # it may have stopped growing: what is sure is that they are still there
        word, text = severity_word(event.leak), f"still there: {what(event.profile, event.leak, 'grew')}"
    else:
        word, text = severity_word(event.leak), what(event.profile, event.leak, "grow")
    return f"{word} {event.target}: {text}"


def severity_word(leak: Leak) -> str:
    """The word that an alert begins with: ``LEAK``, ``RUNAWAY``, ``STUCK``."""
    return _WORDS.get(leak.severity, leak.severity.value.upper())


def what(profile: str, leak: Leak, grow: str, *, counted: bool = False) -> str:
    """What is wrong, and in which function.

    Args:
        profile: What the leak is in.
        leak: The leak.
        grow: The verb in its form: ``grow``, ``grew``, ``growing``.
        counted: Whether to begin with how many there are.
    """
    things = count(profile, leak.count_to) if counted or leak.severity is Severity.STUCK else plural(profile)
    place = "" if profile == THREADCREATE else f" in {cut(leak.culprit.function)}"
    match leak.severity:
        case Severity.STUCK:
            return f"{things} can never run again{place}"
        case Severity.RUNAWAY:
            return f"{things} {grow} very fast{place}"
        case Severity.SUSPECTED:
            return f"{things} {grow}{place}"
        case _:
            return f"{things} {grow} without bound{place}"


def _resolved(event: Event) -> str:
    leak = event.leak
    seconds = max(0, round(event.time - leak.since))
    lasted = format_duration(seconds if seconds < _HOUR else seconds // 60 * 60)
    if event.profile == THREADCREATE:
        return f"shrunk back to {count(event.profile, leak.count_to)}, after {lasted}"
    function = cut(leak.culprit.function)
    return f"{function} has shrunk back to {count(event.profile, leak.count_to)}, after {lasted}"


def alert(event: Event, folder: Path, settings: LeakConfig) -> str:
    """The event in full, a few lines: the headline, then what a person needs at three in the morning.

    Args:
        event: What happened.
        folder: The target's folder: the log to look into next, and where the evidence is.
        settings: What it was found with, so that the next command finds it, too.
    """
    if event.action is Action.RESOLVED:
        return headline(event)
    leak = event.leak
    rows = [
        ("where", place(leak)),
        growth(event.profile, leak, event.time, expect(event.profile, leak, settings.max_goroutines)),
        ("beside", companion(leak)),
        proof(leak),
        ("also", others(leak)),
        ("kept", f"{folder / event.kept}/" if event.kept else ""),
        ("next", next_command(event, folder, settings)),
    ]
    return "\n".join([headline(event), *(row(label, text) for label, text in rows if text)])


def next_command(event: Event, folder: Path, settings: LeakConfig) -> str:
    """What a person may run next, on the target's folder: to see what has changed since, or all that is stuck."""
    place = shlex.quote(str(folder))
    if event.leak.severity is Severity.STUCK:
        return f"pprofwatch check {_options(settings)}{place}"
    profile = "" if event.profile == GOROUTINE else f"--profile {event.profile} "
    begin = dt.datetime.fromtimestamp(event.leak.since // 60 * 60, dt.UTC)
    return f"pprofwatch diff {profile}--since {begin:%Y-%m-%dT%H:%MZ} {place}"


def row(label: str, text: str) -> str:
    """A line under a headline."""
    return f"  {label:<8} {text}"


def _options(settings: LeakConfig) -> str:
    """The options of ``check`` that differ from its defaults."""
    usual = LeakConfig()
    given = [
        ("--leak-window", format_duration(settings.window), settings.window != usual.window),
        ("--leak-min-count", str(settings.min_count), settings.min_count != usual.min_count),
        ("--max-goroutines", str(settings.max_goroutines), settings.max_goroutines != usual.max_goroutines),
    ]
    return "".join(f"{option} {value} " for option, value, differs in given if differs)


def place(leak: Leak) -> str:
    """The line to look at and why its goroutines wait, as far as either is known; else empty."""
    known = [where(leak.culprit)] if leak.culprit.file else []
    if leak.evidence is not None and leak.evidence.blocked_in:
        known.append(f"blocked in {cut(leak.evidence.blocked_in)}")
    return ", ".join(known)


def growth(profile: str, leak: Leak, now: float, ahead: Forecast | None) -> tuple[str, str]:
    """From how many to how many, since when, how fast, and where that leads to: label and text.

    Args:
        profile: What the leak is in.
        leak: The leak.
        now: When this is read, in Unix seconds: times of another day are told with their date.
        ahead: Where it leads to, if that is known.
    """
    speed = rate(leak)
    numbers = f"{number(leak.count_from)} → {number(leak.count_to)}" if speed else number(leak.count_to)
    unit = "" if profile == GOROUTINE else f" {plural(profile)}"
    since = "since" if speed or not leak.listed else "listed since"  # for how long before, nobody knows
    text = f"{numbers}{unit} {since} {clock(leak.since, now)}" + (f" ({speed})" if speed else "")
    if profile == GOROUTINE and leak.total_to:  # threads are one series, and the heap's objects are of all sizes
        text += f", total {number(leak.total_from)} → {number(leak.total_to)}"
    if ahead:
        text += f"; {number(ahead.count)} by {clock(ahead.time, now)}"
    return "growth" if speed else "count", text


def expect(profile: str, leak: Leak, max_goroutines: int) -> Forecast | None:
    """When the total will be a number that people notice, or ``max_goroutines`` (0: there is no such limit).

    Of the heap's total nobody can say: it is sampled. What is stuck is not expected to become more.
    """
    if profile == HEAP or leak.severity is Severity.STUCK:
        return None
    return forecast(leak, max_goroutines if profile == GOROUTINE else 0)


def proof(leak: Leak) -> tuple[str, str]:
    """What the target itself says of the goroutines, and whether to call that a proof: label and text, maybe empty."""
    evidence = leak.evidence
    if evidence is None:
        return "proof", ""
    parts = []
    if evidence.never:
        parts.append(f"{_share(evidence.never, leak.count_to)} can never run again (goroutineleak)")
    if evidence.waiting and 2 * evidence.never < leak.count_to:  # else the listing says it all
        seen = f"{number(evidence.waiting)} of {number(evidence.watched)} seen {span(evidence.apart)} apart"
        parts.append(f"{seen} are still waiting")
    if evidence.oldest:
        parts.append(f"the oldest has waited {span(evidence.oldest)}")
    return "proof" if _is_proof(leak, evidence) else "seen", "; ".join(parts)


def _is_proof(leak: Leak, evidence: Evidence) -> bool:
    return bool(evidence.never) or evidence.proves(leak.count_to - leak.count_from)


def _share(some: int, all_of_them: int) -> str:
    # The two were counted at different moments.
    if all_of_them == 1:
        return "it"
    return "all of them" if some >= all_of_them else f"{number(some)} of them"


def companion(leak: Leak) -> str:
    """What the goroutines should have ended with, where only those that have not are counted; else empty."""
    if leak.companion is None:
        return ""
    should = "they should end with it" if leak.ratio == 1 else f"{number(leak.ratio)} of them should end with each"
    return f"{cut(culprit(leak.companion).function)}: {should}; only those that are left are counted"


def others(leak: Leak) -> str:
    """Which more stacks are the same bug; empty where none is."""
    if not leak.also:
        return ""
    functions = dict.fromkeys(culprit(stack).function for stack in leak.also)
    functions.pop(leak.culprit.function, None)
    names = ", ".join(list(functions)[:_MOST_NAMES]) + (", …" if len(functions) > _MOST_NAMES else "")
    stacks = "1 more stack" if len(leak.also) == 1 else f"{number(len(leak.also))} more stacks"
    return cut(f"{stacks} of the same bug" + (f": {names}" if names else ""))
