"""Keeps the log folder small: closed segments are compressed one at a time, and meanwhile the oldest files removed."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import anyio

from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.config.kinds import format_size
from pprofwatch.errors import LogError
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.retention import apply_retention, is_short

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from pprofwatch.collect.log_trouble import LogTrouble
    from pprofwatch.collect.parts import Clock
    from pprofwatch.config.settings import LogConfig, TargetConfig

#: Seconds between two looks at what is too old, where nothing else asks for one.
_INTERVAL = 600.0
#: Seconds from a failure to compress a segment to the next attempt.
_AGAIN = 30.0
#: Seconds between two looks at what other programs have left of the disk; more, where it takes a while to go through
#: the files, so that this takes no more than a small part of the time.
_LOOK = 1.0
_SMALL_PART = 1 / 20
#: For so many seconds after the start nothing is removed for its age: a machine that was just started may have a clock
#: that is years ahead, until it has asked others for the time.
_SETTLING = 3600.0
#: So small a part of ``keep_size``, and of ``keep_free``, is made room for in advance, for what is written until the
#: next time.
_ROOM = 16
#: Bytes that a file may take of the disk beyond its length.
_BLOCK = 4096
#: Compressing is in no hurry, and polls are: the thread's niceness.
_NICENESS = 10


def segment_size(config: LogConfig, targets: Iterable[TargetConfig]) -> int:
    """From how many bytes on a live segment is due to be closed.

    Live segments are never removed, so all of them together must leave room within ``keep_size``: they get half.
    """
    logs = sum(len(target.requests) + len(target.implied) for target in targets)
    return min(config.rotate_size, config.keep_size // 2 // max(1, logs))


class Janitor:
    """Compresses and removes until it is cancelled. What it is doing then is left; the next start finishes it.

    Args:
        config: What to keep; may be replaced while it runs.
        clock: The clocks.
        trouble: Is told of what fails.
        live: Tells the live segments that are written to.
    """

    def __init__(
        self, config: LogConfig, clock: Clock, trouble: LogTrouble, live: Callable[[], Collection[Path]]
    ) -> None:
        self.config = config
        self._clock = clock
        self._trouble = trouble
        self._live = live
        self._waiting: deque[Path] = deque()
        self._failed: list[Path] = []
        self._news, self._more = anyio.Event(), anyio.Event()
        #: Bytes that may be written before something has to be removed.
        self._room = 0
        #: When to look at all files, and when at the disk, on the monotonic clock.
        self._remove_at = self._look_at = -math.inf
        #: Whether the disk had too little room when it was last looked at.
        self._is_short = False
        #: The time that ages are reckoned from, and when that was, on the monotonic clock.
        self._now, self._now_at = clock.wall(), clock.monotonic()
        self._settled_at = self._now_at + _SETTLING

    def closed(self, path: Path) -> None:
        """A closed segment waits for compression."""
        self._waiting.append(path)
        self._more.set()
        self.wrote(_BLOCK)

    def wrote(self, size: int) -> None:
        """So many bytes more are in the folder."""
        self._room -= size
        if self._room < 0:
            self._news.set()

    async def run(self) -> None:
        """Works as segments are closed and the folder grows, and now and then anyway."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._compress_waiting)
            while True:
                self._news = anyio.Event()
                if await self._must_look():
                    await self._remove_old()
                else:
                    with anyio.move_on_after(_LOOK):
                        await self._news.wait()

    async def _compress_waiting(self) -> None:
        """Beside removing, which can't wait until a large segment is compressed on a busy machine."""
        while True:
            self._more = anyio.Event()
            if self._waiting:
                await self._compress(self._waiting.popleft())
            else:
                await self._more.wait()

    async def _must_look(self) -> bool:
        now = self._clock.monotonic()
        if self._room < 0 or now >= self._remove_at:
            return True
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK
        was_short = self._is_short
        look = partial(is_short, self.config.folder, self.config.keep_free)
        self._is_short = bool(await self._do("look at the disk", look))
        return was_short or self._is_short

    async def _compress(self, path: Path) -> None:
        saved = await self._do(f"compress {path}", partial(_compress, path))
        if saved is None:
            self._failed.append(path)
            self._remove_at = min(self._remove_at, self._clock.monotonic() + _AGAIN)
        else:
            self._room += saved

    async def _remove_old(self) -> None:
        self._remove_at = self._clock.monotonic() + _INTERVAL
        self._waiting.extend(self._failed)
        self._failed.clear()
        self._more.set()
        began = self._clock.monotonic()
        room = await self._do("remove old logs", partial(_remove_old, self.config, self._age_now(), self._live()))
        self._room = max(room or 0, min(self.config.keep_size, self.config.keep_free) // _ROOM)
        now = self._clock.monotonic()
        self._look_at = now + max(_LOOK, (now - began) / _SMALL_PART)

    def _age_now(self) -> float:
        """The wall clock's time, in Unix seconds. Where that was set forth it is followed at twice the pace of time.

        For a clock that is a year ahead for a moment would make all logs old at once. Until it has settled none is.
        """
        monotonic = self._clock.monotonic()
        if monotonic < self._settled_at:
            self._now, self._now_at = self._clock.wall(), monotonic
            return -math.inf
        self._now = min(self._clock.wall(), self._now + 2 * (monotonic - self._now_at))
        self._now_at = monotonic
        return self._now

    async def _do(self, what: str, function: Callable[[], int]) -> int | None:
        """Does it in a thread, and returns what that returns; None if it failed."""
        try:
            result = await run_aside(what, function)
        except LogError as error:
            self._trouble.failed(what, error)
            return None
        except Exception as error:  # noqa: BLE001  # polls go on
            self._trouble.failed(what, LogError(f"{what}: {describe_mistake(error)}"))
            return None
        self._trouble.succeeded(what)
        return result


def _compress(path: Path) -> int:
    """Returns the bytes that it saved on the disk."""
    with contextlib.suppress(PermissionError):  # a service may be forbidden even that
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    try:
        blocks = path.stat().st_blocks
        return (blocks - compress_segment(path).stat().st_blocks) * 512
    except (FileNotFoundError, LogError):
        if path.exists():
            raise
        return 0  # it was removed while it waited, or as it was begun


def _remove_old(config: LogConfig, now: float, live: Collection[Path]) -> int:
    """Returns the bytes that may be written until more has to go.

    Raises:
        LogError: Something can't be removed, or what can be is not enough.
    """
    errors: list[LogError] = []
    outcome = apply_retention(
        config.folder,
        live=live,
        now=now,
        keep_size=config.keep_size - config.keep_size // _ROOM,
        keep_free=config.keep_free + config.keep_free // _ROOM,
        keep_age=config.keep_age,
        rotate_age=config.rotate_age,
        on_error=errors.append,
    )
    if outcome.free < config.keep_free and not outcome.left:
        free, wanted = _show_size(outcome.free), format_size(config.keep_free)
        text = f"the disk has {free} free, not the {wanted} of keep_free, and no old log is left to remove"
        errors.append(LogError(f"{config.folder}: {text}"))
    if outcome.taken > config.keep_size and not outcome.left:
        text = f"what is being written takes {_show_size(outcome.taken)} alone, more than keep_size"
        errors.append(LogError(f"{config.folder}: {text}"))
    for error in errors[:1]:  # the others are of the same kind, or will be told when this one is mended
        raise error
    return min(config.keep_size - outcome.taken, outcome.free - config.keep_free)


def _show_size(size: int) -> str:
    return f"{size / (1 << 20):.0f}MiB" if size >= 10 << 20 else f"{size / 1024:.0f}KiB"
