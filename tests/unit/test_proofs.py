"""What the target itself says of its goroutines, and the severities that follow from it."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.detector import Detector
from pprofwatch.leaks.severity import Severity
from simulated import EVERY, HOUR, MINUTE, START, added, find, leak, seconds, server, sessions, stack, steady, waves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pprofwatch.leaks.leak import Finding
    from simulated import Poll

LEAKING = stack("main.(*Dispatcher).forward", "main.(*Dispatcher).dispatch")
BUSY = stack("main.handle", "main.listen")


def after(polls: Iterable[Poll], detector: Detector) -> float:
    """Let the detector see the polls; the time of the last one."""
    time = 0.0
    for time, counts in polls:
        assert detector.observe(time, counts) == []
    return time


def severities(findings: Iterable[Finding]) -> list[tuple[Severity, bool]]:
    return [(finding.leak.severity, finding.over) for finding in findings]


def test_a_stack_that_grows_is_suspected_within_two_blocks_and_traffic_that_is_known_is_not() -> None:
    rng = random.Random(1)
    detector = Detector()
    polls = server(3, {LEAKING: leak(1, after=2 * HOUR + 5), BUSY: waves(rng, 100)})
    first = None
    for time, counts in polls:
        detector.observe(time, counts)
        suspected = detector.suspected
        if time - START > HOUR:  # its waves have been seen
            assert {leak.stack for leak in suspected} <= {LEAKING}
        if LEAKING in {leak.stack for leak in suspected} and first is None:
            first = time - START - 2 * HOUR - 5
            (suspect,) = suspected
            assert suspect.severity is Severity.SUSPECTED
            assert suspect.count_to >= 10
    assert first is not None
    assert first <= 75


def test_sessions_that_fill_up_are_suspected_at_most_until_they_are_full() -> None:
    rng = random.Random(2)
    detector = Detector()
    polls = server(3, {BUSY: sessions(rng, 0.05, 600)})
    suspected = [time for time, counts in polls if detector.observe(time, counts) or detector.suspected]
    assert all(time - START < HOUR for time in suspected)


def test_what_grows_and_can_never_run_again_is_proven_at_once() -> None:
    detector = Detector()
    time = after(server(2 / 60, {LEAKING: leak(1), BUSY: steady(50)}), detector)
    (finding,) = detector.prove(time + 1, {LEAKING: 118})
    assert severities([finding]) == [(Severity.PROVEN, False)]
    found = finding.leak
    assert (found.stack, found.detected_at) == (LEAKING, time + 1)
    assert found.count_to == 111
    assert found.per_hour == pytest.approx(HOUR, rel=0.15)
    assert 0 < found.per_hour_error < HOUR / 2
    assert detector.prove(time + 2, {LEAKING: 119}) == []
    assert [leak.severity for leak in detector.leaks] == [Severity.PROVEN]


def test_what_can_never_run_again_but_does_not_grow_is_stuck_until_it_is_listed_no_more() -> None:
    detector = Detector()
    time = after(server(1, {LEAKING: steady(12), BUSY: steady(50)}), detector)
    assert severities(detector.prove(time, {LEAKING: 12})) == [(Severity.STUCK, False)]
    (stuck,) = detector.leaks
    assert (stuck.count_from, stuck.count_to) == (12, 12)
    assert detector.prove(time + HOUR, {LEAKING: 12}) == []
    (over,) = detector.prove(time + 2 * HOUR, {})
    assert (over.over, over.peak) == (True, 12)
    assert detector.leaks == []


def test_a_few_that_are_stuck_in_a_busy_stack_are_counted_and_not_its_traffic() -> None:
    rng = random.Random(3)
    detector = Detector()
    polls = server(1.2, {BUSY: waves(rng, 100)})
    time = after(polls[:360], detector)
    news = detector.prove(time, {BUSY: 3}) + find(polls[360:], detector)
    assert severities(news) == [(Severity.STUCK, False)]
    assert [leak.count_to for leak in detector.leaks] == [3]


def test_a_leak_that_is_listed_while_it_is_small_is_not_told_as_stuck_first() -> None:
    detector = Detector()
    polls = server(0.1, {LEAKING: leak(1, after=50), BUSY: steady(50)})
    time = after(polls[:6], detector)
    assert detector.prove(time + 5, {LEAKING: 5}) == []
    time = after(polls[6:12], detector)
    assert severities(detector.prove(time + 5, {LEAKING: 60})) == [(Severity.PROVEN, False)]


def test_what_is_stuck_and_more_each_hour_is_proven_to_leak_however_busy_its_stack_is() -> None:
    rng = random.Random(4)
    detector = Detector()
    polls = server(6, {BUSY: added(waves(rng, 300, swing=0.6), leak(600))})
    news = []
    for i, (time, counts) in enumerate(polls):
        news += detector.observe(time, counts)
        if i % 360 == 359:
            news += detector.prove(time, {BUSY: (i + 1) * EVERY // 600})
    assert severities(news) == [(Severity.STUCK, False)]
    (proven,) = detector.leaks
    assert proven.severity is Severity.PROVEN
    assert (proven.count_from, proven.count_to) == (6, 36)
    assert proven.per_hour == pytest.approx(6, rel=0.1)


def test_a_burst_that_is_lost_at_once_is_stuck_and_no_leak() -> None:
    detector = Detector()
    time = after(server(3 / 60, {LEAKING: leak(HOUR, after=60, at_once=40), BUSY: steady(50)}), detector)
    assert severities(detector.prove(time, {LEAKING: 40})) == [(Severity.STUCK, False)]


def test_a_leak_that_was_found_by_its_growth_is_proven_later() -> None:
    detector = Detector()
    polls = server(0.7, {LEAKING: leak(10), BUSY: steady(50)})
    (finding,) = find(polls, detector)
    assert finding.leak.severity is Severity.LEAK
    assert detector.prove(polls[-1][0], {LEAKING: 200}) == []
    assert [leak.severity for leak in detector.leaks] == [Severity.PROVEN]


def test_a_few_that_can_never_run_again_prove_nothing_of_a_stack_that_grows() -> None:
    detector = Detector()
    polls = server(0.7, {LEAKING: leak(10), BUSY: steady(50)})
    find(polls, detector)
    detector.prove(polls[-1][0], {LEAKING: 20})
    assert [leak.severity for leak in detector.leaks] == [Severity.LEAK]


def test_what_was_stuck_and_then_grows_is_a_leak_by_its_growth() -> None:
    detector = Detector()
    polls = server(2.5, {LEAKING: added(steady(15), leak(10, after=HOUR)), BUSY: steady(50)})
    news = []
    for i, (time, counts) in enumerate(polls):
        news += detector.observe(time, counts)
        if i == 200:
            news += detector.prove(time, {LEAKING: 15})
    assert severities(news) == [(Severity.STUCK, False)]
    (grown,) = detector.leaks
    assert grown.severity is Severity.LEAK
    assert grown.count_to > 500
    assert grown.since - START == pytest.approx(HOUR, abs=3 * MINUTE)


def test_stuck_goroutines_go_with_the_process_that_held_them() -> None:
    detector = Detector()

    def until_restart() -> Iterator[int]:
        return (20 if t < HOUR else 0 for t in seconds())

    polls = server(1.2, {LEAKING: until_restart(), BUSY: steady(50)})
    before = [poll for poll in polls if poll[0] < START + HOUR]
    time = after(before, detector)
    detector.prove(time, {LEAKING: 20})
    findings = find(itertools.islice(polls, len(before), None), detector)
    assert severities(findings) == [(Severity.STUCK, True)]


def test_two_bugs_that_are_stuck_with_as_many_goroutines_are_two() -> None:
    detector = Detector()
    other = stack("main.(*Cache).refresh", "main.start")
    time = after(server(0.2, {LEAKING: steady(12), other: steady(12)}), detector)
    assert len(detector.prove(time, {LEAKING: 12, other: 12})) == 2


def test_what_is_stuck_is_remembered_over_a_restart_of_the_daemon() -> None:
    polls = server(1, {LEAKING: steady(12), BUSY: steady(50)})
    detector = Detector()
    time = after(polls, detector)
    detector.prove(time, {LEAKING: 12})
    again = Detector()
    after(polls, again)
    again.resume(detector.leaks)
    assert [(leak.severity, leak.count_to) for leak in again.leaks] == [(Severity.STUCK, 12)]
    assert find([(time + EVERY, {LEAKING: 12})], again) == []
    assert severities(again.prove(time + MINUTE, {})) == [(Severity.STUCK, True)]


# A total that must not be reached.


def test_what_heads_for_the_limit_within_the_hour_is_told_after_minutes() -> None:
    polls = server(1, {LEAKING: leak(1, after=1805), BUSY: steady(50)})
    (finding,) = find(polls, Detector(max_total=3000))
    assert finding.leak.severity is Severity.RUNAWAY
    assert finding.leak.detected_at - START - 1805 <= 360
    assert finding.leak.stack == LEAKING


def test_a_limit_that_is_further_off_hurries_nobody() -> None:
    polls = server(1, {LEAKING: leak(1, after=1805), BUSY: steady(50)})
    assert find(polls, Detector(max_total=30_000)) == []


def test_traffic_that_reaches_for_the_limit_is_no_leak() -> None:
    rng = random.Random(5)
    polls = server(4, {BUSY: waves(rng, 1000), LEAKING: sessions(rng, 1, 300)})
    assert find(polls, Detector(max_total=4000)) == []
