"""What makes a leak of a run of growth: the rules, in the order in which they are asked.

Two kinds of growth are told apart. In *births without deaths* the count hardly ever falls; that it goes on for a
window, steadily, is enough. A *rising floor* lies under a count that goes up and down, because healthy traffic runs
through the same stack; there the traffic itself has to be ruled out as the cause, which takes longer. In between is
growth of which a little dies, or which comes as traffic multiplies: it may be sessions, and gets as much time.

Traffic is known by its turnover. When healthy load doubles, births and deaths double with the level; when goroutines
leak, the level rises and the deaths stay as they were. A rise that other stacks share is traffic, too: that most of
them share, or two that are as busy as before, like the requests that a pool's workers work on. Calls that get slower
raise the level as well, but its swing with it, which a leak leaves as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING

from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, STRIDE, Series
from pprofwatch.leaks.survivors import find_survivors
from pprofwatch.leaks.traffic import LEAST_TURNOVER, LIVELY, Traffic, level_ratio, levels, swing_ratio
from pprofwatch.leaks.trend import Course, Partial, Run, find_start, linearity, run_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A run is over when nothing was added for half a window …
PAUSE = BLOCKS_PER_WINDOW // 2
# … but in a long one, of what comes in irregular bursts, pauses of a window are nothing unusual.
LONG_PAUSE = BLOCKS_PER_WINDOW
LONG_BLOCKS = 3 * BLOCKS_PER_WINDOW
# What comes back after a restart, and what was healthy before the leak began, ends within so many blocks.
WARM_UP = 10
# Births without deaths must last a window, and then be seen to go on: pools and sessions that fill for just that long
# stop now. The fewer births, the longer it takes to see that they have not.
STEADY_BLOCKS = BLOCKS_PER_WINDOW + 0.25
FEW_BIRTHS = 75
BEYOND_WINDOW = 3
# Growth in which anything dies or stirs takes longer, and so does growth under traffic: 49 minutes with the default
# window, 60 where turnover leaves a doubt.
TRAFFIC_BLOCKS = 49
DOUBTFUL_BLOCKS = 60
# One jump, or an autoscaler's three or four, is a new level and no leak.
LEAST_EVENTS = 5
LEAST_SPREAD = 4.0
# Growth that slows down heads for a plateau.
SLOWING_T = -1.5
SLOWING_T_OF_CUT_RUN = -0.75
# Growth that follows the traffic, by the t of its share, may be slow while that is low; beside it, it must be certain
# (95 %) not to have slowed down over the run by more than this share of its mean.
FOLLOWS = 3.0
SLOWING_BESIDE_TRAFFIC = 0.5
CERTAIN = 1.65
# Of traffic that has only fallen so far, by the R² of its line, it can't be told whether it slowed growth.
ONE_WAY = 0.5
# Growth that speeds up may come of sessions that begin ever more often.
QUICKENING_T = 1.5
LATE_SHARE = 0.6
# Growth that has stopped: fewer births lately than a fair share less what chance explains (in standard deviations).
FAIR_SHARE = 0.9
CHANCE = 1.2
LATELY = (1, 2, 4, 8)
# Falls below this share of the growth: births without deaths.
DEATHS = 0.05
DEATHS_LATELY = 0.1
# Up to one in a hundred may be chance: a call that was seen as it passed through the stack.
HARDLY_ANY = 0.01
# Traffic that grows so much from the run's first third to its last brings sessions and connections along.
TRAFFIC_MULTIPLIES = 1.75
ENOUGH_FALLS = 60
# How far the level must rise (last third over first third of the run) to stand out from traffic.
LEVEL_UNDER_LIVELY_TRAFFIC = 2.5
LEVEL_UNDER_SLOW_TRAFFIC = 3.2
LEVEL_IN_DOUBT = 4.0
# … while turnover rose by less than this share of what healthy traffic at that level would bring.
TURNOVER_OF_TRAFFIC = 0.25
TURNOVER_IN_DOUBT = 0.5
# … or how many times the healthy swing, when the floor rises in a straight line.
LAST_BLOCKS = 6
CLEAR_OF_SWING = 4
STRAIGHT = 0.985
NEARLY_STRAIGHT = 0.95
# … or twice, in many steps, which need not be in a straight line, where fewer died than traffic would bring; over a
# long time, when all that was there was replaced so many times.
LEVEL_WHERE_DEATHS_STAY = 2.0
LONG_SPREAD = 10.0
TIMES_REPLACED = 2
ROUGHLY_STRAIGHT = 0.7
# Where calls get slower their number swings the more, the more there are; above what leaks the swing stays. That its
# variance has come to so many times what it was may be chance.
SWING_OF_CHANCE = 1.5
# In any case it must have risen by so many times as much as most others.
ABOVE_OTHERS = 1.5
ABOVE_OTHERS_IF_CLEAR = 1.4
# What rises with traffic is outgrown by what rises so many times as much.
OUTGROWN = 1.25
# What another stack's swing doesn't explain rises for itself where this is its slope's Student's t …
SIGNIFICANT = 5.0
# … or this, where no other swings alike or the level alone is asked for …
BEYOND_DOUBT = 8.0
# … while fewer died than traffic would bring, by so many standard errors.
TOO_FEW = 3.5
# What stays is told from what lives long where the others live and die so many times meanwhile.
LIFETIMES_SEEN = 4
# … and so few die from poll to poll that polls see them: where it is more, as many are born between the same two.
MOST_SEEN = 0.8
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
    series: Series,
    latest: Run,
    *,
    total: Series,
    traffic: Traffic,
    min_count: int,
    block_seconds: float,
    parts: Sequence[Series] = (),
    told: bool = False,
    is_excess: bool = False,
) -> Growth | None:
    """Say whether a series grows without bound.

    Args:
        series: The stack's counts, a block just closed.
        latest: The run of growth that it is in, which bears pauses of ``PAUSE`` blocks.
        total: The series of the profile's total.
        traffic: What the other stacks did meanwhile.
        min_count: The least growth that is worth an alert.
        block_seconds: How long a block is.
        parts: Where the series is a group's, those of its stacks.
        told: It was found to leak before, and that goes on: it is not compared with others again, which takes long.
        is_excess: The series is what a stack counts beyond another: no traffic runs through that, so that only births
            without deaths make a leak of it.

    Returns:
        The growth, or None where it is none, or too early to say.
    """
    if latest.growth >= min_count and _is_runaway(latest, series, total, block_seconds):
        return Growth(latest, runaway=True)
    for run in _runs(series, latest):
        if run.growth < min_count or run.length < STEADY_BLOCKS + FEW_BIRTHS / run.growth:
            continue
        cut = run.start > latest.start
        patient = len(run.steps) >= TRAFFIC_BLOCKS
        is_plain = False
        if _without_deaths(run, series):
            is_plain = not (_stirs(run, series, parts) or _traffic_multiplies(run, total))
            may_be_leak = (is_plain or patient) and (
                _goes_on(run, cut=cut) or (not is_excess and _follows_traffic(run, series, parts, traffic))
            )
        else:
            may_be_leak = (patient and not is_excess) and _floor_rises(run, series, parts, min_count, traffic, cut=cut)
        if not may_be_leak or _was_here_before(run, series):
            continue
        if is_plain or told or _outgrows_witnesses(run, series, parts, traffic):
            return Growth(run)
    if is_excess or told:
        return None
    return _in_the_long_run(series, parts, min_count, traffic)


def _floor_rises(
    run: Run, series: Series, parts: Sequence[Series], min_count: int, traffic: Traffic, *, cut: bool
) -> bool:
    """Whether the floor under a count that goes up and down rises by what is no traffic, and goes on to."""
    rises = (
        _stands_out(run, series, min_count, traffic, cut=cut)
        or _never_fell(run, series, traffic)
        or _rises_for_itself(run, series, parts, min_count, traffic)
    )
    return rises and _goes_on_under_traffic(run, series, cut=cut) and not _swings_more(series, len(run.steps))


def _in_the_long_run(series: Series, parts: Sequence[Series], min_count: int, traffic: Traffic) -> Growth | None:
    """The run, which bears long pauses, of what stays among many that end, where it is certain that something does.

    In waves of traffic the floor rises from trough to trough, and pauses between; it need not be in a straight line.
    """
    floors = series.floors
    start = find_start(floors, LONG_PAUSE)
    n = len(floors) - 1 - start
    if n < DOUBTFUL_BLOCKS or level_ratio(series, n) < ABOVE_OTHERS_IF_CLEAR * traffic.common_ratio(series, n):
        return None
    run = run_from(start, floors)
    is_clear = _lowest_lately(series) - _first_swing(run, series)[1] >= min_count
    if run.growth < min_count or run.spread < LONG_SPREAD or not is_clear or _was_here_before(run, series):
        return None
    if sum(series.falls[start:]) < run.growth or not _outgrows_witnesses(run, series, parts, traffic):
        return None
    stays = _stays_among_others(run, series, min_count, traffic.polls)
    return Growth(run) if stays or _outgrew_deaths(run, series, parts, min_count, traffic) else None


def _stays_among_others(run: Run, series: Series, min_count: int, polls: int) -> bool:
    """Whether, by the shape of its waves, some of what is born adds up, and goes on to; about as many die as before."""
    n = len(run.steps)
    half = n // 2
    if sum(run.steps[half:]) < LATE_SHARE * sum(run.steps[:half]):
        return False
    if sum(series.falls[run.start :]) > MOST_SEEN * polls * n:
        return False
    early_falls, late_falls = _early_and_late_falls(run, series)
    turnover = (late_falls + 1) / (early_falls + 1) - 1
    if early_falls < LEAST_TURNOVER or turnover > TURNOVER_IN_DOUBT * (sqrt(level_ratio(series, n)) - 1):
        return False
    survivors = find_survivors(levels(series, run.start + n), series.falls)
    if survivors.significance < SIGNIFICANT or survivors.number < min_count:
        return False
    return survivors.lifetime * LIFETIMES_SEEN <= n


def _outgrew_deaths(run: Run, series: Series, parts: Sequence[Series], min_count: int, traffic: Traffic) -> bool:
    """Whether the level has come to twice what it was, while deaths are far from what traffic would bring by then.

    The line need not be straight. Either what others' swing leaves of it rises beyond doubt; or over a long time, in
    which all that was there at first was replaced several times, no more died than at first.
    """
    n = len(run.steps)
    level = level_ratio(series, n)
    if level < max(LEVEL_WHERE_DEATHS_STAY, ABOVE_OTHERS * traffic.common_ratio(series, n)) or _swings_more(series, n):
        return False
    if not _goes_on_under_traffic(run, series, cut=False):
        return False
    early_falls, late_falls = _early_and_late_falls(run, series)
    was_replaced = early_falls >= max(ENOUGH_FALLS, TIMES_REPLACED * _first_level(series, n))
    if n >= LONG_BLOCKS and was_replaced and late_falls <= early_falls:
        return linearity(series.floors[run.start :]) >= ROUGHLY_STRAIGHT
    is_as_lively = late_falls + 1 <= (early_falls + 1) * (1 + TURNOVER_IN_DOUBT * (sqrt(level) - 1))
    if sum(series.falls[run.start :]) < ENOUGH_FALLS or not is_as_lively or not _fewer_died(series, None, n):
        return False
    moved = traffic.moved_alike((series, *parts), n)
    rest = Course.of(levels(series, n)) if moved is None else moved[1]
    return rest.slope * n >= min_count and rest.significance >= BEYOND_DOUBT


def _runs(series: Series, latest: Run) -> Iterator[Run]:
    """The latest run; the one that bears longer pauses, where it is not the same; and the latest without its begin.

    A leak that a deploy brings begins as all clients come back, and one beside healthy traffic begins in its midst.
    """
    yield latest
    if latest.start > 0 and len(series.blocks) >= STRIDE * LONG_BLOCKS:
        floors = series.floors
        start = find_start(floors, LONG_PAUSE)
        if start < latest.start and len(floors) - 1 - start >= LONG_BLOCKS:
            yield run_from(start, floors)
    if len(latest.steps) >= WARM_UP + TRAFFIC_BLOCKS:
        came_before = sum(latest.steps[:WARM_UP])
        yield Run(latest.start + WARM_UP, latest.count_from + came_before, latest.steps[WARM_UP:])


def _was_here_before(run: Run, series: Series) -> bool:
    """Whether the count was as high before the run and came down again: a swing that this stack is known for."""
    return max(series.peaks[: run.start], default=0) >= series.last


def _is_runaway(run: Run, series: Series, total: Series, block_seconds: float) -> bool:
    lately = run.steps[-RUNAWAY_BLOCKS:]
    growth = sum(lately)
    enough = max(RUNAWAY_GROWTH, RUNAWAY_PER_SECOND * RUNAWAY_BLOCKS * block_seconds)
    if len(lately) < RUNAWAY_BLOCKS or growth < enough:
        return False
    # The first of these blocks may be the one in which it began. What grew slowly before, if anything, says nothing.
    steady = min(lately[1:]) >= LATE_SHARE * growth / RUNAWAY_BLOCKS
    normal = total.floors[max(0, len(total.floors) - 1 - len(run.steps))]
    without_deaths = sum(series.falls[-RUNAWAY_BLOCKS:]) <= 0.02 * growth
    return steady and without_deaths and run.growth >= RUNAWAY_TIMES_NORMAL * normal


def _goes_on(run: Run, *, cut: bool) -> bool:
    """Whether growth came in many steps, does not slow down and has not stopped.

    A run whose begin was cut off (``cut``) must not even seem to slow down: it was quick there.
    """
    steps = run.steps
    slowing = SLOWING_T_OF_CUT_RUN if cut else SLOWING_T
    if run.events < LEAST_EVENTS or run.spread < LEAST_SPREAD or run.acceleration < slowing:
        return False
    third = len(steps) // 3
    if sum(steps[-third:]) < LATE_SHARE * sum(steps[:third]):
        return False
    if any(_has_stopped(run, run.mean * blocks, blocks, run.dispersion) for blocks in LATELY):
        return False
    return sum(steps[BLOCKS_PER_WINDOW - 1 :]) >= BEYOND_WINDOW


def _goes_on_under_traffic(run: Run, series: Series, *, cut: bool) -> bool:
    """Whether growth goes on, as above, in time, or as traffic does: what leaks with it is slow while it is low."""
    if _goes_on(run, cut=cut):
        return True
    falls = series.falls[run.start :]
    return sum(falls) >= ENOUGH_FALLS and _goes_on(run.paced_by([fall + 1 for fall in falls]), cut=cut)


def _follows_traffic(run: Run, series: Series, parts: Sequence[Series], traffic: Traffic) -> bool:
    """Whether growth has been as quick, over a long time, as other stacks were busy, and beside that goes on as before.

    So does a leak that comes with traffic. What fills up gets slower beside the traffic, too.
    """
    n = len(run.steps)
    if n < DOUBTFUL_BLOCKS or run.spread < LONG_SPREAD or (pulse := traffic.pulse((series, *parts), n)) is None:
        return False
    beside = Partial.of(run.steps, pulse) if linearity(pulse) <= ONE_WAY else None
    if beside is None or beside.share < FOLLOWS or beside.slope < SLOWING_T * beside.error:
        return False
    if (beside.slope - CERTAIN * beside.error) * n < -SLOWING_BESIDE_TRAFFIC * run.mean:
        return False
    dispersion = beside.variance / run.mean
    return not any(_has_stopped(run, sum(beside.fitted[-blocks:]), blocks, dispersion) for blocks in LATELY)


def _has_stopped(run: Run, fair: float, blocks: int, dispersion: float) -> bool:
    """Whether the last so many ``blocks`` have grown by less than a ``fair`` share, and than chance explains."""
    return sum(run.steps[-blocks:]) + CHANCE * sqrt(max(fair, 0.0) * dispersion) < FAIR_SHARE * fair


def _swings_more(series: Series, n: int) -> bool:
    """Whether the level's swing has grown with it over the last ``n`` blocks: calls that take longer, and no leak."""
    return swing_ratio(series, n) > max(SWING_OF_CHANCE, level_ratio(series, n))


def _without_deaths(run: Run, series: Series) -> bool:
    falls = series.falls
    if sum(falls[run.start :]) > DEATHS / (1 - DEATHS) * run.growth:
        return False
    return all(sum(falls[-n:]) <= DEATHS_LATELY * sum(run.steps[-n:]) for n in LATELY[1:])


def _stirs(run: Run, series: Series, parts: Sequence[Series]) -> bool:
    """Whether some of the goroutines die, or wake up and go to another of a group's stacks.

    What leaks does neither. A session or an idle connection does, if rarely; where births are many, they hide most of
    the deaths from polls, so that those seen are but a few of them.
    """
    blocks = len(run.steps)
    falls = max(sum(series.falls[run.start :]), sum(sum(part.falls[-blocks:]) for part in parts))
    return falls > HARDLY_ANY * run.growth


def _traffic_multiplies(run: Run, total: Series) -> bool:
    """Whether the target gets ever more to do while the run lasts, as in a load test that is ramped up."""
    third = len(run.steps) // 3
    falls = total.falls
    early, late = sum(falls[-len(run.steps) :][:third]), sum(falls[-third:])
    return late >= max(ENOUGH_FALLS, TRAFFIC_MULTIPLIES * early)


def _outgrows_witnesses(run: Run, series: Series, parts: Sequence[Series], traffic: Traffic) -> bool:
    """Whether it has risen more than other stacks that stay as lively as they were, and rise with the traffic."""
    n = len(run.steps)
    return level_ratio(series, n) >= OUTGROWN * traffic.witnessed_ratio((series, *parts), n)


def _stands_out(run: Run, series: Series, min_count: int, traffic: Traffic, *, cut: bool) -> bool:
    """Whether the floor has risen clear of what traffic explains.

    Of a run whose begin was cut off (``cut``) less is known. Its level must have risen in any case, and no more may die
    than did before.
    """
    n = len(run.steps)
    level, common = level_ratio(series, n), traffic.common_ratio(series, n)
    if level < ABOVE_OTHERS_IF_CLEAR * common:
        return False
    early_falls, late_falls = _early_and_late_falls(run, series)
    early_floor, early_peak = _first_swing(run, series)
    clearance = _lowest_lately(series) - early_peak
    # Seen from polls, turnover rises with the square root of the level at the least.
    turnover = (late_falls + 1) / (early_falls + 1) - 1
    is_sure = not cut or (level >= LEVEL_UNDER_LIVELY_TRAFFIC and turnover <= 0 and early_falls >= LEAST_TURNOVER)
    if clearance < min_count or not is_sure:
        return False
    expected = sqrt(level) - 1
    steady = turnover <= TURNOVER_OF_TRAFFIC * expected
    lively = run.growth < LIVELY * (run.growth + sum(series.falls[run.start :]))
    straight = linearity(series.floors[run.start :])
    if straight < NEARLY_STRAIGHT:
        return False
    clear = (
        clearance >= CLEAR_OF_SWING * max(early_peak - early_floor, 5)
        and straight >= STRAIGHT
        and early_falls + late_falls >= ENOUGH_FALLS
    )
    if not clear and level < (LEVEL_UNDER_LIVELY_TRAFFIC if lively else LEVEL_UNDER_SLOW_TRAFFIC):
        return False
    beyond_doubt = turnover <= TURNOVER_IN_DOUBT * expected and level >= LEVEL_IN_DOUBT and n >= DOUBTFUL_BLOCKS
    return (steady or beyond_doubt) and (clear or level >= ABOVE_OTHERS * common)


def _never_fell(run: Run, series: Series, traffic: Traffic) -> bool:
    """Whether the floor has risen evenly for long, and by much more than others, without ever falling between blocks.

    What leaks stays, and what passes through the same stack is gone within a block, however much of it dies between
    two polls. Under sessions the floor falls now and then, unless they come ever more often: then it rises ever faster.
    """
    n = len(run.steps)
    if n < DOUBTFUL_BLOCKS:
        return False
    if level_ratio(series, n) < max(LEVEL_UNDER_LIVELY_TRAFFIC, ABOVE_OTHERS * traffic.common_ratio(series, n)):
        return False
    if not SLOWING_T_OF_CUT_RUN <= run.acceleration <= QUICKENING_T:
        return False
    return series.floors[run.start :] == list(accumulate(run.steps, initial=run.count_from))


def _rises_for_itself(run: Run, series: Series, parts: Sequence[Series], min_count: int, traffic: Traffic) -> bool:
    """Whether it rose beside a stack that is moved by the same traffic, by what that traffic doesn't explain.

    Traffic may hide a leak in its swing. It swings in other stacks, too, and what it brings in proportion to them can
    be taken away. Were it traffic that goes ever more often through this one, more would die of it.
    """
    n = min(len(run.steps), LONG_BLOCKS) // PAUSE * PAUSE
    if n < DOUBTFUL_BLOCKS or level_ratio(series, n) < ABOVE_OTHERS * traffic.least_ratio(n):
        return False  # to compare it with each of the others takes long
    moved = traffic.moved_alike((series, *parts), n)
    if moved is None:
        return False
    other, rest = moved
    return rest.slope * n >= min_count and rest.significance >= SIGNIFICANT and _fewer_died(series, other, n)


def _fewer_died(series: Series, other: Series | None, n: int) -> bool:
    """Whether too few died for what the level has risen by in the last ``n`` blocks, beside another stack if any."""
    third = n // 3
    falls = [
        (sum(each.falls[-n:][:third]) + 1, sum(each.falls[-third:]) + 1) for each in (series, other) if each is not None
    ]
    turnover, level = falls[0][1] / falls[0][0], level_ratio(series, n)
    if other is not None:
        turnover *= falls[1][0] / falls[1][1]
        level /= level_ratio(other, n)
    error = turnover * sqrt(sum(1 / each for pair in falls for each in pair))
    # Seen from polls, turnover rises with the square root of the level at the least.
    return level >= ABOVE_OTHERS and sqrt(level) - turnover >= TOO_FEW * error


def _early_and_late_falls(run: Run, series: Series) -> tuple[int, int]:
    """How many died in the run's first third, and in its last."""
    third = len(run.steps) // 3
    return sum(series.falls[run.start : run.start + third]), sum(series.falls[-third:])


def _first_swing(run: Run, series: Series) -> tuple[int, int]:
    """The least and the most count in the run's first sixth."""
    early = series.blocks[STRIDE * run.start : STRIDE * (run.start + len(run.steps) // 6 + 1)]
    return min(early[0::STRIDE]), max(early[1::STRIDE])


def _lowest_lately(series: Series) -> int:
    return min(series.blocks[-LAST_BLOCKS * STRIDE :: STRIDE])


def _first_level(series: Series, n: int) -> float:
    """The mean level in the first third of the last ``n`` blocks."""
    third = n // 3
    return sum(levels(series, n)[:third]) / third
