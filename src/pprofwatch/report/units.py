"""Numbers with their units as ``go tool pprof`` writes them: 512.05kB, 1.50s, 76."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Scale(NamedTuple):
    """A unit to write numbers in, and how many of what was counted it is."""

    label: str
    factor: float


_SCALES = {
    "count": (Scale("", 1),),
    "bytes": tuple(Scale(label, 1024**power) for power, label in enumerate(("B", "kB", "MB", "GB", "TB", "PB"))),
    "nanoseconds": (
        Scale("ns", 1),
        Scale("us", 1e3),
        Scale("ms", 1e6),
        Scale("s", 1e9),
        Scale("mins", 60e9),
        Scale("hrs", 3600e9),
    ),
}


def choose_scale(unit: str, values: Iterable[int], total: int) -> Scale:
    """One unit for a whole table, as pprof's report.go (``selectOutputUnit``) chooses it.

    Args:
        unit: ``count``, ``bytes`` or ``nanoseconds``.
        values: The table's numbers.
        total: What they are parts of.
    """
    least = min((abs(value) for value in values if value), default=abs(total))
    if _scale(unit, least) != _scale(unit, total) and least * 100 < abs(total):
        return _scale(unit, least * 100)  # 0.01 of it can be shown
    return _scale(unit, least)


def format_value(value: int, scale: Scale) -> str:
    """A number in a unit."""
    text = f"{value / scale.factor:.2f}".removesuffix(".00")
    return "0" if text in ("0", "-0") else text + scale.label


def format_percent(value: int, total: int) -> str:
    """A part of a total, without its sign, in six characters."""
    percent = abs(value / total) * 100 if total else 0.0
    if 99.95 <= percent <= 100.05:
        return "  100%"
    return f"{percent:5.2f}%" if percent >= 1 else f"{percent:5.2g}%"


def _scale(unit: str, value: int) -> Scale:
    """The largest unit of which a number is one or more."""
    scales = _SCALES[unit]
    return next((scale for scale in reversed(scales) if abs(value) >= scale.factor), scales[0])
