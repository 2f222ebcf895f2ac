"""Which stacks leaked, according to logs: the daemon's detector, fed with what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.errors import ProfileError
from pprofwatch.leaks.target import GOROUTINE, JUDGED, TargetLeaks
from pprofwatch.profiles.text import CountsParser

if TYPE_CHECKING:
    from pprofwatch.config.settings import LeakConfig
    from pprofwatch.leaks.leak import Finding, Leak
    from pprofwatch.model import Entry
    from pprofwatch.profiles.text import Counts


@dataclass(slots=True)
class CheckedLeak:
    """A leak, with its numbers at the end of the log, or at its worst when it is over (``over_at``, Unix seconds)."""

    target: str
    profile: str
    leak: Leak
    over_at: float | None = None


@dataclass(slots=True)
class _Watched:
    """What is known of one target."""

    name: str
    leaks: TargetLeaks
    last: float
    ongoing: list[CheckedLeak] = field(default_factory=list)


class Counted(NamedTuple):
    """An entry that is judged: the failed poll (without ``counts``), damaged body or profile that it is."""

    time: float
    target: str
    profile: str
    is_judged: bool = True
    is_damaged: bool = False
    counts: Counts | None = None


class Counter:
    """Counts what entries hold, one log or target after the other or mixed."""

    def __init__(self) -> None:
        self._parser = CountsParser()

    def count(self, entry: Entry) -> Counted:
        """What an entry holds. Those of profiles that are not judged, and differences, tell nothing."""
        time, target, profile = entry.time, entry.target, entry.profile
        if entry.seconds or (profile and profile not in JUDGED):
            return Counted(time, target, profile, is_judged=False)
        if not entry.body:
            return Counted(time, target, profile)
        try:
            counts = self._parser.parse(entry.body)
        except ProfileError:
            return Counted(time, target, profile, is_damaged=True)
        if counts.kind != profile:
            return Counted(time, target, profile, is_damaged=True)
        return Counted(time, target, profile, counts=counts)


class Check:
    """Takes what was counted in entries, in order of time, target by target or mixed, and collects the leaks."""

    def __init__(self, settings: LeakConfig) -> None:
        """``settings``: what a leak is."""
        self._settings = settings
        self._watched: dict[str, _Watched] = {}
        #: How many entries there were, failed polls and gaps included; of these, bodies that could not be parsed.
        self.entries = 0
        self.damaged = 0
        #: In the order in which they were found.
        self.leaks: list[CheckedLeak] = []
        #: What was not found to leak, but may have been, had the log gone on.
        self.suspects: list[CheckedLeak] = []

    def take(self, counted: Counted) -> None:
        """Take the next entry."""
        self.entries += counted.is_judged
        self.damaged += counted.is_damaged
        if counted.counts is None:
            return
        watched = self._watch(counted)
        for finding in watched.leaks.observe(counted.profile, counted.time, counted.counts):
            self._take_finding(watched, JUDGED[counted.profile], finding, counted.time)

    def finish(self) -> None:
        """Bring the leaks that go on up to the last entry, and see what is suspected then."""
        for watched in self._watched.values():
            self._finish(watched)

    def _watch(self, entry: Counted) -> _Watched:
        """What watches the target; anew when time goes back: that is another log, and maybe another server's."""
        watched = self._watched.get(entry.target)
        if watched is None or entry.time < watched.last - self._settings.window:
            if watched is not None:
                self._finish(watched)
            watched = self._watched[entry.target] = _Watched(entry.target, TargetLeaks(self._settings), entry.time)
        watched.last = max(watched.last, entry.time)
        return watched

    def _take_finding(self, watched: _Watched, profile: str, finding: Finding, time: float) -> None:
        known = next((checked for checked in watched.ongoing if _is_about(checked, profile, finding.leak)), None)
        if finding.over:
            if known is not None:
                known.leak, known.over_at = replace(finding.leak, count_to=finding.peak), time
                watched.ongoing.remove(known)
        elif known is not None:
            known.leak = finding.leak
        else:
            checked = CheckedLeak(watched.name, profile, finding.leak)
            watched.ongoing.append(checked)
            self.leaks.append(checked)

    def _finish(self, watched: _Watched) -> None:
        for profile in dict.fromkeys(JUDGED.values()):
            for now in watched.leaks.leaks(profile):
                for checked in watched.ongoing:
                    if _is_about(checked, profile, now):
                        checked.leak = now
        self.suspects += [CheckedLeak(watched.name, GOROUTINE, suspect) for suspect in watched.leaks.suspects]


def _is_about(checked: CheckedLeak, profile: str, leak: Leak) -> bool:
    return (checked.profile, checked.leak.stack.functions) == (profile, leak.stack.functions)
