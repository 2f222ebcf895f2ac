"""A process that appends, rotates, compresses and removes is killed: at random moments, and at each that matters."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import pytest

from logmaker import START, body, read_all
from pprofwatch.logs.folder import LogFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = 20
KILLS = 5
ROTATE_EVERY = 100

# Forks a writer for each line "FOLDER FIRST-NUMBER" that it is given: importing takes longer than what is tested. A
# writer tells its process id, then the number of each entry that append returned for.
LAUNCHER = """
import os, pathlib, sys, threading
from concurrent.futures import ThreadPoolExecutor
sys.path[:0] = sys.argv[1:]
import pytest

from logmaker import START, body
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.folder import LogFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

def tell(number):
    os.write(1, b"%d\\n" % number)

def write(path, number):
    tell(os.getpid())
    target = LogFolder(path).target("app:1")
    with ThreadPoolExecutor(1) as aside:
        for segment in target.clean():
            aside.submit(compress_segment, segment)
        log = LogWriter(target, "goroutine", rotate_size=1 << 30, rotate_age=1e9)
        while True:
            log.append(Entry(START + number, "app:1", "goroutine", body(number, records=number % 20)))
            tell(number)
            number += 1
            if number % %ROTATE_EVERY% == 0:
                aside.submit(compress_segment, log.rotate())
                aside.submit(log.sync)

for line in sys.stdin:
    folder, number = line.rsplit(" ", 1)
    if (child := os.fork()) == 0:
        write(pathlib.Path(folder), int(number))
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
""".replace("%ROTATE_EVERY%", str(ROTATE_EVERY))


class Launcher(NamedTuple):
    stdin: IO[bytes]
    stdout: IO[bytes]

    def write_until_killed(self, folder: Path, first: int, acknowledgements: int) -> list[int]:
        """Have entries written from ``first`` on; kill the writer after some; the numbers of all that it wrote."""
        self.stdin.write(f"{folder} {first}\n".encode())
        self.stdin.flush()
        pid = int(self.stdout.readline())
        numbers = [int(self.stdout.readline()) for _ in range(acknowledgements)]
        os.kill(pid, signal.SIGKILL)
        while (line := self.stdout.readline()) != b"dead\n":
            numbers.append(int(line))
        return numbers


@contextlib.contextmanager
def launched() -> Iterator[Launcher]:
    command = [sys.executable, "-c", LAUNCHER, str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Launcher(process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(10) == 0


def expected(number: int) -> Entry:
    return Entry(START + number, "app:1", "goroutine", body(number, records=number % 20))


def test_what_was_acknowledged_is_readable_after_kill_9_and_the_next_start_goes_on(tmp_path: Path) -> None:
    rng = random.Random(20261122)
    with launched() as launcher:
        for round_number in range(FOLDERS):
            folder = tmp_path / str(round_number)
            acknowledged: list[int] = []
            following = 0
            for _ in range(KILLS):
                acknowledged += launcher.write_until_killed(folder, following, rng.randrange(1, 2 * ROTATE_EVERY))
                entries, problems = read_all(folder)
                numbers = [round(entry.time - START) for entry in entries]
                assert entries == [expected(number) for number in numbers]
                # Each exactly once, in order; the last may have been written and not acknowledged any more.
                assert numbers == list(range(acknowledged[-1] + 1)) or numbers == list(range(acknowledged[-1] + 2))
                assert [problem.reason for problem in problems] in ([], ["torn entry"])
                following = len(numbers)
            _go_on(folder, following)


def _go_on(folder: Path, following: int) -> None:
    """Open the log as the next start does, and append: nothing is amiss then."""
    with LogFolder(folder) as logs:
        target = logs.target("app:1")
        target.clean()
        log = LogWriter(target, "goroutine", rotate_size=1 << 30, rotate_age=1e9)
        log.append(expected(following))
        log.close()
    entries, problems = read_all(folder)
    assert [round(entry.time - START) for entry in entries] == list(range(following + 1))
    assert problems == []
    assert list(folder.rglob("*.tmp")) == []


# Appends, rotates, compresses and removes, always in the same order; says what was acknowledged.
STEPS = """
import os, pathlib, sys
sys.path[:0] = sys.argv[2:]
import pytest

from logmaker import START, body
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.folder import LogFolder
from pprofwatch.logs.retention import apply_retention
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

path = pathlib.Path(sys.argv[1])
target = LogFolder(path).target("app:1")
log = LogWriter(target, "goroutine", rotate_size=1 << 30, rotate_age=1e9)
for number in range(6):
    log.append(Entry(START + number, "app:1", "goroutine", body(number, records=number % 20)))
    os.write(1, b"%d\\n" % number)
    if number == 3:
        compress_segment(log.rotate())
        log.sync()
ages = {"now": START, "keep_age": 1e9, "rotate_age": 1e9}
apply_retention(path, live={log.path}, keep_size=1, keep_free=0, on_error=print, **ages)
"""


@pytest.mark.parametrize("call", ["rename", "unlink", "fsync"])
def test_killed_in_the_middle_of_changing_files_it_leaves_each_entry_once(tmp_path: Path, call: str) -> None:
    """The kill comes as the system call begins: the first of its kind, the second, and so on until there is none."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    tests = str(Path(__file__).parents[1])
    for count in range(1, 30):
        folder = tmp_path / str(count)
        strace = [
            "strace",
            "-o",
            "/dev/null",
            "-e",
            f"trace={call}",
            "-e",
            f"inject={call}:signal=SIGKILL:when={count}",
        ]
        command = [*strace, sys.executable, "-c", STEPS, str(folder), tests]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if "PTRACE" in result.stderr:
            pytest.skip(f"strace may not trace here: {result.stderr.strip()}")
        acknowledged = [int(line) for line in result.stdout.split()]
        entries, problems = read_all(folder) if any(folder.rglob("*.log*")) else ([], [])
        numbers = [round(entry.time - START) for entry in entries]
        assert problems == []
        assert entries == [expected(number) for number in numbers]
        # At the end the first segment is removed.
        assert numbers == acknowledged or (len(acknowledged) == 6 and numbers == [4, 5])
        if result.returncode == 0:
            assert count > 2
            break
        assert result.returncode in (-9, 137), result.stderr
        _go_on(folder, numbers[-1] + 1 if numbers else 0)
    else:
        raise AssertionError("it never came to its end")
