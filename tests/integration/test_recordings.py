"""The detector's verdict on recordings of real Go servers, read as ``pprofwatch check`` reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import pytest

from pprofwatch.config.settings import LeakConfig
from pprofwatch.logs.reader import read_entries
from pprofwatch.report.check import Check, Counter

FOLDER = Path(__file__).parents[1] / "data" / "recordings"


class Label(TypedDict):
    leak: bool
    culprit: list[str]
    from_s: float
    note: str
    interval_s: int


LABELS: dict[str, Label] = json.loads((FOLDER / "labels.json").read_text())
LEAKY = [name for name, label in LABELS.items() if label["leak"]]
HEALTHY = [name for name in LABELS if name not in LEAKY]


def check(name: str) -> tuple[Check, float]:
    """What a recording holds, and the time of its first entry."""
    found, counter = Check(LeakConfig()), Counter()
    begin: float | None = None
    for entry in read_entries([FOLDER / f"{name}.log.zst"]):
        begin = entry.time if begin is None else begin
        found.take(counter.count(entry))
    found.finish()
    assert begin is not None
    assert found.entries >= 400
    assert found.damaged == 0
    return found, begin


@pytest.mark.parametrize("name", LEAKY)
def test_a_leak_is_found_and_named_and_nothing_else(name: str) -> None:
    label = LABELS[name]
    found, begin = check(name)
    assert found.leaks
    for checked in found.leaks:
        for stack in (checked.leak.stack, *checked.leak.also):
            assert any(culprit in function for culprit in label["culprit"] for function in stack.functions), stack
        assert checked.leak.detected_at >= begin + label["from_s"]
        assert checked.leak.count_to > checked.leak.count_from or checked.over_at is not None


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_server_is_silent(name: str) -> None:
    found, _ = check(name)
    assert [checked.leak for checked in found.leaks] == []


def test_the_closures_of_one_function_are_one_leak() -> None:
    found, _ = check("closures")
    (checked,) = found.leaks
    assert len({checked.leak.stack, *checked.leak.also}) == 20


def test_a_leak_is_over_when_its_server_is_restarted() -> None:
    found, _ = check("restarts-leak")
    assert found.leaks[0].over_at is not None


def test_the_verdict_is_the_same_in_every_process() -> None:
    log = FOLDER / "closures.log.zst"
    command = [str(Path(sys.executable).with_name("pprofwatch")), "check", "--json", str(log)]
    answers = {
        subprocess.run(
            command,
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed},
            capture_output=True,
            check=False,
            timeout=60,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert [len(json.loads(answer)["leaks"]) for answer in answers] == [1]
