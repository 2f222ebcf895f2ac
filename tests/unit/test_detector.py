"""The detector, on servers that exist only as numbers: which leaks it finds and when, and which growth is none."""

from __future__ import annotations

import itertools
import math
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.detector import Detector
from pprofwatch.leaks.history import History
from simulated import (
    EVERY,
    HOUR,
    MINUTE,
    START,
    Poll,
    added,
    at_random,
    find,
    found,
    leak,
    seconds,
    server,
    sessions,
    stack,
    steady,
    waves,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pprofwatch.leaks.leak import Leak
    from pprofwatch.model import Stack

LEAKING = stack("main.(*Dispatcher).forward", "main.serve")
BUSY = stack("main.handle", "main.listen")
OTHERS = {stack(f"main.worker{i}", f"main.start{i}"): 5 + i for i in range(6)}


def with_traffic(hours: float, counts: Iterator[int], seed: int = 1) -> list[Poll]:
    """A stack with these counts, among others that swing with the traffic."""
    rng = random.Random(seed)
    return server(hours, {LEAKING: counts, BUSY: waves(rng, 60)} | {s: waves(rng, n) for s, n in OTHERS.items()})


def one_leak(polls: list[Poll]) -> Leak:
    (one,) = found(polls)
    return one


def after(leak: Leak) -> float:
    """When it was found, in seconds after the first poll."""
    return leak.detected_at - START


# What leaks.


@pytest.mark.parametrize("every", [5, 30, 100])
def test_a_steady_leak_is_found_soon_after_the_window(every: int) -> None:
    one = one_leak(with_traffic(2, leak(every)))
    assert one.stack == LEAKING
    assert one.severity == "leak"
    assert 30 * MINUTE < after(one) <= 40 * MINUTE
    assert abs(one.since - START) <= 2 * MINUTE
    assert one.count_from <= 1
    assert one.per_hour == pytest.approx(3600 / every, rel=0.1)


def test_the_numbers_are_those_of_the_moment_and_go_on_growing() -> None:
    detector = Detector()
    polls = server(2, {LEAKING: leak(10, after=HOUR), BUSY: steady(70)})
    (finding,) = find(polls, detector)
    at_first, now = finding.leak, detector.leaks[0]
    index = round((at_first.time - START) / EVERY)
    assert (at_first.count_from, at_first.count_to) == (0, polls[index][1][LEAKING])
    assert (at_first.total_from, at_first.total_to) == (70, 70 + at_first.count_to)
    # The last block is still open when the polls end, but its counts are known.
    assert (now.count_to, now.total_to) == (HOUR // 10, 70 + HOUR // 10)
    assert (now.stack, now.detected_at, now.since) == (LEAKING, at_first.detected_at, at_first.since)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_floor_that_rises_under_traffic_is_found(seed: int) -> None:
    rng = random.Random(seed)
    counts = added(waves(rng, 20, period=17 * MINUTE), leak(12))
    one = one_leak(with_traffic(3, counts, seed))
    assert one.stack == LEAKING
    assert after(one) <= 90 * MINUTE


def test_a_leak_that_follows_traffic_is_found() -> None:
    rng = random.Random(4)
    served = itertools.accumulate(rng.random() < count / 200 for count in waves(rng, 60))
    assert after(one_leak(with_traffic(2, served))) <= 60 * MINUTE


def test_a_job_that_loses_fifteen_every_ten_minutes_is_found() -> None:
    one = one_leak(with_traffic(2, leak(10 * MINUTE, at_once=15)))
    assert one.stack == LEAKING
    assert after(one) <= 60 * MINUTE


@pytest.mark.parametrize("begin", range(3600, 3660, 10))
def test_twenty_a_second_are_found_within_five_minutes_wherever_in_a_block_they_begin(begin: int) -> None:
    one = one_leak(with_traffic(1.25, leak(0.05, after=begin)))
    assert (one.stack, one.severity) == (LEAKING, "runaway")
    assert 0 < after(one) - begin <= 300
    assert one.per_hour == pytest.approx(20 * 3600, rel=0.25)  # it began somewhere in a block


@pytest.mark.parametrize("begin", range(3600, 3660, 20))
def test_eleven_a_second_are_found_within_five_minutes_where_a_few_came_before(begin: int) -> None:
    few = leak(100, after=begin - 6 * MINUTE)
    one = one_leak(with_traffic(1.25, added(few, leak(1 / 11, after=begin))))
    assert (one.stack, one.severity) == (LEAKING, "runaway")
    assert 0 < after(one) - begin <= 300


def test_bursts_with_pauses_of_more_than_half_a_window_are_found_in_the_long_run() -> None:
    rng = random.Random(5)
    begins = list(itertools.accumulate(MINUTE * minutes for minutes in [3, 19, 6, 4, 18, 8] * 4))
    sizes = [rng.randint(5, 40) for _ in begins]
    lost = (sum(size for begin, size in zip(begins, sizes, strict=True) if begin <= t) for t in seconds())
    visitors = (4 * (rng.random() < 0.25) for _ in seconds())
    one = one_leak(with_traffic(3, added(lost, visitors)))
    assert one.stack == LEAKING
    assert 90 * MINUTE <= after(one) <= 2 * HOUR


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_floor_that_rises_slowly_under_lively_traffic_is_found_in_the_long_run(seed: int) -> None:
    rng = random.Random(seed)
    one = one_leak(with_traffic(3, added(waves(rng, 60, period=5 * MINUTE), leak(40)), seed))
    assert one.stack == LEAKING
    assert 60 * MINUTE <= after(one) <= 105 * MINUTE


@pytest.mark.parametrize("swing", [0.5, 0.8])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_floor_under_waves_that_last_longer_than_the_window_is_found_by_the_deaths_that_stay(
    seed: int, swing: float
) -> None:
    rng = random.Random(seed)
    busy = waves(rng, 40, swing=swing, period=35 * MINUTE)
    one = one_leak(with_traffic(3, added(busy, leak(60 if swing < 0.8 else 40)), seed))
    assert one.stack == LEAKING
    assert 85 * MINUTE <= after(one) <= 110 * MINUTE


@pytest.mark.parametrize("seed", [0, 1])
def test_a_leak_in_a_stack_that_ever_more_calls_pass_through_is_found(seed: int) -> None:
    rng = random.Random(seed)
    passing = (int(rng.random() < 0.02 + 0.2 * t / (2.5 * HOUR)) for t in seconds())
    assert 50 * MINUTE <= after(one_leak(with_traffic(2.5, added(leak(40), passing), seed))) <= 62 * MINUTE


@pytest.mark.parametrize("seed", [0, 1])
def test_a_leak_that_a_deploy_brings_is_found_soon_though_all_clients_come_back_first(seed: int) -> None:
    rng, deployed = random.Random(seed), 20 * MINUTE
    clients = (min(60, (t - deployed) // 2) if t >= deployed else 60 for t in seconds())
    lost = at_random(rng, 0.1, after=deployed)
    assert after(one_leak(with_traffic(2, added(clients, lost), seed))) <= deployed + 70 * MINUTE


@pytest.mark.parametrize("seed", [1, 13])
def test_what_a_timer_no_longer_ends_is_found_though_it_did_for_an_hour(seed: int) -> None:
    births = list(itertools.islice(at_random(random.Random(seed), 0.1), 3 * HOUR // EVERY))
    lifetime, broken = 10 * MINUTE // EVERY, HOUR // EVERY
    deaths = [births[max(0, min(i - lifetime, broken))] for i in range(len(births))]
    living = (born - dead for born, dead in zip(births, deaths, strict=True))
    assert HOUR < after(one_leak(with_traffic(3, living))) <= HOUR + 72 * MINUTE


def test_a_leak_below_the_least_count_is_none() -> None:
    polls = with_traffic(2, leak(100))
    (finding,) = find(polls, Detector(min_count=60))
    assert 60 <= finding.leak.count_to <= 62
    assert not find(polls, Detector(min_count=75))


def test_a_shorter_window_finds_sooner() -> None:
    polls = [(START + i, {LEAKING: i + 1, BUSY: 50}) for i in range(60)]
    (finding,) = find(polls, Detector(window=20))
    assert 20 <= after(finding.leak) <= 40


@pytest.mark.parametrize("every", [61, 100, 120])
def test_polls_rarer_than_blocks_find_it_as_soon(every: int) -> None:
    polls = [(START + every * i, {LEAKING: every * i // 20 + 1, BUSY: 50}) for i in range(HOUR // every)]
    one = one_leak(polls)
    assert 30 * MINUTE < after(one) <= 36 * MINUTE
    assert abs(one.since - START) <= 2 * MINUTE


# What is healthy.


def pool(t: int) -> int:
    return min(300, t // 6)


def sawtooth(t: int) -> int:
    return t % (25 * MINUTE) // 10


def one_step(t: int) -> int:
    return 20 if t < HOUR else 120


def three_steps(t: int) -> int:
    return 20 * (1 + sum(t >= step * MINUTE for step in (20, 55, 90)))


def batch(t: int) -> int:
    return max(0, 500 - t % HOUR // 5)


def swelling(t: int) -> int:
    return 20 + t % (2 * HOUR) // 60 if t % (2 * HOUR) < HOUR else 20 + (2 * HOUR - t % (2 * HOUR)) // 60


@pytest.mark.parametrize("count", [pool, sawtooth, one_step, three_steps, batch])
def test_growth_that_ends_is_no_leak(count: Callable[[int], int]) -> None:
    assert not found(with_traffic(4, (count(t) for t in seconds())))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_pool_that_fills_for_just_the_window_is_no_leak(seed: int) -> None:
    rng = random.Random(seed)
    births = itertools.accumulate((rng.random() < 0.5 if t < 30 * MINUTE else 0) for t in seconds())
    assert not found(with_traffic(2, births, seed))


@pytest.mark.parametrize("seed", range(4))
def test_sessions_of_half_an_hour_are_no_leak(seed: int) -> None:
    assert not found(with_traffic(4, sessions(random.Random(seed), 0.1, 30 * MINUTE), seed))


@pytest.mark.parametrize("period", [20, 50, 90])
def test_waves_are_no_leak(period: int) -> None:
    assert not found(with_traffic(5, waves(random.Random(period), 100, swing=0.8, period=period * MINUTE)))


def test_connections_of_which_a_few_close_before_the_reaper_comes_are_no_leak() -> None:
    polls = with_traffic(4, (t % (40 * MINUTE) // 10 - t % (5 * MINUTE) // (4 * MINUTE) * 2 for t in seconds()))
    assert not found(polls)


def test_idle_connections_that_wake_up_now_and_then_are_no_leak_before_the_reaper_comes() -> None:
    idle, asking = (stack(f"main.(*Conn).{place}", "main.(*Conn).serve") for place in ("wait", "ask"))
    polls = []
    for time, counts in with_traffic(4, steady(0)):
        t = int(time - START)
        busy = 3 if t % (5 * MINUTE) < 20 else 0
        count = t % (40 * MINUTE) // 10 + 3
        polls.append((time, counts | {idle: count - busy} | ({asking: busy} if busy else {})))
    assert not found(polls)


@pytest.mark.parametrize("seed", range(3))
def test_sessions_of_a_load_test_that_is_ramped_up_are_no_leak(seed: int) -> None:
    rng = random.Random(seed)
    users = [min(t, 40 * MINUTE) // 8 for t in range(0, 3 * HOUR, EVERY)]
    calls = [[max(0, round(rng.gauss(n / 5, math.sqrt(n / 5)))) for n in users] for _ in range(4)]
    series = {LEAKING: iter(users), **{s: iter(n) for s, n in zip(OTHERS, calls, strict=False)}}
    assert not found(server(3, series))


@pytest.mark.parametrize("seed", [0, 3])
def test_sessions_that_begin_ever_more_often_are_no_leak(seed: int) -> None:
    users = sessions(random.Random(seed), 0.01, 100 * MINUTE, times=20, within=3 * HOUR)
    assert not found(with_traffic(3, users, seed))


@pytest.mark.parametrize("seed", range(3))
def test_a_pool_that_keeps_the_most_workers_that_requests_have_needed_is_no_leak(seed: int) -> None:
    rng = random.Random(seed)
    asked, queries = (
        list(itertools.islice(sessions(rng, 0.4, 10, times=10, within=2.5 * HOUR), 1000)) for _ in range(2)
    )
    most = itertools.accumulate(asked, max)
    pool_of = {place: stack(f"main.(*Worker).{place}", "main.(*Worker).run") for place in ("work", "wait")}
    series = {
        stack("main.(*Server).ask", "main.(*Server).serve"): iter(asked),
        stack("main.(*Base).query", "main.(*Base).serve"): iter(queries),
        pool_of["work"]: iter(asked),
        pool_of["wait"]: (workers - working for workers, working in zip(most, asked, strict=True)),
    }
    assert not found(server(2.5, series | {s: waves(rng, n) for s, n in OTHERS.items()}))


# Restarts, holes, clocks.


def test_a_restart_of_the_target_ends_the_leak_and_a_new_one_is_found_anew() -> None:
    lives = [*with_traffic(1, leak(20)), *with_traffic(2, leak(20))]
    polls = [(START + EVERY * i, counts) for i, (_, counts) in enumerate(lives)]
    first, over, second = find(polls)
    assert [finding.over for finding in (first, over, second)] == [False, True, False]
    assert {finding.leak.stack for finding in (first, over, second)} == {LEAKING}
    assert over.leak.detected_at == first.leak.detected_at
    assert 0 <= over.leak.time - (START + HOUR) <= MINUTE
    assert over.leak.count_to <= 4
    assert second.leak.since >= START + HOUR - MINUTE


def test_a_leak_that_comes_back_after_each_restart_is_found_in_each_life() -> None:
    # Told as a leak, the first life's rise and fall is no healthy swing that would excuse the second's.
    lives = [*with_traffic(0.8, leak(20)), *with_traffic(0.8, leak(20)), *with_traffic(0.8, leak(20))]
    findings = find((START + EVERY * i, counts) for i, (_, counts) in enumerate(lives))
    assert [finding.over for finding in findings] == [False, True, False, True, False]


def test_a_leak_is_over_when_most_of_its_growth_is_gone_and_not_before() -> None:
    def count(t: int) -> int:
        return t // 20 if t < HOUR else 50 if t < 1.5 * HOUR else 40

    first, over = find(with_traffic(2, (count(t) for t in seconds())))
    assert (first.over, over.over) == (False, True)
    assert 0 <= over.leak.time - (START + 1.5 * HOUR) <= MINUTE


def without(polls: list[Poll], begin: float, end: float) -> list[Poll]:
    return [(time, counts) for time, counts in polls if not begin <= time - START < end]


def test_a_hole_of_an_hour_neither_ends_a_leak_nor_repeats_it() -> None:
    detector = Detector()
    (finding,) = find(without(with_traffic(4, leak(20)), 1.5 * HOUR, 2.5 * HOUR), detector)
    assert after(finding.leak) < HOUR
    (one,) = detector.leaks
    assert (one.stack, one.count_to) == (LEAKING, 4 * HOUR // 20)


def test_what_nobody_saw_for_years_is_not_gone_through_block_by_block() -> None:
    """As where a file's time is not that of its profile."""
    history = History(60.0)
    history.observe(0.0, {BUSY: 5})
    assert history.observe(50 * 365 * 86400.0, {BUSY: 9}).forgot
    assert [len(series.blocks) for series in (history.total, history.series[BUSY])] == [0, 0]


def test_a_level_that_changed_in_a_hole_is_no_leak() -> None:
    def count(t: int) -> int:
        return 20 if t < HOUR else 220

    assert not find(without(with_traffic(5, (count(t) for t in seconds())), HOUR, 2 * HOUR))


def test_what_shrank_in_a_hole_is_over_after_it() -> None:
    def count(t: int) -> int:
        return t // 20 if t < 1.5 * HOUR else 2

    _, over = find(without(with_traffic(4, (count(t) for t in seconds())), 1.5 * HOUR, 2.5 * HOUR))
    assert over.over
    assert 2.5 * HOUR < over.leak.time - START <= 2.5 * HOUR + 2 * MINUTE


def moved(polls: list[Poll], at: float, by: float) -> list[Poll]:
    """The polls as they are when the clock is set during them."""
    return [(time + by if time - START >= at else time, counts) for time, counts in polls]


@pytest.mark.parametrize("at", [0.3 * HOUR, 2 * HOUR])
def test_a_clock_set_back_an_hour_costs_nothing(at: float) -> None:
    detector = Detector()
    (finding,) = find(moved(with_traffic(3, leak(20)), at, -HOUR), detector)
    (one,) = detector.leaks
    assert finding.leak.stack == one.stack == LEAKING
    assert one.per_hour == pytest.approx(180, rel=0.1)


@pytest.mark.parametrize("at", [0.3 * HOUR, 2 * HOUR])
def test_a_clock_set_forward_an_hour_costs_a_window_at_most(at: float) -> None:
    (one,) = found(moved(with_traffic(3, leak(20)), at, HOUR))
    assert after(one) <= at + HOUR + 40 * MINUTE


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_clock_that_is_set_alarms_nobody_on_a_healthy_server(by: float) -> None:
    assert not find(moved(with_traffic(4, (pool(t) for t in seconds())), HOUR, by))


@pytest.mark.parametrize("seed", [1, 2])
def test_polls_that_are_missing_doubled_or_late_change_no_verdict(seed: int) -> None:
    rng = random.Random(seed)
    healthy = with_traffic(3, (pool(t) for t in seconds()), seed)
    for polls, leaks in ((with_traffic(2, leak(30), seed), [LEAKING]), (healthy, [])):
        damaged = {
            "missing": [poll for poll in polls if rng.random() > 0.2],
            "doubled": [twin for poll in polls for twin in [poll] * rng.choice([1, 1, 2])],
            "shifted": [(time + rng.uniform(-2, 2), counts) for time, counts in polls],
        }
        assert {what: [one.stack for one in found(some)] for what, some in damaged.items()} == dict.fromkeys(
            damaged, leaks
        )


# Online.


@pytest.mark.parametrize(
    "counts",
    [leak(30), leak(10 * MINUTE, at_once=15), leak(0.05, after=HOUR)],
    ids=["steady", "cron", "runaway"],
)
def test_a_leak_is_told_at_the_entry_that_gives_it_away(counts: Iterator[int]) -> None:
    polls = with_traffic(2, counts)
    one = one_leak(polls)
    last = [time for time, _ in polls].index(one.detected_at)
    assert one_leak(polls[: last + 1]) == one
    assert not found(polls[:last])


def test_thousands_of_stacks_that_appear_once_need_no_more_memory_than_some() -> None:
    detector = Detector()
    sizes = []
    tracemalloc.start()
    try:
        for i in range(200):
            counts = {stack(f"main.eval{100 * i + j}", "main.run"): 1 for j in range(100)}
            assert not detector.observe(START + EVERY * i, counts)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(sizes[100:]) < 1.2 * max(sizes[:100])
    assert max(sizes) < 16 << 20


def test_a_leak_is_found_among_a_thousand_stacks_that_appear_once() -> None:
    polls = with_traffic(1.5, leak(20))
    for i, (_, counts) in enumerate(polls):
        counts.update({stack(f"main.eval{3 * i + j}", "main.run"): 1 for j in range(3)})
    assert one_leak(polls).stack == LEAKING


@pytest.mark.parametrize("wild", [-5, 10**18])
def test_a_target_may_say_any_number(wild: int) -> None:
    polls = with_traffic(2, (count if count % 7 else wild for count in leak(30)))
    assert not find(polls)


# One bug in several stacks.


def test_the_reader_and_the_writer_of_a_connection_are_one_leak() -> None:
    reader = stack("main.(*Conn).readLoop")
    writer = stack("main.(*Conn).writeLoop")
    one = one_leak(server(1, {reader: leak(20), writer: leak(20), BUSY: steady(50)}))
    assert {one.stack, *one.also} == {reader, writer}


@pytest.mark.parametrize("uneven", [False, True])
def test_twenty_closures_of_a_handler_are_one_leak(uneven: bool) -> None:
    rng = random.Random(5)
    closures = [stack("main.wait", f"main.(*Report).render.func{i}", line=10 * i) for i in range(1, 21)]
    lost = dict.fromkeys(closures, 0)
    polls = []
    for i in range(2 * HOUR // EVERY):
        lost[rng.choice(closures[: 1 + int(20 * rng.random())] if uneven else closures)] += i % 3 == 0
        polls.append((START + EVERY * i, {s: n for s, n in lost.items() if n} | {BUSY: 50}))
    detector = Detector()
    (finding,) = find(polls, detector)
    assert after(finding.leak) <= 40 * MINUTE
    (one,) = detector.leaks
    assert {one.stack, *one.also} == {s for s, n in lost.items() if n}


def test_a_loop_that_shows_in_three_stacks_is_found_through_its_origin() -> None:
    rng = random.Random(6)
    places = [stack(f"main.{place}", "main.(*Watcher).loop") for place in ("sleep", "ask", "tick")]
    polls = []
    for i in range(HOUR // EVERY):
        shown = rng.choices(places, [5, 2, 3], k=i // 3)
        polls.append((START + EVERY * i, {BUSY: 50} | {place: shown.count(place) for place in set(shown)}))
    one = one_leak(polls)
    assert {one.stack, *one.also} == set(places)
    assert (one.count_from, one.count_to) == (0, round((one.time - START) / EVERY) // 3)


def handler(name: str) -> Stack:
    """A goroutine of an HTTP server in this handler: all of them begin in one function."""
    return stack(f"main.(*API).{name}", "net/http.(*conn).serve")


def test_what_is_healthy_in_a_leak_s_origin_is_no_part_of_it() -> None:
    rng = random.Random(7)
    detector = Detector()
    counts = {handler("leaks"): leak(30), handler("idles"): steady(3), handler("serves"): waves(rng, 6)}
    (finding,) = find(server(3, counts), detector)
    (now,) = detector.leaks
    for one in (finding.leak, now):
        assert (one.stack, one.also) == (handler("leaks"), ())
    assert now.count_to == 3 * HOUR // 30


def test_another_bug_of_the_same_origin_is_another_leak() -> None:
    rng = random.Random(8)
    later = added(waves(rng, 5), leak(20, after=2 * HOUR))
    leaks = found(server(4, {handler("first"): leak(30), handler("later"): later, handler("idles"): steady(3)}))
    assert [(one.stack, one.also) for one in leaks] == [(handler("first"), ()), (handler("later"), ())]
    assert after(leaks[1]) <= 3 * HOUR


def test_two_bugs_are_two_leaks() -> None:
    other = stack("main.(*Cache).refresh", "main.keep")
    leaks = found(server(2, {LEAKING: leak(20), other: leak(7, after=HOUR), BUSY: steady(50)}))
    assert [(one.stack, one.also) for one in leaks] == [(LEAKING, ()), (other, ())]


def test_a_hole_of_some_minutes_in_which_a_group_gains_a_stack_counts_once() -> None:
    first, second = (stack(f"main.{place}", "main.loop") for place in ("sleep", "ask"))
    polls = server(1, {first: leak(20), second: leak(15, after=20 * MINUTE), BUSY: steady(50)})
    whole, holed = (one_leak(some) for some in (polls, without(polls, 10 * MINUTE, 20 * MINUTE)))
    assert after(holed) > 30 * MINUTE
    assert abs(holed.detected_at - whole.detected_at) <= 2 * MINUTE


# Going on after a restart of the daemon.


def resumed(polls: list[Poll], known: list[Leak]) -> Detector:
    """A detector that has replayed polls, silently, and was told what had been found."""
    detector = Detector()
    find(polls, detector)
    detector.resume(known)
    return detector


@pytest.mark.parametrize("replayed", [0, 20 * MINUTE, 90 * MINUTE])
def test_a_resumed_leak_is_not_found_twice_and_keeps_its_beginning(replayed: int) -> None:
    polls = with_traffic(3, leak(20))
    cut = 2 * HOUR // EVERY
    one = one_leak(polls[:cut])
    detector = resumed(polls[cut - replayed // EVERY : cut], [one])
    assert not find(polls[cut:], detector)
    (now,) = detector.leaks
    assert (now.stack, now.detected_at, now.since, now.count_from) == (
        one.stack,
        one.detected_at,
        one.since,
        one.count_from,
    )
    assert now.count_to == 3 * HOUR // 20


@pytest.mark.parametrize("replayed", [0, 20 * MINUTE])
def test_a_resumed_leak_whose_stack_is_gone_is_over_after_a_poll_shows_that(replayed: int) -> None:
    one = one_leak(with_traffic(1, leak(20)))
    restarted = [
        (time + HOUR, {stack: n for stack, n in counts.items() if stack != LEAKING})
        for time, counts in with_traffic(1, leak(20))
    ]
    cut = replayed // EVERY
    detector = resumed(restarted[:cut], [one])
    assert len(detector.leaks) == 1
    (over,) = find(restarted[cut:], detector)
    assert over.over
    assert over.leak.time <= restarted[cut][0] + MINUTE


def test_a_resumed_leak_that_drains_away_is_over_at_the_same_moment() -> None:
    def count(t: int) -> int:
        return t // 10 if t < 2 * HOUR else max(0, 720 - (t - 2 * HOUR) // 10)

    polls = with_traffic(4, (count(t) for t in seconds()))
    one, over = find(polls)
    for cut in (2 * HOUR // EVERY, int(2.5 * HOUR) // EVERY):
        # The leak as it was told last, and the log as far back as it is replayed.
        detector = resumed(polls[cut - 606 : cut], [one.leak])
        assert find(polls[cut:], detector) == [over]


@pytest.mark.parametrize("replayed", [0, 20 * MINUTE])
def test_a_resumed_leak_of_many_closures_that_has_stopped_growing_goes_on(replayed: int) -> None:
    closures: list[Stack] = [stack(f"main.(*Report).render.func{i}") for i in range(1, 21)]
    polls = server(6, {s: (min(n, 5) for n in leak(10 * MINUTE, after=30 * i)) for i, s in enumerate(closures)})
    (one,) = found(polls[: 2 * HOUR // EVERY])
    cut = 5 * HOUR // EVERY
    detector = resumed(polls[cut - replayed // EVERY : cut], [one])
    assert not find(polls[cut:], detector)
    assert [leak.count_to for leak in detector.leaks] == [100]


def test_a_detector_that_is_told_of_a_leak_and_sees_nothing_says_nothing() -> None:
    one = one_leak(with_traffic(1, leak(20)))
    detector = resumed([], [one])
    assert [leak.count_to for leak in detector.leaks] == [one.count_to]
    assert not detector.observe(START, {})
