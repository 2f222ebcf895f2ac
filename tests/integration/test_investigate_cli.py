"""``pprofwatch top``, ``diff``, ``show`` and ``export``: what they say, on real files, and about what can't be read."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import pty
import signal
import subprocess
import sys
import threading
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

    from conftest import StartGoServer

WRONG_WAY_ROUND = (
    "expected two entries, the earlier one first: nearest to --since is 2026-11-22T13:51:03.000Z, "
    "to --until 2026-11-22T13:50:03.000Z"
)
BINARY = Path(sys.executable).with_name("pprofwatch")


def body(waiting: int, *, kind: str = "goroutine", name: str = "main.wait") -> bytes:
    text = f"{kind} profile: total {waiting + 1}\n"
    text += f"{waiting} @ 0x1 0x2\n#\t0x1\t{name}+0x1\t/src/wait.go:7\n#\t0x2\tmain.main+0x1\t/src/main.go:3\n\n"
    return (text + "1 @ 0x2\n#\t0x2\tmain.main+0x1\t/src/main.go:3\n\n").encode()


def entry(number: int, *, target: str = "app:1", kind: str = "goroutine") -> Entry:
    return Entry(START + 10 * number, target, kind, body(number + 10, kind=kind), took=0.004)


def log_of(entries: Iterable[Entry]) -> bytes:
    return b"".join(map(encode_entry, entries))


def run(*args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run([BINARY, *args], input=stdin, capture_output=True, timeout=60, check=False, env=environment)


def answer(*args: str | Path, stdin: bytes = b"") -> Any:
    done = run(*args, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def complaint(*args: str | Path, status: int) -> str:
    """The one line that a command fails with."""
    done = run(*args)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == b""
    line, end = done.stderr.decode().removeprefix("pprofwatch: ").split("\n")
    assert end == ""
    return line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "server.log"
    path.write_bytes(log_of(map(entry, range(100))))
    return path


# top


def test_top_prints_pprofs_columns_and_which_entry_was_taken(log: Path) -> None:
    done = run("top", "--at", "13:50", log)
    assert done.stdout.decode().splitlines() == [
        "Type: goroutine",
        "Time: 2026-11-22T13:50:03.000Z app:1 goroutine",
        "Showing 2 of 2 functions, 12 (100%) of 12 total",
        "      flat  flat%   sum%        cum   cum%",
        "        11 91.67% 91.67%         11 91.67%  main.wait",
        "         1  8.33%   100%         12   100%  main.main",
    ]
    assert done.stderr == b""


def test_tops_json(log: Path) -> None:
    assert answer("top", log) == {
        "profile": "goroutine",
        "value": "goroutine",
        "unit": "count",
        "total": 110,
        "target": "app:1",
        "time": "2026-11-22T14:06:23.000Z",
        "rows": [{"function": "main.wait", "flat": 109, "cum": 109}, {"function": "main.main", "flat": 1, "cum": 110}],
    }


@pytest.mark.parametrize(
    ("at", "taken"),
    [
        ("14:00", "14:00:03"),
        ("-10m", "13:56:23"),
        ("2026-11-22T13:55:00Z", "13:55:03"),
        ("2026-11-22T15:00+01:00", "14:00:03"),
        ("14:30", "14:06:23"),
        ("2025-01-01", "13:49:53"),
    ],
)
def test_the_entry_that_is_nearest_to_a_time_is_taken(log: Path, at: str, taken: str) -> None:
    assert answer("top", "--at", at, log)["time"] == f"2026-11-22T{taken}.000Z"


def test_top_of_a_difference(log: Path) -> None:
    difference = answer("top", "--since", "13:50", "--until", "13:51", log)
    assert difference["total"] == 6
    assert difference["rows"] == [
        {"function": "main.wait", "flat": 6, "cum": 6},
        {"function": "main.main", "flat": 0, "cum": 6},
    ]
    assert (difference["since"], difference["time"]) == ("2026-11-22T13:50:03.000Z", "2026-11-22T13:51:03.000Z")


def test_names_from_outside_cannot_drive_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    stack = Stack((Frame("main.\x1b]0;owned\x07\u202ef", "/src/\x1b[2J.go", 1),))
    path.with_suffix(".pb").write_bytes(encode_profile([("goroutine", "count")], [(stack, [1])], time=START))
    path.write_bytes(encode_entry(Entry(START, "a\x1b[31m", "goroutine", body(3, name="main.\x1b[2Jf"))))
    for verb in ("top", "show", "diff"):
        for file in (path, path.with_suffix(".pb")):
            more = ["--since", "13:00"] if verb == "diff" else []
            done = run(verb, *more, file)
            assert not set(done.stdout + done.stderr) & set(range(0x20)) - {9, 10}
            assert "\u202e" not in done.stdout.decode()


# diff


def test_diff_prints_what_changed_most_with_its_rate(log: Path) -> None:
    assert run("diff", "--since", "13:50:03", "--until", "14:00:03", log).stdout.decode() == (
        "Type: goroutine\n"
        "Time: 2026-11-22T13:50:03.000Z to 2026-11-22T14:00:03.000Z app:1 goroutine (10m)\n"
        "Total: 12 → 72 (+60); 1 stack changed\n"
        "\n"
        "+60  11 → 71, +360 an hour\n"
        "    main.wait  /src/wait.go:7\n"
        "    main.main  /src/main.go:3\n"
    )


def test_diffs_json(log: Path) -> None:
    difference = answer("diff", "--since", "-1m", log)
    assert difference["stacks"] == [
        {
            "change": 6,
            "per_hour": 360.0,
            "before": 103,
            "after": 109,
            "frames": [
                {"function": "main.wait", "file": "/src/wait.go", "line": 7},
                {"function": "main.main", "file": "/src/main.go", "line": 3},
            ],
        }
    ]
    assert (difference["total_before"], difference["total_after"]) == (104, 110)
    assert (difference["since"], difference["until"]) == ("2026-11-22T14:05:23.000Z", "2026-11-22T14:06:23.000Z")


def block(number: int, *delays: int) -> Entry:
    text = "--- contention:\ncycles/second=1000000000\n"
    for line, delay in enumerate(delays, 1):
        text += f"{delay} 1 @ {line:#x}\n#\t{line:#x}\tmain.f{line}+0x1\t/f.go:{line}\n\n"
    return Entry(START + 600 * number, "app:1", "block", text.encode())


def test_diff_shows_each_number_in_a_unit_that_suits_it(tmp_path: Path) -> None:
    log = tmp_path / "block.log"
    log.write_bytes(log_of([block(0, 581_340_880_000, 40, 7), block(1, 9_406_191_610_000, 9_040, 8)]))
    assert run("diff", "--since", "2026-11-22T13:49:53Z", "-n", "2", log).stdout.decode() == (
        "Type: delay\n"
        "Time: 2026-11-22T13:49:53.000Z to 2026-11-22T13:59:53.000Z app:1 block (10m)\n"
        "Total: 581.34s → 2.61hrs (+2.45hrs); 3 stacks changed\n"
        "\n"
        "+2.45hrs  581.34s → 2.61hrs, +14.71hrs an hour\n"
        "    main.f1  /f.go:1\n"
        "\n"
        "+9us  40ns → 9.04us, +54us an hour\n"
        "    main.f2  /f.go:2\n"
        "\n"
        "1 more: -n 3 shows them\n"
    )


def test_diff_says_that_the_target_has_restarted_and_tells_no_rates_then(tmp_path: Path) -> None:
    log = tmp_path / "block.log"
    log.write_bytes(log_of([block(0, 9_000_000_000, 40), block(1, 1_000_000_000, 50)]))
    assert run("diff", "--since", "2026-11-22T13:49:53Z", log).stdout.decode().splitlines()[2:6] == [
        "Total: 9s → 1s (-8s); 2 stacks changed",
        "The total fell, which it can't while a process lives: the target seems to have restarted between.",
        "",
        "-8s  9s → 1s",
    ]
    assert answer("diff", "--since", "2026-11-22T13:49:53Z", log)["restarted"] is True
    # Goroutines come and go.
    log.write_bytes(log_of([entry(99), entry(199)._replace(body=body(3))]))
    assert "restarted" not in run("diff", "--since", "2026-11-22T13:49:53Z", log).stdout.decode()
    assert answer("diff", "--since", "2026-11-22T13:49:53Z", log)["restarted"] is False


# show


def test_show_prints_the_entry_itself(log: Path) -> None:
    header, _, shown = run("show", "--at", "13:50", log).stdout.partition(b"\n")
    assert header == b"2026-11-22T13:50:03.000Z app:1 goroutine bytes=%d took=4ms" % len(shown)
    assert shown == body(11)
    assert answer("show", "--at", "13:50", log)["body"] == body(11).decode()


def test_show_knows_failed_polls(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(log_of([entry(0), Entry(START + 10, "app:1", "goroutine", error="connection refused")]))
    assert run("show", path).stdout == b"2026-11-22T13:50:03.000Z app:1 goroutine bytes=0 error: connection refused\n"


# export


def test_export_writes_whole_files_and_none_over_another(log: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.pb.gz"
    done = run("export", "--at", "13:50", "-o", output, log)
    assert done.stderr.decode() == f"pprofwatch: 2026-11-22T13:50:03.000Z app:1 goroutine is in {output}\n"
    assert answer("top", output) == {**answer("top", "--at", "13:50", log), "target": str(output)}
    first = output.read_bytes()
    assert complaint("export", "-o", output, log, status=2) == f"-o {output}: is there already; --force overwrites it"
    assert output.read_bytes() == first
    assert run("export", "--force", "-o", output, log).returncode == 0
    assert answer("top", output)["total"] == 110
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.log", "x.pb.gz"]


def test_a_difference_is_exported(log: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.pb.gz"
    run("export", "--since", "13:50", "--until", "13:51", "-o", output, log)
    assert answer("top", output)["rows"] == answer("top", "--since", "13:50", "--until", "13:51", log)["rows"]


def test_other_forms_go_to_standard_output(log: Path) -> None:
    assert run("export", "--format", "collapsed", log).stdout == b"main.main;main.wait 109\nmain.main 1\n"
    assert answer("export", log)["stacks"][1] == {
        "values": [1],
        "frames": [{"function": "main.main", "file": "/src/main.go", "line": 3}],
    }
    assert gzip.decompress(run("export", "-o", "-", log).stdout)


def test_a_terminal_gets_no_binary(log: Path) -> None:
    terminal, inner = pty.openpty()
    try:
        done = subprocess.run(
            [BINARY, "export", "-o", "-", log], stdout=inner, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(terminal)
        os.close(inner)
    assert done.returncode == 2
    assert done.stderr == b"pprofwatch: -o -: a terminal can't show this: name a file, or pipe it on\n"


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ([], "expected -o FILE, or -o - for standard output"),
        (["-o", "no/x"], "-o no/x: there is no folder no"),
        (["-o", "."], "-o .: expected a file, not a folder"),
        (["--json", "--format", "pprof"], "--json and --format pprof: choose one"),
        (["-o", "-", "--value", "cpu"], "--value is for --format collapsed: pprof has all values"),
    ],
)
def test_export_says_what_it_was_not_told(log: Path, args: list[str], line: str) -> None:
    assert complaint("export", *args, log, status=2) == line


def test_a_full_disk_leaves_nothing(log: Path) -> None:
    assert complaint("export", "-o", "/dev/full", "--force", log, status=3) == "No space left on device"


# Where profiles come from


def test_a_compressed_log_and_standard_input(log: Path, tmp_path: Path) -> None:
    compressor = ZstdCompressor()
    packed = tmp_path / "server.log.zst"
    packed.write_bytes(compressor.compress(log.read_bytes()) + compressor.flush())
    wanted = answer("top", "--at", "2026-11-22T13:50", log)
    assert answer("top", "--at", "13:50", packed) == wanted
    assert answer("top", "--at", "2026-11-22T13:50", "-", stdin=log.read_bytes()) == wanted
    assert answer("top", "-", stdin=gzip.compress(log.read_bytes())) == answer("top", log)
    assert answer("top", "/dev/stdin", stdin=log.read_bytes()) == answer("top", log)


def test_a_targets_folder(tmp_path: Path) -> None:
    folder = tmp_path / "app_1"
    (folder / "profile").mkdir(parents=True)
    (folder / "goroutine.log").write_bytes(log_of([entry(6)]))
    (folder / "threadcreate.log").write_bytes(log_of([entry(6, kind="threadcreate")]))
    (folder / "goroutine-20261122T134953Z.log").write_bytes(log_of(map(entry, range(5))))
    cpu = encode_profile(
        [("samples", "count"), ("cpu", "nanoseconds")], [(Stack((Frame("f", "", 1),)), [2, 7])], time=1
    )
    (folder / "profile" / "20261122T134953Z.pb.gz").write_bytes(cpu)
    for place in (folder, tmp_path):
        assert answer("top", place)["time"] == "2026-11-22T13:50:53.000Z"
        assert answer("top", "--at", "13:50", place)["total"] == 12
        assert answer("top", "--profile", "threadcreate", place)["profile"] == "threadcreate"
        processor = answer("top", "--profile", "cpu", place)
        assert (processor["profile"], processor["total"], processor["unit"]) == ("profile", 7, "nanoseconds")
        assert processor["time"] == "2026-11-22T13:49:53.000Z"


def test_a_folder_of_several_targets_is_asked_for_one(tmp_path: Path) -> None:
    for name in ("a_1", "b_1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "goroutine.log").write_bytes(log_of([entry(1)]))
    assert complaint("top", tmp_path, status=2) == f"{tmp_path} has logs of 2 targets: name one of a_1, b_1"
    assert answer("top", tmp_path / "a_1")["total"] == 12


def test_a_folder_of_protobufs(tmp_path: Path) -> None:
    for minute, count in ((0, 3), (5, 8), (9, 9)):
        proto = encode_profile(
            [("goroutine", "count")], [(Stack((Frame("f", "", 1),)), [count])], time=START + 60 * minute
        )
        (tmp_path / f"goroutine-20261122T13{50 + minute}00Z.pb.gz").write_bytes(proto)
    heap = encode_profile(
        [(name, "count") for name in ("inuse_objects", "inuse_space", "alloc_objects", "alloc_space")],
        [(Stack((Frame("g", "", 1),)), [1, 2, 3, 4])],
        time=START,
    )
    (tmp_path / "artifact.pb.gz").write_bytes(heap)
    assert answer("top", "--profile", "goroutine", tmp_path)["total"] == 9
    assert answer("top", "--profile", "goroutine", "--at", "13:54", tmp_path)["total"] == 8
    assert answer("top", "--profile", "heap", tmp_path)["total"] == 2
    [grown] = answer("diff", "--profile", "goroutine", "--since", "13:50", tmp_path)["stacks"]
    assert (grown["before"], grown["after"]) == (3, 9)


def test_protobufs_are_read_wherever_a_log_can(tmp_path: Path) -> None:
    for number, count in ((1, 8), (2, 5)):
        rows = [(Stack((Frame("main.f", "/f.go", 1),)), [count])]
        proto = encode_profile([("goroutine", "count")], rows, time=START + 10 * number)
        (tmp_path / f"{number}.pb.gz").write_bytes(proto)
    lines = ["2026-11-22T13:50:03.000Z 8 goroutine", "2026-11-22T13:50:13.000Z 5 goroutine"]
    (tmp_path / "3.pb.gz").write_bytes(b"\x1f\x8bdamaged")
    done = run("totals", tmp_path)
    assert done.stdout.decode().splitlines() == lines
    assert done.stderr.startswith(f"pprofwatch: {tmp_path}/3.pb.gz: the profile's gzip data is damaged".encode())
    assert done.stderr.count(b"\n") == 1
    assert run("totals", "--since", "-1s", tmp_path / "1.pb.gz").stdout.decode() == lines[0] + "\n"
    assert run("tail", "-n", "1", tmp_path).stdout.decode() == lines[1] + "\n"
    assert answer("check", tmp_path)["entries"] == 2
    assert answer("check", tmp_path / "1.pb.gz", tmp_path / "2.pb.gz")["entries"] == 2
    assert run("show", tmp_path / "1.pb.gz").stdout.splitlines()[1] == b"goroutine profile: total 8"


def test_an_interrupt_leaves_no_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        with subprocess.Popen(
            [BINARY, "export", "-o", tmp_path / "x.pb.gz", "-"], stdin=reading, stderr=subprocess.PIPE
        ) as process:
            os.write(writing, log_of(map(entry, range(2000)))[: 1 << 20])  # returns once most of it was read
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30)[1] == b""
        assert process.returncode == 130
    finally:
        os.close(reading)
        os.close(writing)
    assert list(tmp_path.iterdir()) == []


def test_a_live_target(go_server: StartGoServer, tmp_path: Path) -> None:
    address = go_server("-leak", "50ms").address
    live = answer("top", "--target", address)
    assert live["target"] == address
    assert any(row["function"] == "main.(*Pool).work" for row in live["rows"])
    assert "runtime.gopark" in {row["function"] for row in answer("top", "--runtime", "--target", address)["rows"]}
    assert answer("top", "--target", address, "--profile", "cpu:seconds=1")["unit"] == "nanoseconds"
    assert run("show", "--target", address, "--profile", "heap").stdout.splitlines()[1].startswith(b"heap profile: ")
    grown = answer("diff", "--target", address, "--profile", "goroutine:seconds=1")
    assert any(stack["change"] > 0 for stack in grown["stacks"])
    output = tmp_path / "x.pb.gz"
    assert run("export", "--target", address, "-o", output).returncode == 0
    assert "runtime.gopark" in {row["function"] for row in answer("top", "--runtime", output)["rows"]}


def test_a_live_target_is_asked_with_what_the_configuration_has_for_it(tmp_path: Path) -> None:
    asked: list[str | None] = []

    class Guarded(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["X-Key"])
            body = b"goroutine profile: total 0\n" if asked[-1] == "secret" else b""
            self.send_response(200 if body else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            address = f"127.0.0.1:{server.server_port}"
            target = f'[[target]]\nname = "api"\nurl = "{address}"\nheader = ["X-Key: secret"]\n'
            (tmp_path / "config.toml").write_text(target)
            environ = {**os.environ, "CONFIGURATION_DIRECTORY": str(tmp_path)}
            shown = [
                subprocess.run([BINARY, "show", "--target", name], env=environ, capture_output=True, check=False)
                for name in ("api", address)
            ]
            refused = run("show", "--target", address)
        finally:
            server.shutdown()
            thread.join()
    assert [(result.returncode, result.stdout.splitlines()[-1]) for result in shown] == [
        (0, b"goroutine profile: total 0")
    ] * 2, shown
    assert asked == ["secret", "secret", None]
    assert refused.returncode == 3


def test_a_live_target_that_is_not_there() -> None:
    assert complaint("top", "--target", "localhost:1", status=3) == "localhost:1: connection refused"


# Bad input


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "no profile in it"),
        (
            log_of([Entry(START, "app:1", "goroutine", error="connection refused")]),
            "no profile in it; the last entry, at 2026-11-22T13:49:53.000Z, failed: connection refused",
        ),
        (
            date_line(0) + date_line(1),
            "no profile in it; the last entry, at 2026-11-22T13:50:03.000Z, failed: no answer was logged",
        ),
        (b"\0" * 3000, "not a log: expected a line with a time before each profile: 3000 bytes skipped at byte 0"),
    ],
)
def test_logs_without_a_profile(tmp_path: Path, content: bytes, line: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(content)
    for verb in (["top"], ["diff", "--since", "13:00"], ["export", "-o", tmp_path / "y"]):
        assert complaint(*verb, path, status=3) == f"{path}: {line}"
    assert not (tmp_path / "y").exists()


def test_two_profiles_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "mixed.log"
    path.write_bytes(log_of(entry(number, kind=kind) for number in range(9) for kind in ("goroutine", "threadcreate")))
    assert answer("top", path)["profile"] == "goroutine"
    assert answer("top", "--profile", "threadcreate", path)["profile"] == "threadcreate"
    assert complaint("top", "--profile", "heap", path, status=3) == (
        f"{path}: no heap profile in it; the last entry, at 2026-11-22T13:51:13.000Z, is of goroutine"
    )


def test_entries_out_of_order(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(log_of(map(entry, (5, 3, 9, 1, 7))))
    assert answer("top", path)["time"] == "2026-11-22T13:51:23.000Z"
    assert answer("top", "--at", "13:50", path)["time"] == "2026-11-22T13:50:03.000Z"
    [grown] = answer("diff", "--since", "13:50", path)["stacks"]
    assert (grown["before"], grown["after"]) == (11, 19)


def test_local_times_across_the_end_of_summer_time(tmp_path: Path) -> None:
    path = tmp_path / "shell.log"
    path.write_bytes(b"Sun Oct 25 02:59:50 +0200 2026\n" + body(5) + b"Sun Oct 25 02:00:00 +0100 2026\n" + body(8))
    [grown] = answer("diff", "--since", "00:59:50", path)["stacks"]
    assert (grown["change"], grown["per_hour"]) == (3, 1080.0)


def test_a_truncated_archive_gives_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "x.log.zst"
    compressor = ZstdCompressor()
    whole = compressor.compress(log_of(map(entry, range(5000)))) + compressor.flush()
    path.write_bytes(whole[: len(whole) // 2])
    done = run("top", "--at", "13:50", "--json", path)
    assert json.loads(done.stdout)["time"] == "2026-11-22T13:50:03.000Z"
    assert b"compressed data ends too early" in done.stderr.splitlines()[0]


def test_what_can_be_read_is_and_the_rest_is_told(log: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(bytes(range(128, 256)))
    damaged = tmp_path / "damaged.pb.gz"
    damaged.write_bytes(gzip.compress(b"\x0a\x04\x08\x01" * 9)[:-9])
    done = run("top", "--json", garbage, log, tmp_path / "missing", damaged)
    assert json.loads(done.stdout)["total"] == 110
    lines = done.stderr.decode().splitlines()
    names = [line.removeprefix(f"pprofwatch: {tmp_path}/").partition(":")[0] for line in lines]
    assert sorted(names) == ["damaged.pb.gz", "garbage", "missing"]


def test_a_shell_loops_last_entry_may_be_half_there(tmp_path: Path) -> None:
    path = tmp_path / "shell.log"
    path.write_bytes(date_line(0) + body(5) + date_line(1) + body(8)[:60] + b"\n")
    done = run("top", "--json", path)
    assert json.loads(done.stdout)["total"] == 6
    assert done.stderr.startswith(b"pprofwatch: 2026-11-22T13:50:03.000Z goroutine: ")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["top"], "expected LOG or --target: see --help"),
        (["top", "--target", "a:1", "LOG"], "expected LOG or --target, not both"),
        (["top", "--target", "a:1", "--at", "13:49"], "--target is asked now: --at, --since and --until are for logs"),
        (
            ["top", "--at", "13:49", "--since", "13:00", "LOG"],
            "--at is for an instant, --since and --until for a difference: choose",
        ),
        (["top", "--until", "13:49", "LOG"], "--until: expected --since, too: a difference needs both ends"),
        (["top", "--profile", "trace", "LOG"], "--profile: a trace has no stacks to count: go tool trace reads it"),
        (["top", "--value", "cpu", "LOG"], 'a goroutine profile has no value "cpu": choose from goroutine'),
        (
            [
                "top",
                "--target",
                "a",
            ],
            '--target: expected a port from 1 to 65535, as in localhost:6060, got "a"',
        ),
        (
            ["diff", "--since", "13:51", "--until", "13:50", "LOG"],
            WRONG_WAY_ROUND,
        ),
        (
            ["top", "--at", "13:50", "-"],
            "a pipe can be read once only: give times with their day, as 2026-11-22T13:49:53Z",
        ),
    ],
)
def test_mistakes_in_the_command(log: Path, args: list[str], line: str) -> None:
    assert complaint(*(str(log) if arg == "LOG" else arg for arg in args), status=2) == line
