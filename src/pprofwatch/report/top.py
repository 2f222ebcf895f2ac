"""Which functions hold the most: ``go tool pprof -top``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pprofwatch.profiles.grammar import is_address

if TYPE_CHECKING:
    from pprofwatch.report.samples import Samples, ValueType

#: What pprof calls a function of which it has only the address.
_UNKNOWN = "<unknown>"


class TopRow(NamedTuple):
    """A function: ``flat`` is what it holds itself, as a stack's leaf; ``cum`` what all stacks hold that it is in."""

    function: str
    flat: int
    cum: int


@dataclass(frozen=True, slots=True)
class Top:
    """The functions of a profile, the largest first. ``total`` is the sum of all stacks, each without its sign."""

    value: ValueType
    total: int
    rows: tuple[TopRow, ...]


def make_top(samples: Samples, value: str | None = None, sort: Literal["flat", "cum"] = "flat") -> Top:
    """Adds up the stacks by function.

    Args:
        samples: A profile, or a difference.
        value: Which of its values; by default the one that is looked at first.
        sort: What comes first: the highest ``flat`` or ``cum``, in a difference without its sign.

    Raises:
        UsageError: The profile has no such value.
    """
    flat: Counter[str] = Counter()
    cum: Counter[str] = Counter()
    column = samples.column(value)
    for stack, number in column.items():
        functions = [_UNKNOWN if is_address(frame) else frame.function for frame in stack.frames]
        flat[functions[0]] += number
        for function in set(functions):  # once, however often it calls itself
            cum[function] += number
    rows = [TopRow(function, flat[function], total) for function, total in cum.items()]
    rows.sort(key=lambda row: row.function)
    rows.sort(
        key=lambda row: (abs(row.flat), abs(row.cum)) if sort == "flat" else (abs(row.cum), abs(row.flat)), reverse=True
    )
    return Top(samples.value_type(value), sum(map(abs, column.values())), tuple(rows))
