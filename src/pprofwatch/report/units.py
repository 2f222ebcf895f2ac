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
        Scale("hrs", 3600e9),
    ),
}


#: Of a total less than this is left out by pprof, and has no say in a table's unit.
_NODE_FRACTION = 0.005
#: How wide a column of numbers is.
WIDTH = 10
#: Less than this would be rounded to less than 0.01.
_LEAST_PERCENT = 0.00995


def choose_scale(unit: str, rows: Iterable[tuple[int, int]], total: int, limit: int) -> Scale:
    """One unit for a whole table, as pprof's report.go (``newTrimmedGraph``, ``selectOutputUnit``) chooses it.

    Where the total would be too wide for its column in that unit, which pprof doesn't mind, it is a larger one.

    Args:
        unit: ``count``, ``bytes`` or ``nanoseconds``.
        rows: Each row's flat and cum, as the table is sorted.
        total: What they are parts of.
        limit: How many rows are shown.
    """
    told = [flat or cum for flat, cum in rows if abs(cum) >= int(abs(total) * _NODE_FRACTION)][:limit]
    least = min((abs(value) for value in told if value), default=abs(total))
    if _scale(unit, least) != _scale(unit, total) and least * 100 < abs(total):
        least *= 100  # 0.01 of it can be shown
    larger = [scale for scale in _SCALES[unit] if scale.factor >= _scale(unit, least).factor]
    return next((scale for scale in larger if len(_format(total, scale)) <= WIDTH), larger[-1])


def format_in(value: int, scale: Scale, unit: str) -> str:
    """A number in a table's unit; in its own, where it is too small to be seen in that one.

    Args:
        value: The number.
        scale: The table's.
        unit: What it counts, as for ``choose_scale``.
    """
    text = _format(value, scale)
    return format_value(value, unit) if text == "0" and value else text


def format_value(value: int, unit: str) -> str:
    """A number by itself, in the largest unit of which it is one or more.

    Args:
        value: The number.
        unit: ``count``, ``bytes`` or ``nanoseconds``.
    """
    return _format(value, _scale(unit, value))


def format_percent(value: int, total: int) -> str:
    """A part of a total, without its sign, in six characters: as pprof has it, unless that is longer."""
    percent = abs(value / total) * 100 if total else 0.0
    if 99.95 <= percent <= 100.05:
        return "  100%"
    if 0 < percent < _LEAST_PERCENT:
        return "<0.01%"
    return f"{percent:5.2f}%" if percent >= 1 else f"{percent:5.2g}%"


def _format(value: int, scale: Scale) -> str:
    text = f"{value / scale.factor:.2f}".removesuffix(".00")
    return "0" if text in ("0", "-0") else text + scale.label


def _scale(unit: str, value: int) -> Scale:
    """The largest unit of which a number is one or more."""
    scales = _SCALES[unit]
    return next((scale for scale in reversed(scales) if abs(value) >= scale.factor), scales[0])
