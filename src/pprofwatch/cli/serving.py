"""Runs the daemon with a watch on each target, and tells what the watches find."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import anyio

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.message import alert
from pprofwatch.alerts.watch import SharedParser, Watch
from pprofwatch.collect.daemon import Daemon
from pprofwatch.collect.parts import Clock
from pprofwatch.collect.systemd import Systemd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pprofwatch.cli.messages import Messages
    from pprofwatch.config.settings import Config, TargetConfig

# As syslog numbers them.
_ERROR, _NOTICE = 3, 5


def serve(
    config: Config,
    reload: Callable[[], Config],
    messages: Messages,
    on_event: Callable[[Event], None] = lambda _: None,
) -> None:
    """Run the daemon until a signal ends it.

    Args:
        config: What to do.
        reload: Reads the configuration again.
        messages: Where alerts and everything else is told.
        on_event: Called with what happens to incidents, after it was told.

    Raises:
        AlreadyRunningError: Another daemon has the log folder.
        LogError: The log folder can't be used.
    """
    leaks = config.leaks
    parser = SharedParser()

    def reload_config() -> Config:
        nonlocal leaks
        new = reload()
        leaks = new.leaks
        return new

    def tell(event: Event, log: Path) -> None:
        messages.say(_NOTICE if event.action is Action.RESOLVED else _ERROR, alert(event, log, leaks))
        on_event(event)

    def make_watch(target: TargetConfig, folder: Path) -> Watch:
        return Watch(target.target.name, folder, leaks, parser, now=time.time, tell=tell)

    # CLOCK_BOOTTIME goes on while the machine sleeps, so that the polls it missed are seen as missed.
    clock = Clock(time.time, lambda: time.clock_gettime(time.CLOCK_BOOTTIME))

    async def run() -> None:
        daemon = Daemon(
            config,
            reload=reload_config,
            clock=clock,
            say=messages.say,
            make_watch=make_watch,
            systemd=Systemd(os.environ),
        )
        await daemon.run()

    anyio.run(run)
