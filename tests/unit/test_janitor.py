"""How the log folder is kept small, with time passed in; the disk's part is in ``tests/integration/test_disk.py``."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import pytest

from daemons import until
from pprofwatch.collect.janitor import Janitor, segment_size
from pprofwatch.collect.log_trouble import LogTrouble
from pprofwatch.collect.parts import Clock
from pprofwatch.config.settings import LogConfig, TargetConfig
from pprofwatch.logs.names import closed_name
from pprofwatch.model import ProfileRequest, Target

if TYPE_CHECKING:
    from pathlib import Path

HOUR, DAY = 3600.0, 86400.0
BLOCK = 4096
START = 1.8e9


class Times:
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.wall = START
        self.monotonic = 0.0

    def advance(self, seconds: float) -> None:
        """Time goes on."""
        self.wall += seconds
        self.monotonic += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)


def closed(folder: Path, age: float) -> Path:
    """A closed segment of so many days ago."""
    path = folder / "app_1" / closed_name("goroutine", START - age * DAY)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.mark.anyio
async def test_a_clock_that_is_set_a_year_forth_does_not_make_all_logs_old(tmp_path: Path) -> None:
    times, said = Times(), list[tuple[int, str]]()
    config = LogConfig(tmp_path, keep_age=90 * DAY, keep_free=1024)
    janitor = Janitor(config, times.clock, LogTrouble(lambda *line: said.append(line)), live=lambda: ())
    young, old = closed(tmp_path, 80), closed(tmp_path, 100)
    times.advance(HOUR)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(janitor.run)
            await until(lambda: not old.exists())
            old = closed(tmp_path, 95)
            times.wall += 365 * DAY
            times.monotonic += 3600.0
            janitor.wrote(1 << 60)  # it looks at once
            await until(lambda: not old.exists())
            assert young.exists()
            # Where the clock was right, and the daemon only slept, time went on for both.
            times.monotonic += 365 * DAY
            janitor.wrote(1 << 60)
            await until(lambda: not young.exists())
            tasks.cancel_scope.cancel()
    assert said == []


@pytest.mark.anyio
async def test_a_clock_that_is_a_year_ahead_when_the_daemon_starts_does_not_either(tmp_path: Path) -> None:
    """As a machine's is that was just started, until it has asked for the time."""
    times, said = Times(), list[tuple[int, str]]()
    config = LogConfig(tmp_path, keep_size=8 * BLOCK, keep_age=90 * DAY, keep_free=1024)
    times.wall += 365 * DAY
    janitor = Janitor(config, times.clock, LogTrouble(lambda *line: said.append(line)), live=lambda: ())
    # More than the budget, so that it can be seen when it has looked at the files.
    oldest, young, old = closed(tmp_path, 300), closed(tmp_path, 80), closed(tmp_path, 100)
    oldest.write_bytes(bytes(6 * BLOCK))
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(janitor.run)
            await until(lambda: not oldest.exists())
            assert young.exists()
            assert old.exists()
            times.wall -= 365 * DAY
            times.advance(HOUR)
            janitor.wrote(1 << 60)
            await until(lambda: not old.exists())
            assert young.exists()
            tasks.cancel_scope.cancel()
    assert said == []


@pytest.mark.anyio
async def test_removing_does_not_wait_for_compression(tmp_path: Path) -> None:
    times, said = Times(), list[tuple[int, str]]()
    config = LogConfig(tmp_path, keep_size=160 << 20, keep_age=90 * DAY, keep_free=1024)
    janitor = Janitor(config, times.clock, LogTrouble(lambda *line: said.append(line)), live=lambda: ())
    large, old = closed(tmp_path, 1), closed(tmp_path, 80)
    large.write_bytes(random.Random(1).randbytes(1 << 20) * 128)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(janitor.run)
            janitor.closed(large)
            await until(lambda: any(large.parent.glob("*.tmp")))
            times.advance(15 * DAY)
            janitor.wrote(1 << 60)
            await until(lambda: not old.exists())
            assert large.exists()
            tasks.cancel_scope.cancel()
    assert said == []


@pytest.mark.anyio
async def test_what_nobody_foresaw_is_said_and_the_next_segment_is_compressed(tmp_path: Path) -> None:
    """Another program put a file in the place of a target's folder, while a segment in that waited."""
    said = list[tuple[int, str]]()
    config = LogConfig(tmp_path, keep_free=1024, keep_age=1e10)
    janitor = Janitor(config, Times().clock, LogTrouble(lambda *line: said.append(line)), live=lambda: ())
    (tmp_path / "shop_1").write_bytes(b"")
    janitor.closed(tmp_path / "shop_1" / closed_name("goroutine", START))
    waiting = closed(tmp_path, 1)
    janitor.closed(waiting)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(janitor.run)
            await until(lambda: not waiting.exists())
            tasks.cancel_scope.cancel()
    assert waiting.with_name(f"{waiting.name}.zst").exists()
    assert ["NotADirectoryError" in line for _, line in said] == [True]


def test_live_segments_get_half_of_the_budget_however_many_there_are(tmp_path: Path) -> None:
    requests = ProfileRequest("goroutine"), ProfileRequest("heap")
    targets = [TargetConfig(Target(str(n), ""), requests, implied=(ProfileRequest("mutex"),)) for n in range(1000)]
    config = LogConfig(tmp_path, rotate_size=64 << 20, keep_size=2 << 30)
    assert segment_size(config, targets[:1]) == 64 << 20
    assert segment_size(config, targets) == (1 << 30) // 3000
    assert segment_size(config, []) == 64 << 20
