"""What makes a leak of a run of growth: the rules, in the order in which they are asked.

Two kinds of growth are told apart. In *births without deaths* the count hardly ever falls; that it goes on for a
window, steadily, is enough. A *rising floor* lies under a count that goes up and down, because healthy traffic runs
through the same stack; there the traffic itself has to be ruled out as the cause, which takes longer.

Traffic is known by its turnover. When healthy load doubles, births and deaths double with the level; when goroutines
leak, the level rises and the deaths stay as they were. A rise that most other stacks share is traffic, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, STRIDE, Series
from pprofwatch.leaks.trend import Run, find_run, linearity

if TYPE_CHECKING:
    from collections.abc import Iterable

# A run is over when nothing was added for half a window.
PAUSE = BLOCKS_PER_WINDOW // 2
# Births without deaths must last a window, and then be seen to go on: pools and sessions that fill for just that long
# stop now. The fewer births, the longer it takes to see that they have not.
STEADY_BLOCKS = BLOCKS_PER_WINDOW + 0.25
FEW_BIRTHS = 75
BEYOND_WINDOW = 3
# Under traffic it takes longer: 49 minutes with the default window, 60 where turnover leaves a doubt.
TRAFFIC_BLOCKS = 49
DOUBTFUL_BLOCKS = 60
# One jump, or an autoscaler's three or four, is a new level and no leak.
LEAST_EVENTS = 5
LEAST_SPREAD = 4.0
# Growth that slows down heads for a plateau.
SLOWING_T = -1.5
LATE_SHARE = 0.6
# Growth that has stopped: fewer births lately than a fair share less what chance explains (in standard deviations).
FAIR_SHARE = 0.9
CHANCE = 1.2
LATELY = (1, 2, 4, 8)
# Falls below this share of the growth: births without deaths.
DEATHS = 0.05
DEATHS_LATELY = 0.1
# How far the level must rise (last third over first third of the run) to stand out from traffic.
LEVEL_UNDER_LIVELY_TRAFFIC = 2.5
LEVEL_UNDER_SLOW_TRAFFIC = 3.2
LEVEL_IN_DOUBT = 4.0
# … or how many times the healthy swing, when the floor rises in a straight line.
LAST_BLOCKS = 6
CLEAR_OF_SWING = 4
STRAIGHT = 0.985
NEARLY_STRAIGHT = 0.95
# A leak this fast and this large needs no window: 8 goroutines a second for four blocks (4 minutes by default).
RUNAWAY_BLOCKS = 4
RUNAWAY_PER_SECOND = 8.0
RUNAWAY_GROWTH = 1500
RUNAWAY_TIMES_NORMAL = 5


@dataclass(frozen=True, slots=True)
class Growth:
    """A run that is a leak; ``runaway`` when it was too fast to wait for the window."""

    run: Run
    runaway: bool = False


def judge(
    series: Series, *, total: Series, others: Iterable[Series], min_count: int, block_seconds: float
) -> Growth | None:
    """Say whether a series grows without bound.

    Args:
        series: The stack's counts, a block just closed.
        total: The series of the profile's total.
        others: The series of all stacks, to see what traffic did.
        min_count: The least growth that is worth an alert.
        block_seconds: How long a block is.

    Returns:
        The growth, or None where it is none, or too early to say.
    """
    run = find_run(series.floors, PAUSE)
    if run is None or run.growth < min_count:
        return None
    if _is_runaway(run, series, total, block_seconds):
        return Growth(run, runaway=True)
    lasts = run.length >= STEADY_BLOCKS + FEW_BIRTHS / run.growth
    if not lasts or not _goes_on(run) or _was_here_before(run, series):
        return None
    under_traffic = len(run.steps) >= TRAFFIC_BLOCKS and _stands_out(run, series, min_count, others)
    return Growth(run) if _without_deaths(run, series) or under_traffic else None


def _was_here_before(run: Run, series: Series) -> bool:
    """Whether the count was as high before the run and came down again: a swing that this stack is known for."""
    return max(series.peaks[: run.start], default=0) >= series.last


def _is_runaway(run: Run, series: Series, total: Series, block_seconds: float) -> bool:
    n, growth = len(run.steps), run.growth
    if n < RUNAWAY_BLOCKS or growth < max(RUNAWAY_GROWTH, RUNAWAY_PER_SECOND * n * block_seconds):
        return False
    normal = total.floors[max(0, len(total.floors) - 1 - n)]
    steady = min(run.steps[1:]) >= LATE_SHARE * run.mean
    return steady and growth >= RUNAWAY_TIMES_NORMAL * normal and sum(series.falls[run.start :]) <= 0.02 * growth


def _goes_on(run: Run) -> bool:
    """Whether growth came in many steps, does not slow down and has not stopped."""
    steps = run.steps
    if run.events < LEAST_EVENTS or run.spread < LEAST_SPREAD or run.acceleration < SLOWING_T:
        return False
    third = len(steps) // 3
    if sum(steps[-third:]) < LATE_SHARE * sum(steps[:third]):
        return False
    for blocks in LATELY:
        fair = run.mean * blocks
        if sum(steps[-blocks:]) + CHANCE * sqrt(fair * run.dispersion) < FAIR_SHARE * fair:
            return False
    return sum(steps[BLOCKS_PER_WINDOW - 1 :]) >= BEYOND_WINDOW


def _without_deaths(run: Run, series: Series) -> bool:
    falls = series.falls
    if sum(falls[run.start :]) > DEATHS / (1 - DEATHS) * run.growth:
        return False
    return all(sum(falls[-n:]) <= DEATHS_LATELY * sum(run.steps[-n:]) for n in LATELY[1:])


def _stands_out(run: Run, series: Series, min_count: int, others: Iterable[Series]) -> bool:
    """Whether the floor has risen clear of what traffic explains."""
    n = len(run.steps)
    third = n // 3
    falls = series.falls
    early_falls, late_falls = sum(falls[run.start : run.start + third]), sum(falls[-third:])
    early = slice(STRIDE * run.start, STRIDE * (run.start + n // 6 + 1))
    early_peak, early_floor = max(series.blocks[early][1::STRIDE]), min(series.blocks[early][0::STRIDE])
    clearance = min(series.blocks[-LAST_BLOCKS * STRIDE :: STRIDE]) - early_peak
    straight = linearity(series.floors[run.start :])
    if clearance < min_count or straight < NEARLY_STRAIGHT:
        return False

    level = _level_ratio(series, n)
    clear = (
        clearance >= CLEAR_OF_SWING * max(early_peak - early_floor, 5)
        and straight >= STRAIGHT
        and early_falls + late_falls >= 60
    )
    lively = run.growth < 0.25 * (run.growth + sum(falls[run.start :]))
    if not clear and level < (LEVEL_UNDER_LIVELY_TRAFFIC if lively else LEVEL_UNDER_SLOW_TRAFFIC):
        return False
    # Seen from polls, turnover rises with the square root of the level at the least.
    turnover = (late_falls + 1) / (early_falls + 1) - 1
    expected = sqrt(level) - 1
    if turnover > 0.25 * expected and (turnover > 0.5 * expected or level < LEVEL_IN_DOUBT or n < DOUBTFUL_BLOCKS):
        return False
    return level >= (1.4 if clear else 1.5) * _common_ratio(series, n, others)


def _level_ratio(series: Series, n: int) -> float:
    """The mean level in the last third of the last ``n`` blocks over that in the first third."""
    blocks = series.blocks
    third = n // 3
    begin = len(blocks) - STRIDE * n
    early, late = blocks[begin : begin + STRIDE * third], blocks[-STRIDE * third :]
    return (sum(late[0::STRIDE]) + sum(late[1::STRIDE]) + third) / (
        sum(early[0::STRIDE]) + sum(early[1::STRIDE]) + third
    )


def _common_ratio(series: Series, n: int, others: Iterable[Series]) -> float:
    """What the level of the other stacks with traffic did over the last ``n`` blocks: the median of their ratios."""
    ratios = sorted(
        _level_ratio(other, n)
        for other in others
        if other is not series and len(other.blocks) >= STRIDE * n and sum(other.falls) > 20
    )
    return ratios[len(ratios) // 2] if len(ratios) >= 3 else 1.0
