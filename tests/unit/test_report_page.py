"""What a report's page is told: the right numbers, in bounded size, and nothing that could run."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

import pprofwatch.report
from logmaker import START, text_of
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.model import Entry, Frame, Stack
from pprofwatch.report.html import render_page
from pprofwatch.report.incidents import Incident
from pprofwatch.report.page import as_json, overview, series
from pprofwatch.report.recording import Recording, Recordings

VENDOR = Path(pprofwatch.report.__file__).parent / "templates" / "vendor"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\x1b[31mred\x1b[0m",
    "\u2028 & &amp; ' \" ` ${alert(1)}",
]


def recording_of(*bodies: bytes, profile: str = "goroutine") -> Recording:
    recordings = Recordings()
    for number, text in enumerate(bodies):
        recordings.take(Entry(START + 10 * number, "localhost:6060", profile, text))
    (recording,) = recordings.finish()
    return recording


def values_of(data: dict[str, Any], value: int = 0) -> dict[str, list[int]]:
    """The values of each stack at the instants, by its first function."""
    return {
        data["texts"][int(stack["frames"].split()[0])]: list(
            itertools.accumulate(map(int, stack["values"][value].split()))
        )
        for stack in data["stacks"]
    }


def test_each_stack_has_its_value_at_each_instant() -> None:
    data = series(recording_of(text_of({"a": 1, "b": 5}), text_of({"a": 3}), text_of({"a": 3, "b": 4})))
    assert data["instants"] == [START, START + 10, START + 20]
    assert values_of(data) == {"a": [1, 3, 3], "b": [5, 0, 4]}
    assert data["sums"] == [[6, 3, 7]]
    assert data["totals"] == [[START, START + 10, START + 20], [6, 3, 7]]
    assert data["left"] == 0


def test_every_value_of_a_heap_is_there_and_the_usual_one_is_chosen() -> None:
    text = b"heap profile: 1: 64 [3: 4096] @ heap/2\n1: 64 [3: 4096] @ 0x1\n#\t0x1\tmain.f+0x1\t/a.go:1\n\n"
    data = series(recording_of(text, profile="heap"))
    assert [name for name, _ in data["types"]] == ["inuse_objects", "inuse_space", "alloc_objects", "alloc_space"]
    assert data["types"][data["value"]] == ["inuse_space", "bytes"]
    assert [values_of(data, value)["main.f"] for value in range(4)] == [[1], [64], [3], [4096]]


def test_a_profile_without_any_stack_is_shown_too() -> None:
    data = series(recording_of(b"goroutineleak profile: total 0\n\n", profile="goroutineleak"))
    assert (data["stacks"], data["sums"], data["instants"]) == ([], [[0]], [START])


def test_all_call_graphs_end_where_the_stacks_do() -> None:
    data = series(recording_of(text_of({"a": 1, "b": 2, "c": 3})))
    assert set(data["graphs"]) == {"direct", "direct-runtime", "inverted", "inverted-runtime"}
    for name, graph in data["graphs"].items():
        functions = [data["texts"][int(number)] for number in graph["functions"].split()]
        assert [functions[int(end)] for end in graph["ends"].split()] == (
            ["main.main"] * 3 if name.startswith("inverted") else ["c", "b", "a"]
        )


def test_a_page_is_cut_to_size_with_all_sums_kept() -> None:
    counts = {f"example.com/some/long/path.function{number}": number + 1 for number in range(3000)}
    bodies = [text_of(counts | {"leak": number * 50 + 1}) for number in range(30)]
    whole = recording_of(*bodies)
    for size in (300_000, 60_000):
        data = series(whole, size)
        assert len(as_json(data)) <= size
        assert data["left"] > 0
        values = values_of(data)
        assert values["leak"][-1] == 29 * 50 + 1
        assert [sum(column) for column in zip(*values.values(), strict=True)] == data["sums"][0]


def test_names_of_any_length_are_cut() -> None:
    data = series(recording_of(text_of({"f" * 4000: 1})))
    assert max(map(len, data["texts"])) == 400


@pytest.mark.parametrize("name", HOSTILE)
def test_json_holds_nothing_that_ends_its_element(name: str) -> None:
    text = as_json({"name": name})
    assert json.loads(text) == {"name": name}
    assert text.isascii()
    assert not set("<>&") & set(text)


def test_incidents_are_told_by_what_they_are_about() -> None:
    stack = Stack((Frame("runtime.gopark", "/go/src/runtime/proc.go", 9), Frame("main.leak", "/src/leak.go", 42)))
    leak = Leak(stack, Severity.PROVEN, START + 60, START + 5, START + 90, 0, 60, 100, 160)
    events = (
        Event(Action.OPENED, START + 60, "x", "localhost:6060", "goroutine", leak),
        Event(Action.RESOLVED, START + 90, "x", "localhost:6060", "goroutine", leak),
    )
    data = overview([recording_of(text_of({"a": 3}))], [Incident(events)], ["a note"])
    assert data["series"] == [["localhost:6060", "goroutine", 0]]
    assert data["notes"] == ["a note"]
    assert data["incidents"] == [
        {
            "id": "x",
            "target": "localhost:6060",
            "profile": "goroutine",
            "severity": "proven",
            "since": START + 5,
            "opened": START + 60,
            "resolved": START + 90,
            "from": 0,
            "peak": 60,
            "function": "main.leak",
            "place": "/src/leak.go:42",
        }
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_page_runs_its_own_scripts_alone_and_fetches_nothing(name: str) -> None:
    data = series(recording_of(text_of({name: 3}), text_of({name: 4})))
    data["target"] = name
    page = render_page(name, [as_json(overview([], [], [name])), as_json(data)])
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    allowed = re.findall(r"'sha256-([^']+)'", html.unescape(policy).partition("style-src")[0])
    assert allowed == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert len(scripts) == 4
    assert policy.startswith("default-src &#39;none&#39;")
    assert "unsafe" not in policy
    assert page.count("<script") == len(scripts) + 2 + sum(text.count("<script") for text in scripts)
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""<[^>]* (?:src|href)=(?!"data:,")""", markup)
    assert "<img" not in page


def test_the_libraries_that_a_page_carries_are_those_that_were_published() -> None:
    rows = re.findall(r"(?m)^\| (\S+) \| \S+ \| \S+ \| \S+ \| ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text())
    assert {name for name, _ in rows} == {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    for name, digest in rows:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
