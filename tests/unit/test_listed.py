"""What the goroutineleak profile lists, over restarts, in many stacks of one bug, and in any order of polls."""

from __future__ import annotations

import random
from time import process_time
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from pprofwatch.config.settings import LeakConfig
from pprofwatch.leaks.detector import MAX_LEAKS, SHRUNK, Detector
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.leaks.target import GOROUTINE, GOROUTINELEAK, TargetLeaks
from pprofwatch.profiles.dump import Dump
from pprofwatch.profiles.text import Counts
from simulated import EVERY, HOUR, MINUTE, START, added, find, leak, server, stack, steady, waves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pprofwatch.leaks.leak import Finding
from pprofwatch.model import Stack
from simulated import Poll

LEAKING = stack("main.(*Dispatcher).forward", "main.(*Dispatcher).dispatch")
SECOND = stack("main.(*Dispatcher).forward", "main.(*Dispatcher).retry", "main.(*Dispatcher).dispatch")
BUSY = stack("main.handle", "main.listen")


def observe(detector: Detector, polls: Iterable[Poll]) -> list[Finding]:
    return find(polls, detector)


def news(findings: Iterable[Finding]) -> list[tuple[Severity, int, int, bool]]:
    return [(each.leak.severity, each.leak.count_from, each.leak.count_to, each.over) for each in findings]


def now(detector: Detector) -> list[tuple[Severity, int, int]]:
    return [(leak.severity, leak.count_from, leak.count_to) for leak in detector.leaks]


def test_what_is_stuck_in_fifty_stacks_of_one_function_is_told_once_and_with_all_its_goroutines() -> None:
    stacks = [stack("main.wait", f"main.call{i}", "main.start") for i in range(50)]
    polls = server(3, {BUSY: steady(40)} | {each: steady(2) for each in stacks})
    detector = Detector()
    told = []
    for i, poll in enumerate(polls):
        told += observe(detector, [poll])
        if i % 360 == 100:
            told += detector.prove(poll[0] + 1, dict.fromkeys(stacks, 2))
    assert news(told) == [(Severity.STUCK, 100, 100, False)]
    assert now(detector) == [(Severity.STUCK, 100, 100)]


def test_another_stack_of_what_is_stuck_makes_it_more_and_a_leak_from_ten_on() -> None:
    polls = server(3, {LEAKING: steady(5), SECOND: steady(12), BUSY: steady(40)})
    detector = Detector()
    observe(detector, polls[:300])
    detector.prove(polls[299][0], {LEAKING: 5})
    observe(detector, polls[300:700])
    assert detector.prove(polls[699][0], {LEAKING: 5, SECOND: 5}) == []
    assert now(detector) == [(Severity.STUCK, 5, 10)]
    observe(detector, polls[700:])
    detector.prove(polls[-1][0], {LEAKING: 5, SECOND: 12})
    assert now(detector) == [(Severity.PROVEN, 5, 17)]


def test_a_leak_that_is_proven_within_its_first_block_began_when_its_stack_was_first_seen() -> None:
    polls = server(0.1, {LEAKING: leak(1, after=65), BUSY: steady(50)})
    detector = Detector()
    observe(detector, [poll for poll in polls if poll[0] - START < 120])
    (proven,) = detector.prove(START + 119, {LEAKING: 46})
    assert proven.leak.since == START + 70
    assert 0.6 * HOUR < proven.leak.per_hour < 1.1 * HOUR


def test_what_is_listed_no_more_has_shrunk_to_none_whoever_else_is_in_its_stack() -> None:
    polls = server(1, {LEAKING: steady(40)})
    detector = Detector()
    observe(detector, polls)
    detector.prove(polls[-1][0], {LEAKING: 12})
    assert news(detector.prove(polls[-1][0] + HOUR, {})) == [(Severity.STUCK, 12, 0, True)]


def test_a_leak_that_only_the_listing_shows_is_counted_by_it_after_a_restart_of_the_daemon() -> None:
    polls = server(6, {BUSY: added(waves(random.Random(4), 300, swing=0.6), leak(600))})
    detector = Detector()
    for i, poll in enumerate(polls):
        observe(detector, [poll])
        if i % 360 == 359:
            detector.prove(poll[0] + 1, {BUSY: (i + 1) * EVERY // 600})
    assert now(detector) == [(Severity.PROVEN, 6, 36)]
    again = Detector()
    observe(again, polls[-60:])  # no listing is so recent
    again.resume(detector.leaks)
    assert now(again) == [(Severity.PROVEN, 6, 36)]
    assert observe(again, [(polls[-1][0] + MINUTE, {BUSY: 90})]) == []


def test_what_was_told_as_stuck_and_grew_while_the_daemon_was_away_is_a_leak_with_the_same_identity() -> None:
    polls = server(2.5, {LEAKING: added(steady(15), leak(10, after=HOUR)), BUSY: steady(50)})
    detector = Detector()
    observe(detector, polls[:200])
    detector.prove(polls[199][0], {LEAKING: 15})
    (stuck,) = detector.leaks
    again = Detector()
    (grown,) = find(polls[300:], again)
    again.resume([stuck])
    (resumed,) = again.leaks
    assert (resumed.severity, resumed.detected_at) == (Severity.LEAK, stuck.detected_at)
    assert (resumed.since, resumed.listed) == (grown.leak.since, False)
    assert resumed.count_to > 500


def test_a_severity_that_the_replay_has_found_is_not_lost_to_a_lower_one_that_was_told() -> None:
    polls = server(0.8, {LEAKING: leak(10), BUSY: steady(50)})
    detector = Detector()
    find(polls, detector)
    (told,) = detector.leaks
    detector.prove(polls[-1][0], {LEAKING: 250})
    detector.resume([told])
    assert [each.severity for each in detector.leaks] == [Severity.PROVEN]


def test_a_clock_that_was_set_back_makes_no_rate_of_no_time() -> None:
    told = Leak(LEAKING, Severity.LEAK, START + HOUR, START + HOUR, START + HOUR, 0, 500, 50, 550)
    detector = Detector()
    observe(detector, server(0.1, {LEAKING: steady(500)}))
    detector.resume([told])
    (resumed,) = detector.leaks
    assert (resumed.per_hour, resumed.per_hour_error) == (0, 0)


def test_what_was_listed_before_a_restart_of_the_target_proves_nothing_after_it() -> None:
    leaks = TargetLeaks(LeakConfig())
    before = server(1, {LEAKING: steady(200), BUSY: steady(50)})
    after = server(2, {LEAKING: leak(20), BUSY: steady(50)})
    for time, counts in before:
        leaks.observe(GOROUTINE, time, Counts(GOROUTINE, sum(counts.values()), counts))
    leaks.observe(GOROUTINELEAK, before[-1][0], Counts(GOROUTINELEAK, 200, {LEAKING: 200}))
    assert [each.evidence.never for each in leaks.leaks(GOROUTINE) if each.evidence] == [200]
    for time, counts in after:
        leaks.observe(GOROUTINE, time + 2 * HOUR, Counts(GOROUTINE, sum(counts.values()), counts))
    (found,) = leaks.leaks(GOROUTINE)
    assert (found.severity, found.evidence) == (Severity.LEAK, None)
    leaks.take_dump(found.time, Dump((), cut_short=False))
    assert [each.severity for each in leaks.leaks(GOROUTINE)] == [Severity.LEAK]


def test_thousands_of_stacks_that_are_stuck_are_told_by_the_largest_and_take_no_time() -> None:
    stacks = [stack(f"main.wait{i}", f"main.start{i}") for i in range(5000)]
    counts = {each: 10 + (i % 2) for i, each in enumerate(stacks)}
    detector = Detector()
    observe(detector, [(START + EVERY * i, counts) for i in range(7)])
    began = process_time()
    findings = detector.prove(START + MINUTE, counts)
    assert process_time() - began < 5
    assert {finding.leak.count_to for finding in findings} == {11}
    assert len(findings) == len(detector.leaks) == MAX_LEAKS


# Any order of polls, restarts and holes.

#: Whether it is a goroutineleak profile, its time, and what it shows.
Seen = tuple[bool, float, dict[Stack, int]]


SEEDS = st.integers(0, 2**32)


def make_history(seed: int) -> list[Seen]:
    """What two profiles of a server show that loses goroutines, is restarted, and is not always asked."""
    rng = random.Random(seed)
    rate = {LEAKING: rng.choice((0, 0.02, 0.5)), SECOND: rng.choice((0, 0, 0.1)), BUSY: rng.choice((0, 0, 0.01))}
    visible = rng.random()
    time, lost = START, dict.fromkeys(rate, 0.0)
    history: list[Seen] = []
    for _ in range(rng.randint(20, 300)):
        passed = rng.choice((10, 10, 10, 30, 60, 60, 300, rng.choice((10, 1200, 2 * HOUR))))
        time += passed + (rng.choice((-HOUR, HOUR)) if rng.random() < 0.01 else 0)  # a clock that was set
        if rng.random() < 0.01:
            lost = dict.fromkeys(rate, 0.0)
        lost = {each: lost[each] + rate[each] * passed * rng.choice((0, 1, 2)) for each in lost}
        if rng.random() < 0.1:
            history.append((True, time, {each: round(n * visible) for each, n in lost.items() if n * visible >= 1}))
        else:
            counts = {each: int(n) for each, n in lost.items()}
            counts[BUSY] += rng.randint(0, 60)
            history.append((False, time, {each: n for each, n in counts.items() if n}))
    return history


def show(detector: Detector, seen: Seen) -> list[Finding]:
    is_listing, time, counts = seen
    return detector.prove(time, counts) if is_listing else detector.observe(time, counts)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(SEEDS)
def test_nothing_is_told_twice_or_over_for_want_of_data_and_severities_never_fall(seed: int) -> None:
    detector = Detector()
    told: dict[tuple[str, ...], int] = {}
    for seen in make_history(seed):
        for finding in show(detector, seen):
            functions = finding.leak.stack.functions
            if finding.over:
                del told[functions]
                begin = 0 if finding.leak.listed else finding.leak.count_from
                assert finding.leak.count_to - begin <= (1 - SHRUNK) * (finding.peak - begin)
            else:
                assert functions not in told
                told[functions] = finding.leak.severity.rank
        assert {known.stack.functions for known in detector.leaks} == told.keys()
        for known in detector.leaks:
            assert known.severity.rank >= told[known.stack.functions]
            told[known.stack.functions] = known.severity.rank


@settings(deadline=None, max_examples=60, derandomize=True)
@given(SEEDS, st.integers(0, 300))
def test_a_restart_of_the_daemon_at_any_moment_changes_nothing(seed: int, at: int) -> None:
    history = make_history(seed)
    whole, begun = Detector(), Detector()
    for seen in history[:at]:
        show(whole, seen)
        show(begun, seen)
    begun.resume(whole.leaks)
    assert begun.leaks == whole.leaks
    for seen in history[at:]:
        assert news(show(begun, seen)) == news(show(whole, seen))
        assert begun.leaks == whole.leaks


def test_a_stuck_line_that_grows_from_another_line_of_the_function_goes_on_as_the_same_leak() -> None:
    moved = stack("main.(*Dispatcher).forward", "main.(*Dispatcher).dispatch", line=90)
    polls = server(2, {LEAKING: steady(15), moved: leak(10, after=HOUR), BUSY: steady(50)})
    detector = Detector()
    observe(detector, polls[:100])
    (stuck,) = detector.prove(polls[99][0], {LEAKING: 15})
    observe(detector, polls[100:])
    (grown,) = detector.leaks
    assert grown.stack.functions == stuck.leak.stack.functions
    assert (grown.severity, grown.detected_at) == (Severity.LEAK, stuck.leak.detected_at)
    assert grown.count_to > 300
    hours_later = [(polls[-1][0] + 5 * HOUR + MINUTE * i, polls[-1][1]) for i in range(5)]
    assert observe(detector, hours_later) == []
    assert [each.count_to for each in detector.leaks] == [grown.count_to]
