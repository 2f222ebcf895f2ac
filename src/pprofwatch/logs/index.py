"""The index behind a compressed segment: each entry's header and first line, for readers that want no more.

``totals`` asks for nothing else, and so need not decompress a gigabyte to read a megabyte of it. The index is a frame
that ``zstd`` skips, as the seal is: a gzip member, and a line that says how long the frame is, by which it is found
from the file's end. In it is a line for each entry: its header as if there were no body, and without checksums (they
are most of what can't be compressed in a header), a tab, and the first line. Gzip, since a Zstandard frame inside of a
frame would be taken for one of the log's by a reader that looks for the next one behind damage.

It is believed only where the whole file is what its seal says was written. Else, and where it turns out to be none,
there is the text.
"""

from __future__ import annotations

import functools
import gzip
import io
import re
import zlib
from typing import TYPE_CHECKING, Any

from pprofwatch.logs.entry import (
    MAX_HEADER,
    TIME_LENGTH,
    Header,
    ScannedEntry,
    encode_entry,
    header_time,
    parse_header,
)
from pprofwatch.logs.scanner import Scanner
from pprofwatch.logs.seal import LENGTH, is_sealed, parse_seal
from pprofwatch.logs.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pprofwatch.logs.sources import RawFile
    from pprofwatch.model import Entry

_MAGIC = b"\x51\x2a\x4d\x18"
_HEAD_LENGTH = len(_MAGIC) + 4
_LAST_LINE = re.compile(rb"pprofwatch index=(\d{12})\n")
_LAST_LINE_LENGTH = 30
#: A longer index, in bytes, is not written, and not read: as it is in the file it is held in memory. Of a segment of 64
#: MiB it is 0.1 MB.
_MAX_LENGTH = 4 << 20
#: Quicker than the default by a third, for a tenth more.
_LEVEL = 6
#: Decompressed at a time, in bytes.
_BLOCK = 64 << 10
#: No line of an index is longer, in bytes: a header, and what the scanner takes for a first line.
_LONGEST_LINE = 2 * MAX_HEADER
_ANY_TIME = b"1970-01-01T00:00:00.000Z"


class BadIndexError(ValueError):
    """An index is none, though it is sealed."""


def encode_index(plain: RawFile) -> bytes:
    """The index of a closed segment, a frame; empty where it holds anything else than whole entries of ours.

    Raises:
        OSError: The segment can't be read.
    """
    packed = io.BytesIO()
    damage: list[str] = []
    scanner = Scanner(Window(plain), lambda _offset, _length, reason: damage.append(reason), first_lines=True)
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_LEVEL, mtime=0) as lines:
        for found in scanner.entries():
            line = _encode(found.entry)
            if damage or found.header.length is None or packed.tell() > _MAX_LENGTH or not _is_same(line, found):
                return b""
            lines.write(line)
    length = _HEAD_LENGTH + packed.tell() + _LAST_LINE_LENGTH
    if damage or length > _MAX_LENGTH:
        return b""
    return b"".join((_head(length), packed.getvalue(), b"pprofwatch index=%012d\n" % length))


def read_index(raw: RawFile) -> Iterator[ScannedEntry] | None:
    """The entries in a compressed segment, with their first lines as bodies, and at no offset; None without an index.

    Headers say nothing of a body's length and checksum. The iterator raises ``BadIndexError`` where there is no more to
    be had of the index than it has given.

    Raises:
        OSError: The segment can't be read.
    """
    sealed = parse_seal(raw.read_at(0, LENGTH)) if raw.seekable else None
    if sealed is None:
        return None
    last_line = _LAST_LINE.fullmatch(raw.read_at(raw.size - _LAST_LINE_LENGTH, _LAST_LINE_LENGTH))
    length = int(last_line[1]) if last_line else 0
    if not _HEAD_LENGTH + _LAST_LINE_LENGTH <= length <= min(_MAX_LENGTH, raw.size - LENGTH):
        return None
    frame = raw.read_at(raw.size - length, length)
    if not frame.startswith(_head(length)) or not is_sealed(raw, sealed):
        return None
    return _decode_all(io.BytesIO(frame[_HEAD_LENGTH:-_LAST_LINE_LENGTH]))


def _decode_all(packed: io.BytesIO) -> Iterator[ScannedEntry]:
    try:
        for line in _lines(packed):
            yield _decode(line)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BadIndexError(f"the index can't be read ({error})") from error


def _lines(packed: io.BytesIO) -> Iterator[bytes]:
    rest = b""
    with gzip.GzipFile(fileobj=packed) as text:
        while block := text.read(_BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
            if len(rest) > _LONGEST_LINE:
                break
    if rest:
        raise ValueError("expected a line's end")


def _encode(entry: Entry) -> bytes:
    header, _, _ = encode_entry(entry._replace(body=b"")).rpartition(b" head=")
    return b"%s\t%s\n" % (header, entry.body)


def _decode(line: bytes) -> ScannedEntry:
    header, _, first_line = line.partition(b"\t")
    return ScannedEntry(0, 0, _parse_header(header), first_line)


def _is_same(line: bytes, found: ScannedEntry) -> bool:
    """Whether a line says what was found: texts longer than any of ours, if somebody else wrote them, are cut."""
    try:
        decoded = _decode(line[:-1])
    except ValueError:
        return False
    return decoded.entry == found.entry and decoded.header.time_text == found.header.time_text


def _parse_header(line: bytes) -> Header:
    """What the function of this name in ``entry`` says; quicker, since most headers differ in their times alone."""
    before, after = _around_time_text(line[TIME_LENGTH:])
    return Header._make((header_time(line), *before, line[:TIME_LENGTH].decode(), *after))


@functools.lru_cache(maxsize=1024)
def _around_time_text(rest: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The fields of a header with any time before and behind ``time_text``, but for that time."""
    header = parse_header(_ANY_TIME + rest)
    if header is None:
        raise ValueError("expected a header")
    at = Header._fields.index("time_text")
    return header[1:at], header[at + 1 :]


def _head(length: int) -> bytes:
    return _MAGIC + (length - _HEAD_LENGTH).to_bytes(_HEAD_LENGTH - len(_MAGIC), "little")
