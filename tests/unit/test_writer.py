from __future__ import annotations

import contextlib
import os
import random
import re
import resource
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
        (target / "goroutine.log").rename(tmp_path / "moved.log")
        with pytest.raises(LogError, match="cannot rename: No such file"):
            log.rotate()
        log.append(ENTRIES[1])
    assert read_all(tmp_path / "moved.log") == (ENTRIES[:2], [])


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


def test_a_missing_folder_is_named_and_the_next_entry_tried(tmp_path: Path) -> None:
    with writer(tmp_path / "app") as log:
        with pytest.raises(LogError, match=r"app/goroutine\.log: cannot open: No such file or directory"):
            log.append(ENTRIES[0])
        (tmp_path / "app").mkdir()
        log.append(ENTRIES[1])
    assert read_all(tmp_path / "app") == ([ENTRIES[1]], [])


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
failed = 0
for number in range(100):
    # Every third entry is small, and may still find room.
    each = Entry(START + number, "t", "goroutine", body(5, records=1 if number % 3 else 100))
    try:
        log.append(each)
        print(number)
    except LogError as error:
        failed += 1
        assert "goroutine.log: cannot write: " in str(error), error
assert failed > 10
"""


def fill(folder: Path, prepare: tuple[int, int] | None = None) -> list[float]:
    """Append entries until some find no room; the times of those that did."""

    def limit() -> None:
        if prepare is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, prepare)

    tests = str(Path(__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", FILL, folder, tests], preexec_fn=limit, capture_output=True, check=False, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    return [START + int(line) for line in result.stdout.split()]


def test_an_entry_that_finds_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    times = fill(tmp_path, (100_000, 100_000))
    entries, problems = read_all(tmp_path)
    assert [found.time for found in entries] == times
    assert problems == []
    assert write(tmp_path, [ENTRIES[0]]) == []  # there is room again
    assert read_all(tmp_path)[0][-1] == ENTRIES[0]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_costs_only_the_entries_that_find_no_room(tmp_path: Path) -> None:
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        times = fill(mounted)
        entries, problems = read_all(mounted)
        assert [found.time for found in entries] == times
        assert problems == []
    finally:
        subprocess.run(["umount", mounted], check=True)


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
