"""The total that the user has set a limit to, and what heads for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.leaks.trend import find_run
from pprofwatch.leaks.verdict import LATE_SHARE, PAUSE, RUNAWAY_BLOCKS

if TYPE_CHECKING:
    from pprofwatch.leaks.series import Series
    from pprofwatch.leaks.trend import Run

_HOUR = 3600.0
#: Growth that slows down fills something up.
_NOT_SLOWER = 0.85
#: Of the growth, so much may have gone again.
_DEATHS = 0.02


def heads_for(series: Series, total: Series, limit: int, block_seconds: float) -> Run | None:
    """The growth of a series that takes the total to ``limit`` within the hour, were it to go on.

    It must be steady and without deaths for some blocks: who sets a limit wants to know early, not of each burst.
    """
    run = find_run(series.floors, PAUSE)
    if run is None or len(run.steps) < RUNAWAY_BLOCKS:
        return None
    lately = run.steps[-RUNAWAY_BLOCKS:]
    rate = sum(lately) / (RUNAWAY_BLOCKS * block_seconds)
    steady = min(lately) > 0 and min(lately) >= LATE_SHARE * run.mean
    half = RUNAWAY_BLOCKS // 2
    steady = steady and sum(lately[half:]) >= _NOT_SLOWER * sum(lately[:half])
    without_deaths = sum(series.falls[run.start :]) <= _DEATHS * run.growth
    return run if steady and without_deaths and total.last + rate * _HOUR >= limit else None
