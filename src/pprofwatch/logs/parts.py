"""Reading a long log in parts, several at a time: each processor takes its share, and all comes out in order.

Where a part begins is a guess: at the first header behind so many bytes, or behind the beginning of a compressed frame.
In a damaged log, or in one whose entries quote others, something else may stand there. The part before it tells: it is
read up to the first entry behind its end. Where the two don't meet, the later one is read again, from where the earlier
one has ended. So what comes out is what reading the log from its beginning to its end would bring.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.sources import RawFile, is_zstd
from pprofwatch.logs.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from pprofwatch.logs.compressed import ZstdSource
    from pprofwatch.logs.entry import Header, ScannedEntry
    from pprofwatch.logs.forked import Forked
    from pprofwatch.logs.sources import Report

T = TypeVar("T")

#: Bytes of text in a part, about.
_PART = 32 << 20
#: … and in a compressed frame, as ``compress.py`` makes them.
_FRAME = 8 << 20
#: No line that is longer is looked at for its end, to begin a part behind it; in bytes.
_LONG_LINE = 64 << 10
#: More processes than this would wait for who takes what they find.
_MOST_PROCESSES = 4
#: The parts of a longer log are longer: the numbers of all must fit into a pipe, in as many bytes each.
_MOST_PARTS = 1000
_NUMBER_BYTES = 4
#: What is sent at a time, at the most: so many entries, of so many bytes together.
_BATCH = 512
_BATCH_BYTES = 8 << 20


class Part(NamedTuple):
    """From an offset in a log's file up to another, where the next part begins (None: up to the end)."""

    start: int
    stop: int | None


class _Begin(NamedTuple):
    """Where a part's first entry begins, in bytes of text from the part's start on."""

    offset: int


class _End(NamedTuple):
    """How reading a part has ended.

    ``reached`` is where the next entry begins, in bytes of text from the part's stop on; None where the log ends before
    there is one. ``text`` is the length of the part's text.
    """

    reached: int | None
    text: int = 0


class _Damage(NamedTuple):
    """What can't be read, as ``Report`` has it; ``in_text``: at an offset from the part's start, not in the file."""

    offset: int
    length: int
    reason: str
    in_text: bool


class _Failure(NamedTuple):
    """Reading failed, at an offset in the file."""

    error: OSError
    offset: int


@dataclass(frozen=True)
class PartReader(Generic[T]):
    """What to read of a log, and what to make of it.

    Attributes:
        raw: The log, seekable.
        function: What to make of each entry. It may run in another process, and what it returns is then pickled.
        wanted: Which entries to read, by their headers.
        first_lines: Cut bodies to their first line.
    """

    raw: RawFile
    function: Callable[[ScannedEntry], T]
    wanted: Callable[[Header], bool]
    first_lines: bool

    def parts(self, size: int = _PART) -> list[Part]:
        """The parts of the log, in order: one, where it is short, or of a kind that is only read from its beginning.

        Args:
            size: Bytes of text in each, about.
        """
        starts = [0]
        if self._is_compressed():
            from pprofwatch.logs.compressed import find_frames  # noqa: PLC0415  # plain logs need none of it

            all_frames = find_frames(self.raw)
            frames = max(1, size // _FRAME, len(all_frames) // _MOST_PARTS + 1)
            starts += all_frames[frames::frames]
        elif self.raw.peek(1).isalnum():
            size = max(size, self.raw.size // _MOST_PARTS)
            lines = (self._next_line(offset) for offset in range(size, self.raw.size, size))
            starts += sorted({line for line in lines if line is not None and line < self.raw.size})
        return list(map(Part, starts, [*starts[1:], None]))

    def read(self, part: Part, begin: _Begin | None = None) -> Iterator[Any]:
        """Read a part.

        Args:
            part: Which.
            begin: Where its first entry is; None: at the first header, or the log's beginning.

        Yields:
            Where it begins; lists of what was found, entries and damage; how it ended, or how it failed.
        """
        with RawFile(os.dup(self.raw.fileno())) as raw:
            try:
                yield from self._scan(raw, part, begin)
            except OSError as error:
                yield _Failure(error, raw.position)

    def _scan(self, raw: RawFile, part: Part, begin: _Begin | None) -> Iterator[Any]:
        #: The offset of the part's begin in what the window shows.
        base = 0 if self._is_compressed() else part.start
        found = _Found(part, base)
        frames: ZstdSource | None = None
        if self._is_compressed():
            from pprofwatch.logs.compressed import ZstdSource  # noqa: PLC0415  # plain logs need none of it

            raw.seek(part.start)
            frames = ZstdSource(raw, found.add_damage_in_file, awaited=part.stop)
        window = Window(frames or raw)
        scanner = Scanner(window, found.add_damage_in_text, wanted=self.wanted, first_lines=self.first_lines)
        if begin is None:
            begin = _Begin(scanner.find(base) - base if part.start else 0)
        yield begin
        end = _End(None)
        for entry in scanner.entries(base + begin.offset):
            stop = frames.awaited_text if frames else part.stop
            if stop is not None and entry.offset >= stop:
                end = _End(entry.offset - stop, stop - base)
                break
            if found.add(self.function(entry), entry.end - entry.offset):
                yield found.take()
        yield found.take(is_all=end.reached is None)
        yield end

    def _next_line(self, offset: int) -> int | None:
        newline = self.raw.read_at(offset, _LONG_LINE).find(b"\n")
        return offset + newline + 1 if newline >= 0 else None

    def _is_compressed(self) -> bool:
        return is_zstd(self.raw.read_at(0, 4))


class _Found:
    """What was found in a part, and not yet sent: in order, what the function made of entries, and damage."""

    def __init__(self, part: Part, base: int) -> None:
        self._part = part
        self._base = base
        self._found: list[Any] = []
        self._bytes = 0
        #: Reading runs ahead: damage in the file behind this part is the next one's to tell, if there is one.
        self._behind: list[_Damage] = []

    def add(self, made: object, size: int) -> bool:
        """Add what was made of an entry of so many bytes; says whether it is time to send."""
        self._found.append(made)
        self._bytes += size
        return self._bytes > _BATCH_BYTES or len(self._found) >= _BATCH

    def add_damage_in_text(self, offset: int, length: int, reason: str) -> None:
        """Add damage, by its offset in what the window shows."""
        self._found.append(_Damage(offset - self._base, length, reason, in_text=True))

    def add_damage_in_file(self, offset: int, length: int, reason: str) -> None:
        """Add damage to compressed data."""
        is_behind = self._part.stop is not None and offset >= self._part.stop
        (self._behind if is_behind else self._found).append(_Damage(offset, length, reason, in_text=False))

    def take(self, *, is_all: bool = False) -> list[Any]:
        """Take what was found; ``is_all``: no other part comes."""
        found = [*self._found, *self._behind] if is_all else self._found
        self._found, self._bytes = [], 0
        return found


def most_processes() -> int:
    """How many processes it is worth to read with: one for each processor, up to a few."""
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES) if hasattr(os, "sched_getaffinity") else 1


def read_parts(
    reader: PartReader[T], parts: Sequence[Part], processes: int, report: Report, on_progress: Callable[[int], None]
) -> Generator[T, None, None]:
    """What the reader's function makes of each entry, in order.

    Args:
        reader: What to read.
        parts: All of the log's.
        processes: How many processes read; what they find waits there, a few MiB in each, until it is asked for. With
            none, this one reads.
        report: Called with what can't be read.
        on_progress: Called with the bytes of the file that were read since the last call.

    Raises:
        OSError: The log can't be read on, from ``reader.raw.position``.
    """
    with _Processes(reader, parts, processes) as started:
        base = 0
        end = _End(0)
        for index, part in enumerate(parts):
            messages = started.messages(index)
            if next(messages) != _Begin(end.reached or 0):
                for _ in messages:  # what else this process has found comes behind them
                    pass
                messages = reader.read(part, _Begin(end.reached or 0))
                next(messages)
            for message in messages:
                if isinstance(message, _End):
                    end = message
                elif isinstance(message, _Failure):
                    reader.raw.seek(message.offset)
                    raise message.error
                else:
                    for found in message:
                        if isinstance(found, _Damage):
                            report(found.offset + (base if found.in_text else 0), found.length, found.reason)
                        else:
                            yield found
            on_progress((reader.raw.size if part.stop is None else part.stop) - part.start)
            base += end.text
            if end.reached is None:
                return


class _Processes:
    """Processes that read parts, each the next one that none has taken, up to the end of a ``with`` statement."""

    def __init__(self, reader: PartReader[Any], parts: Sequence[Part], count: int) -> None:
        self._reader = reader
        self._parts = parts
        self._running: list[Forked] = []
        #: By process, the part that it has taken and nobody has asked for yet; None: it has ended.
        self._taken: dict[Forked, int | None] = {}
        if count:
            self._start(min(count, len(parts)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def messages(self, index: int) -> Iterator[Any]:
        """What is found in a part; that before it must have been asked for, and all of it taken."""
        part = self._parts[index]
        if not self._running:
            yield from self._reader.read(part)
            return
        process = self._reader_of(index)
        message = None
        while not isinstance(message, _End | _Failure):
            try:
                message = process.take() if process else _ended(part)
            except EOFError:
                message = _ended(part)
            yield message

    def _start(self, count: int) -> None:
        from pprofwatch.logs.forked import Forked  # noqa: PLC0415  # most logs are read without

        numbers = b"".join(index.to_bytes(_NUMBER_BYTES, "little") for index in range(len(self._parts)))
        try:
            queue, writing = os.pipe()
            os.write(writing, numbers)
            os.close(writing)
            try:
                for _ in range(count):
                    make = functools.partial(_read_next, self._reader, self._parts, queue)
                    self._running.append(Forked(make, self._running))
            finally:
                os.close(queue)
        except OSError:  # there can be no more: then this one reads
            self._end()

    def _reader_of(self, index: int) -> Forked | None:
        """The process that has taken a part, which each tells at once; None where it has ended."""
        for process in self._running:
            if process not in self._taken:
                try:
                    self._taken[process] = process.take()
                except EOFError:
                    self._taken[process] = None
            if self._taken[process] == index:
                del self._taken[process]
                return process
        return None

    def _end(self) -> None:
        while self._running:
            self._running.pop().close()


def _ended(part: Part) -> _Failure:
    return _Failure(ChildProcessError("the process that read it has ended"), part.start)


def _read_next(reader: PartReader[Any], parts: Sequence[Part], queue: int) -> Iterator[Any]:
    """The number of a part, and all messages about it; then of the next part that is in the queue."""
    while number := os.read(queue, _NUMBER_BYTES):
        index = int.from_bytes(number, "little")
        yield index
        yield from reader.read(parts[index])
