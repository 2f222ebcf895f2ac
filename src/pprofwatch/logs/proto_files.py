"""Files with a profile.proto each: CPU profiles in log folders, incidents' evidence, what cron and CI jobs keep."""

from __future__ import annotations

import re
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.errors import LogError, ProfileError
from pprofwatch.logs.files import log_error, target_folders
from pprofwatch.logs.sources import STANDARD_INPUT, open_raw
from pprofwatch.model import CONTENTIONS, TEXT_PROFILES, Entry
from pprofwatch.times import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The longest file that is read, in bytes.
_MOST_BYTES = 64 << 20
_MOST_ITEMS = 1_000_000
_SUFFIXES = (".pb.gz", ".pb", ".pprof", ".prof")
#: Our own names tell the time, and those of evidence the profile: ``goroutine-20261122T134953Z-2.pb.gz``.
_NAME = re.compile(r"(?:([a-z]+)-)?(\d{8}T\d{6}Z)(?:-\d{1,6})?\.pb\.gz", re.ASCII)
#: Other people's tell the profile by its name as a word: ``run1-mutex.pb.gz``, ``app_heap2.pb.gz``.
_WORD = re.compile(rf"(?<![a-z])({'|'.join(TEXT_PROFILES)}|cpu)(?![a-z])")
#: How ``go tool pprof`` names what it fetches: by program and values, never by the profile. Those say nothing new.
_GOS_NAME = re.compile(r"pprof\..*\.\d{3,}\.pb\.gz", re.DOTALL)
_CPU = "profile"
#: Profiles that have the same values, so that a name may tell which of them it is.
_ALIKE = ({CONTENTIONS, "block", "mutex"}, {"heap", "allocs"})
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
#: What a protobuf without gzip begins with: the first sample type.
_FIRST_FIELD = b"\n"
#: So much of a file tells whether it is text: a protobuf begins with a short length, which no text has.
_HEAD = 64
_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08]")


class ProtoFile(NamedTuple):
    """A file, and what is known of it without reading it.

    ``profile`` is empty, and ``time`` 0, where its name does not tell; ``modified`` is the file's own time. Times are
    Unix seconds. ``asked`` is what a file that was itself named is to be taken for, where nothing else tells;
    ``is_input`` says that it is standard input, and ``data`` is what was read of that, which can't be read again.
    """

    path: Path
    profile: str
    time: float
    modified: float
    asked: str = ""
    is_input: bool = False
    data: bytes | None = None

    def kind(self, guessed: str) -> str:
        """The profile that it has: the one that its values tell, or of several that have the same the one it is called.

        Contentions are block's or mutex's by the file's name, or its folder's, or as they were asked for; where none of
        them tells, they stay contentions.
        """
        alike = next((kinds for kinds in _ALIKE if guessed in kinds), {guessed})
        told = [self.profile]
        if guessed == CONTENTIONS:
            told += ["" if self.is_input else _named(self.path.absolute().parent.name), self.asked]
        return next((kind for kind in told if kind in alike), guessed)

    def read(self) -> bytes:
        """All of it.

        Raises:
            LogError: It can't be read, or is too long to be a profile.
        """
        if self.data is not None:
            return self.data
        try:
            if self.is_input:
                data = _read_input()
            else:
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
    return _is_proto(head) if head.startswith(_GZIP) else path.endswith(_SUFFIXES) and _is_proto(head)


def given_file(path: str, asked: str | None = None) -> ProtoFile | None:
    """The file with a protobuf that was itself named, or standard input with one; None where there is none.

    Args:
        path: What was named.
        asked: What contentions are taken for, where nothing else tells.
    """
    if path == STANDARD_INPUT and _input_is_proto():
        return ProtoFile(Path("standard input"), "", 0.0, time.time(), asked or "", is_input=True)
    return proto_file(Path(path))._replace(asked=asked or "") if is_proto(path) else None


def proto_file(path: Path) -> ProtoFile:
    """A file with a protobuf."""
    match = _NAME.fullmatch(path.name)
    profile, taken = _named(path.name), 0.0
    if match is not None:
        profile = profile or (_CPU if not match[1] and path.parent.name == _CPU else "")
        try:
            taken = parse_stamp(match[2])
        except ValueError:  # there is no such day
            taken = 0.0
    return ProtoFile(path, profile, taken, path.stat().st_mtime)


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
        kind = file.kind(guess_kind(proto))
        body = render_text(to_profile(proto, kind)) if kind != _CPU else b""
    except ProfileError as error:
        raise LogError(f"{file.path}: {error}") from None
    taken = file.time or proto.time_nanos / 1e9
    return Entry(taken if taken > 0 else file.modified, "", kind, body)


def _named(name: str) -> str:
    """The one profile whose name is a word in that of a file or folder; empty where there is none, or are several."""
    words = set() if _GOS_NAME.fullmatch(name) else set(_WORD.findall(name.lower()))
    return words.pop() if len(words) == 1 and "cpu" not in words else ""


def _is_proto(head: bytes) -> bool:
    """Whether what begins with these bytes is no text, once it is unpacked."""
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, _HEAD)
        except zlib.error:
            return False
    return bool(_NEVER_IN_TEXT.search(head[:_HEAD]))


def _input_is_proto() -> bool:
    """Whether standard input has a protobuf, judged by its first bytes, which can still be read."""
    try:
        raw = open_raw(STANDARD_INPUT)
        # Of a log that comes line by line, no more is waited for than tells that it is one.
        return raw.peek(2).startswith((_GZIP, _FIRST_FIELD)) and _is_proto(raw.peek(_HEAD * 4))
    except OSError:
        return False  # is told where it is read


def _read_input() -> bytes:
    """As much of standard input as a profile can be, and a byte more."""
    raw = open_raw(STANDARD_INPUT)
    blocks = []
    left = _MOST_BYTES + 1
    while left and (block := raw.read(min(left, _BLOCK))):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)


def _listed(folder: Path) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise log_error(folder, "read", error) from error
    return (path for path in paths if path.name.endswith(_SUFFIXES) and path.is_file())
