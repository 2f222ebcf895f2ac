"""Runs the daemon with a watch on each target, and tells what the watches find."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import anyio

from pprofwatch.alerts.delivery import Delivery
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.message import alert, next_command
from pprofwatch.alerts.payload import event_as_json
from pprofwatch.alerts.sinks import make_sinks
from pprofwatch.alerts.sinks.base import Notice
from pprofwatch.alerts.watch import SharedParser, Watch
from pprofwatch.collect.daemon import Daemon
from pprofwatch.collect.parts import Clock
from pprofwatch.collect.systemd import Systemd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pprofwatch.alerts.sinks.base import Sink
    from pprofwatch.cli.messages import Messages
    from pprofwatch.config.settings import Config, TargetConfig


def system_clock() -> Clock:
    """The machine's clocks. What it sleeps counts, so that the polls that it missed are seen as missed."""
    return Clock(time.time, lambda: time.clock_gettime(time.CLOCK_BOOTTIME))


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
        messages: For standard error, which is a sink, and for everything else that is to be said.
        on_event: Called with what happens to incidents, when it is about to be told; in any thread.

    Raises:
        AlreadyRunningError: Another daemon has the log folder.
        LogError: The log folder can't be used.
    """
    leaks = config.leaks
    parser = SharedParser()
    clock = system_clock()

    def describe(event: Event, folder: Path) -> Notice:
        fields = event_as_json(
            event,
            folder=folder,
            next_command=next_command(event, folder, leaks),
            max_goroutines=leaks.max_goroutines,
        )
        return Notice(event, fields, alert(event, folder, leaks))

    def sinks_of(config: Config) -> list[Sink]:
        return make_sinks(config.sinks, now=clock.wall, say=messages.say)

    async def run() -> None:
        delivery = Delivery(sinks_of(config), say=messages.say, describe=describe)

        def tell(event: Event, folder: Path) -> None:
            delivery.tell(event, folder)
            if event.action is not Action.SUSPECTED:
                on_event(event)

        def make_watch(target: TargetConfig, folder: Path) -> Watch:
            name = target.target.name
            return Watch(name, folder, leaks, parser, now=clock.wall, tell=tell, resume=delivery.resume)

        def reload_config() -> Config:
            nonlocal leaks
            new = reload()
            leaks = new.leaks
            delivery.change(sinks_of(new), {target.target.name for target in new.targets})
            return new

        daemon = Daemon(
            config,
            reload=reload_config,
            clock=clock,
            say=messages.say,
            make_watch=make_watch,
            systemd=Systemd(os.environ),
            beside=delivery.run,
        )
        await daemon.run()

    # Whoever should read them may not: that must not stop the polls.
    with messages.aside():
        anyio.run(run)
