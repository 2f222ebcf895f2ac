"""Goroutines of one session, of which one stays behind: told by the others, that end with the session."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.detector import Detector
from simulated import EVERY, HOUR, MINUTE, START, added, at_random, find, found, leak, server, sessions, stack, waves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pprofwatch.model import Stack
    from simulated import Poll

READER = stack("main.(*Session).read", "main.(*Session).serve")
WRITER = stack("main.(*Session).write", "main.serveWrites")
HEARTBEAT = stack("main.(*Session).heartbeat", "main.serveHeartbeats")
REQUESTS = {stack(f"main.handle{i}", f"main.serve{i}"): 8 + 4 * i for i in range(5)}
LOST_EVERY = 50


def living(seed: int, hours: float = 4, *, per_second: float = 0.2, times: float = 1) -> list[int]:
    """How many sessions there are, of a quarter of an hour each, or ``times`` as many after two hours."""
    counts = sessions(random.Random(seed), per_second, 15 * MINUTE, times=times, within=2 * HOUR)
    return list(itertools.islice(counts, round(hours * HOUR / EVERY)))


def elsewhere(counts: Iterable[int], seed: int, share: float) -> Iterator[int]:
    """Counts of what is in another stack, one goroutine of it, at the moment of such a share of the polls."""
    rng = random.Random(seed)
    return (max(0, count - (rng.random() < share)) for count in counts)


def among_requests(series: dict[Stack, Iterable[int]], hours: float, seed: int, share: float = 0.02) -> list[Poll]:
    rng = random.Random(seed)
    alike = {each: elsewhere(counts, seed + number, share) for number, (each, counts) in enumerate(series.items())}
    return server(hours, alike | {each: waves(rng, level) for each, level in REQUESTS.items()})


def lost(begin: float, now: float) -> float:
    return (now - START - begin) / LOST_EVERY


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("ratio", "share"), [(1, 0.02), (1, 0.1), (2, 0.02)])
def test_what_stays_when_its_session_ends_is_found_beside_what_ends_with_it(
    seed: int, ratio: int, share: float
) -> None:
    here = living(seed, 3)
    several = [ratio * count for count in here]
    beside = added(iter(several), leak(LOST_EVERY))
    (one,) = found(among_requests({READER: here, HEARTBEAT: beside}, 3, seed, share))
    assert (one.stack, one.companion, one.ratio) == (HEARTBEAT, READER, ratio)
    assert one.detected_at - START <= 100 * MINUTE
    assert one.count_from <= 3
    assert one.count_to == pytest.approx(lost(0, one.detected_at), abs=0.2 * lost(0, one.detected_at))


def test_without_a_companion_nothing_tells_it_from_what_lives() -> None:
    beside = added(iter(living(1, 3)), leak(LOST_EVERY))
    assert not found(among_requests({HEARTBEAT: beside}, 100 / 60, 1))


@pytest.mark.parametrize("seed", range(3))
def test_its_numbers_are_of_what_was_left_behind_and_traffic_that_goes_ends_nothing(seed: int) -> None:
    here = living(seed, times=0.1)
    assert here[-1] < max(here) / 3
    polls = among_requests({READER: here, HEARTBEAT: added(iter(here), leak(LOST_EVERY))}, 4, seed)
    detector = Detector()
    (one,) = find(polls, detector)
    assert one.leak.stack == HEARTBEAT
    (now,) = detector.leaks
    assert now.count_to == pytest.approx(lost(0, polls[-1][0]), rel=0.1)
    assert now.per_hour == pytest.approx(HOUR / LOST_EVERY, rel=0.15)


def test_two_that_stay_are_one_leak() -> None:
    here = living(5, 3)
    left = at_random(random.Random(5), 1 / LOST_EVERY)
    beside = list(added(iter(here), itertools.islice(left, len(here))))
    (one,) = found(among_requests({READER: here, WRITER: beside, HEARTBEAT: beside}, 3, 5))
    assert {one.stack, *one.also} == {WRITER, HEARTBEAT}


def test_a_restart_ends_it() -> None:
    here = living(2)
    restart = 3 * HOUR // EVERY
    left = [round(i * EVERY / LOST_EVERY) if i < restart else 0 for i in range(len(here))]
    here[restart:] = [0] * 6 + here[: len(here) - restart - 6]
    beside = [count + more for count, more in zip(here, left, strict=True)]
    opened, ended = find(among_requests({READER: here, HEARTBEAT: beside}, 4, 2))
    assert not opened.over
    assert ended.over
    assert 0 <= ended.leak.time - (START + 3 * HOUR) <= 3 * MINUTE
    assert ended.peak == pytest.approx(3 * HOUR / LOST_EVERY, rel=0.1)


def leaking(seed: int, hours: float) -> list[Poll]:
    here = living(seed, hours)
    return among_requests({READER: here, HEARTBEAT: added(iter(here), leak(LOST_EVERY))}, hours, seed)


def test_it_is_told_at_the_entry_that_gives_it_away() -> None:
    polls = leaking(3, 3)
    (one,) = found(polls)
    index = next(number for number, (time, _) in enumerate(polls) if time == one.detected_at)
    assert not found(polls[:index])
    assert found(polls[: index + 1]) == [one]


@pytest.mark.parametrize("replayed", [0, 30, 500])
def test_after_a_restart_of_the_daemon_it_goes_on_with_its_numbers(replayed: int) -> None:
    polls = leaking(3, 3)
    (one,) = found(polls)
    index = next(number for number, (time, _) in enumerate(polls) if time == one.detected_at) + 60
    detector = Detector()
    find(polls[index - replayed : index], detector)
    detector.resume([one])
    assert not find(polls[index:], detector)
    (now,) = detector.leaks
    assert (now.detected_at, now.companion) == (one.detected_at, READER)
    assert now.count_to == pytest.approx(lost(0, polls[-1][0]), rel=0.1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("times", [0.3, 1, 4])
def test_sessions_all_of_whose_goroutines_end_are_no_leak(seed: int, times: float) -> None:
    here = living(seed, times=times)
    assert not found(among_requests({READER: here, WRITER: here, HEARTBEAT: (2 * count for count in here)}, 4, seed))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("of_the_old", [0, 1])
def test_clients_that_bring_one_goroutine_more_are_no_leak(seed: int, of_the_old: int) -> None:
    """A new version replaces the old one within two hours; each of its sessions has a heartbeat, or one more."""
    old, new = living(seed, times=0.02), living(seed + 9, per_second=0.01, times=20)
    both = [before + now for before, now in zip(old, new, strict=True)]
    heartbeats = [of_the_old * count + now for count, now in zip(both, new, strict=True)]
    assert not found(among_requests({READER: both, WRITER: both, HEARTBEAT: heartbeats}, 4, seed))
