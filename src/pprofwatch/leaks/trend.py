"""The run of growth that a series is in, the course of its level, and their statistics. Pure arithmetic on numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from math import sqrt
from operator import mul, sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Levels are whole or half numbers: rounding alone makes for this variance.
ROUNDING = 0.3
# Of what no more than this share of the squares is not explained by a line, nothing else can be told.
_STRAIGHT = 1e-6


@dataclass(frozen=True)
class Run:
    """The stretch of blocks over which the floor under a series has risen, up to now.

    The floor at a block is the least count *from then on*: what was there then and has not gone since, at most. It can
    only rise, whatever the counts do; a healthy swing leaves no trace in it once it is over.

    Attributes:
        start: Index of the block in which the run begins.
        count_from: The floor where it begins.
        steps: How much the floor rose from each block to the next.
    """

    start: int
    count_from: int
    steps: Sequence[int]

    @cached_property
    def growth(self) -> int:
        """By how much the floor rose in all."""
        return sum(self.steps)

    @property
    def mean(self) -> float:
        """The mean rise a block."""
        return self.growth / len(self.steps)

    @property
    def length(self) -> float:
        """Blocks that the run lasts; the first counts as far as its own rise fills it."""
        return len(self.steps) - 1 + min(1.0, self.steps[0] / self.mean)

    @property
    def events(self) -> int:
        """How many times growth began after a block without: many for a steady leak, one for a single jump."""
        grew = bytes(map(bool, self.steps))
        starts = (b"\0" + grew).count(b"\0\1")
        # Where every block grows there are no pauses to count; then the blocks themselves are the events.
        return max(starts, grew.count(1) // 2)

    @property
    def spread(self) -> float:
        """The number of equal steps that would be as unevenly spread: 1 when all growth came at once."""
        squares: int = sum(map(mul, self.steps, self.steps))
        return self.growth**2 / squares

    def paced_by(self, work: Sequence[float]) -> Run:
        """The same growth, in as many blocks in each of which the same work was done, in place of time.

        Args:
            work: What was done in each block, more than nothing.
        """
        done = list(accumulate(work, initial=0.0))
        floors = list(accumulate(self.steps, initial=0))
        paced, block = [0], 0
        for i in range(1, len(work)):
            until = done[-1] * i / len(work)
            while done[block + 1] < until:
                block += 1
            share = (until - done[block]) / work[block]
            paced.append(round(floors[block] + share * self.steps[block]))
        paced.append(floors[-1])
        return Run(self.start, self.count_from, [after - before for before, after in pairwise(paced)])

    @cached_property
    def _fit(self) -> tuple[float, float]:
        """The slope of the steps over time, and its residual variance (never below Poisson's)."""
        n = len(self.steps)
        cross, width, spread = _sums(self.steps)
        return cross / width, max((spread - cross * cross / width) / (n - 2), self.mean)

    @property
    def acceleration(self) -> float:
        """Student's t of the steps' slope over time: well below 0 when growth slows down."""
        n = len(self.steps)
        slope, variance = self._fit
        return slope / sqrt(variance / (n * (n * n - 1) / 12))

    @property
    def dispersion(self) -> float:
        """How many goroutines come at a time, about: the variance of the steps over their mean, at least 1."""
        return self._fit[1] / self.mean


@dataclass(frozen=True)
class Course:
    """A level from block to block, as a straight line and how it swings about it.

    Attributes:
        levels: The level in each block.
        slope: The line's rise a block.
        swing: What each level is above the line.
    """

    levels: Sequence[float]
    slope: float
    swing: Sequence[float]

    @classmethod
    def of(cls, levels: Sequence[float]) -> Course:
        """The course of these levels; the line is that of least squares."""
        n = len(levels)
        cross, width, _ = _sums(levels)
        slope = cross / width
        begin = sum(levels) / n - slope * (n - 1) / 2
        return cls(levels, slope, [level - begin - slope * i for i, level in enumerate(levels)])

    @cached_property
    def squares(self) -> float:
        """The sum of the squares of the swing."""
        squares: float = sum(map(mul, self.swing, self.swing))
        return squares

    @property
    def significance(self) -> float:
        """Student's t of the slope; the swing from block to block may be alike, and then proves less."""
        n = len(self.levels)
        if not self.squares:
            return 0.0
        alike: float = max(0.0, sum(map(mul, self.swing, self.swing[1:])) / self.squares)
        variance = self.squares / (n - 2) * (1 + alike) / (1 - alike)
        return self.slope / sqrt(variance / (n * (n * n - 1) / 12))


@dataclass(frozen=True)
class Partial:
    """Values as a sum of a constant, a share of other values, and a straight line over time.

    Attributes:
        share: Student's t of the others' share.
        slope: The line's rise a block.
        error: The slope's standard error.
        fitted: What the sum comes to in each block.
        variance: That of the values about it, never below Poisson's.
    """

    share: float
    slope: float
    error: float
    fitted: Sequence[float]
    variance: float

    @classmethod
    def of(cls, values: Sequence[float], others: Sequence[float]) -> Partial | None:
        """The sum that fits best, by least squares; None where the others lie on a straight line themselves."""
        course, other = Course.of(values), Course.of(others)
        n = len(values)
        width = n * (n * n - 1) / 12
        if other.squares <= _STRAIGHT * (other.squares + other.slope**2 * width):
            return None
        # Of both the line is taken away: what is left of them gives the share, and that what is left of the line.
        share = sum(map(mul, course.swing, other.swing)) / other.squares
        slope = course.slope - share * other.slope
        mean = sum(values) / n
        left = [own - share * theirs for own, theirs in zip(course.swing, other.swing, strict=True)]
        variance = max(sum(map(mul, left, left)) / (n - 3), mean)
        error = sqrt(variance * (1 / width + other.slope**2 / other.squares))
        fitted = [value - rest for value, rest in zip(values, left, strict=True)]
        return cls(share / sqrt(variance / other.squares), slope, error, fitted, variance)


def find_run(floors: Sequence[int], pause: int) -> Run | None:
    """The run of growth that reaches up to the end of ``floors``.

    Args:
        floors: The least count of each block, oldest first.
        pause: A run ends (seen from now, begins) where the floor did not rise for so many blocks.

    Returns:
        The run, or None where the floor has not risen for ``pause`` blocks.
    """
    start = find_start(floors, pause)
    return run_from(start, floors) if start < len(floors) - 1 else None


def run_from(start: int, floors: Sequence[int]) -> Run:
    """The run that begins in the block with the index ``start``, as ``find_start`` has found it."""
    # From now backwards, the least floor since: it falls where the run, seen forwards, rises.
    least = list(accumulate(reversed(floors[start:]), min))
    least.reverse()
    return Run(start, least[0], list(map(sub, least[1:], least)))


def find_start(floors: Sequence[int], pause: int) -> int:
    """The index of the block in which the run begins that ``find_run`` would find; of the last, where there is none.

    It never goes back, whatever comes later: what has not risen for so long will not have.
    """
    start = len(floors) - 1
    least = floors[start]
    for block in range(start - 1, -1, -1):
        floor = floors[block]
        if floor < least:
            least, start = floor, block
        elif start - block >= pause:
            break
    return start


def linearity(values: Sequence[float]) -> float:
    """R²: the share of the values' variance that a straight line over time explains."""
    cross, width, spread = _sums(values)
    return cross * cross / width / spread if spread else 0.0


def _sums(values: Sequence[float]) -> tuple[float, float, float]:
    """Of values and their indices, each less its mean: the sum of the products, and the two sums of squares."""
    n, total = len(values), sum(values)
    cross = sum(map(mul, range(n), values)) - (n - 1) / 2 * total
    return cross, n * (n * n - 1) / 12, sum(map(mul, values, values)) - total * total / n
