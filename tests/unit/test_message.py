"""What a person is told about an incident, to the letter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.message import alert, headline
from pprofwatch.alerts.words import cut, number, rate, where
from pprofwatch.config.settings import LeakConfig
from pprofwatch.leaks.evidence import Evidence
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.leaks.target import THREADS
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
    severity=Severity.LEAK,
    detected_at=NOW - 600,
    since=parse_time("2026-11-22T13:07:30Z"),
    time=NOW,
    count_from=3,
    count_to=1204,
    total_from=76,
    total_to=1290,
)
PROVEN = replace(
    LEAK,
    severity=Severity.PROVEN,
    evidence=Evidence(NOW, never=1198, watched=40, waiting=39, apart=300, oldest=44 * MINUTE, blocked_in="chan send"),
)
STUCK = replace(LEAK, severity=Severity.STUCK, count_from=12, count_to=12)
KEPT = "incidents/20261122T134200Z-3fa9c1d2"
LOG = Path("/var/log/pprofwatch/localhost_6060")


def event(
    action: Action = Action.OPENED,
    leak: Leak = LEAK,
    time: float = NOW,
    profile: str = "goroutine",
    kept: str = "",
) -> Event:
    return Event(action, time, "20261122T134200Z-3fa9c1d2", "localhost:6060", profile, leak, kept=kept)


def rows(event: Event, settings: LeakConfig = USUAL) -> dict[str, str]:
    """The lines under the headline, by their labels."""
    return dict(line.split(maxsplit=1) for line in alert(event, LOG, settings).splitlines()[1:])


def judged(**values: Any) -> dict[str, str]:
    """The rows of a leak whose target has said this."""
    return rows(event(leak=replace(LEAK, evidence=Evidence(NOW, **values))))


def test_an_alert_tells_what_is_wrong_where_how_fast_and_what_to_run_next() -> None:
    assert alert(event(leak=PROVEN, kept=KEPT), LOG, USUAL) == (
        "LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward\n"
        "  where    /src/app/dispatch.go:41, blocked in chan send\n"
        "  growth   3 → 1,204 since 13:07 UTC (+27 a minute ± 2), total 76 → 1,290; 10,000 by 19:14 UTC\n"
        "  proof    1,198 of them can never run again (goroutineleak); the oldest has waited 44 minutes\n"
        f"  kept     /var/log/pprofwatch/localhost_6060/{KEPT}/\n"
        "  next     pprofwatch diff --since 2026-11-22T13:07Z /var/log/pprofwatch/localhost_6060"
    )


def test_what_is_not_known_has_no_row() -> None:
    assert list(rows(event())) == ["where", "growth", "next"]
    assert rows(event())["where"] == "/src/app/dispatch.go:41"
    assert list(judged()) == ["where", "growth", "next"]
    unnamed = Stack((Frame("0x48c3ca", "", 0),))
    assert list(rows(event(leak=replace(LEAK, stack=unnamed)))) == ["growth", "next"]
    assert rows(event(leak=replace(PROVEN, stack=unnamed)))["where"] == "blocked in chan send"


@pytest.mark.parametrize(
    ("leak", "action", "line"),
    [
        (PROVEN, Action.OPENED, "LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward"),
        (
            replace(LEAK, severity=Severity.RUNAWAY),
            Action.OPENED,
            "RUNAWAY localhost:6060: goroutines grow very fast in main.(*Dispatcher).forward",
        ),
        (
            STUCK,
            Action.OPENED,
            "STUCK localhost:6060: 12 goroutines can never run again in main.(*Dispatcher).forward",
        ),
        (
            replace(STUCK, count_to=1),
            Action.REPEATED,
            "STUCK localhost:6060: still there: 1 goroutine can never run again in main.(*Dispatcher).forward",
        ),
        (
            replace(LEAK, severity=Severity.RUNAWAY),
            Action.REPEATED,
            "RUNAWAY localhost:6060: still there: goroutines grew very fast in main.(*Dispatcher).forward",
        ),
        (
            LEAK,
            Action.WORSENED,
            "WORSE localhost:6060: now 1,204 goroutines growing without bound in main.(*Dispatcher).forward",
        ),
        (
            replace(LEAK, severity=Severity.SUSPECTED),
            Action.SUSPECTED,
            "SUSPECTED localhost:6060: goroutines grow in main.(*Dispatcher).forward",
        ),
    ],
)
def test_the_headline_says_how_bad_it_is(leak: Leak, action: Action, line: str) -> None:
    assert headline(event(action, leak)) == alert(event(action, leak), LOG, USUAL).split("\n")[0] == line


def test_threads_and_live_objects_have_words_of_their_own() -> None:
    threads = replace(LEAK, stack=THREADS, total_from=3, total_to=1204)
    found = event(leak=threads, profile="threadcreate")
    assert headline(found) == "LEAK localhost:6060: OS threads grow without bound"
    assert list(rows(found)) == ["growth", "next"]
    assert rows(found)["growth"] == "3 → 1,204 OS threads since 13:07 UTC (+27 a minute ± 2); 10,000 by 19:17 UTC"
    over = event(Action.RESOLVED, replace(threads, count_to=1), profile="threadcreate")
    assert headline(over) == "RESOLVED localhost:6060: shrunk back to 1 OS thread, after 44m30s"
    heap = event(profile="heap")
    assert headline(heap) == "LEAK localhost:6060: live objects grow without bound in main.(*Dispatcher).forward"
    assert rows(heap)["growth"] == "3 → 1,204 live objects since 13:07 UTC (+27 a minute ± 2)"


@pytest.mark.parametrize(
    ("known", "label", "text"),
    [
        ({"never": 1}, "proof", "1 of them can never run again (goroutineleak)"),
        ({"never": 1204}, "proof", "all of them can never run again (goroutineleak)"),
        (
            {"watched": 1190, "waiting": 1187, "apart": 300, "oldest": 44 * MINUTE},
            "proof",
            "1,187 of 1,190 seen 5 minutes apart are still waiting; the oldest has waited 44 minutes",
        ),
        (
            {"never": 3, "watched": 20, "waiting": 20, "apart": 90},
            "proof",
            "3 of them can never run again (goroutineleak); 20 of 20 seen 90 seconds apart are still waiting",
        ),
        ({"watched": 9, "waiting": 9, "apart": 90}, "seen", "9 of 9 seen 90 seconds apart are still waiting"),
        ({"watched": 1190, "oldest": 3 * HOUR + 1}, "seen", "the oldest has waited 3 hours"),
        ({"watched": 1190, "oldest": MINUTE}, "seen", "the oldest has waited 1 minute"),
        ({"watched": 1190, "oldest": 50 * HOUR}, "seen", "the oldest has waited 2 days"),
    ],
)
def test_a_proof_is_what_the_target_has_said_and_no_more(known: dict[str, Any], label: str, text: str) -> None:
    found = judged(**known)
    assert {key: found.get(key) for key in ("proof", "seen")} == {"proof": None, "seen": None, label: text}


def test_the_limit_that_was_set_is_what_is_forecast() -> None:
    settings = LeakConfig(max_goroutines=2000)
    assert rows(event(), settings)["growth"].endswith("; 2,000 by 14:18 UTC")


def test_what_does_not_grow_has_neither_rate_nor_forecast() -> None:
    assert rows(event(leak=STUCK))["count"] == "12 since 13:07 UTC, total 76 → 1,290"
    assert rows(event(leak=replace(STUCK, total_from=0, total_to=0)))["count"] == "12 since 13:07 UTC"


def test_what_is_stuck_says_since_when_that_is_known_and_has_no_forecast() -> None:
    found = rows(event(leak=replace(STUCK, listed=True)))
    assert found["count"] == "12 listed since 13:07 UTC, total 76 → 1,290"
    more = rows(event(leak=replace(STUCK, listed=True, count_to=15)))
    assert more["growth"] == "12 → 15 since 13:07 UTC (+4 an hour ± 4.6), total 76 → 1,290"
    one = replace(STUCK, count_from=1, count_to=1, evidence=Evidence(NOW, never=1))
    assert rows(event(leak=one))["proof"] == "it can never run again (goroutineleak)"


def test_a_leak_that_lasts_is_said_to_grow_still() -> None:
    first, *rest = alert(event(Action.REPEATED), LOG, USUAL).splitlines()
    assert first == "LEAK localhost:6060: still there: goroutines grew without bound in main.(*Dispatcher).forward"
    assert rest == alert(event(), LOG, USUAL).splitlines()[1:]


def test_what_is_over_is_one_line() -> None:
    over = event(Action.RESOLVED, replace(LEAK, count_to=4))
    line = "RESOLVED localhost:6060: main.(*Dispatcher).forward has shrunk back to 4 goroutines, after 44m30s"
    assert alert(over, LOG, USUAL) == headline(over) == line
    assert headline(replace(over, time=NOW + 50 * HOUR)).endswith(", after 2d2h44m")


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    over = event(Action.RESOLVED, replace(LEAK, since=NOW + 100))
    assert headline(over).endswith("after 0s")


@pytest.mark.parametrize(
    ("functions", "text"),
    [
        (["main.read"], "1 more stack of the same bug: main.read"),
        (["main.(*Dispatcher).forward"], "1 more stack of the same bug"),
        (["main.read", "main.read"], "2 more stacks of the same bug: main.read"),
        (["main.a", "main.b", "main.c", "main.d"], "4 more stacks of the same bug: main.a, main.b, main.c, …"),
    ],
)
def test_stacks_of_the_same_bug_are_named(functions: list[str], text: str) -> None:
    also = tuple(Stack((Frame(name, "/src/f.go", line),)) for line, name in enumerate(functions))
    assert rows(event(leak=replace(LEAK, also=also)))["also"] == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1, "main.(*Session).read: they should end with it; only those that are left are counted"),
        (2, "main.(*Session).read: 2 of them should end with each; only those that are left are counted"),
    ],
)
def test_what_they_should_have_ended_with_is_named(ratio: int, text: str) -> None:
    reader = Stack((Frame("main.(*Session).read", "/src/app/session.go", 7),))
    leak = replace(LEAK, companion=reader, ratio=ratio)
    assert f"\n  beside   {text}\n" in alert(event(leak=leak), LOG, USUAL)


def test_the_next_command_can_be_pasted_and_shows_what_has_changed() -> None:
    folder = Path("/var/log/my app/x")
    lines = alert(event(), folder, USUAL).splitlines()
    assert lines[-1] == "  next     pprofwatch diff --since 2026-11-22T13:07Z '/var/log/my app/x'"
    lines = alert(event(profile="heap"), folder, USUAL).splitlines()
    assert lines[-1] == "  next     pprofwatch diff --profile heap --since 2026-11-22T13:07Z '/var/log/my app/x'"


def test_of_what_is_stuck_the_next_command_finds_the_same() -> None:
    stuck = event(leak=replace(LEAK, severity=Severity.STUCK))
    lines = alert(stuck, Path("/var/log/my app/x"), LeakConfig(window=20.0, min_count=5)).splitlines()
    assert lines[-1] == "  next     pprofwatch check --leak-window 20s --leak-min-count 5 '/var/log/my app/x'"


@pytest.mark.parametrize(
    ("lasted", "time"),
    [(50, "13:51:10 UTC"), (11 * MINUTE, "13:41 UTC"), (11 * HOUR, "02:52 UTC"), (20 * HOUR, "2026-11-21 17:52 UTC")],
)
def test_the_beginning_is_a_time_of_day_or_a_date_where_that_would_mislead(lasted: int, time: str) -> None:
    assert f" since {time} (" in rows(event(leak=replace(LEAK, since=NOW - lasted)))["growth"]


@pytest.mark.parametrize(
    ("count", "lasted", "text"),
    [
        (20 * 300, 300, "+20 a second ± 1"),
        (4_000_000, 1000, "+4,000 a second ± 4"),
        (2.5 * 300, 300, "+2.5 a second ± 0.2"),
        (HOUR, HOUR, "+1 a second"),
        (90, HOUR, "+1.5 a minute ± 0.3"),
        (36, HOUR, "+36 an hour ± 12"),
        (10, 2 * HOUR, "+5 an hour ± 3.1"),
        (12, 24 * HOUR, "+12 a day ± 7"),
        (-3, HOUR, ""),
    ],
)
def test_a_rate_has_a_unit_in_which_it_can_be_read_and_says_how_uncertain_it_is(
    count: float, lasted: int, text: str
) -> None:
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
