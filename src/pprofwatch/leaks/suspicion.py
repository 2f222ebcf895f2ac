"""What makes a stack a suspect: growth that deserves a question to the target, long before it deserves an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.leaks.verdict import PAUSE

if TYPE_CHECKING:
    from pprofwatch.leaks.series import Series
    from pprofwatch.leaks.trend import Run

#: One jump is a pool that was filled, or a batch: growth must have come at so many polls, or in so many blocks.
_LEAST_RISES = 4
#: Deaths above this share of the growth are traffic's, and so are those of so many blocks before it …
DEATHS = 0.25
BLOCKS_BEFORE = 10
#: … unless it has lasted for so many blocks, and there is twice the least growth more than there ever was at once.
_CLEAR_BLOCKS = 8
#: Growth shows within so many blocks.
_LATELY = 5


def is_suspect(series: Series, run: Run, min_count: int) -> bool:
    """Whether the growth by at least ``min_count`` that a series is in the middle of may be a leak's.

    It has hardly any deaths, or a floor that has left its old level behind, and there have never been so many before.
    """
    if not series.rises or run.growth < min_count or max(series.peaks[: run.start], default=0) >= series.last:
        return False
    if max(series.rises, sum(map(bool, run.steps))) < _LEAST_RISES:
        return False
    if sum(series.falls[max(0, run.start - BLOCKS_BEFORE) :]) <= DEATHS * run.growth:
        return True
    early_peak = max(series.peaks[: run.start + 3], default=0)
    return len(run.steps) >= _CLEAR_BLOCKS and series.floors[-2] >= early_peak + 2 * min_count


def may_grow(series: Series, waited: int) -> bool:
    """Whether a stack that is proven to hold goroutines for ever may be about to show that it loses more of them.

    Args:
        series: Its series.
        waited: For how many blocks it was waited for that.
    """
    floors = series.floors
    rose = series.last > floors[max(0, len(floors) - 1 - _LATELY)]
    other_traffic = any(series.falls[-_LATELY:])
    return rose and waited < (_LATELY if other_traffic else PAUSE)
