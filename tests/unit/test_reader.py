from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logmaker import START, body, date_line, entry, log_of, read_all, shell_log
from pprofwatch.errors import LogError
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.entry import MAX_HEADER, encode_entry
from pprofwatch.logs.reader import read_entries
from pprofwatch.logs.segments import Selection, input_size
from pprofwatch.logs.target_folder import TargetFolder
from pprofwatch.logs.writer import LogWriter
from pprofwatch.logs.zstd import CompressionParameter, ZstdCompressor
from pprofwatch.model import Entry

ENTRIES = [entry(number) for number in range(20)]
LOG = log_of(ENTRIES)


def zstd(data: bytes, **options: int) -> bytes:
    named: dict[int, int] = {CompressionParameter[name]: value for name, value in options.items()}
    named[CompressionParameter.checksum_flag] = 1
    return ZstdCompressor(options=named).compress(data, ZstdCompressor.FLUSH_FRAME)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# What a log can come in.


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_a_log_is_read_plain_and_compressed_whatever_its_name(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    assert read_all(write(tmp_path / "some.name", pack(LOG))) == (ENTRIES, [])


def test_frames_and_members_that_were_joined_are_read_on(tmp_path: Path) -> None:
    parts = [log_of(ENTRIES[:7]), log_of(ENTRIES[7:])]
    assert read_all(write(tmp_path / "a.zst", b"".join(map(zstd, parts)))) == (ENTRIES, [])
    assert read_all(write(tmp_path / "a.gz", b"".join(map(gzip.compress, parts)) + bytes(512))) == (ENTRIES, [])


def test_a_zstd_file_that_begins_with_a_skippable_frame_is_read(tmp_path: Path) -> None:
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    assert read_all(write(tmp_path / "a", skippable + zstd(LOG) + skippable)) == (ENTRIES, [])


def test_a_log_with_the_longest_window_that_zstd_makes_by_itself_is_read(tmp_path: Path) -> None:
    packed = zstd(LOG, window_log=27, enable_long_distance_matching=1, content_size_flag=0)
    assert read_all(write(tmp_path / "a", packed)) == (ENTRIES, [])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_standard_input_is_read(pack: object) -> None:
    assert callable(pack)
    program = (
        "from pprofwatch.logs.reader import read_entries\n"
        "for entry in read_entries(['-']): print(entry.time, len(entry.body))"
    )
    result = subprocess.run([sys.executable, "-c", program], input=pack(LOG), capture_output=True, check=True)
    assert result.stdout.decode().splitlines() == [f"{entry.time} {len(entry.body)}" for entry in ENTRIES]


def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def feed() -> None:
        with fifo.open("wb", buffering=0) as pipe:
            for at in range(0, len(LOG), 1000):
                pipe.write(LOG[at : at + 1000])

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert read_all(fifo) == (ENTRIES, [])
    feeder.join()


def test_memory_is_that_of_the_longest_entry(tmp_path: Path) -> None:
    big = [entry(number) for number in range(3)]
    one = encode_entry(Entry(START, "t", "goroutine", body(9, records=30_000)))
    paths = [write(tmp_path / "own", one * 20), write(tmp_path / "own.zst", zstd(one * 20))]
    paths.append(write(tmp_path / "shell", b"".join(date_line(n) + body(9, records=30_000) for n in range(20))))
    assert len(one) > 2_000_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_entries([*paths, write(tmp_path / "small", log_of(big))])) == 63
        assert tracemalloc.get_traced_memory()[1] < 6 * len(one)
    finally:
        tracemalloc.stop()


# Folders.


def test_a_folder_gives_each_log_its_closed_segments_in_order_and_the_live_one_last(tmp_path: Path) -> None:
    target = tmp_path / "localhost_6060"
    write(target / "goroutine.log", log_of(ENTRIES[15:]))
    write(target / "goroutine-20261122T135013Z-10.log", log_of(ENTRIES[10:15]))
    write(target / "goroutine-20261122T135013Z-2.log.zst", zstd(log_of(ENTRIES[5:10])))
    write(target / "goroutine-20261122T134953Z.log", log_of(ENTRIES[:5]))
    write(target / "heap.log", log_of([entry(3, profile="heap")]))
    write(tmp_path / "other_6060" / "goroutine.log", log_of([entry(0)]))
    heap = [entry(3, profile="heap")]
    assert read_all(target) == (ENTRIES + heap, [])
    assert read_all(tmp_path) == (ENTRIES + heap + [entry(0)], [])
    assert read_all(tmp_path, profile="heap") == (heap, [])


def test_only_files_with_our_names_are_read_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "goroutine.log", log_of(ENTRIES[:1]))
    for name in ("notes.txt", "goroutine.log.bak", "goroutine-2026.log", "goroutine-20269999T134953Z.log", "shop.log"):
        write(tmp_path / name, log_of(ENTRIES[1:2]))
    for name in ("goroutine-20261122T134953Z.log.zst.tmp", "goroutine-20261122T134953Z-1.log", "profile/a.pb.gz"):
        write(tmp_path / name, b"?")
    (tmp_path / "heap.log").symlink_to(tmp_path / "notes.txt")
    (tmp_path / "goroutine-20261122T134954Z.log").symlink_to(tmp_path / "notes.txt")
    (tmp_path / "goroutine-20261122T134955Z.log").mkdir()
    assert read_all(tmp_path) == (ENTRIES[:1], [])


def test_a_segment_whose_plain_form_is_not_yet_removed_is_read_once(tmp_path: Path) -> None:
    plain = write(tmp_path / "goroutine-20261122T134953Z.log", LOG)
    compress_segment(plain)
    write(plain, LOG)
    assert read_all(tmp_path) == (ENTRIES, [])


def test_segments_that_are_compressed_while_the_folder_is_read_are_read_once(tmp_path: Path) -> None:
    closed = [
        write(tmp_path / "goroutine-20261122T134953Z.log", log_of(ENTRIES[:5])),
        write(tmp_path / "goroutine-20261122T135043Z.log", log_of(ENTRIES[5:10])),
    ]
    live = write(tmp_path / "goroutine.log", log_of(ENTRIES[10:]))
    entries = read_entries([tmp_path])
    found = [next(entries)]
    for path in closed:
        compress_segment(path)
    live.rename(tmp_path / "goroutine-20261122T135133Z.log")
    write(live, log_of([entry(99)]))
    assert found + list(entries) == ENTRIES


def test_a_folder_that_is_written_to_and_rotated_meanwhile_is_read_without_a_gap_or_a_repeat(tmp_path: Path) -> None:
    recorded = 1500

    def record() -> None:
        log = LogWriter(TargetFolder(tmp_path), "goroutine", rotate_size=1, rotate_age=1e9)
        closed: list[Path] = []
        for number in range(1, recorded + 1):
            log.append(entry(number - 1))
            if number % 5 == 0 and (segment := log.rotate()):
                closed.append(segment)
            if len(closed) > 10:
                compress_segment(closed.pop(0))
        log.close()

    recorder = threading.Thread(target=record)
    recorder.start()
    reads = 0
    while recorder.is_alive():
        entries, _ = read_all(tmp_path)
        assert [round((found.time - START) / 10) for found in entries] == list(range(len(entries)))
        reads += 1
    assert reads > 3
    assert len(read_all(tmp_path)[0]) == recorded


def test_closed_segments_out_of_the_asked_time_are_not_opened(tmp_path: Path) -> None:
    day = 86400
    for number, name in enumerate(["20261122T134953Z", "20261123T134953Z", "20261124T134953Z"]):
        path = write(
            tmp_path / f"goroutine-{name}.log", log_of([Entry(START + number * day, "t", "goroutine", b"x\n")])
        )
        os.utime(path, (START + number * day, START + number * day))
    (tmp_path / "goroutine-20261122T134953Z.log").write_bytes(b"not looked at")
    os.utime(tmp_path / "goroutine-20261122T134953Z.log", (START, START))
    selected, problems = read_all(tmp_path, since=START + day - 60, until=START + day + 60)
    assert [found.time for found in selected] == [START + day]
    assert problems == []
    assert input_size([tmp_path], Selection(since=START + day)) == sum(
        (tmp_path / f"goroutine-{name}.log").stat().st_size for name in ("20261123T134953Z", "20261124T134953Z")
    )


def test_what_cannot_be_read_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    good = write(tmp_path / "good.log", LOG)
    entries, problems = read_all(tmp_path / "missing.log", empty, good)
    assert entries == ENTRIES
    assert [str(problem) for problem in problems] == [
        f"{tmp_path}/missing.log: cannot read: No such file or directory",
        f"{empty}: no log in this folder that could hold what is asked for",
    ]


def test_without_anyone_to_tell_a_problem_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"missing\.log: cannot read: No such file"):
        list(read_entries([tmp_path / "missing.log"]))


def test_progress_adds_up_to_the_files_size(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.log", LOG * 200), write(tmp_path / "b.zst", zstd(LOG * 10))]
    for first_lines in (False, True):
        told: list[int] = []
        count = sum(1 for _ in read_entries(paths, first_lines=first_lines, on_progress=told.append))
        assert count == 210 * len(ENTRIES)
        assert sum(told) == input_size(paths, Selection())
        assert len(told) >= 2
    assert input_size([*paths, "-"], Selection()) is None


# Which entries.


def test_entries_are_selected_by_profile_and_time(tmp_path: Path) -> None:
    mixed = [entry(number, profile=("goroutine", "heap")[number % 2]) for number in range(20)]
    path = write(tmp_path / "a.log", log_of(mixed))
    assert read_all(path, profile="heap") == (mixed[1::2], [])
    assert read_all(path, since=mixed[4].time, until=mixed[9].time) == (mixed[4:10], [])
    assert read_all(path, since=mixed[4].time, profile="heap", first_lines=True)[0][0].body == b"heap profile: total 8"


def test_failed_polls_and_gaps_are_entries(tmp_path: Path) -> None:
    entries = [
        Entry(START, "t", "goroutine", error="refused"),
        Entry(START + 1, "t", "goroutine", gap=3),
        Entry(START + 2, "t", "profile", seconds=30, took=30.1, file="profile/20261122T134953Z.pb.gz"),
        Entry(START + 3, "t", "heap", body=b"no newline at the end"),
        ENTRIES[0],
    ]
    path = write(tmp_path / "a.log", log_of(entries))
    assert read_all(path) == (entries, [])
    assert [found.time for found in read_all(path, first_lines=True)[0]] == [found.time for found in entries]


# A shell loop's log.


def shell_entry(number: int) -> Entry:
    return Entry(START + 10 * number, "", "goroutine", body(number + 3))


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("Wed Dec 31 13:49:53 IST 2025", 1767188993),
        ("Wed Dec  3 03:04:05 UTC 2025", 1764731045),
        ("Wed Dec 31 01:49:53 PM IST 2025", 1767188993),
        ("Wed Dec 31 12:00:00 AM IST 2025", 1767139200),
        ("Wed 31 Dec 13:49:53 GMT 2025", 1767188993),
        ("Wednesday 31 December 2025 01:49:53 PM IST", 1767188993),
        ("Wed Dec 31 13:49:53 -03 2025", 1767199793),
        ("Wed Dec 31 13:49:53 +0530 2025", 1767169193),
        ("Wed, 31 Dec 2025 13:49:53 +0530", 1767169193),
        ("2025-12-31T13:49:53+05:30", 1767169193),
        ("2025-12-31 13:49:53+05:30", 1767169193),
        ("2025-12-31 13:49:53.500000000-03:00", 1767199793.5),
        ("2025-12-31T13:49:53,500000000Z", 1767188993.5),
        ("2025-12-31T13:49:53", 1767188993),
        ("2025-12-31 13:49:53 IST \r", 1767188993),
        ("1767188993", 1767188993),
        ("1767188993.500000000\r", 1767188993.5),
        ("=== Wed Dec 31 13:49:53 UTC 2025 ===", 1767188993),
        ("------------------------------ 2025-12-31T13:49:53Z ------------------------------", 1767188993),
        ("### 1767188993", 1767188993),
        ("(1767188993500):", 1767188993.5),
        ("[2025-12-31 13:49:53]", 1767188993),
        ("2025-12-31 13:49:53 CET", 1767188993 - 3600),
        ("Wed Dec 31 13:49:53 EST 2025", 1767188993 + 5 * 3600),
        ("Wed Dec 31 13:49:53 NST 2025", 1767188993 + 12600),
        ("Wed Dec 31 13:49:53 CST 2025", 1767188993),
    ],
)
def test_a_line_from_date_is_a_header(tmp_path: Path, line: str, seconds: float) -> None:
    path = write(tmp_path / "a.log", line.encode() + b"\n" + body(5))
    assert read_all(path) == ([Entry(seconds, "", "goroutine", body(5))], [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Sun Oct 25 02:59:00 CEST 2026", "Sun Oct 25 02:00:00 CET 2026"),
        ("Sun Mar 29 01:59:00 CET 2026", "Sun Mar 29 03:00:00 CEST 2026"),
        ("Sun Oct 25 01:59:00 BST 2026", "Sun Oct 25 01:00:00 GMT 2026"),
        ("Sun Nov  1 01:59:00 EDT 2026", "Sun Nov  1 01:00:00 EST 2026"),
        ("Sun Mar  8 01:59:00 AM CST 2026", "Sun Mar  8 03:00:00 AM CDT 2026"),
        ("Sun Oct 25 01:59:00 IDT 2026", "Sun Oct 25 01:00:00 IST 2026"),
        ("2026-04-05 02:59:00 NZDT", "2026-04-05 02:00:00 NZST"),
    ],
)
def test_times_go_on_where_summer_time_begins_and_ends(tmp_path: Path, before: str, after: str) -> None:
    text = b"".join(line.encode() + b"\n" + body(5) for line in (before, after))
    entries, problems = read_all(write(tmp_path / "a.log", text))
    assert problems == []
    assert entries[1].time - entries[0].time == 60


@pytest.mark.parametrize(
    "line",
    [
        "Wed Dec 32 13:49:53 IST 2025",
        "Wed Dec 31 24:49:53 IST 2025",
        "Wed Dec 31 13:49:53 PM IST 2025",
        "Wed Dec 31 13:49:53 IST",
        "Wed Dec 31 2025 13:49:53 IST 2025",
        "it is Wed Dec 31 13:49:53 IST 2025",
        "Wed Dec 31 13:49:53 IST 2025 polled",
        "2025-12-31",
        "=== polled 2025-12-31 13:49:53 ===",
        "17671889935",
        "1234567890",
        "176718899",
        "2025-12-31T13:49:53+99:00",
    ],
)
def test_a_line_with_more_or_less_than_a_time_is_none(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.log", line.encode() + b"\n" + body(5))
    entries, problems = read_all(path)
    assert entries == []
    reason = f"not a log: expected a line with a time before each profile: {path.stat().st_size} bytes skipped"
    assert [str(problem) for problem in problems] == [f"{path}: {reason} at byte 0"]


def test_a_shell_loops_log_has_failed_polls_as_errors(tmp_path: Path) -> None:
    log = (
        date_line(0)
        + body(3)
        + date_line(1)
        + date_line(2)
        + b"seconds and debug params are incompatible\n"
        + date_line(3)
        + b"\n<html>\n<h1>504</h1>\n\n# Sorry\n</html>\n"
        + date_line(4)
        + body(7)
        + date_line(5)
    )
    path = write(tmp_path / "a.log", log)
    expected = [
        shell_entry(0),
        Entry(START + 10, "", "", error="no answer was logged"),
        Entry(START + 20, "", "", error="seconds and debug params are incompatible"),
        Entry(START + 30, "", "", error="<html>"),
        shell_entry(4),
        Entry(START + 50, "", "", error="no answer was logged"),
    ]
    assert read_all(path) == (expected, [])
    firsts, problems = read_all(path, first_lines=True)
    assert [(found.time, found.error) for found in firsts] == [(found.time, found.error) for found in expected]
    assert problems == []
    # Nobody knows of what profile the failed ones were.
    assert read_all(path, profile="goroutine") == (expected, [])
    assert [found.error for found in read_all(path, profile="heap")[0]] == [
        found.error for found in expected if found.error
    ]


HEAP = (
    b"heap profile: 16: 1234 [100: 12345] @ heap/1048576\n16: 1234 [100: 12345] @ 0x1\n#\t0x1\tmain.f+0x1\t/a.go:1\n\n"
)
HEAP += b"# runtime.MemStats\n# Alloc = 123\n# MaxRSS = 456\n"
BLOCK = b"--- contention:\ncycles/second=1000\nsampling period=1\n100 2 @ 0x1 0x2\n#\t0x1\tmain.f+0x1\t/a.go:1\n"
MUTEX = b"--- mutex:\ncycles/second=1000\nsampling period=5\n"
KINDS = {"goroutine": body(9), "heap": HEAP, "block": BLOCK, "mutex": MUTEX, "": b"Unknown profile\n", " ": b""}


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=30), st.booleans())
@example(["goroutine", "block", "goroutine"], True)
@example(["goroutine", "heap", " ", "goroutine"], True)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_of_many_profiles_and_errors_is_told_apart(tmp_path: Path, kinds: list[str], first_lines: bool) -> None:
    log = b"".join(date_line(number) + KINDS[kind] for number, kind in enumerate(kinds))
    entries, problems = read_all(write(tmp_path / "a.log", log), first_lines=first_lines)
    assert [found.profile for found in entries] == [kind.strip() for kind in kinds]
    if not first_lines:
        assert [found.body for found in entries] == [KINDS[kind] if kind.strip() else b"" for kind in kinds]
    assert problems == []


def test_logs_of_both_kinds_in_one_file_are_read_also_where_a_newline_is_missing_between_them(tmp_path: Path) -> None:
    log = shell_log(range(3)) + LOG + shell_log(range(3, 5)).rstrip(b"\n") + LOG
    entries, problems = read_all(write(tmp_path / "a.log", log))
    assert [found.time for found in entries] == [
        found.time
        for found in [
            shell_entry(0),
            shell_entry(1),
            shell_entry(2),
            *ENTRIES,
            shell_entry(3),
            shell_entry(4),
            *ENTRIES,
        ]
    ]
    assert problems == []


def test_a_profile_whose_header_is_missing_hides_nothing_behind_it(tmp_path: Path) -> None:
    log = shell_log([0]) + body(1) + LOG + shell_log([1]) + body(2) + shell_log([2])
    entries, problems = read_all(write(tmp_path / "a.log", log))
    assert [found.time for found in entries] == [
        shell_entry(0).time,
        *(found.time for found in ENTRIES),
        shell_entry(1).time,
        shell_entry(2).time,
    ]
    assert problems == []


def test_a_long_shell_loops_log_is_read_alike_however_it_comes(tmp_path: Path) -> None:
    log = b"".join(date_line(number) + body(number, records=number % 400) for number in range(1, 300))
    log = log.replace(date_line(100), date_line(100) + b"x" * 200_000 + b"\n" + date_line(100))
    plain, packed = write(tmp_path / "a.log", log), write(tmp_path / "a.log.zst", zstd(log))
    entries, problems = read_all(plain)
    assert (len(entries), problems) == (300, [])
    assert all(found.body == body(number, records=number % 400) for number, found in enumerate(entries[100:], 100))
    assert read_all(packed) == (entries, [])
    for path in (plain, packed):
        firsts, _ = read_all(path, first_lines=True)
        assert [found.body for found in firsts] == [found.body.split(b"\n")[0] for found in entries]


# Damage.


def test_an_empty_log_has_no_entries_and_no_problem(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "a.log", b"")) == ([], [])


def test_a_binary_file_is_no_log(tmp_path: Path) -> None:
    path = write(tmp_path / "ls", random.Random(1).randbytes(1 << 20))
    entries, problems = read_all(path)
    assert entries == []
    assert [str(problem) for problem in problems] == [
        f"{path}: not a log: expected a line with a time before each profile: 1048576 bytes skipped at byte 0"
    ]


@pytest.mark.parametrize("first_lines", [False, True])
def test_a_torn_tail_is_told_and_skipped_at_whatever_byte_it_is_torn(tmp_path: Path, first_lines: bool) -> None:
    whole = log_of(ENTRIES[:2])
    last = encode_entry(ENTRIES[2])
    path = tmp_path / "a.log"
    for cut in range(1, len(last)):
        entries, problems = read_all(write(path, whole + last[:cut]), first_lines=first_lines)
        assert [found.time for found in entries] == [found.time for found in ENTRIES[:2]]
        assert [(problem.offset, problem.length) for problem in problems] == [(len(whole), cut)]


def test_a_damaged_body_is_told_and_only_that_entry_skipped(tmp_path: Path) -> None:
    damaged = bytearray(LOG)
    offset = len(log_of(ENTRIES[:7]))
    damaged[offset + 200] ^= 1
    path = write(tmp_path / "a.log", bytes(damaged))
    entries, problems = read_all(path)
    assert entries == ENTRIES[:7] + ENTRIES[8:]
    length = len(encode_entry(ENTRIES[7]))
    assert [str(problem) for problem in problems] == [f"{path}: damaged entry: {length} bytes skipped at byte {offset}"]


def test_a_torn_entry_in_the_middle_hides_nothing_behind_it(tmp_path: Path) -> None:
    torn = encode_entry(Entry(START, "t", "goroutine", body(9, records=300)))[:-500]
    for first_lines in (False, True):
        entries, problems = read_all(write(tmp_path / "a.log", LOG + torn + LOG), first_lines=first_lines)
        assert [found.time for found in entries] == [found.time for found in ENTRIES * 2]
        assert [(problem.offset, problem.length) for problem in problems] == [(len(LOG), len(torn))]


@pytest.mark.parametrize("first_lines", [False, True])
def test_no_flipped_bit_goes_unnoticed_or_costs_another_entry(tmp_path: Path, first_lines: bool) -> None:
    log = log_of(ENTRIES[:3])
    ends = [len(log_of(ENTRIES[: number + 1])) for number in range(3)]
    path = tmp_path / "a.log"
    for at in range(len(log)):
        damaged = bytearray(log)
        damaged[at] ^= 1 << (at % 8)
        entries, problems = read_all(write(path, bytes(damaged)), first_lines=first_lines)
        hit = next(number for number, end in enumerate(ends) if at < end)
        others = [found.time for number, found in enumerate(ENTRIES[:3]) if number != hit]
        assert [found.time for found in entries if found.time in others] == others
        if not first_lines:
            unchecked = b" head=" in log[at - 5 : at + 6]
            assert problems or unchecked
            assert sum(problem.length for problem in problems) <= len(encode_entry(ENTRIES[hit])) + 1


def test_a_zeroed_block_costs_the_entries_that_it_touches(tmp_path: Path) -> None:
    damaged = LOG[:1000] + bytes(512) + LOG[1512:]
    untouched = [e for number, e in enumerate(ENTRIES) if not _touches(number, 1000, 1512)]
    for first_lines in (False, True):
        entries, problems = read_all(write(tmp_path / "a.log", damaged), first_lines=first_lines)
        times = [found.time for found in entries]
        assert [found.time for found in untouched] == [time for time in times if time in [e.time for e in untouched]]
        assert problems or first_lines


def _touches(number: int, start: int, end: int) -> bool:
    begin = len(log_of(ENTRIES[:number]))
    return begin < end and start < begin + len(encode_entry(ENTRIES[number]))


def test_a_compressed_log_that_is_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    rng = random.Random(2)
    entries = [Entry(START + n, "t", "goroutine", rng.randbytes(3000).hex().encode()) for n in range(400)]
    for name, packed in (("a.zst", zstd(log_of(entries))), ("a.gz", gzip.compress(log_of(entries)))):
        found, problems = read_all(write(tmp_path / name, packed[: len(packed) // 2]))
        assert found == entries[: len(found)]
        assert len(found) > 100
        assert "compressed data ends too early" in problems[0].reason
        assert problems[-1].reason == "torn entry"


def test_damage_in_a_compressed_segment_costs_no_more_than_the_frame(tmp_path: Path) -> None:
    rng = random.Random(3)
    chunks = [
        [Entry(START + 100 * c + n, "t", "goroutine", rng.randbytes(3000).hex().encode()) for n in range(50)]
        for c in range(4)
    ]
    frames = [zstd(log_of(chunk)) for chunk in chunks]
    for at in (0, 5, 20, 1000, len(frames[1]) // 2, len(frames[1]) - 2):
        damaged = bytearray(frames[1])
        damaged[at] ^= 0x40
        path = write(tmp_path / "a.zst", frames[0] + bytes(damaged) + frames[2] + frames[3])
        entries, problems = read_all(path)
        assert [found for found in entries if found not in chunks[1]] == chunks[0] + chunks[2] + chunks[3]
        assert any("compressed data is damaged" in problem.reason for problem in problems)


def test_a_compressed_segment_whose_first_byte_is_damaged_costs_its_first_frame(tmp_path: Path) -> None:
    damaged = bytearray(zstd(log_of(ENTRIES[:10])))
    for at in range(4):
        for bit in range(8):
            damaged[at] ^= 1 << bit
            path = write(tmp_path / "a.zst", bytes(damaged) + zstd(log_of(ENTRIES[10:])))
            entries, problems = read_all(path)
            assert entries == ENTRIES[10:]
            assert "compressed data is damaged" in problems[0].reason
            damaged[at] ^= 1 << bit


def test_damaged_frames_in_a_pipe_are_passed_too() -> None:
    frames = [zstd(log_of(ENTRIES[:10])), zstd(log_of(ENTRIES[10:]))]
    damaged = bytearray(frames[0])
    damaged[30] ^= 0x40
    program = (
        "from pprofwatch.logs.reader import read_entries\n"
        "for entry in read_entries(['-'], on_problem=lambda _: None): print(entry.time)"
    )
    packed = frames[1] + bytes(damaged) + frames[1]
    result = subprocess.run([sys.executable, "-c", program], input=packed, capture_output=True, check=True)
    times = [float(line) for line in result.stdout.split()]
    assert [time for time in times if time >= ENTRIES[10].time] == [found.time for found in ENTRIES[10:] * 2]


def test_a_gzip_file_with_a_damaged_middle_is_read_up_to_there(tmp_path: Path) -> None:
    rng = random.Random(4)
    entries = [Entry(START + n, "t", "goroutine", rng.randbytes(3000).hex().encode()) for n in range(400)]
    packed = bytearray(gzip.compress(log_of(entries)))
    packed[len(packed) // 2 : len(packed) // 2 + 100] = bytes(100)
    found, problems = read_all(write(tmp_path / "a.gz", bytes(packed)))
    assert found == entries[: len(found)]
    assert len(found) > 100
    assert problems


def test_a_bomb_is_decompressed_in_small_steps(tmp_path: Path) -> None:
    packed = write(tmp_path / "bomb.zst", zstd(bytes(1 << 28)))
    assert packed.stat().st_size < 100_000
    tracemalloc.start()
    try:
        entries, problems = read_all(packed)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert entries == []
    assert "not a log" in problems[0].reason


def test_a_header_that_a_target_put_into_its_profile_is_not_believed(tmp_path: Path) -> None:
    fake = encode_entry(Entry(START, "someone else", "goroutine", b"goroutine profile: total 0\n"))
    entries = [ENTRIES[0], Entry(START + 5, "t", "goroutine", body(4) + fake + date_line(3) + body(1)), ENTRIES[1]]
    path = write(tmp_path / "a.log", log_of(entries))
    assert read_all(path) == (entries, [])
    assert len(read_all(path, first_lines=True)[0]) == 3


@pytest.mark.parametrize("length", [MAX_HEADER - 100, MAX_HEADER, 10 * MAX_HEADER])
def test_a_line_that_would_be_a_header_but_for_its_length_is_skipped(tmp_path: Path, length: int) -> None:
    line = b"2026-11-22T13:49:53.102Z t goroutine bytes=0 error=" + b"x" * length + b"\n"
    entries, problems = read_all(write(tmp_path / "a.log", line + LOG))
    assert entries[-20:] == ENTRIES
    assert len(entries) + len(problems) == 21


JUNK = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(
        [b"", b"\n", bytes(40), b" bytes=5 ", date_line(3)[:-7], LOG[:50], LOG[:250], b"2026-11-22T13:49:53.102Z t "]
    ),
)


@given(st.lists(st.tuples(JUNK, st.integers(0, 19)), max_size=8), JUNK, st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_stands_between_them_undamaged_entries_are_read(
    tmp_path: Path, pieces: list[tuple[bytes, int]], end: bytes, first_lines: bool
) -> None:
    log = b"\n" + b"".join(junk + encode_entry(ENTRIES[number]) for junk, number in pieces) + end
    expected = [ENTRIES[number].time for _, number in pieces]
    for path in (write(tmp_path / "a.log", log), write(tmp_path / "a.zst", zstd(log))):
        entries, problems = read_all(path, first_lines=first_lines)
        own = [found.time for found in entries if found.target]
        assert [time for time in own if time in expected] == expected
        assert all(0 <= problem.offset <= problem.offset + problem.length <= len(log) for problem in problems)


@given(st.binary(max_size=2000), st.sampled_from([b"", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", date_line(1), LOG[:110]]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_bring_entries_and_problems_and_no_other_error(tmp_path: Path, data: bytes, start: bytes) -> None:
    read_all(write(tmp_path / "a", start + data))
    read_all(write(tmp_path / "a", start + data), first_lines=True)


def test_reading_ends_with_the_descriptors_it_began_with(tmp_path: Path) -> None:
    write(tmp_path / "goroutine.log", LOG)
    write(tmp_path / "goroutine-20261122T134953Z.log", LOG)
    before = set(Path("/proc/self/fd").iterdir())
    entries = read_entries([tmp_path, tmp_path / "goroutine.log"])
    next(entries)
    entries.close()  # type: ignore[attr-defined]
    assert sum(1 for _ in read_entries([tmp_path])) == 40
    assert set(Path("/proc/self/fd").iterdir()) == before
