"""The profile that a command looks at: the instant of a log that is nearest to a TIME, a file's, or a live target's."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.cli.instant import Instant
from pprofwatch.cli.live_target import ask_once, ask_twice
from pprofwatch.cli.messages import complain
from pprofwatch.cli.progress import ProgressBar
from pprofwatch.cli.when import WHEN_HELP, is_time_of_day, parse_when
from pprofwatch.errors import LogError, ProfileError, UsageError
from pprofwatch.logs.files import stored_files, target_folders
from pprofwatch.logs.nearest import THE_END, find_nearest
from pprofwatch.logs.profile_files import ProfileFile, find_profile_files, given_file, logged_entry
from pprofwatch.logs.reader import read_entries
from pprofwatch.logs.segments import Selection, input_size
from pprofwatch.logs.sources import is_folder, is_pipe
from pprofwatch.model import BINARY_PROFILES, CONTENTIONS
from pprofwatch.report.samples import samples_from_proto, samples_from_text
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pprofwatch.config.requests import ProfileSpec
    from pprofwatch.model import Entry
    from pprofwatch.report.samples import Samples

#: What is asked of a live target, and looked for first in a folder.
_USUAL = "goroutine"
_DAY = 86400.0
#: So many damaged entries are passed over before it is given up.
_MOST_DAMAGED = 10


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument ``LOG…`` as ``paths``, and the options ``--target`` and ``--profile``."""
    for decorate in (
        click.option(
            "--profile",
            metavar="NAME",
            help="Which profile: goroutine, heap, allocs, block, mutex, cpu …; NAME:seconds=N for what changed in N "
            "seconds. [default: goroutine in a folder, else what LOG begins with]",
        ),
        click.option(
            "--target",
            metavar="ADDRESS",
            help="Ask this Go server now, in place of a log; with the headers and credentials that it has in the "
            "configuration, if it is there, by its address or name.",
        ),
        click.argument("paths", metavar="LOG...", nargs=-1, type=click.Path()),
    ):
        command = decorate(command)
    return command


def at_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--at``."""
    return click.option("--at", metavar="TIME", help=f"The entry nearest to {WHEN_HELP}. [default: the last]")(command)


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--since`` and ``--until``, for a difference."""
    for decorate in (
        click.option("--until", metavar="TIME", help="The difference up to this time. [default: the last entry]"),
        click.option("--since", metavar="TIME", help="The difference from the entry nearest to this time."),
    ):
        command = decorate(command)
    return command


class ProfileInput:
    """Finds what a command was asked for.

    Args:
        paths: Logs, files with a profile, folders of either, or ``-``.
        target: The address of a live target, in place of them.
        profile: ``NAME`` or ``NAME:seconds=N``.
        at: A TIME.
        since: A TIME: with it, a difference is wanted.
        until: A TIME.
        failed_too: Also failed polls.
        as_text: A live target's text, rather than its protobuf.

    Raises:
        UsageError: They don't go together, or one is not what it should be.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        target: str | None,
        profile: str | None,
        at: str | None = None,
        since: str | None = None,
        until: str | None = None,
        failed_too: bool = False,
        as_text: bool = False,
    ) -> None:
        if bool(paths) == bool(target):
            raise UsageError("expected LOG or --target" + (", not both" if target else ": see --help"))
        if target and (at or since or until):
            raise UsageError("--target is asked now: --at, --since and --until are for logs")
        if at and (since or until):
            raise UsageError("--at is for an instant, --since and --until for a difference: choose")
        self._paths = paths
        self._target = target
        self._said = profile
        is_known = profile and (target or profile != CONTENTIONS)  # which no server has
        self._spec = _read_spec(profile) if profile and is_known else None
        self._wanted = self._spec.name if self._spec else profile
        self._at, self._since, self._until = at, since, until
        self._failed_too = failed_too
        self._as_text = as_text
        self._known_bounds: tuple[float, float] | None = None
        self._told: set[str] = set()
        self._read: dict[Path, ProfileFile | None] = {}

    @property
    def is_difference(self) -> bool:
        """Whether two instants are wanted."""
        return self._since is not None

    def instant(self) -> Instant:
        """The profile at ``--at``, or a live target's.

        Raises:
            PprofwatchError: There is none.
        """
        if self._until:
            raise UsageError("--until: expected --since, too: a difference needs both ends")
        if self._target:
            name, seconds = self._live()
            return ask_once(self._target, name, seconds, as_text=self._as_text)
        self._wanted = self._wanted or self._default_profile()
        return self._find([self._time("--at", self._at)])[0]

    def pair(self) -> tuple[Instant, Instant]:
        """The profiles at ``--since`` and ``--until``; a live target's now, and some seconds later.

        Where no times are given, they are the first and the last; two files' in their order, whatever their times are,
        which may be those of a copy.

        Raises:
            PprofwatchError: There are no two.
        """
        if self._target:
            return ask_twice(self._target, *self._live())
        self._wanted = self._wanted or self._default_profile()
        is_whole = self._since is None and self._until is None
        if is_whole and len(self._paths) == 2 and all(self._given.values()):
            first, second = (self._find([THE_END], [path])[0] for path in self._paths)
            return first, second
        begin = 0.0 if self._since is None else self._time("--since", self._since)
        before, after = self._find([begin, self._time("--until", self._until)])
        if is_whole and before.time >= after.time:
            raise UsageError(f"expected two entries to compare: there is one, at {format_time(after.time)}")
        if before.entry and after.entry and before.target != after.target:
            raise UsageError(f"expected one target's logs, not those of {before.target} and {after.target}")
        if before.time >= after.time:
            raise UsageError(
                f"expected two entries, the earlier one first: nearest to --since is {format_time(before.time)}, to "
                f"--until {format_time(after.time)}"
            )
        return before, after

    def _live(self) -> tuple[str, int]:
        """What to ask a live target for, and over how many seconds."""
        return (self._spec.name, self._spec.seconds) if self._spec else (_USUAL, 0)

    def _time(self, option: str, text: str | None) -> float:
        if text is None:
            return THE_END
        try:
            time = parse_when(text, lambda: self._bounds()[1])
        except ValueError as error:
            raise UsageError(f'{option}: {error}, got "{text[:60]}"') from None
        if is_time_of_day(text):
            # Past the log's end, it is the day before's, unless the log only begins later.
            begin, end = self._bounds()
            if begin - time > time + _DAY - end:
                return time + _DAY
        return time

    def _bounds(self) -> tuple[float, float]:
        """The times of the first and the last entry that is wanted."""
        if any(map(is_pipe, self._paths)):
            raise UsageError("a pipe can be read once only: give times with their day, as 2026-11-22T13:49:53Z")
        if self._known_bounds is None:
            first, last = self._find([0.0, THE_END])
            self._known_bounds = first.time, last.time
        return self._known_bounds

    def _find(self, times: list[float], paths: Sequence[str] | None = None) -> list[Instant]:
        """What is nearest to each time, in some of the paths or all."""
        files, logs = self._inputs(paths or self._paths)
        instants: list[Instant | None] = [None] * len(times)
        if searched := list(filter(self._may_have, logs)):
            instants = self._find_whole(searched, times)
        for index, time in enumerate(times):
            file = min(files, key=lambda file: abs(file.time - time), default=None)
            known = instants[index]
            if file is not None and (known is None or abs(file.time - time) < abs(known.time - time)):
                data = file.read()
                entry = _entry_of(file)
                target, taken = (entry.target, entry.time) if entry else (str(file.path), file.time)
                profile = self._wanted or file.profile
                instants[index] = Instant(target, profile, taken, data, is_proto=not file.is_text)
        present = [instant for instant in instants if instant is not None]
        if len(present) < len(times):
            raise self._nothing(logs)
        return present

    def _inputs(self, paths: Sequence[str]) -> tuple[list[ProfileFile], list[str]]:
        """The files with a profile that may be wanted, which and when known; and the paths of logs."""
        files: list[ProfileFile] = []
        logs: list[str] = []
        for path in paths:
            if file := self._given[path]:
                files.append(file)
            elif is_folder(path):
                found = find_profile_files(path, self._wanted)
                files += found
                names = self._check_folder(Path(path))
                if names or not found:
                    logs.append(path)
            else:
                logs.append(path)
        return list(self._completed(files)), logs

    def _check_folder(self, folder: Path) -> set[str]:
        """The logs in a folder, if what is wanted is one target's.

        Raises:
            UsageError: Several targets have it.
        """
        held = {place: {file.log for file in stored_files(place)} for place in (folder, *target_folders(folder))}
        wanted = f"{self._wanted}-delta" if self._is_delta else self._wanted
        having = [place.name for place, names in held.items() if wanted in names]
        if len(having) > 1:
            raise UsageError(f"{folder} has logs of {len(having)} targets: name one of {', '.join(having)[:300]}")
        return set().union(*held.values())

    def _may_have(self, log: str) -> bool:
        """Whether a log can have what is wanted; of a folder without any, it is told when it is searched."""
        if not is_folder(log):
            return True
        files = [file for place in (Path(log), *target_folders(Path(log))) for file in stored_files(place)]
        takes = Selection(self._wanted).takes_log
        return not files or any(file.kind != "binary" and takes(file.log) for file in files)

    @functools.cached_property
    def _given(self) -> dict[str, ProfileFile | None]:
        """The files with a profile among the paths. Standard input says once only which it is."""
        return {path: given_file(path, self._wanted if self._said else None) for path in self._paths}

    @property
    def _is_delta(self) -> bool:
        return self._spec is not None and self._spec.seconds > 0 and self._spec.name not in BINARY_PROFILES

    def _completed(self, files: list[ProfileFile]) -> Iterator[ProfileFile]:
        """The files that have what is wanted, with profile and time; those whose names don't tell are read."""
        for file in files:
            # A file that was itself named is looked into, whatever it is called; what was looked into is known.
            is_told_by_name = file.path not in self._read and not file.asked
            if self._wanted and file.profile not in ("", self._wanted) and is_told_by_name:
                continue
            if file.profile and file.time:
                known: ProfileFile | None = file
            elif file.path in self._read:
                known = self._read[file.path]
            else:
                known = self._read[file.path] = self._look_into(file)
            if known is not None and self._wanted in (None, known.profile):
                yield known

    def _look_into(self, file: ProfileFile) -> ProfileFile | None:
        """A file with its profile and time; None where it can't be read."""
        try:
            read = file._replace(data=file.read())
            if file.is_text and self._failed_too:  # which is told of, whatever it is
                entry = logged_entry(read)
                profile, time = entry.profile, entry.time
            else:
                samples = file_samples(read)
                profile, time = samples.kind, samples.time
        except (LogError, ProfileError) as error:
            self._tell(str(error))
            return None
        return file._replace(profile=profile, time=time, data=read.data if file.is_input else None)

    def _find_whole(self, paths: list[str], times: list[float]) -> list[Instant | None]:
        """What is nearest to each time in logs, and not damaged: a shell loop's last entry may be half there."""
        damaged: list[float] = []
        while True:
            found = self._find_in_logs(paths, times, without=damaged)
            instants = [self._from_entry(entry) if entry else None for entry in found]
            for instant in instants:
                if instant is not None and not self._failed_too and not any(map(is_pipe, paths)):
                    try:
                        instant.samples()
                    except ProfileError as error:
                        self._tell(error)
                        damaged.append(instant.time)
                        break
            else:
                return instants
            if len(damaged) > _MOST_DAMAGED:
                return [None] * len(times)

    def _find_in_logs(
        self,
        paths: list[str],
        times: list[float],
        *,
        without: Sequence[float] = (),
        failed_too: bool | None = None,
        whatever: bool = False,
    ) -> list[Entry | None]:
        size = None if any(map(is_folder, paths)) else input_size(paths, Selection())
        with ProgressBar("reading", size) as progress:
            return find_nearest(
                paths,
                times,
                profile=None if whatever else self._wanted,
                delta=self._is_delta,
                failed_too=self._failed_too if failed_too is None else failed_too,
                whatever=whatever,
                without=without,
                on_problem=self._tell,
                on_progress=progress.advance,
            )

    def _default_profile(self) -> str | None:
        """What is looked at where nothing was asked for: goroutines, or what there is."""
        for path in self._paths:
            if given := self._given[path]:
                return next((file.profile for file in self._completed([given])), None)
            if is_folder(path):
                places = (Path(path), *target_folders(Path(path)))
                names = {file.log for place in places for file in stored_files(place)}
                if names:
                    return _USUAL if _USUAL in names else min(names).removesuffix("-delta")
                return self._usual_of(find_profile_files(path, None))
            if not is_pipe(path):
                entries = read_entries([path], first_lines=True, on_problem=self._tell)
                if first := next((entry.profile for entry in entries if entry.body), None):
                    return first
        return None

    def _usual_of(self, files: list[ProfileFile]) -> str | None:
        """The profile that is looked at by default of those in a folder's files: goroutines, or the first one's."""
        first = None
        # Where a name tells, no other file need be read.
        for file in self._completed(sorted(files, key=lambda file: file.profile != _USUAL)):
            if file.profile == _USUAL:
                return _USUAL
            first = first or file
        return first.profile if first else None

    def _from_entry(self, entry: Entry) -> Instant:
        # In a shell loop's log, allocs look like heap.
        profile = "allocs" if self._wanted == "allocs" else entry.profile
        return Instant(entry.target, profile, entry.time, entry.body, entry.seconds, entry=entry)

    def _nothing(self, logs: list[str]) -> LogError | click.exceptions.Exit:
        """Why nothing was found; what could not be read has been told."""
        wanted = self._said or self._wanted
        hint = self._last_entry(logs) if logs and not any(map(is_pipe, logs)) else ""
        if self._told and not hint:
            return click.exceptions.Exit(LogError.exit_status)
        return LogError(f"{', '.join(self._paths)[:300]}: no {f'{wanted} ' if wanted else ''}profile in it{hint}")

    def _last_entry(self, logs: list[str]) -> str:
        """What there is in logs without what is wanted: its last failed poll, or something else."""
        searched = list(filter(self._may_have, logs))
        failed = self._find_in_logs(searched, [THE_END], failed_too=True, whatever=not self._wanted)[0]
        if failed is not None and failed.body:
            return ""  # a damaged one, of which was told
        last = failed
        if failed is None or not failed.profile:  # which may have been of anything
            last = self._find_in_logs(logs, [THE_END], failed_too=False, whatever=True)[0] or failed
        if last is None:
            return ""
        span = f":seconds={last.seconds}" if last.seconds and last.profile not in BINARY_PROFILES else ""
        what = f"is of {last.profile}{span}"
        if not last.body:
            what = f"failed: {last.error}" if last.error else f"is a gap of {last.gap}"
        if last.file:
            what = f"is in {last.file}"
        return f"; the last entry, at {format_time(last.time)}, {what}"

    def _tell(self, problem: object) -> None:
        """Say what can't be read, once, however often it is tried."""
        line = str(problem)
        if line not in self._told:
            self._told.add(line)
            complain(line)


def file_samples(file: ProfileFile) -> Samples:
    """What a file holds.

    Raises:
        LogError: It can't be read.
        ProfileError: It is no profile with stacks to count, cut short, damaged or too large.
    """
    data = file.read()
    try:
        samples = samples_from_text(data, "", file.time) if file.is_text else samples_from_proto(data, "", file.time)
    except ProfileError as error:
        raise ProfileError(f"{file.path}: {error}") from None
    return replace(samples, kind=file.kind(samples.kind), time=samples.time or file.modified)


def _entry_of(file: ProfileFile) -> Entry | None:
    """The entry of a log that names this file as its own, with its target; None where there is none."""
    folder = file.path.absolute().parent
    if file.is_input or folder.name not in BINARY_PROFILES or not file.time:
        return None
    # A name has the time to the second.
    since, until = file.time - 1, file.time + 2
    entries = read_entries([folder.parent], profile=folder.name, since=since, until=until, on_problem=lambda _: None)
    return next((entry for entry in entries if entry.file == f"{folder.name}/{file.path.name}"), None)


def _read_spec(text: str) -> ProfileSpec:
    # Loads the configuration's parts, which not every command needs.
    from pprofwatch.config.requests import parse_spec  # noqa: PLC0415

    try:
        spec = parse_spec(text)
    except ValueError as error:
        raise UsageError(f"--profile: {error}") from None
    if spec.name == "trace":
        raise UsageError("--profile: a trace has no stacks to count: go tool trace reads it")
    return spec
