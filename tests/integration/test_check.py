"""``pprofwatch check``: the command itself, on real files."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.zstd import ZstdCompressor
from pprofwatch.model import Entry, Frame, Profile, Record, Stack
from pprofwatch.profiles.text import render_text
from pprofwatch.times import parse_time
from simulated import EVERY, MINUTE, START, leak, seconds, server, stack, steady

if TYPE_CHECKING:
    from collections.abc import Iterable

BINARY = Path(sys.executable).with_name("pprofwatch")
PARK = Frame("runtime.chansend1", "/usr/local/go/src/runtime/chan.go", 161)
FORWARD = Frame("main.(*Dispatcher).forward", "/src/app/dispatch.go", 41)
LEAKING = Stack((PARK, FORWARD, Frame("main.serve", "/src/app/main.go", 20)))
BUSY = stack("main.handle", "main.listen")


def entries(counts: Iterable[int], minutes: int = 40) -> list[Entry]:
    """The polls of a server whose leaking stack has these counts."""
    return [
        Entry(time, "localhost:6060", "goroutine", render_text(Profile("goroutine", sum(by_stack.values()), records)))
        for time, by_stack in server(minutes / 60, {LEAKING: counts, BUSY: steady(50)})
        for records in [tuple(Record(stack, (count,)) for stack, count in by_stack.items())]
    ]


LEAKY_POLLS = entries(leak(30))
LEAKY = b"".join(map(encode_entry, LEAKY_POLLS))
HEALTHY = b"".join(map(encode_entry, entries(min(t // 10, 60) for t in seconds())))


def format_date(time: float, zone: str = "IST") -> bytes:
    """What ``date`` prints where the zone has this name, and its clocks show this time."""
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime(f"%a %b %e %H:%M:%S {zone} %Y\n").encode()


LOOP = b"".join(format_date(entry.time) + entry.body for entry in LEAKY_POLLS)


def run(*args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [BINARY, "check", *args],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )
    return subprocess.CompletedProcess(result.args, result.returncode, result.stdout.decode(), result.stderr.decode())


def document(*args: str | Path, stdin: bytes = b"") -> Any:
    result = run("--json", *args, stdin=stdin)
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert result.returncode == (1 if found["leaks"] else 0)
    assert result.stdout.count("\n") == 1
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "goroutine.log"
    path.write_bytes(LEAKY)
    return path


def test_a_leak_is_exit_status_1_and_told_to_a_person(log: Path) -> None:
    result = run(log)
    assert (result.returncode, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == [
        "LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward",
        "  where    /src/app/dispatch.go:41",
    ]
    assert re.fullmatch(
        r"  growth   1 → 80 since 13:0\d UTC \(\+2 a minute ± 0\.\d\), total 51 → 130; 1,000 by \d\d:\d\d UTC", lines[2]
    )
    assert lines[3].startswith("  found    2026-11-22T13:3")
    assert lines[4:] == ["", "1 leak in 240 entries"]


def test_no_leak_is_exit_status_0(log: Path) -> None:
    log.write_bytes(HEALTHY)
    result = run(log)
    assert (result.returncode, result.stdout, result.stderr) == (0, "0 leaks in 240 entries\n", "")
    assert document(log) == {"entries": 240, "skipped_bytes": 0, "leaks": []}


def test_the_json_has_the_fields_that_were_promised(log: Path) -> None:
    found = document(log)
    assert (found["entries"], found["skipped_bytes"], len(found["leaks"])) == (240, 0, 1)
    (one,) = found["leaks"]
    times = {key: one.pop(key) for key in ("detected_at", "since")}
    ahead = one.pop("forecast")
    assert one == {
        "target": "localhost:6060",
        "profile": "goroutine",
        "severity": "leak",
        "over_at": None,
        "count_from": 1,
        "count_to": 80,
        "per_hour": pytest.approx(120, rel=0.03),
        "per_hour_error": pytest.approx(26, rel=0.1),
        "function": "main.(*Dispatcher).forward",
        "location": "/src/app/dispatch.go:41",
        "stack": ["runtime.chansend1", "main.(*Dispatcher).forward", "main.serve"],
        "beside": None,
        "also": [],
        "blocked_in": None,
        "evidence": None,
    }
    assert ahead["count"] == 1000
    assert parse_time(ahead["at"]) - LEAKY_POLLS[-1].time == pytest.approx((1000 - 130) / 2 * MINUTE, rel=0.03)
    assert abs(parse_time(times["since"]) - START) <= 2 * MINUTE
    assert 30 * MINUTE < parse_time(times["detected_at"]) - START <= 40 * MINUTE


def test_detected_at_is_the_entry_that_gave_it_away(log: Path) -> None:
    at = parse_time(document(log)["leaks"][0]["detected_at"])
    last = [entry.time for entry in LEAKY_POLLS].index(at)
    log.write_bytes(b"".join(map(encode_entry, LEAKY_POLLS[:last])))
    assert document(log)["leaks"] == []
    log.write_bytes(b"".join(map(encode_entry, LEAKY_POLLS[: last + 1])))
    assert parse_time(document(log)["leaks"][0]["detected_at"]) == at


def test_it_reads_whatever_a_log_is_kept_in(log: Path, tmp_path: Path) -> None:
    expected = document(log)
    (tmp_path / "old.gz").write_bytes(gzip.compress(LEAKY))
    (tmp_path / "old.zst").write_bytes(ZstdCompressor().compress(LEAKY, ZstdCompressor.FLUSH_FRAME))
    folder = tmp_path / "logs" / "localhost_6060"
    folder.mkdir(parents=True)
    half = LEAKY.index(encode_entry(LEAKY_POLLS[100]))
    closed = ZstdCompressor().compress(LEAKY[:half], ZstdCompressor.FLUSH_FRAME)
    (folder / "goroutine-20261122T130000Z.log.zst").write_bytes(closed)
    (folder / "goroutine.log").write_bytes(LEAKY[half:])
    for place in (tmp_path / "old.gz", tmp_path / "old.zst", folder, folder.parent):
        assert document(place) == expected
    assert document("-", stdin=LEAKY) == expected


def test_a_shell_loop_s_log_gives_the_same_leak_without_a_target(log: Path) -> None:
    ours, theirs = document(log), document("-", stdin=LOOP)
    assert theirs["leaks"][0].pop("target") == ""
    assert ours["leaks"][0].pop("target") == "localhost:6060"
    assert theirs == ours
    assert run("-", stdin=LOOP).stdout.startswith(
        "LEAK this log: goroutines grow without bound in main.(*Dispatcher).forward\n"
    )


def test_a_leak_that_is_over_says_when(log: Path) -> None:
    log.write_bytes(b"".join(map(encode_entry, entries((n if n < 80 else 0 for n in leak(30)), minutes=50))))
    (one,) = document(log)["leaks"]
    assert one["over_at"] == "2026-11-22T13:40:00.000Z"
    assert (one["count_from"], one["count_to"]) == (1, 79)  # what it had grown to
    assert ", over at 2026-11-22T13:40:00.000Z\n" in run(log).stdout


def test_two_targets_in_one_place_are_told_apart(tmp_path: Path) -> None:
    for name, counts in (("a:1", leak(30)), ("b:1", steady(3))):
        folder = tmp_path / name.replace(":", "_")
        folder.mkdir()
        polls = [entry._replace(target=name) for entry in entries(counts)]
        (folder / "goroutine.log").write_bytes(b"".join(map(encode_entry, polls)))
    found = document(tmp_path)
    assert found["entries"] == 480
    assert [one["target"] for one in found["leaks"]] == ["a:1"]


def test_a_short_window_is_for_short_tests(tmp_path: Path) -> None:
    path = tmp_path / "short.log"
    polls = entries(leak(EVERY))[:200]
    quick = [Entry(START + i / 5, entry.target, entry.profile, entry.body) for i, entry in enumerate(polls)]
    path.write_bytes(b"".join(map(encode_entry, quick)))
    assert document(path)["leaks"] == []
    (one,) = document("--leak-window", "20s", path)["leaks"]
    assert 20 < parse_time(one["detected_at"]) - START <= 30
    assert document("--leak-window", "20s", "--leak-min-count", "300", path)["leaks"] == []


def store(folder: Path, **logs: Iterable[Entry]) -> Path:
    """A target's folder with these logs."""
    folder.mkdir(parents=True)
    for name, polls in logs.items():
        (folder / f"{name}.log").write_bytes(b"".join(map(encode_entry, polls)))
    return folder


def polls_of(profile: str, counts: Iterable[int], stack: Stack, *, minutes: int = 40, every: int = 60) -> list[Entry]:
    """The polls of a profile in which this stack has these counts, of a megabyte each where it is the heap."""
    polls = []
    for time, count in zip(range(0, minutes * MINUTE, every), counts, strict=False):
        values = (count, count << 20, count, count << 20) if profile == "heap" else (count,)
        body = render_text(Profile(profile, count, (Record(stack, values),), 524288 if profile == "heap" else 0))
        polls.append(Entry(START + time, "localhost:6060", profile, body))
    return polls


def test_what_the_target_itself_said_comes_at_its_time_and_proves_the_leak(tmp_path: Path) -> None:
    never = polls_of("goroutineleak", (0, 30, 60), LEAKING, every=15 * MINUTE)
    folder = store(tmp_path / "logs" / "localhost_6060", goroutine=LEAKY_POLLS, goroutineleak=never)
    for place in (folder, folder.parent):
        found = document(place)
        assert found["entries"] == 243
        (one,) = found["leaks"]
        assert (one["severity"], one["profile"], one["evidence"]["never"]) == ("proven", "goroutine", 60)
        # Growth alone would have taken longer; and nothing is known before the target has said it.
        assert parse_time(one["detected_at"]) - START == 15 * MINUTE
    text = run(folder).stdout
    assert text.startswith("LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward\n")
    assert "\n  proof    60 of them can never run again (goroutineleak)\n" in text


def test_what_is_stuck_is_a_leak_unless_more_is_asked_for(tmp_path: Path) -> None:
    healthy = entries(steady(12))
    never = polls_of("goroutineleak", steady(12), LEAKING, every=15 * MINUTE)
    folder = store(tmp_path / "localhost_6060", goroutine=healthy, goroutineleak=never)
    (one,) = document(folder)["leaks"]
    assert (one["severity"], one["count_to"], one["forecast"]) == ("stuck", 12, None)
    assert run(folder).stdout.startswith(
        "STUCK localhost:6060: 12 goroutines can never run again in main.(*Dispatcher).forward\n"
    )
    assert document("--min-severity", "leak", folder)["leaks"] == []


def test_what_is_only_suspected_is_told_on_request(log: Path) -> None:
    log.write_bytes(b"".join(map(encode_entry, LEAKY_POLLS[:120])))
    assert document(log)["leaks"] == []
    (one,) = document("--min-severity", "suspected", log)["leaks"]
    assert (one["severity"], one["function"]) == ("suspected", "main.(*Dispatcher).forward")
    result = run("--min-severity", "suspected", log)
    assert result.stdout.startswith("SUSPECTED localhost:6060: goroutines grow in main.(*Dispatcher).forward\n")


def test_threads_and_live_objects_are_judged_too(tmp_path: Path) -> None:
    lost = [10 + 2 * minute for minute in range(90)]
    cache = stack("main.(*Cache).put", "main.handle")
    folder = store(
        tmp_path / "localhost_6060",
        goroutine=entries(steady(3), minutes=90),
        threadcreate=polls_of("threadcreate", lost, Stack((Frame("0x0", "", 0),)), minutes=90),
        heap=polls_of("heap", lost, cache, minutes=90),
    )
    differences = [entry._replace(seconds=1) for entry in polls_of("threadcreate", lost, cache, minutes=90)]
    (folder / "threadcreate-delta.log").write_bytes(b"".join(map(encode_entry, differences)))
    found = document(folder)
    assert found["entries"] == 540 + 90 + 90
    by_profile = {one["profile"]: one for one in found["leaks"]}
    assert {profile: one["function"] for profile, one in by_profile.items()} == {
        "threadcreate": "OS threads",
        "heap": "main.(*Cache).put",
    }
    assert by_profile["threadcreate"]["count_to"] == lost[-1]
    assert by_profile["heap"]["count_to"] == pytest.approx(lost[-1] * 1.16, rel=0.02)  # unsampled
    titles = [line for line in run(folder).stdout.splitlines() if line.startswith("LEAK")]
    assert sorted(titles) == [
        "LEAK localhost:6060: OS threads grow without bound",
        "LEAK localhost:6060: live objects grow without bound in main.(*Cache).put",
    ]


def test_a_log_that_is_not_in_order_is_read_whole(tmp_path: Path) -> None:
    half = len(LEAKY_POLLS) // 2
    never = polls_of("goroutineleak", (0, 30, 60), LEAKING, every=15 * MINUTE)
    mixed = LEAKY_POLLS[half:] + LEAKY_POLLS[:half]
    folder = store(tmp_path / "localhost_6060", goroutine=mixed, goroutineleak=never[::-1])
    result = run("--json", folder)
    assert result.returncode in (0, 1)
    assert json.loads(result.stdout)["entries"] == 243


def test_an_empty_log_and_one_of_errors_only_have_no_leaks() -> None:
    assert document("-")["entries"] == 0
    errors = [Entry(poll.time, poll.target, poll.profile, error="connection refused") for poll in LEAKY_POLLS]
    found = document("-", stdin=b"".join(map(encode_entry, errors)))
    assert (found["entries"], found["leaks"]) == (len(errors), [])
    loop = b"".join(b"Sun Nov 22 13:%02d:00 UTC 2026\ncurl: (7) Failed to connect\n" % minute for minute in range(60))
    assert document("-", stdin=loop)["entries"] == 60


def test_profiles_mixed_in_one_file_are_judged_each_by_itself(tmp_path: Path) -> None:
    lost = [10 + 2 * minute for minute in range(90)]
    cache = stack("main.(*Cache).put", "main.handle")
    heap = polls_of("heap", lost, cache, minutes=90)
    mixed = sorted([*entries(leak(30), minutes=90), *heap], key=lambda entry: entry.time)
    path = tmp_path / "mixed.log"
    path.write_bytes(b"".join(map(encode_entry, mixed)))
    in_one = document(path)
    assert in_one["entries"] == len(mixed)
    assert {(one["profile"], one["function"]) for one in in_one["leaks"]} == {
        ("goroutine", "main.(*Dispatcher).forward"),
        ("heap", "main.(*Cache).put"),
    }
    loop = b"".join(format_date(entry.time) + entry.body for entry in mixed)
    assert {one["profile"] for one in document("-", stdin=loop)["leaks"]} == {"goroutine", "heap"}


@pytest.mark.parametrize(("before", "after", "jump"), [("CET", "CEST", 3600), ("CEST", "CET", -3600)])
def test_a_leak_is_found_though_the_loop_s_clock_changes(before: str, after: str, jump: int) -> None:
    polls = entries(leak(30), minutes=120)
    loop = b"".join(
        (format_date(poll.time, before) if number < 360 else format_date(poll.time + jump, after)) + poll.body
        for number, poll in enumerate(polls)
    )
    found = document("-", stdin=loop)
    assert found["entries"] == len(polls)
    assert {one["function"] for one in found["leaks"]} == {"main.(*Dispatcher).forward"}


def test_what_can_t_be_read_among_logs_is_told_in_a_line_each(log: Path, tmp_path: Path) -> None:
    missing, cut = tmp_path / "missing.log", tmp_path / "cut.log.zst"
    cut.write_bytes(ZstdCompressor().compress(HEALTHY, ZstdCompressor.FLUSH_FRAME)[:-500])
    result = run(missing, cut, log)
    assert result.returncode == 1
    assert result.stdout.startswith("LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward")
    told = result.stderr.splitlines()
    assert told[0] == f"pprofwatch: {missing}: cannot read: No such file or directory"
    assert all(line.startswith(f"pprofwatch: {cut}: ") for line in told[1:])
    assert 2 <= len(told) <= 3  # the end of the compressed data, and the entry that it tears


def test_github_gets_an_annotation_at_the_line(log: Path) -> None:
    result = run("--format", "github", log)
    assert (result.returncode, result.stderr) == (1, "")
    first, last = result.stdout.splitlines()
    title = "localhost%3A6060%3A goroutines grow without bound in main.(*Dispatcher).forward"
    assert first.startswith(f"::error file=/src/app/dispatch.go,line=41,title={title}::1 → 80 since 13:0")
    assert last == "1 leak in 240 entries"
    log.write_bytes(HEALTHY)
    assert run("--format", "github", log).stdout == "0 leaks in 240 entries\n"


def test_json_is_a_format(log: Path) -> None:
    assert (
        run("--format", "json", log).stdout
        == run("--json", log).stdout
        == run("--json", "--format", "json", log).stdout
    )


def test_a_limit_that_growth_heads_for_is_told_early(log: Path) -> None:
    (one,) = document("--max-goroutines", "170", log)["leaks"]
    assert one["severity"] == "runaway"
    assert parse_time(one["detected_at"]) - START < 30 * MINUTE
    assert one["forecast"]["count"] == 170


def test_a_folder_without_such_logs_is_one_clear_line(tmp_path: Path) -> None:
    folder = store(tmp_path / "localhost_6060", mutex=[])
    result = run(folder)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr == f"pprofwatch: {folder}: no log in this folder that could hold what is asked for\n"


def test_a_span_of_time_is_checked(log: Path) -> None:
    found = document("--until", "2026-11-22T13:20:00Z", log)
    assert (found["entries"], found["leaks"]) == (121, [])
    assert document("--since", "-5m", log)["entries"] == 31


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--leak-window", "soon"], "--leak-window: expected a duration"),
        (["--leak-window", "0s"], "--leak-window: expected a duration of at least"),
        (["--leak-min-count", "0"], "--leak-min-count"),
        (["--since", "never"], "--since: "),
        (["--max-goroutines", "0"], "--max-goroutines"),
        (["--min-severity", "bad"], "--min-severity"),
        (["--format", "xml"], "--format"),
        (["--format", "github", "--json"], "--json and --format github: choose one"),
    ],
)
def test_a_mistake_in_an_option_is_named(log: Path, args: list[str], line: str) -> None:
    result = run(*args, log)
    assert (result.returncode, result.stdout) == (2, "")
    assert line in result.stderr
    assert "Traceback" not in result.stderr


def test_a_binary_file_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(bytes(range(256)) * 40)
    result = run(path)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"pprofwatch: {path}: not a log: ")
    assert result.stderr.count("\n") == 1


def test_what_is_missing_is_one_clear_line(tmp_path: Path) -> None:
    result = run(tmp_path / "nothing.log")
    assert (result.returncode, result.stdout) == (3, "")
    assert str(tmp_path / "nothing.log") in result.stderr
    assert result.stderr.count("\n") == 1


def test_damage_is_counted_and_the_leak_found_all_the_same(log: Path) -> None:
    middle = len(LEAKY) // 2
    log.write_bytes(LEAKY[:middle] + b"\x00" * 5000 + LEAKY[middle:])
    result = run("--json", log)
    found = json.loads(result.stdout)
    assert (result.returncode, len(found["leaks"])) == (1, 1)
    assert found["skipped_bytes"] >= 5000
    assert 236 <= found["entries"] < 240
    assert str(log) in result.stderr


def test_bodies_that_are_no_profiles_are_counted_as_damaged() -> None:
    cut = [Entry(entry.time + 1, entry.target, entry.profile, entry.body[:-50]) for entry in LEAKY_POLLS[:2]]
    result = run("-", stdin=LEAKY + b"".join(map(encode_entry, cut)))
    assert result.stdout.endswith("1 leak in 242 entries, 2 of them damaged\n")


def test_names_can_t_write_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil.log"
    polls = [
        Entry(e.time, "\x1b[2Jx", e.profile, e.body.replace(b"Dispatcher", b"D\x1b[31m\x07tr\xe2\x80\xae"))
        for e in LEAKY_POLLS
    ]
    path.write_bytes(b"".join(map(encode_entry, polls)))
    for args in ([path], ["--json", path]):
        result = run(*args)
        assert result.returncode == 1
        assert "forward" in result.stdout
        assert all(char.isprintable() or char == "\n" for char in result.stdout)
