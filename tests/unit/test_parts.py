"""Reading a log in parts brings what reading it as a whole does, wherever the parts begin."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from damaging import sealed
from logmaker import START, body, date_line, entry, log_of, read_all, shell_log
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.parts import PartReader, read_parts
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.reader import map_entries
from pprofwatch.logs.sources import open_raw
from pprofwatch.model import Entry, Frame, Stack

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.logs.entry import ScannedEntry

OURS = [
    Entry(START + 7 * number, "localhost:6060", "goroutine", body(number + 3, records=1 + number % 7), took=0.004)
    for number in range(120)
]


def same(found: ScannedEntry) -> Entry:
    return found.entry


def read(path: Path, size: int, processes: int, *, first_lines: bool = False) -> tuple[list[Entry], list[Problem], int]:
    """What is read in parts of so many bytes, what can't be, and in how many parts."""
    problems: list[Problem] = []
    progress: list[int] = []
    with open_raw(str(path)) as raw:
        reader = PartReader(raw, same, lambda _: True, first_lines)
        parts = reader.parts(size)
        entries = list(
            read_parts(
                reader, parts, processes, lambda *what: problems.append(Problem(str(path), *what)), progress.append
            )
        )
    assert sum(progress) <= path.stat().st_size
    return entries, problems, len(parts)


def by_offset(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.reason.startswith("compressed"), problem.offset))


@pytest.mark.parametrize("first_lines", [False, True])
@pytest.mark.parametrize("processes", [0, 1, 3])
@pytest.mark.parametrize(
    "data",
    [log_of(OURS), shell_log(range(120)), sealed(OURS, frame=1500), log_of(OURS) + shell_log(range(60)), b"x" * 9000],
    ids=["ours", "shell", "compressed", "both", "none"],
)
def test_parts_bring_what_the_whole_does(tmp_path: Path, data: bytes, processes: int, first_lines: bool) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(data)
    entries, problems = read_all(path, first_lines=first_lines)
    *found, parts = read(path, 1000, processes, first_lines=first_lines)
    assert found == [entries, problems]
    assert parts >= 10 or b"x" * 100 in data


def test_an_entry_in_an_entry_is_no_part(tmp_path: Path) -> None:
    """Somebody's server answers with our log, and with a shell loop's: parts that begin there were guessed wrong."""
    quoting = [entry(1), entry(2)._replace(body=log_of(OURS)), entry(3)._replace(body=shell_log(range(60))), entry(4)]
    path = tmp_path / "a.log"
    path.write_bytes(log_of(quoting * 3))
    entries, problems, parts = read(path, 1000, 0)
    assert (entries, problems) == (quoting * 3, [])
    assert parts > 20


def test_what_lost_its_checksum_is_damaged_in_a_later_part_too(tmp_path: Path) -> None:
    entries = [encode_entry(each) for each in OURS]
    for at in range(40, 80):
        entries[at] = entries[at].replace(b" head=", b"", 1)
    path = tmp_path / "a.log"
    path.write_bytes(b"".join(entries))
    *found, _ = read(path, 500, 0)
    assert found == list(read_all(path))


@pytest.mark.parametrize("seed", range(60))
def test_parts_of_a_damaged_log_bring_what_the_whole_does(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kind = seed % 3
    data = [log_of(OURS), shell_log(range(120)), sealed(OURS, frame=rng.randrange(300, 3000))][kind]
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data))
        piece = rng.choice(
            (b"", rng.randbytes(8), b"\n", bytes(700), date_line(3), encode_entry(OURS[1]), data[-at:][:900])
        )
        data = data[:at] + piece + data[at + rng.choice((0, 1, len(piece), 800)) :]
    path = tmp_path / ("a.log.zst" if kind == 2 else "a.log")
    path.write_bytes(data)
    entries, problems = read_all(path)
    found, told, _ = read(path, rng.randrange(300, 3000), 0)
    assert found == entries
    assert by_offset(told) == by_offset(problems)


def test_other_compression_is_one_part(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(log_of(OURS)))
    with open_raw(str(path)) as raw:
        assert len(PartReader(raw, same, lambda _: True, first_lines=False).parts(100)) == 1


def test_who_stops_early_leaves_no_process(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(log_of(OURS * 100))  # more than a pipe holds
    with open_raw(str(path)) as raw:
        reader = PartReader(raw, same, lambda _: True, first_lines=False)
        with contextlib.closing(read_parts(reader, reader.parts(100_000), 2, lambda *_: None, lambda _: None)) as found:
            assert next(found) == OURS[0]
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("data", [log_of(OURS * 20), sealed(OURS * 20, frame=400)], ids=["ours", "compressed"])
def test_a_log_has_a_thousand_parts_at_the_most(tmp_path: Path, data: bytes, processes: int) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(data)
    entries, problems, parts = read(path, 1, processes)
    assert entries == OURS * 20
    assert not problems
    assert 500 < parts <= 1001


@pytest.mark.parametrize("room", [1, 2, 3, 4, 5])
def test_where_not_enough_processes_can_be_had_this_one_reads(tmp_path: Path, room: int) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(log_of(OURS))
    with open_raw(str(path)) as raw:
        reader = PartReader(raw, same, lambda _: True, first_lines=False)
        parts = reader.parts(1000)
        free = [os.dup(raw.fileno()) for _ in range(room)]
        for descriptor in free:
            os.close(descriptor)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        # A pipe takes two, and leaves one open: first that of the numbers of parts, then each process' own.
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1] + 1, limits[1]))
        try:
            found = list(read_parts(reader, parts, 2, lambda *_: None, lambda _: None))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert os.dup(raw.fileno()) == free[0]  # what was opened is closed
        os.close(free[0])
    assert found == OURS
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_process_that_is_killed_is_told(tmp_path: Path) -> None:
    def killed(found: ScannedEntry) -> Entry:
        if found.header.time == OURS[60].time:
            os.kill(os.getpid(), signal.SIGKILL)
        return found.entry

    path = tmp_path / "a.log"
    path.write_bytes(log_of(OURS))
    with open_raw(str(path)) as raw:
        reader = PartReader(raw, killed, lambda _: True, first_lines=False)
        found = read_parts(reader, reader.parts(1000), 2, lambda *_: None, lambda _: None)
        with pytest.raises(OSError, match="the process that read it has ended"):
            list(found)
        assert 0 < raw.position < raw.size


def test_a_long_log_is_read_by_several_processes(tmp_path: Path) -> None:
    """What the function returns comes from elsewhere; equal stacks are the same object all the same."""
    path = tmp_path / "a.log"
    long = [entry(number)._replace(body=b"#\t0x1\n" * (2 << 20)) for number in range(9)]
    path.write_bytes(log_of(long))
    stack = Stack((Frame("main.main", "main.go", 3),))
    here = os.getpid()

    def function(found: ScannedEntry) -> tuple[float, int, Stack]:
        return found.header.time, os.getpid(), Stack(tuple(stack.frames))

    found = list(map_entries(function, [path], processes=2))
    assert [time for time, _, _ in found] == [each.time for each in long]
    pids = {pid for _, pid, _ in found}
    assert len(pids) == 2
    assert here not in pids
    assert len({id(made) for _, _, made in found}) == 1


def test_who_is_killed_leaves_no_process(tmp_path: Path) -> None:
    """Nobody takes what is found any more: that ends them."""
    path = tmp_path / "a.log"
    path.write_bytes(log_of(OURS * 200))
    program = (
        "import sys; from pprofwatch.logs.parts import *; from pprofwatch.logs.sources import open_raw\n"
        "reader = PartReader(open_raw(sys.argv[1]), lambda found: found.entry, lambda _: True, False)\n"
        "found = read_parts(reader, reader.parts(100_000), 3, print, lambda _: None)\n"
        "print(next(found), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.kill()
        assert process.stdout.read() == b""  # it ends when all that have it open have ended
