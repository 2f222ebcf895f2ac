"""LOG_DIR: one daemon holds it, and each target has a folder in it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import threading
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
        self._lock = _take(path)
        #: Held while the lock is looked after, by any of the threads that write here.
        self._looking = threading.Lock()

    def target(self, name: str) -> TargetFolder:
        """The folder of the target with this name, created where there is none.

        Raises:
            LogError: It can't be created, or is a symbolic link or no folder.
        """
        folder = TargetFolder(self.path / folder_name(name), self.hold)
        folder.hold()
        return folder

    def hold(self) -> None:
        """Make sure that the folder is ours: where another program removed or replaced it, take it again.

        Raises:
            LogError: It can't be taken, or another process has it.
        """
        with self._looking:
            if self._lock < 0 or _is_at(self._lock, self.path / LOCK_NAME):
                return
            try:
                lock = _take(self.path)
            except AlreadyRunningError as error:
                raise LogError(str(error)) from error
            os.close(self._lock)
            self._lock = lock

    def close(self) -> None:
        """Let go of the folder. Closing twice is fine."""
        with self._looking:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        there = path.lstat()
    except OSError:
        return False
    held = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def _take(path: Path) -> int:
    """The descriptor that holds the lock, in a folder that is created where there is none."""
    try:
        path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise log_error(path, "create the log folder", error) from error
    lock_path = path / LOCK_NAME
    try:
        lock = open_regular(lock_path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise log_error(lock_path, "open", error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).strip()
        os.close(lock)
        who = f"process {int(holder)}" if holder.isdigit() else "another process"
        raise AlreadyRunningError(f"{path}: {who} is already writing logs there") from None
    except OSError as error:
        os.close(lock)
        raise log_error(lock_path, "lock", error) from error
    # On a full disk there may be no room for the process id: the lock holds without it.
    with contextlib.suppress(OSError):
        os.ftruncate(lock, os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0))
    return lock
