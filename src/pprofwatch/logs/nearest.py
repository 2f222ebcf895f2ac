"""The entry of a log that is nearest to a time, found without reading all of the log where that is possible."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.logs.entry import MAX_BODY
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.search import find_header, parse_line
from pprofwatch.logs.segments import CLOCK_SLACK, Selection, last_change, open_inputs
from pprofwatch.logs.sources import STANDARD_INPUT, decoded
from pprofwatch.logs.window import Window
from pprofwatch.model import BINARY_PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from pprofwatch.logs.entry import Header
    from pprofwatch.logs.sources import RawFile, Source
    from pprofwatch.model import Entry

#: Nearest to this is the last entry: Unix seconds, in the year 9999.
THE_END = 253402300799.0
#: A stretch of a log that is read through rather than searched on, in bytes.
_STRETCH = 256 << 10
#: Smaller logs are read through, in bytes.
_SMALL = 4 << 20
#: In how many places a log is looked at to see whether its times only ever rise.
_PROBES = 32
#: A header is looked for in so many bytes at most: no entry is longer.
_MOST_SEARCHED = 2 * MAX_BODY
#: Where a folder has nothing near to a time, segments are read that lie this far from it, in seconds.
_DISTANCES = (0.0, 6 * 3600.0, 2 * 86400.0, 7 * 86400.0, 30 * 86400.0, math.inf)
#: Profiles that have none, or may have.
_NO_DELTAS = frozenset(("", *BINARY_PROFILES))


def find_nearest(
    paths: Sequence[str],
    times: Sequence[float],
    *,
    profile: str | None,
    delta: bool = False,
    failed_too: bool = False,
    whatever: bool = False,
    without: Collection[float] = (),
    on_problem: Callable[[Problem], None],
    on_progress: Callable[[int], None],
) -> list[Entry | None]:
    """The entry with a profile that is nearest to each time; of two that are as near, the one that is read first.

    Plain logs of ours whose times rise are searched by halves. Others, and compressed ones, are read through.

    Args:
        paths: As for ``read_entries``.
        times: In Unix seconds; ``THE_END`` for the last entry.
        profile: Which profile; None: that of the first entry that is looked at.
        delta: Of entries that were measured over a span of time, rather than of an instant.
        failed_too: Of entries without a profile, too: failed polls and gaps.
        whatever: Of any entries, whatever they are of; ``profile`` and ``delta`` then mean nothing.
        without: Times of entries to leave out, in Unix seconds.
        on_problem: Called with each thing that can't be read, once.
        on_progress: Called now and then with the number of bytes (of the files, as stored) that were read since.

    Returns:
        An entry for each time; None where there is none at all.
    """
    told: set[Problem] = set()

    def report(problem: Problem) -> None:
        if problem not in told:
            told.add(problem)
            on_problem(problem)

    best = _Best(times, profile, delta=delta, failed_too=failed_too, whatever=whatever, without=without)
    search = _Search(best, report, on_progress)
    for path in paths:
        if path != STANDARD_INPUT and Path(path).is_dir():
            for index in range(len(times)):
                best.active = [index]
                search.folder(path, times[index], profile)
            best.active = list(range(len(times)))
        else:
            search.files(path, Selection(profile))
    return best.found


class _Best:
    """The nearest entries up to now: ``found`` has one for each of ``times``, of which some are ``active`` now."""

    def __init__(
        self,
        times: Sequence[float],
        profile: str | None,
        *,
        delta: bool,
        failed_too: bool,
        whatever: bool,
        without: Collection[float],
    ) -> None:
        self.times = times
        self.found: list[Entry | None] = [None] * len(times)
        self.active = list(range(len(times)))
        self._profile = profile
        self._delta = delta
        self._failed_too = failed_too
        self._whatever = whatever
        self._without = without

    def fits(self, header: Header) -> bool:
        """Whether an entry may be taken, whatever its time."""
        is_failed = header.length == 0 or bool(header.error)
        if header.time in self._without or (is_failed and not self._failed_too):
            return False
        if self._whatever:
            return True
        # What is measured over a span only is no delta, and a shell loop's failed poll does not say what it was.
        if header.profile not in _NO_DELTAS and (header.seconds > 0) != self._delta:
            return False
        if is_failed:
            return self._profile in (None, header.profile or self._profile)
        if not header.profile:
            return False
        # A shell loop's log does not say which of the two it has.
        either = header.profile == "heap" and not header.target and self._profile == "allocs"
        return self._profile in (None, header.profile) or either

    def wants(self, header: Header) -> bool:
        """Whether an entry is nearer to any of the times than what was found."""
        return self.fits(header) and any(self._is_nearer(header.time, index) for index in self.active)

    def take(self, entry: Entry) -> None:
        """Take an entry that is wanted."""
        if not self._whatever:
            self._profile = self._profile or entry.profile
        for index in self.active:
            if self._is_nearer(entry.time, index):
                self.found[index] = entry

    def is_within(self, time: float, distance: float) -> bool:
        """Whether what was found lies within so many seconds of a time."""
        return all(found is not None and abs(found.time - time) <= distance for found in self._now())

    def _now(self) -> Iterable[Entry | None]:
        return (self.found[index] for index in self.active)

    def _is_nearer(self, time: float, index: int) -> bool:
        found = self.found[index]
        return found is None or abs(time - self.times[index]) < abs(found.time - self.times[index])


class _Place(NamedTuple):
    """Where a header of ours stands in a log."""

    offset: int
    time: float


class _Search:
    """Looks for the best entries in one file after the other."""

    def __init__(self, best: _Best, report: Callable[[Problem], None], on_progress: Callable[[int], None]) -> None:
        self._best = best
        self._report = report
        self._on_progress = on_progress

    def folder(self, path: str, time: float, profile: str | None) -> None:
        """Search a folder's segments, those first whose names and times tell that they are near."""
        changed = last_change(path, Selection(profile))
        around = time if changed is None else min(time, changed)
        for distance in _DISTANCES:
            self.files(path, Selection(profile, around - distance, around + distance))
            if self._best.is_within(around, distance + CLOCK_SLACK):
                break

    def files(self, path: str, selection: Selection) -> None:
        """Search all files that a path leads to."""
        for name, raw in open_inputs([path], selection, self._report):
            try:
                self._file(name, raw)
            except OSError as error:
                reason = f"cannot read on at byte {raw.position}: {error.strerror or error}"
                self._report(Problem(name, raw.position, 0, reason))

    def _file(self, path: str, raw: RawFile) -> None:
        source = decoded(raw, path, lambda *damage: self._report(Problem(path, *damage)))
        if source is not raw or not raw.seekable:
            self._stretch(path, raw, source, 0, math.inf)
        elif raw.size > _SMALL and (probes := _probe(raw)):
            for index in self._best.active:
                self._halve(path, raw, probes, self._best.times[index])
        else:
            self._stretch(path, raw, raw, 0, math.inf)

    def _halve(self, path: str, raw: RawFile, probes: list[_Place], time: float) -> None:
        """Search a plain log whose times rise."""
        start = _last_before(raw, probes, time)
        stretch = _STRETCH
        while not self._stretch(path, raw, raw, start, time) and start > 0:
            # Nothing that fits stood between there and the time: look further back.
            before = _header_from(raw, max(start - stretch, 0), start)
            start = 0 if before is None or start <= stretch else before.offset
            stretch *= 4

    def _stretch(self, path: str, raw: RawFile, source: Source, start: int, until: float) -> bool:
        """Read entries from an offset on, up to the first after a time. Returns whether one before it was met."""
        if source is raw and raw.seekable:
            raw.seek(0)
        best = self._best
        met = False
        ended = False
        told = start if source is raw else raw.position

        def wanted(header: Header) -> bool:
            nonlocal met, ended
            if best.fits(header):
                met = met or header.time <= until
                ended = ended or header.time > until
            return best.wants(header)

        def report(offset: int, length: int, reason: str) -> None:
            self._report(Problem(path, offset, length, reason))

        for found in Scanner(Window(source), report, wanted=wanted).entries(start):
            best.take(found.entry)
            if raw.position - told > _STRETCH:
                self._on_progress(raw.position - told)
                told = raw.position
            if ended:
                break
        return met


def _probe(raw: RawFile) -> list[_Place]:
    """Headers all over a log, if it is ours and their times rise; else none."""
    first = parse_line(raw.peek(1 << 14).partition(b"\n")[0] + b"\n")
    if first is None or first.length is None:
        return []
    places = [_Place(0, first.time)]
    step = max(raw.size // _PROBES, _STRETCH)
    for offset in range(step, raw.size, step):
        if offset > places[-1].offset and (place := _header_from(raw, offset, raw.size)):
            places.append(place)
    rising = all(before.time <= after.time for before, after in itertools.pairwise(places))
    return places if rising else []


def _last_before(raw: RawFile, probes: list[_Place], time: float) -> int:
    """The offset of a header that is not after the time, and near to the last one that isn't; or 0."""
    index = bisect_right(probes, time, key=lambda place: place.time)
    low = probes[max(index - 1, 0)].offset
    high = probes[index].offset if index < len(probes) else raw.size
    while high - low > _STRETCH:
        middle = (low + high) // 2
        place = _header_from(raw, middle, high)
        if place is None or place.time > time:
            high = middle
        else:
            low = place.offset
    return low


def _header_from(raw: RawFile, start: int, stop: int) -> _Place | None:
    """The first header of ours that begins between two offsets."""
    size = _STRETCH // 4
    while start < stop:
        raw.seek(start)
        data = raw.peek(min(size, raw.size - start))
        line_at = data.find(b"\n") + 1
        found = find_header(data, line_at) if line_at else -1
        if found >= 0:
            header = parse_line(data[found : data.find(b"\n", found) + 1])
            if header is not None and header.length is not None:
                return _Place(start + found, header.time) if start + found < stop else None
        if len(data) < size:
            break
        size *= 4
        if size > _MOST_SEARCHED:
            break
    return None
