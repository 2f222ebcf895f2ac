"""Go's debug=1 text, read and written: the form of every text profile in a log.

:func:`parse_text` gives all that a body holds; :class:`CountsParser` only how many of each stack, but of hundreds of
megabytes of log a second; :func:`render_text` writes what both read, for deltas, which Go serves as protobuf only.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame, Profile, Record, Stack
from pprofwatch.profiles import grammar
from pprofwatch.profiles.heap import scale_heap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LABELS = b"# labels: "
_NO_LABELS = slice(0)
#: Of a longer profile the end is not kept, to be compared with that of the next; in bytes.
_MOST_KEPT = 1 << 20
#: What remembering a record takes beside its text, in bytes: for many small ones that is the most of it.
_BESIDE = 500


def parse_text(body: bytes) -> Profile:
    """Parses a goroutine, threadcreate, goroutineleak, heap, allocs, block or mutex profile in debug=1 text.

    Records come in the body's order; those of one stack that differ in labels or addresses stay apart.

    Raises:
        ProfileError: the body is something else, cut short or damaged.
    """
    body = grammar.unix_lines(body)
    header = grammar.read_header(body)
    read = _read_records(grammar.trim(body, header), header, _Stacks(len(body)))
    labels = (grammar.clean_text(body[place]) for place in read.labels)
    records = tuple(map(Record, read.stacks, read.values, labels))
    header.check(sum(record.values[0] for record in records))
    return Profile(header.kind, header.total or 0, records, header.period, header.cycles_per_second)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each stack one profile holds.

    ``by_stack`` counts goroutines or threads; live objects of a heap profile, scaled from the sample to the whole heap;
    contentions of a block or mutex profile. Stacks without any are left out. ``total`` is the number in the profile's
    first line: goroutines or threads; *sampled* live objects; 0 for block and mutex, whose header has none.
    ``bytes_by_stack`` is the scaled size of a heap profile's live objects, and empty for the others.
    """

    kind: str
    total: int
    by_stack: dict[Stack, int]
    bytes_by_stack: dict[Stack, int] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[Counts], tuple[object, ...]]:
        """Thousands of them go from process to process: this is several times as quick as what a dataclass brings."""
        return Counts, (self.kind, self.total, self.by_stack, self.bytes_by_stack)


class CountsParser:
    """Parses one profile after the other to counts, remembering the records it has seen.

    A process's next profile mostly repeats the last one's records, but for their counts. Labels are left out, and
    records of one stack added up; the same stack is the same object from profile to profile. One parser can serve many
    targets.

    Args:
        max_bytes: how much memory to take for it, about; past it, all is forgotten and learnt anew.
    """

    def __init__(self, max_bytes: int = 16 << 20) -> None:
        self._stacks = _Stacks(max_bytes)
        self._last: dict[str, _LastBody] = {}

    def parse(self, body: bytes) -> Counts:
        """Parses a body as :func:`parse_text` does, and as strictly.

        Raises:
            ProfileError: the body is something else, cut short or damaged.
        """
        body = grammar.unix_lines(body)
        header = grammar.read_header(body)
        values, stacks = self._read(body, header)
        sampled = [numbers[0] for numbers in values]
        header.check(sum(sampled))
        if header.kind != "heap":
            return Counts(header.kind, header.total or 0, _add_up(stacks, sampled))
        scaled = [scale_heap(numbers[0], numbers[1], header.period) for numbers in values]
        objects, sizes = ([pair[column] for pair in scaled] for column in range(2))
        return Counts(header.kind, header.total or 0, _add_up(stacks, objects), _add_up(stacks, sizes))

    def parse_all(self, body: bytes) -> Profile:
        """Parses a body as :func:`parse_text` does, to all values of each record, but without labels.

        Raises:
            ProfileError: the body is something else, cut short or damaged.
        """
        body = grammar.unix_lines(body)
        header = grammar.read_header(body)
        values, stacks = self._read(body, header)
        header.check(sum(numbers[0] for numbers in values))
        records = tuple(map(Record, stacks, values))
        return Profile(header.kind, header.total or 0, records, header.period, header.cycles_per_second)

    def _read(self, body: bytes, header: grammar.Header) -> tuple[Sequence[tuple[int, ...]], Sequence[Stack]]:
        """The records' values, and their stacks. Those at the end that the last profile had too are not read again."""
        body = grammar.trim(body, header)
        last = self._last.get(header.kind, _NO_BODY)
        known = last.find_same(body, header.size)
        size = len(body)
        rest = last.lengths[known] if known < len(last.lengths) else 0
        read = _read_records(body, header, self._stacks, size - rest)
        values = read.values + last.values[known:]
        stacks = read.stacks + last.stacks[known:]
        if size <= _MOST_KEPT:
            lengths = [size - offset for offset in read.offsets] + last.lengths[known:]
            self._last[header.kind] = _LastBody(body, lengths, values, stacks)
        return values, stacks


class _LastBody(NamedTuple):
    """A profile that was read, to see what the next has in common with it: mostly, the many stacks of few goroutines.

    ``lengths`` are those of the text from each record on to the end.
    """

    body: bytes
    lengths: list[int]
    values: list[tuple[int, ...]]
    stacks: list[Stack]

    def find_same(self, body: bytes, start: int) -> int:
        """The first of the records that another body, whose records begin at ``start``, ends with, too."""
        text = memoryview(self.body)
        same = bisect_left(self.lengths, True, key=lambda length: body.endswith(text[len(text) - length :]))
        if same < len(self.lengths):
            at = len(body) - self.lengths[same]
            if at != start and (at < start or body[at - 2 : at] != b"\n\n"):  # it is no record's beginning here
                return len(self.lengths)
        return same


_NO_BODY = _LastBody(b"", [], [], [])


def _add_up(stacks: Sequence[Stack], counts: Sequence[int]) -> dict[Stack, int]:
    """How many there are of each stack, without those that there are none of."""
    by_stack: dict[Stack, int] = {}
    for stack, count in zip(stacks, counts, strict=True):
        by_stack[stack] = by_stack[stack] + count if stack in by_stack else count
    return {stack: count for stack, count in by_stack.items() if count} if 0 in by_stack.values() else by_stack


class _Stacks:
    """Stacks by the text they were read from.

    A record's addresses tell which frames to expect after them. Comparing those with the text is all the reading that a
    known record takes, whatever its length.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        #: By a record's addresses: the text of its frames, with the blank line that ends them, and their stack.
        self.by_addresses: dict[bytes, tuple[bytes, Stack]] = {}
        #: The same by that text, for addresses that say nothing: in our own text all are 0x0.
        self._by_frames: dict[bytes, tuple[bytes, Stack]] = {}
        self._frames: dict[Frame, Frame] = {}

    def read(self, body: bytes, addresses: bytes, offset: int) -> tuple[bytes, Stack]:
        """The frames that begin at ``offset`` in the body, up to the record's blank line: as text, and their stack."""
        known = self.by_addresses.get(addresses)
        if known is not None and body.startswith(known[0], offset):
            return known
        if self._bytes > self._max_bytes:
            self._forget()
        # From the line before: a record without frames is followed by its blank line at once.
        text = body[offset : body.index(b"\n\n", offset - 1) + 2]
        without_symbols = grammar.read_addresses(addresses)
        found = self._by_frames.get(text) or self._learn(text, without_symbols)
        self.by_addresses[addresses] = found
        self._bytes += len(addresses) + _BESIDE
        return found

    def _learn(self, text: bytes, without_symbols: list[Frame]) -> tuple[bytes, Stack]:
        frames = grammar.read_frames(text)
        shared = self._frames
        stack = Stack(tuple(shared.setdefault(frame, frame) for frame in frames or without_symbols))
        found = text, stack
        if frames:
            self._by_frames[text] = found
        self._bytes += len(text) + _BESIDE
        return found

    def _forget(self) -> None:
        self._bytes = 0
        for memory in (self.by_addresses, self._by_frames, self._frames):
            memory.clear()


class _Records(NamedTuple):
    """What was read of some records, in as many columns: where in the body they begin, and what they hold.

    Labels can be longer than all the rest: of them, there is where in the body they are.
    """

    offsets: list[int]
    values: list[tuple[int, ...]]
    labels: list[slice]
    stacks: list[Stack]


def _read_records(body: bytes, header: grammar.Header, stacks: _Stacks, end: int | None = None) -> _Records:
    """The records of a body that was trimmed; up to ``end``, if it is given."""
    records = offsets, values, all_labels, found = _Records([], [], [], [])
    is_count = header.kind in grammar.COUNT_KINDS
    recall = stacks.by_addresses.get
    offset = header.size
    if end is None:
        end = len(body)
    while offset < end:
        frames = body.index(b"\n", offset) + 1
        numbers, at, addresses = body[offset : frames - 1].partition(b" @")
        labels = _NO_LABELS
        try:
            if is_count and at and numbers.isdigit() and len(numbers) < 19:
                values.append((int(numbers),))
            else:
                values.append(grammar.read_values(header.kind, numbers + at))
            known = recall(addresses)  # looked at here for speed: most records were in the last profile too
            if known is None or not body.startswith(known[0], frames):
                if body.startswith(_LABELS, frames):
                    line_end = body.index(b"\n", frames)
                    labels = slice(frames + len(_LABELS), line_end)
                    frames = line_end + 1
                known = stacks.read(body, addresses, frames)
        except grammar.RecordError as error:
            line = body.count(b"\n", 0, offset if error.frame is None else frames) + (error.frame or 0) + 1
            raise ProfileError(f"line {line}: {error}") from None
        text, stack = known
        offsets.append(offset)
        all_labels.append(labels)
        found.append(stack)
        offset = frames + len(text)
    return records


def render_text(profile: Profile, *, max_bytes: int = 64 << 20) -> bytes:
    """Writes a profile as Go does with debug=1, so that ``parse_text(render_text(profile)) == profile``.

    Our stacks hold no addresses: all of them read ``0x0``. Columns are not padded. Records keep their order.

    Raises:
        ProfileError: the text would be longer than ``max_bytes``.
    """
    text = bytearray(_render_header(profile).encode())
    for record in profile.records:
        for line in _render_record(profile.kind, record):
            text += line.encode()
            if len(text) > max_bytes:
                raise ProfileError(f"the {profile.kind} profile is longer than {max_bytes} bytes as text")
    return bytes(text)


def _render_header(profile: Profile) -> str:
    if profile.kind in grammar.COUNT_KINDS:
        return f"{profile.kind} profile: total {profile.total}\n"
    if profile.kind == "heap":
        sums = [sum(record.values[column] for record in profile.records) for column in range(4)]
        return f"heap profile: {profile.total}: {sums[1]} [{sums[2]}: {sums[3]}] @ heap/{profile.period * 2}\n"
    name = "contention" if profile.kind == "block" else profile.kind
    period = f"sampling period={profile.period}\n" if profile.kind == "mutex" or profile.period else ""
    return f"--- {name}:\ncycles/second={profile.cycles_per_second}\n{period}"


def _render_record(kind: str, record: Record) -> Iterator[str]:
    values = record.values
    if kind == "heap":
        numbers = f"{values[0]}: {values[1]} [{values[2]}: {values[3]}]"
    elif kind in grammar.COUNT_KINDS:
        numbers = str(values[0])
    else:
        numbers = f"{values[1]} {values[0]}"
    yield f"{numbers} @ 0x0\n"
    if record.labels:
        yield f"# labels: {record.labels}\n"
    yield from map(_render_frame, record.stack.frames)
    yield "\n"


def _render_frame(frame: Frame) -> str:
    if grammar.is_address(frame):
        return f"#\t{frame.function}\n"
    return f"#\t0x0\t{frame.function}+0x0\t{frame.file}:{frame.line}\n"
