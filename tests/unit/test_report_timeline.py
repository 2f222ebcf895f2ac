"""The timeline of a report: bounded, and yet with every peak, hole and restart."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from pprofwatch.report.holes import MAX_HOLES, Hole
from pprofwatch.report.timeline import MAX_STRETCHES, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable

START = 1_000_000.0


def timeline_of(totals: list[int | None], *, every: float = 10, levels: bool = True) -> Timeline:
    """Totals at regular times; None is a failed poll."""
    timeline = Timeline(levels=levels)
    for number, total in enumerate(totals):
        if total is None:
            timeline.fail(START + every * number, "connection refused")
        else:
            timeline.take(START + every * number, total)
    return timeline


def test_a_short_log_keeps_each_point() -> None:
    timeline = timeline_of([5, 7, 6])
    assert timeline.points == [(START, 5), (START + 10, 7), (START + 20, 6)]
    assert (timeline.entries, timeline.failed, timeline.holes, timeline.restarts) == (3, 0, [], [])


def test_a_long_log_is_bounded_and_keeps_a_single_peak_where_it_was() -> None:
    totals: list[int | None] = [100] * 50_000
    totals[31_415] = 9000
    totals[9_265] = 3
    points = timeline_of(totals).points
    assert len(points) <= 4 * MAX_STRETCHES
    assert (START + 314_150, 9000) in points
    assert (START + 92_650, 3) in points


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 20_000), st.randoms(use_true_random=False))
def test_the_line_has_the_highest_and_the_lowest_total_in_order_of_time(count: int, chance: random.Random) -> None:
    totals: list[int | None] = [chance.randrange(1000) for _ in range(count)]
    points = timeline_of(totals).points
    values = [value for _, value in points if value is not None]
    known = [total for total in totals if total is not None]
    assert (max(values), min(values)) == (max(known), min(known))
    assert sorted(points, key=lambda point: point[0]) == points
    assert all(totals[round((time - START) / 10)] == value for time, value in points if value is not None)


def test_failed_polls_are_a_hole_with_their_reason() -> None:
    timeline = timeline_of([5, 5, None, None, 6])
    assert timeline.holes == [Hole(START + 10, START + 40, "connection refused")]
    assert timeline.failed == 2
    assert [value for _, value in timeline.points] == [5, 5, None, 6]


def test_failed_polls_at_the_end_are_a_hole_too() -> None:
    assert timeline_of([5, 5, None, None]).holes == [Hole(START + 10, START + 30, "connection refused")]


def test_a_time_without_entries_is_a_hole_where_polls_were_regular() -> None:
    timeline = Timeline()
    for time in [*range(0, 200, 10), *range(900, 1000, 10)]:
        timeline.take(time, 7)
    assert timeline.holes == [Hole(190, 900, "")]


def test_a_late_poll_is_no_hole() -> None:
    timeline = Timeline()
    for time in (0, 10, 20, 30, 55, 65, 75):
        timeline.take(time, 7)
    assert timeline.holes == []


def test_many_holes_are_bounded_and_the_longest_stay() -> None:
    timeline = Timeline()
    time = 0.0
    for number in range(5000):
        time += 10_000 if number == 77 else 10
        timeline.take(time, 7)
        timeline.fail(time + 5, "down")
    assert len(timeline.holes) == MAX_HOLES
    assert max(hole.until - hole.since for hole in timeline.holes) == 10_000
    assert len(timeline.points) <= 6 * MAX_STRETCHES


def test_a_total_that_falls_below_all_before_is_a_restart() -> None:
    assert timeline_of([100, 104, 99, 101, 12, 13, 14]).restarts == [START + 40]


def test_the_end_of_a_burst_is_no_restart() -> None:
    assert timeline_of([20, 21, 900, 950, 22, 20]).restarts == []


def test_after_failed_polls_less_of_a_fall_is_a_restart() -> None:
    totals: list[int | None] = [100, 104, 99, 101, None, 60, 61]
    assert timeline_of(totals).restarts == [START + 50]
    assert timeline_of([total for total in totals if total is not None]).restarts == []


def test_differences_tell_of_no_restart() -> None:
    assert timeline_of([100, 104, 99, 101, -12, 13, 14], levels=False).restarts == []


def test_failed_polls_at_the_beginning_are_a_hole_too() -> None:
    timeline = timeline_of([None, None, None, 5, 6])
    assert timeline.holes == [Hole(START, START + 30, "connection refused")]
    assert [value for _, value in timeline.points] == [None, 5, 6]
    assert (timeline.entries, timeline.failed) == (5, 3)


def test_times_that_go_back_come_in_order() -> None:
    timeline = Timeline()
    for time in (500, 510, 520, 10, 20, 30):
        timeline.take(time, time)
    assert [time for time, _ in timeline.points] == [10, 20, 30, 500, 510, 520]
    assert timeline.holes == []


def taken(polls: Iterable[tuple[float, int | None]]) -> Timeline:
    """Polls in some order; without a total they failed."""
    timeline = Timeline()
    for time, total in polls:
        if total is None:
            timeline.fail(time, "down")
        else:
            timeline.take(time, total)
    return timeline


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5000), st.none() | st.integers(0, 99)), unique_by=lambda poll: poll[0]),
    st.randoms(use_true_random=False),
)
def test_holes_do_not_depend_on_the_order_in_the_file(
    polls: list[tuple[int, int | None]], chance: random.Random
) -> None:
    ordered = taken(sorted(polls, key=lambda poll: poll[0]))
    chance.shuffle(polls)
    shuffled = taken(polls)
    assert shuffled.holes == ordered.holes
    assert shuffled.points == ordered.points


def test_a_log_that_is_out_of_order_has_no_hole_and_no_restart_that_are_not_there() -> None:
    polls: list[tuple[float, int | None]] = [(60.0 * minute, 20 + minute) for minute in range(60)]
    random.Random(1).shuffle(polls)
    timeline = taken(polls)
    assert (timeline.holes, timeline.restarts) == ([], [])
    newest_first = taken([(time, 100) for time in (*range(90_000, 180_000, 10), *range(0, 90_000, 10))])
    assert newest_first.holes == []


def test_in_a_long_log_that_is_out_of_order_the_long_hole_is_found() -> None:
    polls: list[tuple[float, int | None]] = [(10.0 * poll + 3600 * (poll > 7000), 5) for poll in range(30_000)]
    random.Random(1).shuffle(polls)
    assert taken(polls).holes == [Hole(70_000, 73_610, "")]


def test_memory_is_bounded_whatever_the_order() -> None:
    for order in ("sorted", "shuffled"):
        polls = [(7.0 * poll + poll % 3, 5 if poll % 4 else None) for poll in range(40_000)]
        if order == "shuffled":
            random.Random(1).shuffle(polls)
        tracemalloc.start()
        timeline = taken(polls)
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(timeline.holes) == MAX_HOLES
        assert used < 3 << 20


def test_a_restart_within_a_log_that_is_out_of_order_is_where_it_can_only_be() -> None:
    timeline = Timeline()
    for since, until in ((0, 100), (500, 900), (40, 60), (50, 300)):
        timeline.mark_restart(since, until)
    assert timeline.restarts == [60, 900]
