"""How far each sink has come with a target's events, on disk: what was not delivered is after a restart."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import msgspec

from pprofwatch.alerts.journal import JOURNAL
from pprofwatch.errors import LogError
from pprofwatch.logs.files import FOLDER_MODE, log_error, open_regular, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: In a target's folder, beside the journal: an object with the last event's number by the sink's name.
DELIVERED = JOURNAL.replace("incidents.log", "delivered.json")
_MOST_BYTES = 64 << 10


class Delivered:
    """The last event that each sink was told of one target. Used from any thread; writing blocks."""

    def __init__(self, folder: Path) -> None:
        """``folder``: the target's folder; the file need not exist."""
        self._path = folder / DELIVERED
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}

    def begin(self, sinks: Iterable[str], last: int) -> dict[str, int]:
        """Take up what the file says.

        A sink that it does not know begins after ``last``, the newest event's number: it is not told the past.
        Those that there are no more are forgotten.

        Returns:
            Each sink's last number.

        Raises:
            LogError: The file can't be read or written: nothing is taken up then.
        """
        with self._lock:
            self._numbers = dict.fromkeys(sinks, last)
            known = self._read()
            # A journal that was removed begins anew: its numbers are lower than those that were told of the old one.
            self._numbers = {sink: min(known.get(sink, last), last) for sink in self._numbers}
            if self._numbers != known:
                self._write()
            return dict(self._numbers)

    def advance(self, sink: str, number: int) -> None:
        """Note that a sink needs no event up to ``number`` any more.

        Raises:
            LogError: It can't be written.
        """
        with self._lock:
            if number > self._numbers.get(sink, -1):
                self._numbers[sink] = number
                self._write()

    def is_damaged(self) -> bool:
        """Whether the file does not say what it should.

        Raises:
            LogError: It can't be read.
        """
        try:
            _parse(self._content())
        except ValueError:
            return True
        return False

    def _read(self) -> dict[str, int]:
        try:
            return _parse(self._content())
        except ValueError as error:
            raise LogError(f"{self._path}: expected an object of numbers by the names of sinks") from error

    def _content(self) -> bytes:
        try:
            descriptor = open_regular(self._path, os.O_RDONLY)
            with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor, not a path
                return file.read(_MOST_BYTES)
        except FileNotFoundError:
            return b"{}"
        except OSError as error:
            raise log_error(self._path, "read", error) from error

    def _write(self) -> None:
        """Replace the file as a whole: after a power failure it is the old one or the new one."""
        folder = self._path.parent
        temporary = folder / f"{self._path.name}.tmp"
        try:
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
                file.write(msgspec.json.encode(self._numbers) + b"\n")
                file.flush()
                os.fsync(descriptor)
            temporary.replace(self._path)
            sync_folder(folder)
        except OSError as error:
            raise log_error(self._path, "write", error) from error


def _parse(content: bytes) -> dict[str, int]:
    """What the file says.

    Raises:
        ValueError: It does not say what it should: msgspec's own error, or that of a name that is no UTF-8.
    """
    return msgspec.json.decode(content, type=dict[str, int])
