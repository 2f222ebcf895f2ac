"""How a profile's total went over time: a line of bounded length that keeps every peak, with its holes and restarts."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.report.holes import Holes

if TYPE_CHECKING:
    from pprofwatch.report.holes import Hole

#: A line has at most twice as many stretches, each with its lowest and its highest point.
MAX_STRETCHES = 1000
#: More restarts than this are no news.
_MAX_RESTARTS = 500
#: A total that falls below this share of the least lately seen tells of a restart; after failed polls, this.
_FELL, _FELL_AFTER_HOLE = 0.5, 0.75
#: Fewer than this come and go.
_TELLING_TOTAL = 10
_RECENT = 30
#: A line breaks so soon after its last point, in seconds: a log's times are no finer.
_AFTER = 0.001


@dataclass(slots=True)
class _Stretch:
    """Neighbouring points, of which the lowest and the highest are known; ``hole`` tells that one follows."""

    low_at: float
    low: int
    high_at: float
    high: int
    hole: bool = False

    def add(self, other: _Stretch) -> None:
        if other.low < self.low:
            self.low_at, self.low = other.low_at, other.low
        if other.high > self.high:
            self.high_at, self.high = other.high_at, other.high
        self.hole = other.hole


class Timeline:
    """Takes the total of each entry, in the log's order, which is mostly that of time.

    Memory is bounded, whatever the log's length: neighbours are taken together as it grows, but the highest and lowest
    of them stay where they are.

    Attributes:
        entries: How many entries there were, failed polls included; ``failed`` of them brought nothing.
    """

    def __init__(self, *, levels: bool = True) -> None:
        """``levels``: whether totals are levels, and not differences, which tell of no restart."""
        self._levels = levels
        self.entries = self.failed = 0
        self._stretches: list[_Stretch] = []
        self._current: _Stretch | None = None
        self._size = 1  # points a stretch
        self._points = 0  # in the current one
        self._polls = Holes()
        self._last = 0.0
        self._totals: deque[int] = deque(maxlen=_RECENT)
        self._falls: list[tuple[float, float]] = []  # from one entry to the next, if no other turns out to be between
        self._restarts: list[tuple[float, float]] = []

    def take(self, time: float, total: int | None) -> None:
        """Take an entry that brought a profile; ``total`` is None where its first line doesn't tell it."""
        self.entries += 1
        hole = self._polls.take(time)
        if hole:
            self._end_stretch()
        if total is not None:
            if self._levels:
                self._notice_restart(time, total, after_hole=hole)
            self._add(_Stretch(time, total, time, total))
        self._last = time

    def fail(self, time: float, reason: str) -> None:
        """Take a poll that brought nothing."""
        self.entries += 1
        self.failed += 1
        self._polls.fail(time, reason)

    def begin_with(self, failures: Timeline) -> None:
        """Take failed polls that were known before this timeline was."""
        self.entries += failures.entries
        self.failed += failures.failed
        self._polls = copy.deepcopy(failures._polls)

    @property
    def points(self) -> list[tuple[float, int | None]]:
        """Time and total, in order of time, with None where a hole is."""
        points: list[tuple[float, int | None]] = [(hole.since + _AFTER, None) for hole in self.holes]
        for stretch in [*self._stretches, self._current] if self._current else self._stretches:
            points += {(stretch.low_at, stretch.low), (stretch.high_at, stretch.high)}
        return sorted(points, key=lambda point: (point[0], point[1] or 0)) if self._stretches or self._current else []

    @property
    def holes(self) -> list[Hole]:
        """The longest times of which nothing is known, in order of time."""
        return self._polls.longest()

    @property
    def restarts(self) -> list[float]:
        """When the target seems to have started anew, in Unix seconds, in order of time."""
        falls = {until for since, until in self._falls if not self._polls.is_known_between(since, until)}
        return sorted(falls | {until for _, until in self._restarts})[:_MAX_RESTARTS]

    def mark_restart(self, since: float, until: float) -> None:
        """Note that the target has started anew between two times; which is the same as one that is known there."""
        for index, (known_since, known_until) in enumerate(self._restarts):
            if since < known_until and known_since < until:
                self._restarts[index] = max(since, known_since), min(until, known_until)
                return
        if len(self._restarts) < _MAX_RESTARTS:
            self._restarts.append((since, until))

    def _notice_restart(self, time: float, total: int, *, after_hole: bool) -> None:
        """A burst that ends leaves as many as before it; a restart leaves fewer than there lately ever were."""
        if time < self._last:  # what came before is of later
            self._totals.clear()
        least = min(self._totals) if len(self._totals) > 2 and total < self._totals[-1] else 0
        if least >= _TELLING_TOTAL and total < least * (_FELL_AFTER_HOLE if after_hole else _FELL):
            if len(self._falls) < _MAX_RESTARTS:
                self._falls.append((self._last, time))
            self._totals.clear()
        self._totals.append(total)

    def _end_stretch(self) -> None:
        """A hole follows: neighbours beyond it are not taken together with what was before, as long as may be."""
        if self._current is not None:
            self._current.hole = True
            self._close()
        elif self._stretches:
            self._stretches[-1].hole = True

    def _add(self, point: _Stretch) -> None:
        if self._current is None:
            self._current = point
        else:
            self._current.add(point)
        self._points += 1
        if self._points >= self._size:
            self._close()

    def _close(self) -> None:
        """End the current stretch."""
        if self._current is None:
            return
        self._stretches.append(self._current)
        self._current, self._points = None, 0
        if len(self._stretches) >= 2 * MAX_STRETCHES:
            self._halve(over_holes=False)
            if len(self._stretches) > 1.5 * MAX_STRETCHES:
                self._halve(over_holes=True)
            self._size *= 2

    def _halve(self, *, over_holes: bool) -> None:
        """Take neighbours together, two and two."""
        merged: list[_Stretch] = []
        single = False  # whether the last one waits for its neighbour
        for stretch in self._stretches:
            if single and (over_holes or not merged[-1].hole):
                merged[-1].add(stretch)
                single = False
            else:
                merged.append(stretch)
                single = True
        self._stretches = merged
