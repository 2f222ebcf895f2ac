"""A target's folders of evidence: one for what is suspected now, which becomes that of the incident it turns into."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from typing import TYPE_CHECKING

from pprofwatch.errors import LogError
from pprofwatch.logs import names
from pprofwatch.logs.files import FOLDER_MODE, evidence_in, log_error, make_folder, sync_folder, write_temporary

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.logs.files import StoredFile

#: Files kept for a suspicion that lasts; the oldest go first.
_MOST_SUSPECTED = 12
#: How often a file is put into a folder that is renamed or removed at just that moment.
_ATTEMPTS = 3


class EvidenceFolder:
    """The evidence of one target. All methods block: call them in a thread.

    Any number of objects, in any threads, may stand for the same target's.
    """

    def __init__(self, target_folder: Path) -> None:
        """``target_folder``: the target's folder in the log folder."""
        self._incidents = target_folder / names.INCIDENTS
        self._suspected = self._incidents / names.SUSPECTED

    def store(self, kind: str, time: float, data: bytes) -> None:
        """Keep a file for what is suspected: whole and durable, or not at all.

        Args:
            kind: One of ``names.EVIDENCE``: ``goroutine.pb.gz``, ``goroutine.txt``, ``goroutineleak.txt``.
            time: When it was asked for, in Unix seconds.
            data: As it came.

        Raises:
            LogError: It can't be kept.
        """
        try:
            self._store(kind, time, data)
        except OSError as error:
            raise log_error(self._suspected, "keep evidence", error) from error
        with contextlib.suppress(LogError):  # turned into an incident's meanwhile
            for old in _oldest_first(self._suspected)[:-_MOST_SUSPECTED]:
                old.path.unlink(missing_ok=True)

    def adopt(self, incident: str) -> str:
        """Make what is kept for what is suspected the evidence of an incident, beside what that has.

        Args:
            incident: Its name.

        Returns:
            The incident's folder, relative to the target's: ``incidents/20261122T142233Z-3fa9c1d2``; empty where there
            is no evidence.

        Raises:
            LogError: It can't be moved.
        """
        folder = self._incidents / incident
        try:
            if self._has_suspected() and _oldest_first(self._suspected):
                if os.path.lexists(folder):
                    _check_folder(folder)
                    for file in _oldest_first(self._suspected):
                        _move(file.path, folder, file.log, file.stamp)
                    _remove_empty(self._suspected)
                    sync_folder(folder)
                else:
                    self._suspected.rename(folder)
                sync_folder(self._incidents)
        except OSError as error:
            raise log_error(folder, "keep evidence", error) from error
        return f"{names.INCIDENTS}/{incident}" if folder.is_dir() and not folder.is_symlink() else ""

    def discard(self) -> None:
        """Remove what is kept for what is suspected: it came to nothing.

        Raises:
            LogError: It can't be removed.
        """
        if not self._has_suspected():
            return
        try:
            for file in _oldest_first(self._suspected):
                file.path.unlink(missing_ok=True)
            _remove_empty(self._suspected)
        except OSError as error:
            raise log_error(self._suspected, "remove", error) from error

    def _has_suspected(self) -> bool:
        return all(folder.is_dir() and not folder.is_symlink() for folder in (self._incidents, self._suspected))

    def _store(self, kind: str, time: float, data: bytes) -> None:
        make_folder(self._incidents)
        _check_folder(self._incidents)
        # Written beside the folder, which may be renamed meanwhile.
        temporary = _write(self._incidents, kind, time, data)
        try:
            self._move_in(temporary, kind, time)
        except (LogError, OSError):
            temporary.unlink(missing_ok=True)
            raise
        with contextlib.suppress(FileNotFoundError):  # renamed already, by who makes it durable
            sync_folder(self._suspected)
        sync_folder(self._incidents)

    def _move_in(self, path: Path, kind: str, time: float) -> None:
        """Move a file to what is suspected, which another thread may be renaming or removing."""
        for attempt in range(_ATTEMPTS):
            self._suspected.mkdir(mode=FOLDER_MODE, exist_ok=True)
            _check_folder(self._suspected)
            try:
                return _move(path, self._suspected, kind, time)
            except FileNotFoundError:
                if attempt + 1 == _ATTEMPTS:
                    raise
        return None


def _write(folder: Path, kind: str, time: float, data: bytes) -> Path:
    for number in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            return write_temporary(folder / names.evidence_name(kind, time, number), data)
    raise AssertionError("there is always another number")


def _move(path: Path, folder: Path, kind: str, time: float) -> None:
    """Move a file into a folder, under the first free name."""
    for number in itertools.count(1):
        final = folder / names.evidence_name(kind, time, number)
        if not os.path.lexists(final):
            path.rename(final)
            return


def _oldest_first(folder: Path) -> list[StoredFile]:
    return sorted(evidence_in(folder), key=lambda file: (file.stamp, file.number))


def _remove_empty(folder: Path) -> None:
    """Remove a folder; one with something in it that is not ours stays."""
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise


def _check_folder(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        raise LogError(f"{path}: expected a folder, not a symbolic link")
