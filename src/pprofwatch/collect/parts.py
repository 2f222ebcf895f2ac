"""What the parts of the daemon are given: clocks, the place for messages, and what all targets share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import anyio

from pprofwatch.collect.fetch import TlsContexts

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.collect.log_trouble import LogTrouble
    from pprofwatch.config.settings import TargetConfig
    from pprofwatch.logs.folder import LogFolder
    from pprofwatch.model import Entry, Stack
    from pprofwatch.profiles.dump import Dump

#: Says a message of one or more lines to the user: its priority (syslog's: 3 error, 4 warning, 5 notice, 6 info) first.
Say = Callable[[int, str], None]


class Bell:
    """Wakes a task that waits for it; rung while nobody waits, it wakes who waits next."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Wakes who waits, or the next one to."""
        self._rung.set()

    async def wait(self) -> None:
        """Waits until it has been rung since this last returned."""
        await self._rung.wait()
        self._rung = anyio.Event()


class Watch(Protocol):
    """What looks at a target's entries: the leak detector, and whoever it alerts.

    Calls for one target never overlap; those for different targets may, each in a thread of its own.
    """

    def replay(self) -> None:
        """Takes up what the target's log tells of before the start. Called once, before its first poll; may block."""

    def observe(self, entry: Entry) -> None:
        """Looks at an entry that has just come, logged or not. Quick: on the event loop, but for very large bodies."""

    @property
    def total(self) -> int:
        """Goroutines in the last poll."""

    @property
    def wants_evidence(self) -> bool:
        """Whether it suspects a leak of which the target should be asked more."""

    @property
    def wants_second_dump(self) -> bool:
        """Whether what the target was asked about is still suspected, so that another dump would tell more of it."""

    def begin_evidence(self) -> None:
        """Takes note that the target is being asked now for what ``wants_evidence`` wanted."""

    def take_reasons(self, time: float, reasons: Mapping[Stack, str]) -> None:
        """Takes why the goroutines of each stack waited at ``time`` (Unix seconds)."""

    def take_dump(self, time: float, dump: Dump) -> None:
        """Takes all goroutines as they were at ``time`` (Unix seconds)."""

    @property
    def has_news(self) -> bool:
        """Whether there is something to ``note``."""

    def note(self) -> None:
        """Notes down on the disk what there is to tell, and has it told. Blocks: called in a thread."""


MakeWatch = Callable[["TargetConfig", "Path"], Watch]


@dataclass(frozen=True, slots=True)
class Clock:
    """The clocks. ``wall`` gives Unix seconds; ``monotonic`` seconds since whenever, which should include suspends."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


@dataclass
class Pulse:
    """What shows that the daemon is alive: polls that were logged or tried to be, and rounds of syncing."""

    polls: int = 0
    last_poll: float = 0.0
    syncs: int = 0
    news: anyio.Event = field(default_factory=anyio.Event)

    def polled(self, time: float) -> None:
        """A poll is over, whatever became of it; ``time`` is its entry's."""
        self.polls += 1
        self.last_poll = time
        self.news.set()


@dataclass(frozen=True, slots=True)
class Shared:
    """What all targets of a daemon share.

    ``decoding`` and ``large`` limit how many compressed profiles are decoded, and how many bodies of megabytes are in
    memory at once: what targets send is bounded together, not only each for itself. ``closed`` takes segments that wait
    for compression, and ``wrote`` how many bytes more are in the log folder.
    """

    clock: Clock
    say: Say
    folder: LogFolder
    make_watch: MakeWatch
    closed: Callable[[Path], None]
    wrote: Callable[[int], None]
    trouble: LogTrouble
    pulse: Pulse = field(default_factory=Pulse)
    contexts: TlsContexts = field(default_factory=TlsContexts)
    starting: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(2))
    decoding: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
    large: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))
