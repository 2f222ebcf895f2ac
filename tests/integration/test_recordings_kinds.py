"""The verdict on recordings of live heap and of OS threads, read as ``pprofwatch check`` reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import pytest

from pprofwatch.config.settings import LeakConfig
from pprofwatch.logs.reader import read_entries
from pprofwatch.report.check import Check, Counter

FOLDER = Path(__file__).parents[1] / "data" / "recordings"
KINDS = ("heap", "threadcreate")


class Label(TypedDict):
    leak: bool
    culprit: list[str]
    from_s: float
    note: str
    interval_s: int


LABELS: dict[tuple[str, str], Label] = {
    (kind, name): label
    for kind in KINDS
    for name, label in json.loads((FOLDER / kind / "labels.json").read_text()).items()
}
LEAKY = [key for key, label in LABELS.items() if label["leak"]]
HEALTHY = [key for key in LABELS if key not in LEAKY]


def check(kind: str, name: str) -> tuple[Check, float]:
    """What a recording holds, and the time of its first entry."""
    found, counter = Check(LeakConfig()), Counter()
    entries = list(read_entries([FOLDER / kind / f"{name}.log.zst"]))
    assert {entry.profile for entry in entries if entry.body} - {"goroutine"} == {kind}
    for entry in entries:
        found.take(counter.count(entry))
    found.finish()
    assert found.entries >= 140
    assert found.damaged == 0
    return found, entries[0].time


@pytest.mark.parametrize(("kind", "name"), LEAKY)
def test_a_leak_is_found_and_named_and_nothing_else(kind: str, name: str) -> None:
    label = LABELS[kind, name]
    found, begin = check(kind, name)
    assert [checked.profile for checked in found.leaks].count(kind) == 1
    for checked in found.leaks:
        assert checked.over_at is None
        for stack in (checked.leak.stack, *checked.leak.also):
            assert any(culprit in function for culprit in label["culprit"] for function in stack.functions), stack
        assert checked.leak.detected_at > begin + label["from_s"]
        assert checked.leak.count_to > checked.leak.count_from


@pytest.mark.parametrize(("kind", "name"), HEALTHY)
def test_a_healthy_server_is_silent(kind: str, name: str) -> None:
    found, _ = check(kind, name)
    assert found.leaks == []
