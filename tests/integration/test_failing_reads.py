"""A disk that can't read what it holds: that is told with its place, and all else is read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from badserver import GOROUTINE, answer, serve
from daemon_process import daemon_in
from logmaker import entry, log_of
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.folder import folder_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Entries of the log that can't be read, and of the one that can.
LONG, SHORT = 4000, 5
CLOSED = "goroutine-20261122T134953Z.log"

# Prints the times of a log's entries, as two processes read them, and where it could be read no further.
READ = """
import sys
from pprofwatch.logs.reader import map_entries
def tell(problem):
    print(problem.offset, problem.reason, file=sys.stderr)
for time in map_entries(lambda found: found.header.time, sys.argv[1:], processes=2, on_problem=tell):
    print(time)
"""

# Looks for new entries as `tail` does, twice; prints how many there are of each profile.
FOLLOW = """
import sys
from collections import Counter
from pprofwatch.logs.follow import Follower
follower = Follower(sys.argv[1:], lambda problem: print(problem, file=sys.stderr))
for _ in range(2):
    print(dict(Counter(entry.profile for entry in follower.new_entries())))
"""


def failing(strace: str, path: Path, reads: str, call: str = "pread64") -> list[str]:
    """What to run a program by, to have ``reads`` of a file fail: ``3`` the third, ``3+`` those from it on."""
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={reads}"]
    return [strace, "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-P", str(path), *inject]


def run(prefix: Sequence[str], *args: str | Path) -> tuple[int, str, str]:
    """The exit status of a command of ours, its output and its complaints."""
    command = [*prefix, sys.executable, "-m", "pprofwatch", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A target's folder: its goroutine log is long, its heap log short."""
    folder = tmp_path / "logs" / "localhost_6060"
    folder.mkdir(parents=True)
    (folder / "goroutine.log").write_bytes(log_of(entry(number) for number in range(LONG)))
    (folder / "heap.log").write_bytes(log_of(entry(number, profile="heap") for number in range(SHORT)))
    return folder


# The first is that by which a live segment is told from a closed one, the last one of many.
@pytest.mark.parametrize("reads", ["1", "1+", "2+", "4+", "9+"])
def test_what_cannot_be_read_of_a_log_is_told_and_the_others_are_read(strace: str, folder: Path, reads: str) -> None:
    path = folder / "goroutine.log"
    status, out, complaint = run(failing(strace, path, reads), "totals", "--json", folder.parent)
    assert status == 0
    profiles = [total["profile"] for total in json.loads(out)["totals"]]
    assert profiles.count("heap") == SHORT
    if reads == "1":  # it was not needed
        assert (profiles.count("goroutine"), complaint) == (LONG, "")
        return
    place = re.fullmatch(
        rf"pprofwatch: {re.escape(str(path))}: cannot read on at byte (\d+): Input/output error\n", complaint
    )
    assert place is not None, complaint
    read = profiles.count("goroutine")
    assert bool(read) == bool(int(place[1])) == (reads == "9+")
    assert int(place[1]) < path.stat().st_size


def test_what_cannot_be_read_by_one_of_several_processes_ends_the_log_there(strace: str, tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    entries = [entry(number)._replace(body=b"#\t0x1\n" * (1 << 20)) for number in range(12)]
    path.write_bytes(log_of(entries))
    command = [*failing(strace, path, "20+"), sys.executable, "-c", READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    times = [float(line) for line in done.stdout.splitlines()]
    assert times == [each.time for each in entries[: len(times)]]
    assert done.returncode == 0
    place, _, reason = done.stderr.partition(" ")
    assert reason == f"cannot read on at byte {place}: Input/output error\n"
    assert len(log_of(entries[: len(times)])) <= int(place) < path.stat().st_size


def test_who_follows_logs_goes_on_with_the_others_and_tries_again(strace: str, folder: Path) -> None:
    path = folder / "goroutine.log"
    command = [*failing(strace, path, "1"), sys.executable, "-c", FOLLOW, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == f"{path}: cannot read on at byte 0: Input/output error\n"
    assert done.stdout == f"{ {'heap': SHORT} }\n{ {'goroutine': LONG} }\n"


@pytest.mark.parametrize("reads", ["1+", "3+"])
@pytest.mark.parametrize("name", ["goroutine.log", f"{CLOSED}.zst"])
def test_verify_calls_damaged_what_cannot_be_read(strace: str, folder: Path, name: str, reads: str) -> None:
    if name.endswith(".zst"):
        (folder / "goroutine.log").rename(folder / CLOSED)
        compress_segment(folder / CLOSED)
    status, out, complaint = run(failing(strace, folder / name, reads), "verify", "--json", folder.parent)
    assert (status, complaint) == (1, "")
    answer = json.loads(out)
    (found,) = answer["findings"]
    assert found["path"] == str(folder / name)
    assert found["reason"] == "cannot read on: Input/output error"
    assert found["offset"] + found["length"] == (folder / name).stat().st_size
    assert answer["files"] == 2
    assert SHORT <= answer["entries"] < LONG


@pytest.mark.parametrize("name", ["profile/20261122T134953Z.pb.gz", "trace/20261122T134953Z.trace"])
def test_verify_tells_of_a_file_beside_the_logs_that_cannot_be_read(strace: str, folder: Path, name: str) -> None:
    (folder / name).parent.mkdir()
    (folder / name).write_bytes(bytes(100))
    status, out, _ = run(failing(strace, folder / name, "1+"), "verify", folder.parent)
    assert status == 1
    assert f"{folder / name}: cannot read on at byte 0: Input/output error: 100 bytes at byte 0" in out.splitlines()


def test_verify_tells_of_a_journal_that_cannot_be_read(strace: str, folder: Path) -> None:
    journal = folder / "incidents" / "incidents.log"
    journal.parent.mkdir()
    journal.write_bytes(b"{}\n")
    status, out, complaint = run(failing(strace, journal, "1+", call="read"), "verify", folder.parent)
    assert status == 3
    assert complaint == f"pprofwatch: {journal}: cannot read: Input/output error\n"
    assert f"{LONG + SHORT:,} whole entries: no damage" in out


@pytest.mark.anyio
async def test_a_daemon_whose_log_cannot_be_read_says_so_and_logs_once_it_can(strace: str, tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server, serve(answer(GOROUTINE)) as other:
        target = tmp_path / "d" / "logs" / folder_name(server.address)
        target.mkdir(parents=True)
        path = target / "goroutine.log"
        path.write_bytes(log_of(map(entry, range(3))))
        # As it is opened, as it is replayed, and at the first polls.
        strace_it = [*failing(strace, path, "1..9"), "-D"]
        with daemon_in(tmp_path / "d", prefix=strace_it) as daemon, anyio.fail_after(40):
            targets = f'target = ["{server.address}", "{other.address}"]'
            daemon.configure(f'{targets}\nprofile = ["goroutine"]\ninterval = "100ms"\n')
            daemon.start()
            await daemon.logged(other.address, 3)
            await daemon.until(lambda: "works again, after: Input/output error" in daemon.said)
            entries = await daemon.logged(server.address, 8)
            daemon.end()
    assert f"{path}: cannot read: Input/output error (said once, until it works again)" in daemon.said
    assert "mistake" not in daemon.said
    assert entries[:3] == list(map(entry, range(3)))
    assert "could not be written to the log" in {each.error for each in entries if each.gap}
