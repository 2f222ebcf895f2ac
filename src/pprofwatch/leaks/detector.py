"""The leak detector: counts by stack go in, poll by poll; leaks come out, as soon as they can be told.

It works online: memory is bounded by the number of stacks times ``HISTORY`` blocks, and what it says about a poll
depends on nothing that comes later, so that a log replayed gives what the daemon said live.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.leaks.culprit import culprit, is_users, origin
from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, HISTORY, Series
from pprofwatch.leaks.verdict import RUNAWAY_GROWTH, STEADY_BLOCKS, Growth, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pprofwatch.model import Frame, Stack

#: Stacks remembered a profile; beyond it, stacks that have gone are forgotten first, and new ones not taken.
MAX_STACKS = 20_000
# A leak is over when this share of its growth is gone again.
SHRUNK = 0.75


@dataclass(frozen=True, slots=True)
class Leak:
    """A stack that grows without bound, with its numbers at ``time``.

    Times are Unix seconds, counts goroutines (or whatever the profile counts). ``detected_at`` is the time of the
    entry at which it could first be told; ``since`` is when the growth began, to a block. ``also`` are stacks that
    grow with it and are counted as the same bug.
    """

    stack: Stack
    severity: str
    detected_at: float
    since: float
    time: float
    count_from: int
    count_to: int
    total_from: int
    total_to: int
    also: tuple[Stack, ...] = ()

    @property
    def per_hour(self) -> float:
        """The mean rate since it began."""
        return (self.count_to - self.count_from) / max(self.time - self.since, 1e-3) * 3600

    @property
    def culprit(self) -> Frame:
        """The line to look at first."""
        return culprit(self.stack)


@dataclass(frozen=True, slots=True)
class Finding:
    """News about a leak: it was found, or (``over``) its count has shrunk back."""

    leak: Leak
    over: bool = False


@dataclass(slots=True)
class _Group:
    """Stacks of one origin, counted together once there are two."""

    stacks: list[Stack]
    series: Series | None = None
    sum: int = 0


@dataclass(slots=True)
class _Active:
    """A leak that goes on; ``series`` is None until a poll shows again what its stack counts."""

    leak: Leak
    series: Series | None
    growth: int
    stacks: set[Stack]
    grouped: bool

    @property
    def count(self) -> int:
        return self.leak.count_to if self.series is None else self.series.last


class Detector:
    """Finds leaks in one profile of one target."""

    def __init__(self, window: float = 1800.0, min_count: int = 10) -> None:
        """``window``: seconds for which growth must last; ``min_count``: the least growth that is worth an alert."""
        self._block_seconds = window / BLOCKS_PER_WINDOW
        self._min_count = min_count
        self._block: int | None = None
        self._time = 0.0
        self._lag = 0.0
        self._series: dict[Stack, Series] = {}
        self._group_of: dict[Stack, _Group] = {}
        self._groups: dict[str, _Group] = {}
        self._total = Series(0, from_zero=False)
        self._active: list[_Active] = []

    def observe(self, time: float, counts: Mapping[Stack, int]) -> list[Finding]:
        """Take a poll: how often each stack was there at a time (Unix seconds). Returns what is news about leaks."""
        block = self._block_at(time)
        if self._block is None:
            self._block = block
        missing = block - self._block
        if missing > BLOCKS_PER_WINDOW // 2:
            self._forget()
            self._block = block
        self._add(counts, missing)
        if block == self._block:
            return []
        self._close_block()
        self._block = block
        return self._over(time) + self._found(time)

    @property
    def leaks(self) -> list[Leak]:
        """The leaks that go on, with their present numbers."""
        return [self._present(active, self._time) for active in self._active]

    def resume(self, leaks: Iterable[Leak]) -> None:
        """Go on with leaks that were found before a restart of the daemon, after its logs were replayed.

        They keep the time and the count that they began at; nothing is over because the replay was too short to see it.
        """
        for leak in leaks:
            stacks = {leak.stack, *leak.also}
            found = _Active(leak, None, leak.count_to - leak.count_from, stacks, grouped=False)
            known = next((active for active in self._active if self._same_bug(found, active)), None)
            if known is None:
                self._active.append(found)
                self._bind(found)
            else:
                known.leak = leak
                known.stacks |= stacks

    def _block_at(self, time: float) -> int:
        """The block that a time falls in. A clock that was set back moves the blocks, not the history."""
        if time < self._time - 2 * self._block_seconds:
            self._lag += self._time - time
        self._time = time
        block = int((time + self._lag) // self._block_seconds)
        return block if self._block is None else max(block, self._block)

    def _forget(self) -> None:
        """Nothing was seen for half a window: what grew meanwhile can't be told, so series begin anew."""
        self._series.clear()
        self._group_of.clear()
        self._groups.clear()
        self._total = Series(0, from_zero=False)
        self._block = None
        for active in self._active:
            active.series = None

    def _bind(self, active: _Active) -> None:
        """Find the series of a leak's stack again. One that is gone counts 0, once a poll has shown that."""
        stack = active.leak.stack
        if not self._series:
            return
        group = self._group_of.get(stack)
        if active.grouped and group is not None and group.series is not None:
            active.series = group.series
            return
        if stack not in self._series:
            self._series[stack] = Series(0, from_zero=True)
            self._join(stack, 0)
        active.series = self._series[stack]

    def _add(self, counts: Mapping[Stack, int], missing: int) -> None:
        known = self._series
        total = sum(counts.values())
        if not known:
            self._total = Series(total, from_zero=False)
        for stack, series in known.items():
            count = counts.get(stack, 0)
            if missing > 1:
                series.bridge(missing, count)
            series.add(count)
            self._group_of[stack].sum += count
        began = bool(known) and bool(self._total.blocks)
        for stack in counts.keys() - known.keys():
            if len(known) < MAX_STACKS:
                known[stack] = Series(counts[stack], from_zero=began)
                self._join(stack, counts[stack])
        for group in self._groups.values():
            if group.series is not None:
                if missing > 1:
                    group.series.bridge(missing, group.sum)
                group.series.add(group.sum)
            group.sum = 0
        if missing > 1:
            self._total.bridge(missing, total)
        self._total.add(total)
        for active in self._active:
            if active.series is None:
                self._bind(active)

    def _join(self, stack: Stack, count: int) -> None:
        group = self._groups.setdefault(origin(stack), _Group([]))
        if len(group.stacks) == 1:
            group.series = self._series[group.stacks[0]].copy()
        group.stacks.append(stack)
        group.sum += count
        self._group_of[stack] = group

    def _close_block(self) -> None:
        for series in self._all_series():
            series.close_block()
        self._total.close_block()
        patience = HISTORY if len(self._series) < MAX_STACKS // 10 else 1
        for stack in [stack for stack, series in self._series.items() if series.quiet >= patience]:
            self._drop(stack)

    def _drop(self, stack: Stack) -> None:
        del self._series[stack]
        group = self._group_of.pop(stack)
        group.stacks.remove(stack)
        if not group.stacks:
            del self._groups[origin(stack)]

    def _all_series(self) -> Iterator[Series]:
        yield from self._series.values()
        for group in self._groups.values():
            if group.series is not None:
                yield group.series

    def _over(self, time: float) -> list[Finding]:
        findings = []
        for active in list(self._active):
            growth = active.count - active.leak.count_from
            active.growth = max(active.growth, growth)
            if growth <= (1 - SHRUNK) * active.growth:
                self._active.remove(active)
                findings.append(Finding(self._present(active, time), over=True))
        return findings

    def _found(self, time: float) -> list[Finding]:
        """The leaks that the block just closed gives away, the same bug's stacks together."""
        fresh: list[_Active] = []
        candidates: list[tuple[Stack, Stack | None, Series]]
        candidates = [(stack, stack, series) for stack, series in self._series.items()]
        candidates += [
            (group.stacks[0], None, group.series) for group in self._groups.values() if group.series is not None
        ]
        for member, stack, series in candidates:
            growth = self._judge(series)
            if growth is not None:
                stacks = [stack] if stack is not None else self._grown(self._group_of[member], growth)
                fresh.append(self._activate(time, stacks, series, growth, grouped=stack is None))
        fresh.sort(key=lambda active: (not is_users(active.leak.stack), -active.count))
        found: list[_Active] = []
        for active in fresh:
            known = next((other for other in self._active if self._same_bug(active, other)), None)
            if known is None:
                self._active.append(active)
                found.append(active)
            elif not active.stacks <= known.stacks:
                known.stacks |= active.stacks
        return [Finding(self._present(active, time)) for active in found]

    def _judge(self, series: Series) -> Growth | None:
        if series.last < self._min_count:
            return None
        if len(series.blocks) < 3 * int(STEADY_BLOCKS) and series.last < RUNAWAY_GROWTH:
            return None
        return judge(
            series,
            total=self._total,
            others=self._series.values(),
            min_count=self._min_count,
            block_seconds=self._block_seconds,
        )

    def _activate(self, time: float, stacks: list[Stack], series: Series, growth: Growth, *, grouped: bool) -> _Active:
        run = growth.run
        begin = len(self._total.blocks) // 3 - len(run.steps)
        total_from = self._total.floors[max(0, begin)]
        since = time - (run.length - 0.5) * self._block_seconds
        leak = Leak(
            stack=stacks[0],
            severity="runaway" if growth.runaway else "leak",
            detected_at=time,
            since=since,
            time=time,
            count_from=run.count_from,
            count_to=series.last,
            total_from=total_from,
            total_to=self._total.last,
        )
        return _Active(leak, series, run.growth, set(stacks), grouped)

    def _grown(self, group: _Group, growth: Growth) -> list[Stack]:
        """The stacks of a group, the one that grew most first."""
        blocks = len(growth.run.steps)

        def grown(stack: Stack) -> int:
            floors = self._series[stack].floors
            return floors[-1] - floors[max(0, len(floors) - 1 - blocks)]

        return sorted(group.stacks, key=grown, reverse=True)

    def _same_bug(self, new: _Active, known: _Active) -> bool:
        """Whether two leaks are one: a shared stack or origin, or growth in step since the same time."""
        if not new.stacks.isdisjoint(known.stacks):
            return True
        if origin(new.leak.stack) == origin(known.leak.stack) and culprit(new.leak.stack) == culprit(known.leak.stack):
            return True
        together = abs(new.leak.since - known.leak.since) <= 5 * self._block_seconds
        ours, theirs = new.count - new.leak.count_from, known.count - known.leak.count_from
        return together and abs(ours - theirs) <= max(3, 0.15 * max(ours, theirs))

    def _present(self, active: _Active, time: float) -> Leak:
        """The leak with its numbers as they are now."""
        leak = active.leak
        also = sorted(active.stacks - {leak.stack}, key=lambda stack: (not is_users(stack), stack.functions))
        return Leak(
            stack=leak.stack,
            severity=leak.severity,
            detected_at=leak.detected_at,
            since=leak.since,
            time=time,
            count_from=leak.count_from,
            count_to=active.count,
            total_from=leak.total_from,
            total_to=self._total.last,
            also=tuple(also),
        )
