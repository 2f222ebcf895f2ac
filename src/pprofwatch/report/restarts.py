"""How the values that only ever grow tell of a restart: they begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.model import CONTENTIONS

if TYPE_CHECKING:
    from pprofwatch.report.samples import Samples

#: What is added up since the process began.
CUMULATIVE = frozenset({"alloc_objects", "alloc_space", "contentions", "delay"})
#: Of each profile that has such a value, one that is counted, and not measured.
COUNTERS = {
    "heap": "alloc_objects",
    "allocs": "alloc_objects",
    "block": "contentions",
    "mutex": "contentions",
    CONTENTIONS: "contentions",
}
#: A sum that is below this share of what it was has begun anew: a little less may be rounding, or clocks measured anew.
_FELL = 0.95


def tells_of_restart(before: Samples, after: Samples, value: str) -> bool:
    """Whether the target seems to have started anew between two profiles, the later one last, going by one value.

    Values that may shrink tell nothing, nor do differences.
    """
    if value not in CUMULATIVE or before.duration or after.duration:
        return False
    return has_fallen(sum(before.column(value).values()), sum(after.column(value).values()))


def has_fallen(before: int, after: int) -> bool:
    """Whether the sum of a value that only ever grows is less than it was."""
    return after < before * _FELL
