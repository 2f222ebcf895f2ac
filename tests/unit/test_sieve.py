"""The sieve leaves out nothing that would have been judged a leak or a suspect."""

from __future__ import annotations

import random

import pytest

from pprofwatch.leaks.series import Series
from pprofwatch.leaks.sieve import may_leak
from pprofwatch.leaks.suspicion import is_suspect
from pprofwatch.leaks.traffic import Traffic
from pprofwatch.leaks.trend import find_run
from pprofwatch.leaks.verdict import PAUSE, judge

ROUNDS = 800


def random_series(random_: random.Random, least: int) -> tuple[Series, Series]:
    """A stack's series and the total's: traffic, bursts and leaks of all measures, with a block just closed.

    It went through the sieve after most of its blocks, which it remembers.
    """
    series = Series(random_.choice([0, 1, 5, 30]), from_zero=random_.random() < 0.5)
    total = Series(50, from_zero=False)
    level, swing = series.last, 0.0
    blocks = random_.choice([random_.randint(2, 130), random_.randint(100, 400)])
    leaks, leaks_from = random_.choice([0, 0.1, 0.3, 1, 3, 10]), random_.randint(0, blocks)
    deviation, bursts = random_.choice([0, 0, 1, 3, 10, 30]), random_.random() < 0.3
    for block in range(blocks):
        for _ in range(random_.choice([1, 6])):
            if block >= leaks_from and random_.random() < leaks:
                level += max(1, int(leaks))
            if bursts and random_.random() < 0.05:
                level = max(0, level + random_.randint(-20, 30))
            swing = 0.8 * swing + random_.gauss(0, deviation)
            count = max(0, int(level + swing))
            series.add(count)
            total.add(count + random_.randint(20, 80))
        series.close_block()
        total.close_block()
        if block < blocks - 1 and random_.random() < 0.9:
            may_leak(series, least)
    return series, total


@pytest.mark.parametrize("seed", range(3))
def test_what_may_not_leak_is_judged_no_leak_and_no_suspect(seed: int) -> None:
    random_ = random.Random(seed)
    leaks = suspects = sieved = 0
    for _ in range(ROUNDS):
        least = random_.choice([1, 5, 10])
        series, total = random_series(random_, least)
        run = None if series.last < least else find_run(series.floors, PAUSE)
        if run is None:
            continue
        growth = judge(series, run, total=total, traffic=Traffic([series], 6), min_count=least, block_seconds=60.0)
        is_leak, suspected = growth is not None and not growth.runaway, is_suspect(series, run, least)
        leaks, suspects, sieved = leaks + is_leak, suspects + suspected, sieved + (not may_leak(series, least))
        assert may_leak(series, least) or not (is_leak or suspected), (least, list(series.blocks), series.last)
    # The rounds say something: all three happened often.
    assert min(leaks, suspects, sieved) > ROUNDS // 20


def closed(floors: list[int], *, swing: int = 0) -> Series:
    """A series with these floors, a count of ``swing`` more in each block, in every other one half as much again."""
    series = Series(floors[0], from_zero=False)
    for block, floor in enumerate(floors):
        series.add(floor)
        series.add(floor + swing + block % 2 * swing // 2)
        series.add(floor)
        series.close_block()
    return series


def is_leak(series: Series) -> bool:
    run = find_run(series.floors, PAUSE)
    assert run is not None
    growth = judge(series, run, total=series, traffic=Traffic([series], 6), min_count=10, block_seconds=60.0)
    return growth is not None


def test_a_leak_that_is_just_higher_than_ever_before_passes() -> None:
    series = closed([100, *[0] * 40, *range(0, 102, 2), 101])
    assert max(series.peaks[:1]) == series.last - 1
    assert is_leak(series)
    assert may_leak(series, 10)


def test_a_peak_is_forgotten_with_its_block() -> None:
    series = Series(0, from_zero=True)
    for block in range(220):
        series.add(100 if block == 5 else 20 + max(0, block - 150))
        series.close_block()
        may_leak(series, 10)
    assert max(series.peaks) == series.last == 89
    assert may_leak(series, 10)
    assert is_leak(series)


def test_a_leak_that_only_a_run_with_long_pauses_shows_passes() -> None:
    series = closed([20, 20, *range(20, 80), *[80] * 16, *range(80, 110)], swing=20)
    assert is_leak(series)
    assert may_leak(series, 10)
