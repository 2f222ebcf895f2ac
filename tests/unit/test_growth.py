"""Stacks that grew and shrank."""

from __future__ import annotations

import dataclasses

import pytest

from pprofwatch.model import Frame, Stack
from pprofwatch.report.growth import Change, find_growth
from pprofwatch.report.samples import VALUE_TYPES, Samples


def stack(name: str) -> Stack:
    return Stack((Frame(name, "/f.go", 1),))


def goroutines(time: float, **counts: int) -> Samples:
    rows = tuple((stack(name), (count,)) for name, count in counts.items())
    return Samples("goroutine", VALUE_TYPES["goroutine"], rows, time)


def test_what_changed_most_comes_first_with_its_rate() -> None:
    growth = find_growth(
        goroutines(0, same=3, grown=1, shrunk=9, gone=2), goroutines(1800, same=3, grown=5, shrunk=4, new=2)
    )
    assert growth.changes == (
        Change(stack("shrunk"), 9, 4, -10.0),
        Change(stack("grown"), 1, 5, 8.0),
        Change(stack("new"), 0, 2, 4.0),
        Change(stack("gone"), 2, 0, -4.0),
    )
    assert (growth.before, growth.after, growth.seconds) == (15, 14, 1800)
    assert growth.changes[0].change == -5


def test_nothing_changed() -> None:
    assert find_growth(goroutines(0, a=1), goroutines(10, a=1)).changes == ()


def test_the_value_that_is_asked_for_is_compared() -> None:
    def heap(time: float, *values: int) -> Samples:
        return Samples("heap", VALUE_TYPES["heap"], ((stack("main.f"), values),), time)

    before, after = heap(0, 1, 10, 5, 50), heap(3600, 1, 10, 9, 90)
    assert find_growth(before, after).changes == ()
    assert find_growth(before, after, "alloc_objects").changes == (Change(stack("main.f"), 5, 9, 4.0),)


def allocs(time: float, *values: int) -> Samples:
    return Samples("allocs", VALUE_TYPES["allocs"], ((stack("main.f"), values),), time)


@pytest.mark.parametrize(
    ("value", "restarted"),
    [("alloc_space", True), ("alloc_objects", True), ("inuse_space", False), ("inuse_objects", False)],
)
def test_a_value_that_only_ever_grows_and_has_fallen_tells_of_a_restart(value: str, *, restarted: bool) -> None:
    before, after = allocs(0, 9, 90, 1000, 10_000), allocs(60, 2, 20, 800, 8000)
    assert find_growth(before, after, value).restarted == restarted
    assert not find_growth(before, dataclasses.replace(before, time=60), value).restarted
    assert not find_growth(allocs(0, 1, 1, 1, 1), after, value).restarted


def test_nothing_else_that_falls_tells_of_a_restart() -> None:
    assert not find_growth(goroutines(0, a=900), goroutines(60, a=3)).restarted
    before, after = allocs(0, 9, 90, 1000, 10_000), allocs(60, 2, 20, 8, 80)
    changed = dataclasses.replace(after, duration=30.0)
    assert not find_growth(dataclasses.replace(before, duration=30.0), changed, "alloc_space").restarted
    # Cycles are made nanoseconds by a clock that is measured ever anew.
    assert not find_growth(before, allocs(60, 9, 90, 1000, 9990), "alloc_space").restarted
