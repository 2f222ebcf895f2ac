"""LOG_DIR: one daemon holds it, and each target has a folder in it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from typing import TYPE_CHECKING, Self

from pprofwatch.errors import AlreadyRunningError, LogError
from pprofwatch.logs.files import FOLDER_MODE, log_error, open_regular
from pprofwatch.logs.target_folder import TargetFolder

if TYPE_CHECKING:
    from pathlib import Path

#: Held with flock by the daemon that writes here; holds its process id. It stays behind, unlocked: removing it would
#: let two daemons lock two files of one name.
LOCK_NAME = ".lock"
#: Longer folder names are cut and told apart by a digest, in characters (all ASCII).
MAX_FOLDER_NAME = 100


def folder_name(target: str) -> str:
    """A target's name as the name of its folder: ``localhost:6060`` → ``localhost_6060``.

    Everything but ASCII letters, digits, ``.``, ``_`` and ``-`` becomes ``_``, and so do a dot or dash in front: never
    empty, hidden, ``.`` or ``..``, and never taken for an option.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", target)
    safe = re.sub(r"^[.-]", "_", safe) or "_"
    if len(safe) <= MAX_FOLDER_NAME:
        return safe
    digest = hashlib.sha256(target.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{safe[: MAX_FOLDER_NAME - 13]}-{digest}"


class LogFolder:
    """A log folder that this process alone writes to, until it is closed or ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Create the folder where there is none, and take it.

        Raises:
            AlreadyRunningError: Another process has it; names its process id.
            LogError: It can't be created or written to.
        """
        self.path = path
        try:
            path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise log_error(path, "create the log folder", error) from error
        self._lock = _take(path)

    def target(self, name: str) -> TargetFolder:
        """The folder of the target with this name, created where there is none.

        Raises:
            LogError: It can't be created, or is a symbolic link or no folder.
        """
        path = self.path / folder_name(name)
        try:
            path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        except OSError as error:
            raise log_error(path, "create the target's folder", error) from error
        if path.is_symlink():
            raise LogError(f"{path}: expected a folder, not a symbolic link")
        return TargetFolder(path)

    def close(self) -> None:
        """Let go of the folder. Closing twice is fine."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _take(path: Path) -> int:
    """The descriptor that holds the lock."""
    lock_path = path / LOCK_NAME
    try:
        lock = open_regular(lock_path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise log_error(lock_path, "open", error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).strip()
        os.close(lock)
        who = f"process {int(holder)}" if holder.isdigit() else "another process"
        raise AlreadyRunningError(f"{path}: {who} is already writing logs there") from None
    except OSError as error:
        os.close(lock)
        raise log_error(lock_path, "lock", error) from error
    return lock
