"""What the other stacks of a profile did meanwhile: whether a rise is one stack's own, or traffic's."""

from __future__ import annotations

import heapq
from functools import cached_property
from math import sqrt
from operator import mul
from typing import TYPE_CHECKING

from pprofwatch.leaks.series import STRIDE
from pprofwatch.leaks.trend import ROUNDING, Course

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pprofwatch.leaks.series import Series

# Traffic is seen in so many stacks at the most, those with the most deaths; with fewer than three, it is not seen.
LIVELIEST = 24
LEAST_TURNOVER = 20
LEAST_OTHERS = 3
# Traffic is lively where less than this share of all births stays.
LIVELY = 0.2
# What rises with traffic rises about as much as so many of the lively stacks do.
WITNESSES = 2
# Stacks whose levels swing alike, by this correlation at least, are moved by the same traffic.
MOVED_ALIKE = 0.65


class Traffic:
    """What the liveliest stacks did up to the block just closed."""

    def __init__(self, series: Iterable[Series], polls: int) -> None:
        """What there is to know.

        Args:
            series: Those of all stacks, looked at when they are needed.
            polls: How many were made in the block just closed.
        """
        self.polls = polls
        self._series = series
        self._ratios: dict[int, list[tuple[float, Series]]] = {}
        self._courses: dict[int, list[tuple[Series, Course]]] = {}

    @cached_property
    def _lively(self) -> list[Series]:
        lively = ((sum(each.falls), each) for each in self._series)
        turnovers = heapq.nlargest(LIVELIEST, ((falls, i, each) for i, (falls, each) in enumerate(lively)))
        return [each for falls, _, each in turnovers if falls > LEAST_TURNOVER]

    def common_ratio(self, series: Series, n: int) -> float:
        """The median of the ratios of the others' levels at the end and the begin of the last ``n`` blocks."""
        ratios = [ratio for ratio, each in self._level_ratios(n) if each is not series]
        return ratios[len(ratios) // 2] if len(ratios) >= LEAST_OTHERS else 1.0

    def least_ratio(self, n: int) -> float:
        """The least of the ratios, as above, of any of them; 0 where there is none."""
        ratios = self._level_ratios(n)
        return ratios[0][0] if ratios else 0.0

    def witnessed_ratio(self, own: Iterable[Series], n: int) -> float:
        """The ratio of levels, as above, that ``WITNESSES`` stacks have risen by at least; 1 where there are fewer.

        Only what is lively bears witness: where most of what comes stays, it is growth of the same kind.

        Args:
            own: The series that is judged, and those that it is made up of.
            n: The number of blocks.
        """
        excluded = {id(each) for each in own}
        ratios = [ratio for ratio, each in self._level_ratios(n) if id(each) not in excluded and _is_lively(each, n)]
        return ratios[-WITNESSES] if len(ratios) >= WITNESSES else 1.0

    def moved_alike(self, own: Sequence[Series], n: int) -> tuple[Series, Course] | None:
        """The stack whose level has swung most like another's over the last ``n`` blocks, and what that leaves unsaid.

        What is left is the course of the level without its share, by regression, that swings with the other's. None
        where none swings alike.

        Args:
            own: The series whose level that is, then those that it is made up of.
            n: The number of blocks.
        """
        course = Course.of(levels(own[0], n))
        excluded = {id(each) for each in own}
        best, alike = None, MOVED_ALIKE
        for series, other in self._courses_of(n):
            product = sum(map(mul, course.swing, other.swing))
            correlation = product / (sqrt(course.squares * other.squares) or 1.0)
            if correlation >= alike and id(series) not in excluded:
                best, alike = (series, other, product / other.squares), correlation
        if best is None:
            return None
        series, other, share = best
        return series, Course.of(
            [mine - share * theirs for mine, theirs in zip(course.levels, other.levels, strict=True)]
        )

    def pulse(self, own: Iterable[Series], n: int) -> list[float] | None:
        """How busy the target was in each of the last ``n`` blocks: the levels, added up, of all that is lively.

        None where that is in fewer than ``LEAST_OTHERS`` stacks.

        Args:
            own: The series that are left out.
            n: The number of blocks.
        """
        excluded = {id(each) for each in own}
        others = [each for each in self._known(n) if id(each) not in excluded and _is_lively(each, n)]
        if len(others) < LEAST_OTHERS:
            return None
        return [sum(column) for column in zip(*(levels(each, n) for each in others), strict=True)]

    def _level_ratios(self, n: int) -> list[tuple[float, Series]]:
        if n not in self._ratios:
            self._ratios[n] = sorted(
                ((level_ratio(each, n), each) for each in self._known(n)), key=lambda pair: pair[0]
            )
        return self._ratios[n]

    def _courses_of(self, n: int) -> list[tuple[Series, Course]]:
        if n not in self._courses:
            self._courses[n] = [(each, Course.of(levels(each, n))) for each in self._known(n)]
        return self._courses[n]

    def _known(self, n: int) -> list[Series]:
        return [each for each in self._lively if len(each.blocks) >= STRIDE * n]


def levels(series: Series, n: int) -> list[float]:
    """The level in each of the last ``n`` blocks: in the middle of the least count and the most."""
    blocks = series.blocks[-STRIDE * n :]
    return [(floor + peak) / 2 for floor, peak in zip(blocks[0::STRIDE], blocks[1::STRIDE], strict=True)]


def level_ratio(series: Series, n: int) -> float:
    """The mean level in the last third of the last ``n`` blocks over that in the first third."""
    blocks = series.blocks
    third = n // 3
    begin = len(blocks) - STRIDE * n
    early, late = blocks[begin : begin + STRIDE * third], blocks[-STRIDE * third :]
    return (sum(late[0::STRIDE]) + sum(late[1::STRIDE]) + third) / (
        sum(early[0::STRIDE]) + sum(early[1::STRIDE]) + third
    )


def swing_ratio(series: Series, n: int) -> float:
    """The variance of the level about its line in the last third of the last ``n`` blocks over that in the first."""
    course, third = levels(series, n), n // 3
    early, late = (Course.of(part).squares / third + ROUNDING for part in (course[:third], course[-third:]))
    return late / early


def _is_lively(series: Series, n: int) -> bool:
    """Whether most of what came in the last ``n`` blocks is gone again."""
    growth = series.last - series.blocks[-STRIDE * n]
    return growth < LIVELY * (growth + sum(series.falls[-n:]))
