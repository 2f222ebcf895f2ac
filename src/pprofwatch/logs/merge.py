"""Reading several logs of one target side by side: what its profiles told at about the same time comes together."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pprofwatch.errors import LogError
from pprofwatch.logs.files import stored_files, target_folders
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.profile_files import find_profile_files
from pprofwatch.logs.reader import map_entries
from pprofwatch.logs.segments import Selection, input_size, no_log_in
from pprofwatch.logs.sources import is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pprofwatch.logs.entry import ScannedEntry
    from pprofwatch.model import Entry


class Timed(Protocol):
    """What has a time, in Unix seconds."""

    @property
    def time(self) -> float: ...


T = TypeVar("T", bound=Timed)


def map_merged(
    function: Callable[[Entry], T],
    paths: Sequence[str],
    profiles: Collection[str],
    *,
    since: float | None = None,
    until: float | None = None,
    on_problem: Callable[[Problem], None],
    on_progress: Callable[[int], None],
) -> Iterator[T]:
    """What a function makes of the entries in logs: of folders target by target, each's logs merged in order of time.

    Files and standard input are read one after the other, as they stand. A log whose times go back is merged as far as
    its order allows, and read whole all the same.

    Args:
        function: What to make of an entry, with the entry's time; see ``map_entries``.
        paths: As for ``read_entries``.
        profiles: The profiles to read in folders. A file is read whatever it holds.
        since: Only entries from this time on, in Unix seconds.
        until: Only entries up to this time, in Unix seconds.
        on_problem: Called with each thing that can't be read.
        on_progress: As for ``read_entries``; of ``merged_size``.
    """

    def make(found: ScannedEntry) -> T:
        return function(found.entry)

    def read(path: str | Path, profile: str | None = None) -> Iterator[T]:
        return map_entries(
            make, [path], profile=profile, since=since, until=until, on_problem=on_problem, on_progress=on_progress
        )

    for path in paths:
        if not is_folder(path):
            yield from read(path)
            continue
        try:
            logs = _logs_below(Path(path), profiles)
        except LogError as error:
            on_problem(Problem(path, 0, 0, str(error).removeprefix(f"{path}: ")))
            continue
        if not logs and not stored_files(Path(path)) and find_profile_files(path, None):
            yield from read(path)
        elif not logs:
            on_problem(no_log_in(path))
        for place, names in logs:
            yield from heapq.merge(*(read(place, name) for name in names), key=lambda made: made.time)


def merged_size(paths: Sequence[str], profiles: Collection[str]) -> int | None:
    """How many bytes ``map_merged`` leads to, for showing progress; None where that can't be known (a pipe)."""
    total = 0
    for path in paths:
        selections = [Selection(profile) for profile in profiles] if is_folder(path) else [Selection()]
        for selection in selections:
            size = input_size([path], selection)
            if size is None:
                return None
            total += size
    return total


def _logs_below(folder: Path, profiles: Collection[str]) -> list[tuple[Path, list[str]]]:
    """The folders with logs of these profiles, and which of them each has: a target's own folder, or those in it."""
    places = [folder] if stored_files(folder) else target_folders(folder)
    logs = [(place, {file.log for file in stored_files(place)}) for place in places]
    return [(place, names) for place, held in logs if (names := [name for name in profiles if name in held])]
