"""``pprofwatch totals`` on real files."""

from __future__ import annotations

import gzip
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pprofwatch.cli.when import WHEN_HELP
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.zstd import ZstdCompressor
from pprofwatch.model import Entry

BINARY = Path(sys.executable).with_name("pprofwatch")
# 2026-11-22T13:50:00Z
NOW = 1795355400.0


def body(total: int) -> bytes:
    return b"goroutine profile: total %d\n%d @ 0x1\n#\t0x1\tmain.f+0x1\t/src/f.go:1\n\n" % (total, total)


def entry(poll: int, total: int) -> Entry:
    return Entry(NOW + 10 * poll, "app:1", "goroutine", body(total), took=0.004)


ENTRIES = [
    entry(0, 76),
    entry(1, 77),
    Entry(NOW + 20, "app:1", "goroutine", error="connection refused"),
    Entry(NOW + 50, "app:1", "goroutine", gap=3),
    entry(6, 80),
]
LOG = b"".join(map(encode_entry, ENTRIES))
LINES = """\
2026-11-22T13:50:00.000Z 76 app:1 goroutine
2026-11-22T13:50:10.000Z 77 app:1 goroutine
2026-11-22T13:50:20.000Z - app:1 goroutine error: connection refused
2026-11-22T13:50:50.000Z - app:1 goroutine gap=3
2026-11-22T13:51:00.000Z 80 app:1 goroutine
"""


def run(*args: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [BINARY, "totals", *args],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})},
    )


def lines(*args: str | Path, stdin: bytes = b"") -> str:
    result = run(*args, stdin=stdin)
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout.decode()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "goroutine.log"
    path.write_bytes(LOG)
    return path


def test_a_line_for_each_entry_whatever_the_log_is_kept_in(log: Path, tmp_path: Path) -> None:
    (tmp_path / "old.gz").write_bytes(gzip.compress(LOG))
    (tmp_path / "old.zst").write_bytes(ZstdCompressor().compress(LOG, ZstdCompressor.FLUSH_FRAME))
    folder = tmp_path / "logs" / "app_1"
    folder.mkdir(parents=True)
    (folder / "goroutine.log").write_bytes(LOG)
    for place in (log, tmp_path / "old.gz", tmp_path / "old.zst", folder, folder.parent):
        assert lines(place) == LINES
    assert lines("-", stdin=LOG) == LINES
    assert lines(log, folder) == 2 * LINES


def test_the_log_of_a_shell_loop_is_understood() -> None:
    loop = b"Sun Nov 22 13:50:00 IST 2026\n%bSun Nov 22 13:50:10 IST 2026\nSun Nov 22 13:50:20 IST 2026\n%b"
    assert lines("-", stdin=loop % (body(5), b"seconds and debug params are incompatible\n")) == (
        "2026-11-22T13:50:00.000Z 5 goroutine\n"
        "2026-11-22T13:50:10.000Z - error: no answer was logged\n"
        "2026-11-22T13:50:20.000Z - error: seconds and debug params are incompatible\n"
    )


@pytest.mark.parametrize(
    ("since", "until", "polls"),
    [
        ("13:50:10", None, [1, 2, 3, 4]),
        (None, "13:50:10", [0, 1]),
        ("-50s", "2026-11-22T13:50:30Z", [1, 2]),
        ("2026-11-22 13:51", None, [4]),
        ("13:52", "13:50:10", [0, 1]),  # the last time that it was 13:52, in the log, was a day before
    ],
)
def test_a_span_of_time_is_picked(log: Path, since: str | None, until: str | None, polls: list[int]) -> None:
    options = [*(["--since", since] if since else []), *(["--until", until] if until else [])]
    assert lines(*options, log).splitlines() == [LINES.splitlines()[poll] for poll in polls]


def test_one_profile_is_picked(tmp_path: Path) -> None:
    delta = Entry(NOW, "app:1", "threadcreate", b"threadcreate profile: total -2\n", seconds=1)
    heap = Entry(NOW, "app:1", "heap", b"heap profile: 5: 1024 [9: 4096] @ heap/1048576\n")
    path = tmp_path / "mixed.log"
    path.write_bytes(b"".join(map(encode_entry, [delta, heap])))
    assert lines("--profile", "threadcreate", path) == "2026-11-22T13:50:00.000Z -2 app:1 threadcreate:seconds=1\n"
    assert lines("--profile", "heap", path) == "2026-11-22T13:50:00.000Z 5 app:1 heap\n"


def test_json_has_the_same(log: Path) -> None:
    answer = json.loads(lines("--json", log))
    assert answer["skipped_bytes"] == 0
    assert answer["totals"][1:4] == [
        {"time": "2026-11-22T13:50:10.000Z", "target": "app:1", "profile": "goroutine", "total": 77},
        {
            "time": "2026-11-22T13:50:20.000Z",
            "target": "app:1",
            "profile": "goroutine",
            "total": None,
            "error": "connection refused",
        },
        {"time": "2026-11-22T13:50:50.000Z", "target": "app:1", "profile": "goroutine", "total": None, "gap": 3},
    ]
    delta = encode_entry(Entry(NOW, "app:1", "mutex", b"--- mutex:\ncycles/second=1\n", seconds=5))
    assert json.loads(lines("--json", "-", stdin=delta))["totals"] == [
        {"time": "2026-11-22T13:50:00.000Z", "target": "app:1", "profile": "mutex", "total": None, "seconds": 5}
    ]
    assert json.loads(lines("--json", "-")) == {"totals": [], "skipped_bytes": 0}


def test_a_chart_for_each_target_and_profile(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    other.write_bytes(encode_entry(Entry(NOW, "b\x1b:2", "goroutine", body(1))))
    chart = lines("--plot", log, other)
    assert [line for line in chart.splitlines() if line.endswith(" goroutine")] == [
        "app:1 goroutine",
        "b\\x1b:2 goroutine",
    ]
    assert "\x1b" not in chart
    assert all(len(line) <= 80 for line in chart.splitlines())
    assert lines("--plot", "-") == "no totals\n"


def test_what_can_not_be_read_is_told_and_the_rest_is_read(log: Path, tmp_path: Path) -> None:
    first = encode_entry(ENTRIES[0])
    damaged = tmp_path / "damaged.log"
    damaged.write_bytes(first + b"garbage\n" + LOG)
    result = run("--json", tmp_path / "missing.log", damaged, log)
    assert result.returncode == 0
    assert result.stderr.decode() == (
        f"pprofwatch: {tmp_path}/missing.log: cannot read: No such file or directory\n"
        f"pprofwatch: {damaged}: no header line: 8 bytes skipped at byte {len(first)}\n"
    )
    answer = json.loads(result.stdout)
    assert (len(answer["totals"]), answer["skipped_bytes"]) == (11, 8)


def test_an_empty_log_and_one_of_errors_only_are_logs() -> None:
    assert lines("-") == ""
    assert json.loads(lines("--json", "-")) == {"totals": [], "skipped_bytes": 0}
    errors = encode_entry(ENTRIES[2]) + encode_entry(ENTRIES[3])
    assert lines("-", stdin=errors) == "".join(LINES.splitlines(keepends=True)[2:4])
    loop = b"Sun Nov 22 13:50:00 UTC 2026\nSun Nov 22 13:50:10 UTC 2026\ncurl: (7) Failed to connect\n"
    assert lines("-", stdin=loop) == (
        "2026-11-22T13:50:00.000Z - error: no answer was logged\n"
        "2026-11-22T13:50:10.000Z - error: curl: (7) Failed to connect\n"
    )


def test_profiles_mixed_in_one_file_are_told_apart() -> None:
    heap = b"heap profile: 3: 96 [9: 288] @ heap/1048576\n3: 96 [9: 288] @ 0x1\n#\t0x1\tmain.g+0x1\t/src/g.go:1\n\n"
    ours = LOG + encode_entry(Entry(NOW + 70, "app:1", "heap", heap)) + encode_entry(entry(8, 81))
    assert lines("-", stdin=ours) == LINES + (
        "2026-11-22T13:51:10.000Z 3 app:1 heap\n2026-11-22T13:51:20.000Z 81 app:1 goroutine\n"
    )
    loop = b"Sun Nov 22 13:50:00 UTC 2026\n" + body(5) + b"Sun Nov 22 13:50:01 UTC 2026\n" + heap
    assert lines("--profile", "heap", "-", stdin=loop) == "2026-11-22T13:50:01.000Z 3 heap\n"
    assert lines("-", stdin=loop).count("\n") == 2


def test_entries_out_of_order_stand_as_they_are() -> None:
    order = [3, 0, 4, 1, 2]
    log = b"".join(encode_entry(ENTRIES[i]) for i in order)
    assert lines("-", stdin=log).splitlines() == [LINES.splitlines()[i] for i in order]
    assert len(lines("--since", "2026-11-22T13:50:20Z", "-", stdin=log).splitlines()) == 3


def test_the_local_times_of_a_loop_are_right_also_where_the_clocks_change() -> None:
    dates = (
        b"Sun Oct 25 02:59:50 CEST 2026",
        b"Sun Oct 25 02:00:00 CET 2026",
        b"Sun, 25 Oct 2026 02:59:50 +0200",
        b"2026-10-25T02:00:00+01:00",
        b"Sun Oct 25 02:00:00 IST 2026",
    )
    found = lines("-", stdin=b"".join(date + b"\n" + body(7) for date in dates)).splitlines()
    # A name with several meanings means nothing.
    assert [line[11:19] for line in found] == ["00:59:50", "01:00:00", "00:59:50", "01:00:00", "02:00:00"]
    assert all(line.endswith("Z 7 goroutine") for line in found)


def test_a_compressed_log_that_is_cut_short_tells_what_it_has(log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "cut.zst"
    compressor = ZstdCompressor()
    frames = [compressor.compress(encode_entry(entry), ZstdCompressor.FLUSH_FRAME) for entry in ENTRIES]
    packed.write_bytes(b"".join(frames)[:-5])
    result = run(packed, log)
    assert (result.returncode, result.stdout.decode()) == (0, "".join(LINES.splitlines(keepends=True)[:4]) + LINES)
    assert result.stderr.decode().startswith(f"pprofwatch: {packed}: compressed data ends too early: ")
    assert result.stderr.count(b"\n") == 1


def test_where_nothing_can_be_read_it_says_so_and_fails(tmp_path: Path) -> None:
    result = run(tmp_path / "missing.log")
    message = f"pprofwatch: {tmp_path}/missing.log: cannot read: No such file or directory\n"
    assert (result.returncode, result.stdout, result.stderr.decode()) == (3, b"", message)
    result = run(sys.executable)
    assert (result.returncode, result.stdout) == (3, b"")
    assert b"not a log" in result.stderr
    assert result.stderr.count(b"\n") == 1


def test_many_damages_are_counted_not_listed() -> None:
    result = run("-", stdin=(encode_entry(ENTRIES[0]) + b"garbage\n") * 100)
    assert (result.returncode, result.stdout.count(b"\n")) == (0, 100)
    told = result.stderr.decode().splitlines()
    assert len(told) == 21
    assert told[-1] == "pprofwatch: 80 more could not be read: 800 bytes in all"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "Missing argument 'LOG...' (see 'pprofwatch totals --help')"),
        (["--plot", "--json", "-"], "--plot and --json: choose one"),
        (["--since", "yesterday", "-"], f'--since: expected a time: {WHEN_HELP}, got "yesterday"'),
    ],
)
def test_wrong_usage_is_2(args: list[str], message: str) -> None:
    result = run(*args)
    assert (result.returncode, result.stderr.decode()) == (2, f"pprofwatch: {message}\n")


def test_an_interrupt_while_reading_is_130_and_says_nothing() -> None:
    with subprocess.Popen(
        [BINARY, "totals", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(LOG * 2000)  # more than a pipe holds: when this returns, it reads
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert process.stderr.read() == b""


def test_long_work_shows_its_progress_on_a_terminal() -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [BINARY, "totals", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=terminal
    ) as process:
        os.close(terminal)
        assert process.stdin
        block = LOG * ((1 << 18) // len(LOG))
        deadline = time.monotonic() + 30
        shown = b""
        while b"reading" not in shown and time.monotonic() < deadline:
            process.stdin.write(block)
            if select.select([controller], [], [], 0.01)[0]:
                shown += os.read(controller, 4096)
        process.kill()
    os.close(controller)
    assert b"reading" in shown
