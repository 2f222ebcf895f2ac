"""Goroutines that stay among many like them that end: how much of what is born in a stack survives all the others.

What traffic brings lives for a while, and its level follows from the births: each block's, fewer with each block that
goes by since. What leaks follows from the births, too, but adds up. Where traffic comes in waves the two differ in
shape, and a regression tells how much there is of each. Lifetimes may become longer meanwhile, as when a server gets
slower; that changes the waves' height as well, is a third shape, and beside it a leak must still be certain.

The lifetimes are taken to be distributed exponentially, by the mean that fits best. Pure arithmetic on numbers.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import exp, sqrt
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.leaks.trend import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Mean lifetimes that are tried, in blocks.
LIFETIMES = (2, 4, 8, 15, 30, 50)
#: Less than this share of the shape of what adds up is its own: the others have the same, and nothing can be told.
_OWN_SHAPE = 1e-6
#: How much alike the errors of neighbouring blocks may be.
_MOST_ALIKE = 0.95


class Survivors(NamedTuple):
    """What has added up: how many by estimate, Student's t of that, and the others' mean lifetime in blocks."""

    number: float
    significance: float
    lifetime: float


def find_survivors(levels: Sequence[float], falls: Sequence[int]) -> Survivors:
    """What has added up in a stack.

    Args:
        levels: The level in each block, at least 10 of them.
        falls: How many died in each block.
    """
    n = len(levels)
    rises = [0.0, *(after - before for before, after in pairwise(levels))]
    births = [max(0.0, rise + fall) for rise, fall in zip(rises, falls, strict=True)]
    born = list(accumulate(births))
    centred_born, centred_levels = _centred(born), _centred(levels)
    best, least = Survivors(0.0, 0.0, 0.0), float("inf")
    for lifetime in LIFETIMES:
        alive = _alive(births, lifetime, levels[0])
        lengthened = [i * each for i, each in enumerate(alive)]
        shapes = _orthogonal([alive, lengthened])
        adding_up, rest = _without(centred_born, shapes), _without(centred_levels, shapes)
        squares = _product(adding_up, adding_up)
        if squares <= _OWN_SHAPE * born[-1] ** 2:
            continue
        share = _product(adding_up, rest) / squares
        errors = [left - share * each for left, each in zip(rest, adding_up, strict=True)]
        error = _product(errors, errors)
        if error < least:
            least = error
            alike = min(max(0.0, _product(errors, errors[1:]) / (error or 1.0)), _MOST_ALIKE)
            variance = max(error / (n - 4), ROUNDING) * (1 + alike) / (1 - alike)
            best = Survivors(share * (born[-1] - born[0]), share / sqrt(variance / squares), lifetime)
    return best


def _alive(births: Sequence[float], lifetime: float, before: float) -> list[float]:
    """How many live in each block of those that are born, and of those that lived ``before``."""
    kept = exp(-1 / lifetime)
    alive = []
    for born in births:
        before = before * kept + born
        alive.append(before)
    return alive


def _orthogonal(vectors: Sequence[Sequence[float]]) -> list[list[float]]:
    """Vectors that span what these do, and a constant."""
    found: list[list[float]] = []
    for vector in vectors:
        found.append(_without(_centred(vector), found))
    return found


def _without(vector: list[float], others: Sequence[list[float]]) -> list[float]:
    """What is left of a vector without its projections on others, which are at right angles."""
    for other in others:
        squares = _product(other, other)
        share = _product(vector, other) / squares if squares else 0.0
        vector = [each - share * one for each, one in zip(vector, other, strict=True)]
    return vector


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    """The sum of the products, up to the end of the shorter one."""
    product: float = sum(map(mul, left, right))
    return product
