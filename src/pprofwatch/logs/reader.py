"""Reading the entries of logs: ours and a shell loop's, plain and compressed, in files, folders and standard input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pprofwatch.errors import LogError
from pprofwatch.logs.files import stored_files
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.proto_files import ProtoFile, find_proto_files, is_proto, proto_entry, proto_file
from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.segments import Selection, open_inputs
from pprofwatch.logs.sources import STANDARD_INPUT, RawFile, decoded
from pprofwatch.logs.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pprofwatch.logs.entry import Header
    from pprofwatch.model import Entry

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
            profile.proto, and folders of them, are read as if they had been logged.
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
    report = on_problem or _raise
    selection = Selection(profile, since, until)
    for path in map(str, paths):
        if files := _proto_files(path, report):
            yield from _read_protos(files, selection, report)
        else:
            yield from _read_logs(path, selection, first_lines, report, on_progress)


def _proto_files(path: str, report: Callable[[Problem], None]) -> list[ProtoFile]:
    """The files with protobufs that a path leads to, where it leads to no log."""
    if is_proto(path):
        return [proto_file(Path(path))]
    if path == STANDARD_INPUT or not Path(path).is_dir():
        return []
    try:
        return [] if stored_files(Path(path)) else find_proto_files(path, None)
    except LogError as error:
        report(Problem(path, 0, 0, str(error).removeprefix(f"{path}: ")))
        return []


def _read_protos(files: list[ProtoFile], selection: Selection, report: Callable[[Problem], None]) -> Iterator[Entry]:
    """What files with protobufs hold, in order of time as far as their names tell it."""
    for file in sorted(files, key=lambda file: file.time):
        try:
            entry = proto_entry(file)
        except LogError as error:
            report(Problem(str(file.path), 0, 0, str(error).removeprefix(f"{file.path}: ")))
            continue
        if selection.takes_entry(entry.time, entry.profile):
            yield entry


def _read_logs(
    path: str,
    selection: Selection,
    first_lines: bool,
    report: Callable[[Problem], None],
    on_progress: Callable[[int], None] | None,
) -> Iterator[Entry]:
    for name, raw in open_inputs([path], selection, report):
        told = 0
        try:
            for entry in _read_file(name, raw, selection, first_lines=first_lines, report=report):
                if on_progress and raw.position - told >= _PROGRESS_STEP:
                    on_progress(raw.position - told)
                    told = raw.position
                yield entry
        except OSError as error:
            report(Problem(name, raw.position, 0, f"cannot read on at byte {raw.position}: {error.strerror or error}"))
        if on_progress:
            on_progress(raw.position - told)


def _read_file(
    path: str, raw: RawFile, selection: Selection, *, first_lines: bool, report: Callable[[Problem], None]
) -> Iterator[Entry]:
    def report_part(offset: int, length: int, reason: str) -> None:
        report(Problem(path, offset, length, reason))

    def wanted(header: Header) -> bool:
        return selection.takes_entry(header.time, header.profile)

    window = Window(decoded(raw, path, report_part))
    for found in Scanner(window, report_part, wanted=wanted, first_lines=first_lines).entries():
        yield found.header.entry(found.body)


def _raise(problem: Problem) -> None:
    raise LogError(str(problem))
