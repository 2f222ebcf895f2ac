"""Keeps the log folder small: closed segments are compressed one at a time, and the oldest files removed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import anyio

from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.errors import LogError
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.retention import apply_retention

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pprofwatch.collect.log_trouble import LogTrouble
    from pprofwatch.config.settings import LogConfig

#: Seconds between two looks at what is too old or too much, where no segment was closed meanwhile; and from a failure
#: to compress a segment to the next attempt.
_INTERVAL = 600.0
#: Segments compressed between two looks at what is too much.
_AT_ONCE = 10
#: Compressing is in no hurry, and polls are: the thread's niceness.
_NICENESS = 10


class Janitor:
    """Compresses and removes until it is cancelled. What it is doing then is left; the next start finishes it.

    Args:
        config: What to keep; may be replaced while it runs.
        wall: Unix seconds.
        trouble: Is told of what fails.
    """

    def __init__(self, config: LogConfig, wall: Callable[[], float], trouble: LogTrouble) -> None:
        self.config = config
        self._wall = wall
        self._trouble = trouble
        self._waiting: deque[Path] = deque()
        self._news = anyio.Event()

    def closed(self, path: Path) -> None:
        """A closed segment waits for compression."""
        self._waiting.append(path)
        self._news.set()

    async def run(self) -> None:
        """Works as segments are closed, and now and then anyway."""
        while True:
            self._news = anyio.Event()
            failed = []
            while self._waiting:
                for _ in range(min(_AT_ONCE, len(self._waiting))):
                    path = self._waiting.popleft()
                    if not await self._do(f"compress {path}", partial(_compress, path)):
                        failed.append(path)
                await self._do("remove old logs", self._remove_old)
            self._waiting.extend(failed)
            await self._do("remove old logs", self._remove_old)
            with anyio.move_on_after(_INTERVAL):
                await self._news.wait()

    async def _do(self, what: str, function: Callable[[], None]) -> bool:
        """Does it in a thread; False if it failed."""
        try:
            await run_aside(what, partial(_run_nicely, function))
        except LogError as error:
            self._trouble.failed(what, error)
            return False
        except Exception as error:  # noqa: BLE001  # polls go on
            self._trouble.failed(what, LogError(f"{what}: {describe_mistake(error)}"))
            return False
        self._trouble.succeeded(what)
        return True

    def _remove_old(self) -> None:
        errors: list[LogError] = []
        apply_retention(
            self.config.folder,
            now=self._wall(),
            keep_size=self.config.keep_size,
            keep_age=self.config.keep_age,
            rotate_age=self.config.rotate_age,
            on_error=errors.append,
        )
        for error in errors[:1]:  # the others are of the same kind, or will be told when this one is mended
            raise error


def _run_nicely(function: Callable[[], None]) -> None:
    with contextlib.suppress(PermissionError):  # a service may be forbidden even that
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    function()


def _compress(path: Path) -> None:
    if path.exists():  # it may have been removed while it waited
        compress_segment(path)
