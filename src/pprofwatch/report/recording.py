"""What a report is made of: each profile of each target in a log, read once, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.errors import ProfileError
from pprofwatch.profiles.text import CountsParser
from pprofwatch.report.instants import MAX_INSTANTS, Instants
from pprofwatch.report.restarts import COUNTERS, has_fallen
from pprofwatch.report.samples import VALUE_TYPES, Samples, samples_of
from pprofwatch.report.timeline import Timeline
from pprofwatch.report.totals import total_of

if TYPE_CHECKING:
    from pprofwatch.model import Entry

#: More profiles of targets than this are left out, and said to be.
MAX_RECORDINGS = 100
#: What all recordings' instants together may cost: some 50 MB.
MAX_COST = 1_500_000


def reason_of(entry: Entry) -> str:
    """Why an entry without a profile has none."""
    return entry.error or ("not polled" if entry.gap else "no profile")


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
        self._counter = None if seconds else COUNTERS.get(profile)  # a value that only ever grows
        self._counted: tuple[float, int] | None = None  # when, and what

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        if not entry.body:
            self.timeline.fail(entry.time, reason_of(entry))
            return
        total = total_of(entry).total
        self.timeline.take(entry.time, None if self.profile in COUNTERS else total)
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
        if self._counter is not None:
            self._notice_restart(samples.time, sum(samples.column(self._counter).values()))
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
        self.instants.kept.sort(key=lambda instant: instant.time)
        if self._counter is not None:  # in the log they may have been in another order
            index = [known.name for known in VALUE_TYPES[self.profile]].index(self._counter)
            for instant in self.instants.kept:
                self._notice_restart(instant.time, instant.totals[index])

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

    def _notice_restart(self, time: float, count: int) -> None:
        """Compare a value that only ever grows with what it was when it was last looked at, before or after."""
        now = time, count
        (since, before), (until, after) = sorted((self._counted or now, now))
        if has_fallen(before, after):
            self.timeline.mark_restart(since, until)
        self._counted = now


class Recordings:
    """Takes the entries of a log, whatever they are of.

    Attributes:
        targets: The names of the targets, of which there are no more than ``MAX_RECORDINGS``.
        failed: How many polls failed, of whatever.
        last_failed: The latest of them.
    """

    def __init__(self) -> None:
        self._parser = CountsParser()
        self.targets: set[str] = set()
        self.failed = 0
        self.last_failed: Entry | None = None
        self._brought = 0
        self._nameless: dict[str, Timeline] = {}  # of each target, failed polls before it is known what is polled
        self._all: dict[tuple[str, str, bool], Recording] = {}
        self._left_out: set[tuple[str, str, bool]] = set()
        self._cost = 0

    @property
    def left_out(self) -> int:
        """How many profiles of targets were left out, since there were ``MAX_RECORDINGS`` others before."""
        return len(self._left_out)

    @property
    def all_failed(self) -> bool:
        """Whether there were polls, and none that brought anything."""
        return self.failed > 0 and not self._brought

    def take(self, entry: Entry) -> None:
        """Take the next entry. A failed poll that doesn't say of what it was is one of each profile of its target."""
        if len(self.targets) < MAX_RECORDINGS:
            self.targets.add(entry.target)
        self._count(entry)
        if entry.profile in VALUE_TYPES and not entry.file and entry.profile != "profile":
            recording = self._recording(entry.target, entry.profile, entry.seconds)
            if recording is not None:
                before = recording.instants.cost
                recording.take(entry)
                self._bound(recording.instants.cost - before)
        elif not entry.profile:
            known = [recording for recording in self._all.values() if recording.target == entry.target]
            for recording in known:
                recording.take(entry)
            if not known and not entry.body and entry.target in self.targets:
                self._nameless.setdefault(entry.target, Timeline()).fail(entry.time, reason_of(entry))

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
            if target in self._nameless:
                recording.timeline.begin_with(self._nameless[target])
        return recording

    def _count(self, entry: Entry) -> None:
        if entry.body or entry.file:
            self._brought += 1
        elif not entry.gap:
            self.failed += 1
            if self.last_failed is None or entry.time >= self.last_failed.time:
                self.last_failed = entry

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
