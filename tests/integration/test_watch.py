"""A target's watch on a real log folder: what it tells, and what it tells when it was killed in between."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.journal import JOURNAL
from pprofwatch.alerts.watch import SharedParser, Watch
from pprofwatch.config.settings import LeakConfig
from pprofwatch.errors import LogError
from pprofwatch.logs.folder import LogFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry, Profile, Record
from pprofwatch.profiles.text import render_text
from simulated import EVERY, START, leak, seconds, server, stack, steady

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pprofwatch.logs.target_folder import TargetFolder
    from pprofwatch.model import Stack

TARGET = "localhost:6060"
LEAKING = stack("main.(*Dispatcher).forward", "main.serve")
BUSY = stack("main.handle", "main.listen")
#: A window of ten minutes: a block every two polls.
CONFIG = LeakConfig(window=600.0, min_count=10, repeat=500.0)


def entries(counts: Iterable[int], *, hours: float = 0.6) -> list[Entry]:
    """The polls of a server whose leaking stack has these counts."""
    return [entry(time, "goroutine", counted) for time, counted in server(hours, {LEAKING: counts, BUSY: steady(50)})]


def entry(time: float, name: str, counted: dict[Stack, int]) -> Entry:
    records = tuple(Record(each, (count,)) for each, count in counted.items())
    return Entry(time, TARGET, name, render_text(Profile(name, sum(counted.values()), records)))


def life() -> Iterator[int]:
    """A leak that is found at about 11 minutes, told again twice, and over after 30."""
    return (count if t < 1800 else 0 for t, count in zip(seconds(), leak(10), strict=False))


def proven_life() -> list[Entry]:
    """Twelve that are stuck at first, become more, and go with a restart; after which twenty others are stuck.

    The goroutineleak profile is there every 150 seconds, and lists some of each.
    """

    def count(t: int) -> int:
        return 12 + max(0, t - 500) // 10 if t < 1200 else 0 if t < 1500 else 20

    polls = []
    for time, counted in server(0.6, {LEAKING: map(count, seconds()), BUSY: itertools.cycle((50, 60, 40))}):
        polls.append(entry(time, "goroutine", counted))
        if (time - START) % 150 == 0:
            listed = {each: n - 2 if each == LEAKING else 3 for each, n in counted.items()}
            polls.append(entry(time + 1, "goroutineleak", listed))
    return polls


class Daemon:
    """What a daemon does for one target with each poll: log it, and watch."""

    def __init__(self, folder: TargetFolder, now: float) -> None:
        self.told: list[Event] = []
        self._writers = {
            name: LogWriter(folder, name, rotate_size=1 << 20, rotate_age=86400)
            for name in ("goroutine", "goroutineleak", "heap")
        }
        self.watch = Watch(
            TARGET, folder.path, CONFIG, SharedParser(), now=lambda: now, tell=lambda event, _: self.told.append(event)
        )
        self.watch.replay()

    def log(self, entry: Entry) -> None:
        self._writers[entry.profile].append(entry)

    def poll(self, entry: Entry) -> None:
        self.log(entry)
        self.watch.observe(entry)
        if self.watch.has_news:
            self.watch.note()

    def poll_all(self, polls: Iterable[Entry]) -> list[Event]:
        for entry in polls:
            self.poll(entry)
        return self.told

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[TargetFolder]:
    logs = LogFolder(tmp_path / "logs")
    yield logs.target(TARGET)
    logs.close()


def started(folder: TargetFolder, polls: list[Entry], at: int = 0) -> Daemon:
    return Daemon(folder, polls[at].time)


def test_a_leak_s_life_is_told_once_and_on_time(folder: TargetFolder) -> None:
    polls = entries(life())
    daemon = started(folder, polls)
    opened, *repeated, resolved = daemon.poll_all(polls)
    daemon.close()
    assert [event.action for event in (opened, resolved)] == [Action.OPENED, Action.RESOLVED]
    assert 600 < opened.time - START <= 720
    assert [event.time for event in repeated] == [opened.time + 500, opened.time + 1000]
    assert {event.action for event in repeated} == {Action.REPEATED}
    assert 1800 <= resolved.time - START <= 1830
    assert {event.leak.stack for event in daemon.told} == {LEAKING}
    assert opened.leak.culprit.function == "main.(*Dispatcher).forward"
    assert resolved.leak.count_to == 0


@pytest.mark.parametrize(("polls", "events"), [(entries(life()), 4), (proven_life(), 6)], ids=["growth", "proofs"])
def test_a_daemon_killed_between_any_two_polls_tells_what_one_that_was_not_tells(
    folder: TargetFolder, tmp_path: Path, polls: list[Entry], events: int
) -> None:
    reference = started(folder, polls)
    states = []
    for i, entry in enumerate(polls):
        state = tmp_path / f"killed-{i}"
        shutil.copytree(folder.path, state)
        states.append((state, len(reference.told)))
        reference.poll(entry)
    reference.close()
    assert len(reference.told) == events
    for i, (state, told) in enumerate(states):
        daemon = started(type(folder)(state), polls, i)
        after = daemon.poll_all(polls[i:])
        daemon.close()
        assert after == reference.told[told:], f"killed before poll {i}"


def test_what_was_logged_but_not_told_when_it_was_killed_is_told_after_the_restart(
    folder: TargetFolder, tmp_path: Path
) -> None:
    polls = entries(life())
    reference = started(folder, polls)
    news = []
    for i, entry in enumerate(polls):
        told = len(reference.told)
        shutil.copytree(folder.path, tmp_path / "before")
        reference.poll(entry)
        if len(reference.told) > told:
            news.append((i, (tmp_path / "before").rename(tmp_path / f"killed-{i}"), told))
        else:
            shutil.rmtree(tmp_path / "before")
    reference.close()
    for i, state, told in news:
        killed = started(type(folder)(state), polls, i)
        killed.log(polls[i])
        killed.close()
        daemon = started(type(folder)(state), polls, i + 1)
        after = daemon.poll_all(polls[i + 1 :])
        daemon.close()
        expected = reference.told[told:]
        assert [(event.action, event.incident) for event in after] == [
            (event.action, event.incident) for event in expected
        ]
        assert 0 < after[0].time - expected[0].time <= 3 * EVERY


def test_what_leaks_again_after_a_restart_of_the_target_is_asked_about_again(folder: TargetFolder) -> None:
    daemon = Daemon(folder, START)
    asked = []
    for poll in entries(itertools.chain(range(100), itertools.repeat(0, 20), range(100))):
        daemon.poll(poll)
        if daemon.watch.wants_evidence:
            daemon.watch.begin_evidence()
            asked.append(poll.time)
    daemon.close()
    life = [Action.SUSPECTED, Action.OPENED, Action.RESOLVED]
    assert [event.action for event in daemon.told] == [*life, Action.SUSPECTED, Action.OPENED]
    assert any(1200 < time - START < 1400 for time in asked)


def test_a_restart_after_a_long_pause_resolves_nothing_by_itself(folder: TargetFolder) -> None:
    polls = entries(leak(10), hours=4)
    before = started(folder, polls)
    (opened,) = before.poll_all(polls[:80])
    before.close()
    # Three hours later: the log's last entries are older than what is replayed.
    daemon = started(folder, polls, 1200)
    told = daemon.poll_all(polls[1200:1210])
    daemon.close()
    assert [(event.action, event.incident) for event in told] == [(Action.REPEATED, opened.incident)]
    assert told[0].leak.count_to == 1201
    assert (told[0].leak.since, told[0].leak.count_from) == (opened.leak.since, opened.leak.count_from)


def test_failed_polls_deltas_and_damaged_bodies_tell_the_detector_nothing(folder: TargetFolder) -> None:
    polls = entries(life())
    daemon = started(folder, polls)
    noise = [
        Entry(0.0, TARGET, "goroutine", error="connection refused"),
        Entry(0.0, TARGET, "goroutine", gap=3),
        Entry(0.0, TARGET, "goroutine", b"goroutine profile: total 0\n", seconds=1),
        Entry(0.0, TARGET, "heap", b"heap profile: 0: 0 [0: 0] @ heap/1048576\n"),
        Entry(0.0, TARGET, "goroutine", b"goroutine profile: total 5\n3 @ 0x1\n\n"),
        Entry(0.0, TARGET, "goroutine", b"<html>"),
    ]
    for i, entry in enumerate(polls):
        daemon.poll(entry)
        other = noise[i % len(noise)]
        daemon.poll(
            Entry(entry.time + 5, TARGET, other.profile, other.body, other.seconds, error=other.error, gap=other.gap)
        )
    daemon.close()
    assert [event.action for event in daemon.told] == [
        Action.OPENED,
        Action.REPEATED,
        Action.REPEATED,
        Action.RESOLVED,
    ]


def test_an_alert_that_can_t_be_noted_down_is_told_all_the_same(folder: TargetFolder) -> None:
    polls = entries(life())
    daemon = started(folder, polls)
    (folder.path / JOURNAL).mkdir(parents=True)
    failures = []
    for entry in polls:
        try:
            daemon.poll(entry)
        except LogError as error:
            failures.append(str(error))
    daemon.close()
    assert len(daemon.told) == len(failures) == 4
    assert set(failures) == {f"{folder.path / JOURNAL}: cannot write: Is a directory"}


def test_a_journal_that_can_t_be_read_is_said_at_the_start(folder: TargetFolder) -> None:
    (folder.path / JOURNAL).mkdir(parents=True)
    with pytest.raises(LogError, match=r"incidents\.log: "):
        Daemon(folder, START)


def test_of_what_was_proven_unasked_the_target_is_asked_once_why_it_waits(folder: TargetFolder) -> None:
    watch = Watch(TARGET, folder.path, CONFIG, SharedParser(), now=lambda: START, tell=lambda _event, _folder: None)
    watch.replay()
    (goroutines,) = entries(steady(12), hours=10 / 3600)
    listed = Profile("goroutineleak", 12, (Record(LEAKING, (12,)),))
    watch.observe(goroutines)
    watch.observe(Entry(START + 5, TARGET, "goroutineleak", render_text(listed)))
    wanted = [watch.wants_evidence]
    watch.begin_evidence()
    wanted.append(watch.wants_evidence)
    watch.take_reasons(START + 6, {LEAKING: "chan send"})
    wanted += [watch.wants_evidence, watch.wants_second_dump]
    assert wanted == [True, False, False, False]
