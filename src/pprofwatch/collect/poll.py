"""Polls one target: opens its logs, takes up where they ended, and runs a loop for each of its profiles."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.evidence import EvidenceLoop
from pprofwatch.collect.fetch import Fetcher
from pprofwatch.collect.health import ERROR, Health
from pprofwatch.collect.loop import ProfileLoop
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.collect.polled import PolledTarget
from pprofwatch.collect.record import Record
from pprofwatch.collect.schedule import Ticks, first_offset
from pprofwatch.errors import LogError

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.collect.parts import Shared, Watch
    from pprofwatch.config.settings import LeakConfig, LogConfig, TargetConfig
    from pprofwatch.logs.target_folder import TargetFolder

#: Seconds until a target's folder that can't be used is tried again.
_OPEN_AGAIN = 10.0
#: What the user did not ask for begins so many seconds later: a server that lives shorter is not bothered with it.
_IMPLIED_DELAY = 60.0


class Poller:
    """Polls a target until it is cancelled.

    Args:
        config: The target.
        logs: How its logs are kept.
        leaks: When it is asked for more than its polls tell.
        targets: How many targets there are: many are not polled all at once.
        shared: What they share.
    """

    def __init__(self, config: TargetConfig, logs: LogConfig, leaks: LeakConfig, targets: int, shared: Shared) -> None:
        self.health = Health(config.target.name)
        #: Its logs, once they are open.
        self.records: list[Record] = []
        self._config = config
        self._name = config.target.name
        self._logs = logs
        self._leaks = leaks
        self._requests = (*config.requests, *config.implied)
        self._targets = targets
        self._shared = shared

    async def run(self) -> None:
        """Polls, and says what fails. Its logs are left open."""
        folder = await self._open()
        fetcher = Fetcher(self._config, self._shared.contexts, folder.path, self._shared.clock.monotonic)
        watch = self._shared.make_watch(self._config, folder.path)
        await self._replay(watch)
        polled = PolledTarget(self._config, folder, fetcher, watch, self.health, self._shared)
        try:
            async with anyio.create_task_group() as tasks:
                loops = self._loops(polled)
                for loop in loops.values():
                    tasks.start_soon(loop.run)
                tasks.start_soon(EvidenceLoop(polled, loops.get("goroutineleak"), self._leaks).run)
        finally:
            with anyio.CancelScope(shield=True):
                await fetcher.aclose()

    def _loops(self, polled: PolledTarget) -> dict[str, ProfileLoop]:
        """The loops of its profiles, by the names of their logs."""
        started = self._shared.clock.monotonic()
        loops = {}
        for index, (request, record) in enumerate(zip(self._requests, self.records, strict=True)):
            first = started + first_offset(self._name, self._targets, index, request.every)
            if request.implied:
                first += min(_IMPLIED_DELAY, request.every)
            loops[request.log_name] = ProfileLoop(polled, request, Ticks(first, request.every), record)
        return loops

    def rotate_at(self, size: int) -> None:
        """Closes segments from so many bytes on."""
        self._logs = dataclasses.replace(self._logs, rotate_size=size)
        for record in self.records:
            record.rotate_at(size)

    def flush(self) -> None:
        """Logs what was skipped, once it polls no more."""
        for record in self.records:
            try:
                record.flush(self._shared.clock.wall())
            except LogError as error:
                self._shared.trouble.failed(f"write {record.path}", error)

    def close(self) -> None:
        """Closes its logs, without waiting for the disk."""
        for record in self.records:
            record.close()

    async def _open(self) -> TargetFolder:
        """The target's folder, with what a killed daemon left behind cleared away; and its logs."""
        what = f"open {self._name}"
        while True:
            try:
                folder, waiting = await anyio.to_thread.run_sync(self._open_now, limiter=self._shared.starting)
            except LogError as error:
                self._shared.trouble.failed(what, error)
                await anyio.sleep(_OPEN_AGAIN)
            else:
                break
        self._shared.trouble.succeeded(what)
        for closed in waiting:
            self._shared.closed(closed)
        for record in self.records:
            record.say_notices()
        return folder

    def _open_now(self) -> tuple[TargetFolder, list[Path]]:
        self.close()
        folder = self._shared.folder.target(self._name)
        waiting = folder.clean()
        self.records = [Record(self._name, request, folder, self._logs, self._shared) for request in self._requests]
        for record in self.records:
            with contextlib.suppress(LogError):  # tried again, and told, with its first poll
                record.open()
        return folder, waiting

    async def _replay(self, watch: Watch) -> None:
        try:
            async with self._shared.starting:
                await run_aside(f"replay {self._name}", watch.replay)
        except Exception as error:  # noqa: BLE001  # without its past, but polled
            mistake = describe_mistake(error)
            self._shared.say(ERROR, f"{self._name}: its log's past is not known to the leak detector: {mistake}")
