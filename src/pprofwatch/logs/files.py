"""Files in a log folder: which of them are ours, and the few ways in which all of them are opened and made durable."""

from __future__ import annotations

import itertools
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pprofwatch.errors import LogError
from pprofwatch.logs import names
from pprofwatch.model import BINARY_PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Folders and files that we create: the group may read, others may not (a profile tells a program's insides).
FOLDER_MODE = 0o750
FILE_MODE = 0o640
#: The unit of ``st_blocks``, in bytes, whatever the disk's own (stat(3type)).
_BLOCK = 512

Kind = Literal["live", "closed", "binary", "evidence", "suspected"]


class StoredFile(NamedTuple):
    """One of our files in a target's folder. Evidence is of kind ``suspected`` while a leak is no more than that.

    ``log`` is the log's or the binary profile's name, or what kind of evidence it is (``names.EVIDENCE``). ``stamp``
    (Unix seconds, from the name) and ``number`` are its place in the order of time; a live segment has no stamp.
    ``size`` is its length in bytes, ``space`` what it takes of the disk; ``modified`` is in Unix seconds: that of the
    last entry, also after compression. ``inode`` stays the same when a live segment becomes a closed one. ``links`` is
    how many names the file has, here and elsewhere.
    """

    path: Path
    kind: Kind
    log: str
    stamp: float
    number: int
    size: int
    modified: float
    compressed: bool = False
    inode: int = 0
    space: int = 0
    links: int = 1


def log_error(path: Path | str, doing: str, error: OSError) -> LogError:
    """The one line for a failed system call: ``/var/log/x/goroutine.log: cannot write: No space left on device``."""
    return LogError(f"{path}: cannot {doing}: {error.strerror or error}")


def open_regular(path: Path, flags: int) -> int:
    """Open a regular file, following no symbolic link in its last component, and return its descriptor.

    Raises:
        LogError: It is something else.
        OSError: It can't be opened; ``ELOOP`` where it is a symbolic link.
    """
    # O_NONBLOCK: opening a FIFO that someone planted must not wait for its other end.
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, FILE_MODE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LogError(f"{path}: expected a regular file")
    return descriptor


def make_folder(path: Path) -> None:
    """Create a folder where there is none; its name is durable then.

    Raises:
        OSError: It can't be created, or is something else; not where it is a symbolic link to a folder.
    """
    if not path.is_dir():
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renamed, created and removed names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(folder: Path, name: Callable[[int], str], data: bytes) -> Path:
    """Write ``data`` to a file of its own, whole and durable or not at all. Its name is durable once the folder is.

    Args:
        folder: An existing folder. Another thread may be writing there, too.
        name: Gives names to try, for 1, 2, 3 …; the first that is free is taken.
        data: The file's content.

    Returns:
        The file's path.

    Raises:
        OSError: It can't be written.
    """
    for number in itertools.count(1):
        path = folder / name(number)
        if os.path.lexists(path):
            continue
        try:
            temporary = write_temporary(path, data)
        except FileExistsError:
            continue
        # Only who holds the temporary name may take the final one, so this check can't be overtaken.
        if not os.path.lexists(path):
            temporary.rename(path)
            return path
        temporary.unlink()
    raise AssertionError("there is always another number")


def write_temporary(path: Path, data: bytes) -> Path:
    """Write what is to be renamed to ``path``, and wait until it is on the disk; a failure leaves nothing behind.

    Returns:
        The new file, beside ``path``.

    Raises:
        FileExistsError: Someone is writing the same.
        OSError: It can't be written.
    """
    temporary = path.with_name(path.name + names.TEMPORARY)
    descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def target_folders(log_dir: Path) -> list[Path]:
    """The folders in a log folder that may be targets', by name. No symbolic link is followed.

    Raises:
        LogError: The folder can't be read.
    """
    return sorted(Path(entry.path) for entry in _scan(log_dir) if entry.is_dir(follow_symlinks=False))


def stored_files(folder: Path) -> list[StoredFile]:
    """Our files in a target's folder, in no order: only regular files whose names are exactly ours.

    Raises:
        LogError: The folder can't be read.
    """
    found = []
    for entry in _scan(folder):
        if entry.name in BINARY_PROFILES and entry.is_dir(follow_symlinks=False):
            found += [file for inner in _scan(folder / entry.name) if (file := _binary_file(inner, entry.name))]
        elif file := _segment(entry):
            found.append(file)
    return found


def stored_evidence(folder: Path) -> list[StoredFile]:
    """Our files in the incidents' folders of a target's folder, in no order: as ``stored_files``, but of evidence.

    Raises:
        LogError: A folder can't be read.
    """
    found = []
    for entry in _scan(folder):
        if entry.name == names.INCIDENTS and entry.is_dir(follow_symlinks=False):
            for incident in _scan(Path(entry.path)):
                if incident.is_dir(follow_symlinks=False):
                    if names.is_incident(incident.name):
                        found += evidence_in(Path(incident.path))
                    elif incident.name == names.SUSPECTED:
                        found += evidence_in(Path(incident.path), "suspected")
    return found


def evidence_in(folder: Path, kind: Kind = "evidence") -> list[StoredFile]:
    """Our files in one folder of evidence, in no order.

    Raises:
        LogError: It can't be read.
    """
    named = [(entry, evidence) for entry in _scan(folder) if (evidence := names.parse_evidence(entry.name))]
    return [file for entry, evidence in named if (file := _stored(entry, kind, *evidence))]


def remove_temporary_files(folder: Path) -> None:
    """Remove from a target's folder what a killed daemon had not finished writing.

    Raises:
        LogError: The folder can't be read, or such a file not be removed.
    """
    places = [(folder, ""), *((folder / name, name) for name in (*BINARY_PROFILES, names.INCIDENTS))]
    for place, name in places:
        if not place.is_dir() or place.is_symlink():
            continue
        for entry in _scan(place):
            if names.is_temporary(entry.name, name) and entry.is_file(follow_symlinks=False):
                try:
                    Path(entry.path).unlink(missing_ok=True)
                except OSError as error:
                    raise log_error(entry.path, "remove", error) from error


def _segment(entry: os.DirEntry[str]) -> StoredFile | None:
    if log := names.parse_live(entry.name):
        return _stored(entry, "live", log, 0.0, 0)
    if closed := names.parse_closed(entry.name):
        return _stored(entry, "closed", closed.log, closed.stamp, closed.number, compressed=closed.compressed)
    return None


def _binary_file(entry: os.DirEntry[str], profile: str) -> StoredFile | None:
    stamp = names.parse_binary(profile, entry.name)
    return _stored(entry, "binary", profile, *stamp) if stamp else None


def _stored(
    entry: os.DirEntry[str],
    kind: Kind,
    log: str,
    stamp: float,
    number: int,
    *,
    compressed: bool = False,
) -> StoredFile | None:
    """The entry of a folder with its size, or None if it is no regular file, or gone meanwhile."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    size, modified, inode = status.st_size, status.st_mtime, status.st_ino
    space, links = status.st_blocks * _BLOCK, status.st_nlink
    return StoredFile(Path(entry.path), kind, log, stamp, number, size, modified, compressed, inode, space, links)


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise log_error(folder, "read", error) from error
