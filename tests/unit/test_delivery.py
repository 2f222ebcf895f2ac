"""Delivery: every event reaches every sink that wants it, in order, whatever the others do and whenever it ends."""

from __future__ import annotations

import json
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pprofwatch.alerts.channel import LONGEST_QUEUE
from pprofwatch.alerts.delivered import DELIVERED, Delivered
from pprofwatch.alerts.delivery import FIRST_WAIT, LONGEST_WAIT, Delivery
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.journal import Journal
from pprofwatch.alerts.sinks.base import Notice, Sink, SinkError
from pprofwatch.config.settings import SinkConfig
from pprofwatch.errors import LogError
from pprofwatch.leaks.severity import Severity
from sinks import describe, make_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

pytestmark = pytest.mark.anyio


class ListSink(Sink):
    """Writes down what it is told. ``errors`` come first, one a try; it may be ``shut``, or hang."""

    def __init__(self, name: str = "list", *errors: SinkError, severity: Severity = Severity.STUCK) -> None:
        super().__init__(SinkConfig("webhook", name, min_severity=severity))
        self.errors = list(errors)
        self.told: list[Event] = []
        self.noted: list[tuple[int, bool]] = []
        self.targets: Collection[str] = ()
        self.refreshed = 0
        self.shut = False
        self.hangs = False
        self.news = anyio.Event()

    async def send(self, notice: Notice) -> None:
        if self.hangs:
            await anyio.sleep_forever()
        if self.shut:
            raise busy()
        if self.errors:
            raise self.errors.pop(0)
        self.told.append(notice.event)
        self.news.set()

    def note(self, notice: Notice, *, is_old: bool) -> None:
        self.noted.append((notice.event.number, is_old))

    def keep_only(self, targets: Collection[str]) -> None:
        self.targets = targets
        self.news.set()

    async def refresh(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.refreshed += 1
        self.news.set()

    @property
    def numbers(self) -> list[int]:
        return [event.number for event in self.told]

    async def has(self, *numbers: int) -> None:
        """Waits until it was told these, in this order."""
        while len(self.told) < len(numbers):
            self.news = anyio.Event()
            await self.news.wait()
        assert self.numbers == list(numbers)


@dataclass
class Run:
    """A delivery that runs, what it said, and how long it waited."""

    delivery: Delivery
    folder: Path
    said: list[str]
    waits: list[float] = field(default_factory=list)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.delivery.tell(event, self.folder)

    async def resume(self, *events: Event) -> None:
        await anyio.to_thread.run_sync(self.delivery.resume, events, self.folder)

    @property
    def delivered(self) -> object:
        return json.loads((self.folder / DELIVERED).read_text())


@asynccontextmanager
async def running(folder: Path, *sinks: Sink) -> AsyncIterator[Run]:
    """Delivers, with backoff that takes no time, until the end of the block."""
    waits: list[float] = []
    said: list[str] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await anyio.sleep(0.001)

    delivery = Delivery(
        sinks, say=lambda priority, text: said.append(f"{priority} {text}"), describe=describe, sleep=sleep
    )
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delivery.run)
            yield Run(delivery, folder, said, waits)
            tasks.cancel_scope.cancel()


def events(*numbers: int) -> list[Event]:
    return [make_event(number, incident=f"20270115T080000Z-{number:08x}") for number in numbers]


def busy(text: str = "busy") -> SinkError:
    return SinkError(text, retry=True)


def refusal() -> SinkError:
    return SinkError("answered 400: no such room", retry=False)


async def test_events_come_in_order_and_that_is_noted(tmp_path: Path) -> None:
    sink, other = ListSink(), ListSink("other")
    async with running(tmp_path, sink, other) as run:
        await run.resume()
        run.tell(*events(1, 2, 3))
        await sink.has(1, 2, 3)
        await other.has(1, 2, 3)
    assert run.delivered == {"list": 3, "other": 3}
    assert run.said == []


async def test_what_fails_is_tried_again_ever_more_slowly_and_said_once(tmp_path: Path) -> None:
    sink = ListSink("pager", *(busy() for _ in range(11)))
    async with running(tmp_path, sink) as run:
        run.tell(*events(1, 2))
        await sink.has(1, 2)
    assert run.said == ["4 sink pager fails: busy; what it is to be told waits", "5 sink pager works again"]
    assert run.waits[:3] == [FIRST_WAIT, 2, 4]
    assert run.waits[-1] == LONGEST_WAIT


async def test_what_is_refused_is_said_and_the_next_is_told(tmp_path: Path) -> None:
    sink = ListSink("pager", refusal())
    async with running(tmp_path, sink) as run:
        await run.resume()
        run.tell(*events(1, 2))
        await sink.has(2)
    assert run.said == [
        (
            "4 sink pager was not told that incident 20270115T080000Z-00000001 of localhost:6060 was opened: "
            "answered 400: no such room"
        )
    ]
    assert run.waits == []
    assert run.delivered == {"pager": 2}


async def test_a_sink_with_few_attempts_goes_on_after_them(tmp_path: Path) -> None:
    sink = ListSink("pager", *(busy("exit status 1") for _ in range(3)))
    sink.attempts = 3
    async with running(tmp_path, sink) as run:
        run.tell(*events(1, 2))
        await sink.has(2)
    assert len(run.waits) == 2
    assert [line[:30] for line in run.said] == [
        "4 sink pager fails: exit statu",
        "4 sink pager was not told that",
        "5 sink pager works again",
    ]


async def test_a_sink_that_hangs_delays_no_other(tmp_path: Path) -> None:
    slow, sink = ListSink("slow"), ListSink()
    slow.hangs = True
    async with running(tmp_path, slow, sink) as run:
        await run.resume()
        run.tell(*events(1, 2))
        await sink.has(1, 2)
    assert run.delivered == {"slow": 0, "list": 2}


async def test_a_mistake_of_ours_in_a_sink_stops_nothing(tmp_path: Path) -> None:
    class Broken(ListSink):
        async def send(self, notice: Notice) -> None:
            if notice.event.number == 1:
                raise RuntimeError("secret")
            await super().send(notice)

    sink = Broken()
    async with running(tmp_path, sink) as run:
        run.tell(*events(1, 2))
        await sink.has(2)
    assert "a mistake of ours (RuntimeError at test_delivery.py" in run.said[0]
    assert "secret" not in run.said[0]


async def test_when_too_many_wait_the_oldest_are_dropped_and_counted(tmp_path: Path) -> None:
    sink = ListSink("slow", busy())
    async with running(tmp_path, sink) as run:
        run.tell(*events(*range(1, LONGEST_QUEUE + 11)))
        await sink.has(*range(11, LONGEST_QUEUE + 11))
    assert run.said == [
        f"4 sink slow: {LONGEST_QUEUE:,} events wait for it, so the oldest are dropped",
        "4 sink slow fails: busy; what it is to be told waits",
        "5 sink slow works again, but 10 events were dropped meanwhile",
    ]


# What is for whom


async def test_a_sink_is_told_what_is_bad_enough_and_then_to_the_end(tmp_path: Path) -> None:
    sink = ListSink(severity=Severity.LEAK)
    story = [
        make_event(1, Action.SUSPECTED, severity=Severity.SUSPECTED),
        make_event(2, severity=Severity.STUCK),
        make_event(3, Action.WORSENED),
        make_event(4, Action.RESOLVED, severity=Severity.STUCK),
        make_event(5, severity=Severity.STUCK, target="other:6060"),
        make_event(6, Action.RESOLVED, severity=Severity.STUCK),
        make_event(7, severity=Severity.RUNAWAY),
    ]
    async with running(tmp_path, sink) as run:
        run.tell(*story)
        await sink.has(3, 4, 7)


async def test_a_suspicion_is_told_to_nobody_however_bad(tmp_path: Path) -> None:
    sink = ListSink()
    async with running(tmp_path, sink) as run:
        run.tell(make_event(1, Action.SUSPECTED, severity=Severity.RUNAWAY), make_event(2))
        await sink.has(2)


# Restarts


async def test_after_a_restart_what_was_not_delivered_is_and_nothing_twice(tmp_path: Path) -> None:
    sink, shut = ListSink(), ListSink("shut")
    shut.shut = True
    async with running(tmp_path, sink, shut) as run:
        await run.resume()
        run.tell(*events(1, 2))
        await sink.has(1, 2)
    sink, shut = ListSink(), ListSink("shut")
    async with running(tmp_path, sink, shut) as run:
        await run.resume(*events(1, 2, 3))
        run.tell(*events(4))
        await sink.has(3, 4)
        await shut.has(1, 2, 3, 4)
    assert sink.noted == [(1, True), (2, True), (3, False), (4, False)]


async def test_an_incident_that_went_on_before_a_restart_is_told_to_its_end(tmp_path: Path) -> None:
    story = [
        make_event(1, incident="over"),
        make_event(2, Action.RESOLVED, incident="over"),
        make_event(3, severity=Severity.RUNAWAY, incident="open"),
        make_event(4, Action.REPEATED, severity=Severity.STUCK, incident="open"),
        make_event(5, Action.REPEATED, severity=Severity.STUCK, incident="open"),
    ]
    sink = ListSink(severity=Severity.PROVEN)
    async with running(tmp_path, sink) as run:
        await run.resume(*story)
        run.tell(make_event(6, Action.RESOLVED, severity=Severity.STUCK, incident="open"))
        await sink.has(6)
    assert sink.noted == [(3, True), (5, True), (6, False)]


async def test_a_new_sink_is_not_told_the_past_but_all_that_comes(tmp_path: Path) -> None:
    async with running(tmp_path, ListSink()) as run:
        await run.resume()
        run.tell(*events(1))
    sink, new = ListSink(), ListSink("new")
    async with running(tmp_path, sink, new) as run:
        await run.resume(*events(1))
    # It was killed before event 2, which is in the journal, was told.
    new = ListSink("new")
    async with running(tmp_path, new) as run:
        await run.resume(*events(1, 2))
        await new.has(2)
    assert run.delivered == {"new": 2}, "who is a sink no more is forgotten"


async def test_the_end_gives_a_sink_that_failed_one_more_try_and_one_that_hangs_a_second(tmp_path: Path) -> None:
    sink, hanging = ListSink(), ListSink("hanging")
    sink.shut = hanging.hangs = True
    began = anyio.current_time()
    async with running(tmp_path, sink, hanging) as run:
        await run.resume()
        run.tell(*events(1, 2))
        while not run.waits:
            await anyio.lowlevel.checkpoint()
        sink.shut = False
    assert sink.numbers == [1, 2]
    assert run.delivered == {"list": 2, "hanging": 0}
    assert anyio.current_time() - began < 2


async def test_a_watch_that_starts_anew_tells_nothing_twice(tmp_path: Path) -> None:
    sink = ListSink()
    sink.shut = True
    async with running(tmp_path, sink) as run:
        await run.resume()
        run.tell(*events(1, 2))
        await run.resume(*events(1, 2, 3))
        changed = ListSink(severity=Severity.LEAK)
        run.delivery.change([changed], {"localhost:6060"})
        await changed.has(1, 2, 3)
    assert run.delivered == {"list": 3}


async def test_a_journal_that_was_removed_begins_anew(tmp_path: Path) -> None:
    sink = ListSink()
    Delivered(tmp_path).begin(["list"], 0)
    (tmp_path / DELIVERED).write_text('{"list": 50}')
    async with running(tmp_path, sink) as run:
        await run.resume()
        run.tell(*events(1))
        await sink.has(1)
    assert run.delivered == {"list": 1}


@pytest.mark.parametrize("content", ["", "[]", '{"list": "x"}', "\x00"])
async def test_a_damaged_note_of_what_was_delivered_is_said_and_stops_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / DELIVERED).parent.mkdir()
    (tmp_path / DELIVERED).write_text(content)
    sink = ListSink()
    async with running(tmp_path, sink) as run:
        await run.resume(*events(1))
        run.tell(*events(2))
        await sink.has(2)
    assert "expected an object of numbers by the names of sinks" in run.said[0]
    assert run.delivered == {"list": 2}


async def test_a_disk_that_takes_nothing_is_said_once(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("")
    sink = ListSink()
    async with running(folder, sink) as run:
        await run.resume()
        run.tell(*events(1, 2))
        await sink.has(1, 2)
    assert [line.rpartition(": ")[2] for line in run.said] == [
        "no sink is told again what happened before",
        "sinks may be told twice after a restart",
    ]


def test_a_link_in_the_place_of_the_note_is_not_followed(tmp_path: Path) -> None:
    delivered = Delivered(tmp_path)
    delivered.begin(["list"], 0)
    other = tmp_path / "other"
    other.write_text("{}")
    (tmp_path / f"{DELIVERED}.tmp").symlink_to(other)
    with pytest.raises(LogError, match="cannot write"):
        delivered.advance("list", 1)
    assert other.read_text() == "{}"


# Reload


async def test_a_changed_sink_goes_on_with_what_waits_and_knows_what_is_open(tmp_path: Path) -> None:
    sink = ListSink()
    sink.shut = True
    async with running(tmp_path, sink) as run:
        await run.resume()
        run.tell(*events(1), make_event(2, incident="gone"), make_event(3, Action.RESOLVED, incident="gone"))
        changed, new = ListSink(severity=Severity.LEAK), ListSink("new")
        run.delivery.change([changed, new], {"localhost:6060"})
        run.tell(*events(4))
        await changed.has(1, 2, 3, 4)
        await new.has(4)
    assert new.noted == [(1, True), (4, False)]
    assert new.targets == {"localhost:6060"}
    assert run.delivered == {"list": 4, "new": 4}


async def test_a_sink_that_is_no_more_is_told_nothing_and_one_that_stays_is_left_alone(tmp_path: Path) -> None:
    old, sink = ListSink("old"), ListSink()
    async with running(tmp_path, old, sink) as run:
        run.tell(*events(1))
        await old.has(1)
        run.delivery.change([ListSink()], set())
        run.tell(*events(2))
        await sink.has(1, 2)
    assert old.numbers == [1]


# Refreshing


async def test_a_sink_that_wants_it_is_refreshed_again_and_again_and_told_between(tmp_path: Path) -> None:
    sink = ListSink("pager", busy(), refusal())
    sink.resend = 0.01
    async with running(tmp_path, sink) as run:
        while sink.refreshed < 3:
            sink.news = anyio.Event()
            await sink.news.wait()
        run.tell(*events(1))
        await sink.has(1)
    assert run.said == ["4 sink pager fails: busy; what it is to be told waits", "5 sink pager works again"]


# Killed at any moment


@given(st.lists(st.sampled_from(["tell", "open", "shut", "kill"]), max_size=12))
@settings(max_examples=30, deadline=None)
def test_killed_at_any_moment_a_sink_is_told_all_and_in_order(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        told = anyio.run(_live, Path(name), [*steps, "kill", "open"])
        journal = [event.number for event in Journal(Path(name)).read()]
    assert told == journal


async def _live(folder: Path, steps: list[str]) -> list[int]:
    """Lives of daemons, one after the other: each event is in the journal, maybe for long, before it is told."""
    told: list[int] = []
    number = 0
    while steps:
        sink = ListSink()
        sink.shut = True
        async with running(folder, sink) as run:
            await run.resume(*Journal(folder).read())
            while steps and (step := steps.pop(0)) != "kill":
                if step == "tell":
                    number += 1
                    (event,) = events(number)
                    Journal(folder).append(event)
                    run.tell(event)
                else:
                    sink.shut = step == "shut"
                    await anyio.sleep(0.001)
            while not steps and len(told) + len(sink.told) < number:
                sink.news = anyio.Event()
                await sink.news.wait()
        told += sink.numbers
    return told
