"""``pprofwatch tail``: the last entries, and new ones as they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logmaker import START, body, date_line, entry, log_of
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.folder import LogFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARY = Path(sys.executable).with_name("pprofwatch")


def line_of(number: int, profile: str = "goroutine") -> str:
    minutes, seconds = divmod(49 * 60 + 53 + 10 * number, 60)
    return f"2026-11-22T13:{minutes:02}:{seconds:02}.000Z {number + 3} localhost:6060 {profile}\n"


def run(*args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([BINARY, "tail", *args], input=stdin, capture_output=True, timeout=60, check=False)


@contextmanager
def following(*args: str | Path) -> Iterator[subprocess.Popen[str]]:
    """``tail -f``, ended by the end of the block at the latest."""
    with subprocess.Popen(
        [BINARY, "tail", "-f", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_the_last_entries_of_a_file_and_of_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    failed = Entry(START + 200, "localhost:6060", "goroutine", error="connection \x1brefused")
    path.write_bytes(log_of([*map(entry, range(20)), failed]))
    last = "2026-11-22T13:53:13.000Z - localhost:6060 goroutine error: connection \\x1brefused\n"
    expected = line_of(18) + line_of(19) + last
    assert run("-n", "3", path).stdout.decode() == expected
    assert run("-n", "3", "-", stdin=path.read_bytes()).stdout.decode() == expected
    assert len(run(path).stdout.splitlines()) == 10
    assert run("-n", "0", path).stdout == b""
    assert json.loads(run("--json", "-n", "1", path).stdout)["error"] == "connection \x1brefused"


def test_a_folders_logs_are_told_in_order_of_time(tmp_path: Path) -> None:
    (tmp_path / "goroutine-20261122T134953Z.log").write_bytes(log_of(map(entry, range(5))))
    (tmp_path / "goroutine.log").write_bytes(log_of(map(entry, (5, 7))))
    (tmp_path / "threadcreate.log").write_bytes(log_of([entry(6, profile="threadcreate")]))
    lines = [line_of(4), line_of(5), line_of(6, "threadcreate"), line_of(7)]
    assert run("-n", "4", tmp_path).stdout.decode() == "".join(lines)
    assert run("-n", "2", tmp_path).stdout.decode() == "".join(lines[-2:])
    assert run("-n", "1", "--profile", "threadcreate", tmp_path).stdout.decode() == lines[2]


def test_new_entries_follow_also_in_a_new_segment_and_a_new_log(tmp_path: Path) -> None:
    with LogFolder(tmp_path) as folder:
        target = folder.target("localhost:6060")
        writer = LogWriter(target, "goroutine", rotate_size=1 << 20, rotate_age=3600)
        writer.append(entry(0))
        with following(tmp_path) as process:
            assert read_line(process) == line_of(0)
            writer.append(entry(1))
            assert read_line(process) == line_of(1)
            writer.append(entry(2))
            writer.rotate()
            writer.append(entry(3))
            assert [read_line(process), read_line(process)] == [line_of(2), line_of(3)]
            threads = LogWriter(target, "threadcreate", rotate_size=1 << 20, rotate_age=3600)
            threads.append(entry(4, profile="threadcreate"))
            assert read_line(process) == line_of(4, "threadcreate")
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            assert process.stderr is not None
            assert (process.stdout.read(), process.stderr.read()) == ("", "")
            assert process.wait(30) == 0
        writer.close()
        threads.close()


def test_an_entry_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    whole = encode_entry(entry(1))
    path.write_bytes(encode_entry(entry(0)) + whole[:150])
    with following(path) as process:
        assert read_line(process) == line_of(0)
        append(path, whole[150:] + encode_entry(entry(2)))
        assert [read_line(process), read_line(process)] == [line_of(1), line_of(2)]


def test_a_shell_loops_entry_is_told_when_the_next_one_begins(tmp_path: Path) -> None:
    path = tmp_path / "shell.log"
    path.write_bytes(date_line(0) + body(3) + date_line(1))
    with following(path) as process:
        assert read_line(process) == "2026-11-22T13:49:53.000Z 3 goroutine\n"
        append(path, body(4) + date_line(2))
        assert read_line(process) == "2026-11-22T13:50:03.000Z 4 goroutine\n"


def test_a_file_that_is_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    path.write_bytes(log_of(map(entry, range(3))))
    with following("-n", "1", path) as process:
        assert read_line(process) == line_of(2)
        os.truncate(path, 0)
        append(path, encode_entry(entry(7)))
        assert read_line(process) == line_of(7)


@pytest.mark.parametrize(
    ("args", "status", "line"),
    [
        (["-f", "-"], 2, "-f: standard input can't be followed: leave out -f, or name the file"),
        (["/nonexistent/x.log"], 3, "/nonexistent/x.log: cannot read: No such file or directory"),
    ],
)
def test_what_cannot_be_followed_or_read(args: list[str], status: int, line: str) -> None:
    done = run(*args)
    assert (done.returncode, done.stderr.decode()) == (status, f"pprofwatch: {line}\n")
