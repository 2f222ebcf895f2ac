"""Which series need no judging: a quick look at each, as its block closes, that leaves few to look at closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.leaks.trend import find_start
from pprofwatch.leaks.verdict import LONG_PAUSE

if TYPE_CHECKING:
    from pprofwatch.leaks.series import Series


def may_leak(series: Series, min_count: int) -> bool:
    """Whether a series may be a leak or a suspect. Only a no is certain: ``judge`` and ``is_suspect`` would say it too.

    This is not asked of what may be runaway or near a limit: those need no past.
    """
    last = series.last
    if last < min_count or last <= series.ceiling or series.level > LONG_PAUSE:
        return False
    # What has been as high before its growth began is a swing; a run that bears shorter pauses begins no earlier.
    before = series.peaks[: find_start(series.floors, LONG_PAUSE)]
    series.ceiling = max(before, default=series.ceiling)
    return last > series.ceiling
