"""Entries as they are appended to logs, also when those are rotated."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from pprofwatch.errors import LogError
from pprofwatch.logs.files import stored_files, target_folders
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.sources import RawFile, open_raw
from pprofwatch.logs.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pprofwatch.logs.entry import Header
    from pprofwatch.model import Entry


class Follower:
    """Looks for new entries in plain files and in the live segments of folders, whenever it is asked to.

    Logs, and targets, that appear later are followed from their beginning. Close it after use.
    """

    def __init__(self, paths: Sequence[str], on_problem: Callable[[Problem], None], profile: str | None = None) -> None:
        """Follow these files and folders.

        Args:
            paths: What to follow; what can't be read is reported once, and looked for again.
            on_problem: Called with what can't be read.
            profile: Only entries of this profile, and those that do not say which they are of.
        """
        self._paths = paths
        self._profile = profile
        self._on_problem = on_problem
        self._told: set[Problem] = set()
        self._logs: dict[Path, _FollowedFile] = {}

    def new_entries(self) -> Iterator[Entry]:
        """The entries that came since the last call, file by file, with bodies cut to their first line.

        At the first call, all that there are.
        """
        for path in self._places():
            known = self._logs.get(path)
            raw = self._open(path)
            if raw is None:
                continue
            if known is not None and known.raw.inode == raw.inode:
                raw.close()
                known.restart_if_shorter()
            else:
                if known is not None:  # rotated: what was written to it after the last look
                    yield from known.new_entries(self._wanted, self._report, whole=True)
                    known.raw.close()
                known = self._logs[path] = _FollowedFile(str(path), raw)
            yield from known.new_entries(self._wanted, self._report)

    def close(self) -> None:
        """Close all files."""
        for log in self._logs.values():
            log.raw.close()
        self._logs.clear()

    def _places(self) -> Iterator[Path]:
        for path in map(Path, self._paths):
            if not path.is_dir():
                yield path
                continue
            with self._reporting(path):
                for place in (path, *target_folders(path)):
                    yield from sorted(file.path for file in stored_files(place) if file.kind == "live")

    @contextlib.contextmanager
    def _reporting(self, path: Path) -> Iterator[None]:
        try:
            yield
        except LogError as error:
            self._report(Problem(str(path), 0, 0, str(error).removeprefix(f"{path}: ")))

    def _open(self, path: Path) -> RawFile | None:
        try:
            return open_raw(str(path))
        except OSError as error:
            # Between two segments there is none, for a moment.
            if path not in self._logs:
                self._report(Problem(str(path), 0, 0, f"cannot read: {error.strerror or error}"))
            return None

    def _wanted(self, header: Header) -> bool:
        return self._profile is None or header.profile in ("", self._profile)

    def _report(self, problem: Problem) -> None:
        if problem not in self._told:
            self._told.add(problem)
            self._on_problem(problem)


class _FollowedFile:
    """A file, and the offset up to which its entries were read."""

    def __init__(self, path: str, raw: RawFile) -> None:
        self.raw = raw
        self._path = path
        self._offset = 0
        self._seen_size = 0

    def restart_if_shorter(self) -> None:
        """Begin again where the file was emptied, as logrotate's copytruncate does."""
        if self.raw.current_size() < self._offset:
            self._offset = self._seen_size = 0

    def new_entries(
        self, wanted: Callable[[Header], bool], report: Callable[[Problem], None], *, whole: bool = False
    ) -> Iterator[Entry]:
        """The entries from there on; of what is still being written, none, unless the file is ``whole``."""
        size = self.raw.current_size()
        if size == self._seen_size and not whole:
            return
        self._seen_size = size
        problems: list[Problem] = []

        def note(offset: int, length: int, reason: str) -> None:
            problems.append(Problem(self._path, offset, length, reason))

        self.raw.seek(0)
        scanner = Scanner(Window(self.raw), note, wanted=wanted, first_lines=True)
        try:
            for found in scanner.entries(self._offset):
                if found.header.length is None and found.end >= size and not whole:
                    break  # only the next header tells where a shell loop's entry ends
                self._offset = found.end
                yield found.entry
        except OSError as error:
            self._seen_size = 0  # tried again
            reason = f"cannot read on at byte {self._offset}: {error.strerror or error}"
            report(Problem(self._path, self._offset, 0, reason))
        for problem in problems:
            if whole or problem.offset + problem.length < size:
                report(problem)
