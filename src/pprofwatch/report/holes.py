"""The times of which nothing is known, going by when polls were: in bounded memory, and in whatever order they come."""

from __future__ import annotations

import bisect
import operator
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: More holes than this are no news; the longest are kept.
MAX_HOLES = 500
#: So many usual intervals without an entry, and a second more, are a hole.
_MISSED = 3
#: The usual interval is that of so many before; of fewer than the least, nobody can tell.
_RECENT, _LEAST = 9, 3
#: More runs of polls than this are taken together. Of the times between them that are no holes, so many are still kept
#: apart: in a log that is out of order, what is yet to come may lie there.
_MOST_RUNS, _KEPT_APART = 4000, 500
_SINCE = operator.attrgetter("since")


class Hole(NamedTuple):
    """A time of which nothing is known, in Unix seconds, and why where the log says it.

    It lies between two entries with a profile, or between one and a poll that failed, before all others or after them.
    """

    since: float
    until: float
    reason: str


@dataclass(slots=True)
class _Run:
    """Polls of which none lies between others: ``count`` that brought a profile, or that failed, and why the first."""

    since: float
    until: float
    failed: bool = False
    reason: str = ""
    count: int = 1


class _Gap(NamedTuple):
    """What lies between the run with this ``number`` and the next one that brought profiles."""

    number: int
    hole: Hole
    is_hole: bool

    @property
    def length(self) -> float:
        return self.hole.until - self.hole.since


class Holes:
    """Takes the times of polls. Of a log in order of time, or with less than some thousand polls, no hole is missed."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._usual: deque[float] = deque(maxlen=_RECENT)

    def take(self, time: float) -> bool:
        """Take a poll that brought a profile, at a time in Unix seconds; tells whether it seems to end a hole."""
        is_last = self._insert(_Run(time, time))
        return is_last and self._ends_hole()

    def fail(self, time: float, reason: str) -> None:
        """Take a poll that brought nothing, and why."""
        self._insert(_Run(time, time, failed=True, reason=reason))

    def is_known_between(self, since: float, until: float) -> bool:
        """Whether a poll between two others has brought a profile."""
        index = bisect.bisect_right(self._runs, since, key=_SINCE)
        runs = self._runs[max(0, index - 1) : bisect.bisect_left(self._runs, until, key=_SINCE)]
        return any(not run.failed and (since < run.since or since < run.until < until) for run in runs)

    def longest(self) -> list[Hole]:
        """The longest ``MAX_HOLES`` of them, in order of time."""
        holes = [gap.hole for gap in _gaps(self._runs) if gap.is_hole]
        if self._runs:
            holes += self._at_the_ends()
        return sorted(sorted(holes, key=lambda hole: hole.since - hole.until)[:MAX_HOLES])

    def _at_the_ends(self) -> Iterator[Hole]:
        """Polls that failed before all others, and after."""
        known = [run for run in self._runs if not run.failed]
        first, last = self._runs[0], self._runs[-1]
        if first.failed:
            until = known[0].since if known else last.until
            if until > first.since:
                yield Hole(first.since, until, first.reason)
        if last.failed and known and last.until > known[-1].until:
            after = bisect.bisect_right(self._runs, known[-1].since, key=_SINCE)
            reasons = [run.reason for run in self._runs[after:] if run.failed and run.reason]
            yield Hole(known[-1].until, last.until, reasons[0] if reasons else "")

    def _insert(self, new: _Run) -> bool:
        """Whether it is now the last one."""
        if len(self._runs) >= _MOST_RUNS:
            self._thin()
        runs = self._runs
        if not runs or new.since > runs[-1].until:
            runs.append(new)
            return True
        index = bisect.bisect_right(runs, new.since, key=_SINCE)
        if index:
            before = runs[index - 1]
            is_like = before.failed == new.failed
            if new.since < before.until or (is_like and new.since == before.until):  # between others it says no more
                before.count += is_like and new.since < before.until
                return False
        runs.insert(index, new)
        return index == len(runs) - 1

    def _ends_hole(self) -> bool:
        """Whether there is a hole before the last run, going by those that came before it."""
        if len(self._runs) < 2:
            return False
        before, last = self._runs[-2:]
        step = last.since - before.until
        is_hole = before.failed or _is_long(step, self._usual)
        if not is_hole:
            self._usual.append(step)
        return is_hole

    def _thin(self) -> None:
        """Take neighbours together where there is no hole, or a short one, between them."""
        gaps = sorted(_gaps(self._runs), key=lambda gap: -gap.length)
        holes = [gap for gap in gaps if gap.is_hole]
        others = [gap for gap in gaps if not gap.is_hole]
        joined = {gap.number for gap in (*holes[MAX_HOLES:], *others[_KEPT_APART:])}
        thinned: list[_Run] = []
        joins = False  # whether what follows is joined to the last run
        for number, run in enumerate(self._runs):
            if run.failed and joins:
                continue  # it is within a hole that is too short to keep
            if thinned and thinned[-1].failed == run.failed and (joins or run.failed):
                _join(thinned[-1], run)
            else:
                thinned.append(run)
            joins = number in joined
        self._runs = thinned


def _join(run: _Run, following: _Run) -> None:
    run.until = following.until
    run.count += following.count
    run.reason = run.reason or following.reason


def _gaps(runs: Iterable[_Run]) -> Iterator[_Gap]:
    """What lies between runs that brought profiles, each with whether that is a hole."""
    usual: deque[float] = deque(maxlen=_RECENT)
    last: tuple[int, _Run] | None = None
    failed, reason = False, ""
    for number, run in enumerate(runs):
        if run.failed:
            failed, reason = True, reason or run.reason
            continue
        if last is not None:
            known, before = last
            step = run.since - before.until
            is_hole = failed or _is_long(step, usual)
            yield _Gap(known, Hole(before.until, run.since, reason), is_hole)
            if not is_hole:
                usual.append(step)
        if run.count > 1:
            mean = (run.until - run.since) / (run.count - 1)
            usual.extend([mean] * min(run.count - 1, _RECENT))
        last = number, run
        failed, reason = False, ""


def _is_long(step: float, usual: deque[float]) -> bool:
    """Whether a time without an entry is too long to be usual."""
    if len(usual) < _LEAST or step <= 1 + usual[-1]:
        return False
    return step > _MISSED * sorted(usual)[len(usual) // 2] + 1
