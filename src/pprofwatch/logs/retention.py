"""Which closed segments, binary profiles and evidence are removed, so that a log folder keeps its size and age."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING

from pprofwatch.errors import LogError
from pprofwatch.logs.files import StoredFile, log_error, stored_evidence, stored_files, target_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

#: Incidents of one target whose evidence is kept.
_MOST_INCIDENTS = 100


def plan(
    files: Iterable[StoredFile], *, now: float, keep_size: int, keep_age: float, rotate_age: float
) -> list[StoredFile]:
    """The files to remove, oldest first. Never a live segment, though those count towards the size.

    Args:
        files: All of our files in a log folder.
        now: Unix seconds.
        keep_size: The files may take so many bytes together.
        keep_age: Entries are kept for so many seconds.
        rotate_age: A segment holds entries of so many seconds: all of them are older than ``keep_age`` only when its
            first one is older by this.
    """
    files = list(files)
    excess = sum(file.size for file in files) - keep_size
    surplus = _surplus(files)
    removed = []
    for file in sorted((file for file in files if file.kind != "live"), key=_age_order):
        span = rotate_age if file.kind == "closed" else 0.0
        if excess > 0 or file.stamp + span < now - keep_age or file.path.parent in surplus:
            removed.append(file)
            excess -= file.size
    return removed


def apply_retention(
    log_dir: Path,
    *,
    now: float,
    keep_size: int,
    keep_age: float,
    rotate_age: float,
    on_error: Callable[[LogError], None],
) -> list[StoredFile]:
    """Remove from a log folder what ``plan`` says. Blocks: call it in a thread.

    Args:
        log_dir: The log folder.
        now: Unix seconds.
        keep_size: See ``plan``.
        keep_age: See ``plan``.
        rotate_age: See ``plan``.
        on_error: Called with each folder that can't be read and each file that can't be removed; the rest is done.

    Returns:
        What was removed.
    """
    removed = []
    for file in plan(
        _all_files(log_dir, on_error), now=now, keep_size=keep_size, keep_age=keep_age, rotate_age=rotate_age
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
    return removed


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


def _age_order(file: StoredFile) -> tuple[float, int, str]:
    return file.stamp, file.number, str(file.path)
