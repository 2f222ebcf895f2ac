"""The total that the user has set a limit to, and what heads for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.leaks.verdict import LATE_SHARE, RUNAWAY_BLOCKS

if TYPE_CHECKING:
    from pprofwatch.leaks.series import Series
    from pprofwatch.leaks.trend import Run

_HOUR = 3600.0
#: Growth that slows down fills something up.
_NOT_SLOWER = 0.85
#: Of the growth, so much may have gone again.
_DEATHS = 0.02


def heads_for(limit: int, series: Series, run: Run, *, total: Series, block_seconds: float) -> bool:
    """Whether the growth that a series is in takes the total to ``limit`` within the hour, were it to go on.

    It must be steady and without deaths for some blocks: who sets a limit wants to know early, not of each burst.
    """
    if len(run.steps) < RUNAWAY_BLOCKS:
        return False
    lately = run.steps[-RUNAWAY_BLOCKS:]
    rate = sum(lately) / (RUNAWAY_BLOCKS * block_seconds)
    steady = min(lately) > 0 and min(lately) >= LATE_SHARE * run.mean
    half = RUNAWAY_BLOCKS // 2
    steady = steady and sum(lately[half:]) >= _NOT_SLOWER * sum(lately[:half])
    without_deaths = sum(series.falls[run.start :]) <= _DEATHS * run.growth
    return steady and without_deaths and total.last + rate * _HOUR >= limit
