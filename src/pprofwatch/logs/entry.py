"""The form of an entry in a log: one header line, then the body exactly as long as ``bytes`` says.

    2026-11-22T13:49:53.102Z localhost:6060 goroutine bytes=6702 crc32=5e8f1a2b took=4ms head=09c1d7e4
    goroutine profile: total 76
    …

After time, target and profile comes ``bytes``, then ``crc32``, the body's (left out where there is no body), then
``took``; then, in any order, ``seconds``, ``gap``, ``file`` and ``error``. Unknown keys are left alone, so that an
older reader takes a newer log. ``head``, always last, is the CRC-32 of the line before it: without it a flipped bit in
a time or a count would go unnoticed, and a header could not be told from text that looks like one. A header without
``head`` is taken as it stands, unless it ends in what damage may have made of ``head``. A value with spaces, quotes or
anything but printable ASCII is a JSON string, so that no control character reaches the file.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from pprofwatch.errors import LogError
from pprofwatch.model import Entry
from pprofwatch.times import format_time, unix_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

#: The longest body that an entry can have, in bytes; a header that says more is not taken for one.
MAX_BODY = 128 << 20
#: No header line is that long, in bytes: target and error have at most ``MAX_TEXT`` characters, each at most 12 bytes.
MAX_HEADER = 16 << 10
#: The time that a header line begins with, in bytes.
TIME_LENGTH = 24
#: Longer targets and errors are cut, in characters.
MAX_TEXT = 500

_VALUE = rb'("(?:[^"\\\x00-\x1f]|\\.)*+"|[!#-~]++)'
_TIME = rb"(\d{4}-\d\d-\d\dT\d\d):([0-5]\d):([0-5]\d)\.(\d{3})Z"
_FIRST_FIELDS = rb" bytes=(\d{1,12})(?: crc32=([0-9a-f]{8}))?(?: took=(\d{1,12})ms)?"
_MORE_FIELDS = b"((?: [a-z0-9_]+=" + _VALUE.replace(b"(", b"(?:", 1) + b")*?)"
_HEAD = b"(?: head=([0-9a-f]{8}))?"
_HEADER = re.compile(_TIME + b" " + _VALUE + b" " + _VALUE + _FIRST_FIELDS + _MORE_FIELDS + _HEAD)
_FIELD = re.compile(b" ([a-z0-9_]+)=" + _VALUE)
_BROKEN_HEAD = re.compile(rb" (?!file=)[a-z0-9_]{4}=[0-9a-f]{8}\Z")
_PLAIN = re.compile(r"[!#-~]+")
#: A path below the target's folder: nothing absolute, hidden or upwards.
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Header(NamedTuple):
    """What an entry's first line says.

    ``length`` is the body's in bytes, or None where the log doesn't say (a shell loop's); ``crc32`` is None where the
    entry has none; ``is_checked`` says that the line has a checksum of its own; ``time_text`` is the time as
    ``format_time`` writes it, where the line has it so, else empty. The rest is as in ``Entry``.
    """

    time: float
    target: str
    profile: str
    length: int | None = None
    crc32: int | None = None
    took: float = 0.0
    is_checked: bool = False
    time_text: str = ""
    seconds: int = 0
    gap: int = 0
    file: str = ""
    error: str = ""


class ScannedEntry(NamedTuple):
    """An entry and where it stands: ``offset`` is its header's, ``end`` that of what follows."""

    offset: int
    end: int
    header: Header
    body: bytes

    @property
    def entry(self) -> Entry:
        """The entry itself."""
        time, target, profile, _, _, took, _, _, seconds, gap, file, error = self.header
        return Entry(time, target, profile, self.body, seconds, took, error, gap, file)


def encode_entry(entry: Entry) -> bytes:
    """An entry as it stands in a log, whole, for a single write.

    Raises:
        LogError: The body is longer than ``MAX_BODY``.
    """
    body = entry.body
    if len(body) > MAX_BODY:
        raise LogError(
            f"{entry.target} {entry.profile}: {len(body)} bytes are more than an entry can hold ({MAX_BODY})"
        )
    fields = [format_time(entry.time), _encode(entry.target), _encode(entry.profile), f"bytes={len(body)}"]
    if body:
        fields.append(f"crc32={zlib.crc32(body):08x}")
    if entry.took:
        fields.append(f"took={round(entry.took * 1000)}ms")
    if entry.seconds:
        fields.append(f"seconds={entry.seconds}")
    if entry.gap:
        fields.append(f"gap={entry.gap}")
    if entry.file:
        fields.append(f"file={_encode(entry.file)}")
    if entry.error:
        fields.append(f"error={_quote(entry.error)}")
    line = " ".join(fields).encode("ascii")
    return b"".join(
        (line, b" head=%08x\n" % zlib.crc32(line), body, b"" if body.endswith(b"\n") or not body else b"\n")
    )


def parse_header(line: bytes) -> Header | None:
    """The header in ``line`` (without its newline), or None if that is not a header, whole and undamaged."""
    match = _HEADER.fullmatch(line) if len(line) < MAX_HEADER else None
    if match is None:
        return None
    hour, minutes, seconds, thousandths, target, profile, digits, crc32, took, more, head = match.groups()
    if (int(head, 16) != zlib.crc32(line[: match.end(10)])) if head else _BROKEN_HEAD.search(line):
        return None
    length = int(digits)
    if length > MAX_BODY or not (crc32 or digits == b"0"):
        return None
    try:
        header = Header(
            _unix_time(hour, minutes, seconds, thousandths),
            _decode(target),
            _decode(profile),
            length,
            int(crc32, 16) if crc32 else None,
            int(took) / 1000 if took else 0.0,
            head is not None,
            line[:TIME_LENGTH].decode(),
        )
        return header._replace(**_parse_fields(more)) if more else header
    except ValueError:  # JSONDecodeError and UnicodeDecodeError are its kinds
        return None


def header_time(line: bytes) -> float:
    """The time that a header line begins with, in Unix seconds. What stands between its numbers is not looked at.

    Raises:
        ValueError: There are no numbers.
    """
    return _unix_time(line[:13], line[14:16], line[17:19], line[20:23])


def is_undamaged(body: bytes, header: Header) -> bool:
    """Whether a body is what its header says."""
    return len(body) == header.length and (not body or zlib.crc32(body) == header.crc32)


def _parse_fields(more: bytes) -> dict[str, Any]:
    """The known ones of a header's further fields, by their names in ``Header``."""
    values: dict[str, Any] = {}
    for key, value in _FIELD.findall(more):
        name = key.decode()
        if name in _OUT_OF_PLACE or name in values:
            raise ValueError("expected each field once, and in its place")
        if parse := _FIELDS.get(name):
            values[name] = parse(value)
    return values


def _encode(text: str) -> str:
    return text if len(text) <= MAX_TEXT and _PLAIN.fullmatch(text) else _quote(text)


def _quote(text: str) -> str:
    """A JSON string in ASCII: control characters, whatever their kind, become escapes."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return json.dumps(text)


def _unix_time(hour: bytes, minutes: bytes, seconds: bytes, thousandths: bytes) -> float:
    return (_milliseconds(hour) + int(minutes) * 60_000 + int(seconds + thousandths)) / 1000


@functools.lru_cache(maxsize=16)  # the times of a log mostly share it with the one before
def _milliseconds(hour: bytes) -> int:
    """Unix time of ``2026-11-22T13``."""
    return round(unix_seconds(dt.datetime.fromisoformat(f"{hour.decode()}:00Z"))) * 1000


@functools.lru_cache(maxsize=64)  # the names in a log are few
def _decode(value: bytes) -> str:
    if not value.startswith(b'"'):
        return value.decode("ascii")
    text = str(json.loads(value))
    # A lone surrogate would raise where the text is printed.
    return text.encode("utf-8", "replace").decode("utf-8")


def _count(value: bytes) -> int:
    if len(value) > 12 or not value.isdigit():
        raise ValueError("expected a number")
    return int(value)


def _file(value: bytes) -> str:
    text = _decode(value)
    if not _FILE.fullmatch(text):
        raise ValueError("expected a relative path")
    return text


_FIELDS: dict[str, Callable[[bytes], object]] = {"seconds": _count, "gap": _count, "file": _file, "error": _decode}
_OUT_OF_PLACE = frozenset(("bytes", "crc32", "took", "head"))
