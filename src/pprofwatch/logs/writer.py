"""Appending entries to a log's live segment, and closing it when it is large or old enough.

Anyone may rename, remove or cut short the live segment while it is written to; disks fill up, and fail. Nothing that
was written is then touched, and the next entry goes into a file of the right name.
"""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.errors import LogError
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.files import log_error, open_regular, sync_folder
from pprofwatch.logs.recovery import examine

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.logs.target_folder import TargetFolder
    from pprofwatch.model import Entry


@dataclass(slots=True)
class _Segment:
    """The open live segment.

    ``device`` and ``inode`` tell the file from another of its name; ``end`` is its length in bytes, and ``began`` its
    first entry's time (None: it has none).
    """

    descriptor: int
    device: int
    inode: int
    end: int
    began: float | None


class LogWriter:
    """The one writer of a log. Only ``sync`` may be called from another thread."""

    def __init__(self, folder: TargetFolder, log: str, *, rotate_size: int, rotate_age: float) -> None:
        """Write to the log ``log`` in a target's folder, going on with a live segment that is there.

        Args:
            folder: The target's folder.
            log: The log's name, as ``ProfileRequest.log_name`` has it.
            rotate_size: The segment is due to be closed from this many bytes on.
            rotate_age: The segment is due to be closed when its first entry is older, in seconds.

        Raises:
            LogError: The live segment can't be opened or read.
        """
        self.path = folder.live_path(log)
        self.rotate_size = rotate_size
        #: What was found amiss with the live segment, and done about it: lines for the user.
        self.notices: list[str] = []
        #: Segments that an append had to close; whoever takes them from here has them compressed.
        self.closed: list[Path] = []
        self._folder = folder
        self._log = log
        self._rotate_age = rotate_age
        self._segment: _Segment | None = None
        #: Nothing more may go into the segment: it could not be synced, or may not grow.
        self._spent = False
        self._unsynced = False
        self._folder_unsynced = False
        #: Descriptors of segments that were closed, but not made durable yet.
        self._retired: list[int] = []
        #: Held while descriptors change hands, so that sync never uses a closed one.
        self._lock = threading.Lock()
        if os.path.lexists(self.path):
            self._segment = self._open()

    def append(self, entry: Entry) -> int:
        """Add an entry: in the file, though not yet on the disk, when this returns. After an error, nothing of it is.

        Returns:
            The bytes that it took.

        Raises:
            LogError: It can't be written, or is too long. The next one can be tried.
        """
        data = encode_entry(entry)
        if self._spent:
            self._replace_spent()
        try:
            self._append(data, entry.time)
        except LogError:
            if not self._spent:
                raise
            self._replace_spent()
            self._append(data, entry.time)
        return len(data)

    def sync(self) -> None:
        """Make what was appended durable. Blocks for as long as the disk takes: call it in a thread.

        Raises:
            LogError: It failed: nobody knows what is on the disk. The next entry begins a new segment.
        """
        failure: OSError | None = None
        try:
            descriptors, folder_unsynced = self._take_unsynced()
            for descriptor in descriptors:
                try:
                    os.fdatasync(descriptor)
                except OSError as error:
                    # What could not be written the kernel forgets: asked again, it would say that all is well.
                    self._spent = True
                    failure = error
                finally:
                    os.close(descriptor)
            if folder_unsynced:
                self._sync_folder()
        except OSError as error:
            failure = error
        if failure is not None:
            raise log_error(self.path, "sync", failure) from failure

    def due(self, now: float) -> bool:
        """Whether the live segment should be closed: it is large or old, or nothing more may go into it.

        Args:
            now: Unix seconds. A first entry from the future counts as old too, since the clock was set back then.
        """
        segment = self._segment
        if segment is None or segment.began is None:
            return False
        old = abs(now - segment.began) >= self._rotate_age
        return old or segment.end >= self.rotate_size or self._spent

    def rotate(self) -> Path | None:
        """Close the live segment and name it by its first entry; the next entry begins a new one.

        Quick: making it durable is the next sync's, and compressing it the caller's to do in a thread.

        Returns:
            The closed segment, or None if there was no entry to close.

        Raises:
            LogError: It can't be renamed, and goes on being written to.
        """
        segment = self._segment
        if segment is None or self._is_lost(segment) or segment.began is None:
            self._retire()
            return None
        closed = self._set_aside(segment.began)
        self._retire()
        return closed

    def close(self) -> None:
        """Stop writing, without waiting for the disk. Closing twice is fine."""
        self._retire()
        with self._lock:
            while self._retired:
                os.close(self._retired.pop())

    def _append(self, data: bytes, time: float) -> None:
        if self._segment is not None and self._is_lost(self._segment):
            self._retire()
        if self._segment is None:
            self._segment = self._open()
        segment = self._segment
        try:
            _write(segment.descriptor, data)
        except OSError as error:
            self._cut_back(segment)
            # There is a limit on the size of files, not room on the disk: an empty one may do.
            self._spent = error.errno == errno.EFBIG and segment.began is not None
            raise log_error(self.path, "write", error) from error
        segment.end += len(data)
        segment.began = time if segment.began is None else segment.began
        self._unsynced = True

    def _is_lost(self, segment: _Segment) -> bool:
        """Whether another program did something to the live segment; says what."""
        try:
            status = os.lstat(self.path)
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != (segment.device, segment.inode):
            self.notices.append(f"{self.path}: another program renamed or removed it; the next entry begins a new one")
            return True
        if status.st_size != segment.end:
            sizes = f"it has {status.st_size} bytes, and should have {segment.end}"
            self.notices.append(f"{self.path}: another program changed it: {sizes}")
            return True
        return False

    def _replace_spent(self) -> None:
        if closed := self.rotate():
            self.closed.append(closed)

    def _open(self) -> _Segment:
        """Open the live segment, without the torn entry at its end; one that is not ours to append to is set aside."""
        self._folder.hold()
        try:
            descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise log_error(self.path, "open", error) from error
        try:
            status = os.fstat(descriptor)
            # Who else has a name for the file may not want it changed.
            recovery = examine(descriptor) if status.st_nlink == 1 else None
            if recovery and recovery.usable and recovery.end < status.st_size:
                os.ftruncate(descriptor, recovery.end)
                torn = status.st_size - recovery.end
                self.notices.append(f"{self.path}: cut off a torn entry of {torn} bytes at byte {recovery.end}")
        except OSError as error:
            os.close(descriptor)
            raise log_error(self.path, "read", error) from error
        self._folder_unsynced = True
        if recovery and recovery.usable:
            return _Segment(descriptor, status.st_dev, status.st_ino, recovery.end, recovery.began)
        os.close(descriptor)
        began = recovery.began if recovery else None
        aside = self._set_aside(status.st_mtime if began is None else began)
        reason = "does not end in an entry of ours" if recovery else "has another name, too (a hard link)"
        self.notices.append(f"{self.path}: {reason}; kept as {aside.name}")
        return self._open()

    def _set_aside(self, began: float) -> Path:
        """Rename the live segment to a closed one."""
        closed = self._folder.free_closed_path(self._log, began)
        try:
            self.path.rename(closed)
        except OSError as error:
            raise log_error(self.path, "rename", error) from error
        self._folder_unsynced = True
        return closed

    def _cut_back(self, segment: _Segment) -> None:
        """Remove what a failed write left. If even that fails, opening the segment again will."""
        try:
            os.ftruncate(segment.descriptor, segment.end)
        except OSError:
            self._retire()

    def _retire(self) -> None:
        """Let go of the segment; what was appended to it is still to be made durable, unless that failed before."""
        with self._lock:
            if self._segment is not None:
                if self._unsynced and not self._spent:
                    self._retired.append(self._segment.descriptor)
                else:
                    os.close(self._segment.descriptor)
            self._segment = None
            self._unsynced = self._spent = False

    def _take_unsynced(self) -> tuple[list[int], bool]:
        """Descriptors, to be closed, of what is not durable yet; and whether that holds for the folder, too.

        Raises:
            OSError: There are too many open files.
        """
        with self._lock:
            if self._segment is not None and self._unsynced:
                self._retired.append(os.dup(self._segment.descriptor))
            descriptors, self._retired = self._retired, []
            folder_unsynced = self._folder_unsynced
            self._unsynced = self._folder_unsynced = False
        return descriptors, folder_unsynced

    def _sync_folder(self) -> None:
        try:
            sync_folder(self._folder.path)
        except OSError:
            self._folder_unsynced = True
            raise


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it. Where there is room for a part, the next attempt says why not for the rest.

    Raises:
        OSError: It can't be written; a part of it may have been.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
