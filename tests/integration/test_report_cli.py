"""``pprofwatch report``: what it writes, and what it says where it can't."""

from __future__ import annotations

import gzip
import json
import random
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from logmaker import START, date_line, log_of, text_of
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.journal import Journal
from pprofwatch.cli import main
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.model import Entry, Frame, Stack
from pprofwatch.profiles.profile_pb2 import Profile

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 10_000_000


def poll(number: int, counts: dict[str, int], profile: str = "goroutine") -> Entry:
    return Entry(START + 10 * number, "localhost:6060", profile, text_of(counts, kind=profile))


def data_of(page: Path) -> list[dict[str, Any]]:
    """What the page's scripts are told."""
    return [
        json.loads(text)
        for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.read_text())
    ]


def cpu_profile(function: str, nanoseconds: int) -> bytes:
    proto = Profile(string_table=[b"", b"samples", b"count", b"cpu", b"nanoseconds", function.encode(), b"/a.go"])
    proto.sample_type.add(type=1, unit=2)
    proto.sample_type.add(type=3, unit=4)
    proto.function.add(id=1, name=5, filename=6)
    proto.location.add(id=1).line.add(function_id=1, line=7)
    proto.sample.add(location_id=[1], value=[nanoseconds // 10_000_000, nanoseconds])
    proto.duration_nanos = 30 * 10**9
    return gzip.compress(proto.SerializeToString())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "goroutine.log"
    path.write_bytes(log_of(poll(number, {"main.serve": 2, "main.leak": number + 1}) for number in range(50)))
    return path


def test_a_log_becomes_a_page(log: Path, tmp_path: Path) -> None:
    assert main(["report", str(log), "-o", str(tmp_path / "prof.html")]) == 0
    overview, series = data_of(tmp_path / "prof.html")
    assert overview["series"] == [["localhost:6060", "goroutine", 0]]
    assert (series["entries"], series["sums"][0][-1]) == (50, 52)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["goroutine.log", "prof.html"]


def test_what_is_in_the_page_is_said(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "prof.html"
    assert main(["report", str(log), "-o", str(page)]) == 0
    assert re.fullmatch(rf"{page}: 1 profile, 0 incidents, 0\.\d MB\n", capsys.readouterr().out)
    assert main(["report", str(log), "-o", str(page), "--force", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["bytes"]) == (str(page), page.stat().st_size)
    assert said["profiles"] == [
        {
            "target": "localhost:6060",
            "profile": "goroutine",
            "seconds": 0,
            "entries": 50,
            "failed": 0,
            "damaged": 0,
            "instants": 50,
            "since": "2026-11-22T13:49:53.000Z",
            "until": "2026-11-22T13:58:03.000Z",
            "holes": 0,
            "restarts": [],
        }
    ]


def test_only_what_is_asked_for_is_shown(log: Path, tmp_path: Path) -> None:
    log.write_bytes(log.read_bytes() + log_of([poll(50, {"main.main": 3}, "threadcreate")]))
    page = tmp_path / "prof.html"
    assert main(["report", str(log), "-o", str(page)]) == 0
    assert [profile for _, profile, _ in data_of(page)[0]["series"]] == ["goroutine", "threadcreate"]
    assert main(["report", str(log), "-o", str(page), "--force", "--profile", "goroutine", "--since", "-5m"]) == 0
    assert [series["entries"] for series in data_of(page)[1:]] == [31]


def test_a_shell_loops_log_with_the_hours_when_the_server_was_down(tmp_path: Path) -> None:
    log = tmp_path / "loop.log"
    up = b"".join(date_line(number) + text_of({"main.serve": 9 + number}) for number in range(20))
    down = b"".join(date_line(number) for number in range(20, 30))
    again = b"".join(date_line(number) + text_of({"main.serve": 3}) for number in range(30, 40))
    log.write_bytes(up + down + again)
    assert main(["report", str(log), "-o", str(tmp_path / "prof.html")]) == 0
    (series,) = data_of(tmp_path / "prof.html")[1:]
    assert series["failed"] == 10
    assert [hole[:2] for hole in series["holes"]] == [[START + 190, START + 300]]


def test_a_log_that_is_out_of_order_has_the_holes_of_the_sorted_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    polls = [date_line(6 * minute) + text_of({"main.serve": 100 + minute}) for minute in range(60)]
    random.Random(1).shuffle(polls)
    (tmp_path / "loop.log").write_bytes(b"".join(polls))
    assert main(["report", str(tmp_path / "loop.log"), "-o", str(tmp_path / "prof.html"), "--json"]) == 0
    (profile,) = json.loads(capsys.readouterr().out)["profiles"]
    assert (profile["entries"], profile["holes"], profile["restarts"]) == (60, 0, [])


def test_a_log_that_begins_while_the_server_is_down_shows_it(tmp_path: Path) -> None:
    down = b"".join(date_line(number) for number in range(4))
    up = b"".join(date_line(number) + text_of({"main.serve": 9}) for number in range(4, 20))
    (tmp_path / "loop.log").write_bytes(down + up)
    assert main(["report", str(tmp_path / "loop.log"), "-o", str(tmp_path / "prof.html")]) == 0
    (series,) = data_of(tmp_path / "prof.html")[1:]
    assert (series["entries"], series["failed"]) == (20, 4)
    assert [hole[:2] for hole in series["holes"]] == [[START, START + 40]]


def test_a_target_with_everything(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "localhost_6060"
    (folder / "profile").mkdir(parents=True)
    (folder / "goroutine.log").write_bytes(log_of(poll(number, {"main.leak": number + 1}) for number in range(9)))
    (folder / "profile" / "20261122T135000Z.pb.gz").write_bytes(cpu_profile("main.busy", 3 * 10**9))
    stack = Stack((Frame("main.leak", "/src/app/a.go", 0),))
    leak = Leak(stack, Severity.LEAK, START, START, START + 80, 1, 9, 1, 9)
    Journal(folder).append(Event(Action.OPENED, START + 80, "an-incident", "localhost:6060", "goroutine", leak))
    assert main(["report", str(tmp_path / "logs"), "-o", str(tmp_path / "prof.html")]) == 0
    overview, goroutine, cpu = data_of(tmp_path / "prof.html")
    assert overview["series"] == [["localhost:6060", "goroutine", 0], ["localhost:6060", "profile", 0]]
    assert [incident["function"] for incident in overview["incidents"]] == ["main.leak"]
    assert goroutine["sums"] == [list(range(1, 10))]
    assert (cpu["sums"], cpu["types"][cpu["value"]]) == ([[300], [3 * 10**9]], ["cpu", "nanoseconds"])


def test_files_and_a_folder_of_them_are_read_without_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ci = tmp_path / "ci"
    ci.mkdir()
    for number, seconds in enumerate((1, 5, 2)):
        (ci / f"20261122T13500{number}Z.pb.gz").write_bytes(cpu_profile("main.busy", seconds * 10**9))
    assert main(["report", str(ci), "-o", str(tmp_path / "folder.html")]) == 0
    assert main(["report", *map(str, sorted(ci.iterdir())), "-o", str(tmp_path / "files.html")]) == 0
    for page in ("folder.html", "files.html"):
        overview, series = data_of(tmp_path / page)
        assert overview["series"] == [["ci", "profile", 0]]
        assert series["sums"][1] == [10**9, 5 * 10**9, 2 * 10**9]
    assert capsys.readouterr().err == ""


def test_a_page_is_not_overwritten_unasked(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "prof.html"
    page.write_text("mine")
    assert main(["report", str(log), "-o", str(page)]) == 2
    assert "--force" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert main(["report", str(log), "-o", str(page), "--force"]) == 0
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no profile in it\n"),
        (
            log_of(Entry(START + second, "a:1", "goroutine", error="connection refused") for second in (0, 2, 1)),
            "no profile in it: all 3 polls failed, the last at 2026-11-22T13:49:55.000Z: connection refused\n",
        ),
        (
            log_of([Entry(START, "a:1", "", error="404 page not found"), Entry(START + 9, "a:1", "heap", gap=7)]),
            "no profile in it: its only poll failed, at 2026-11-22T13:49:53.000Z: 404 page not found\n",
        ),
        (log_of([Entry(START, "a:1", "goroutine", b"goroutine profile: total 7\n")]), "no profile in it\n"),
        (b"what is this?\n" * 100, "not a log"),
    ],
    ids=["empty", "errors only", "an error and a gap", "damaged", "something else"],
)
def test_a_log_without_a_profile_makes_no_page(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(content)
    assert main(["report", str(log), "-o", str(tmp_path / "prof.html")]) == 3
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "prof.html").exists()


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole[:3000] + b"\0" * 500 + whole[3000:])
    missing, broken = tmp_path / "missing.log", tmp_path / "broken.pb.gz"
    broken.write_bytes(gzip.compress(b"\x0a\x02\x01\x02" * 9))
    arguments = [str(missing), str(log), str(broken)]
    assert main(["report", *arguments, "-o", str(tmp_path / "prof.html")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(any(name in line for line in lines) for name in ("missing.log", "goroutine.log", "broken.pb.gz"))
    overview, series = data_of(tmp_path / "prof.html")
    assert 45 <= series["entries"] < 50
    assert "could not be read" in overview["notes"][0]


def test_ctrl_c_leaves_nothing_behind(log: Path, tmp_path: Path) -> None:
    place = tmp_path / "pages"
    place.mkdir()
    command = [sys.executable, "-m", "pprofwatch", "report", "-", "-o", str(place / "prof.html")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        # More than a pipe holds: when all is written, it is reading.
        process.stdin.write(log.read_bytes() * 100)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == b""
    assert list(place.iterdir()) == []


def test_layered_stacks_with_recursion_middleware_and_long_labels_are_bounded(tmp_path: Path) -> None:
    log = tmp_path / "layers.log"
    log.write_bytes(log_of(layered(number) for number in range(5)))
    page = tmp_path / "prof.html"
    began = time.process_time()
    assert main(["report", str(log), "-o", str(page)]) == 0
    took = time.process_time() - began
    assert page.stat().st_size <= LARGEST
    assert took <= 2
    (series,) = data_of(page)[1:]
    assert series["sums"][0] == [sum(range(1, 1025))] * 5


def layered(number: int) -> Entry:
    """20 layers of 2 variants: 1,024 of the million stacks that there could be."""
    lines = [f"goroutine profile: total {sum(range(1, 1025))}\n"]
    for which in range(1024):
        variants = [which >> (layer % 10) & 1 for layer in range(20)]
        names = [f"example.com/app/layer{layer}.(*Handler{chosen}).ServeHTTP" for layer, chosen in enumerate(variants)]
        names[5:5] = ["example.com/app/log.Middleware.func1"] * (which % 4)
        names += ["example.com/app.walk"] * (which % 7)
        lines.append(f"{which + 1} @ {which + 1:#x}\n")
        if which % 100 == 0:
            lines.append('# labels: {"k":"' + "x" * 70_000 + '"}\n')
        lines += [f"#\t0x1\t{name}+0x1\t/src/app/a.go:7\n" for name in reversed(names)]
        lines.append("\n")
    return Entry(START + 10 * number, "localhost:6060", "goroutine", "".join(lines).encode())


def test_the_page_goes_to_standard_output_when_asked(log: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pprofwatch", "report", str(log), "-o", "-"]
    result = subprocess.run(command, capture_output=True, check=True, cwd=tmp_path)
    assert result.stdout.startswith(b"<!doctype html>")
    assert result.stderr == b""
