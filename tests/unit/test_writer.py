from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logmaker import START, body, entry, log_of, read_all, shell_log
from pprofwatch.errors import LogError
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.target_folder import TargetFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES = [entry(number) for number in range(10)]
DAY = 86400.0


@contextlib.contextmanager
def writer(folder: Path, *, rotate_size: int = 1 << 20, rotate_age: float = DAY) -> Iterator[LogWriter]:
    opened = LogWriter(TargetFolder(folder), "goroutine", rotate_size=rotate_size, rotate_age=rotate_age)
    try:
        yield opened
    finally:
        opened.close()


def write(folder: Path, entries: list[Entry]) -> list[str]:
    with writer(folder) as log:
        for each in entries:
            log.append(each)
        return log.notices


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_entry_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    with writer(tmp_path) as log:
        for count in range(1, 4):
            log.append(ENTRIES[count - 1])
            assert (tmp_path / "goroutine.log").read_bytes() == log_of(ENTRIES[:count])


def test_nothing_is_created_before_the_first_entry(tmp_path: Path) -> None:
    with writer(tmp_path) as log:
        assert not log.due(START)
        assert log.rotate() is None
        log.sync()
        assert names(tmp_path) == []


def test_a_log_that_ended_well_is_gone_on_with(tmp_path: Path) -> None:
    assert write(tmp_path, ENTRIES[:3]) == []
    assert write(tmp_path, ENTRIES[3:]) == []
    assert read_all(tmp_path) == (ENTRIES, [])


# Rotation.


def test_a_segment_is_due_by_its_size(tmp_path: Path) -> None:
    size = len(log_of(ENTRIES[:3]))
    with writer(tmp_path, rotate_size=size) as log:
        log.append(ENTRIES[0])
        log.append(ENTRIES[1])
        assert not log.due(ENTRIES[1].time)
        log.append(ENTRIES[2])
        assert log.due(ENTRIES[2].time)


def test_a_segment_is_due_by_its_first_entrys_age_also_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        with writer(tmp_path, rotate_age=3600) as log:
            log.append(ENTRIES[1])
            assert not log.due(ENTRIES[1].time + 3599)
            assert log.due(ENTRIES[1].time + 3600)
            assert log.due(ENTRIES[1].time - 3600)  # the clock was far ahead, and then set right


def test_a_closed_segment_is_named_by_its_first_entry(tmp_path: Path) -> None:
    with writer(tmp_path) as log:
        for number in (0, 1):
            log.append(ENTRIES[number])
        assert log.rotate() == tmp_path / "goroutine-20261122T134953Z.log"
        assert names(tmp_path) == ["goroutine-20261122T134953Z.log"]
        assert log.rotate() is None
        log.append(ENTRIES[2])
        assert not log.due(ENTRIES[2].time)
    assert read_all(tmp_path) == (ENTRIES[:3], [])


def test_segments_that_begin_in_one_second_do_not_replace_each_other(tmp_path: Path) -> None:
    entries = [Entry(START + number / 100, "t", "goroutine", body(number + 3)) for number in range(12)]
    with writer(tmp_path) as log:
        for each in entries:
            log.append(each)
            closed = log.rotate()
            assert closed is not None
            if each.time > START + 0.04:
                compress_segment(closed)
    assert len(names(tmp_path)) == 12
    assert read_all(tmp_path) == (entries, [])


def test_a_segment_that_cannot_be_renamed_is_written_on(tmp_path: Path) -> None:
    target = tmp_path / "app"
    target.mkdir()
    with writer(target) as log:
        log.append(ENTRIES[0])
        target.chmod(0o500)
        with immutable(target), pytest.raises(LogError, match="cannot rename: "):
            log.rotate()
        log.append(ENTRIES[1])
        assert log.rotate()
    assert read_all(tmp_path) == (ENTRIES[:2], [])


@contextlib.contextmanager
def immutable(folder: Path) -> Iterator[None]:
    """Names in it can't change, not even by root where that is one."""
    if os.geteuid() == 0 and subprocess.run(["chattr", "+i", folder], capture_output=True, check=False).returncode:
        pytest.skip("needs chattr +i, which this disk or system refuses")
    try:
        yield
    finally:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", folder], check=True)
        folder.chmod(0o700)


def test_syncing_beside_appending_and_rotating_disturbs_neither(tmp_path: Path) -> None:
    stop = threading.Event()
    with writer(tmp_path) as log:

        def sync() -> None:
            while not stop.is_set():
                log.sync()

        thread = threading.Thread(target=sync)
        thread.start()
        entries = [Entry(START + number, "t", "goroutine", body(3)) for number in range(300)]
        try:
            for number, each in enumerate(entries):
                log.append(each)
                if number % 10 == 9:
                    log.rotate()
        finally:
            stop.set()
            thread.join()
    assert read_all(tmp_path) == (entries, [])


# Torn tails and other ends.


def test_a_torn_entry_is_cut_off_at_whatever_byte_it_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    whole = log_of(ENTRIES[:2])
    for last in (
        ENTRIES[2],
        Entry(ENTRIES[2].time, "t", "goroutine", body(7).rstrip()),
        Entry(START, "t", "heap", error="x"),
    ):
        data = encode_entry(last)
        for cut in range(1, len(data)):
            path.write_bytes(whole + data[:cut])
            assert write(tmp_path, [ENTRIES[3]]) == [
                f"{path}: cut off a torn entry of {cut} bytes at byte {len(whole)}"
            ]
            assert path.read_bytes() == whole + encode_entry(ENTRIES[3])


def test_a_log_that_is_one_torn_entry_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    for cut in (1, 60, 130):
        path.write_bytes(encode_entry(ENTRIES[0])[:cut])
        write(tmp_path, [ENTRIES[1]])
        assert path.read_bytes() == encode_entry(ENTRIES[1])


def test_a_torn_entry_that_is_long_is_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    long = encode_entry(Entry(START, "t", "goroutine", body(9, records=20_000)))
    for before in (ENTRIES, [*ENTRIES, Entry(START, "t", "goroutine", body(9, records=20_000))]):
        path.write_bytes(log_of(before) + long[:-1])
        write(tmp_path, [])
        assert path.read_bytes() == log_of(before)


def test_zeros_that_a_loss_of_power_left_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    path.write_bytes(log_of(ENTRIES) + bytes(300_000))
    write(tmp_path, [])
    assert path.read_bytes() == log_of(ENTRIES)


def test_damage_before_the_end_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    log = bytearray(log_of(ENTRIES))
    for at in (5, 1000, len(log) - 3):
        log[at] ^= 1
    for tail in (b"", encode_entry(ENTRIES[0])[:-9]):
        path.write_bytes(bytes(log) + tail)
        write(tmp_path, [ENTRIES[1]])
        assert path.read_bytes() == bytes(log) + encode_entry(ENTRIES[1])


def test_entries_behind_one_that_was_torn_and_never_cut_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    torn = encode_entry(Entry(START, "t", "goroutine", body(9, records=300)))[:-100]
    log = log_of(ENTRIES[:5]) + torn + log_of(ENTRIES[5:])
    path.write_bytes(log + encode_entry(ENTRIES[0])[:-5])
    write(tmp_path, [])
    assert path.read_bytes() == log


@pytest.mark.parametrize(
    "tail",
    [
        b"a line that somebody added\n",
        random.Random(1).randbytes(100_000),
        shell_log(range(3)),
        b"20 more",
        b"\0\0\0x",
    ],
    ids=["text", "binary", "shell loop", "digits", "zeros"],
)
def test_a_log_that_ends_in_something_else_is_set_aside_whole(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "goroutine.log"
    for log in (log_of(ENTRIES) + tail, tail):
        path.write_bytes(log)
        os.utime(path, (START, START))
        (notice,) = write(tmp_path, [ENTRIES[1]])
        assert re.fullmatch(rf"{path}: does not end in an entry of ours; kept as (goroutine-.*\.log)", notice)
        (aside,) = tmp_path.glob("goroutine-*.log")
        assert aside.read_bytes() == log
        assert path.read_bytes() == encode_entry(ENTRIES[1])
        aside.unlink()


def test_what_was_planted_in_the_logs_place_is_not_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    path = tmp_path / "goroutine.log"
    path.symlink_to(victim)
    with pytest.raises(LogError, match=r"goroutine\.log: cannot open: "):
        write(tmp_path, ENTRIES)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(LogError, match=r"goroutine\.log: expected a regular file"):
        write(tmp_path, ENTRIES)
    assert victim.read_bytes() == b""


def test_a_missing_folder_is_made_and_where_it_cannot_be_named_and_the_next_entry_tried(tmp_path: Path) -> None:
    with writer(tmp_path / "logs" / "app") as log:
        with pytest.raises(LogError, match=r"logs/app: cannot create the target's folder: No such file or directory"):
            log.append(ENTRIES[0])
        (tmp_path / "logs").mkdir()
        log.append(ENTRIES[1])
    assert read_all(tmp_path / "logs" / "app") == ([ENTRIES[1]], [])


# Other programs.


RENAMED = "another program renamed or removed it; the next entry begins a new one"


@pytest.mark.parametrize("create", [False, True], ids=["rename", "rename and create, as logrotate does"])
def test_a_segment_that_was_renamed_keeps_what_it_has_and_a_new_one_begins(tmp_path: Path, create: bool) -> None:
    path, moved = tmp_path / "goroutine.log", tmp_path / "goroutine.log.1"
    with writer(tmp_path) as log:
        log.append(ENTRIES[0])
        path.rename(moved)
        if create:
            path.touch()
        log.append(ENTRIES[1])
        assert log.notices == [f"{path}: {RENAMED}"]
        log.sync()  # also what was written to the other
        log.append(ENTRIES[2])
        assert len(log.notices) == 1
    assert moved.read_bytes() == log_of(ENTRIES[:1])
    assert path.read_bytes() == log_of(ENTRIES[1:3])


def test_another_programs_file_in_the_segments_place_is_not_closed_in_its_stead(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    with writer(tmp_path) as log:
        log.append(ENTRIES[0])
        path.rename(tmp_path / "goroutine.log.1")
        path.write_bytes(b"theirs\n")
        assert log.rotate() is None
        assert names(tmp_path) == ["goroutine.log", "goroutine.log.1"]
        assert log.notices == [f"{path}: {RENAMED}"]
        log.append(ENTRIES[1])
        assert re.fullmatch(rf"{path}: does not end in an entry of ours; kept as goroutine-.*\.log", log.notices[1])
    assert path.read_bytes() == log_of(ENTRIES[1:2])


def test_a_segment_that_was_removed_begins_anew_and_with_it_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "app"
    target.mkdir()
    with writer(target) as log:
        log.append(ENTRIES[0])
        (target / "goroutine.log").unlink()
        target.rmdir()
        log.append(ENTRIES[1])
        assert log.notices == [f"{target}/goroutine.log: {RENAMED}"]
    assert read_all(target) == ([ENTRIES[1]], [])


def test_a_segment_that_was_cut_short_is_gone_on_with_after_its_last_whole_entry(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    whole = len(log_of(ENTRIES[:2]))
    for size, left in ((0, 0), (whole - 7, 1), (whole, 2), (whole + 30, 2)):
        path.unlink(missing_ok=True)
        with writer(tmp_path) as log:
            log.append(ENTRIES[0])
            log.append(ENTRIES[1])
            os.truncate(path, size)
            log.append(ENTRIES[2])
            expected = f"{path}: another program changed it: it has {size} bytes, and should have {whole}"
            assert log.notices[:1] == [expected][: size != whole]
        assert path.read_bytes() == log_of([*ENTRIES[:left], ENTRIES[2]])


def test_what_another_program_adds_is_kept_and_a_new_segment_begins(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    with writer(tmp_path) as log:
        log.append(ENTRIES[0])
        with path.open("ab") as file:
            file.write(b"a line that somebody added\n")
        log.append(ENTRIES[1])
        assert [line.partition(": ")[2][:38] for line in log.notices] == [
            f"another program changed it: it has {len(log_of(ENTRIES[:1])) + 27}"[:38],
            "does not end in an entry of ours; kept as "[:38],
        ]
    assert path.read_bytes() == log_of(ENTRIES[1:2])
    (aside,) = tmp_path.glob("goroutine-*.log")
    assert aside.read_bytes() == log_of(ENTRIES[:1]) + b"a line that somebody added\n"


def test_a_file_that_has_another_name_is_not_changed(tmp_path: Path) -> None:
    path, victim = tmp_path / "goroutine.log", tmp_path / "victim"
    for content in (b"", log_of(ENTRIES[:2]), log_of(ENTRIES[:2])[:-9], b"secret"):
        victim.write_bytes(content)
        path.unlink(missing_ok=True)
        path.hardlink_to(victim)
        (notice,) = write(tmp_path, [ENTRIES[3]])
        aside = re.fullmatch(rf"{path}: has another name, too \(a hard link\); kept as (.*)", notice)
        assert aside is not None
        assert victim.read_bytes() == content
        assert (tmp_path / aside[1]).samefile(victim)
        assert path.read_bytes() == log_of([ENTRIES[3]])
        assert TargetFolder(tmp_path).clean() == []
        (tmp_path / aside[1]).unlink()


# A disk that is full.


FILL = """
import pathlib, sys
sys.path[:0] = sys.argv[2:]
from logmaker import body, START
from pprofwatch.errors import LogError
from pprofwatch.logs.target_folder import TargetFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry
log = LogWriter(TargetFolder(pathlib.Path(sys.argv[1])), "goroutine", rotate_size=1 << 30, rotate_age=1e9)
for number in range(100):
    # Every third entry is large, and may find no room where a small one does.
    each = Entry(START + number, "t", "goroutine", body(5, records=1 if number % 3 else 100))
    try:
        log.append(each)
        print(number)
    except LogError as error:
        print(error, file=sys.stderr)
"""


def fill(folder: Path, largest_file: int = -1) -> tuple[list[float], set[str]]:
    """Append a hundred entries; the times of those that found room, and what was said of the others."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    tests = str(Path(__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", FILL, folder, tests], preexec_fn=limit, capture_output=True, check=False, text=True
    )
    assert result.returncode == 0, result.stderr
    return [START + int(line) for line in result.stdout.split()], set(result.stderr.splitlines())


def test_where_files_may_not_grow_the_next_one_begins_and_what_fits_in_none_leaves_nothing(tmp_path: Path) -> None:
    small = [number for number in range(100) if number % 3]
    for limit, numbers in ((100_000, [*range(100)]), (3_000, small)):
        folder = tmp_path / str(limit)
        times, said = fill(folder_in(folder), limit)
        assert times == [START + number for number in numbers]
        assert said == (set() if limit == 100_000 else {f"{folder}/goroutine.log: cannot write: File too large"})
        entries, problems = read_all(folder)
        assert [found.time for found in entries] == times
        assert problems == []
        assert write(folder, [ENTRIES[0]]) == []
        assert read_all(folder)[0][-1] == ENTRIES[0]


def folder_in(path: Path) -> Path:
    path.mkdir()
    return path


SYNC = """
import pathlib, sys
sys.path[:0] = sys.argv[2:]
from logmaker import entry
from pprofwatch.errors import LogError
from pprofwatch.logs.target_folder import TargetFolder
from pprofwatch.logs.writer import LogWriter
log = LogWriter(TargetFolder(pathlib.Path(sys.argv[1])), "goroutine", rotate_size=1 << 30, rotate_age=1e9)
log.append(entry(0))
log.sync()
log.append(entry(1))
try:
    log.sync()
except LogError as error:
    print(error)
assert log.due(entry(1).time)
log.append(entry(2))
log.sync()
print(*log.closed)
log.append(entry(3))
log.rotate()
log.sync()
log.close()
"""


def test_a_segment_that_could_not_be_synced_is_left_alone_and_the_next_one_begins(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    logs, trace = folder_in(tmp_path / "app"), tmp_path / "trace"
    strace = ["strace", "-y", "-o", str(trace), "-e", "trace=fdatasync,write,rename"]
    strace += ["-e", "inject=fdatasync:error=EIO:when=2"]
    tests = str(Path(__file__).parents[1])
    result = subprocess.run(
        [*strace, sys.executable, "-c", SYNC, str(logs), tests], capture_output=True, text=True, check=False
    )
    if "PTRACE" in result.stderr:
        pytest.skip(f"strace may not trace here: {result.stderr.strip()}")
    live, closed = logs / "goroutine.log", logs / "goroutine-20261122T134953Z.log"
    assert result.stdout == f"{live}: cannot sync: Input/output error\n{closed}\n", result.stderr
    assert closed.read_bytes() == log_of(ENTRIES[:2])
    assert read_all(logs) == (ENTRIES[:4], [])
    # What the kernel failed to write it would not try again: nothing is asked of that descriptor any more. But what a
    # segment has when it is closed is made durable.
    calls = [line for line in trace.read_text().splitlines() if str(logs) in line]
    assert [line.partition("(")[0] for line in calls] == [
        *("write", "fdatasync", "write", "fdatasync"),
        *("rename", "write", "fdatasync"),
        *("write", "rename", "fdatasync"),
    ]
    assert "goroutine-20261122T135013Z.log>" in calls[-1]


# Compression.


def test_a_compressed_segment_holds_the_same_and_keeps_its_time(tmp_path: Path) -> None:
    entries = [
        Entry(START + 10 * number, "localhost:6060", "goroutine", body(number % 9 + 60, records=76))
        for number in range(3000)
    ]
    path = tmp_path / "goroutine-20261122T134953Z.log"
    path.write_bytes(log_of(entries))
    os.utime(path, (START, START))
    size = path.stat().st_size
    packed = compress_segment(path)
    assert names(tmp_path) == ["goroutine-20261122T134953Z.log.zst"] == [packed.name]
    assert packed.stat().st_mtime == START
    assert packed.stat().st_size < 0.02 * size
    assert size > 16 << 20  # several frames
    assert read_all(packed) == (entries, [])


def test_compressing_again_finishes_what_was_begun(tmp_path: Path) -> None:
    path = tmp_path / "goroutine-20261122T134953Z.log"
    packed = path.with_name(path.name + ".zst")
    for left in (packed, packed.with_name(packed.name + ".tmp")):
        path.write_bytes(log_of(ENTRIES))
        left.write_bytes(b"half of it")
        assert compress_segment(path) == packed
        assert names(tmp_path) == [packed.name]
        assert read_all(packed) == (ENTRIES, [])


def test_a_segment_that_cannot_be_compressed_stays(tmp_path: Path) -> None:
    path = tmp_path / "goroutine-20261122T134953Z.log"
    with pytest.raises(LogError, match="cannot compress: No such file"):
        compress_segment(path)
    path.write_bytes(log_of(ENTRIES))
    (tmp_path / f"{path.name}.zst").mkdir()
    with pytest.raises(LogError, match="cannot compress: Is a directory"):
        compress_segment(path)
    assert read_all(path) == (ENTRIES, [])
    assert names(tmp_path) == [path.name, f"{path.name}.zst"]
