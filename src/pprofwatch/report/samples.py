"""What one profile holds, in the form that reports are made of: stacks, and the values of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pprofwatch.errors import ProfileError, UsageError
from pprofwatch.leaks.culprit import is_standard
from pprofwatch.model import CONTENTIONS, Stack
from pprofwatch.profiles.frames import without_runtime_leaf, without_type_arguments
from pprofwatch.profiles.grammar import COUNT_KINDS
from pprofwatch.profiles.heap import scale_heap
from pprofwatch.profiles.text import parse_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pprofwatch.model import Frame, Profile

#: What a protobuf from anywhere may become in memory: as for what a target answers.
_MAX_BYTES = 64 << 20
_MAX_ITEMS = 1_000_000
_NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True)
class ValueType:
    """What a number counts, as Go names it: ``unit`` is ``count``, ``bytes`` or ``nanoseconds``."""

    name: str
    unit: str


_HEAP = (
    ValueType("inuse_objects", "count"),
    ValueType("inuse_space", "bytes"),
    ValueType("alloc_objects", "count"),
    ValueType("alloc_space", "bytes"),
)
_CONTENTION = (ValueType("contentions", "count"), ValueType("delay", "nanoseconds"))
#: What each profile's values are, in their order.
VALUE_TYPES = {
    **{kind: (ValueType(kind, "count"),) for kind in COUNT_KINDS},
    "heap": _HEAP,
    "allocs": _HEAP,
    "block": _CONTENTION,
    "mutex": _CONTENTION,
    CONTENTIONS: _CONTENTION,
    "profile": (ValueType("samples", "count"), ValueType("cpu", "nanoseconds")),
}
_DEFAULTS = {
    "heap": "inuse_space",
    "allocs": "alloc_space",
    "block": "delay",
    "mutex": "delay",
    CONTENTIONS: "delay",
    "profile": "cpu",
}
#: Profiles whose text is that of another.
_TEXT_OF = {"allocs": "heap", CONTENTIONS: "block"}


@dataclass(frozen=True, slots=True)
class Samples:
    """One profile at one moment, or the difference of two.

    Attributes:
        kind: The profile: ``goroutine``, ``heap``, ``allocs``, ``profile`` (CPU) …
        types: What the values are; heap's and allocs' are scaled from the sample to the whole heap.
        rows: Each stack once, leaf first, with a value a type; labels are left out.
        time: When it was taken, in Unix seconds; of a difference, when it ends.
        duration: The seconds that it covers; 0 for an instant.
        period: What lies between two samples: bytes of a heap, nanoseconds of CPU; 1 where there is no sampling.
    """

    kind: str
    types: tuple[ValueType, ...]
    rows: tuple[tuple[Stack, tuple[int, ...]], ...]
    time: float
    duration: float = 0.0
    period: int = 1

    def value_type(self, value: str | None = None) -> ValueType:
        """The type with this name, or the one that is looked at first where none is given.

        Raises:
            UsageError: This profile has no such.
        """
        wanted = value or _DEFAULTS.get(self.kind, self.types[0].name)
        for known in self.types:
            if known.name == wanted:
                return known
        names = ", ".join(known.name for known in self.types)
        raise UsageError(f'a {self.kind} profile has no value "{wanted[:60]}": choose from {names}')

    def column(self, value: str | None = None) -> dict[Stack, int]:
        """One value of each stack, without those for which it is 0.

        Args:
            value: A type's name; by default inuse_space, alloc_space, delay, cpu or the count.

        Raises:
            UsageError: This profile has no such value.
        """
        index = self.types.index(self.value_type(value))
        return {stack: values[index] for stack, values in self.rows if values[index]}

    def minus(self, other: Samples) -> Samples:
        """What has changed since ``other``, which was taken before; stacks for which nothing has are left out.

        Raises:
            ProfileError: They are different profiles.
        """
        if self.types != other.types:
            raise ProfileError(f"expected two profiles of one kind, not {other.kind} and {self.kind}")
        before = dict(other.rows)
        nothing = (0,) * len(self.types)
        changes = {
            stack: tuple(new - old for new, old in zip(values, before.pop(stack, nothing), strict=True))
            for stack, values in self.rows
        }
        changes |= {stack: tuple(-value for value in values) for stack, values in before.items()}
        rows = tuple((stack, values) for stack, values in changes.items() if any(values))
        return replace(self, rows=rows, duration=max(self.time - other.time, 0.0))

    def without_runtime(self) -> Samples:
        """With each stack as Go's text shows it: without the runtime's frames at the leaf, and type arguments."""
        return self._with_frames(without_runtime_leaf)

    def at_users_code(self) -> Samples:
        """With each stack from the first frame that is the user's own; the standard library's begin where it does."""
        return self._with_frames(_from_users_code)

    def _with_frames(self, choose: Callable[[tuple[Frame, ...]], Iterable[Frame]]) -> Samples:
        rows = ((Stack(tuple(map(_as_in_text, choose(stack.frames)))), values) for stack, values in self.rows)
        return replace(self, rows=_added_up(rows))


def samples_from_text(body: bytes, profile: str, time: float) -> Samples:
    """Reads Go's debug=1 text.

    Args:
        body: The text.
        profile: What it should be: ``allocs`` has the same text as ``heap``. Empty: whatever it is.
        time: When it was taken, in Unix seconds.

    Raises:
        ProfileError: It is something else, cut short or damaged.
    """
    return samples_of(parse_text(body), profile, time)


def samples_of(parsed: Profile, profile: str, time: float) -> Samples:
    """What was read from text, as ``samples_from_text`` gives it.

    Raises:
        ProfileError: It is another profile.
    """
    kind = profile or parsed.kind
    if parsed.kind != _TEXT_OF.get(kind, kind):
        raise ProfileError(f"expected a {kind} profile, not one of {parsed.kind}")
    rows = ((record.stack, _scaled(parsed, record.values)) for record in parsed.records)
    return Samples(kind, VALUE_TYPES[kind], _added_up(rows), time, period=max(parsed.period, 1))


def samples_from_proto(data: bytes, profile: str, time: float) -> Samples:
    """Reads a profile.proto, compressed by gzip or not; stacks keep the runtime's frames and type arguments.

    Args:
        data: The file.
        profile: What it should be; ``profile`` is CPU. Empty: what its values tell, where ``block`` and ``mutex`` have
            the same, and are both ``contentions``.
        time: When it was taken, in Unix seconds; 0: what it says itself.

    Raises:
        ProfileError: It is something else, cut short, damaged, or too large.
    """
    # Loading protobuf takes longer than reading a profile's text, which is what is mostly wanted.
    from pprofwatch.profiles.proto import decode_proto, guess_kind, read_records  # noqa: PLC0415

    proto = decode_proto(data, max_bytes=_MAX_BYTES, max_items=_MAX_ITEMS)
    kind = profile or guess_kind(proto)
    if kind not in VALUE_TYPES:
        raise ProfileError(f"a {kind} profile has no stacks to count")
    records = read_records(proto, kind, with_runtime=True, with_type_arguments=True)
    rows = _added_up((record.stack, record.values) for record in records)
    duration = max(proto.duration_nanos / _NANOSECONDS, 0.0)
    taken = time or max(proto.time_nanos / _NANOSECONDS, 0.0)
    return Samples(kind, VALUE_TYPES[kind], rows, taken, duration, max(proto.period, 1))


def _scaled(profile: Profile, values: tuple[int, ...]) -> tuple[int, ...]:
    """A record's values as Go's protobuf has them."""
    if profile.kind == "heap":
        in_use, allocated = values[:2], values[2:]
        return (
            *scale_heap(in_use[0], in_use[1], profile.period),
            *scale_heap(allocated[0], allocated[1], profile.period),
        )
    if profile.kind in COUNT_KINDS:
        return values
    contentions, cycles = values
    return contentions, int(cycles / ((profile.cycles_per_second or _NANOSECONDS) / _NANOSECONDS))  # as Go rounds


def _added_up(rows: Iterable[tuple[Stack, tuple[int, ...]]]) -> tuple[tuple[Stack, tuple[int, ...]], ...]:
    """Rows with each stack once."""
    rows = tuple(rows)
    if len({stack for stack, _ in rows}) == len(rows):  # as it mostly is
        return rows
    sums: dict[Stack, tuple[int, ...]] = {}
    for stack, values in rows:
        before = sums.get(stack)
        sums[stack] = values if before is None else tuple(map(sum, zip(before, values, strict=True)))
    return tuple(sums.items())


def _as_in_text(frame: Frame) -> Frame:
    if "[" not in frame.function:
        return frame
    return frame._replace(function=without_type_arguments(frame.function.encode()).decode())


def _from_users_code(frames: tuple[Frame, ...]) -> Iterable[Frame]:
    for index, frame in enumerate(frames):
        if not is_standard(frame):
            return frames[index:]
    return without_runtime_leaf(frames)
