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
from pprofwatch.report.check import Check

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
WINDOW = LeakConfig().window
#: Missed with the default window. The reasons are the recordings' own.
NOT_FOUND = {
    "floor": "one call in fifty is lost, which the swing of the other forty-nine hides for longer than two hours",
    "bursts-leak": "5 to 40 at once, minutes apart: as few steps as an autoscaler's; a window of 40m finds it",
}
#: Healthy, but growth that goes on for 40 minutes at a stretch is what a window of 30 calls a leak.
LONG_SWING = "reaper-40"


def check(name: str, window: float) -> tuple[Check, float]:
    """What a recording holds, and the time of its first entry."""
    found = Check(LeakConfig(window=window))
    begin: float | None = None
    for entry in read_entries([FOLDER / f"{name}.log.zst"]):
        begin = entry.time if begin is None else begin
        found.take(entry)
    found.finish()
    assert begin is not None
    assert found.entries >= 400
    assert found.damaged == 0
    return found, begin


@pytest.mark.parametrize("name", [name for name in LEAKY if name not in NOT_FOUND])
def test_a_leak_is_found_and_named_and_nothing_else(name: str) -> None:
    label = LABELS[name]
    found, begin = check(name, WINDOW)
    assert found.leaks
    for checked in found.leaks:
        for stack in (checked.leak.stack, *checked.leak.also):
            assert any(culprit in function for culprit in label["culprit"] for function in stack.functions), stack
        assert checked.leak.detected_at >= begin + label["from_s"]
        assert checked.leak.count_to > checked.leak.count_from or checked.over_at is not None


@pytest.mark.parametrize("name", [name for name in HEALTHY if name != LONG_SWING])
def test_a_healthy_server_is_silent(name: str) -> None:
    found, _ = check(name, WINDOW)
    assert [checked.leak for checked in found.leaks] == []


def test_a_swing_longer_than_the_window_is_taken_for_a_leak_once_and_a_longer_window_knows_better() -> None:
    mistaken, _ = check(LONG_SWING, WINDOW)
    assert [checked.over_at is not None for checked in mistaken.leaks] == [True]
    found, _ = check(LONG_SWING, 3600)
    assert found.leaks == []


@pytest.mark.parametrize("name", NOT_FOUND)
def test_what_is_known_to_be_missed(name: str) -> None:
    found, _ = check(name, WINDOW)
    assert found.leaks == []


def test_uneven_bursts_are_found_with_a_longer_window() -> None:
    found, _ = check("bursts-leak", 2400)
    (checked,) = found.leaks
    assert checked.leak.culprit.function.endswith("imports.(*File).row")


def test_the_closures_of_one_function_are_one_leak() -> None:
    found, _ = check("closures", WINDOW)
    (checked,) = found.leaks
    assert len({checked.leak.stack, *checked.leak.also}) == 20


def test_a_leak_is_over_when_its_server_is_restarted() -> None:
    found, _ = check("restarts-leak", WINDOW)
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
