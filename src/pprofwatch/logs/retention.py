"""Which closed segments, binary profiles and evidence are removed, so that a log folder keeps its bounds."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.errors import LogError
from pprofwatch.logs.files import StoredFile, log_error, stored_evidence, stored_files, target_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

#: Incidents of one target whose evidence is kept.
_MOST_INCIDENTS = 100
#: Where a disk has a limit on files, so many more must find a place on it.
_SPARE_FILES = 16


class Outcome(NamedTuple):
    """What became of it.

    ``removed`` was removed, and so many files that could have been are ``left``. Our files take ``taken`` bytes now,
    and ``free`` are free on their disk.
    """

    removed: list[StoredFile]
    left: int
    taken: int
    free: int


def plan(
    files: Iterable[StoredFile],
    *,
    now: float,
    keep_size: int,
    keep_age: float,
    rotate_age: float,
    short: int = 0,
    at_least: int = 0,
) -> list[StoredFile]:
    """The files to remove, oldest first. What is live or suspected counts towards the size, and stays.

    Args:
        files: All of our files in a log folder.
        now: Unix seconds.
        keep_size: The files may take so many bytes together.
        keep_age: Entries are kept for so many seconds.
        rotate_age: A segment holds entries of so many seconds: all of them are older than ``keep_age`` only when its
            first one is older by this.
        short: So many bytes are wanted back in any case.
        at_least: So many files have to go in any case.
    """
    files = list(files)
    excess = max(sum(file.space for file in files) - keep_size, short)
    surplus = _surplus(files)
    removed: list[StoredFile] = []
    for file in sorted(filter(_is_done, files), key=_age_order):
        span = rotate_age if file.kind == "closed" else 0.0
        is_old = file.stamp + span < now - keep_age
        if excess > 0 or is_old or file.path.parent in surplus or len(removed) < at_least:
            removed.append(file)
            excess -= file.space
    return removed


def apply_retention(
    log_dir: Path,
    *,
    live: Collection[Path],
    now: float,
    keep_size: int,
    keep_free: int,
    keep_age: float,
    rotate_age: float,
    on_error: Callable[[LogError], None],
) -> Outcome:
    """Remove from a log folder what ``plan`` says. Blocks: call it in a thread.

    A file that has another name elsewhere (a hard link) is neither counted nor removed: nothing would become free.

    Args:
        log_dir: The log folder.
        live: The live segments that are written to. Another (its target is no longer polled) is as good as closed.
        now: Unix seconds.
        keep_size: See ``plan``.
        keep_free: So many bytes are to be free on the disk, for those who are not root.
        keep_age: See ``plan``.
        rotate_age: See ``plan``.
        on_error: Called with each folder that can't be read and each file that can't be removed; the rest is done.
    """
    files = [
        file._replace(kind="closed", stamp=file.modified) if file.kind == "live" and file.path not in live else file
        for file in _all_files(log_dir, on_error)
        if file.links == 1
    ]
    free, free_files = _free(log_dir)
    removed = []
    for file in plan(
        files,
        now=now,
        keep_size=keep_size,
        keep_age=keep_age,
        rotate_age=rotate_age,
        short=keep_free - free,
        at_least=_SPARE_FILES - free_files,
    ):
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            on_error(log_error(file.path, "remove", error))
        else:
            removed.append(file)
    for folder in {file.path.parent for file in removed if file.kind == "evidence"}:
        with contextlib.suppress(OSError):  # it holds more, ours or not
            folder.rmdir()
    left = sum(map(_is_done, files)) - len(removed)
    taken = sum(file.space for file in files) - sum(file.space for file in removed)
    return Outcome(removed, left, taken, _free(log_dir)[0])


def is_short(log_dir: Path, keep_free: int) -> bool:
    """Whether less than ``keep_free`` bytes are free on a folder's disk, or hardly a file can be created there."""
    free, free_files = _free(log_dir)
    return free < keep_free or free_files < _SPARE_FILES


def _free(folder: Path) -> tuple[int, int]:
    """Bytes and files that still find room on a folder's disk; more than enough, where that can't be known."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return sys.maxsize, sys.maxsize
    return status.f_bavail * status.f_frsize, status.f_favail if status.f_files else sys.maxsize


def _surplus(files: Iterable[StoredFile]) -> set[Path]:
    """The incidents' folders beyond the newest of each target. Their names are in the order of time."""
    incidents: dict[Path, set[Path]] = defaultdict(set)
    for file in files:
        if file.kind == "evidence":
            incidents[file.path.parent.parent].add(file.path.parent)
    return {folder for folders in incidents.values() for folder in sorted(folders)[:-_MOST_INCIDENTS]}


def _all_files(log_dir: Path, on_error: Callable[[LogError], None]) -> list[StoredFile]:
    files: list[StoredFile] = []
    try:
        folders = target_folders(log_dir)
    except LogError as error:
        on_error(error)
        return []
    for folder in folders:
        try:
            files += stored_files(folder)
            files += stored_evidence(folder)
        except LogError as error:
            on_error(error)
    return files


def _is_done(file: StoredFile) -> bool:
    return file.kind not in ("live", "suspected")


def _age_order(file: StoredFile) -> tuple[float, int, str]:
    return file.stamp, file.number, str(file.path)
