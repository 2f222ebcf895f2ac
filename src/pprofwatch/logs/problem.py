"""What could not be read of a log, and where."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """A part of a log that could not be read; everything around it still is.

    ``offset`` and ``length`` are in bytes: of the log's text where entries are damaged, of the compressed file where
    its compression is (the reason says so). A file that can't be opened has length 0.
    """

    path: str
    offset: int
    length: int
    reason: str

    def __str__(self) -> str:
        if not self.length:
            return f"{self.path}: {self.reason}"
        return f"{self.path}: {self.reason}: {self.length} bytes skipped at byte {self.offset}"
