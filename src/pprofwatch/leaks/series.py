"""A series: the count of one stack over time, kept as a bounded history of blocks."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Blocks in a leak window: fine enough to see whether growth still goes on when the window is full.
BLOCKS_PER_WINDOW = 30
#: Blocks remembered, over three windows: what the stack did before its present growth began.
HISTORY = 100
#: Numbers a block: floor, peak, fall.
STRIDE = 3
# What a block can hold; a target may say any number.
_MOST = 2**31 - 1


class Series:
    """Counts of one stack, as three numbers a block of time.

    The *floor* is the least count seen in the block, the *peak* the most, and the *fall* adds up the steps down
    between polls: deaths, as far as polls can see them. Memory is bounded by ``HISTORY``; a poll costs a comparison.

    Attributes:
        blocks: Closed blocks, oldest first, flat: floor, peak, fall, floor, peak, fall …
        born: When the stack was first seen, in Unix seconds; 0 where it may have been there before.
        last: The latest count.
        quiet: How many closed blocks in a row were all zero.
        level: In how many closed blocks in a row the count did not rise.
        ceiling: The most that there was before any growth that the series is in, or will be in while the block that
            showed it is remembered; -1 where nobody has looked.
    """

    __slots__ = (
        "_fall",
        "_floor",
        "_peak",
        "_rises",
        "_rises_before",
        "blocks",
        "born",
        "ceiling",
        "last",
        "level",
        "quiet",
    )

    def __init__(self, count: int, *, from_zero: bool, born: float = 0.0) -> None:
        """Begin at ``count``; ``from_zero`` tells that the stack was looked for before, and was not there."""
        self.born = born
        self.blocks = array("i", (0, 0, 0) if from_zero else ())
        self.last = count
        self.quiet = self.level = 0
        self.ceiling = -1
        self._floor = 0 if from_zero else count
        self._peak = count
        self._fall = 0
        self._rises = self._rises_before = 0

    @classmethod
    def from_floors(cls, floors: Iterable[int], last: int) -> Series:
        """A series that had one count in each block, and has ``last`` now."""
        series = cls(last, from_zero=False)
        before = 0
        for floor in floors:
            series.blocks.extend((floor, floor, max(0, before - floor)))
            before = floor
        return series

    def copy(self) -> Series:
        """A series with the same past, to go its own way."""
        twin = Series(self.last, from_zero=False, born=self.born)
        twin.blocks = self.blocks[:]
        twin.quiet, twin.level = self.quiet, self.level
        twin._floor, twin._peak, twin._fall = self._floor, self._peak, self._fall
        return twin

    def add(self, count: int) -> None:
        """Take the count of one more poll."""
        # Of all that is done with a poll, this is done most often: min and max would take twice as long.
        if count > self.last:
            self._rises += 1
            if count > self._peak:  # noqa: PLR1730
                self._peak = count
        else:
            self._fall += self.last - count
            if count < self._floor:  # noqa: PLR1730
                self._floor = count
        self.last = count

    def bridge(self, blocks: int, count: int) -> None:
        """Close all but the last of so many ``blocks`` that have gone by without a poll, before ``count`` is added.

        What happened meanwhile is taken to lie on a straight line, which says the least.
        """
        self.close_block()
        step = (count - self.last) / blocks
        start = self.last
        for i in range(1, blocks - 1):
            self.add(round(start + step * i))
            self.close_block()

    def close_block(self) -> None:
        """End the current block; the next one begins at the latest count."""
        blocks = self.blocks
        floor, peak, fall = self._floor, self._peak, self._fall
        if floor < 0 or peak > _MOST or fall > _MOST:
            floor, peak, fall = (min(max(number, 0), _MOST) for number in (floor, peak, fall))
        blocks.extend((floor, peak, fall))
        self.quiet = 0 if self._peak else self.quiet + 1
        self.level = 0 if self._rises else self.level + 1
        self._floor = self._peak = self.last
        self._fall = 0
        self._rises_before, self._rises = self._rises, 0
        if len(blocks) > STRIDE * (HISTORY + 10):
            del blocks[: len(blocks) - STRIDE * HISTORY]
            self.ceiling = -1

    def forget(self) -> None:
        """Drop all that came before the current block."""
        del self.blocks[:]
        self.ceiling = -1

    @property
    def rises(self) -> int:
        """At how many polls the count rose, in this block and the one before."""
        return self._rises + self._rises_before

    @property
    def floors(self) -> list[int]:
        """The floor of each closed block, then the latest count."""
        return [*self.blocks[0::STRIDE], self.last]

    @property
    def peaks(self) -> array[int]:
        """The peak of each closed block."""
        return self.blocks[1::STRIDE]

    @property
    def falls(self) -> array[int]:
        """The fall of each closed block."""
        return self.blocks[2::STRIDE]
