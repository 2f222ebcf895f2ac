"""What files and standard input are taken for: profiles by their values and names, logs by their names and contents."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from logmaker import START, date_line
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.zstd import ZstdCompressor
from pprofwatch.model import Entry, Frame, Stack
from pprofwatch.profiles.encode import encode_profile

if TYPE_CHECKING:
    from collections.abc import Iterable

BINARY = Path(sys.executable).with_name("pprofwatch")
STACK = Stack((Frame("main.f", "/f.go", 1),))
GOROUTINE = b"goroutine profile: total 5\n5 @ 0x1\n#\t0x1\tmain.f+0x1\t/f.go:1\n\n"
HEAP = b"heap profile: 3: 96 [9: 288] @ heap/1048576\n3: 96 [9: 288] @ 0x1\n#\t0x1\tmain.g+0x1\t/src/g.go:1\n\n"
HEAP_TYPES = (
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
)
#: By name, the values that tell what a protobuf has, and the one that is looked at first.
TYPES: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "goroutine": ((("goroutine", "count"),), ""),
    "contentions": ((("contentions", "count"), ("delay", "nanoseconds")), ""),
    "heap": (HEAP_TYPES, "inuse_space"),
    "allocs": (HEAP_TYPES, "alloc_space"),
    "cpu": ((("samples", "count"), ("cpu", "nanoseconds")), ""),
}


def proto(kind: str, value: int = 7, minute: int = 0) -> bytes:
    """A profile.proto of a kind, with one stack."""
    types, default = TYPES[kind]
    return encode_profile(types, [(STACK, [value] * len(types))], time=START + 60 * minute, default=default)


def run(*args: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        [BINARY, *args], input=stdin, capture_output=True, timeout=60, check=False, env=environment, cwd=cwd
    )


def answer(*args: str | Path, stdin: bytes = b"", cwd: Path | None = None) -> Any:
    done = run(*args, "--json", stdin=stdin, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, b"")
    return json.loads(done.stdout)


def kind_of(*args: str | Path, cwd: Path | None = None) -> str:
    return str(answer("top", *args, cwd=cwd)["profile"])


def complaint(*args: str | Path, stdin: bytes = b"") -> str:
    """The one line that a command fails with."""
    done = run(*args, stdin=stdin)
    assert (done.returncode, done.stdout) == (3, b"")
    line, end = done.stderr.decode().removeprefix("pprofwatch: ").split("\n")
    assert end == ""
    return line


def log_of(entries: Iterable[Entry]) -> bytes:
    return b"".join(map(encode_entry, entries))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One whose own name tells nothing, whatever the test's is."""
    path = tmp_path / "ci"
    path.mkdir()
    return path


# Which profile a protobuf is


@pytest.fixture
def contentions(folder: Path) -> Path:
    """A folder with files whose values may be block's or mutex's; each has the number of its minute."""
    names = ("Block_1.pb.gz", "run1-mutex.pb.gz", "contention2.pb.gz", "pprof.mutex.contentions.delay.001.pb.gz")
    for minute, name in enumerate(names, 1):
        (folder / name).write_bytes(proto("contentions", minute, minute))
        os.utime(folder / name, (START + 60 * minute,) * 2)
    return folder


def test_a_block_or_mutex_profile_is_what_a_word_of_its_name_says(contentions: Path) -> None:
    told = [total["profile"] for total in answer("totals", contentions)["totals"]]
    assert told == ["block", "mutex", "contentions", "contentions"]  # in the order of their times
    for profile, total in (("block", 1), ("mutex", 2), ("contentions", 4)):
        found = answer("top", "--profile", profile, contentions)
        assert (found["profile"], found["total"], found["value"]) == (profile, total, "delay")
        assert len(answer("totals", "--profile", profile, contentions)["totals"]) == (2 if total == 4 else 1)


def test_what_may_be_either_is_neither_in_a_folder_and_a_file_what_it_is_asked_for(folder: Path) -> None:
    path = folder / "blocking.pb.gz"
    path.write_bytes(proto("contentions"))
    for profile in ("block", "mutex"):
        assert complaint("top", "--profile", profile, folder) == f"{folder}: no {profile} profile in it"
        assert answer("totals", "--profile", profile, folder)["totals"] == []
        assert kind_of("--profile", profile, path) == profile
        [total] = answer("totals", "--profile", profile, path)["totals"]
        assert total["profile"] == profile
    assert kind_of(folder) == kind_of(path) == "contentions"
    assert run("show", path).stdout.splitlines()[:2] == [
        f"2026-11-22T13:49:53.000Z {path} contentions".encode(),
        b"--- contention:",
    ]


def test_the_name_of_its_folder_tells_what_a_files_does_not(tmp_path: Path) -> None:
    for name in ("mutex", "prod-block-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.pb.gz").write_bytes(proto("contentions"))
        (tmp_path / name / "2.pb.gz").write_bytes(proto("goroutine"))
    assert kind_of("--profile", "mutex", tmp_path / "mutex") == "mutex"
    assert (
        kind_of(tmp_path / "prod-block-2" / "1.pb.gz") == kind_of("1.pb.gz", cwd=tmp_path / "prod-block-2") == "block"
    )
    assert kind_of(tmp_path / "mutex" / "2.pb.gz") == "goroutine"
    assert complaint("top", "--profile", "block", tmp_path / "mutex").endswith("no block profile in it")


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("mutex-server.pb.gz", "goroutine", "goroutine"),
        ("heap-server.pb.gz", "cpu", "profile"),
        ("heap-server-allocs.pb.gz", "allocs", "allocs"),
        ("mutex-vs-block.pb.gz", "contentions", "contentions"),
        ("mutexes.pb.gz", "contentions", "contentions"),
        ("2026-mutex2-cpu.pb.gz", "contentions", "contentions"),
        ("mutex-20261122T134953Z.pb.gz", "contentions", "mutex"),
        ("app-20261122T134953Z.pb.gz", "goroutine", "goroutine"),
        ("allocs.pb.gz", "heap", "allocs"),
        ("my-heap.pb.gz", "allocs", "heap"),
        ("x.pb.gz", "allocs", "allocs"),
        ("x.pb.gz", "heap", "heap"),
    ],
)
def test_values_tell_what_it_is_and_names_what_they_leave_open(folder: Path, name: str, values: str, kind: str) -> None:
    path = folder / name
    path.write_bytes(proto(values))
    assert kind_of(path) == kind_of(folder) == kind
    assert [total["profile"] for total in answer("totals", path)["totals"]] == [kind]


def test_a_report_calls_them_the_same(contentions: Path, tmp_path: Path) -> None:
    def profiles(*args: str | Path) -> list[str]:
        told = answer("report", "--force", "-o", tmp_path / "x.html", *args)["profiles"]
        return [profile["profile"] for profile in told]

    assert profiles(contentions) == ["block", "mutex", "contentions"]
    assert profiles("--profile", "mutex", contentions) == ["mutex"]
    assert profiles("--profile", "mutex", contentions / "contention2.pb.gz") == ["mutex"]


@pytest.mark.parametrize("name", ["goroutine.pb.gz", "zzz.pb.gz"])
def test_goroutines_are_looked_at_first_in_a_folder_of_protobufs(folder: Path, name: str) -> None:
    (folder / "allocs.pb.gz").write_bytes(proto("allocs"))
    (folder / "heap.pb.gz").write_bytes(proto("heap"))
    assert kind_of(folder) == "allocs"
    (folder / name).write_bytes(proto("goroutine", 8))
    assert answer("top", folder)["total"] == 8
    (folder / name).write_bytes(proto("goroutine")[:-9])
    done = run("top", "--json", folder)
    assert json.loads(done.stdout)["profile"] == "allocs"
    assert done.stderr.count(b"\n") == 1


# Standard input


@pytest.mark.parametrize("packed", [True, False])
def test_standard_input_may_be_a_protobuf(tmp_path: Path, packed: bool) -> None:
    data = proto("heap") if packed else gzip.decompress(proto("heap"))
    found = answer("top", "-", stdin=data)
    assert (found["profile"], found["total"], found["target"]) == ("heap", 7, "standard input")
    assert found["time"] == "2026-11-22T13:49:53.000Z"
    assert answer("totals", "-", stdin=data)["totals"][0]["total"] == 7
    assert run("show", "-", stdin=data).stdout.splitlines()[1].startswith(b"heap profile: 7: 7 [7: 7]")
    assert run("export", "-o", "-", "-", stdin=data).stdout == data
    assert answer("report", "-o", tmp_path / "x.html", "-", stdin=data)["profiles"][0]["profile"] == "heap"
    assert answer("check", "-", stdin=data)["entries"] == 1
    assert complaint("top", "--profile", "mutex", "-", stdin=data) == "-: no mutex profile in it"


def test_contentions_on_standard_input_are_what_is_asked_for(tmp_path: Path) -> None:
    data = proto("contentions")
    assert answer("top", "-", stdin=data)["profile"] == "contentions"
    for kind, profile in (("cpu", "profile"), ("contentions", "mutex")):
        args = ("report", "--force", "--profile", profile, "-o", tmp_path / "x.html", "-")
        [told] = answer(*args, stdin=proto(kind))["profiles"]
        assert (told["target"], told["profile"]) == ("", profile)
    assert answer("top", "--profile", "mutex", "-", stdin=data)["profile"] == "mutex"
    assert answer("totals", "--profile", "block", "-", stdin=data)["totals"][0]["profile"] == "block"


def test_a_closed_standard_input_is_one_line() -> None:
    done = subprocess.run(["/bin/sh", "-c", f"{BINARY} top - <&-"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, b"pprofwatch: -: cannot read: Bad file descriptor\n")


def test_a_damaged_or_endless_protobuf_on_standard_input_is_one_line() -> None:
    assert complaint("top", "-", stdin=proto("heap")[:-9]).startswith("standard input: the profile's gzip data stops")
    for command in ("top", "totals"):
        long = complaint(command, "-", stdin=gzip.decompress(proto("heap")) + bytes(64 << 20))
        assert long == "standard input: longer than 67108864 bytes, more than a profile can be"


@pytest.mark.parametrize("before", [b"", b"\n", b"\n\t\n"])
def test_a_log_on_standard_input_is_no_protobuf_however_it_begins(before: bytes) -> None:
    done = run("totals", "-", stdin=before + date_line(0) + b"curl: (7)\n")
    assert done.stdout == b"2026-11-22T13:49:53.000Z - error: curl: (7)\n"
    assert run("totals", "-", stdin=before[:1]).returncode in (0, 3)


# Text without a time


@pytest.mark.parametrize("packed", [True, False])
def test_a_profiles_text_is_read_as_its_protobuf_is(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("x.txt.gz" if packed else "x.txt")
    path.write_bytes(gzip.compress(GOROUTINE) if packed else GOROUTINE)
    os.utime(path, (START, START))
    found = answer("top", path)
    assert (found["profile"], found["total"], found["target"]) == ("goroutine", 5, str(path))
    assert found["time"] == "2026-11-22T13:49:53.000Z"
    assert answer("totals", path)["totals"] == [{"time": found["time"], "profile": "goroutine", "total": 5}]
    assert run("show", path).stdout.partition(b"\n")[2] == GOROUTINE
    assert run("export", "--format", "collapsed", "-o", "-", path).stdout == b"main.f 5\n"
    [told] = answer("report", "-o", tmp_path / "x.html", path)["profiles"]
    assert (told["profile"], told["since"]) == ("goroutine", found["time"])
    assert answer("check", path)["entries"] == 1
    assert run("verify", path).returncode == 0
    assert complaint("top", "--profile", "mutex", path) == f"{path}: no mutex profile in it"


def test_standard_input_may_be_a_profiles_text() -> None:
    for data in (GOROUTINE, gzip.compress(GOROUTINE)):
        found = answer("top", "-", stdin=data)
        assert (found["profile"], found["total"], found["target"]) == ("goroutine", 5, "standard input")
        assert answer("totals", "-", stdin=data)["totals"][0]["total"] == 5


def test_text_says_what_it_is_and_its_name_whether_heaps_is_allocs(folder: Path) -> None:
    texts = {
        "mutex.txt": (b"--- contention:\ncycles/second=1\n3 1 @ 0x1\n#\t0x1\tmain.f+0x1\t/f.go:1\n\n", "block"),
        "block.txt": (b"--- mutex:\ncycles/second=1\n3 1 @ 0x1\n#\t0x1\tmain.f+0x1\t/f.go:1\n\n", "mutex"),
        "a-heap.txt": (HEAP, "heap"),
        "b-allocs.txt": (HEAP, "allocs"),
        "notes.txt": (b"heap profile: none yet\n", ""),
    }
    for name, (text, kind) in texts.items():
        (folder / name).write_bytes(text)
        if kind:
            assert kind_of(folder / name) == kind
    (folder / "x.txt").write_bytes(HEAP)
    assert kind_of("--profile", "allocs", folder / "x.txt") == "allocs"


def test_an_incidents_folder_tells_which_goroutines_leaked(folder: Path) -> None:
    leaked = GOROUTINE.replace(b"goroutine", b"goroutineleak").replace(b"main.f", b"main.leak")
    (folder / "goroutineleak-20261122T134953Z.txt").write_bytes(leaked)
    (folder / "goroutine-20261122T134953Z.txt").write_bytes(b"goroutine 1 [chan send, 3 minutes]:\nmain.f()\n")
    (folder / "goroutine-20261122T134953Z.pb.gz").write_bytes(proto("goroutine"))
    found = answer("top", "--profile", "goroutineleak", folder)
    assert [row["function"] for row in found["rows"]] == ["main.leak"]
    assert (found["time"], found["total"]) == ("2026-11-22T13:49:53.000Z", 5)
    assert answer("top", folder)["total"] == 7


@pytest.fixture
def before_and_after(tmp_path: Path) -> list[Path]:
    """Two profiles of 5 and 6 goroutines, as they were copied: the later one is the older file."""
    paths = [tmp_path / name for name in ("before.txt", "after.txt")]
    for count, path in enumerate(paths, 5):
        path.write_bytes(GOROUTINE.replace(b"5", str(count).encode()))
        os.utime(path, (START - 60 * count,) * 2)
    return paths


def test_two_files_are_compared_in_their_order(before_and_after: list[Path]) -> None:
    before, after = before_and_after
    [stack] = answer("diff", before, after)["stacks"]
    assert (stack["before"], stack["after"]) == (5, 6)
    for args, stdin in ((("-", after), before), ((before, "-"), after)):
        [stack] = answer("diff", *args, stdin=stdin.read_bytes())["stacks"]
        assert (stack["before"], stack["after"]) == (5, 6)
    assert b" to 2026-11-22T13:43:53.000Z" in run("diff", before, after).stdout


def test_pipes_are_read_as_files_are(before_and_after: list[Path]) -> None:
    before, after = before_and_after
    script = f"{BINARY} diff --json <(cat {before}) <(cat {after}) && {BINARY} totals /dev/stdin < {before}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60, check=True)
    differences, totals = done.stdout.splitlines()
    assert [(stack["before"], stack["after"]) for stack in json.loads(differences)["stacks"]] == [(5, 6)]
    assert totals.endswith(b"Z 5 goroutine")


def test_to_compare_takes_two(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(GOROUTINE)
    os.utime(path, (START, START))
    done = run("diff", path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"pprofwatch: expected two entries to compare: there is one, at 2026-11-22T13:49:53.000Z\n"


def test_a_log_that_begins_within_an_entry_stays_a_log(tmp_path: Path) -> None:
    dated = date_line(0) + GOROUTINE
    long = GOROUTINE + GOROUTINE.partition(b"\n")[2] * 20_000  # more than is read at once
    for before in (GOROUTINE, long):
        (tmp_path / "x.log").write_bytes(before + dated)
        (tmp_path / "x.log.gz").write_bytes(gzip.compress(before) + gzip.compress(dated))
        for path in ("x.log", "x.log.gz"):
            for args, stdin in (((tmp_path / path,), b""), (("-",), (tmp_path / path).read_bytes())):
                done = run("totals", *args, stdin=stdin)
                assert done.stdout == b"2026-11-22T13:49:53.000Z 5 goroutine\n"
                assert b"no header line: " in done.stderr


def test_a_stream_that_begins_within_an_entry_is_not_waited_for() -> None:
    with subprocess.Popen([BINARY, "totals", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(GOROUTINE * 100 + (date_line(0) + GOROUTINE) * 1000)
        process.stdin.flush()
        assert process.stdout.readline() == b"2026-11-22T13:49:53.000Z 5 goroutine\n"
        process.stdin.close()
        process.stdout.read()


def test_a_log_of_ours_without_its_first_header_is_damaged_and_no_profile(folder: Path) -> None:
    (folder / "goroutine.log").write_bytes(GOROUTINE)
    for path in (folder, folder / "goroutine.log"):
        done = run("verify", path)
        assert done.returncode == 1
        assert b"not a log" in done.stdout


def test_what_is_verified_is_what_is_read(tmp_path: Path) -> None:
    files = {
        "x.txt": gzip.compress(GOROUTINE),
        "y.txt": GOROUTINE,
        "cpu.prof": proto("cpu"),
        "heap.pb": gzip.decompress(proto("heap")),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert run("verify", tmp_path / name).returncode == 0
        assert run("verify", "-", stdin=data).returncode == 0
    (tmp_path / "x.txt").write_bytes(files["x.txt"][:-9])
    assert run("verify", tmp_path / "x.txt").returncode == 1


def test_a_folders_texts_are_taken_in_the_order_of_their_times(folder: Path) -> None:
    for number in range(12):
        path = folder / f"g-{number}.txt"  # 10 stands before 2
        path.write_bytes(GOROUTINE.replace(b"5", str(number + 1).encode()))
        os.utime(path, (START + number,) * 2)
    assert [total["total"] for total in answer("totals", folder)["totals"]] == list(range(1, 13))


def test_a_text_is_shown_whatever_it_is(tmp_path: Path) -> None:
    for text in (GOROUTINE[:-20], GOROUTINE.replace(b"goroutine", b"my.pkg/conns")):
        (tmp_path / "x.txt").write_bytes(text)
        assert run("show", tmp_path / "x.txt").stdout.partition(b"\n")[2].rstrip() == text.rstrip()


def test_several_profiles_without_times_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "loop.log"
    path.write_bytes(GOROUTINE * 2)
    for command in ("top", "totals", "check"):
        expected = "several profiles without times: expected a line from date before each"
        assert complaint(command, path) == f"{path}: {expected}"
        assert complaint(command, "-", stdin=GOROUTINE * 2) == f"standard input: {expected}"


# Logs without what is asked for


def test_what_is_not_there_is_named_as_it_was_asked_for_and_a_failed_poll_told_of_no_other(tmp_path: Path) -> None:
    target = tmp_path / "app_1"
    target.mkdir()
    heap = [Entry(START + 10 * n, "app:1", "heap", HEAP) for n in range(20)]
    heap[7] = Entry(START + 70, "app:1", "heap", error="connection refused")
    (target / "heap.log").write_bytes(log_of(heap))
    for place in (tmp_path, target, target / "heap.log"):
        last = "the last entry, at 2026-11-22T13:53:03.000Z, is of heap"
        assert complaint("top", "--profile", "heap:seconds=1", place) == (
            f"{place}: no heap:seconds=1 profile in it; {last}"
        )
        assert complaint("top", "--profile", "cpu", place) == f"{place}: no cpu profile in it; {last}"
    (target / "heap-delta.log").write_bytes(
        log_of(Entry(START + n, "app:1", "heap", seconds=1, error=f"timeout {n}") for n in range(3))
    )
    for place in (tmp_path, target, target / "heap-delta.log"):
        assert complaint("top", "--profile", "heap:seconds=1", place) == (
            f"{place}: no heap:seconds=1 profile in it; the last entry, at 2026-11-22T13:49:55.000Z, failed: timeout 2"
        )


def test_the_last_entry_of_several_logs_is_the_last_of_all(tmp_path: Path) -> None:
    for number, profile in ((3, "goroutine"), (9, "heap"), (6, "threadcreate")):
        body = HEAP if profile == "heap" else GOROUTINE.replace(b"goroutine", profile.encode())
        (tmp_path / f"{profile}.log").write_bytes(log_of([Entry(START + 10 * number, "app:1", profile, body)]))
    line = "no mutex profile in it; the last entry, at 2026-11-22T13:51:23.000Z, is of heap"
    assert complaint("top", "--profile", "mutex", tmp_path) == f"{tmp_path}: {line}"


def test_of_a_shell_loops_failed_poll_nobody_knows_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "loop.txt"
    path.write_bytes(date_line(0) + GOROUTINE + date_line(1) + b"curl: (7)\n")
    line = "no heap profile in it; the last entry, at 2026-11-22T13:49:53.000Z, is of goroutine"
    assert complaint("top", "--profile", "heap", path) == f"{path}: {line}"


@pytest.mark.parametrize("command", ["totals", "check", "top"])
def test_in_a_folder_with_other_names_the_next_step_is_told(tmp_path: Path, command: str) -> None:
    (tmp_path / "loop.txt").write_bytes(date_line(0) + GOROUTINE)
    line = f"{tmp_path}: no file in this folder is named as pprofwatch's logs are: name files, as {tmp_path}/*"
    told = run(command, tmp_path).stderr.decode().splitlines()
    assert told == [f"pprofwatch: {line}"]
    assert run(command, tmp_path / "loop.txt").returncode == 0
    (tmp_path / "mutex.log").write_bytes(log_of([Entry(START, "app:1", "mutex", b"--- mutex:\ncycles/second=1\n")]))
    asked = [] if command == "check" else ["--profile", "goroutine"]
    told = run(command, *asked, tmp_path).stderr.decode().splitlines()
    line = "no log in this folder that could hold what is asked for"
    if command == "top":
        line = "no goroutine profile in it; the last entry, at 2026-11-22T13:49:53.000Z, is of mutex"
    assert told == [f"pprofwatch: {tmp_path}: {line}"]


# What is cut short


def test_of_a_truncated_archive_only_what_is_missing_counts_as_skipped(tmp_path: Path) -> None:
    rng = random.Random(5)
    bodies = (GOROUTINE.replace(b"main.f", rng.randbytes(2000).hex().encode()) for _ in range(300))
    entries = [Entry(START + 10 * number, "app:1", "goroutine", body) for number, body in enumerate(bodies)]
    whole = ZstdCompressor().compress(log_of(entries), ZstdCompressor.FLUSH_FRAME)
    path = tmp_path / "old.log.zst"
    for cut in (1, 100, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        done = run("totals", "--json", path)
        line = done.stderr.decode().splitlines()[0]
        assert line.startswith(f"pprofwatch: {path}: compressed data ends too early: ")
        words = line.split()
        skipped, offset = int(words[-6]), int(words[-1])
        assert skipped == max(cut - offset, 1)
        if done.returncode == 0:
            found = json.loads(done.stdout)
            assert 0 < len(found["totals"]) < 300
            assert found["skipped_bytes"] < 64 << 10 < cut
            path.write_bytes(whole[:offset])
            assert json.loads(run("totals", "--json", path).stdout)["totals"] == found["totals"]


# CPU profiles of a log folder


def test_a_logs_cpu_profiles_have_its_target_and_time(tmp_path: Path) -> None:
    target = tmp_path / "app_1"
    (target / "profile").mkdir(parents=True)
    entries = [
        Entry(START + 0.125, "app:1", "profile", seconds=10, file="profile/20261122T134953Z.pb.gz"),
        Entry(START + 0.5, "app:1", "profile", seconds=10, error="timeout"),
        Entry(START + 60.25, "app:1", "profile", seconds=10, file="profile/20261122T135053Z.pb.gz"),
    ]
    (target / "profile.log").write_bytes(log_of(entries))
    (target / "profile" / "20261122T134953Z.pb.gz").write_bytes(proto("cpu", 3))
    (target / "profile" / "20261122T135053Z.pb.gz").write_bytes(proto("cpu", 8, 1))
    for place in (tmp_path, target):
        found = answer("top", "--profile", "cpu", place)
        assert (found["target"], found["time"], found["total"]) == ("app:1", "2026-11-22T13:50:53.250Z", 8)
    first = run("top", "--profile", "cpu", "--at", "13:49", target).stdout.decode().splitlines()[1]
    assert first == "Time: 2026-11-22T13:49:53.125Z app:1 profile"
    grown = answer("diff", "--profile", "cpu", "--since", "13:49:50", target)
    assert (grown["target"], grown["since"], grown["until"]) == (
        "app:1",
        "2026-11-22T13:49:53.125Z",
        "2026-11-22T13:50:53.250Z",
    )
    done = run("export", "--profile", "cpu", "-o", tmp_path / "x.pb.gz", target)
    assert done.stderr.startswith(b"pprofwatch: 2026-11-22T13:50:53.250Z app:1 profile is in ")
    (target / "profile.log").unlink()
    lost = answer("top", "--profile", "cpu", target)
    assert (lost["target"], lost["time"]) == (
        str(target / "profile" / "20261122T135053Z.pb.gz"),
        "2026-11-22T13:50:53.000Z",
    )
