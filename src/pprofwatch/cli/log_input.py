"""The logs that a command is given: read with progress, with times understood, and with what can't be read told."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pprofwatch.cli.messages import complain
from pprofwatch.cli.progress import ProgressBar
from pprofwatch.cli.when import WHEN_HELP, parse_when
from pprofwatch.errors import LogError, UsageError
from pprofwatch.logs.merge import Timed, map_merged, merged_size
from pprofwatch.logs.reader import map_entries, read_entries
from pprofwatch.logs.segments import Selection, input_size
from pprofwatch.logs.sources import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pprofwatch.logs.entry import ScannedEntry
    from pprofwatch.logs.problem import Problem
    from pprofwatch.model import Entry

T = TypeVar("T")
TimedT = TypeVar("TimedT", bound=Timed)

#: More problems than this are counted, not told one by one.
_MOST_PROBLEMS = 20
#: To find a log's end, what was written in the last so many seconds is looked at first.
_RECENT = 3600.0


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument ``LOG…`` as ``paths``, and the options ``--since`` and ``--until``."""
    for decorate in (
        click.argument("paths", metavar="LOG...", nargs=-1, required=True, type=click.Path()),
        click.option("--since", metavar="TIME", help=f"Only entries from this time on: {WHEN_HELP}."),
        click.option("--until", metavar="TIME", help="Only entries up to this time."),
    ):
        command = decorate(command)
    return command


class LogInput:
    """Reads the entries of logs for a command.

    After reading, ``skipped_bytes`` is how much could not be read.
    """

    def __init__(
        self, paths: Sequence[str], *, profile: str | None = None, since: str | None = None, until: str | None = None
    ) -> None:
        """Say what to read; ``since`` and ``until`` are TIMEs as they were given.

        Raises:
            UsageError: One is no time.
        """
        self.skipped_bytes = 0
        self._problems = 0
        self._paths = paths
        self._profile = profile
        self._end: float | None = None
        self._since = self._time("--since", since)
        self._until = self._time("--until", until)

    def entries(self, *, first_lines: bool = False) -> Iterator[Entry]:
        """The entries, in the order in which they stand in the logs; where nothing can be read, the command ends.

        Args:
            first_lines: Cut bodies to their first line, which is faster.
        """
        return self._read(functools.partial(read_entries, profile=self._profile, first_lines=first_lines), self._size())

    def map(
        self, function: Callable[[ScannedEntry], T], *, first_lines: bool = False, hide_progress: bool = False
    ) -> Iterator[T]:
        """What a function makes of the entries; faster than ``entries`` for long logs, see ``map_entries``.

        Args:
            function: What to make of an entry.
            first_lines: As for ``entries``.
            hide_progress: Show no progress, since what is printed meanwhile shows it.
        """
        read = functools.partial(map_entries, function, profile=self._profile, first_lines=first_lines)
        return self._read(read, self._size(), hide_progress=hide_progress)

    def map_merged(self, function: Callable[[Entry], TimedT], profiles: Collection[str]) -> Iterator[TimedT]:
        """What a function makes of the entries of these profiles, each target's in order of time; as ``map``.

        A file, or standard input, is read in its own order, whatever it holds.
        """
        read = functools.partial(map_merged, function, profiles=profiles)
        return self._read(read, merged_size(self._paths, profiles))

    def takes(self, time: float) -> bool:
        """Whether a time (Unix seconds) is between ``--since`` and ``--until``."""
        return (self._since is None or self._since <= time) and (self._until is None or time <= self._until)

    def _read(self, read: Callable[..., Iterator[T]], size: int | None, *, hide_progress: bool = False) -> Iterator[T]:
        """What is read, and after it what there is to say about what can't be; if that is all, the command ends."""
        found = False
        with ProgressBar("reading", size, hidden=hide_progress) as progress:
            for each in read(
                self._paths,
                since=self._since,
                until=self._until,
                on_problem=self._tell,
                on_progress=progress.advance,
            ):
                found = True
                yield each
        if self._problems > _MOST_PROBLEMS:
            complain(f"{self._problems - _MOST_PROBLEMS} more could not be read: {self.skipped_bytes} bytes in all")
        if self._problems and not found:
            raise click.exceptions.Exit(LogError.exit_status)  # why, has been told

    def _tell(self, problem: Problem) -> None:
        self.skipped_bytes += problem.length
        self._problems += 1
        if self._problems <= _MOST_PROBLEMS:
            complain(str(problem))

    def _size(self) -> int | None:
        return input_size(self._paths, Selection(self._profile, self._since, self._until))

    def _time(self, option: str, text: str | None) -> float | None:
        if text is None:
            return None
        try:
            return parse_when(text, self._find_end)
        except ValueError as error:
            raise UsageError(f'{option}: {error}, got "{text[:60]}"') from None

    def _find_end(self) -> float:
        """The time of the last entry; now, where that can't be known before reading, or there is none."""
        if self._end is None:
            self._end = time.time()
            # A folder that is being written to need not be read whole.
            for since in (self._end - _RECENT, None) if STANDARD_INPUT not in self._paths else ():
                entries = read_entries(
                    self._paths, profile=self._profile, since=since, first_lines=True, on_problem=lambda _: None
                )
                last = max((entry.time for entry in entries), default=None)
                if last is not None:
                    self._end = last
                    break
        return self._end
