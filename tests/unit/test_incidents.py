"""An incident's life, and the journal that remembers what was told of it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pprofwatch.alerts.incidents import Action, Event, Incidents
from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.errors import LogError
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from simulated import HOUR, START, stack

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "localhost:6060"
STACK = stack("main.(*Dispatcher).forward", "main.serve")
LEAK = Leak(
    stack=STACK,
    severity=Severity.LEAK,
    detected_at=START,
    since=START - 1800,
    time=START,
    count_from=3,
    count_to=120,
    total_from=70,
    total_to=190,
    also=(stack("main.a"), stack("main.b")),
)
OTHER = replace(LEAK, stack=stack("main.(*Cache).refresh"), also=())


def incidents(repeat: float = HOUR) -> Incidents:
    return Incidents(TARGET, "goroutine", repeat)


def told(events: list[Event]) -> list[tuple[Action, float]]:
    return [(event.action, event.time - START) for event in events]


def test_an_incident_opens_once_is_repeated_while_it_lasts_and_resolves_once() -> None:
    life = incidents()
    events = []
    for i in range(0, 3 * HOUR, 10):
        events += life.update(START + i, [replace(LEAK, count_to=120 + i // 100)] if i < 2.5 * HOUR else [])
    assert told(events) == [
        (Action.OPENED, 0),
        (Action.REPEATED, HOUR),
        (Action.REPEATED, 2 * HOUR),
        (Action.RESOLVED, 2.5 * HOUR),
    ]
    assert [event.leak.count_to for event in events[:3]] == [120, 156, 192]
    assert {(event.target, event.profile) for event in events} == {(TARGET, "goroutine")}
    (name,) = {event.incident for event in events}
    assert name.startswith("20261122T130000Z-")


def test_an_incident_worsens_when_its_severity_rises_and_never_gets_better() -> None:
    life = incidents()
    life.update(START, [replace(LEAK, severity=Severity.STUCK)])
    assert life.update(START + 10, [LEAK])[0].action is Action.WORSENED
    (event,) = life.update(START + 20, [replace(LEAK, severity=Severity.PROVEN)])
    assert (event.action, event.leak.severity) == (Action.WORSENED, Severity.PROVEN)
    assert life.update(START + 30, [LEAK]) == []


def test_an_incident_worsens_each_time_that_its_count_has_doubled_but_not_all_the_time() -> None:
    life = incidents()
    events = []
    for i in range(0, 2 * HOUR, 10):
        events += life.update(START + i, [replace(LEAK, count_to=10 + i)])
    assert [action for action, _ in told(events)] == [Action.OPENED] + 5 * [Action.WORSENED]
    counts = [event.leak.count_to for event in events]
    assert all(later >= 2 * before for before, later in itertools.pairwise(counts))
    times = [time for _, time in told(events)]
    assert all(later - before >= HOUR / 10 for before, later in itertools.pairwise(times))


def test_an_incident_is_repeated_though_the_clock_was_set_back_a_day() -> None:
    life = incidents()
    assert told(life.update(START, [LEAK])) == [(Action.OPENED, 0)]
    back = START - 24 * HOUR
    events = [event for i in range(0, 2 * HOUR, 10) for event in life.update(back + i, [LEAK])]
    assert told(events) == [(Action.REPEATED, -23 * HOUR)]


def test_what_is_stuck_is_told_once() -> None:
    life = incidents()
    stuck = replace(LEAK, severity=Severity.STUCK)
    events = [event for i in range(0, 50 * HOUR, 600) for event in life.update(START + i, [stuck])]
    assert [event.action for event in events] == [Action.OPENED]
    assert [event.action for event in life.update(START + 51 * HOUR, [])] == [Action.RESOLVED]


def test_a_suspicion_is_no_incident() -> None:
    life = incidents()
    (event,) = life.suspected(START, [LEAK])
    assert event.action is Action.SUSPECTED
    assert life.restore([event]) == []
    assert life.update(START, []) == []


def test_what_is_over_is_told_with_its_last_numbers() -> None:
    life = incidents()
    life.update(START, [LEAK])
    (event,) = life.update(START + 10, [], [replace(LEAK, count_to=5)])
    assert (event.action, event.leak.count_to) == (Action.RESOLVED, 5)


def test_a_leak_that_comes_back_is_another_incident() -> None:
    life = incidents()
    (first,) = life.update(START, [LEAK])
    life.update(START + 10, [])
    (second,) = life.update(START + HOUR, [replace(LEAK, detected_at=START + HOUR)])
    assert second.action is Action.OPENED
    assert second.incident != first.incident
    assert second.incident[-8:] == first.incident[-8:]


def test_a_release_that_moves_lines_is_the_same_incident() -> None:
    life = incidents()
    life.update(START, [LEAK])
    moved = replace(LEAK, stack=stack(*STACK.functions, line=77), detected_at=START + 10)
    assert not life.update(START + 10, [moved], over=[LEAK])
    (event,) = life.update(START + HOUR, [moved])
    assert event.action is Action.REPEATED
    assert event.incident.startswith("20261122T130000Z-")


def test_incidents_of_different_stacks_have_lives_of_their_own() -> None:
    life = incidents()
    first, second = life.update(START, [LEAK, OTHER])
    assert first.incident != second.incident
    (event,) = life.update(START + 10, [OTHER])
    assert (event.action, event.incident) == (Action.RESOLVED, first.incident)


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    before = incidents()
    events = before.update(START, [LEAK, OTHER]) + before.update(START + 600, [LEAK])
    after = incidents()
    assert after.restore(events) == [LEAK]
    assert not after.update(START + 610, [LEAK])
    (repeated,) = after.update(START + HOUR, [LEAK])
    assert (repeated.action, repeated.incident) == (Action.REPEATED, events[0].incident)
    (resolved,) = after.update(START + HOUR + 10, [])
    assert (resolved.action, resolved.incident) == (Action.RESOLVED, events[0].incident)


def test_what_was_told_of_others_is_left_alone() -> None:
    event = Event(Action.OPENED, START, "x", TARGET, "goroutine", LEAK)
    others = [replace(event, target="other:1"), replace(event, profile="threadcreate")]
    assert incidents().restore(others) == []


# The journal.

OPENED = Event(Action.OPENED, START, "20261122T130000Z-3fa9c1d2", TARGET, "goroutine", LEAK)
RESOLVED = replace(OPENED, action=Action.RESOLVED, time=START + 60, leak=replace(LEAK, time=START + 60, count_to=4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / JOURNAL


def test_the_journal_gives_back_what_was_told(tmp_path: Path, path: Path) -> None:
    assert Journal(tmp_path).read() == []
    for event in (OPENED, RESOLVED):
        Journal(tmp_path).append(event)
    assert Journal(tmp_path).read() == [OPENED, RESOLVED]
    assert path.stat().st_mode & 0o777 == 0o640


def test_names_of_any_kind_come_back(tmp_path: Path) -> None:
    odd = replace(
        OPENED, target='a "b"\n\x1b[31m', leak=replace(LEAK, stack=stack("main.(*Größe).·f\u2028\n", "main.x"))
    )
    Journal(tmp_path).append(odd)
    assert Journal(tmp_path).read() == [odd]


@pytest.mark.parametrize("cut", [1, 20, 400])
def test_a_torn_line_is_passed_over_and_stays_a_line_of_its_own(tmp_path: Path, path: Path, cut: int) -> None:
    journal = Journal(tmp_path)
    journal.append(OPENED)
    journal.append(RESOLVED)
    os.truncate(path, path.stat().st_size - cut)
    # Without its newline alone, the line is whole.
    whole = [OPENED, RESOLVED] if cut == 1 else [OPENED]
    assert journal.read() == whole
    journal.append(RESOLVED)
    assert journal.read() == [*whole, RESOLVED]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"{}",
        b"[1, 2]",
        b'{"time": "yesterday"}',
        b"[" * 100_000,
        b'{"time":' * 10_000,
    ],
    ids=range(8),
)
def test_garbage_is_passed_over(tmp_path: Path, path: Path, line: bytes) -> None:
    journal = Journal(tmp_path)
    journal.append(OPENED)
    with path.open("ab") as file:
        file.write(line + b"\n")
    journal.append(RESOLVED)
    assert journal.read() == [OPENED, RESOLVED]


@settings(deadline=None)  # the disk takes its time
@given(data=st.data())
def test_a_damaged_line_is_passed_over_or_reads_as_the_event_that_it_was(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder)
    journal.append(OPENED)
    line = bytearray((folder / JOURNAL).read_bytes())
    at = data.draw(st.integers(0, len(line) - 2))
    line[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    (folder / JOURNAL).write_bytes(line)
    assert journal.read() in ([], [OPENED])


def test_every_flipped_bit_of_a_line_is_noticed(tmp_path: Path, path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(OPENED)
    line = path.read_bytes()
    for at in (*range(0, len(line) - 30, 9), *range(len(line) - 30, len(line) - 1)):
        for bit in range(8):
            path.write_bytes(line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :])
            assert journal.read() == []
            assert journal.damaged_lines()


def test_a_line_that_was_written_before_lines_had_checksums_is_read(tmp_path: Path, path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(OPENED)
    path.write_bytes(path.read_bytes().partition(b',"crc32":')[0] + b"}\n")
    assert journal.read() == [OPENED]


def test_a_long_journal_is_cut_to_its_end_and_what_is_open(tmp_path: Path, path: Path) -> None:
    journal = Journal(tmp_path)
    still_open = replace(OPENED, incident="20261122T120000Z-00000001", leak=OTHER)
    for event in (still_open, OPENED, RESOLVED):
        journal.append(event)
    pair = b"".join(path.read_bytes().splitlines(keepends=True)[1:])
    path.write_bytes(path.read_bytes() + pair * (1 + (8 << 20) // len(pair)))
    path.with_name("incidents.log.tmp").write_bytes(b"left over")
    journal.append(OPENED)
    assert 3 << 20 < path.stat().st_size < 5 << 20
    events = journal.read()
    assert events[0] == still_open
    assert still_open not in events[1:]
    assert events[-1] == OPENED
    assert path.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in path.parent.iterdir()] == ["incidents.log"]


def test_a_journal_that_is_no_file_is_one_clear_line(tmp_path: Path, path: Path) -> None:
    path.mkdir(parents=True)
    for use in (Journal(tmp_path).read, lambda: Journal(tmp_path).append(OPENED)):
        with pytest.raises(LogError, match=f"^{path}: [^\n]+$"):
            use()


def test_a_link_that_someone_planted_is_not_followed(tmp_path: Path, path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine\n")
    path.parent.mkdir()
    path.symlink_to(victim)
    with pytest.raises(LogError, match=f"^{path}: cannot read: "):
        Journal(tmp_path).read()
    with pytest.raises(LogError, match=f"^{path}: cannot write: "):
        Journal(tmp_path).append(OPENED)
    assert victim.read_bytes() == b"mine\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_journal_that_may_not_be_read_is_one_clear_line(tmp_path: Path, path: Path) -> None:
    Journal(tmp_path).append(OPENED)
    path.chmod(0)
    with pytest.raises(LogError, match=r"cannot read: Permission denied$"):
        Journal(tmp_path).read()


FULL = """
import resource, sys
from pathlib import Path
from pprofwatch.alerts.journal import Journal
from pprofwatch.errors import LogError

journal = Journal(Path(sys.argv[1]))
(event,) = journal.read()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    journal.append(event)
except LogError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 10])
def test_on_a_full_disk_it_says_so_and_keeps_what_it_has(tmp_path: Path, path: Path, room: int) -> None:
    journal = Journal(tmp_path)
    journal.append(OPENED)
    before = path.read_bytes()
    args = [sys.executable, "-c", FULL, str(tmp_path), str(len(before) + room)]
    result = subprocess.run(args, capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.startswith(f"{path}: cannot write: ")
    assert result.stdout.count("\n") == 1
    assert path.read_bytes() == before
    journal.append(RESOLVED)
    assert journal.read() == [OPENED, RESOLVED]
