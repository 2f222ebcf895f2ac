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

    def work() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(future.set_result, function())
        except Exception as error:  # noqa: BLE001  # raised where it is awaited
            settle = partial(future.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=work, name=name, daemon=True).start()
    return future
