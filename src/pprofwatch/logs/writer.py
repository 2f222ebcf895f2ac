"""Appending entries to a log's live segment, and closing it when it is large or old enough."""

from __future__ import annotations

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
    """The open live segment: its descriptor, its length in bytes, and its first entry's time (None: it has none)."""

    descriptor: int
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
        #: What was found amiss, and done about it, when the live segment was opened: lines for the user.
        self.notices: list[str] = []
        self._folder = folder
        self._log = log
        self._rotate_size = rotate_size
        self._rotate_age = rotate_age
        self._segment: _Segment | None = None
        self._unsynced = False
        self._folder_unsynced = False
        self._sync_failed = False
        #: Held while the descriptor changes, so that sync never uses a closed one.
        self._lock = threading.Lock()
        if os.path.lexists(self.path):
            self._segment = self._open()

    def append(self, entry: Entry) -> None:
        """Add an entry: in the file, though not yet on the disk, when this returns. After an error, nothing of it is.

        Raises:
            LogError: It can't be written, or is too long. The next one can be tried.
        """
        data = encode_entry(entry)
        if self._segment is None:
            self._segment = self._open()
        segment = self._segment
        try:
            written = os.write(segment.descriptor, data)
        except OSError as error:
            self._cut_back(segment)
            raise log_error(self.path, "write", error) from error
        if written < len(data):
            self._cut_back(segment)
            raise LogError(f"{self.path}: cannot write: only {written} of {len(data)} bytes found room")
        segment.end += written
        segment.began = entry.time if segment.began is None else segment.began
        self._unsynced = True

    def sync(self) -> None:
        """Make what was appended durable. Blocks for as long as the disk takes: call it in a thread.

        Raises:
            LogError: It failed: nobody knows what is on the disk. The segment is due to be closed.
        """
        descriptor = -1
        try:
            with self._lock:
                if self._segment is not None and self._unsynced:
                    descriptor = os.dup(self._segment.descriptor)
                folder_unsynced = self._folder_unsynced
                self._unsynced = self._folder_unsynced = False
            if descriptor >= 0:
                os.fdatasync(descriptor)
            if folder_unsynced:
                sync_folder(self._folder.path)
        except OSError as error:
            # What could not be written the kernel forgets: asked again, it would say that all is well.
            self._sync_failed = True
            raise log_error(self.path, "sync", error) from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def due(self, now: float) -> bool:
        """Whether the live segment should be closed: it is large or old, or could not be synced.

        Args:
            now: Unix seconds. A first entry from the future counts as old too, since the clock was set back then.
        """
        segment = self._segment
        if segment is None or segment.began is None:
            return False
        old = abs(now - segment.began) >= self._rotate_age
        return old or segment.end >= self._rotate_size or self._sync_failed

    def rotate(self) -> Path | None:
        """Close the live segment and name it by its first entry; the next entry begins a new one.

        Quick: compressing the closed segment, which also makes it durable, is the caller's to do in a thread.

        Returns:
            The closed segment, or None if there was no entry to close.

        Raises:
            LogError: It can't be renamed, and goes on being written to.
        """
        segment = self._segment
        if segment is None or segment.began is None:
            return None
        closed = self._set_aside(segment.began)
        self.close()
        return closed

    def close(self) -> None:
        """Stop writing, without waiting for the disk. Closing twice is fine."""
        with self._lock:
            if self._segment is not None:
                os.close(self._segment.descriptor)
            self._segment = None
            self._sync_failed = False

    def _open(self) -> _Segment:
        """Open the live segment, without the torn entry at its end; one that is not ours to append to is set aside."""
        try:
            descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise log_error(self.path, "open", error) from error
        try:
            recovery = examine(descriptor)
            status = os.fstat(descriptor)
            if recovery.usable and recovery.end < status.st_size:
                os.ftruncate(descriptor, recovery.end)
                torn = status.st_size - recovery.end
                self.notices.append(f"{self.path}: cut off a torn entry of {torn} bytes at byte {recovery.end}")
        except OSError as error:
            os.close(descriptor)
            raise log_error(self.path, "read", error) from error
        self._folder_unsynced = True
        if recovery.usable:
            return _Segment(descriptor, recovery.end, recovery.began)
        os.close(descriptor)
        aside = self._set_aside(status.st_mtime if recovery.began is None else recovery.began)
        self.notices.append(f"{self.path}: does not end in an entry of ours; kept as {aside.name}")
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
            self.close()
