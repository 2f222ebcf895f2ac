"""Reading the entries of logs: ours and a shell loop's, plain and compressed, in files, folders and standard input."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pprofwatch.errors import LogError
from pprofwatch.logs.entry import Header, ScannedEntry
from pprofwatch.logs.files import stored_files
from pprofwatch.logs.parts import PartReader, most_processes, read_parts
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.profile_files import ProfileFile, find_profile_files, given_file, logged_entry
from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.segments import Selection, open_inputs
from pprofwatch.logs.sources import STANDARD_INPUT, RawFile, decoded, is_zstd
from pprofwatch.logs.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pprofwatch.logs.sources import Report
    from pprofwatch.model import Entry

T = TypeVar("T")

#: Progress is told after so many bytes.
_PROGRESS_STEP = 1 << 20


def read_entries(
    paths: Sequence[str | Path],
    *,
    profile: str | None = None,
    since: float | None = None,
    until: float | None = None,
    first_lines: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Entry]:
    """The entries in logs, in the order in which they stand there.

    Memory is bounded by the longest entry, whatever the length of the logs. What is damaged is skipped and reported,
    and every undamaged entry around it is read. In logs that pprofwatch did not write, an entry without a profile has
    an error: what stands in its place.

    Args:
        paths: Files (plain, ``.zst`` or ``.gz``, whatever their names), folders (a log folder or a target's), and ``-``
            for standard input. In a folder, log by log: closed segments, oldest first, then the live one. Files with a
            profile and no time before it, profile.proto or text, folders of them, and standard input with one are read
            as if they had been logged.
        profile: Only entries of this profile, and those that do not say which they are of.
        since: Only entries from this time on, in Unix seconds.
        until: Only entries up to this time, in Unix seconds.
        first_lines: Cut each body to its first line, which tells the total. What is not needed is then not read, as
            far as that is possible, and damage inside of bodies may go unnoticed.
        on_problem: Called with each thing that can't be read.
        on_progress: Called now and then with the number of bytes (of the files, as stored) that were read since the
            last call; see ``segments.input_size``.

    Raises:
        LogError: Something can't be read, and there is no ``on_problem``.
    """
    return map_entries(
        _entry,
        paths,
        profile=profile,
        since=since,
        until=until,
        first_lines=first_lines,
        on_problem=on_problem,
        on_progress=on_progress,
        processes=1,
    )


def map_entries(
    function: Callable[[ScannedEntry], T],
    paths: Sequence[str | Path],
    *,
    profile: str | None = None,
    since: float | None = None,
    until: float | None = None,
    first_lines: bool = False,
    on_problem: Callable[[Problem], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
    processes: int | None = None,
) -> Iterator[T]:
    """What a function makes of each entry that ``read_entries`` would give, in the same order.

    A long log is read by several processes, each of which has a copy of ``function``: it can't leave anything behind
    but what it returns, which is pickled.

    Args:
        function: What to make of an entry.
        paths: This and the others: as for ``read_entries``.
        profile: See there.
        since: See there.
        until: See there.
        first_lines: See there.
        on_problem: See there.
        on_progress: See there.
        processes: How many read a long log; None: as many as there are processors, up to a few.

    Raises:
        LogError: As there.
    """
    report = on_problem or _raise
    selection = Selection(profile, since, until)
    if since is not None or until is not None:
        processes = 1  # most of it is passed over, and where that ends no part knows
    for path in map(str, paths):
        if files := _profile_files(path, profile, report):
            for entry in _read_protos(files, selection, report):
                yield function(ScannedEntry(0, 0, Header(entry.time, entry.target, entry.profile), entry.body))
        else:
            logs = _Logs(selection, function, first_lines, report, on_progress or _ignore, processes)
            yield from logs.read(path)


def _profile_files(path: str, profile: str | None, report: Callable[[Problem], None]) -> list[ProfileFile]:
    """The files with a profile that a path leads to, where it leads to no log."""
    if file := given_file(path, profile):
        return [file]
    if path == STANDARD_INPUT or not Path(path).is_dir():
        return []
    try:
        return [] if stored_files(Path(path)) else find_profile_files(path, None)
    except LogError as error:
        report(Problem(path, 0, 0, str(error).removeprefix(f"{path}: ")))
        return []


def _read_protos(files: list[ProfileFile], selection: Selection, report: Callable[[Problem], None]) -> Iterator[Entry]:
    """What files with a profile hold, in order of time as far as that is known of them without reading them."""
    for file in sorted(files, key=lambda file: file.time or file.modified):
        try:
            entry = logged_entry(file)
        except LogError as error:
            report(Problem(str(file.path), 0, 0, str(error).removeprefix(f"{file.path}: ")))
            continue
        if selection.takes_entry(entry.time, entry.profile):
            yield entry


@dataclass(frozen=True)
class _Logs(Generic[T]):
    """Reads logs; the fields are what ``map_entries`` is given."""

    selection: Selection
    function: Callable[[ScannedEntry], T]
    first_lines: bool
    report: Callable[[Problem], None]
    on_progress: Callable[[int], None]
    processes: int | None

    def read(self, path: str) -> Iterator[T]:
        for name, raw in open_inputs([path], self.selection, self.report):
            try:
                yield from self._read_file(name, raw)
            except OSError as error:
                reason = f"cannot read on at byte {raw.position}: {error.strerror or error}"
                self.report(Problem(name, raw.position, 0, reason))

    def _read_file(self, name: str, raw: RawFile) -> Iterator[T]:
        def report(offset: int, length: int, reason: str) -> None:
            self.report(Problem(name, offset, length, reason))

        def wanted(header: Header) -> bool:
            return self.selection.takes_entry(header.time, header.profile)

        given = 0
        if self.first_lines and is_zstd(raw.peek(4)):
            from pprofwatch.logs.index import BadIndexError, read_index  # noqa: PLC0415  # plain logs need none of it

            if (indexed := read_index(raw)) is not None:
                try:
                    for found in indexed:
                        if wanted(found.header):
                            given += 1
                            yield self.function(found)
                except BadIndexError as error:
                    report(0, 0, f"{error}: its text is read")
                else:
                    self.on_progress(raw.size)
                    return
        yield from itertools.islice(self._read_text(name, raw, wanted, report), given, None)

    def _read_text(self, name: str, raw: RawFile, wanted: Callable[[Header], bool], report: Report) -> Iterator[T]:
        if raw.seekable and self.processes != 1 and (processes := self.processes or most_processes()) > 1:
            reader = PartReader(raw, self.function, wanted, self.first_lines)
            if len(parts := reader.parts()) > 1:
                yield from read_parts(reader, parts, processes, report, self.on_progress)
                return
        told = 0
        window = Window(decoded(raw, name, report))
        for found in Scanner(window, report, wanted=wanted, first_lines=self.first_lines).entries():
            if raw.position - told >= _PROGRESS_STEP:
                self.on_progress(raw.position - told)
                told = raw.position
            yield self.function(found)
        self.on_progress(raw.position - told)


def _entry(found: ScannedEntry) -> Entry:
    return found.entry


def _ignore(_: int) -> None:
    pass


def _raise(problem: Problem) -> None:
    raise LogError(str(problem))
