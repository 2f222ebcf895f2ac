"""What is remembered of one profile: a series for each stack, and for each group of stacks of one origin."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from pprofwatch.leaks.culprit import origin
from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, HISTORY, Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pprofwatch.model import Stack

#: Stacks remembered a profile; beyond it, stacks that have gone are forgotten first, and new ones not taken.
MAX_STACKS = 20_000


@dataclass(slots=True)
class Group:
    """Stacks of one origin, and their series in the same order; counted together once there are two."""

    stacks: list[Stack]
    parts: list[Series]
    series: Series | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a poll did to the history.

    ``set_back``: by how many seconds the clock was set back before it; ``forgot``: it came so late that all series
    began anew; ``closed``: it was the first of a new block, so that the one before has closed.
    """

    set_back: float
    forgot: bool
    closed: bool


class History:
    """The series of one profile, in blocks of time.

    Attributes:
        series: By stack.
        groups: By origin.
        total: The series of the profile's total.
        block: The number of the present block; None before the first poll.
        polls: How many polls were in the last block that has closed.
        block_seconds: How long a block is.
    """

    def __init__(self, block_seconds: float) -> None:
        self.block_seconds = block_seconds
        self.series: dict[Stack, Series] = {}
        self.groups: dict[str, Group] = {}
        self.total = Series(0, from_zero=False)
        self.block: int | None = None
        self.polls = 0
        self._polls_now = 0
        self._time = 0.0
        self._lag = 0.0

    def observe(self, time: float, counts: Mapping[Stack, int]) -> Step:
        """Take a poll: how often each stack was there at a time (Unix seconds)."""
        set_back = self._time - time if time < self._time - 2 * self.block_seconds else 0.0
        if set_back:
            self._set_back(set_back)
        self._time = time
        block = self._block_at(time)
        before = block if self.block is None else self.block
        passed = block - before
        forgot = passed > BLOCKS_PER_WINDOW // 2
        if forgot:
            self._forget()
            before, passed = block, 0
        self._add(counts, passed)
        self._polls_now += 1
        if block > before:
            self._close_block()
            self.polls, self._polls_now = self._polls_now, 0
        self.block = block
        return Step(set_back, forgot, closed=block > before)

    def in_block(self, time: float) -> float:
        """Seconds since the present block began."""
        return max(0.0, time + self._lag - (self.block or 0) * self.block_seconds)

    def find(self, stack: Stack, *, grouped: bool) -> Series | None:
        """The series of a stack, or of its group where there is one; None where no poll has been seen.

        A stack that is not there has a series from now on: it counts 0.
        """
        if not self.series:
            return None
        group = self.groups.get(origin(stack))
        if grouped and group is not None and group.series is not None:
            return group.series
        if stack not in self.series:
            self.series[stack] = Series(0, from_zero=True)
            self._join(stack)
        return self.series[stack]

    def _block_at(self, time: float) -> int:
        """The block that a time falls in. A clock that was set back moves the blocks, not the history."""
        block = int((time + self._lag) // self.block_seconds)
        return block if self.block is None else max(block, self.block)

    def _set_back(self, seconds: float) -> None:
        """The clock was set back: what happened before, happened earlier by the new one."""
        self._lag += seconds
        for series in self._all_series():
            series.born -= seconds

    def _forget(self) -> None:
        """Nothing was seen for half a window: what grew meanwhile can't be told, so series begin anew."""
        self.series.clear()
        self.groups.clear()
        self.total = Series(0, from_zero=False)

    def _add(self, counts: Mapping[Stack, int], passed: int) -> None:
        known = self.series
        total = sum(counts.values())
        if not known:
            self.total = Series(total, from_zero=False)
        if passed > 1:
            self._bridge(counts, total, passed)
        now = list(map(counts.get, known, repeat(0)))
        for series, count in zip(known.values(), now, strict=True):
            if count != series.last:
                series.add(count)
        began = bool(known) and bool(self.total.blocks)
        if len(now) - now.count(0) < len(counts):
            for stack, count in counts.items():
                if stack not in known and len(known) < MAX_STACKS:
                    known[stack] = Series(count, from_zero=began, born=self._time if began else 0.0)
                    self._join(stack)
        for group in self.groups.values():
            if group.series is not None:
                group.series.add(sum(part.last for part in group.parts))
        self.total.add(total)

    def _bridge(self, counts: Mapping[Stack, int], total: int, passed: int) -> None:
        """Blocks have gone by without a poll."""
        for stack, series in self.series.items():
            series.bridge(passed, counts.get(stack, 0))
        for group in self.groups.values():
            if group.series is not None:
                group.series.bridge(passed, sum(counts.get(stack, 0) for stack in group.stacks))
        self.total.bridge(passed, total)

    def _join(self, stack: Stack) -> None:
        group = self.groups.setdefault(origin(stack), Group([], []))
        if len(group.parts) == 1 and group.series is None:
            group.series = group.parts[0].copy()
        group.stacks.append(stack)
        group.parts.append(self.series[stack])

    def _close_block(self) -> None:
        for series in self._all_series():
            series.close_block()
        self.total.close_block()
        patience = HISTORY if len(self.series) < MAX_STACKS // 10 else 1
        for stack in [stack for stack, series in self.series.items() if series.quiet >= patience]:
            self._drop(stack)

    def _drop(self, stack: Stack) -> None:
        del self.series[stack]
        place = origin(stack)
        group = self.groups[place]
        index = group.stacks.index(stack)
        del group.stacks[index], group.parts[index]
        if not group.parts:
            del self.groups[place]

    def _all_series(self) -> Iterator[Series]:
        yield from self.series.values()
        for group in self.groups.values():
            if group.series is not None:
                yield group.series
