"""Delivers events to sinks: each at least once, in order, and no sink waits for another.

The journal of incidents is the queue on disk: an event stands there before it comes here, and each sink's place in it
is kept beside it. What could not be delivered before the end is, after the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from functools import partial
from typing import TYPE_CHECKING

import anyio

from pprofwatch.alerts.channel import LONGEST_QUEUE, Channel, Waiting
from pprofwatch.alerts.delivered import Delivered
from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.base import IncidentKey, SinkError, incident_key
from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.health import ERROR, NOTICE, WARNING
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from anyio.abc import TaskGroup

    from pprofwatch.alerts.incidents import Event
    from pprofwatch.alerts.sinks.base import Notice, Sink
    from pprofwatch.collect.parts import Say

#: Seconds until a sink that fails is tried again: doubled each time, up to the second.
FIRST_WAIT = 1.0
LONGEST_WAIT = 300.0
#: Seconds that sinks have for what still waits when the daemon ends.
LAST_ATTEMPT = 1.0


class Delivery:
    """Takes events from any thread, and hands them to the sinks on the event loop that it was made on.

    Args:
        sinks: To whom.
        say: Tells the user what fails. Called on the event loop's thread.
        describe: Puts an event, and the folder of its target, into words.
        sleep: Waits for some seconds before a sink is tried again.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        say: Say,
        describe: Callable[[Event, Path], Notice],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._say = say
        self._describe = describe
        self._sleep = sleep
        self._loop = asyncio.get_running_loop()
        self._channels = {sink.name: Channel(sink) for sink in sinks}
        self._workers: dict[str, anyio.CancelScope] = {}
        self._tasks: TaskGroup | None = None
        self._delivered: dict[Path, Delivered] = {}
        #: By target's folder, the number of the newest event.
        self._newest: dict[Path, int] = {}
        #: The last event of each incident that is open, for sinks that come later.
        self._open: dict[IncidentKey, Waiting] = {}
        self._problem = ""

    def resume(self, events: Sequence[Event], folder: Path) -> None:
        """Take up a target's events, oldest first, all that its journal has: those not yet delivered are.

        Blocks for a file or two: call it in a thread, before ``tell`` for the same target.
        """
        delivered = self._delivered.setdefault(folder, Delivered(folder))
        newest = max((event.number for event in events), default=0)
        try:
            numbers = delivered.begin(list(self._channels), newest)
        except LogError as error:
            self._on_loop(partial(self._say, WARNING, f"{error}: no sink is told again what happened before"))
            numbers = {}
        matter = _still_matter(events, min(numbers.values(), default=newest))
        self._on_loop(partial(self._resume, folder, matter, numbers, newest))

    def tell(self, event: Event, folder: Path) -> None:
        """Deliver an event, which stands in the journal in its target's folder."""
        self._on_loop(partial(self._take, event, folder))

    def change(self, sinks: Sequence[Sink], targets: Collection[str]) -> None:
        """Go on with these sinks, and for these targets. A sink that has changed goes on with what waits for it."""
        self._on_loop(partial(self._change, list(sinks), frozenset(targets)))

    async def run(self) -> None:
        """Deliver until cancelled; then try once more, shortly."""
        try:
            async with anyio.create_task_group() as self._tasks:
                for channel in self._channels.values():
                    self._start(channel)
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            with anyio.move_on_after(LAST_ATTEMPT, shield=True):
                async with anyio.create_task_group() as tasks:
                    for channel in self._channels.values():
                        tasks.start_soon(self._try_once_more, channel)

    def _on_loop(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: the journal keeps it for the next start
            self._loop.call_soon_threadsafe(function)

    def _resume(self, folder: Path, events: list[Event], numbers: Mapping[str, int], newest: int) -> None:
        for event in events:
            if event.number > self._newest.get(folder, -1):  # others are here: the watch was started anew beside us
                self._take(event, folder, {name: numbers.get(name, newest) for name in self._channels})
        self._newest[folder] = max(newest, self._newest.get(folder, 0))

    def _take(self, event: Event, folder: Path, delivered: Mapping[str, int] | None = None) -> None:
        """Let an event wait for the sinks that want it, unless it was ``delivered``: the last numbers, by sinks."""
        if event.number:
            if event.number <= self._newest.get(folder, 0):
                return
            self._newest[folder] = event.number
        try:
            waiting = Waiting(self._describe(event, folder), folder)
        except Exception as error:  # noqa: BLE001  # said, and the next event may be told
            self._say(ERROR, f"{event.target}: {describe_mistake(error)}")
            return
        if event.action is Action.RESOLVED:
            self._open.pop(incident_key(event), None)
        elif event.action is not Action.SUSPECTED:
            self._open[incident_key(event)] = waiting
        for name, channel in self._channels.items():
            is_old = delivered is not None and event.number <= delivered[name]
            if channel.wants(event):
                channel.sink.note(waiting.notice, is_old=is_old)
                if not is_old:
                    self._put(channel, waiting)

    def _put(self, channel: Channel, waiting: Waiting) -> None:
        had_lost = channel.lost
        channel.put(waiting)
        if channel.lost > had_lost == 0:
            name = channel.sink.name
            self._say(WARNING, f"sink {name}: {LONGEST_QUEUE:,} events wait for it, so the oldest are dropped")

    # Workers

    def _change(self, sinks: list[Sink], targets: frozenset[str]) -> None:
        self._open = {key: waiting for key, waiting in self._open.items() if waiting.notice.event.target in targets}
        old, self._channels = self._channels, {}
        for sink in sinks:
            channel = old.pop(sink.name, None)
            if channel is None or channel.sink.config != sink.config:
                channel = self._renew(channel, sink)
            channel.sink.keep_only(targets)
            self._channels[sink.name] = channel
        for channel in old.values():
            self._stop(channel)

    def _renew(self, channel: Channel | None, sink: Sink) -> Channel:
        """A channel for a sink that is new or has changed, which knows the open incidents."""
        if channel is None:
            channel = Channel(sink)
            if self._tasks is not None:
                self._tasks.start_soon(self._save_begin, sink.name)
        else:
            self._stop(channel)
            channel.sink = sink
            channel.is_failing = False
        for waiting in self._open.values():
            if channel.wants(waiting.notice.event):
                sink.note(waiting.notice, is_old=True)
        self._start(channel)
        return channel

    def _start(self, channel: Channel) -> None:
        if self._tasks is not None:
            scope = self._workers[channel.sink.name] = anyio.CancelScope()
            self._tasks.start_soon(self._work, channel, scope)

    def _stop(self, channel: Channel) -> None:
        if scope := self._workers.pop(channel.sink.name, None):
            scope.cancel()

    async def _work(self, channel: Channel, scope: anyio.CancelScope) -> None:
        """Tells one sink what waits for it, and refreshes it when that is due, until the scope is cancelled."""
        with scope:
            sink = channel.sink
            resend = math.inf if sink.resend is None else sink.resend
            due = anyio.current_time() + resend
            wait, tries = FIRST_WAIT, 0
            while True:
                with anyio.CancelScope(deadline=due):
                    await channel.wait()
                waiting = channel.first if len(channel) and anyio.current_time() < due else None
                tries += 1
                error = await self._attempt(sink, waiting)
                if error is None:
                    self._works(channel)
                elif error.retry and tries != sink.attempts:
                    self._fails(channel, error)
                    await self._sleep(wait)
                    wait = min(2 * wait, LONGEST_WAIT)
                    continue
                elif waiting is None:
                    self._fails(channel, error)
                else:
                    self._refuses(channel, waiting.notice.event, error)
                wait, tries = FIRST_WAIT, 0
                if waiting is None:
                    due = anyio.current_time() + resend
                else:
                    await self._done(channel, waiting)

    async def _try_once_more(self, channel: Channel) -> None:
        while len(channel):
            waiting = channel.first
            if await self._attempt(channel.sink, waiting) is not None:
                return
            await self._done(channel, waiting)

    async def _attempt(self, sink: Sink, waiting: Waiting | None) -> SinkError | None:
        """Tell a sink a notice, or refresh it. Returns what kept it from being taken."""
        try:
            await (sink.refresh() if waiting is None else sink.send(waiting.notice))
        except SinkError as error:
            return error
        except Exception as error:  # noqa: BLE001  # said, and the next event may do
            return SinkError(describe_mistake(error), retry=False)
        return None

    # What is said and noted

    def _works(self, channel: Channel) -> None:
        if channel.is_failing or channel.lost:
            lost = f", but {channel.lost:,} events were dropped meanwhile" if channel.lost else ""
            self._say(NOTICE, f"sink {channel.sink.name} works again{lost}")
            channel.is_failing, channel.lost = False, 0

    def _fails(self, channel: Channel, error: SinkError) -> None:
        if not channel.is_failing:
            self._say(WARNING, f"sink {channel.sink.name} fails: {error}; what it is to be told waits")
            channel.is_failing = True

    def _refuses(self, channel: Channel, event: Event, error: SinkError) -> None:
        what = f"that incident {event.incident} of {event.target} was {event.action.value}"
        self._say(WARNING, f"sink {channel.sink.name} was not told {what}: {error}")

    async def _done(self, channel: Channel, waiting: Waiting) -> None:
        channel.done(waiting)
        number = waiting.notice.event.number
        delivered = self._delivered.get(waiting.folder)
        if number and delivered is not None:
            # Also at the end: what was told is to be noted, or it is told again after the next start.
            with anyio.move_on_after(LAST_ATTEMPT, shield=True):
                await self._save(partial(delivered.advance, channel.sink.name, number))

    async def _save_begin(self, name: str) -> None:
        """Note where a new sink begins: after a restart it is told what came since."""
        newest = dict(self._newest)

        def write() -> None:
            for folder, delivered in list(self._delivered.items()):
                delivered.advance(name, newest.get(folder, 0))

        await self._save(write)

    async def _save(self, write: Callable[[], None]) -> None:
        problem = ""
        try:
            await run_aside("delivered", write)
        except Exception as error:  # noqa: BLE001  # said, and sinks are told all the same
            problem = f"{describe_mistake(error)}: sinks may be told twice after a restart"
        if problem and problem != self._problem:
            self._say(WARNING, problem)
        self._problem = problem


def _still_matter(events: Sequence[Event], delivered: int) -> list[Event]:
    """Of a journal's events those to be told, and of each incident that was open before the worst and the last.

    Args:
        events: All of them, oldest first.
        delivered: The number up to which every sink was told.
    """
    worst: dict[IncidentKey, Event] = {}
    last: dict[IncidentKey, Event] = {}
    for event in events:
        key = incident_key(event)
        if event.number > delivered or event.action is Action.SUSPECTED:
            continue
        if event.action is Action.RESOLVED:
            worst.pop(key, None)
            last.pop(key, None)
        else:
            last[key] = event
            if key not in worst or event.leak.severity.rank > worst[key].leak.severity.rank:
                worst[key] = event
    old = {id(event): event for event in (*worst.values(), *last.values())}
    return [event for event in events if event.number > delivered or id(event) in old]
