"""Runs what may block for long (a resolver, a file on a disk that does not answer) without holding up anyone else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Seconds until a thread is started that could not be: as many as are allowed may hang, in a resolver that does not
#: answer, say.
_AGAIN = 0.2


async def run_aside(name: str, function: Callable[[], T]) -> T:
    """Runs a blocking function in a daemon thread of its own and returns what it returns.

    Who is cancelled leaves the thread behind; it does not keep the program from ending, as those of a pool would.

    Raises:
        Exception: As the function does.
    """
    return await asyncio.shield(_start(name, function))


class Aside(Generic[T]):
    """A blocking function in a thread of its own, once at a time: who asks while it runs gets that run's result."""

    def __init__(self, name: str, function: Callable[[], T]) -> None:
        self._name = name
        self._function = function
        self._running: asyncio.Future[T] | None = None

    async def run(self) -> T:
        """As ``run_aside``, but who was cancelled and asks again never gets a second thread beside the first."""
        if self._running is None or self._running.done():
            self._running = _start(self._name, self._function)
        return await asyncio.shield(self._running)


def _start(name: str, function: Callable[[], T]) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    # Nobody may be left to ask for an error; asyncio would complain of that.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    _start_thread(name, loop, future, function)
    return future


def _start_thread(
    name: str, loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], function: Callable[[], T]
) -> None:
    try:
        threading.Thread(target=_work, args=(loop, future, function), name=name, daemon=True).start()
    except RuntimeError:  # no more threads are allowed
        loop.call_later(_AGAIN, _start_thread, name, loop, future, function)


def _work(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], function: Callable[[], T]) -> None:
    settle: Callable[[], None]
    try:
        settle = partial(future.set_result, function())
    except Exception as error:  # noqa: BLE001  # raised where it is awaited
        settle = partial(future.set_exception, error)
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(settle)
    # An error's traceback holds this frame. If that in turn held the error, what the function was given, which may be
    # many megabytes, would stay in memory until the garbage collector comes by.
    del settle, future, function
