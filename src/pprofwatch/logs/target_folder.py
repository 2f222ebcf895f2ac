"""A target's folder: its live and closed segments, and the files of its binary profiles."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from pprofwatch.errors import LogError
from pprofwatch.logs import names
from pprofwatch.logs.evidence_folder import EvidenceFolder
from pprofwatch.logs.files import (
    log_error,
    make_folder,
    remove_temporary_files,
    stored_files,
    sync_folder,
    write_new,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TargetFolder:
    """The folder of one target in a log folder."""

    def __init__(self, path: Path, hold_log_folder: Callable[[], None] = lambda: None) -> None:
        """``hold_log_folder`` makes sure that the log folder is this process's, or raises LogError."""
        self.path = path
        self._hold_log_folder = hold_log_folder

    def hold(self) -> None:
        """Make sure that the folder is there, also where another program removed it, and ours to write to.

        Raises:
            LogError: It can't be created, is a symbolic link or no folder, or another process has the log folder.
        """
        self._hold_log_folder()
        try:
            make_folder(self.path)
        except OSError as error:
            raise log_error(self.path, "create the target's folder", error) from error
        if self.path.is_symlink():
            raise LogError(f"{self.path}: expected a folder, not a symbolic link")

    def live_path(self, log: str) -> Path:
        """Where the live segment of a log is, or will be."""
        return self.path / names.live_name(log)

    def free_closed_path(self, log: str, stamp: float) -> Path:
        """A path for a closed segment whose first entry has this time (Unix seconds), taken by no other segment."""
        number = 1
        while True:
            path = self.path / names.closed_name(log, stamp, number)
            if not os.path.lexists(path) and not os.path.lexists(f"{path}.zst"):
                return path
            number += 1

    def clean(self) -> list[Path]:
        """Remove what a killed daemon left half-written; return the closed segments that wait for compression.

        Raises:
            LogError: The folder can't be read, or a left-over file not be removed.
        """
        remove_temporary_files(self.path)
        EvidenceFolder(self.path).discard()
        closed = [file for file in stored_files(self.path) if file.kind == "closed" and not file.compressed]
        return [file.path for file in closed if file.links == 1]

    def store_binary(self, profile: str, time: float, data: bytes) -> str:
        """Write a binary profile to a file of its own, whole and durable or not at all. Blocks: call it in a thread.

        Args:
            profile: ``profile`` or ``trace``.
            time: When it was asked for, in Unix seconds.
            data: The profile as it came.

        Returns:
            The file's path relative to this folder, as an entry's ``file`` says it: ``profile/20261122T134953Z.pb.gz``.

        Raises:
            LogError: It can't be written.
        """
        folder = self.path / profile
        try:
            make_folder(folder)
            path = write_new(folder, partial(names.binary_name, profile, time), data)
            sync_folder(folder)
        except OSError as error:
            raise log_error(folder, "store a profile", error) from error
        return f"{profile}/{path.name}"
