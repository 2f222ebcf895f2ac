"""The grammar of Go's debug=1 text: a header, then records of a line of numbers, a line of labels, lines of frames.

What Go writes stands in its ``runtime/pprof/pprof.go``: ``printCountProfile`` (goroutine, threadcreate,
goroutineleak), ``writeHeapInternal`` (heap, allocs), ``writeProfileInternal`` (block, mutex), ``printStackRecord``::

    16 @ 0x48c3ca 0x419d8e 0x682dd7
    # labels: {"tenant":"a"}
    #<TAB>0x682dd6<TAB>main.(*Pool).work+0x76<TAB>/src/app/pool.go:54
    <blank line>

The text may come from anyone: numbers, lines and depths are bounded here, and names lose their control characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame

#: Profiles whose records are a count each, and whose header gives their sum.
COUNT_KINDS = ("goroutine", "threadcreate", "goroutineleak")
#: No body has more lines: Go's are some 60 bytes long, so that 64 MiB of them fit and 64 MiB of newlines don't.
MAX_LINES = 2_000_000
#: No stack has more frames: Go cuts them at 1024 program counters, each a few frames once inlining is undone.
MAX_FRAMES = 10_000
#: No name of a function or file is longer, in characters.
MAX_NAME = 4096
#: What stands for a stack without frames; Go writes the same for threads that nobody remembers creating.
UNKNOWN_FRAME = Frame("0x0", "", 0)

_NUMBER = rb"(-?\d{1,19})"
_COUNT_HEADER = re.compile(rb"(goroutine|threadcreate|goroutineleak) profile: total %b\n" % _NUMBER)
_HEAP_HEADER = re.compile(rb"heap profile: %b: %b \[%b: %b\] @ heap/(\d{1,19})\n" % ((_NUMBER,) * 4))
_BLOCK_HEADER = re.compile(
    rb"--- (contention|mutex):\n(?:cycles/second=(\d{1,19})\n)?(?:sampling period=(\d{1,19})\n)?"
)
_COUNT = re.compile(rb"%b @" % _NUMBER)
_HEAP = re.compile(rb"%b: %b \[%b: %b\] @" % ((_NUMBER,) * 4))
_CYCLES_AND_COUNT = re.compile(rb"%b %b @" % (_NUMBER, _NUMBER))
_ADDRESS = re.compile(rb"0x[0-9a-f]{1,16}")
_ADDRESSES = re.compile(rb"(?: 0x[0-9a-f]{1,16})*")
_MEM_STATS = b"\n# runtime.MemStats\n"

#: C0 and C1 controls, line and paragraph separators, and marks that reverse what follows them on a terminal.
_UNPRINTABLE = dict.fromkeys(
    [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)],
    "\N{REPLACEMENT CHARACTER}",
)


class RecordError(Exception):
    """Text that is no record: ``frame`` is the index of the bad frame line, or None for the record's first line."""

    def __init__(self, message: str, frame: int | None = None) -> None:
        super().__init__(message)
        self.frame = frame


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the first record; ``size`` is its length in bytes. ``total`` is None where Go gives none."""

    kind: str
    total: int | None
    period: int
    cycles_per_second: int
    size: int

    def check(self, total: int) -> None:
        """Compares the sum of the records' first values with the header's.

        Raises:
            ProfileError: they differ, so something is missing or damaged.
        """
        if self.total is not None and self.total != total:
            raise ProfileError(
                f"the {self.kind} profile is damaged: its first line says {self.total}, its records sum up to {total}"
            )


def unix_lines(body: bytes) -> bytes:
    """The body with lines as Go ends them, where an editor or a shell of another system has ended them its own way."""
    first_end = body.find(b"\n")
    return body.replace(b"\r\n", b"\n") if body.endswith(b"\r", 0, max(0, first_end)) else body


def read_header(body: bytes) -> Header:
    """Reads a profile's first lines.

    Raises:
        ProfileError: the body does not begin like a debug=1 profile, or has too many lines to be one.
    """
    if len(body) > MAX_LINES and body.count(b"\n") > MAX_LINES:
        raise ProfileError(f"the profile has more than {MAX_LINES} lines")
    if match := _COUNT_HEADER.match(body):
        return Header(match[1].decode(), int(match[2]), 0, 0, match.end())
    if match := _HEAP_HEADER.match(body):
        # The header gives twice the sampling rate, as C++ profiles once did.
        return Header("heap", int(match[1]), int(match[5]) // 2, 0, match.end())
    if match := _BLOCK_HEADER.match(body):
        kind = "block" if match[1] == b"contention" else "mutex"
        return Header(kind, None, int(match[3] or 0), int(match[2] or 0), match.end())
    raise ProfileError(
        f"line 1: expected the first line of a debug=1 profile, such as 'goroutine profile: total 76', "
        f"not {quoted(body)}"
    )


def trim(body: bytes, header: Header) -> bytes:
    """The body with each record, the last too, ended by one blank line; heap's statistics are cut off.

    Raises:
        ProfileError: the body stops in the middle.
    """
    # A count profile's total proves that it is whole; block and mutex profiles have none, so the last record's blank
    # line must be there. Elsewhere it may be missing: $(curl …) in a shell drops it.
    if not body.endswith(b"\n\n" if header.total is None and len(body) > header.size else b"\n"):
        raise ProfileError(f"the {header.kind} profile stops in the middle of a record, after {len(body)} bytes")
    if header.kind == "heap" and (statistics := body.rfind(_MEM_STATS)) >= 0:
        body = body[:statistics]
    if body.endswith(b"\n\n") and not body.endswith(b"\n\n\n") and len(body) > header.size + 1:
        return body  # as it mostly is, and without a copy
    records = body[header.size :].rstrip(b"\n")
    return body[: header.size] + records + b"\n\n" if records else body[: header.size]


def read_values(kind: str, numbers: bytes) -> tuple[int, ...]:
    """A record's numbers, up to its ``@``, in the order of :attr:`pprofwatch.model.Record.values`.

    Raises:
        RecordError: they are not what this kind of profile has.
    """
    if kind in COUNT_KINDS:
        pattern, expected = _COUNT, "16 @ 0x48c3ca"
    elif kind == "heap":
        pattern, expected = _HEAP, "16: 1234 [100: 12345] @ 0x48c3ca"
    else:
        pattern, expected = _CYCLES_AND_COUNT, "22356967 4 @ 0x48c3ca"
    match = pattern.fullmatch(numbers)
    if match is None:
        raise RecordError(f"expected a record such as '{expected} …', not {quoted(numbers)}")
    values = tuple(map(int, match.groups()))
    return values[::-1] if pattern is _CYCLES_AND_COUNT else values


def read_frames(text: bytes) -> list[Frame]:
    """The frames of a record's ``#`` lines, leaf first; ``text`` ends in the record's blank line.

    Raises:
        RecordError: a line is no frame, or there are too many.
    """
    if text.count(b"\n") - 1 > MAX_FRAMES:
        raise RecordError(f"expected at most {MAX_FRAMES} frames in a stack")
    return [_read_frame(line, index) for index, line in enumerate(text.split(b"\n")[:-2])]


def _read_frame(line: bytes, index: int) -> Frame:
    # Columns are padded with as many tabs as the stack's longest names want.
    mark, *columns = [column for column in line.split(b"\t") if column] or [b""]
    if mark == b"#" and columns and _ADDRESS.fullmatch(columns[0]):
        if len(columns) == 1:
            return Frame(columns[0].decode(), "", 0)
        function, plus, _ = columns[1].rpartition(b"+0x")
        file, colon, line_number = b"\t".join(columns[2:]).rpartition(b":")
        if function and plus and colon and line_number.isdigit() and len(line_number) <= 19:
            return Frame(clean_name(function), clean_name(file), int(line_number))
    raise RecordError(
        f"expected a frame such as '# 0x682dd6 main.work+0x76 /src/pool.go:54', not {quoted(line)}", index
    )


def read_addresses(text: bytes) -> list[Frame]:
    """Program counters as frames, for records without any: Go writes none for a goroutine that has not begun.

    Raises:
        RecordError: the text is not a list of addresses.
    """
    if text.count(b" ") > MAX_FRAMES:
        raise RecordError(f"expected at most {MAX_FRAMES} addresses in a stack")
    if not _ADDRESSES.fullmatch(text):
        raise RecordError(f"expected addresses after the @, not {quoted(text)}")
    return [Frame(address.decode(), "", 0) for address in text.split()] or [UNKNOWN_FRAME]


def is_address(frame: Frame) -> bool:
    """Whether all that is known of a frame is its address."""
    return not frame.file and not frame.line and _ADDRESS.fullmatch(frame.function.encode()) is not None


def clean_name(name: bytes) -> str:
    """The name of a function or file, cleaned, and cut where no compiler would have gone."""
    text = clean_text(name)
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"


def clean_text(raw: bytes) -> str:
    """Text that is safe to print: what is not UTF-8, or not to be shown, becomes U+FFFD."""
    text = raw.decode(errors="replace")
    return text if text.isprintable() else text.translate(_UNPRINTABLE)


def quoted(found: bytes) -> str:
    """The beginning of what was found in place of something else, for an error: one line, in ASCII."""
    line = found[:61].partition(b"\n")[0]
    return ascii(clean_text(line[:60])) + ("…" if len(line) > 60 else "")
