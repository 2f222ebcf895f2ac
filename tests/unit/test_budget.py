"""How often a target is asked for evidence, with time passed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.collect.evidence import Budget


def test_so_often_at_first_and_then_once_an_interval() -> None:
    budget = Budget(3, every=600.0)
    assert [budget.take(1000.0 + second) for second in range(5)] == [True, True, True, False, False]
    assert not budget.take(1599.0)
    assert budget.take(1600.0)
    assert not budget.take(1601.0)


def test_what_is_not_taken_is_saved_up_to_the_most() -> None:
    budget = Budget(3, every=600.0)
    assert budget.take(0.0)
    assert [budget.take(1e6) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0, 500), min_size=1, max_size=100))
def test_never_more_than_the_first_and_one_for_each_interval_that_passed(pauses: list[float]) -> None:
    budget = Budget(3, every=600.0)
    now = taken = 0.0
    for pause in pauses:
        now += pause
        taken += budget.take(now)
        assert taken <= 3 + now / 600.0 + 1e-6
