"""Decompressing the next stretch of a log in a thread, while the one before it is being looked at."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from pprofwatch.logs.sources import decoded

if TYPE_CHECKING:
    from pprofwatch.logs.sources import RawFile, Report

#: Decompressed at a time, in bytes: enough to make little of what it costs to pass it from thread to thread.
_STRETCH = 512 << 10


class ReadAhead:
    """A compressed file's text, of which the next stretch is always ready or on its way. Close it after use.

    Its file may be read by nobody else meanwhile.
    """

    def __init__(self, raw: RawFile, path: str, report: Report) -> None:
        """Begin to read; the arguments are those of ``decoded``."""
        self._problems: list[tuple[int, int, str]] = []
        self._source = decoded(raw, path, lambda *problem: self._problems.append(problem))
        self._report = report
        self._rest = b""
        self._thread = ThreadPoolExecutor(1)
        #: None at the end.
        self._next: Future[tuple[bytes, list[tuple[int, int, str]]]] | None = self._thread.submit(self._read)

    def read(self, count: int) -> bytes:
        """Some of the next bytes, at most ``count``; none at the end."""
        if not self._rest and self._next is not None:
            self._rest, problems = self._next.result()
            for problem in problems:
                self._report(*problem)
            self._next = self._thread.submit(self._read) if self._rest else None
        data, self._rest = self._rest[:count], self._rest[count:]
        return data

    def _read(self) -> tuple[bytes, list[tuple[int, int, str]]]:
        """The next stretch, and what is wrong with it. Done in the thread."""
        data = self._source.read(_STRETCH)
        problems = self._problems.copy()
        self._problems.clear()
        return data, problems

    def close(self) -> None:
        """Wait until the file is no longer read."""
        self._thread.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
