"""Functions with what they hold, and numbers with their units."""

from __future__ import annotations

import pytest

from pprofwatch.model import Frame, Stack
from pprofwatch.report.samples import VALUE_TYPES, Samples
from pprofwatch.report.top import make_top
from pprofwatch.report.units import WIDTH, choose_scale, format_in, format_percent, format_value


def goroutines(*rows: tuple[str, int]) -> Samples:
    """Rows such as ``("leaf < caller < main", 3)``."""
    stacks = ((Stack(tuple(Frame(name, "/f.go", 1) for name in text.split(" < "))), (count,)) for text, count in rows)
    return Samples("goroutine", VALUE_TYPES["goroutine"], tuple(stacks), 0)


def test_flat_is_the_leafs_and_cum_everyones() -> None:
    top = make_top(goroutines(("wait < work < main", 5), ("work < main", 2), ("read < main", 3)))
    assert top.total == 10
    assert top.rows == (("wait", 5, 5), ("read", 3, 3), ("work", 2, 7), ("main", 0, 10))


def test_a_function_that_calls_itself_counts_once_a_stack() -> None:
    top = make_top(goroutines(("f < g < f < f < main", 4)))
    assert top.rows == (("f", 4, 4), ("g", 0, 4), ("main", 0, 4))


def test_sorted_by_cum() -> None:
    top = make_top(goroutines(("wait < work < main", 5), ("work < main", 2)), sort="cum")
    assert [row.function for row in top.rows] == ["work", "main", "wait"]


def test_a_difference_is_sorted_without_signs() -> None:
    top = make_top(goroutines(("grown < main", 2), ("shrunk < main", -5)))
    assert (top.total, top.rows) == (7, (("shrunk", -5, -5), ("grown", 2, 2), ("main", 0, -3)))


def test_a_bare_address_is_an_unknown_function() -> None:
    stack = Stack((Frame("0x48c3ca", "", 0), Frame("main.main", "/f.go", 1)))
    top = make_top(Samples("goroutine", VALUE_TYPES["goroutine"], ((stack, (1,)),), 0))
    assert top.rows == (("<unknown>", 1, 1), ("main.main", 0, 1))


@pytest.mark.parametrize(
    ("unit", "values", "total", "shown"),
    [
        ("count", [7, 90], 97, ["7", "90"]),
        ("bytes", [512, 1000], 1512, ["512B", "1000B"]),
        ("bytes", [100, 900], 1000, ["100B", "900B"]),
        ("bytes", [5 << 20, 1536 << 10], 0x680000, ["5MB", "1.50MB"]),
        ("bytes", [50 << 10, 30 << 20], 30 << 20, ["0.05MB", "30MB"]),
        ("nanoseconds", [1_500_000_000, 0], 1_500_000_000, ["1.50s", "0"]),
        ("nanoseconds", [10_000_000, -20_000_000], 30_000_000, ["10ms", "-20ms"]),
        ("nanoseconds", [90 * 10**9], 90 * 10**9, ["90s"]),
        ("nanoseconds", [5400 * 10**9], 5400 * 10**9, ["1.50hrs"]),
        ("count", [], 0, []),
    ],
)
def test_numbers_have_one_unit_as_pprof_would_choose_it(
    unit: str, values: list[int], total: int, shown: list[str]
) -> None:
    scale = choose_scale(unit, [(value, value) for value in values], total, 20)
    assert [format_in(value, scale, unit) for value in values] == shown


def test_what_is_not_shown_or_too_little_for_pprof_has_no_say_in_the_unit() -> None:
    hour, rows = 3600 * 10**9, [(3200 * 10**9, 3200 * 10**9), (400 * 10**9, 400 * 10**9), (3820, 3820)]
    for limit in (1, 2, 20):
        scale = choose_scale("nanoseconds", rows, hour, limit)
        assert [format_in(flat, scale, "nanoseconds") for flat, _ in rows] == ["3200s", "400s", "3.82us"]


def test_no_number_is_wider_than_its_column() -> None:
    hours = 40 * 3600 * 10**9
    scale = choose_scale("nanoseconds", [(3_000, hours)], hours, 20)
    assert [format_in(value, scale, "nanoseconds") for value in (hours, 3_000)] == ["144000s", "3us"]
    for power in range(57):  # some years
        for unit in ("bytes", "nanoseconds"):
            scale = choose_scale(unit, [(1, 1 << power)], 1 << power, 20)
            assert len(format_in(1 << power, scale, unit)) <= WIDTH


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("count", 1_234_567, "1234567"),
        ("bytes", -(3 << 29), "-1.50GB"),
        ("nanoseconds", 9_406_191_610_000, "2.61hrs"),
        ("nanoseconds", 0, "0"),
    ],
)
def test_a_number_by_itself_has_the_unit_that_suits_it(unit: str, value: int, shown: str) -> None:
    assert format_value(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "total", "shown"),
    [
        (10, 10, "  100%"),
        (1, 3, "33.33%"),
        (0, 7, "    0%"),
        (-1, 200, "  0.5%"),
        (5, 100, " 5.00%"),
        (1, 0, "    0%"),
        (1, 10**9, "<0.01%"),
    ],
)
def test_percentages(value: int, total: int, shown: str) -> None:
    assert format_percent(value, total) == shown
