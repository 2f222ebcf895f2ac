"""The daemon: polls its targets until it is told to end, and takes up a changed configuration when told to."""

from __future__ import annotations

import dataclasses
import os
import resource
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.health import ERROR, INFO, WARNING
from pprofwatch.collect.janitor import Janitor, segment_size
from pprofwatch.collect.log_trouble import LogTrouble
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.collect.parts import Shared
from pprofwatch.collect.poll import Poller
from pprofwatch.collect.record import sync_records
from pprofwatch.errors import ConfigError
from pprofwatch.logs.folder import LogFolder, folder_name
from pprofwatch.logs.names import live_name
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
    from pathlib import Path

    from anyio.abc import TaskGroup

    from pprofwatch.collect.parts import Clock, MakeWatch, Pulse, Say
    from pprofwatch.collect.record import Record
    from pprofwatch.collect.systemd import Systemd
    from pprofwatch.config.settings import Config, TargetConfig

#: Targets that are named in the first line.
_MOST_NAMES = 3
#: What a shell reports for a program that SIGINT ended.
_INTERRUPTED = 128 + signal.SIGINT
#: Seconds until a target is tried again whose poller ended by a mistake of ours.
_AGAIN = 10.0
#: Seconds that the disk is waited for at the end.
_LAST_SYNC = 1.2
#: Seconds until systemd is told that we are ready, where the first poll takes longer (a CPU profile, say).
_READY_AT_LAST = 10.0
#: Seconds between two lines for ``systemctl status``.
_STATUS_INTERVAL = 10.0
#: Descriptors that a target may need: five logs, three connections, a file while something is stored; and the rest.
_DESCRIPTORS = 9
_OTHER_DESCRIPTORS = 64


@dataclass(slots=True)
class _Running:
    """A target that is polled: cancel ``scope``, wait for ``ended``, and it is no more."""

    config: TargetConfig
    poller: Poller
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)


class Daemon:
    """Polls the targets of a configuration.

    Args:
        config: What to do.
        reload: Reads the configuration anew; called in a thread, on SIGHUP.
        clock: The clocks.
        say: Tells the user something. Called on the event loop's thread only.
        make_watch: Makes what looks at a target's entries; called again for each target when the leak settings change.
        systemd: The service manager.
        beside: Runs along with the polls, until it is cancelled at the end.
    """

    def __init__(
        self,
        config: Config,
        *,
        reload: Callable[[], Config],
        clock: Clock,
        say: Say,
        make_watch: MakeWatch,
        systemd: Systemd,
        beside: Callable[[], Coroutine[Any, Any, None]] = anyio.sleep_forever,
    ) -> None:
        self._config = config
        self._reload = reload
        self._clock = clock
        self._say = say
        self._make_watch = make_watch
        self._systemd = systemd
        self._beside = beside
        self._trouble = LogTrouble(say)
        self._janitor = Janitor(config.logs, clock, self._trouble, self._live)
        self._running: dict[TargetConfig, _Running] = {}

    async def run(self) -> None:
        """Polls until SIGTERM or SIGINT comes; a second SIGINT ends the process at once.

        Raises:
            AlreadyRunningError: Another daemon has the log folder.
            LogError: The log folder can't be used.
        """
        self._allow_descriptors()
        self._serving = anyio.CancelScope()
        self._reload_wanted = anyio.Event()
        with (
            await anyio.to_thread.run_sync(LogFolder, self._config.logs.folder) as folder,
            anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals,
        ):
            self._say(INFO, f"recording {_names(self._config.targets)} to {folder.path}")
            closed, wrote = self._janitor.closed, self._janitor.wrote
            shared = Shared(self._clock, self._say, folder, self._make_watch, closed, wrote, self._trouble)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._handle_signals, signals)
                with self._serving:
                    await self._serve(shared)
                await self._close(self._running.values())
                tasks.cancel_scope.cancel()

    async def _serve(self, shared: Shared) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beside)
            tasks.start_soon(self._janitor.run)
            tasks.start_soon(self._sync, shared)
            tasks.start_soon(self._tell_systemd, shared)
            self._start(self._config.targets, tasks, shared)
            await self._take_up_changes(tasks, shared)

    async def _handle_signals(self, signals: AsyncIterator[signal.Signals]) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                self._reload_wanted.set()
            else:
                # Not left to the event loop, which may be what keeps us from ending.
                signal.signal(signal.SIGINT, _end_at_once)
                self._systemd.stopping()
                self._say(INFO, f"{number.name}: ending")
                self._serving.cancel()
                return

    def _start(self, targets: Iterable[TargetConfig], tasks: TaskGroup, shared: Shared) -> None:
        logs = dataclasses.replace(self._config.logs, rotate_size=segment_size(self._config.logs, self._config.targets))
        for each in self._running.values():
            each.poller.rotate_at(logs.rotate_size)
        for target in targets:
            poller = Poller(target, logs, self._config.leaks, len(self._config.targets), shared)
            running = self._running[target] = _Running(target, poller)
            tasks.start_soon(self._run, running)

    def _live(self) -> set[Path]:
        """The live segments that are, or soon will be, written to."""
        targets = [each.config for each in self._running.values()]
        folders = [(self._config.logs.folder / folder_name(each.target.name), each) for each in targets]
        return {
            folder / live_name(request.log_name)
            for folder, each in folders
            for request in (*each.requests, *each.implied)
        }

    async def _run(self, running: _Running) -> None:
        """Polls a target until its scope is cancelled, whatever happens."""
        said = ""
        try:
            with running.scope:
                while True:
                    try:
                        await running.poller.run()
                    except Exception as error:  # noqa: BLE001  # no target may stop the others
                        if said != (said := describe_mistake(error)):
                            self._say(ERROR, f"{running.config.target.name}: {said}")
                    await anyio.sleep(_AGAIN)
        finally:
            running.ended.set()

    async def _close(self, running: Iterable[_Running]) -> None:
        """Closes the logs of targets that are polled no more, with all in them, and durable if the disk is quick."""
        pollers = [each.poller for each in running]
        for poller in pollers:
            poller.flush()
        with anyio.move_on_after(_LAST_SYNC, shield=True) as scope:
            await self._sync_once([record for poller in pollers for record in poller.records])
        if scope.cancelled_caught:
            self._say(
                WARNING, "the disk is slow: the last entries are written, but maybe not safe from a power failure"
            )
        for poller in pollers:
            poller.close()

    async def _take_up_changes(self, tasks: TaskGroup, shared: Shared) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted = anyio.Event()
            self._systemd.reloading()
            try:
                config = await run_aside("reload", self._reload)
            except ConfigError as error:
                self._say(ERROR, "\n".join(["the configuration is kept as it was:", *error.mistakes]))
            except Exception as error:  # noqa: BLE001  # nothing that a file holds may end the daemon
                self._say(ERROR, f"the configuration is kept as it was: {describe_mistake(error)}")
            else:
                await self._change(config, tasks, shared)
            self._systemd.ready()

    async def _change(self, config: Config, tasks: TaskGroup, shared: Shared) -> None:
        """Stops what is no more or has changed, and starts what is new or has changed."""
        old = self._config
        if config.logs.folder != old.logs.folder:
            self._say(ERROR, f"log_dir stays {old.logs.folder} until a restart")
            config = dataclasses.replace(config, logs=dataclasses.replace(config.logs, folder=old.logs.folder))
        is_other = (config.logs, config.leaks) != (old.logs, old.leaks)
        stopped = [each for each in self._running.values() if is_other or each.config not in config.targets]
        for each in stopped:
            each.scope.cancel()
        for each in stopped:
            await each.ended.wait()
        await self._close(stopped)
        for each in stopped:
            del self._running[each.config]
        self._config = config
        self._allow_descriptors()
        self._janitor.config = config.logs
        started = [target for target in config.targets if target not in self._running]
        self._start(started, tasks, shared)
        self._say(INFO, f"reloaded: {len(config.targets)} targets, {len(started)} of them new or changed")

    async def _sync(self, shared: Shared) -> None:
        """Makes durable what was logged, again and again."""
        while True:
            # Twice as often as promised, since it takes a while itself; and at least as often as a sign of life is
            # wanted, which tells that writing works too.
            await anyio.sleep(min(self._config.logs.sync_interval / 2, self._status_interval))
            await self._sync_once([record for each in self._running.values() for record in each.poller.records])
            shared.pulse.syncs += 1

    async def _sync_once(self, records: list[Record]) -> None:
        failed = dict(await run_aside("sync", lambda: sync_records(records)))
        for record in records:
            if error := failed.get(record):
                self._trouble.failed(f"sync {record.path}", error)
            else:
                self._trouble.succeeded(f"sync {record.path}")

    async def _tell_systemd(self, shared: Shared) -> None:
        """That we are ready, once a poll is over; then how it goes, and that polls and writing go on."""
        with anyio.move_on_after(_READY_AT_LAST):
            await shared.pulse.news.wait()
        self._systemd.ready()
        self._systemd.alive()
        syncs = shared.pulse.syncs
        while True:
            self._systemd.status(self._status(shared.pulse))
            await anyio.sleep(self._status_interval)
            if shared.pulse.syncs != syncs:
                syncs = shared.pulse.syncs
                self._systemd.alive()

    @property
    def _status_interval(self) -> float:
        return min(_STATUS_INTERVAL, self._systemd.watchdog / 3) if self._systemd.watchdog else _STATUS_INTERVAL

    def _status(self, pulse: Pulse) -> str:
        down = sum(each.poller.health.is_down for each in self._running.values())
        last = f"last poll {format_time(pulse.last_poll)}" if pulse.polls else "no poll yet"
        return f"{len(self._running)} targets, {down} of them down; {last}"

    def _allow_descriptors(self) -> None:
        """Raises the limit on open files to what the system allows, and says so if that is not enough."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = len(self._config.targets) * _DESCRIPTORS + _OTHER_DESCRIPTORS
        if hard != resource.RLIM_INFINITY and wanted > hard:
            self._say(WARNING, f"{len(self._config.targets)} targets may need {wanted} open files; {hard} are allowed")
        if soft != hard and wanted > soft:
            resource.setrlimit(
                resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
            )


def _names(targets: Sequence[TargetConfig]) -> str:
    """The first few targets' names, and how many more there are."""
    names = ", ".join(target.target.name for target in targets[:_MOST_NAMES])
    more = len(targets) - _MOST_NAMES
    return f"{names} and {more} more" if more > 0 else names


def _end_at_once(*_: object) -> None:
    """A second SIGINT: what was polled is in the files, and who is in such a hurry waits for nothing else."""
    os._exit(_INTERRUPTED)
