"""What makes a stack a suspect: growth that deserves a question to the target, long before it deserves an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.leaks.trend import find_run
from pprofwatch.leaks.verdict import PAUSE

if TYPE_CHECKING:
    from pprofwatch.leaks.series import Series
    from pprofwatch.leaks.trend import Run

#: One jump is a pool that was filled, or a batch: growth must have come at so many polls, or in so many blocks.
_LEAST_RISES = 4
#: Deaths above this share of the growth are traffic's …
_DEATHS = 0.25
#: … unless for so many blocks the count has stayed clear of where it was at first.
_CLEAR_BLOCKS = 8
#: Growth shows within so many blocks.
_LATELY = 5


def find_suspect(series: Series, min_count: int) -> Run | None:
    """The growth by at least ``min_count`` that a series is in the middle of, if it may be a leak's.

    It has hardly any deaths, or a floor that has left its old level behind, and there have never been so many before.
    """
    if series.last < min_count or not series.rises:
        return None
    run = find_run(series.floors, PAUSE)
    if run is None or run.growth < min_count or max(series.peaks[: run.start], default=0) >= series.last:
        return None
    if max(series.rises, sum(step > 0 for step in run.steps)) < _LEAST_RISES:
        return None
    if sum(series.falls[run.start :]) <= _DEATHS * run.growth:
        return run
    early_peak = max(series.peaks[run.start : run.start + 3], default=0)
    return run if len(run.steps) >= _CLEAR_BLOCKS and series.floors[-2] > early_peak else None


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
