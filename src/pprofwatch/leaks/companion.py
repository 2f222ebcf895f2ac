"""Stacks that come and go together, and one that stays behind.

A session has several goroutines: one reads, one writes, one sends heartbeats. Their stacks rise and fall in step,
however lively the traffic is. When one of them does not end with its session, its stack rises beside the others: what
it counts *beyond its companion* only grows, and can be judged as a stack through which no traffic runs.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from operator import mul, sub
from typing import TYPE_CHECKING

from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, STRIDE, Series

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pprofwatch.model import Stack

#: In step are stacks whose floors change alike from block to block: by this correlation at least, over so many changes.
IN_STEP = 0.9
CHANGES = 40
#: So many must have died in both; and in a leaking one fewer, by as much as leaks, or by chance a bit more.
LEAST_DEATHS = 40
FEWEST_DEATHS = 0.6
MOST_DEATHS = 1.3
#: At first nothing, or hardly anything, was beyond: so many, and this share of what was there. Quick looks at so many
#: blocks ago tell whether that may be.
BEYOND_AT_FIRST = 3
BEYOND_SHARE = 0.1
LONG_AGO = (100, 75, 50)
#: What is in step takes long to find, and mostly stays so: it is looked for among so many stacks, those with the most
#: deaths, and once in so many blocks.
LIVELIEST = 32
EVERY_BLOCKS = BLOCKS_PER_WINDOW // 2
#: With more companions than that nobody is compared: those most in step will do.
MOST_COMPANIONS = 8


@dataclass(frozen=True, slots=True)
class Excess:
    """What a stack counts beyond ``ratio`` times its companion, as the series of both go on.

    Attributes:
        all_series: The series of a profile, by stack.
        stack: Whose excess it is.
        companion: The stack that it is compared with.
        ratio: How many of the one there should be for each of the other.
    """

    all_series: Mapping[Stack, Series]
    stack: Stack
    companion: Stack
    ratio: int

    @property
    def last(self) -> int:
        """The latest excess."""
        return max(0, self._last(self.stack) - self.ratio * self._last(self.companion))

    @property
    def born(self) -> float:
        """When the stack was first seen, as of its series."""
        series = self.all_series.get(self.stack)
        return series.born if series else 0.0

    def forget(self) -> None:
        """Drop the past of the stack's series."""
        if series := self.all_series.get(self.stack):
            series.forget()

    @property
    def past(self) -> Series:
        """The excess as a series: of a block, the floors' difference, which is exact where both move in step."""
        ours, theirs = self._floors()
        return Series.from_floors((max(0, own - other) for own, other in zip(ours, theirs, strict=True)), self.last)

    def was_small(self, ago: int) -> bool:
        """Whether it is known that hardly anything was beyond the companion so many blocks ago (1: in the last one)."""
        ours, theirs = (self.all_series[stack].blocks for stack in (self.stack, self.companion))
        if STRIDE * ago > min(len(ours), len(theirs)):
            return False
        theirs_then = self.ratio * theirs[-STRIDE * ago]
        return ours[-STRIDE * ago] - theirs_then <= BEYOND_AT_FIRST + BEYOND_SHARE * theirs_then

    def _last(self, stack: Stack) -> int:
        series = self.all_series.get(stack)
        return series.last if series else 0

    def _floors(self) -> tuple[Sequence[int], Sequence[int]]:
        """The floors of both, of the companion's ``ratio`` times as many, as far back as both are known."""
        ours, theirs = (self.all_series[stack].blocks[0::STRIDE] for stack in (self.stack, self.companion))
        n = min(len(ours), len(theirs))
        return ours[len(ours) - n :], [self.ratio * floor for floor in theirs[len(theirs) - n :]]


class Companions:
    """Which stacks of a profile are in step, as they were found to be some blocks ago at the most."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        #: By stack, its companions, the one most in step first, and how many there are of it for each of them.
        self._known: dict[Stack, list[tuple[Stack, int]]] = {}

    def forget(self) -> None:
        """Nothing is known any more."""
        self._known.clear()

    def excesses(self, all_series: Mapping[Stack, Series], min_count: int) -> Iterator[Excess]:
        """What stacks count beyond their companions, where it is enough, and was small: of a stack, one for each."""
        for stack, companions in self._known.items():
            for companion, ratio in companions:
                excess = Excess(all_series, stack, companion, ratio)
                is_enough = companion in all_series and excess.last >= min_count
                if is_enough and any(map(excess.was_small, LONG_AGO)):
                    yield excess

    def find(self, all_series: Mapping[Stack, Series]) -> None:
        """Find out anew what is in step, a block just closed."""
        old = ((stack, each) for stack, each in all_series.items() if len(each.blocks) > STRIDE * CHANGES)
        deaths = ((sum(each.falls), number, stack) for number, (stack, each) in enumerate(old))
        lively = [each for each in heapq.nlargest(LIVELIEST, deaths) if each[0] >= LEAST_DEATHS]
        changes = {stack: _changes(all_series[stack]) for _, _, stack in lively}
        found: dict[Stack, list[tuple[float, Stack, int]]] = {stack: [] for stack in changes}
        for (more, _, stack), (fewer, _, other) in combinations(lively, 2):
            ratio = round(more / fewer)
            pairs = [(stack, other, ratio)] if more <= MOST_DEATHS * ratio * fewer else []
            pairs += [(other, stack, 1)] if fewer >= FEWEST_DEATHS * more else []
            if pairs and (in_step := sum(map(mul, changes[stack], changes[other]))) >= IN_STEP:
                for own, companion, times in pairs:
                    found[own].append((in_step, companion, times))
        self._known = {stack: _most_in_step(companions) for stack, companions in found.items() if companions}


def _most_in_step(companions: list[tuple[float, Stack, int]]) -> list[tuple[Stack, int]]:
    best = heapq.nlargest(MOST_COMPANIONS, companions, key=lambda each: each[0])
    return [(companion, ratio) for _, companion, ratio in best]


def _changes(series: Series) -> list[float]:
    """How the floor has changed from block to block, less the mean, and scaled to a length of 1; all 0 if it did not.

    Of two such the product is their correlation.
    """
    floors = series.blocks[-STRIDE * (CHANGES + 1) :: STRIDE]
    changes = list(map(sub, floors[1:], floors))
    in_all = floors[-1] - floors[0]
    mean = in_all / CHANGES
    length = sqrt((CHANGES * sum(map(mul, changes, changes)) - in_all * in_all) / CHANGES) or 1.0
    return [(change - mean) / length for change in changes]
