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


def find_growth(series: Series, min_count: int) -> Run | None:
    """The growth by at least ``min_count`` that a series is in the middle of, as its latest block has closed."""
    if series.last < min_count or not series.rises_before:
        return None
    run = find_run(series.floors, PAUSE)
    if run is None or run.growth < min_count:
        return None
    rises = max(series.rises_before, sum(step > 0 for step in run.steps))
    return run if rises >= _LEAST_RISES else None


def find_suspect(series: Series, min_count: int) -> Run | None:
    """The growth of a series that may be a leak: hardly any deaths, or a floor that has left its old level behind."""
    run = find_growth(series, min_count)
    if run is None or max(series.peaks[: run.start], default=0) >= series.last:
        return None
    if sum(series.falls[run.start :]) <= _DEATHS * run.growth:
        return run
    early_peak = max(series.peaks[run.start : run.start + 3], default=0)
    return run if len(run.steps) >= _CLEAR_BLOCKS and series.floors[-2] > early_peak else None
