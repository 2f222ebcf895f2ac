"""Checking logs, and what else is kept beside them, against all the checksums that they have.

What can't be noticed, since nothing in a file says it: a plain log that ends sooner than it did, exactly between two
entries; damage to text without checksums, which is counted.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pprofwatch.errors import LogError
from pprofwatch.logs import names, seal
from pprofwatch.logs.compressed import GzipSource
from pprofwatch.logs.entry import MAX_HEADER
from pprofwatch.logs.files import stored_evidence, stored_files, target_folders
from pprofwatch.logs.index import BadIndexError, read_index
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.profile_files import find_profile_files, given_file
from pprofwatch.logs.recovery import is_left_over
from pprofwatch.logs.scanner import Scanner, first_line
from pprofwatch.logs.segments import Selection, input_size, last_change, open_inputs
from pprofwatch.logs.sources import STANDARD_INPUT, RawFile, decoded, open_raw
from pprofwatch.logs.window import Window
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pprofwatch.logs.entry import ScannedEntry

_PROGRESS_STEP = 1 << 20
_BLOCK = 256 << 10
_GZIP_MAGIC = b"\x1f\x8b"
_TRACE_MAGIC = b"go 1."
#: How often the end of a log that grows is read again.
_ATTEMPTS = 10


class Finding(NamedTuple):
    """Something to say about a file: it is damaged, or could not be read, or is worth a note though nothing is wrong.

    The problem's length is 0 where it is about the file as a whole.
    """

    kind: Literal["damage", "unreadable", "note"]
    problem: Problem


@dataclass(slots=True)
class Tally:
    """What was checked: files; entries that are whole, and how many of those have no checksum, as files may."""

    files: int = 0
    entries: int = 0
    unchecked_entries: int = 0
    unchecked_files: int = 0


class Verifier:
    """Checks files. Memory is bounded by the longest entry."""

    def __init__(self, report: Callable[[Finding], None], on_progress: Callable[[int], None]) -> None:
        """Begin.

        Args:
            report: Called with each finding, in the order of the files.
            on_progress: Called now and then with the number of bytes that were read since the last call.
        """
        self.tally = Tally()
        self._report = report
        self._on_progress = on_progress

    def check(self, path: str) -> None:
        """Check a file, a folder with all in it that is ours, or standard input (``-``)."""
        if path == STANDARD_INPUT or not Path(path).is_dir():
            if given := given_file(path):
                self._check_file(str(given.path), given.source, is_text=given.is_text)
            else:
                self._check_logs(path)
            return
        if last_change(path, Selection()) is not None:
            self._check_logs(path)
        try:
            for other in _beside_logs(Path(path)):
                self._check_file(str(other), str(other), is_text=other.suffix == ".txt")
        except LogError as error:
            self._unreadable(path, str(error).removeprefix(f"{path}: "))

    def _check_logs(self, path: str) -> None:
        def unreadable(problem: Problem) -> None:
            self._unreadable(problem.path, problem.reason)

        for name, raw in open_inputs([path], Selection(), unreadable):
            self.tally.files += 1
            _LogCheck(name, raw, self.tally, self._report, self._on_progress).run()

    def _check_file(self, name: str, source: str, *, is_text: bool) -> None:
        """A file that is not a log: of what is in it, gzip has a checksum."""

        def damaged(reason: str) -> None:
            self._report(Finding("damage", Problem(name, 0, raw.size, reason)))

        try:
            raw = open_raw(source)
        except FileNotFoundError:
            return  # removed meanwhile: it was old
        except OSError as error:
            self._unreadable(name, f"cannot read: {error.strerror or error}")
            return
        self.tally.files += 1
        with raw:
            try:
                self._check_content(name, raw, damaged, is_text=is_text)
            except OSError as error:
                damaged(f"cannot read on at byte {raw.position}: {error.strerror or error}")
            self._on_progress(raw.size)

    def _check_content(self, name: str, raw: RawFile, damaged: Callable[[str], None], *, is_text: bool) -> None:
        if raw.peek(2) == _GZIP_MAGIC:
            source = GzipSource(raw, lambda _offset, _length, reason: damaged(reason))
            while source.read(_BLOCK):
                pass
            return
        if not raw.peek(1):
            damaged("empty")
        elif name.endswith(".gz"):
            damaged("expected compressed data")
            return
        self.tally.unchecked_files += 1
        is_trace = name.endswith(names.BINARY_SUFFIXES["trace"])
        if is_trace and raw.size and not raw.peek(len(_TRACE_MAGIC)).startswith(_TRACE_MAGIC):
            damaged("expected a trace")
        while is_text and (block := raw.read(_BLOCK)):
            if b"\0" in block:
                damaged("zeros in text")
                return

    def _unreadable(self, path: str, reason: str) -> None:
        self._report(Finding("unreadable", Problem(path, 0, 0, reason)))


class _LogCheck:
    """Checks one log file."""

    def __init__(
        self,
        name: str,
        raw: RawFile,
        tally: Tally,
        report: Callable[[Finding], None],
        on_progress: Callable[[int], None],
    ) -> None:
        self._name = name
        self._raw = self._reading = raw
        self._tally = tally
        self._report = report
        self._on_progress = on_progress
        self._told = 0
        #: Damage behind which no whole entry was found so far: at a live segment's end, one that is being written.
        self._last: Problem | None = None
        self._found_any = False
        self._time = 0.0
        self._index: Iterator[ScannedEntry] | None = None

    def run(self) -> None:
        """Check all of it."""
        try:
            if self._raw.seekable and names.parse_live(Path(self._name).name):
                self._run_live()
            else:
                self._run_closed()
        except OSError as error:
            at = self._reading.position
            self._damaged(at, max(self._raw.size - at, 1), f"cannot read on: {error.strerror or error}")
        self._tell_last()
        self._on_progress(max(self._raw.position - self._told, 0))

    def _run_live(self) -> None:
        """A live segment: it may grow meanwhile, and end in what a killed daemon had begun to write."""
        start = 0
        for _ in range(_ATTEMPTS):
            with _SoFar(os.dup(self._raw.fileno())) as raw:
                self._scan(raw, Window(raw), start)
            last = self._last
            if last is None:
                return
            is_torn = is_left_over(self._raw.fileno(), last.offset)
            if self._raw.current_size() == last.offset + last.length:
                if is_torn:
                    reason = "torn entry at the end, left by a kill or being written"
                    self._report(Finding("note", last._replace(reason=reason)))
                    self._last = None
                return
            # It was written to since: what was seen of the end may have been half of it.
            start, self._last = last.offset, None

    def _run_closed(self) -> None:
        closed = names.parse_closed(Path(self._name).name)
        head = self._raw.peek(seal.LENGTH)
        sealed = seal.parse_seal(head)
        if closed and not head:
            self._damaged(0, 0, "empty")
        elif closed and closed.compressed and sealed is None and not seal.is_broken_seal(head):
            self._report(
                Finding("note", Problem(self._name, 0, 0, "no seal: whether frames are missing can't be told"))
            )
        self._index = read_index(self._raw) if sealed else None
        self._scan(self._raw, Window(decoded(self._raw, self._name, self._damaged)), 0)
        self._compare_index(None)
        if sealed and self._raw.seekable and not self._found_any and not seal.is_sealed(self._raw, sealed):
            size = self._raw.size
            self._damaged(seal.LENGTH, size - seal.LENGTH, f"other bytes than the {sealed.size} that were written")

    def _scan(self, raw: RawFile, window: Window, start: int) -> None:
        self._reading = raw
        for found in Scanner(window, self._damaged).entries(start):
            self._take(window, found)
            if raw.position - self._told >= _PROGRESS_STEP:
                self._on_progress(raw.position - self._told)
                self._told = raw.position

    def _take(self, window: Window, found: ScannedEntry) -> None:
        """An entry that the scanner found whole: what remains to be seen."""
        self._compare_index(found)
        header, length = found.header, found.end - found.offset
        if header.length is None:
            self._tally.unchecked_entries += 1
        else:
            line = window.line(found.offset, MAX_HEADER)
            newline_is_added = header.length > 0 and not found.body.endswith(b"\n")
            if length < len(line) + header.length + newline_is_added:
                self._damaged(found.offset, length, "torn entry, of its last newline")
                return
            self._tally.unchecked_entries += not header.is_checked
            if header.time < self._time:
                self._note_time(found, self._time - header.time)
            self._time = header.time
        self._tally.entries += 1
        self._tell_last()

    def _compare_index(self, found: ScannedEntry | None) -> None:
        """See whether the index goes on with this entry; None: whether it ends here."""
        if self._index is None:
            return
        expected = found and found.entry._replace(body=first_line(found.body))
        try:
            indexed = next(self._index, None)
        except BadIndexError as error:
            reason = str(error)
        else:
            if (indexed and indexed.entry) == expected:
                return
            reason = "the index says something else than the text"
        self._index = None
        self._damaged(0, 0, reason)

    def _note_time(self, found: ScannedEntry, back: float) -> None:
        reason = f"the time goes back by {format_duration(back)}: the clock was set, or entries have changed places"
        self._report(Finding("note", Problem(self._name, found.offset, found.end - found.offset, reason)))

    def _damaged(self, offset: int, length: int, reason: str) -> None:
        self._tell_last()
        self._last = Problem(self._name, offset, length, reason)
        self._found_any = True

    def _tell_last(self) -> None:
        if self._last is not None:
            self._report(Finding("damage", self._last))
            self._last = None


class _SoFar(RawFile):
    """A file that is written to, as far as it had come when this was opened."""

    def read(self, count: int) -> bytes:
        """As of any file."""
        return super().read(max(min(count, self.size - self.position), 0))


def checked_size(paths: Sequence[str]) -> int | None:
    """How many bytes checking these will read, for showing progress; None where that can't be known (a pipe)."""
    size = input_size(paths, Selection())
    for path in paths:
        if size is not None and Path(path).is_dir():
            with contextlib.suppress(LogError, OSError):
                size += sum(other.stat().st_size for other in _beside_logs(Path(path)))
    return size


def _beside_logs(folder: Path) -> Iterator[Path]:
    """Our files in a folder that are not logs: binary profiles, and incidents' evidence.

    Raises:
        LogError: A folder can't be read.
    """
    found = 0
    for place in (folder, *target_folders(folder)):
        for file in sorted([*stored_files(place), *stored_evidence(place)], key=lambda file: file.path):
            found += 1
            if file.kind in ("binary", "evidence"):
                yield file.path
    if not found:
        yield from (file.path for file in find_profile_files(str(folder), None))
