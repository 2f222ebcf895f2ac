"""What is judged about one target: threads and live heap, counted and shown in the units that people know."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pprofwatch.alerts.incidents import Action, Event, Incidents
from pprofwatch.alerts.journal import Journal
from pprofwatch.alerts.watch import SharedParser, Watch
from pprofwatch.config.settings import LeakConfig
from pprofwatch.leaks.target import GOROUTINE, HEAP, THREADCREATE, THREADS, TargetLeaks
from pprofwatch.model import Entry, Profile, Record, Stack
from pprofwatch.profiles.grammar import UNKNOWN_FRAME
from pprofwatch.profiles.text import Counts, render_text
from simulated import HOUR, MINUTE, START, stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pprofwatch.leaks.leak import Finding, Leak

KEPT = stack("main.(*Cache).put", "main.handle")
BUSY = stack("main.read", "main.handle")
KIB, MIB = 1 << 10, 1 << 20
#: Live objects of each stack, and the size of one in bytes, at one poll of the heap: once a minute.
Objects = dict[str, tuple[int, int]]
STACKS = {"kept": KEPT, "busy": BUSY}
TIMES = [START + MINUTE * i for i in range(4 * HOUR // MINUTE)]


def growing(per_minute: int, size: int, *, at_first: int = 0) -> Iterator[tuple[int, int]]:
    return ((at_first + per_minute * i, size) for i in itertools.count())


def swinging(rng: random.Random, level: int, size: int) -> Iterator[tuple[int, int]]:
    return ((rng.randrange(level // 2, level * 3 // 2), size) for _ in itertools.count())


class Sampler:
    """The runtime's sampling of allocations, as a heap profile with debug=1 shows it."""

    def __init__(self, rate: int, seed: int = 1) -> None:
        """``rate``: the program's MemProfileRate, in bytes."""
        self._rate = rate
        self._rng = random.Random(seed)
        self._sampled: dict[str, int] = {}
        self._live: dict[str, int] = {}

    def profile(self, objects: Objects) -> bytes:
        """The profile with so many live objects: of those that came some were sampled, and of those that went."""
        records = []
        for name, (count, size) in objects.items():
            live, sampled = self._live.get(name, 0), self._sampled.get(name, 0)
            if count >= live:
                probability = 1.0 if self._rate <= 1 else -math.expm1(-size / self._rate)
                sampled += sum(self._rng.random() < probability for _ in range(count - live))
            else:
                sampled = round(sampled * count / live)
            self._live[name], self._sampled[name] = count, sampled
            records.append(Record(STACKS[name], (sampled, sampled * size, sampled, sampled * size)))
        total = sum(record.values[0] for record in records)
        return render_text(Profile("heap", total, tuple(records), period=self._rate))


class Seen:
    """A target's heap, poll by poll, and what was found in it."""

    def __init__(self, rate: int = 512 * KIB) -> None:
        self.target = TargetLeaks(LeakConfig())
        self.findings: list[Finding] = []
        self._sampler = Sampler(rate)
        self._parser = SharedParser()

    def take(self, times: Iterable[float], **series: Iterator[tuple[int, int]]) -> Seen:
        for time in times:
            objects = {name: next(counts) for name, counts in series.items()}
            counts = self._parser.parse(self._sampler.profile(objects))
            self.findings += self.target.observe(HEAP, time, counts)
        return self

    @property
    def leak(self) -> Leak:
        (leak,) = self.target.leaks(HEAP)
        return leak


@pytest.mark.parametrize("rate", [1, 64 * KIB, 512 * KIB])
@pytest.mark.parametrize(("per_minute", "size"), [(600, 512), (80, 4 * KIB), (5, 64 * KIB), (1, 2 * MIB)])
def test_a_heap_leak_is_shown_in_objects_whatever_the_program_samples(rate: int, per_minute: int, size: int) -> None:
    seen = Seen(rate).take(TIMES, kept=growing(per_minute, size), busy=swinging(random.Random(2), 40, 32 * KIB))
    (finding,) = seen.findings
    assert finding.profile == HEAP
    assert finding.leak.stack == KEPT
    assert HOUR < finding.leak.detected_at - START < 100 * MINUTE
    objects = per_minute * (len(TIMES) - 1)
    samples = objects if rate == 1 else objects * -math.expm1(-size / rate)
    assert seen.leak.count_to == pytest.approx(objects, rel=0.01 + 3 / math.sqrt(samples) * (rate > 1))
    assert seen.leak.count_from <= objects / 10
    assert seen.leak.total_to >= seen.leak.count_to - 1
    assert abs(seen.leak.per_hour - per_minute * 60) < 2 * seen.leak.per_hour_error + per_minute


@pytest.mark.parametrize("rate", [1, 512 * KIB])
def test_growth_by_kilobytes_is_not_worth_an_alert(rate: int) -> None:
    """A thousand objects an hour, but a quarter of a mebibyte: less than chance makes of healthy ones elsewhere."""
    seen = Seen(rate).take(TIMES, kept=growing(17, 256), busy=swinging(random.Random(3), 40, 32 * KIB))
    assert seen.findings == []


def test_a_heap_leak_that_is_over_says_how_many_objects_it_was() -> None:
    up, after = TIMES[:90], TIMES[90:120]
    seen = Seen().take(up, kept=growing(100, 8 * KIB))
    worst = seen.leak.count_to
    seen.take(after, kept=itertools.repeat((0, 8 * KIB)), busy=itertools.repeat((100, 32 * KIB)))
    found, over = seen.findings
    assert over.over
    assert over.leak.stack == found.leak.stack == KEPT
    assert over.peak == pytest.approx(worst, rel=0.05)
    assert over.leak.count_from == found.leak.count_from
    assert over.leak.count_to == 0


def test_what_a_heap_leak_began_with_stays_as_it_was_told() -> None:
    sizes = ((100 * i, 8 * KIB - 32 * i) for i in itertools.count(10))
    seen = Seen().take(TIMES[:200], kept=sizes, busy=itertools.repeat((100, 32 * KIB)))
    (found,) = seen.findings
    assert (seen.leak.count_from, seen.leak.total_from) == (found.leak.count_from, found.leak.total_from)
    assert seen.leak.count_to > found.leak.count_to


@pytest.mark.parametrize("replayed", [60, 0])
def test_a_restart_of_the_daemon_keeps_a_heap_leak_s_counts(tmp_path: Path, replayed: int) -> None:
    """Through the journal, with the logs' last polls replayed, or with none left to replay."""
    series = {"kept": growing(80, 4 * KIB, at_first=1000), "busy": itertools.repeat((100, 32 * KIB))}
    bodies = _bodies(series, 120)
    before, after = TargetLeaks(LeakConfig()), TargetLeaks(LeakConfig())
    for time, counts in bodies[:100]:
        before.observe(HEAP, time, counts)
    (leak,) = before.leaks(HEAP)
    journal = Journal(tmp_path)
    journal.append(Event(Action.OPENED, leak.time, "one", "localhost:6060", HEAP, leak, 1))
    for time, counts in bodies[100 - replayed : 100]:
        after.observe(HEAP, time, counts)
    after.resume(HEAP, Incidents("localhost:6060", HEAP, HOUR).restore(journal.read()))
    (resumed,) = after.leaks(HEAP)
    assert resumed.stack == leak.stack
    assert (resumed.count_from, resumed.total_from) == (leak.count_from, leak.total_from)
    assert resumed.count_to == pytest.approx(leak.count_to, rel=0.01)
    for time, counts in bodies[100:]:
        assert after.observe(HEAP, time, counts) == before.observe(HEAP, time, counts) == []
    (same,), (went_on,) = before.leaks(HEAP), after.leaks(HEAP)
    assert went_on.scale == same.scale
    assert (went_on.count_from, went_on.count_to) == (same.count_from, same.count_to)
    assert (went_on.total_from, went_on.total_to) == (same.total_from, same.total_to)


def _bodies(series: dict[str, Iterator[tuple[int, int]]], polls: int) -> list[tuple[float, Counts]]:
    sampler, parser = Sampler(512 * KIB), SharedParser()
    return [
        (time, parser.parse(sampler.profile({name: next(counts) for name, counts in series.items()})))
        for time in TIMES[:polls]
    ]


def threads(total: int) -> Counts:
    """What Go says of threads: their number, and a stack for few of them."""
    records = (Record(Stack((UNKNOWN_FRAME,)), (total - 1,)), Record(stack("runtime.allocm", "runtime.main"), (1,)))
    return SharedParser().parse(render_text(Profile("threadcreate", total, records)))


def test_threads_that_never_end_are_one_leak_of_their_total() -> None:
    target = TargetLeaks(LeakConfig())
    findings = [
        finding
        for i, time in enumerate(TIMES[:120])
        for finding in target.observe(THREADCREATE, time, threads(8 + i // 2))
    ]
    (finding,) = findings
    assert finding.profile == THREADCREATE
    assert finding.leak.stack == THREADS
    assert finding.leak.culprit.function == "OS threads"
    assert target.leaks("goroutine") == target.leaks(HEAP) == target.suspects == []
    (leak,) = target.leaks(THREADCREATE)
    assert (leak.count_from, leak.count_to, leak.scale) == (8, 67, 1.0)


def test_threads_that_reach_a_high_water_mark_are_no_leak() -> None:
    target = TargetLeaks(LeakConfig())
    rng = random.Random(5)
    most = 8
    for time in TIMES:
        most = max(most, 8 + round(rng.expovariate(1 / 12)))
        assert target.observe(THREADCREATE, time, threads(most)) == []


def goroutines(**counts: int) -> Counts:
    return Counts(
        "goroutine", sum(counts.values()), {stack(f"main.{name}", "main.serve"): n for name, n in counts.items()}
    )


def with_threads(totals: Iterable[int], held: Iterable[int]) -> tuple[TargetLeaks, list[Finding]]:
    """A target whose goroutines are polled with its threads, once a minute; so many of them hold a thread each."""
    target = TargetLeaks(LeakConfig())
    findings = []
    for time, total, holding in zip(TIMES, totals, held, strict=False):
        findings += target.observe(GOROUTINE, time, goroutines(hold=holding, work=60 + round(time / MINUTE) % 7))
        findings += target.observe(THREADCREATE, time, threads(total))
    return target, findings


def test_idle_threads_that_rising_traffic_leaves_behind_are_no_leak_where_goroutines_are_polled() -> None:
    ramp = [16 + i // 3 for i in range(150)]
    target, findings = with_threads(ramp, itertools.repeat(4))
    assert findings == []
    assert target.leaks(THREADCREATE) == []


def test_threads_that_leaking_goroutines_hold_are_told_once_these_are() -> None:
    target, findings = with_threads([16 + i // 2 for i in range(120)], (4 + i // 2 for i in range(120)))
    assert [finding.profile for finding in findings] == [GOROUTINE, THREADCREATE]
    (leak,) = target.leaks(THREADCREATE)
    assert leak.detected_at == findings[1].leak.detected_at >= findings[0].leak.detected_at
    assert leak.count_to == 75
    after = TargetLeaks(LeakConfig())
    after.observe(GOROUTINE, TIMES[120], goroutines(work=60))
    after.resume(THREADCREATE, [leak])
    assert [resumed.detected_at for resumed in after.leaks(THREADCREATE)] == [leak.detected_at]
    (over,) = [finding for time in TIMES[120:122] for finding in after.observe(THREADCREATE, time, threads(12))]
    assert over.over
    assert after.leaks(THREADCREATE) == []
    for i, time in enumerate(TIMES[122:]):
        assert after.observe(GOROUTINE, time, goroutines(work=60)) == []
        assert after.observe(THREADCREATE, time, threads(16 + i // 3)) == []


def test_threads_that_no_goroutine_holds_are_told_when_traffic_can_not_be_the_cause() -> None:
    target, findings = with_threads([8 + i for i in range(120)], itertools.repeat(4))
    (finding,) = findings
    assert finding.leak.count_to == 80
    assert finding.leak.detected_at == TIMES[72]
    assert [leak.detected_at for leak in target.leaks(THREADCREATE)] == [TIMES[72]]


@pytest.mark.parametrize("profile", [HEAP, THREADCREATE])
def test_differences_never_get_in(tmp_path: Path, profile: str) -> None:
    """The same bodies alert when they are levels, and say nothing when they are what changed in so many seconds."""
    bodies = {
        HEAP: lambda i: Profile("heap", 3 * i, (Record(KEPT, (3 * i, 3 * i * MIB, 3 * i, 3 * i * MIB)),), 512 * KIB),
        THREADCREATE: lambda i: Profile("threadcreate", i, (Record(KEPT, (i,)),)),
    }
    levels, differences = (
        [
            Entry(time, "localhost:6060", profile, render_text(bodies[profile](i)), seconds=seconds)
            for i, time in enumerate(TIMES[:90])
        ]
        for seconds in (0, 30)
    )
    assert [event.profile for event in told(tmp_path / "levels", levels)] == [profile]
    assert told(tmp_path / "differences", differences) == []


def told(folder: Path, entries: list[Entry]) -> list[Event]:
    """What a watch without logs tells of the first hour and a half."""
    folder.mkdir()
    events: list[Event] = []
    watch = Watch(
        "localhost:6060",
        folder,
        replace(LeakConfig(), repeat=24.0 * HOUR),
        SharedParser(),
        now=lambda: START,
        tell=lambda event, _: events.append(event),
    )
    for entry in entries:
        watch.observe(entry)
        if watch.has_news:
            watch.note()
    return [event for event in events if event.action is Action.OPENED]
