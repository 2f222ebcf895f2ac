"""An incident's life, with its evidence and its sinks, and a daemon that is killed at any step of it."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from hypothesis import given, settings
from hypothesis import strategies as st

from pprofwatch.alerts.delivery import Delivery
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.sinks.base import Notice, Sink, SinkError
from pprofwatch.alerts.watch import SharedParser, Watch
from pprofwatch.config.settings import LeakConfig, SinkConfig
from pprofwatch.leaks.severity import Severity
from pprofwatch.logs.evidence_folder import EvidenceFolder
from pprofwatch.logs.folder import LogFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry, Profile, Record, Stack
from pprofwatch.profiles.text import render_text
from simulated import leak, seconds, server, stack, steady
from sinks import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.logs.target_folder import TargetFolder

TARGET = "localhost:6060"
LEAKING, STUCK, BUSY = stack("main.forward", "main.serve"), stack("main.wait"), stack("main.handle", "main.listen")
#: A block every two polls.
CONFIG = LeakConfig(window=600.0, min_count=10, repeat=500.0)
PROFILES = ("goroutine", "goroutineleak")


def entry(profile: str, time: float, counts: dict[Stack, int]) -> Entry:
    records = tuple(Record(stack, (count,)) for stack, count in counts.items())
    return Entry(time, TARGET, profile, render_text(Profile(profile, sum(counts.values()), records)))


def make_polls() -> list[Entry]:
    """A few that are stuck; a leak that is found by its growth, is proven, doubles, and ends with the process."""

    def until_restart(counts: Iterator[int]) -> Iterator[int]:
        return (count if t < 1800 else 0 for t, count in zip(seconds(), counts, strict=False))

    series = {LEAKING: until_restart(leak(10)), STUCK: until_restart(steady(7)), BUSY: steady(50)}
    polls = []
    for i, (time, counts) in enumerate(server(0.55, series)):
        polls.append(entry("goroutine", time, counts))
        if i % 40 == 35:  # every 400 s; what leaks is listed from the third time on
            listed = {STUCK: counts.get(STUCK, 0), LEAKING: counts.get(LEAKING, 0) if i > 100 else 0}
            polls.append(entry("goroutineleak", time + 1, {stack: count for stack, count in listed.items() if count}))
    return polls


POLLS = make_polls()


class KilledError(BaseException):
    """The process is no more."""


class Steps:
    """Counts the steps of a life, and ends it at one of them."""

    def __init__(self, last: int | None) -> None:
        self.count = 0
        self.is_dead = False
        self._last = last

    def next(self) -> None:
        """A step is done: what comes after may never be."""
        if self.is_dead or self.count == self._last:
            self.is_dead = True
            raise KilledError
        self.count += 1


class Witness(Sink):
    """A sink that outlives the daemon."""

    def __init__(self, name: str, least: Severity, seen: list[Event], steps: Steps) -> None:
        super().__init__(SinkConfig("webhook", name, min_severity=least))
        self._seen = seen
        self._steps = steps

    async def send(self, notice: Notice) -> None:
        try:
            self._steps.next()
            self._seen.append(notice.event)
            self._steps.next()
        except KilledError:  # as far as the daemon knows, it was never taken
            raise SinkError("the daemon was killed", retry=True) from None


class Daemon:
    """What a daemon does for one target, step by step."""

    def __init__(self, folder: TargetFolder, seen: dict[str, list[Event]], steps: Steps) -> None:
        self._folder = folder
        self._steps = steps
        sinks = [
            Witness("all", Severity.STUCK, seen["all"], steps),
            Witness("bad", Severity.PROVEN, seen["bad"], steps),
        ]
        self._delivery = Delivery(sinks, say=lambda _priority, _text: None, describe=describe)
        self._writers = {name: LogWriter(folder, name, rotate_size=1 << 20, rotate_age=86400) for name in PROFILES}
        self._evidence = EvidenceFolder(folder.path)

    async def live(self, polls: Sequence[Entry], begin: int) -> int:
        """Go on from a poll. Returns the first that was not logged."""
        reached = begin
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._delivery.run)
            try:
                reached = await self._poll_all(polls, begin)
            finally:
                for writer in self._writers.values():
                    writer.close()
                tasks.cancel_scope.cancel()
        return reached

    async def _poll_all(self, polls: Sequence[Entry], begin: int) -> int:
        i = begin
        watch = Watch(
            TARGET,
            self._folder.path,
            CONFIG,
            SharedParser(),
            now=lambda: polls[min(i, len(polls) - 1)].time,
            tell=self._tell,
            resume=self._delivery.resume,
        )
        try:
            watch.replay()
            while i < len(polls):
                self._steps.next()
                self._writers[polls[i].profile].append(polls[i])
                i += 1
                self._steps.next()
                watch.observe(polls[i - 1])
                if watch.wants_evidence:
                    watch.begin_evidence()
                    self._evidence.store("goroutine.txt", polls[i - 1].time, b"goroutine 1 [running]:\n")
                    self._steps.next()
                if watch.has_news:
                    watch.note()
                    self._steps.next()
                await self._settle()
            await self._settle(rounds=40)
        except KilledError:
            pass
        return i

    async def _settle(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            await anyio.lowlevel.checkpoint()

    def _tell(self, event: Event, folder: Path) -> None:
        self._steps.next()  # it is in the journal
        self._delivery.tell(event, folder)
        self._steps.next()


def live(kills: Sequence[int]) -> tuple[dict[str, list[Event]], int]:
    """What the sinks saw of a life with so many kills, each so many steps after the start; and its steps."""
    seen: dict[str, list[Event]] = {"all": [], "bad": []}
    begin = 0
    with tempfile.TemporaryDirectory() as folder:
        for kill in [*kills, None]:
            steps = Steps(kill)
            logs = LogFolder(Path(folder) / "logs")
            try:

                async def run(logs: LogFolder = logs, steps: Steps = steps, begin: int = begin) -> int:
                    return await Daemon(logs.target(TARGET), seen, steps).live(POLLS, begin)

                begin = anyio.run(run)
            finally:
                logs.close()
    assert begin == len(POLLS)
    return seen, steps.count


def once(events: Sequence[Event]) -> list[tuple[int, Action, str, Severity]]:
    """Events, each but once, in the order in which they were first seen."""
    return list(
        dict.fromkeys((event.number, event.action, event.incident, event.leak.severity) for event in events).keys()
    )


WHOLE, STEPS = live([])


def test_the_life_has_all_that_can_happen_in_it() -> None:
    told = [(event.action, event.leak.severity) for event in WHOLE["all"]]
    assert {action for action, _ in told} == {Action.OPENED, Action.WORSENED, Action.REPEATED, Action.RESOLVED}
    assert {severity for _, severity in told} >= {Severity.STUCK, Severity.PROVEN}
    assert 0 < len(WHOLE["bad"]) < len(WHOLE["all"])
    assert any(event.kept for event in WHOLE["all"])
    numbers = [event.number for event in WHOLE["all"]]
    assert numbers == sorted(set(numbers))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, STEPS - 1), min_size=1, max_size=3))
def test_whenever_the_daemon_is_killed_the_sinks_see_what_they_see_of_one_that_is_not(kills: list[int]) -> None:
    seen, _ = live(kills)
    for name, events in seen.items():
        told = [(action, incident, severity) for _, action, incident, severity in once(events)]
        expected = [(action, incident, severity) for _, action, incident, severity in once(WHOLE[name])]
        assert told == expected
        ids = [event.number for event in events]
        repeats = sum(now <= before for before, now in itertools.pairwise(ids))
        assert repeats <= len(kills)  # of each kill, what was under way comes again
