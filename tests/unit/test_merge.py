"""Logs of one target, read side by side."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from logmaker import START, entry, log_of
from pprofwatch.logs.merge import map_merged, merged_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pprofwatch.logs.problem import Problem

PROFILES = ("goroutine", "goroutineleak", "heap")


def read(*paths: Path, since: float | None = None, until: float | None = None) -> tuple[list[tuple[str, int]], str]:
    """Profile and number of each entry, and the problems."""
    problems: list[Problem] = []
    entries = map_merged(
        lambda entry: entry,
        [str(path) for path in paths],
        PROFILES,
        since=since,
        until=until,
        on_problem=problems.append,
        on_progress=lambda _: None,
    )
    found = [(each.profile, round((each.time - START) / 10)) for each in entries]
    return found, "\n".join(map(str, problems))


def write(path: Path, numbers: Sequence[int], profile: str = "goroutine") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(log_of(entry(number, profile=profile) for number in numbers))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a_1"
    write(folder / "goroutine-20261122T134953Z.log", [0, 1, 2])
    write(folder / "goroutine.log", [3, 4])
    write(folder / "goroutineleak.log", [1, 4], "goroutineleak")
    write(folder / "mutex.log", [0, 3], "mutex")
    return folder


MERGED = [
    *(("goroutine", 0), ("goroutine", 1), ("goroutineleak", 1), ("goroutine", 2), ("goroutine", 3)),
    *(("goroutine", 4), ("goroutineleak", 4)),
]


def test_a_targets_logs_come_in_order_of_time(folder: Path) -> None:
    assert read(folder) == (MERGED, "")


def test_targets_come_one_after_the_other(folder: Path) -> None:
    write(folder.parent / "b_1" / "heap.log", [0, 1], "heap")
    (folder.parent / "empty").mkdir()
    assert read(folder.parent) == ([*MERGED, ("heap", 0), ("heap", 1)], "")


def test_a_span_of_time_is_read(folder: Path) -> None:
    assert read(folder, since=START + 10, until=START + 30) == (MERGED[1:5], "")


def test_files_are_read_as_they_stand(folder: Path) -> None:
    files = [folder / name for name in ("goroutineleak.log", "goroutine.log", "mutex.log")]
    assert read(*files)[0] == [
        *(("goroutineleak", 1), ("goroutineleak", 4), ("goroutine", 3), ("goroutine", 4)),
        *(("mutex", 0), ("mutex", 3)),
    ]


def test_a_log_whose_times_go_back_is_read_whole(folder: Path) -> None:
    write(folder / "goroutine.log", [9, 3, 7])
    found, problems = read(folder)
    assert problems == ""
    assert [number for profile, number in found if profile == "goroutine"] == [0, 1, 2, 9, 3, 7]
    assert [number for profile, number in found if profile == "goroutineleak"] == [1, 4]


def test_damage_in_one_log_hides_no_other(folder: Path) -> None:
    (folder / "goroutineleak.log").write_bytes(b"\x00" * 300 + log_of([entry(4, profile="goroutineleak")]))
    found, problems = read(folder)
    assert found == [each for each in MERGED if each != ("goroutineleak", 1)]
    assert problems.startswith(f"{folder}/goroutineleak.log: ")
    assert "300 bytes skipped" in problems


def test_a_folder_without_such_logs_is_said(tmp_path: Path) -> None:
    write(tmp_path / "mutex.log", [0], "mutex")
    assert read(tmp_path) == ([], f"{tmp_path}: no log in this folder that could hold what is asked for")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_can_t_be_read_is_said(folder: Path) -> None:
    folder.chmod(0)
    try:
        assert read(folder) == ([], f"{folder}: cannot read: Permission denied")
    finally:
        folder.chmod(0o700)


def test_its_size_is_what_will_be_read(folder: Path) -> None:
    logs = sum(path.stat().st_size for path in folder.iterdir() if path.name != "mutex.log")
    assert merged_size([str(folder)], PROFILES) == logs
    assert merged_size([str(folder / "mutex.log")], PROFILES) == (folder / "mutex.log").stat().st_size
    assert merged_size([str(folder), "-"], PROFILES) is None
