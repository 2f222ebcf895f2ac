"""A copy of this process that makes things, which are taken here in the order in which they are made.

``multiprocessing`` does this too, and takes as long to load and start as reading a tenth of a gigabyte does.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: What can be sent before anybody takes it, in bytes, where the system lets it be told.
_PIPE_SIZE = 1 << 20


class Forked:
    """A process, which runs until all is made and taken, or until it is closed."""

    def __init__(self, make: Callable[[], Iterable[Any]], others: Sequence[Forked]) -> None:
        """Start it.

        Args:
            make: Makes, in that process, what is to be sent. It is pickled.
            others: All that were started before, and are not closed.

        Raises:
            OSError: There can be no more processes, or pipes.
        """
        reading, writing = os.pipe()
        self._received = os.fdopen(reading, "rb")
        try:
            self._process = os.fork()
        except OSError:
            self._received.close()
            os.close(writing)
            raise
        if self._process == 0:
            # Were they left open, nothing would tell a process that nobody takes what it sends.
            for each in (self, *others):
                each._received.close()
            _work(make, writing)
        os.close(writing)

    def take(self) -> Any:  # whatever is made
        """The next thing that was made.

        Raises:
            EOFError: The process has ended.
        """
        try:
            return pickle.load(self._received)  # it comes from a copy of this process
        except pickle.UnpicklingError as error:  # it has ended while it was sending
            raise EOFError(str(error)) from error

    def close(self) -> None:
        """End the process, if it hasn't ended."""
        self._received.close()
        # Where the system was told to forget at once who has ended, it may be gone.
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)


def _work(make: Callable[[], Iterable[Any]], writing: int) -> NoReturn:
    """What the process does. It never returns to what the one that it is a copy of was about to do."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        with contextlib.suppress(AttributeError, ImportError, OSError):  # a small pipe will do, if slower
            import fcntl  # noqa: PLC0415  # not every system has it

            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        with os.fdopen(writing, "wb") as sent:
            for made in make():
                pickle.dump(made, sent, pickle.HIGHEST_PROTOCOL)
                sent.flush()
        status = 0
    except BaseException:  # noqa: BLE001  # nobody else would tell it
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
