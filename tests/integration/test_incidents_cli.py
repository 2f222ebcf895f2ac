"""``pprofwatch incidents``: the command itself, on real journals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.leaks.evidence import Evidence
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.leaks.target import THREADS
from pprofwatch.model import Frame, Stack
from pprofwatch.times import format_time, parse_time

BINARY = Path(sys.executable).with_name("pprofwatch")
NOW = parse_time("2026-11-22T13:42:00Z")
ID = "20261122T134200Z-3fa9c1d2"
LEAK = Leak(
    stack=Stack((Frame("main.(*Dispatcher).forward", "/src/app/dispatch.go", 41), Frame("main.serve", "", 0))),
    severity=Severity.LEAK,
    detected_at=NOW,
    since=NOW - 2070,
    time=NOW,
    count_from=3,
    count_to=1204,
    total_from=76,
    total_to=1290,
)
EVIDENCE = Evidence(NOW + 60, never=1198, oldest=2640, blocked_in="chan send")
PROVEN = replace(LEAK, severity=Severity.PROVEN, count_to=1300, evidence=EVIDENCE, time=NOW + 60)


def event(
    action: Action,
    leak: Leak = LEAK,
    *,
    after: float = 0,
    incident: str = ID,
    target: str = "localhost:6060",
    profile: str = "goroutine",
    kept: str = "",
) -> Event:
    return Event(action, NOW + after, incident, target, profile, replace(leak, time=NOW + after), kept=kept)


OPENED = event(Action.OPENED)
WORSENED = event(Action.WORSENED, PROVEN, after=60, kept=f"incidents/{ID}")
RESOLVED = event(Action.RESOLVED, replace(PROVEN, count_to=4), after=3600)
OTHER = event(
    Action.OPENED, replace(LEAK, stack=THREADS), after=30, incident="other", target="b:1", profile="threadcreate"
)
SUSPECTED = event(Action.SUSPECTED, replace(LEAK, severity=Severity.SUSPECTED), after=-600, incident="maybe")


def write(folder: Path, *events: Event) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder)
    for each in events:
        journal.append(each)
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write(tmp_path / "logs" / "localhost_6060", SUSPECTED, OPENED, WORSENED)
    write(tmp_path / "logs" / "b_1", OTHER)
    return tmp_path / "logs"


def run(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, "incidents", *args],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
    )


def incidents(*args: str | Path) -> list[dict[str, Any]]:
    result = run("--json", *args)
    assert (result.returncode, result.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.stdout)["incidents"]
    return found


def test_a_person_sees_what_was_found_what_became_of_it_and_where_the_evidence_is(logs: Path) -> None:
    result = run(logs)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "FOUND (UTC)         SEVERITY TARGET         PROFILE      COUNT     FUNCTION",
        "2026-11-22 13:42:00 proven   localhost:6060 goroutine    3 → 1,300 main.(*Dispatcher).forward",
        "  open, told 2 times, last 2026-11-22 13:43:00; worse since 2026-11-22 13:43:00",
        "  /src/app/dispatch.go:41, blocked in chan send",
        f"  kept in {logs}/localhost_6060/incidents/{ID}/",
        "2026-11-22 13:42:30 leak     b:1            threadcreate 3 → 1,204 OS threads",
        "  open",
        "2 incidents, 2 open",
    ]


def test_the_readme_shows_what_it_prints(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    block = readme.partition("$ pprofwatch incidents /var/log/pprofwatch\n")[2].partition("```")[0]
    incident = "20261122T135200Z-3fa9c1d2"
    worse = replace(PROVEN, count_to=2408)
    write(
        tmp_path / "localhost_6060",
        event(Action.OPENED, PROVEN, after=600, incident=incident),
        event(Action.WORSENED, worse, after=3300, incident=incident, kept=f"incidents/{incident}"),
    )
    assert run(tmp_path).stdout.replace(str(tmp_path), "/var/log/pprofwatch") == block


def test_what_is_over_says_since_when(logs: Path) -> None:
    write(logs / "localhost_6060", RESOLVED)
    lines = run(logs / "localhost_6060").stdout.splitlines()
    assert lines[1].split()[-4:] == ["3", "→", "1,300", "main.(*Dispatcher).forward"]  # what it had grown to
    assert lines[2] == "  resolved 2026-11-22 14:42:00, told 3 times; worse since 2026-11-22 13:43:00"
    assert lines[-1] == "1 incident, 0 open"


def test_a_program_gets_all_of_it(logs: Path) -> None:
    one, other = incidents(logs)
    events = one.pop("events")
    assert one == {
        "id": ID,
        "target": "localhost:6060",
        "profile": "goroutine",
        "severity": "proven",
        "opened_at": "2026-11-22T13:42:00.000Z",
        "detected_at": "2026-11-22T13:42:00.000Z",
        "resolved_at": None,
        "since": "2026-11-22T13:07:30.000Z",
        "count_from": 3,
        "count_to": 1300,
        "per_hour": pytest.approx(2192.1),
        "per_hour_error": pytest.approx(119.2, rel=0.01),
        "function": "main.(*Dispatcher).forward",
        "location": "/src/app/dispatch.go:41",
        "blocked_in": "chan send",
        "stack": ["main.(*Dispatcher).forward", "main.serve"],
        "beside": None,
        "also": [],
        "evidence": {
            "time": "2026-11-22T13:43:00.000Z",
            "never": 1198,
            "watched": 0,
            "waiting": 0,
            "apart": 0.0,
            "oldest": 2640.0,
        },
        "kept": f"{logs}/localhost_6060/incidents/{ID}",
    }
    assert events == [
        {"event": "opened", "time": "2026-11-22T13:42:00.000Z", "severity": "leak", "count": 1204},
        {"event": "worsened", "time": "2026-11-22T13:43:00.000Z", "severity": "proven", "count": 1300},
    ]
    assert (other["kept"], other["evidence"], other["target"]) == (None, None, "b:1")
    write(logs / "localhost_6060", RESOLVED)
    assert incidents(logs)[0]["resolved_at"] == "2026-11-22T14:42:00.000Z"


def test_what_was_only_suspected_is_listed_on_request(logs: Path) -> None:
    maybe, *rest = incidents("--min-severity", "suspected", logs)
    assert (maybe["id"], maybe["severity"], maybe["opened_at"]) == ("maybe", "suspected", None)
    assert [each["id"] for each in rest] == [ID, "other"]
    assert "  suspected only\n" in run("--min-severity", "suspected", logs).stdout
    assert [each["id"] for each in incidents("--min-severity", "proven", logs)] == [ID]


def test_a_target_and_a_time_can_be_asked_for(logs: Path) -> None:
    assert [each["target"] for each in incidents("--target", "b:1", logs)] == ["b:1"]
    write(logs / "localhost_6060", RESOLVED)
    assert [each["target"] for each in incidents("--since", "2026-11-22T14:43:00Z", logs)] == ["b:1"]
    now = time.time()
    fresh = [replace(OPENED, incident="new", time=now - 50), replace(RESOLVED, incident="new", time=now - 10)]
    write(logs / "localhost_6060", *fresh)
    assert [each["id"] for each in incidents("--since", "-1m", "--target", "localhost:6060", logs)] == ["new"]
    assert incidents("--since", "-1m", "--target", "localhost:6060", logs)[0]["opened_at"] == format_time(now - 50)


def test_without_a_folder_it_is_the_configured_one(logs: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'log_dir = "{logs}"\n')
    assert run("--config", config).stdout == run(logs).stdout
    assert run(LOGS_DIRECTORY=str(logs)).stdout == run(logs).stdout


def test_nothing_found_is_no_failure(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (result.returncode, result.stdout) == (0, "no incidents\n")
    assert result.stderr == f"pprofwatch: {tmp_path}: no incident has been noted down in this folder\n"


@pytest.mark.parametrize("what", ["nothing", "file"])
def test_what_is_no_folder_is_one_clear_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "file":
        path.write_bytes(b"")
    result = run(path)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"pprofwatch: {path}: cannot read: ")
    assert result.stderr.count("\n") == 1


def test_a_damaged_journal_is_read_as_far_as_it_can_be(logs: Path) -> None:
    path = logs / "localhost_6060" / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(b"\x00\xff{}\n[]\n" + whole.replace(b'"scale":1.0', b'"scale":0.0', 1) + whole[:-40])
    result = run(logs)
    assert result.returncode == 0
    assert result.stderr == f"pprofwatch: {path}: damaged: 4 lines can't be read\n"
    assert "main.(*Dispatcher).forward" in result.stdout
    assert result.stdout.endswith("2 incidents, 2 open\n")


def test_a_journal_that_is_no_file_hides_no_other(logs: Path) -> None:
    path = logs / "b_1" / JOURNAL
    path.unlink()
    path.symlink_to("/etc/passwd")
    result = run(logs)
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "1 incident, 1 open")
    assert result.stderr.startswith(f"pprofwatch: {path}: cannot read: ")
    alone = run(logs / "b_1")
    assert (alone.returncode, alone.stdout, alone.stderr.count("\n")) == (3, "", 1)


def test_a_mistake_in_a_time_is_named(logs: Path) -> None:
    result = run("--since", "never", logs)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("pprofwatch: --since: expected a time")


def test_names_can_t_write_to_the_terminal(tmp_path: Path) -> None:
    evil = replace(LEAK, stack=Stack((Frame("main.\x1b[2J\u202ef", "/src/\x07x.go", 1),)))
    folder = write(tmp_path / "x", event(Action.OPENED, evil, target="\x1b[31mt\n"))
    for args in ([folder], ["--json", folder]):
        result = run(*args)
        assert result.returncode == 0
        assert all(char.isprintable() or char == "\n" for char in result.stdout)
