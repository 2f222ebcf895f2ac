"""Which stacks leaked, according to logs: the daemon's detector, fed with what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pprofwatch.errors import ProfileError
from pprofwatch.leaks.detector import Detector, Finding, Leak
from pprofwatch.profiles.text import CountsParser

if TYPE_CHECKING:
    from pprofwatch.model import Entry


@dataclass(slots=True)
class CheckedLeak:
    """A leak, with its numbers at the end of the log, or at its worst when it is over (``over_at``, Unix seconds)."""

    target: str
    profile: str
    leak: Leak
    over_at: float | None = None


@dataclass(slots=True)
class _Watched:
    """What is known of one target's profile."""

    detector: Detector
    last: float
    ongoing: list[CheckedLeak] = field(default_factory=list)


class Check:
    """Takes entries, log by log in order of time, and collects the leaks."""

    def __init__(self, window: float, min_count: int) -> None:
        """``window`` and ``min_count`` are the detector's."""
        self._window = window
        self._min_count = min_count
        self._parser = CountsParser()
        self._watched: dict[tuple[str, str], _Watched] = {}
        #: How many entries there were, failed polls and gaps included; of these, bodies that could not be parsed.
        self.entries = 0
        self.damaged = 0
        #: In the order in which they were found.
        self.leaks: list[CheckedLeak] = []

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        self.entries += 1
        if entry.profile != "goroutine" or entry.seconds or not entry.body:
            return
        try:
            counts = self._parser.parse(entry.body).by_stack
        except ProfileError:
            self.damaged += 1
            return
        watched = self._watch(entry)
        for finding in watched.detector.observe(entry.time, counts):
            if finding.over:
                self._end(watched, finding, entry.time)
            else:
                leak = CheckedLeak(entry.target, entry.profile, finding.leak)
                watched.ongoing.append(leak)
                self.leaks.append(leak)

    def finish(self) -> None:
        """Bring the leaks that go on up to the last entry."""
        for watched in self._watched.values():
            for now in watched.detector.leaks:
                for checked in watched.ongoing:
                    if checked.leak.stack == now.stack:
                        checked.leak = now

    def _watch(self, entry: Entry) -> _Watched:
        """The target's detector; a new one when time goes back, since that is another log and maybe another server."""
        key = entry.target, entry.profile
        watched = self._watched.get(key)
        if watched is None or entry.time < watched.last - self._window:
            self.finish()
            watched = self._watched[key] = _Watched(Detector(self._window, self._min_count), entry.time)
        watched.last = max(watched.last, entry.time)
        return watched

    def _end(self, watched: _Watched, finding: Finding, time: float) -> None:
        leak = replace(finding.leak, count_to=finding.peak)
        for checked in list(watched.ongoing):
            if checked.leak.stack == leak.stack:
                checked.leak, checked.over_at = leak, time
                watched.ongoing.remove(checked)
