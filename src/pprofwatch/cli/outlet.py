"""Writes to a stream that may take nothing for long, without waiting: a pipe that nobody reads, a terminal on hold."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes that wait to be written; what comes then is counted instead.
_MOST_WAITING = 1 << 20
#: Seconds that the end waits for what is still to be written.
_LAST_WAIT = 1.0


class Outlet:
    """Writes texts in the order in which they come, from a thread of its own.

    Args:
        descriptor: What to write to. It stays open, and as it is: others may have it too.
        describe_lost: The text that stands, as soon as there is room, in place of so many that were not written.
    """

    def __init__(self, descriptor: int, describe_lost: Callable[[int], bytes]) -> None:
        self._descriptor = descriptor
        self._describe_lost = describe_lost
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._is_closing = False
        self._changed = threading.Condition()
        # Not through the stream: who hangs in there would keep the interpreter from ending.
        self._thread = threading.Thread(target=self._write_all, name="stderr", daemon=True)
        self._thread.start()

    def write(self, text: bytes) -> None:
        """Has a text written as soon as it is taken; never waits."""
        with self._changed:
            # Once one is lost, so are those that follow, until all before is written: so it is told where they miss.
            if self._lost or self._size + len(text) > _MOST_WAITING:
                self._lost += 1
                return
            self._waiting.append(text)
            self._size += len(text)
            self._changed.notify()

    def close(self) -> None:
        """Waits for what is still to be written, shortly."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(_LAST_WAIT)

    def _write_all(self) -> None:
        while text := self._next():
            # A full disk or a closed pipe stops nobody from working.
            with contextlib.suppress(OSError):
                _write(self._descriptor, text)
            with self._changed:
                self._size -= len(text)

    def _next(self) -> bytes:
        """What to write next, waited for; nothing at the end."""
        with self._changed:
            while not self._waiting:
                if self._lost:
                    text = self._describe_lost(self._lost)
                    self._lost = 0
                    self._size += len(text)
                    return text
                if self._is_closing:
                    return b""
                self._changed.wait()
            return self._waiting.popleft()


def _write(descriptor: int, data: bytes) -> None:
    """Writes all of it, however long that takes.

    Raises:
        OSError: It can't be written.
    """
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # another process has set it so
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
