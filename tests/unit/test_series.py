"""A series as blocks, the run of growth in it, and that run's statistics."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.leaks.series import HISTORY, STRIDE, Series
from pprofwatch.leaks.trend import Run, find_run, find_start, linearity


def series_of(*blocks: list[int], from_zero: bool = False) -> Series:
    """A series of these polls, block by block."""
    series = Series(blocks[0][0], from_zero=from_zero)
    for block in blocks:
        for count in block:
            series.add(count)
        series.close_block()
    return series


def rows(series: Series) -> list[tuple[int, int, int]]:
    return list(zip(series.floors[:-1], series.peaks, series.falls, strict=True))


def test_a_block_has_a_floor_a_peak_and_what_fell() -> None:
    series = series_of([5, 9, 4, 6, 3, 3], [8])
    # The second block begins where the first one ended.
    assert rows(series) == [(3, 9, 8), (3, 8, 0)]
    assert series.last == 8
    assert series.floors == [3, 3, 8]


def test_a_stack_that_was_not_there_before_rose_from_zero() -> None:
    assert rows(series_of([7], from_zero=True)) == [(0, 0, 0), (0, 7, 0)]
    assert rows(series_of([7])) == [(7, 7, 0)]


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=9), min_size=1, max_size=20))
def test_blocks_are_the_extremes_of_their_polls(blocks: list[list[int]]) -> None:
    begin = blocks[0][0]
    for block, (floor, peak, fall) in zip(blocks, rows(series_of(*blocks)), strict=True):
        polls = [begin, *block]
        assert (floor, peak) == (min(polls), max(polls))
        assert fall == sum(max(0, a - b) for a, b in pairwise(polls))
        begin = block[-1]


@pytest.mark.parametrize("blocks", [2, 3, 10])
def test_blocks_without_polls_are_bridged_by_a_straight_line(blocks: int) -> None:
    series = series_of([10])
    series.bridge(blocks, 10 + 100 * blocks)
    series.add(10 + 100 * blocks)
    series.close_block()
    assert len(rows(series)) == 1 + blocks
    assert series.floors[1:-1] == [10, *(10 + 100 * i for i in range(blocks - 1))]
    assert series.last == 10 + 100 * blocks


def test_memory_is_bounded_and_the_latest_blocks_are_kept() -> None:
    series = series_of(*([i] for i in range(1000)))
    assert HISTORY <= len(series.blocks) // STRIDE <= HISTORY + 10
    assert series.peaks[-HISTORY:].tolist() == list(range(1000 - HISTORY, 1000))


def test_blocks_in_which_nothing_was_there_are_counted() -> None:
    assert series_of([1], [0], [0]).quiet == 1  # the second block began at 1
    assert series_of([1], [0], [0], [0]).quiet == 2
    assert series_of([1], [0], [0], [2]).quiet == 0


def test_a_copy_goes_its_own_way() -> None:
    series = series_of([1, 5, 2], [4])
    twin = series.copy()
    for each, count in ((series, 9), (twin, 1)):
        each.add(count)
        each.close_block()
    assert rows(series)[:2] == rows(twin)[:2] == [(1, 5, 3), (2, 4, 0)]
    assert (rows(series)[2], rows(twin)[2]) == ((4, 9, 0), (1, 4, 3))


@pytest.mark.parametrize("count", [-7, 10**18])
def test_any_number_can_be_kept(count: int) -> None:
    series = series_of([3, count, 3], [3])
    assert len(rows(series)) == 2
    assert all(0 <= number < 2**31 for number in series.blocks)


# The run of growth.


def test_the_run_begins_where_the_floor_last_paused() -> None:
    #       healthy ↓     pause ↓        run ↓
    floors = [2, 4, 6, 8, 8, 8, 8, 8, 8, 8, 9, 11, 11, 12]
    run = find_run(floors, pause=4)
    assert run == Run(start=9, count_from=8, steps=[1, 2, 0, 1])
    assert find_run(floors, pause=7) == Run(start=0, count_from=2, steps=[2, 2, 2, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1])


def test_a_swing_that_is_over_leaves_no_trace_in_the_run() -> None:
    assert find_run([1, 2, 9, 9, 3, 4], pause=5) == Run(start=0, count_from=1, steps=[1, 1, 0, 0, 1])


@pytest.mark.parametrize("floors", [[5], [5, 5, 5], [9, 8, 7], [1, 7, 7, 7, 7]])
def test_where_nothing_grows_there_is_no_run(floors: list[int]) -> None:
    assert find_run(floors, pause=3) is None


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_a_run_only_rises_and_ends_at_the_latest_floor(floors: list[int], pause: int) -> None:
    run = find_run(floors, pause)
    if run is None:
        assert min(floors[-pause - 1 : -1], default=floors[-1]) >= floors[-1]
        return
    assert min(run.steps) >= 0
    assert run.steps[0] > 0
    assert run.growth == floors[-1] - run.count_from > 0
    assert len(run.steps) == len(floors) - 1 - run.start
    assert run.count_from == floors[run.start] == min(floors[run.start :])


FLOORS = st.lists(st.integers(0, 50), min_size=1, max_size=60)


@given(FLOORS, FLOORS, st.integers(0, 50), st.integers(1, 20))
def test_a_run_never_begins_earlier_than_was_seen_before(
    floors: list[int], later: list[int], lower: int, pause: int
) -> None:
    # The latest count is the least of its block only until the block goes on.
    grown = [*floors[:-1], min(lower, floors[-1]), *later]
    assert find_start(floors, pause) <= find_start(grown, pause)


def run_of(*steps: int) -> Run:
    return Run(start=0, count_from=0, steps=steps)


def test_the_first_block_of_a_run_lasts_as_far_as_it_grew() -> None:
    assert run_of(10, 10, 10, 10).length == 4
    assert run_of(5, 10, 10, 15).length == 3.5
    assert run_of(30, 10, 10, 10).length == 4


def test_growth_that_came_at_once_is_told_from_growth_that_goes_on() -> None:
    jump, steady, cron = run_of(100, 0, 0, 0, 0), run_of(*[5] * 10), run_of(*[15, 0, 0] * 5)
    assert (jump.events, jump.spread) == (1, 1)
    assert (steady.events, steady.spread) == (5, 10)
    assert (cron.events, cron.spread) == (5, 5)
    assert steady.dispersion < 2 < cron.dispersion


def test_growth_that_slows_down_has_a_negative_acceleration() -> None:
    slowing, speeding = run_of(*range(30, 0, -1)), run_of(*range(1, 31))
    assert slowing.acceleration < -5
    assert speeding.acceleration > 5
    assert abs(run_of(*[4, 6] * 15).acceleration) < 1


def test_linearity_is_the_share_that_a_line_explains() -> None:
    assert linearity([3, 5, 7, 9]) == pytest.approx(1)
    assert linearity([9, 7, 5, 3]) == pytest.approx(1)
    assert linearity([1, 2, 1, 2, 1]) == pytest.approx(0)
    assert linearity([4, 4, 4]) == 0
    # By hand: the slope is 3/2, the variance around the mean 14/3, of which the line leaves 1/6.
    assert linearity([0, 1, 3]) == pytest.approx(27 / 28)


def test_equal_steps_are_linear_and_a_jump_is_not() -> None:
    assert linearity(list(range(5, 46, 2))) == pytest.approx(1.0)
    assert linearity([5, *[6] * 19, 46]) < 0.5
