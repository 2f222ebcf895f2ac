"""Files with a profile each, and no log: CPU profiles in log folders, incidents' evidence, what cron and CI jobs keep.

They hold a profile.proto, or the text that ``curl …?debug=1`` brings, without a time before it.
"""

from __future__ import annotations

import re
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pprofwatch.errors import LogError, ProfileError
from pprofwatch.logs import names
from pprofwatch.logs.files import log_error, target_folders
from pprofwatch.logs.foreign import profile_name
from pprofwatch.logs.search import find_header
from pprofwatch.logs.sources import STANDARD_INPUT, Look, decoded, is_compressed, is_pipe, open_raw
from pprofwatch.model import CONTENTIONS, TEXT_PROFILES, Entry
from pprofwatch.times import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pprofwatch.logs.sources import RawFile, Source

#: The longest file that is read, in bytes.
_MOST_BYTES = 64 << 20
_MOST_ITEMS = 1_000_000
_PROTO_SUFFIXES = (".pb.gz", ".pb", ".pprof", ".prof")
_TEXT_SUFFIX = ".txt"
#: Our own names tell the time, and those of evidence the profile: ``goroutine-20261122T134953Z-2.pb.gz``.
_NAME = re.compile(r"(?:([a-z]+)-)?(\d{8}T\d{6}Z)(?:-\d{1,6})?\.(?:pb\.gz|txt)", re.ASCII)
#: Other people's tell the profile by its name as a word: ``run1-mutex.pb.gz``, ``app_heap2.pb.gz``.
_WORD = re.compile(rf"(?<![a-z])({'|'.join(TEXT_PROFILES)}|cpu)(?![a-z])")
#: How ``go tool pprof`` names what it fetches: by program and values, never by the profile. Those say nothing new.
_GOS_NAME = re.compile(r"pprof\..*\.\d{3,}\.pb\.gz", re.DOTALL)
_CPU = "profile"
#: Profiles that have the same values, so that a name may tell which of them it is; the text tells block from mutex.
_ALIKE_AS_TEXT = ({"heap", "allocs"},)
_ALIKE = (*_ALIKE_AS_TEXT, {CONTENTIONS, "block", "mutex"})
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
#: What a protobuf without gzip begins with: the first sample type.
_FIRST_FIELD = b"\n"
#: So much of a file tells whether it is text: a protobuf begins with a short length, which no text has; and which.
_HEAD = 256
_NEVER_IN_TEXT = re.compile(rb"[\x00-\x08]")
_TOLD_BY = 64
#: What neither a log of ours nor a shell loop's begins with, but a profile's text does: a name, and ``profile``. So
#: much of it tells.
_NO_TIME = re.compile(rb"--- |[!-/:-~][!-~]*(?: p|$)")
_NAME_LENGTH = 16
#: What text begins with, if it is another profile's.
_ANOTHER = re.compile(rb"\n(?:--- (?:contention|mutex):|[!-~]{1,100} profile: )")

_INPUT = Path("standard input")

_Form = Literal["proto", "text"]


class ProfileFile(NamedTuple):
    """A file, and what is known of it without reading it.

    ``profile`` is empty, and ``time`` 0, where its name does not tell; ``modified`` is the file's own time. Times are
    Unix seconds. ``is_text`` says that it holds text, rather than a protobuf. ``asked`` is what a file that was itself
    named is to be taken for, where nothing else tells; ``is_input`` says that it is a pipe, as standard input is, and
    ``data`` is what was read of that, which can't be read again.
    """

    path: Path
    profile: str
    time: float
    modified: float
    is_text: bool = False
    asked: str = ""
    is_input: bool = False
    data: bytes | None = None

    @property
    def source(self) -> str:
        """What to open."""
        return STANDARD_INPUT if self.is_input and self.path == _INPUT else str(self.path)

    def kind(self, guessed: str) -> str:
        """The profile that it has: the one that its values tell, or of several that have the same the one it is called.

        Contentions are block's or mutex's by the file's name, or its folder's, or as they were asked for; where none of
        them tells, they stay contentions.
        """
        alike = next((kinds for kinds in (_ALIKE_AS_TEXT if self.is_text else _ALIKE) if guessed in kinds), {guessed})
        told = [self.profile]
        if guessed == CONTENTIONS:
            told += ["" if self.is_input else _named(self.path.absolute().parent.name), self.asked]
        elif self.is_text:  # which is the same for allocs as for heap
            told.append(self.asked)
        return next((kind for kind in told if kind in alike), guessed)

    def read(self) -> bytes:
        """All of it, text decompressed.

        Raises:
            LogError: It can't be read, is too long to be a profile, or has several.
        """
        if self.data is not None:
            return self.data
        damage: list[str] = []
        try:
            with open_raw(self.source) as raw:
                source = decoded(raw, "", lambda _offset, _length, reason: damage.append(reason))
                data = _read_all(source if self.is_text else raw, _MOST_BYTES + 1)
        except OSError as error:
            raise log_error(self.path, "read", error) from error
        if damage:
            raise LogError(f"{self.path}: {damage[0]}")
        if len(data) > _MOST_BYTES:
            raise LogError(f"{self.path}: longer than {_MOST_BYTES} bytes, more than a profile can be")
        if self.is_text and _ANOTHER.search(data):
            raise LogError(f"{self.path}: several profiles without times: expected a line from date before each")
        return data


def given_file(path: str, asked: str | None = None) -> ProfileFile | None:
    """The file with a profile that was itself named, or pipe with one; None where there is none.

    Nor is there one where it can't be read, which is told where a log is looked for.

    Args:
        path: What was named.
        asked: What it is taken for, where nothing else tells.
    """
    try:
        form = _form(path)
    except OSError:
        return None
    if form is None:
        return None
    if is_pipe(path):
        name = _INPUT if path == STANDARD_INPUT else Path(path)
        return ProfileFile(name, "", 0.0, time.time(), form == "text", asked or "", is_input=True)
    return profile_file(Path(path), is_text=form == "text")._replace(asked=asked or "")


def profile_file(path: Path, *, is_text: bool = False) -> ProfileFile:
    """A file with a profile."""
    match = _NAME.fullmatch(path.name)
    profile, taken = _named(path.name), 0.0
    if match is not None:
        profile = profile or (_CPU if not match[1] and path.parent.name == _CPU else "")
        try:
            taken = parse_stamp(match[2])
        except ValueError:  # there is no such day
            taken = 0.0
    return ProfileFile(path, profile, taken, path.stat().st_mtime, is_text)


def find_profile_files(folder: str, profile: str | None) -> list[ProfileFile]:
    """The files with a profile in a folder, by path; for CPU, also where a log folder or a target's keeps them.

    Raises:
        LogError: The folder can't be read.
    """
    places = [Path(folder)]
    if profile == _CPU:
        places += [place / _CPU for place in (Path(folder), *target_folders(Path(folder))) if (place / _CPU).is_dir()]
    return [file for place in places for file in _listed(place)]


def logged_entry(file: ProfileFile) -> Entry:
    """A file as if it had been logged: with its text, which a CPU profile doesn't have.

    Raises:
        LogError: It can't be read, or is no profile.
    """
    data = file.read()
    if file.is_text:
        return Entry(file.time or file.modified, "", file.kind(profile_name(data[:_HEAD])), data)
    # Loading protobuf takes longer than all else, and logs need none.
    from pprofwatch.profiles.proto import decode_proto, guess_kind, to_profile  # noqa: PLC0415
    from pprofwatch.profiles.text import render_text  # noqa: PLC0415

    try:
        proto = decode_proto(data, max_bytes=_MOST_BYTES, max_items=_MOST_ITEMS)
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


def _form(path: str) -> _Form | None:
    """What a file or pipe has, judged by what can then be read again; None where that is no profile.

    Raises:
        OSError: It can't be read.
    """
    if path != STANDARD_INPUT and Path(path).is_dir():
        return None
    with open_raw(path) as raw:
        begin = raw.peek(2)
        may_be_proto = begin == _GZIP or (
            begin.startswith(_FIRST_FIELD) if is_pipe(path) else path.endswith(_PROTO_SUFFIXES)
        )
        if may_be_proto and _is_binary(_unpacked(raw)):
            return "proto"
        is_log = names.parse_live(Path(path).name) or names.parse_closed(Path(path).name)
        return "text" if not is_log and _is_undated_text(raw) else None


def _is_undated_text(raw: RawFile) -> bool:
    """Whether it is a profile's text, and nothing in it has a time: a log may begin in the midst of an entry."""
    # Of a log that comes line by line, no more is waited for than tells that it is one.
    if not is_compressed(raw.peek(4)) and not _NO_TIME.match(raw.peek(_NAME_LENGTH)):
        return False
    source = decoded(Look(raw), "", lambda *_: None)
    data = _read_all(source, _HEAD)
    size, is_text = len(data), bool(profile_name(data))
    while is_text and size <= _MOST_BYTES and find_header(data, 0) < 0:
        more = source.read(_BLOCK)
        if not more:
            return True
        size += len(more)
        data = data[data.rfind(b"\n") + 1 :] + more
    return False


def _unpacked(raw: RawFile) -> bytes:
    """The first bytes, without gzip."""
    head = raw.peek(_HEAD)
    if not head.startswith(_GZIP):
        return head
    try:
        return zlib.decompressobj(31).decompress(head, _HEAD)
    except zlib.error:
        return b""


def _is_binary(head: bytes) -> bool:
    """Whether what begins with these bytes is no text."""
    return bool(_NEVER_IN_TEXT.search(head[:_TOLD_BY]))


def _read_all(source: Source, count: int) -> bytes:
    """So many bytes, or fewer where there are no more."""
    blocks = []
    while count and (block := source.read(min(count, _BLOCK))):
        blocks.append(block)
        count -= len(block)
    return b"".join(blocks)


def _listed(folder: Path) -> Iterator[ProfileFile]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise log_error(folder, "read", error) from error
    for path in paths:
        if path.name.endswith(_PROTO_SUFFIXES) and path.is_file():
            yield profile_file(path)
        elif path.name.endswith(_TEXT_SUFFIX) and path.is_file() and _may_be_text(path):
            yield profile_file(path, is_text=True)


def _may_be_text(path: Path) -> bool:
    """Whether it is a profile's text, or can't be read, which is told by who tries it."""
    try:
        return _form(str(path)) == "text"
    except OSError:
        return True
