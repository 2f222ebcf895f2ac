"""What waits to be told to one sink: a bounded queue, oldest first."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import anyio

from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.base import IncidentKey, incident_key

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.alerts.incidents import Event
    from pprofwatch.alerts.sinks.base import Notice, Sink

#: Events that wait at the most.
LONGEST_QUEUE = 1000


class Waiting(NamedTuple):
    """A notice that waits, and the folder of its target."""

    notice: Notice
    folder: Path


class Channel:
    """The queue of one sink. Which events are for it is told here, too."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        #: Whether it was said that the sink fails.
        self.is_failing = False
        #: Events that there was no room for, since that was last said.
        self.lost = 0
        self._queue: deque[Waiting] = deque()
        self._news = anyio.Event()
        self._told: set[IncidentKey] = set()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def first(self) -> Waiting:
        """What waits longest, where anything waits."""
        return self._queue[0]

    def wants(self, event: Event) -> bool:
        """Whether an event is for this sink, which may follow those of before: call it once for each.

        An incident that was told once is told to its end, however little is left of it.
        """
        if event.action is Action.SUSPECTED:
            return False
        is_bad_enough = event.leak.severity.rank >= self.sink.config.min_severity.rank
        key = incident_key(event)
        was_told = key in self._told
        if event.action is Action.RESOLVED:
            self._told.discard(key)
        elif is_bad_enough:
            self._told.add(key)
        return is_bad_enough or was_told

    def put(self, waiting: Waiting) -> None:
        """Lets a notice wait, in place of the oldest if there is no room."""
        if len(self._queue) >= LONGEST_QUEUE:
            self._queue.popleft()
            self.lost += 1
        self._queue.append(waiting)
        self._news.set()

    def done(self, waiting: Waiting) -> None:
        """A notice waits no more. It may have lost its place meanwhile."""
        if self._queue and self._queue[0] is waiting:
            self._queue.popleft()

    async def wait(self) -> None:
        """Waits until a notice does."""
        while not self._queue:
            self._news = anyio.Event()
            await self._news.wait()
