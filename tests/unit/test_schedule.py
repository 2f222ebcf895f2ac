"""When polls are due, with time passed in."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.collect.schedule import Ticks, first_offset

TIMES = st.floats(0, 1e6, allow_nan=False)


def test_ticks_stay_on_the_grid_however_long_a_poll_takes() -> None:
    ticks = Ticks(first=100.0, every=10.0)
    begun = []
    now = 99.5
    for took in (0.1, 3.0, 9.9, 0.0, 5.5):
        now = ticks.next(now)
        assert ticks.begin(now + 0.001) == 0
        begun.append(now)
        now += took
    assert begun == [100.0, 110.0, 120.0, 130.0, 140.0]


def test_ticks_that_pass_during_a_poll_are_skipped_and_counted() -> None:
    ticks = Ticks(first=0.0, every=10.0)
    assert ticks.begin(0.0) == 0
    assert ticks.next(35.0) == 40.0
    assert ticks.begin(40.0) == 3


def test_the_first_tick_is_not_skipped_for_being_a_little_late() -> None:
    """Starting takes a moment; the first poll must not wait for the next interval because of it."""
    ticks = Ticks(first=100.0, every=60.0)
    assert ticks.next(100.3) <= 100.3
    assert ticks.begin(100.3) == 0
    assert ticks.next(100.4) == 160.0


def test_a_poll_that_ends_on_a_tick_does_not_skip_it() -> None:
    ticks = Ticks(first=0.0, every=10.0)
    ticks.begin(0.0)
    assert ticks.next(10.0) == 10.0
    assert ticks.begin(10.0) == 0


def test_after_a_sleep_of_ten_intervals_one_poll_is_made_late_and_the_rest_are_counted() -> None:
    ticks = Ticks(first=0.0, every=10.0)
    ticks.begin(0.0)
    assert ticks.next(0.1) == 10.0
    assert ticks.begin(113.0) == 10  # 10, 20 … 100; that of 110 is made now
    assert ticks.next(113.1) == 120.0


def test_without_an_interval_there_is_no_tick() -> None:
    assert Ticks(first=100.0, every=0.0).next(200.0) == float("inf")


def test_a_timer_that_fires_early_does_not_lose_or_repeat_a_tick() -> None:
    ticks = Ticks(first=0.0, every=10.0)
    for number in range(50):
        at = ticks.next(number * 10.0 - 5.0)
        assert ticks.begin(at - 1e-9) == 0
        assert ticks.next(at - 1e-9) == at + 10.0


@given(TIMES, st.floats(0.01, 1e5), st.lists(st.floats(0, 1e4), min_size=1, max_size=30))
def test_each_tick_is_made_or_counted(first: float, every: float, waits: list[float]) -> None:
    ticks = Ticks(first, every)
    now = first
    made = skipped = 0
    for wait in waits:
        now = max(now, ticks.next(now)) + wait
        skipped += ticks.begin(now)
        made += 1
    passed = int((now - first) / every)
    assert abs(made + skipped - 1 - passed) <= 1  # a rounding error of one, at most


def test_one_target_is_polled_at_once() -> None:
    assert first_offset("localhost:6060", 1, 0, 10.0) <= 0.02


def test_each_profile_of_a_few_targets_is_polled_within_a_second() -> None:
    offsets = [first_offset(f"host{index}:6060", 20, profile, 60.0) for index in range(20) for profile in range(3)]
    assert max(offsets) < 1.0
    assert len(set(offsets)) == 60


@pytest.mark.parametrize("every", [0.5, 10.0, 60.0])
def test_many_targets_are_spread_over_their_interval(every: float) -> None:
    offsets = sorted(first_offset(f"host{index}:6060", 1000, 0, every) for index in range(1000))
    assert offsets[0] >= 0
    assert offsets[-1] <= every
    tenths = [sum(every * tenth <= offset * 10 < every * (tenth + 1) for offset in offsets) for tenth in range(10)]
    assert min(tenths) > 50


def test_a_target_has_the_same_place_in_every_process() -> None:
    script = "from pprofwatch.collect.schedule import first_offset; print(first_offset('a:1', 1000, 0, 10.0))"
    for seed in ("1", "2"):
        result = subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert float(result.stdout) == first_offset("a:1", 1000, 0, 10.0)
