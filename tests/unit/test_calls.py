"""Calls through one stack: some of them never return, or all of them take ever longer."""

from __future__ import annotations

import math
import random
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.series import Series
from pprofwatch.leaks.traffic import swing_ratio
from pprofwatch.leaks.trend import Run
from simulated import EVERY, HOUR, MINUTE, START, found, server, stack, waves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pprofwatch.model import Stack
    from simulated import Poll

AWAIT = stack("main.(*Desk).await", "main.serveDesk")
REQUESTS = {stack(f"main.handle{i}", f"main.serve{i}"): 8 + 4 * i for i in range(4)}
HOURS = 2
POLLS = HOURS * HOUR // EVERY


def arrivals(rng: random.Random, mean: float) -> int:
    """A number of events of a Poisson process."""
    number, at = 0, rng.expovariate(1)
    while at < mean:
        number, at = number + 1, at + rng.expovariate(1)
    return number


def busy(rng: random.Random, swing: float, period: float) -> list[float]:
    """How busy a server is: a wave about 1, and what wanders about it for some minutes."""
    now, levels = 0.0, []
    for number in range(POLLS):
        now = 0.97 * now + rng.gauss(0, 0.04)
        levels.append((1 + swing * math.sin(2 * math.pi * number * EVERY / period)) * math.exp(now))
    return levels


def calls(
    rng: random.Random, level: float, lifetime: float, *, period: float, lost: float = 0, times: float = 1
) -> Iterator[int]:
    """Calls that last ``lifetime`` seconds in the mean, within an hour so many ``times`` as long.

    Of all that come from the twentieth minute on, the share ``lost`` never returns.
    """
    running = stuck = 0
    for number, traffic in enumerate(busy(rng, 0.4, period)):
        slower = 1 + (times - 1) * (1 - math.cos(math.pi * min(1.0, number * EVERY / HOUR))) / 2
        begun = arrivals(rng, level * traffic * EVERY / lifetime)
        forgotten = sum(rng.random() < lost for _ in range(begun)) if number * EVERY >= 20 * MINUTE else 0
        stay = math.exp(-EVERY / (lifetime * slower))
        running = begun - forgotten + sum(rng.random() < stay for _ in range(running))
        stuck += forgotten
        yield running + stuck


def polls(series: Iterator[int], seed: int) -> list[Poll]:
    rng = random.Random(seed)
    others: dict[Stack, Iterator[int]] = {each: waves(rng, level, swing=0.4) for each, level in REQUESTS.items()}
    return server(HOURS, {AWAIT: series} | others)


@pytest.mark.parametrize(
    ("seed", "level", "lifetime", "period"),
    [(9, 20, 20, 110 * MINUTE), (10, 40, 20, 110 * MINUTE), (14, 80, 40, 110 * MINUTE), (37, 40, 20, 35 * MINUTE)],
)
def test_one_call_in_fifty_that_never_returns_is_found_within_an_hour_of_its_begin(
    seed: int, level: float, lifetime: float, period: float
) -> None:
    (one,) = found(polls(calls(random.Random(seed), level, lifetime, period=period, lost=0.02), seed))
    assert one.stack == AWAIT
    assert 60 * MINUTE <= one.detected_at - START <= 80 * MINUTE


@pytest.mark.parametrize(
    ("seed", "level", "lifetime", "period"),
    [(0, 90, 10, 40 * MINUTE), (1, 30, 30, 40 * MINUTE), (1, 30, 30, 2 * HOUR), (2, 90, 30, 40 * MINUTE)],
)
def test_calls_that_take_ever_longer_swing_the_more_and_are_no_leak(
    seed: int, level: float, lifetime: float, period: float
) -> None:
    assert not found(polls(calls(random.Random(seed), level, lifetime, period=period, times=5), seed))


@pytest.mark.parametrize("seed", range(4))
def test_calls_that_all_return_are_no_leak(seed: int) -> None:
    assert not found(polls(calls(random.Random(seed), 40, 30, period=110 * MINUTE), seed))


def test_growth_that_keeps_pace_with_work_is_even_where_time_is_measured_by_it() -> None:
    work = [4, 3, 2, 1, 1, 1]
    run = Run(7, 5, [8, 6, 4, 2, 2, 2])
    paced = run.paced_by(work)
    assert list(paced.steps) == [4, 4, 4, 4, 4, 4]
    assert (paced.start, paced.count_from, paced.growth) == (run.start, run.count_from, run.growth)


@pytest.mark.parametrize("seed", range(20))
def test_no_growth_is_lost_or_moved_ahead_of_its_work(seed: int) -> None:
    rng = random.Random(seed)
    steps, work = ([rng.randint(0, 9) for _ in range(40)] for _ in range(2))
    paced = Run(0, 0, steps).paced_by([each + 1 for each in work])
    assert paced.growth == sum(steps)
    assert min(paced.steps) >= 0
    done = [0, *accumulate(each + 1 for each in work)]
    grown = [0, *accumulate(paced.steps)]
    for block, came in enumerate([0, *accumulate(steps)]):
        pace = done[block] / done[-1] * len(steps)
        assert grown[math.floor(pace)] <= came <= grown[math.ceil(pace)]


def series_of(floors: list[int], swings: list[int]) -> Series:
    series = Series(floors[0], from_zero=False)
    for floor, swing in zip(floors, swings, strict=True):
        for count in (floor, floor + swing, floor):
            series.add(count)
        series.close_block()
    return series


def test_a_swing_that_stays_above_a_rising_floor_has_not_grown() -> None:
    assert swing_ratio(series_of(list(range(90)), [10, 50] * 45), 90) == pytest.approx(1, abs=0.01)


def test_a_swing_that_doubles_has_four_times_the_variance() -> None:
    swings = [10, 50] * 15 + [15, 75] * 15 + [20, 100] * 15
    assert swing_ratio(series_of([100] * 90, swings), 90) == pytest.approx(4, rel=0.01)


def test_what_does_not_swing_at_all_has_not_begun_to() -> None:
    assert swing_ratio(series_of([20] * 90, [0] * 90), 90) == 1
