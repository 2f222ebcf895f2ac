"""A stretch of a log in memory, which moves on as the log is read: memory stays bounded, however long the log is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.logs.sources import RawFile

if TYPE_CHECKING:
    from pprofwatch.logs.sources import Source

#: Read at a time when reading on.
_CHUNK = 256 << 10
#: Read at a time after a jump: the header and the first line of an entry whose rest may not matter.
_SMALL_CHUNK = 4 << 10
#: Enough for a header and the first line behind it, mostly.
_GLIMPSE = 512
#: Larger than what is held in memory mostly is, in bytes.
_LARGE = 4 << 20
#: A gap worth jumping over, rather than reading on; in bytes.
_JUMP = 32 << 10


class Window:
    """Access to a source's bytes by their offset, mostly forward.

    A file can be read anywhere. Of other sources, what lies before ``keep`` is forgotten. ``data`` begins at the
    offset ``base``; ``at_end`` says that nothing comes after it.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = source if isinstance(source, RawFile) and source.seekable else None
        #: Pieces before ``data``, each with its offset. They are joined to it only where they are asked for once more.
        self._passed: list[tuple[int, bytes]] = []
        self.data = b""
        self.base = 0
        self.keep = 0
        self.at_end = False
        _keep_freed_memory()

    @property
    def end(self) -> int:
        """The offset after the last byte in memory."""
        return self.base + len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        """The ``count`` bytes at ``offset``; fewer where the log ends before."""
        start = offset - self.base
        if start < 0 or start + count > len(self.data):
            self._load(offset, count)
            start = offset - self.base
        return self.data[start : start + count]

    def glimpse(self, offset: int) -> bytes:
        """The 512 bytes at ``offset``, or what the log has of them. Quick, for looking here and there in a file."""
        if self._file is None:
            return self.read(offset, _GLIMPSE)
        self.data = data = self._file.read_at(offset, _GLIMPSE)
        self.base = offset
        self.at_end = False
        self._file.position = offset + len(data)
        return data

    def piece(self, offset: int, count: int) -> bytes:
        """What ``read`` returns; of a file, no more than that is read, and nothing of it is kept."""
        return self._file.read_at(offset, count) if self._file else self.read(offset, count)

    def line(self, offset: int, limit: int) -> bytes:
        """The line at ``offset`` with its newline, if it has one; at most ``limit`` bytes of it; empty at the end."""
        start = offset - self.base
        newline = self.data.find(b"\n", start, start + limit) if start >= 0 else -1
        if newline < 0:
            line = self.read(offset, limit)
            return line[: line.find(b"\n") + 1] or line
        return self.data[start : newline + 1]

    def read_on(self) -> None:
        """Take more bytes into memory, forgetting those before ``keep``; at the end of the log, set ``at_end``."""
        parts: list[bytes | memoryview] = [self._without(self.keep)]
        have = len(parts[0])
        # As much again as is kept, so that a long body is not copied over and over.
        wanted = have + max(_CHUNK, have)
        while more := self._source.read(wanted - have):
            parts.append(more)
            have += len(more)
            if len(parts[0]) < _CHUNK or have >= wanted:
                break
        self.at_end = not more
        self.data = b"".join(parts)

    def _load(self, offset: int, count: int) -> None:
        """Have ``count`` bytes from ``offset`` on in memory, or all up to the log's end."""
        if self._file and not self.base <= offset < self.end + _JUMP:
            self._file.seek(offset)
            self.data, self.base, self.at_end = self._file.read(max(_SMALL_CHUNK, count)), offset, False
            if len(self.data) >= count:
                return
        while not self._file and self.end <= offset and not self.at_end:
            self._pass_on()
        end = self.end
        if self.base <= offset and offset + count <= end:
            return
        parts: list[bytes | memoryview] = [self._without(offset if self._file else min(self.keep, offset))]
        while end < offset + count:
            more = self._source.read(max(_CHUNK, offset + count - end))
            if not more:
                self.at_end = True
                break
            parts.append(more)
            end += len(more)
        self.data = b"".join(parts)

    def _pass_on(self) -> None:
        """Have the next bytes as ``data``, and forget what lies before ``keep``."""
        more = self._source.read(_CHUNK)
        if not more:
            self.at_end = True
            return
        self._passed.append((self.base, self.data))
        self.base, self.data = self.end, more
        while self._passed and self._passed[0][0] + len(self._passed[0][1]) <= self.keep:
            del self._passed[0]

    def _without(self, offset: int) -> bytes | memoryview:
        """The bytes in memory but those before ``offset``, where ``data`` will begin from now on."""
        if self._passed and offset < self.base:
            self.base, self.data = self._passed[0][0], b"".join([*(piece for _, piece in self._passed), self.data])
        self._passed.clear()
        excess = min(offset - self.base, len(self.data))
        if excess <= 0:
            return self.data
        self.base += excess
        return memoryview(self.data)[excess:]


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed for the next piece, where it would return it to the kernel and ask for it again.

    It does so for sizes up to the largest that was ever freed. Without it, a third of the time for reading goes there.
    """
    large = bytes(_LARGE)
    del large
