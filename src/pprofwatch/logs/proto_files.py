"""Files with a profile.proto each: CPU profiles in log folders, incidents' evidence, what cron and CI jobs keep."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.errors import LogError, ProfileError
from pprofwatch.logs.files import log_error, target_folders
from pprofwatch.logs.sources import STANDARD_INPUT
from pprofwatch.model import TEXT_PROFILES, Entry
from pprofwatch.times import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The longest file that is read, in bytes.
_MOST_BYTES = 64 << 20
_MOST_ITEMS = 1_000_000
_SUFFIXES = (".pb.gz", ".pb", ".pprof", ".prof")
#: Our own names tell the time, and those of evidence the profile: ``goroutine-20261122T134953Z-2.pb.gz``.
_NAME = re.compile(r"(?:([a-z]+)-)?(\d{8}T\d{6}Z)(?:-\d{1,6})?\.pb\.gz", re.ASCII)
_CPU = "profile"
_GZIP = b"\x1f\x8b"
#: So much of a file tells whether it is text: a protobuf begins with a short length, which no text has.
_HEAD = 64
_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08]")


class ProtoFile(NamedTuple):
    """A file, and what is known of it without reading it.

    ``profile`` is empty, and ``time`` 0, where its name does not tell; ``modified`` is the file's own time. Times are
    Unix seconds.
    """

    path: Path
    profile: str
    time: float
    modified: float

    def read(self) -> bytes:
        """All of it.

        Raises:
            LogError: It can't be read, or is too long to be a profile.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise log_error(self.path, "read", error) from error
        if len(data) > _MOST_BYTES:
            raise LogError(f"{self.path}: longer than {_MOST_BYTES} bytes, more than a profile can be")
        return data


def is_proto(path: str) -> bool:
    """Whether a path is a file with a protobuf in it, judged by its first bytes; False where it can't be read."""
    if path == STANDARD_INPUT or not Path(path).is_file():
        return False
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD * 4)
    except OSError:
        return False
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, _HEAD)
        except zlib.error:
            return False
        return bool(_NEVER_IN_TEXT.search(head))
    return path.endswith(_SUFFIXES) and bool(_NEVER_IN_TEXT.search(head[:_HEAD]))


def proto_file(path: Path) -> ProtoFile:
    """A file with a protobuf."""
    match = _NAME.fullmatch(path.name)
    profile, time = "", 0.0
    if match is not None:
        profile = match[1] or (_CPU if path.parent.name == _CPU else "")
        try:
            time = parse_stamp(match[2])
        except ValueError:  # there is no such day
            time = 0.0
    else:
        profile = next((name for name in TEXT_PROFILES if re.match(rf"{name}\b", path.name)), "")
    return ProtoFile(path, profile, time, path.stat().st_mtime)


def find_proto_files(folder: str, profile: str | None) -> list[ProtoFile]:
    """The files with protobufs in a folder, by path; for CPU, also where a log folder or a target's keeps them.

    Raises:
        LogError: The folder can't be read.
    """
    places = [Path(folder)]
    if profile == _CPU:
        places += [place / _CPU for place in (Path(folder), *target_folders(Path(folder))) if (place / _CPU).is_dir()]
    return [proto_file(path) for place in places for path in _listed(place)]


def proto_entry(file: ProtoFile) -> Entry:
    """A file as if it had been logged: with its text, which a CPU profile doesn't have.

    Raises:
        LogError: It can't be read, or is no profile.
    """
    # Loading protobuf takes longer than all else, and logs need none.
    from pprofwatch.profiles.proto import decode_proto, guess_kind, to_profile  # noqa: PLC0415
    from pprofwatch.profiles.text import render_text  # noqa: PLC0415

    try:
        proto = decode_proto(file.read(), max_bytes=_MOST_BYTES, max_items=_MOST_ITEMS)
        kind = file.profile or guess_kind(proto)
        body = render_text(to_profile(proto, kind)) if kind != _CPU else b""
    except ProfileError as error:
        raise LogError(f"{file.path}: {error}") from None
    time = file.time or proto.time_nanos / 1e9
    return Entry(time if time > 0 else file.modified, "", kind, body)


def _listed(folder: Path) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise log_error(folder, "read", error) from error
    return (path for path in paths if path.name.endswith(_SUFFIXES) and path.is_file())
