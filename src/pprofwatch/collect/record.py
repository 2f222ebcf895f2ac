"""The log of one profile of one target: each poll is an entry in it, or counted in one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pprofwatch.collect.health import NOTICE
from pprofwatch.errors import LogError
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pprofwatch.collect.parts import Shared
    from pprofwatch.config.settings import LogConfig
    from pprofwatch.logs.target_folder import TargetFolder
    from pprofwatch.model import ProfileRequest

_NOT_LOGGED = "could not be written to the log"


class Record:
    """Writes the entries of one profile, and before them the gaps: polls that were skipped, by the reason why.

    Args:
        target: The target's name.
        request: What is polled.
        folder: The target's folder.
        config: When segments are closed.
        shared: What is told of closed segments and of trouble.
    """

    def __init__(
        self, target: str, request: ProfileRequest, folder: TargetFolder, config: LogConfig, shared: Shared
    ) -> None:
        self._target = target
        self._request = request
        self._folder = folder
        self._config = config
        self._shared = shared
        self._skipped: Counter[str] = Counter()
        self._writer: LogWriter | None = None
        #: Bytes that were logged, but not told of yet.
        self._written = 0
        self._rotate_size = config.rotate_size
        self.path = folder.live_path(request.log_name)

    def open(self) -> None:
        """Opens the log, and cuts off a torn entry at its end. May block.

        Raises:
            LogError: It can't be opened.
        """
        self._writer = LogWriter(
            self._folder,
            self._request.log_name,
            rotate_size=self._rotate_size,
            rotate_age=self._config.rotate_age,
        )

    def rotate_at(self, size: int) -> None:
        """Closes segments from so many bytes on."""
        self._rotate_size = size
        if self._writer is not None:
            self._writer.rotate_size = size

    def skip(self, reason: str, polls: int = 1) -> None:
        """Counts polls that are not made; the next entry is preceded by one that tells of them."""
        if polls:
            self._skipped[reason] += polls

    def append(self, entry: Entry) -> None:
        """Logs an entry, after what was skipped up to it. A poll that can't be logged counts as skipped.

        Raises:
            LogError: It can't be logged.
        """
        try:
            if self._writer is None:
                self.open()
            assert self._writer is not None
            self._append_gaps(self._writer, entry.time)
            self._written += self._writer.append(entry)
        except LogError:
            self.skip(_NOT_LOGGED, entry.gap or 1)
            raise

    def rotate_when_due(self, now: float) -> None:
        """Closes the segment where it is large or old enough at ``now`` (Unix seconds), and has it compressed.

        Raises:
            LogError: It can't be renamed.
        """
        if self._writer is None:
            return
        self._shared.wrote(self._written)
        self._written = 0
        if self._writer.due(now) and (closed := self._writer.rotate()):
            self._writer.closed.append(closed)
        while self._writer.closed:
            self._shared.closed(self._writer.closed.pop())

    def say_notices(self) -> None:
        """Tells what was found amiss when the log was opened."""
        while self._writer is not None and self._writer.notices:
            self._shared.say(NOTICE, self._writer.notices.pop(0))

    def sync(self) -> None:
        """Makes durable what was logged. Blocks.

        Raises:
            LogError: It failed.
        """
        if self._writer is not None:
            self._writer.sync()

    def flush(self, now: float) -> None:
        """Logs what was skipped up to ``now`` (Unix seconds).

        Raises:
            LogError: It can't be logged.
        """
        if self._writer is not None:
            self._append_gaps(self._writer, now)

    def close(self) -> None:
        """Closes the log, without waiting for the disk. Closing twice is fine."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _append_gaps(self, writer: LogWriter, time: float) -> None:
        for reason, polls in list(self._skipped.items()):
            seconds = self._request.seconds
            entry = Entry(time, self._target, self._request.name, seconds=seconds, gap=polls, error=reason)
            self._written += writer.append(entry)
            del self._skipped[reason]


def sync_records(records: Iterable[Record]) -> list[tuple[Record, LogError]]:
    """Makes durable what was logged, one record after the other. Returns those for which that failed. Blocks."""
    failed = []
    for record in records:
        try:
            record.sync()
        except LogError as error:
            failed.append((record, error))
    return failed
