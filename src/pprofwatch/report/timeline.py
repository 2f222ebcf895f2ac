"""How a profile's total went over time: a line of bounded length that keeps every peak, with its holes and restarts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

#: A line has at most twice as many stretches, each with its lowest and its highest point.
MAX_STRETCHES = 1000
#: More holes and restarts than this are no news; the longest, or first, are kept.
MAX_MARKS = 500
#: So many usual intervals without an entry, and a second more, are a hole.
_MISSED = 3
#: A total that falls below this share of the least lately seen tells of a restart; after failed polls, this.
_FELL, _FELL_AFTER_HOLE = 0.5, 0.75
#: Fewer than this come and go.
_TELLING_TOTAL = 10
_RECENT = 30
#: A line breaks so soon after its last point, in seconds: a log's times are no finer.
_AFTER = 0.001


class Hole(NamedTuple):
    """A time of which nothing is known, between two entries, in Unix seconds, and why where the log says it."""

    since: float
    until: float
    reason: str


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
    """Takes the total of each entry, in the log's order.

    Memory is bounded, whatever the log's length: neighbours are taken together as it grows, but the highest and lowest
    of them stay where they are.

    Attributes:
        entries: How many entries there were, failed polls included; ``failed`` of them brought nothing.
        restarts: When the target seems to have started anew, in Unix seconds.
    """

    def __init__(self, *, levels: bool = True) -> None:
        """``levels``: whether totals are levels, and not differences, which tell of no restart."""
        self._levels = levels
        self.entries = self.failed = 0
        self.restarts: list[float] = []
        self._stretches: list[_Stretch] = []
        self._current: _Stretch | None = None
        self._size = 1  # points a stretch
        self._points = 0  # in the current one
        self._holes: list[Hole] = []
        self._last: float | None = None
        self._failed_at: float | None = None
        self._reason = ""
        self._intervals: deque[float] = deque(maxlen=9)
        self._totals: deque[int] = deque(maxlen=_RECENT)

    def take(self, time: float, total: int | None) -> None:
        """Take an entry that brought a profile; ``total`` is None where its first line doesn't tell it."""
        self.entries += 1
        hole = self._end_hole(time)
        if total is not None:
            if self._levels:
                self._notice_restart(time, total, after_hole=hole)
            self._add(_Stretch(time, total, time, total))
        self._last = time

    def fail(self, time: float, reason: str) -> None:
        """Take a poll that brought nothing."""
        self.entries += 1
        self.failed += 1
        self._failed_at = time
        self._reason = self._reason or reason

    def finish(self) -> None:
        """Say that no entry follows."""
        if self._failed_at is not None and self._last is not None and self._failed_at > self._last:
            self._holes.append(Hole(self._last, self._failed_at, self._reason))

    @property
    def points(self) -> list[tuple[float, int | None]]:
        """Time and total, in order of time, with None where a hole is."""
        points: list[tuple[float, int | None]] = []
        stretches = [*self._stretches, self._current] if self._current else self._stretches
        for stretch in stretches:
            ends = {(stretch.low_at, stretch.low), (stretch.high_at, stretch.high)}
            points += sorted(ends)
            if stretch.hole:
                points.append((points[-1][0] + _AFTER, None))
        return sorted(points, key=lambda point: point[0])

    @property
    def holes(self) -> list[Hole]:
        """The longest times of which nothing is known, in order of time."""
        return sorted(self._longest_holes(MAX_MARKS))

    def mark_restart(self, time: float) -> None:
        """Note that the target has started anew before ``time``."""
        if len(self.restarts) < MAX_MARKS and time not in self.restarts:
            self.restarts.append(time)

    def _end_hole(self, time: float) -> bool:
        """Whether a hole ends here."""
        last = self._last
        if last is None or time <= last:
            self._failed_at, self._reason = None, ""
            return False
        step = time - last
        hole = self._failed_at is not None
        if not hole and len(self._intervals) > 2 and step > 1 + self._intervals[-1]:
            usual = sorted(self._intervals)[len(self._intervals) // 2]
            hole = step > _MISSED * usual + 1
        if hole:
            self._holes.append(Hole(last, time, self._reason))
            if len(self._holes) > 2 * MAX_MARKS:
                self._holes = self._longest_holes(MAX_MARKS)
            if self._current is not None:
                self._current.hole = True
                self._close()
            elif self._stretches:
                self._stretches[-1].hole = True
        else:
            self._intervals.append(step)
        self._failed_at, self._reason = None, ""
        return hole

    def _longest_holes(self, count: int) -> list[Hole]:
        return sorted(self._holes, key=lambda hole: hole.since - hole.until)[:count]

    def _notice_restart(self, time: float, total: int, *, after_hole: bool) -> None:
        """A burst that ends leaves as many as before it; a restart leaves fewer than there lately ever were."""
        least = min(self._totals) if len(self._totals) > 2 and total < self._totals[-1] else 0
        if least >= _TELLING_TOTAL and total < least * (_FELL_AFTER_HOLE if after_hole else _FELL):
            self.mark_restart(time)
            self._totals.clear()
        self._totals.append(total)

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
