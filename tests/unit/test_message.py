"""What a person is told about an incident, to the letter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.message import alert, cut, headline, number, rate, where
from pprofwatch.config.settings import LeakConfig
from pprofwatch.leaks.detector import Leak
from pprofwatch.model import Frame, Stack
from pprofwatch.times import parse_time
from simulated import HOUR, MINUTE

USUAL = LeakConfig()
NOW = parse_time("2026-11-22T13:52:00Z")
FORWARD = Stack(
    (
        Frame("runtime.chansend1", "/usr/local/go/src/runtime/chan.go", 161),
        Frame("main.(*Dispatcher).forward", "/src/app/dispatch.go", 41),
        Frame("main.serve", "/src/app/main.go", 20),
    )
)
LEAK = Leak(
    stack=FORWARD,
    severity="leak",
    detected_at=NOW - 600,
    since=parse_time("2026-11-22T13:07:30Z"),
    time=NOW,
    count_from=3,
    count_to=1204,
    total_from=76,
    total_to=1290,
)
LOG = Path("/var/log/pprofwatch/localhost_6060")


def event(action: Action = Action.OPENED, leak: Leak = LEAK, time: float = NOW) -> Event:
    return Event(action, time, "20261122T134200Z-3fa9c1d2", "localhost:6060", "goroutine", leak)


def growth(leak: Leak, time: float = NOW) -> str:
    return next(line for line in alert(event(leak=leak, time=time), LOG, USUAL).splitlines() if "growth" in line)


def test_an_alert_tells_what_is_wrong_where_how_fast_and_what_to_run_next() -> None:
    assert alert(event(), LOG, USUAL) == (
        "LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward\n"
        "  where    /src/app/dispatch.go:41\n"
        "  growth   3 → 1,204 since 13:07 UTC (+27 a minute), total 76 → 1,290\n"
        "  next     pprofwatch check /var/log/pprofwatch/localhost_6060"
    )


def test_a_leak_that_lasts_is_said_to_grow_still() -> None:
    first, *rest = alert(event(Action.REPEATED), LOG, USUAL).splitlines()
    assert first == "LEAK localhost:6060: still there: goroutines grew without bound in main.(*Dispatcher).forward"
    assert rest == alert(event(), LOG, USUAL).splitlines()[1:]


def test_what_is_over_is_one_line() -> None:
    over = event(Action.RESOLVED, replace(LEAK, count_to=4))
    line = "RESOLVED localhost:6060: main.(*Dispatcher).forward has shrunk back to 4 goroutines, after 44m30s"
    assert alert(over, LOG, USUAL) == headline(over) == line


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    over = event(Action.RESOLVED, replace(LEAK, since=NOW + 100))
    assert headline(over).endswith("after 0s")


@pytest.mark.parametrize(("more", "line"), [(1, "1 more stack grows with it"), (3, "3 more stacks grow with it")])
def test_stacks_of_the_same_bug_are_counted(more: int, line: str) -> None:
    also = tuple(Stack((Frame(f"main.f{i}", "/src/f.go", i),)) for i in range(more))
    assert f"\n  also     {line}\n" in alert(event(leak=replace(LEAK, also=also)), LOG, USUAL)


def test_the_next_command_can_be_pasted_and_finds_the_same() -> None:
    lines = alert(event(), Path("/var/log/my app/x"), LeakConfig(window=20.0, min_count=5)).splitlines()
    assert lines[-1] == "  next     pprofwatch check --leak-window 20s --leak-min-count 5 '/var/log/my app/x'"


@pytest.mark.parametrize(
    ("lasted", "time"),
    [(50, "13:51:10 UTC"), (11 * MINUTE, "13:41 UTC"), (11 * HOUR, "02:52 UTC"), (20 * HOUR, "2026-11-21 17:52 UTC")],
)
def test_the_beginning_is_a_time_of_day_or_a_date_where_that_would_mislead(lasted: int, time: str) -> None:
    assert f" since {time} (" in growth(replace(LEAK, since=NOW - lasted))


@pytest.mark.parametrize(
    ("count", "lasted", "text"),
    [
        (20 * 300, 300, "+20 a second"),
        (4_000_000, 1000, "+4,000 a second"),
        (2.5 * 300, 300, "+2.5 a second"),
        (HOUR, HOUR, "+1 a second"),
        (90, HOUR, "+1.5 a minute"),
        (36, HOUR, "+36 an hour"),
        (10, 2 * HOUR, "+5 an hour"),
        (12, 24 * HOUR, "+12 a day"),
    ],
)
def test_a_rate_has_a_unit_in_which_it_can_be_read(count: float, lasted: int, text: str) -> None:
    leak = replace(LEAK, count_from=7, count_to=7 + round(count), since=NOW - lasted)
    assert rate(leak) == text


def test_numbers_have_separators() -> None:
    assert [number(count) for count in (0, 999, 1204, 1234567)] == ["0", "999", "1,204", "1,234,567"]


def test_long_names_are_cut() -> None:
    name = "main.Do[" + "go.shape.int," * 50 + "]"
    long = replace(LEAK, stack=Stack((Frame(name, "/src/" + "x" * 500, 7),)))
    assert len(cut(name)) == 200
    assert cut(name).endswith("…")
    assert cut("main.main") == "main.main"
    assert all(len(line) < 300 for line in alert(event(leak=long), LOG, USUAL).splitlines())
    assert where(long.culprit).endswith("…:7")


def test_a_frame_without_symbols_is_named_by_its_address() -> None:
    assert where(Frame("0x48c3ca", "", 0)) == "0x48c3ca"
