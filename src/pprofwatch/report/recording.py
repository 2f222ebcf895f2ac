"""What a report is made of: each profile of each target in a log, read once, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.errors import ProfileError
from pprofwatch.profiles.text import CountsParser
from pprofwatch.report.instants import MAX_INSTANTS, Instants
from pprofwatch.report.samples import VALUE_TYPES, Samples, samples_of
from pprofwatch.report.timeline import Timeline
from pprofwatch.report.totals import total_of

if TYPE_CHECKING:
    from pprofwatch.model import Entry

#: More profiles of targets than this are left out, and said to be.
MAX_RECORDINGS = 100
#: What all recordings' instants together may cost: some 50 MB.
MAX_COST = 1_500_000
#: A value that only ever grows while the process lives.
_CUMULATIVE = {"heap": "alloc_objects", "allocs": "alloc_objects", "block": "contentions", "mutex": "contentions"}
_FELL = 0.5


class Recording:
    """One profile of one target.

    An instant with all its stacks is kept of each stretch of so many entries: the one with the highest total, so that
    a peak of a minute has its stacks even in a year's log. Stretches become longer as the log does.

    Attributes:
        timeline: The total of every entry.
        instants: Some of them, with their stacks.
        damaged: How many of those looked at could not be parsed.
        every: How many entries an instant stands for.
    """

    def __init__(self, target: str, profile: str, seconds: int, parser: CountsParser) -> None:
        """``seconds``: over how long each entry is a difference; 0 for levels."""
        self.target = target
        self.profile = profile
        self.seconds = seconds
        self.timeline = Timeline(levels=not seconds)
        self.instants = Instants()
        self.damaged = 0
        self.every = 1
        self._parser = parser
        self._best: tuple[int, Entry] | None = None
        self._waiting: Entry | None = None  # the last entry, unless it is the best or was added already
        self._in_stretch = 0
        self._cumulated = 0

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        if not entry.body:
            self.timeline.fail(entry.time, entry.error or ("not polled" if entry.gap else "no profile"))
            return
        total = total_of(entry).total
        self.timeline.take(entry.time, None if self.profile in _CUMULATIVE else total)
        # A counter's last value tells the most.
        weight = total if total is not None and self.profile not in ("block", "mutex") else 0
        self._waiting = entry
        if self._best is None or weight >= self._best[0]:
            self._best = weight, entry
        self._in_stretch += 1
        if self._in_stretch >= self.every:
            self._close()

    def add(self, samples: Samples, weight: int = 0) -> None:
        """Add an instant that has been read already."""
        self.instants.add(samples, weight)
        self._notice_restart(samples)
        if len(self.instants.kept) > MAX_INSTANTS:
            self.thin()

    def thin(self) -> None:
        """Keep half as many instants from now on."""
        self.instants.thin()
        self.every *= 2

    def finish(self) -> None:
        """Say that no entry follows: the last one becomes an instant."""
        self._close()
        if self._waiting is not None:
            self._parse(self._waiting, 0)
            self._waiting = None
        self.timeline.finish()
        self.instants.kept.sort(key=lambda instant: instant.time)

    def _close(self) -> None:
        """End a stretch."""
        if self._best is None:
            return
        weight, entry = self._best
        if entry is self._waiting:
            self._waiting = None
        self._best, self._in_stretch = None, 0
        self._parse(entry, weight)

    def _parse(self, entry: Entry, weight: int) -> None:
        try:
            samples = samples_of(self._parser.parse_all(entry.body), self.profile, entry.time)
        except ProfileError:
            self.damaged += 1
        else:
            self.add(samples, weight)

    def _notice_restart(self, samples: Samples) -> None:
        name = _CUMULATIVE.get(self.profile)
        if name is None or self.seconds:
            return
        cumulated = sum(samples.column(name).values())
        if cumulated < self._cumulated * _FELL:
            self.timeline.mark_restart(samples.time)
        self._cumulated = cumulated


class Recordings:
    """Takes the entries of a log, whatever they are of.

    Attributes:
        targets: The names of the targets, of which there are no more than ``MAX_RECORDINGS``.
    """

    def __init__(self) -> None:
        self._parser = CountsParser()
        self.targets: set[str] = set()
        self._all: dict[tuple[str, str, bool], Recording] = {}
        self._left_out: set[tuple[str, str, bool]] = set()
        self._cost = 0

    @property
    def left_out(self) -> int:
        """How many profiles of targets were left out, since there were ``MAX_RECORDINGS`` others before."""
        return len(self._left_out)

    def take(self, entry: Entry) -> None:
        """Take the next entry. A failed poll that doesn't say of what it was is one of each profile of its target."""
        if len(self.targets) < MAX_RECORDINGS:
            self.targets.add(entry.target)
        if entry.profile in VALUE_TYPES and not entry.file and entry.profile != "profile":
            recording = self._recording(entry.target, entry.profile, entry.seconds)
            if recording is not None:
                before = recording.instants.cost
                recording.take(entry)
                self._bound(recording.instants.cost - before)
        elif not entry.profile:
            for recording in self._all.values():
                if recording.target == entry.target:
                    recording.take(entry)

    def add(self, target: str, samples: Samples) -> None:
        """Take a profile that has a file of its own."""
        recording = self._recording(target, samples.kind, 0)
        if recording is not None:
            recording.timeline.take(samples.time, None)
            before = recording.instants.cost
            recording.add(samples)
            self._bound(recording.instants.cost - before)

    def finish(self) -> list[Recording]:
        """The recordings that hold anything, target by target."""
        for recording in self._all.values():
            recording.finish()
        found = [recording for recording in self._all.values() if recording.instants.kept]
        order = list(VALUE_TYPES)
        return sorted(
            found, key=lambda recording: (recording.target, order.index(recording.profile), recording.seconds)
        )

    def _recording(self, target: str, profile: str, seconds: int) -> Recording | None:
        key = target, profile, bool(seconds)
        recording = self._all.get(key)
        if recording is None:
            if len(self._all) >= MAX_RECORDINGS:
                if len(self._left_out) < 10 * MAX_RECORDINGS:
                    self._left_out.add(key)
                return None
            recording = self._all[key] = Recording(target, profile, seconds, self._parser)
        return recording

    def _bound(self, added: int) -> None:
        """Keep what all instants cost within bounds: those of the dearest recording go first."""
        self._cost += added
        while self._cost > MAX_COST:
            dearest = max(self._all.values(), key=lambda recording: recording.instants.cost)
            before = dearest.instants.cost
            dearest.thin()
            saved = before - dearest.instants.cost
            self._cost -= saved
            if not saved:
                break
