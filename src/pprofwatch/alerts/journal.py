"""What was told about a target's incidents, on disk: after a restart nothing is told twice, and nothing forgotten."""

from __future__ import annotations

import itertools
import os
import re
import zlib
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.errors import LogError
from pprofwatch.leaks.evidence import Evidence  # noqa: TC001  # msgspec reads annotations
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity  # noqa: TC001  # msgspec reads annotations
from pprofwatch.logs.files import FOLDER_MODE, log_error, open_regular, sync_folder, write_temporary
from pprofwatch.logs.names import TEMPORARY
from pprofwatch.model import Frame, Stack
from pprofwatch.times import format_time, parse_time

if TYPE_CHECKING:
    from pathlib import Path

#: In a target's folder. A line an event, JSON, whose last member is the checksum of all the rest.
JOURNAL = "incidents/incidents.log"
#: A journal that has grown to this many bytes is cut to its last half, and what is open from before. Bytes.
_LONGEST = 8 << 20
#: Of one that is longer still, by another's hand, only the end is read. Bytes.
_MOST_READ = 2 * _LONGEST

_CHECKSUM = b',"crc32":"%08x"}'
_CHECKED = re.compile(rb'(\{.+),"crc32":"([0-9a-f]{8})"\}', re.DOTALL)

_Frames = list[Frame]


class _Line(msgspec.Struct):
    """An event as a line of the journal."""

    time: str
    event: Action
    incident: str
    target: str
    profile: str
    severity: Severity
    detected_at: str
    since: str
    count_from: int
    count_to: int
    total_from: int
    total_to: int
    stack: _Frames
    also: list[_Frames] = []
    dispersion: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    scale: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    listed: bool = False
    companion: _Frames | None = None
    ratio: Annotated[int, msgspec.Meta(ge=1)] = 1
    evidence: Evidence | None = None
    number: int = 0
    kept: str = ""


class _UncheckedLine(_Line, forbid_unknown_fields=True):
    """An event as a line without a checksum: what damage has made of the checksum's name is no name of its fields."""


class DamagedLine(NamedTuple):
    """A line of a journal that can't be read: its offset and length in bytes, and whether only its end is missing."""

    offset: int
    length: int
    is_torn: bool


class Journal:
    """The journal of one target's incidents."""

    def __init__(self, folder: Path) -> None:
        """``folder``: the target's folder; the journal need not exist."""
        self._path = folder / JOURNAL
        #: Lines that the last ``read`` passed over.
        self.damaged = 0

    def read(self) -> list[Event]:
        """The events, oldest first. A line that is damaged or torn is passed over.

        Raises:
            LogError: The journal can't be read.
        """
        events = [_decode(line) for _, line in self._lines()]
        self.damaged = events.count(None)
        return [event for event in events if event is not None]

    def damaged_lines(self) -> list[DamagedLine]:
        """The lines that ``read`` passes over.

        Raises:
            LogError: The journal can't be read.
        """
        return [
            DamagedLine(offset, len(line), is_torn=line.startswith(b"{") and not line.endswith(b"}"))
            for offset, line in self._lines()
            if _decode(line) is None
        ]

    def _lines(self) -> list[tuple[int, bytes]]:
        """The lines that are not empty, and their offsets in the file."""
        try:
            descriptor = open_regular(self._path, os.O_RDONLY)
            with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor, not a path
                begin = max(0, os.fstat(descriptor).st_size - _MOST_READ)
                file.seek(begin)
                lines = file.read(_MOST_READ).split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise log_error(self._path, "read", error) from error
        offsets = itertools.accumulate((len(line) + 1 for line in lines), initial=begin)
        found = [(offset, line) for offset, line in zip(offsets, lines, strict=False) if line]
        return found[1:] if begin else found  # the first one may have begun before

    def append(self, event: Event) -> None:
        """Add an event, and wait until it is on the disk: it is about to be told.

        Raises:
            LogError: It can't be written.
        """
        line = _encode(event)
        try:
            self._path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            descriptor = open_regular(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                end = os.fstat(descriptor).st_size
                if end and os.pread(descriptor, 1, end - 1) != b"\n":
                    line = b"\n" + line  # what a killed daemon left stays a line of its own
                if os.write(descriptor, line) < len(line):
                    os.ftruncate(descriptor, end)
                    raise LogError(f"{self._path}: cannot write: no room")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._path.parent)
            if end > _LONGEST:
                self._shorten()
        except OSError as error:
            raise log_error(self._path, "write", error) from error

    def _shorten(self) -> None:
        """Drop the older half, but for the last event of each incident that is open."""
        events = self.read()
        lines = [_encode(event) for event in events]
        size = sum(map(len, lines))
        dropped = 0
        while size > _LONGEST // 2:
            size -= len(lines[dropped])
            dropped += 1
        open_before: dict[str, int] = {}
        for i, event in enumerate(events[:dropped]):
            if event.action is Action.RESOLVED:
                open_before.pop(event.incident, None)
            elif event.action is not Action.SUSPECTED:
                open_before[event.incident] = i
        kept = [lines[i] for i in sorted(open_before.values())] + lines[dropped:]
        self._path.with_name(self._path.name + TEMPORARY).unlink(missing_ok=True)  # a killed daemon's
        write_temporary(self._path, b"".join(kept)).rename(self._path)
        sync_folder(self._path.parent)


def _encode(event: Event) -> bytes:
    leak = event.leak
    line = _Line(
        time=format_time(event.time),
        event=event.action,
        incident=event.incident,
        target=event.target,
        profile=event.profile,
        severity=leak.severity,
        detected_at=format_time(leak.detected_at),
        since=format_time(leak.since),
        count_from=leak.count_from,
        count_to=leak.count_to,
        total_from=leak.total_from,
        total_to=leak.total_to,
        stack=list(leak.stack.frames),
        also=[list(stack.frames) for stack in leak.also],
        dispersion=leak.dispersion,
        scale=leak.scale,
        listed=leak.listed,
        companion=list(leak.companion.frames) if leak.companion else None,
        ratio=leak.ratio,
        evidence=leak.evidence,
        number=event.number,
        kept=event.kept,
    )
    text = msgspec.json.encode(line)[:-1]
    return text + _CHECKSUM % zlib.crc32(text) + b"\n"


def _decode(text: bytes) -> Event | None:
    checked = _CHECKED.fullmatch(text)
    if checked and int(checked[2], 16) != zlib.crc32(checked[1]):
        return None
    try:
        line = msgspec.json.decode(text, type=_Line if checked else _UncheckedLine)
        time = parse_time(line.time)
        leak = Leak(
            stack=_stack(line.stack),
            severity=line.severity,
            detected_at=parse_time(line.detected_at),
            since=parse_time(line.since),
            time=time,
            count_from=line.count_from,
            count_to=line.count_to,
            total_from=line.total_from,
            total_to=line.total_to,
            also=tuple(_stack(frames) for frames in line.also),
            dispersion=line.dispersion,
            scale=line.scale,
            listed=line.listed,
            companion=None if line.companion is None else _stack(line.companion),
            ratio=line.ratio,
            evidence=line.evidence,
        )
    except (msgspec.DecodeError, ValueError):
        return None
    return Event(line.event, time, line.incident, line.target, line.profile, leak, line.number, line.kept)


def _stack(frames: _Frames) -> Stack:
    if not frames:
        raise ValueError("a stack without frames")
    return Stack(tuple(frames))
