"""``pprofwatch top`` and ``export`` on profiles of a real Go server, against ``go tool pprof -top``."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import goserver
from gopprof import go_top, run_pprof
from pprofwatch.logs.entry import encode_entry
from pprofwatch.model import Entry, Frame, Stack
from pprofwatch.profiles.encode import encode_profile

BINARY = Path(sys.executable).with_name("pprofwatch")
HEAP = ["inuse_space", "inuse_objects", "alloc_space", "alloc_objects"]
#: What pprof does unasked, but for the number of rows.
PPROFS_OWN = ("-nodefraction=0.005", "-edgefraction=0.001", "-nodecount=20")
UNITS = {"space": "bytes", "delay": "nanoseconds", "cpu": "nanoseconds"}


class Client(goserver.Connection):
    """Asks for profiles."""

    def take_both(self, name: str) -> tuple[bytes, bytes]:
        """A profile's text, and its protobuf of the same moment."""
        for _ in range(500):
            before = self.get(f"/debug/pprof/{name}?debug=1")
            proto = self.get(f"/debug/pprof/{name}")
            text = self.get(f"/debug/pprof/{name}?debug=1")
            if records(before) == records(text):
                return text, proto
        raise AssertionError("the server never stood still")


class Recorded(NamedTuple):
    """What a real server answered: a log, and a folder with protobufs, those called ``same-`` of the log's moments."""

    go: Path
    folder: Path
    log: Path

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.pb.gz"


def records(body: bytes) -> bytes:
    """Without what is counted anew at each request."""
    return body.partition(b"\n# runtime.MemStats")[0]


@pytest.fixture(scope="module")
def recorded(go_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    go = goserver.find_go()
    assert go is not None
    folder = tmp_path_factory.mktemp("profiles")
    recorded = Recorded(go, folder, folder / "server.log")
    with goserver.running(go_binary, "-traffic", "20") as server, contextlib.closing(Client(server.address)) as client:
        for path in ("/leak?n=7", "/leak?n=2&kind=io", "/recurse?depth=50", "/alloc?bytes=3000000"):
            client.get(path)
        with ThreadPoolExecutor(1) as aside, contextlib.closing(Client(server.address)) as other:
            cpu = aside.submit(other.get, "/debug/pprof/profile?seconds=1")
            while not cpu.done():
                client.get("/debug/pprof/heap")  # for something to do
        recorded.path("profile").write_bytes(cpu.result())
        for name in ("goroutine", "threadcreate", "block", "mutex"):
            recorded.path(name).write_bytes(client.get(f"/debug/pprof/{name}"))
    # Without traffic, nothing changes from one request to the next.
    with goserver.running(go_binary) as server, contextlib.closing(Client(server.address)) as client:
        for path in ("/leak?n=7", "/recurse?depth=50", "/alloc?bytes=3000000"):
            client.get(path)
        entries = []
        for name in ("goroutine", "heap", "allocs"):
            text, proto = client.take_both(name)
            entries.append(Entry(time.time(), "app:1", name, text))
            recorded.path(f"same-{name}").write_bytes(proto)
    recorded.log.write_bytes(b"".join(map(encode_entry, entries)))
    return recorded


def top(*args: str | Path) -> dict[str, Any]:
    done = subprocess.run([BINARY, "top", "--json", *args], capture_output=True, text=True, timeout=60, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def numbers(answer: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {row["function"]: (row["flat"], row["cum"]) for row in answer["rows"]}


def unit_of(value: str) -> str:
    return UNITS.get(value.rpartition("_")[2], "count")


def as_in_text(rows: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Without what Go's text and protobuf have differently: type arguments, and an inlined leaf of their own writer."""
    return {
        re.sub(r"\[.*\]", "[...]", function): row
        for function, row in rows.items()
        if not function.startswith("runtime/pprof.")
    }


def cum_of_main(rows: dict[str, tuple[int, int]]) -> dict[str, int]:
    return {function: row[1] for function, row in as_in_text(rows).items() if function.startswith("main.")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("goroutine", "goroutine"),
        ("threadcreate", "threadcreate"),
        *(("same-heap", value) for value in HEAP),
        *(("same-allocs", value) for value in HEAP),
        *((name, value) for name in ("block", "mutex") for value in ("contentions", "delay")),
        *(("profile", value) for value in ("samples", "cpu")),
    ],
)
def test_top_of_a_protobuf_has_pprofs_numbers(recorded: Recorded, name: str, value: str) -> None:
    path = recorded.path(name)
    answer = top("--runtime", "--value", value, "--profile", name.removeprefix("same-"), path)
    ours = numbers(answer)
    if name == "goroutine":
        ours.pop("<unknown>", None)  # one that has not begun: pprof leaves it out
    assert ours == go_top(recorded.go, path, value, unit_of(value)) != {}
    assert (answer["value"], answer["unit"]) == (value, unit_of(value))
    assert answer["profile"] == name.removeprefix("same-")


@pytest.mark.parametrize("name", ["same-goroutine", "same-heap", "same-allocs", "profile", "made"])
def test_top_prints_numbers_in_pprofs_units(recorded: Recorded, name: str) -> None:
    """With what pprof doesn't show, or drops as too little, having no say in them."""
    path = recorded.path(name)
    if name == "made":
        delays = (3_200_000_000_000, 200_000_000_000, 30_000_000_000, 4_000_000, 3_820, 7)
        rows = [(Stack((Frame(f"main.f{delay}", "/f.go", 1),)), [1, delay]) for delay in delays]
        path.write_bytes(encode_profile([("contentions", "count"), ("delay", "nanoseconds")], rows, time=1))
    done = subprocess.run([BINARY, "top", "--runtime", path], capture_output=True, text=True, timeout=60, check=True)
    ours, theirs = shown(done.stdout), shown(run_pprof(recorded.go, "-top", *PPROFS_OWN, str(path)))
    common = ours.keys() & theirs.keys()
    assert {function: ours[function] for function in common} == {function: theirs[function] for function in common}
    assert len(common) > 1
    if name == "made":
        assert list(ours.values()) == [
            ("3200s", "3200s"),
            ("200s", "200s"),
            ("30s", "30s"),
            ("4ms", "4ms"),
            ("3.82us", "3.82us"),
            ("7ns", "7ns"),
        ]
        assert "3430s total" in done.stdout


def shown(text: str) -> dict[str, tuple[str, str]]:
    """Each function's flat and cum as they are printed."""
    rows = (
        re.fullmatch(r" *(\S+) +\S+% +\S+% +(\S+) +\S+%  (.*?)(?: \(.*inline\))?", line) for line in text.splitlines()
    )
    return {row[3]: (row[1], row[2]) for row in rows if row}


@pytest.mark.parametrize("name", ["heap", "allocs"])
@pytest.mark.parametrize("value", HEAP)
def test_top_of_a_logs_text_has_pprofs_numbers_for_the_same_moment(recorded: Recorded, name: str, value: str) -> None:
    ours = numbers(top("--runtime", "--value", value, "--profile", name, recorded.log))
    theirs = go_top(recorded.go, recorded.path(f"same-{name}"), value, unit_of(value))
    assert as_in_text(ours) == as_in_text(theirs) != {}


def test_goroutines_are_shown_where_they_wait_in_the_programs_own_code(recorded: Recorded) -> None:
    theirs = go_top(recorded.go, recorded.path("same-goroutine"), "goroutine", "count")
    for path in (recorded.path("same-goroutine"), recorded.log):
        answer = top("--profile", "goroutine", path)
        ours = numbers(answer)
        assert ours["main.(*Dispatcher).forward"] == (7, 7)
        assert "runtime.gopark" not in ours
        assert cum_of_main(ours) == cum_of_main(theirs)
        assert answer["total"] == sum(row[0] for row in ours.values())


def export(output: Path, *args: str | Path) -> Path:
    subprocess.run([BINARY, "export", "-o", output, *args], capture_output=True, timeout=60, check=True)
    return output


@pytest.mark.parametrize("name", ["heap", "allocs"])
@pytest.mark.parametrize("value", HEAP)
def test_an_export_is_to_pprof_what_the_protobuf_of_that_moment_is(
    recorded: Recorded, tmp_path: Path, name: str, value: str
) -> None:
    exported = export(tmp_path / "x.pb.gz", "--profile", name, recorded.log)
    theirs = go_top(recorded.go, recorded.path(f"same-{name}"), value, unit_of(value))
    assert as_in_text(go_top(recorded.go, exported, value, unit_of(value))) == as_in_text(theirs)


def test_an_exports_lines_and_files_are_those_of_the_protobuf(recorded: Recorded, tmp_path: Path) -> None:
    exported = export(tmp_path / "x.pb.gz", "--profile", "heap", recorded.log)
    lines = [
        set(as_in_text(go_top(recorded.go, path, "alloc_space", "bytes", "-lines")))
        for path in (exported, recorded.path("same-heap"))
    ]
    assert lines[0] == lines[1]
    raw = run_pprof(recorded.go, "-raw", str(exported))
    assert "alloc_objects/count alloc_space/bytes" in raw
    assert "PeriodType: space bytes\nPeriod: 65536\nTime: " in raw
    assert "omment" not in raw


def test_what_waits_is_exported_without_the_runtimes_leaf_and_with_all_else(recorded: Recorded, tmp_path: Path) -> None:
    exported = export(tmp_path / "x.pb.gz", "--profile", "goroutine", recorded.log)
    ours = go_top(recorded.go, exported, "goroutine", "count")
    theirs = go_top(recorded.go, recorded.path("same-goroutine"), "goroutine", "count")
    assert cum_of_main(ours) == cum_of_main(theirs) != {}
    assert "runtime.gopark" not in ours


def test_an_exported_protobuf_is_the_one_that_was_there(recorded: Recorded, tmp_path: Path) -> None:
    path = recorded.path("profile")
    exported = export(tmp_path / "x.pb.gz", path)
    assert gzip.decompress(exported.read_bytes()) == gzip.decompress(path.read_bytes())


def test_an_exported_difference_is_what_pprof_makes_of_base_and_end(recorded: Recorded, tmp_path: Path) -> None:
    """The heap of one server, less that of another: whatever it means, pprof gets the same."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for stamp, name in (("20261122T134953Z", "block"), ("20261122T135953Z", "mutex")):
        (folder / f"{stamp}.pb.gz").write_bytes(recorded.path(name).read_bytes())
    exported = export(tmp_path / "x.pb.gz", "--since", "2026-11-22T13:49Z", folder)
    ours = go_top(recorded.go, exported, "delay", "nanoseconds")
    base = f"-base={recorded.path('block')}"
    assert ours == go_top(recorded.go, recorded.path("mutex"), "delay", "nanoseconds", base)
