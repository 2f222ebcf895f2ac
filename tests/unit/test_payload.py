"""An event as JSON: every number that there is, in a form that programs read, and bounded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pprofwatch.alerts.payload import event_as_json
from pprofwatch.alerts.sinks.webhook import slack_message
from pprofwatch.leaks.evidence import Evidence
from pprofwatch.leaks.severity import Severity
from pprofwatch.model import Frame, Stack
from sinks import NOON, make_event

FOLDER = Path("/logs/localhost_6060")


def test_an_event_with_evidence_has_all_of_it() -> None:
    event = make_event(3, severity=Severity.PROVEN, kept="incidents/20270115T080000Z-3fa9c1d2")
    evidence = Evidence(NOON - 5, never=110, watched=90, waiting=88, apart=300.0, oldest=1800.0, blocked_in="chan send")
    other = Stack((Frame("main.work.func1", "/src/app/work.go", 7),))
    leak = dataclasses.replace(event.leak, evidence=evidence, also=(other,))
    event = dataclasses.replace(event, leak=leak)
    found = event_as_json(event, folder=FOLDER, next_command="pprofwatch check", max_goroutines=1000)
    assert found == {
        "id": "localhost:6060/20270115T080000Z-3fa9c1d2-3",
        "event": "opened",
        "time": "2027-01-15T08:00:00.000Z",
        "incident": "20270115T080000Z-3fa9c1d2",
        "target": "localhost:6060",
        "profile": "goroutine",
        "severity": "proven",
        "summary": "LEAK localhost:6060: goroutines grow without bound in main.(*Dispatcher).forward",
        "function": "main.(*Dispatcher).forward",
        "location": "/src/app/dispatch.go:41",
        "blocked_in": "chan send",
        "count_from": 3,
        "count_to": 120,
        "total_from": 76,
        "total_to": 193,
        "since": "2027-01-15T07:26:40.000Z",
        "detected_at": "2027-01-15T08:00:00.000Z",
        "per_hour": 210.6,
        "per_hour_error": round(leak.per_hour_error, 3),
        "forecast": {"count": 1000, "at": "2027-01-15T11:49:54.872Z"},
        "evidence": {
            "time": "2027-01-15T07:59:55.000Z",
            "never": 110,
            "watched": 90,
            "waiting": 88,
            "apart": 300.0,
            "oldest": 1800.0,
        },
        "kept": "/logs/localhost_6060/incidents/20270115T080000Z-3fa9c1d2",
        "next": "pprofwatch check",
        "stack": ["runtime.gopark", "main.(*Dispatcher).forward"],
        "beside": None,
        "also": [{"function": "main.work.func1", "location": "/src/app/work.go:7"}],
    }
    assert json.loads(json.dumps(found)) == found


def test_what_is_not_known_is_null() -> None:
    event = make_event()
    stack = Stack((Frame("main.work", "", 0),))
    event = dataclasses.replace(event, leak=dataclasses.replace(event.leak, stack=stack, count_to=3))
    found = event_as_json(event, folder=FOLDER)
    nothing = {"location", "blocked_in", "forecast", "evidence", "kept", "next", "beside"}
    assert {name for name, value in found.items() if value is None} == nothing


def test_long_names_and_deep_stacks_are_cut() -> None:
    frame = Frame("main." + "x" * 10_000, "/src/" + "y" * 10_000, 1)
    stacks = [Stack((frame, *(Frame(str(number), "", 0) for number in range(1000)))) for number in range(300)]
    leak = dataclasses.replace(make_event().leak, stack=stacks[0], also=tuple(stacks[1:]))
    found = event_as_json(dataclasses.replace(make_event(), leak=leak), folder=FOLDER)
    assert len(found["stack"]) == len(found["also"]) == 100
    assert len(found["function"]) == 200
    assert len(json.dumps(found)) < 100_000


def test_no_name_breaks_out_of_a_message_to_slack() -> None:
    text = slack_message("LEAK a`b: <!channel> & \x1b[31m\n  where    ```\n" + "x" * 10_000)["text"]
    first, fence, *_ = text.split("\n")
    assert first == "`LEAK a'b: &lt;!channel&gt; &amp; �[31m`"
    assert fence == "```"
    assert text.count("```") == 2
    assert text.endswith("\n```")
    assert len(text) < 4000
