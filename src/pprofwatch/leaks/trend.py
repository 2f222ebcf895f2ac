"""The run of growth that a series is in, and its statistics. Pure arithmetic on numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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

    @cached_property
    def mean(self) -> float:
        """The mean rise a block."""
        return self.growth / len(self.steps)

    @cached_property
    def length(self) -> float:
        """Blocks that the run lasts; the first counts as far as its own rise fills it."""
        return len(self.steps) - 1 + min(1.0, self.steps[0] / self.mean)

    @cached_property
    def events(self) -> int:
        """How many times growth began after a block without: many for a steady leak, one for a single jump."""
        grew = [step > 0 for step in self.steps]
        starts = sum(now and not before for before, now in zip([False, *grew], grew, strict=False))
        # Where every block grows there are no pauses to count; then the blocks themselves are the events.
        return max(starts, sum(grew) // 2)

    @cached_property
    def spread(self) -> float:
        """The number of equal steps that would be as unevenly spread: 1 when all growth came at once."""
        return self.growth**2 / sum(step * step for step in self.steps)

    @cached_property
    def _fit(self) -> tuple[float, float]:
        """The slope of the steps over time, and its residual variance (never below Poisson's)."""
        n = len(self.steps)
        middle = (n - 1) / 2
        width = n * (n * n - 1) / 12
        slope = sum((i - middle) * step for i, step in enumerate(self.steps)) / width
        residual = sum((step - self.mean - slope * (i - middle)) ** 2 for i, step in enumerate(self.steps))
        return slope, max(residual / (n - 2), self.mean)

    @cached_property
    def acceleration(self) -> float:
        """Student's t of the steps' slope over time: well below 0 when growth slows down."""
        n = len(self.steps)
        slope, variance = self._fit
        return slope / sqrt(variance / (n * (n * n - 1) / 12))

    @cached_property
    def dispersion(self) -> float:
        """How many goroutines come at a time, about: the variance of the steps over their mean, at least 1."""
        return self._fit[1] / self.mean


def find_run(floors: Sequence[int], pause: int) -> Run | None:
    """The run of growth that reaches up to the end of ``floors``.

    Args:
        floors: The least count of each block, oldest first.
        pause: A run ends (seen from now, begins) where the floor did not rise for so many blocks.

    Returns:
        The run, or None where the floor has not risen for ``pause`` blocks.
    """
    floor = floors[-1]
    start = len(floors) - 1
    still = 0
    backwards: list[int] = []
    for i in range(len(floors) - 2, -1, -1):
        if floors[i] < floor:
            backwards.extend([0] * still)
            backwards.append(floor - floors[i])
            floor, start, still = floors[i], i, 0
        else:
            still += 1
            if still >= pause:
                break
    return Run(start, floor, backwards[::-1]) if backwards else None


def linearity(values: Sequence[int]) -> float:
    """R²: the share of the values' variance that a straight line over time explains."""
    n = len(values)
    middle, mean = (n - 1) / 2, sum(values) / n
    cross = sum((i - middle) * (value - mean) for i, value in enumerate(values))
    variance = sum((value - mean) ** 2 for value in values)
    return cross * cross / (n * (n * n - 1) / 12) / variance if variance else 0.0
