"""Which stacks leaked, according to logs: the daemon's detector, fed with what was recorded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

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


class Check:
    """Takes entries in order of time, target by target or mixed, and collects the leaks."""

    def __init__(self, settings: LeakConfig) -> None:
        """``settings``: what a leak is."""
        self._settings = settings
        self._parser = CountsParser()
        self._watched: dict[str, _Watched] = {}
        #: How many entries there were, failed polls and gaps included; of these, bodies that could not be parsed.
        self.entries = 0
        self.damaged = 0
        #: In the order in which they were found.
        self.leaks: list[CheckedLeak] = []
        #: What was not found to leak, but may have been, had the log gone on.
        self.suspects: list[CheckedLeak] = []

    def take(self, entry: Entry) -> None:
        """Take the next entry. Those of profiles that are not judged, and differences, tell nothing."""
        if entry.seconds or (entry.profile and entry.profile not in JUDGED):
            return
        self.entries += 1
        if not entry.body:
            return
        counts = self._parse(entry)
        if counts is None:
            self.damaged += 1
            return
        watched = self._watch(entry)
        for finding in watched.leaks.observe(entry.profile, entry.time, counts):
            self._take_finding(watched, JUDGED[entry.profile], finding, entry.time)

    def finish(self) -> None:
        """Bring the leaks that go on up to the last entry, and see what is suspected then."""
        for watched in self._watched.values():
            self._finish(watched)

    def _parse(self, entry: Entry) -> Counts | None:
        """The counts in an entry, or None where its body is not the profile that it should be."""
        try:
            counts = self._parser.parse(entry.body)
        except ProfileError:
            return None
        return counts if counts.kind == entry.profile else None

    def _watch(self, entry: Entry) -> _Watched:
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
