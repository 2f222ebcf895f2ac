"""Which files are read, and in what order, for the files and folders that a reader is given."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.errors import LogError
from pprofwatch.logs.entry import MAX_HEADER
from pprofwatch.logs.files import StoredFile, stored_files, target_folders
from pprofwatch.logs.names import live_name
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.search import parse_line
from pprofwatch.logs.sources import STANDARD_INPUT, RawFile, open_raw
from pprofwatch.times import format_stamp, parse_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Report = Callable[[Problem], None]

#: A segment that ended this long before ``since`` (by its file's time), or began this long after ``until`` (by its
#: name), is left out. More than nothing, since clocks are set back now and then; in seconds.
CLOCK_SLACK = 2 * 3600.0
#: Behind all segments: a time and a number.
_END = (math.inf, 0)


class Selection(NamedTuple):
    """Which entries are wanted: of one profile or all (None), between two times (Unix seconds, both included)."""

    profile: str | None = None
    since: float | None = None
    until: float | None = None

    def takes_log(self, log: str) -> bool:
        """Whether a log of this name can hold any."""
        return self.profile is None or log in (self.profile, f"{self.profile}-delta")

    def takes_file(self, file: StoredFile) -> bool:
        """Whether one of our segments can hold any."""
        if self.since is not None and file.modified + CLOCK_SLACK < self.since:
            return False
        return self.until is None or file.stamp - CLOCK_SLACK <= self.until

    def takes_entry(self, time: float, profile: str) -> bool:
        """Whether an entry is wanted. One that does not know its profile (a shell loop's failed poll) may be of any."""
        if self.profile is not None and profile not in ("", self.profile):
            return False
        return (self.since is None or self.since <= time) and (self.until is None or time <= self.until)


def open_inputs(paths: Sequence[str | Path], selection: Selection, report: Report) -> Iterator[tuple[str, RawFile]]:
    """Each file to read, with the name to show; open until the next one is asked for.

    A folder stands for each log in it and in its subfolders: the closed segments, oldest first, then the live one.
    What can't be opened is reported, and the rest is read.
    """
    for path in map(str, paths):
        if path != STANDARD_INPUT and Path(path).is_dir():
            logs = [(place, log) for place in _places(path, report) for log in _logs_in(place, selection, report)]
            if not logs:
                report(no_log_in(path))
            for place, log in logs:
                yield from _open_log(place, log, selection, report)
        elif raw := _open(path, report):
            with raw:
                yield "standard input" if path == STANDARD_INPUT else path, raw


def no_log_in(folder: str) -> Problem:
    """That a folder has no log to read, and what to do where it has files whose names are not ours."""
    reason = "no log in this folder that could hold what is asked for"
    with contextlib.suppress(LogError, OSError):
        places = [Path(folder), *target_folders(Path(folder))]
        others = [path for path in Path(folder).glob("[!.]*") if path.is_file()]
        if others and not any(map(stored_files, places)):
            reason = f"no file in this folder is named as pprofwatch's logs are: name files, as {folder.rstrip('/')}/*"
    return Problem(folder, 0, 0, reason)


def input_size(paths: Sequence[str | Path], selection: Selection) -> int | None:
    """How many bytes ``open_inputs`` leads to, for showing progress; None where that can't be known (a pipe)."""
    total = 0
    for path in map(str, paths):
        if path == STANDARD_INPUT:
            return None
        if Path(path).is_dir():
            for place in _places(path, _ignore):
                for files in _logs_in(place, selection, _ignore).values():
                    total += sum(file.size for file in files if selection.takes_file(file))
        elif Path(path).is_file():
            total += Path(path).stat().st_size
    return total


def last_change(folder: str, selection: Selection) -> float | None:
    """When a folder's logs were last written to, in Unix seconds; None where there are none."""
    logs = [_logs_in(place, selection, _ignore) for place in _places(folder, _ignore)]
    return max((file.modified for log in logs for files in log.values() for file in files), default=None)


def _open_log(place: Path, log: str, selection: Selection, report: Report) -> Iterator[tuple[str, RawFile]]:
    """The segments of one log. A daemon may be rotating and compressing it meanwhile."""
    before = {_key(file) for file in _logs_in(place, selection, _ignore).get(log, []) if file.kind == "closed"}
    with _open_live(place / live_name(log), report) or contextlib.nullcontext() as live:
        # What was closed up to now is found in what is listed from now on; of what is closed later, some may be missed,
        # so all of that is left out. The live one, if it is closed now, is known by its inode or its time.
        began = _began(live) if live else None
        last = _END
        if began is not None:
            last = (began, 0)
        elif live is None:
            last = max(before, default=_END)
        is_read = False
        for file in _logs_in(place, selection, report).get(log, []):
            key = _key(file)
            if live and not is_read and (file.inode == live.inode or (file.stamp == began and key not in before)):
                is_read = True
                yield str(file.path), live
            elif file.kind == "closed" and selection.takes_file(file) and (key <= last or key in before):
                with _open_closed(file.path, report) or contextlib.nullcontext() as closed:
                    if closed is not None:
                        yield str(file.path), closed


def _open_live(path: Path, report: Report) -> RawFile | None:
    """A live segment, unless there is none, or it has no entry yet."""
    live = _open(path, report, missing_is_fine=True) if path.is_file() and not path.is_symlink() else None
    if live is None or live.size:
        return live
    live.close()
    return None


def _key(file: StoredFile) -> tuple[float, int]:
    """What stays of a segment's name when it is compressed."""
    return file.stamp, file.number


def _began(live: RawFile) -> float | None:
    """The time that a live segment will have in its name once it is closed."""
    try:
        line = live.peek(MAX_HEADER).partition(b"\n")[0]
    except OSError:  # told by who reads all of it
        return None
    header = parse_line(line + b"\n")
    return parse_stamp(format_stamp(header.time)) if header else None


def _places(path: str, report: Report) -> list[Path]:
    """Where logs may be, for a folder that is a target's or holds targets' folders."""
    try:
        return [Path(path), *target_folders(Path(path))]
    except LogError as error:
        report(_problem(path, error))
        return []


def _logs_in(place: Path, selection: Selection, report: Report) -> dict[str, list[StoredFile]]:
    """The logs in a target's folder, by name, each with its segments in the order of time."""
    logs: dict[str, dict[tuple[bool, float, int], StoredFile]] = defaultdict(dict)
    try:
        # Twice: what is renamed or compressed during a listing may be missing in it under both names, but only once.
        # Of a segment that has both a plain and a compressed form, for a moment, either will do.
        files = [*stored_files(place), *stored_files(place)]
    except LogError as error:
        report(_problem(place, error))
        return {}
    for file in files:
        if file.kind != "binary" and selection.takes_log(file.log):
            logs[file.log][file.kind == "live", file.stamp, file.number] = file
    return {log: _until_the_next([segments[key] for key in sorted(segments)]) for log, segments in sorted(logs.items())}


def _until_the_next(files: list[StoredFile]) -> list[StoredFile]:
    """Segments in the order of time, each ending where the next begins: a copy's file time says nothing."""
    return [
        file._replace(modified=min(file.modified, after.stamp))
        if after is not None and after.kind == "closed"
        else file
        for file, after in itertools.zip_longest(files, files[1:])
    ]


def _open_closed(path: Path, report: Report) -> RawFile | None:
    """A closed segment, which may have been compressed since it was listed."""
    raw = _open(path, report, missing_is_fine=True)
    return raw or _open(path.with_name(path.name + ".zst"), report, missing_is_fine=True)


def _open(path: str | Path, report: Report, *, missing_is_fine: bool = False) -> RawFile | None:
    try:
        return open_raw(str(path))
    except OSError as error:
        if not (missing_is_fine and isinstance(error, FileNotFoundError)):
            report(Problem(str(path), 0, 0, f"cannot read: {error.strerror or error}"))
        return None


def _problem(path: str | Path, error: LogError) -> Problem:
    return Problem(str(path), 0, 0, str(error).removeprefix(f"{path}: "))


def _ignore(_: Problem) -> None:
    """For when it will be reported later, where it is to be read."""
