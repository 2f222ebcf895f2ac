"""Runs the daemon inside a test, on its event loop, with real signals; and remembers what it said and was shown."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pprofwatch.collect.daemon import Daemon
from pprofwatch.collect.parts import Clock
from pprofwatch.collect.systemd import Systemd
from pprofwatch.config.settings import Config, LogConfig, TargetConfig
from pprofwatch.errors import LogError
from pprofwatch.logs.folder import folder_name
from pprofwatch.logs.reader import read_entries
from pprofwatch.model import Entry, ProfileRequest, Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from pprofwatch.model import Stack
    from pprofwatch.profiles.dump import Dump

GO = ProfileRequest("goroutine", every=0.05)
#: Why a poll was skipped that nothing but a busy machine may have held up.
LATE = "the poll before took too long, or the daemon could not run"


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something in a file, of which no event tells."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def read_log(folder: Path, log: str) -> list[Entry]:
    """One log in a target's folder; a segment that is being compressed is there twice for a moment."""
    compressed = list(folder.glob(f"{log}-2*.log.zst"))
    plain = [path for path in folder.glob(f"{log}-2*.log") if path.with_name(f"{path.name}.zst") not in compressed]
    return list(read_entries([*sorted([*compressed, *plain]), *folder.glob(f"{log}.log")]))


def descriptors() -> list[str]:
    gc.collect()
    return sorted(str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())


class SpyWatch:
    """Remembers what it was shown; fails where it is told to. It suspects nothing."""

    wants_evidence = wants_second_dump = has_news = False
    total = 0

    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[Entry] = []
        self.replays = self.asked = self.noted = 0
        self.reasons: list[tuple[float, Mapping[Stack, str]]] = []
        self.dumps: list[tuple[float, Dump]] = []
        self.fails = fails

    def replay(self) -> None:
        self.replays += 1

    def observe(self, entry: Entry) -> None:
        self.seen.append(entry)
        if self.fails:
            raise RuntimeError("detector broke")

    def begin_evidence(self) -> None:
        self.asked += 1

    def take_reasons(self, time: float, reasons: Mapping[Stack, str]) -> None:
        self.reasons.append((time, reasons))

    def take_dump(self, time: float, dump: Dump) -> None:
        self.dumps.append((time, dump))

    def note(self) -> None:
        self.noted += 1


@dataclasses.dataclass
class Run:
    """A daemon that runs, and what it said."""

    config: Config
    lines: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    watches: dict[str, SpyWatch] = dataclasses.field(default_factory=dict)
    next_config: Config | Exception | None = None
    news: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    fails: bool = False

    def say(self, priority: int, text: str) -> None:
        self.lines.append((priority, text))
        self.news.set()

    def make_watch(self, config: TargetConfig, folder: Path) -> SpyWatch:
        assert folder.is_dir()
        return self.watches.setdefault(config.target.name, SpyWatch(fails=self.fails))

    def reload(self) -> Config:
        if isinstance(self.next_config, Exception):
            raise self.next_config
        assert self.next_config is not None
        return self.next_config

    async def said(self, text: str, times: int = 1) -> None:
        """Waits until a text has been said so often."""
        while sum(text in line for _, line in self.lines) < times:
            self.news.clear()
            await self.news.wait()

    def entries(self, target: str, log: str = "goroutine") -> list[Entry]:
        return read_log(self.config.logs.folder / folder_name(target), log)

    async def logged(self, target: str, count: int, log: str = "goroutine") -> list[Entry]:
        """Waits until a log has so many entries."""
        entries: list[Entry] = []

        def has_enough() -> bool:
            nonlocal entries
            with contextlib.suppress(LogError):  # an entry is half-written, or a segment just renamed
                entries = self.entries(target, log)
            return len(entries) >= count

        await until(has_enough)
        return entries


def target(address: str, *requests: ProfileRequest, timeout: float = 5.0) -> TargetConfig:
    return TargetConfig(Target(address, f"http://{address}/debug/pprof/"), requests or (GO,), timeout=timeout)


def config_for(tmp_path: Path, *targets: TargetConfig, **logs: float) -> Config:
    return Config(targets, LogConfig(tmp_path / "logs", **logs))  # type: ignore[arg-type]


def make_daemon(run: Run, systemd: Systemd | None = None, clock: Clock | None = None) -> Daemon:
    return Daemon(
        run.config,
        reload=run.reload,
        clock=clock or Clock(time.time, time.monotonic),
        say=run.say,
        make_watch=run.make_watch,
        systemd=systemd or Systemd({}),
    )


@asynccontextmanager
async def running(
    config: Config, systemd: Systemd | None = None, *, fails: bool = False, clock: Clock | None = None
) -> AsyncIterator[Run]:
    """A daemon that is ended by SIGTERM, within two seconds."""
    run = Run(config, fails=fails)
    ended = asyncio.Event()

    async def work() -> None:
        await make_daemon(run, systemd, clock).run()
        ended.set()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            yield run
            began = time.monotonic()
            os.kill(os.getpid(), signal.SIGTERM)
            await ended.wait()
            assert time.monotonic() - began < 2.0
