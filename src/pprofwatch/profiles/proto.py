"""profile.proto, the form in which Go serves deltas (``seconds=N``) and what is asked for without debug.

The schema is ``profile.proto`` beside this file. What comes out has the same stacks as Go's debug=1 text, so that a
delta can be written to a log in that form. Importing this module loads protobuf (0.1 s, 5 MB); ``text.py`` does not.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from pprofwatch.errors import ProfileError
from pprofwatch.model import CONTENTIONS, Frame, Profile, Record, Stack
from pprofwatch.profiles import grammar
from pprofwatch.profiles.frames import without_runtime_leaf, without_type_arguments
from pprofwatch.profiles.labels import format_labels
from pprofwatch.profiles.profile_pb2 import Profile as ProtoProfile
from pprofwatch.profiles.wire import check_items

if TYPE_CHECKING:
    from pprofwatch.profiles import profile_pb2 as pb

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for "gzip, with a window of any size"
#: All samples may refer to one long string.
_MAX_LABEL_BYTES = 16 << 20
#: Bytes that are unpacked at once, to see how many there are.
_PIECE = 256 << 10
_MAX_INT64 = 2**63 - 1
#: The frame before address 0, of which threadcreate's stacks consist; Go's text leaves it out.
_NO_ADDRESS = Frame(hex(2**64 - 1), "", 0)
#: The sample types that a record's values are made of, in the order of Record.values.
_VALUE_TYPES = {
    CONTENTIONS: (b"contentions", b"delay"),  # before the two that it may be
    "goroutine": (b"goroutine",),
    "threadcreate": (b"threadcreate",),
    "goroutineleak": (b"goroutineleak",),
    "heap": (b"inuse_objects", b"inuse_space", b"alloc_objects", b"alloc_space"),
    "block": (b"contentions", b"delay"),
    "mutex": (b"contentions", b"delay"),
    "profile": (b"samples", b"cpu"),
}
#: Profiles whose text is that of another.
_AS_TEXT = {"allocs": "heap", CONTENTIONS: "block"}


def decode_proto(data: bytes, *, max_bytes: int, max_items: int) -> ProtoProfile:
    """Decodes a pprof profile, compressed by gzip or not; whether its parts fit together, :func:`to_profile` finds out.

    Args:
        data: the body or file.
        max_bytes: how long it may be when unpacked.
        max_items: how many samples, locations, lines and the like it may have; each takes some 100 to 300 bytes.

    Raises:
        ProfileError: it is something else, cut short, damaged, or too large.
    """
    unpacked = _unpack(data, max_bytes) if data.startswith(_GZIP) else data
    if len(unpacked) > max_bytes:
        raise ProfileError(f"the profile is longer than {max_bytes} bytes when unpacked")
    check_items(unpacked, max_items)
    try:
        proto = ProtoProfile.FromString(unpacked)
    except DecodeError:
        raise ProfileError(f"expected a pprof protobuf, not {grammar.quoted(data)}") from None
    # Other text, or nothing at all, may well be a protobuf message, but is no profile.
    if not proto.sample_type or not proto.string_table or proto.string_table[0]:
        raise ProfileError(f"expected a pprof protobuf, not {grammar.quoted(data)}")
    return proto


def _unpack(data: bytes, max_bytes: int) -> bytes:
    _check_unpacked(data, max_bytes)
    return zlib.decompress(data, _GZIP_WINDOW)


def _check_unpacked(data: bytes, max_bytes: int) -> None:
    """Checks whether data can be unpacked, a piece at a time: of what is too long, nothing stays in memory."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    size = 0
    try:
        rest = data
        while rest and not unpacker.eof:
            size += len(unpacker.decompress(rest, _PIECE))
            rest = unpacker.unconsumed_tail
            if size > max_bytes:
                raise ProfileError(f"the profile is longer than {max_bytes} bytes when unpacked")
    except zlib.error as error:
        raise ProfileError(f"the profile's gzip data is damaged: {error}") from None
    if not unpacker.eof:
        raise ProfileError(f"the profile's gzip data stops in the middle, after {len(data)} bytes")
    if unpacker.unused_data:
        raise ProfileError(f"{len(unpacker.unused_data)} bytes follow the profile's gzip data")


def to_profile(
    proto: ProtoProfile, kind: str, *, with_runtime: bool = False, max_frames: int = grammar.MAX_LINES
) -> Profile:
    """The profile as if it had been read from debug=1 text: same stacks, same values, same order.

    What differs: delays of block and mutex profiles are nanoseconds, at 10⁹ "cycles" a second. Heap values are scaled
    to the whole heap already, so their period is 1, as in a program that samples each allocation: readers must not
    scale them again. A goroutine that has not begun has an unknown frame, since its address is missing here.

    Args:
        proto: what :func:`decode_proto` returned.
        kind: the name of the profile that was asked for, one of :data:`pprofwatch.model.TEXT_PROFILES`, or contentions.
        with_runtime: whether to keep the runtime's frames at the leaf, which the text leaves out.
        max_frames: how many frames all stacks may have together: few bytes of protobuf may stand for many.

    Raises:
        ProfileError: it is another kind of profile, or refers to something that it doesn't have.
    """
    kind = _AS_TEXT.get(kind, kind)
    with_runtime = with_runtime or kind in ("block", "mutex")
    records = read_records(proto, kind, with_runtime=with_runtime, max_frames=max_frames)
    # Go's order: the highest count or delay first, but the largest part of the heap last.
    records.sort(key=lambda record: record.values[kind not in grammar.COUNT_KINDS], reverse=kind != "heap")
    if kind in grammar.COUNT_KINDS or kind == "heap":
        return Profile(kind, sum(record.values[0] for record in records), tuple(records), period=int(kind == "heap"))
    return Profile(kind, 0, tuple(records), period=int(kind == "mutex"), cycles_per_second=10**9)


def read_records(
    proto: ProtoProfile,
    kind: str,
    *,
    with_runtime: bool,
    with_type_arguments: bool = False,
    max_frames: int = grammar.MAX_LINES,
) -> list[Record]:
    """A profile's samples, in its own order and its own units; CPU profiles too.

    Args:
        proto: what :func:`decode_proto` returned.
        kind: one of :data:`pprofwatch.model.TEXT_PROFILES`, or ``profile``: CPU, with samples and nanoseconds.
        with_runtime: whether to keep the runtime's frames at the leaf.
        with_type_arguments: whether to keep ``main.consume[go.shape.int]``, which is ``main.consume[...]`` in text.
        max_frames: how many frames all stacks may have together.

    Raises:
        ProfileError: it is another kind of profile, or refers to something that it doesn't have.
    """
    kind = "heap" if kind == "allocs" else kind
    tables = _Tables(proto, with_type_arguments=with_type_arguments)
    columns = _find_columns(kind, [tables.raw(sample_type.type) for sample_type in proto.sample_type])
    frames_left = max_frames
    records = []
    for sample in proto.sample:
        if len(sample.value) != len(proto.sample_type):
            raise ProfileError(f"expected {len(proto.sample_type)} values in a sample, not {len(sample.value)}")
        frames = tables.frames(sample, frames_left)
        if len(frames) > frames_left:
            raise ProfileError(f"the profile has more frames than {max_frames} in all")
        frames_left -= len(frames)
        records.append(
            Record(
                Stack(_visible(frames, hide_runtime=not with_runtime)),
                tuple(sample.value[column] for column in columns),
                format_labels(tables.labels(sample)),
            )
        )
    totals = [sum(record.values[column] for record in records) for column in range(len(columns))]
    if any(abs(total) > _MAX_INT64 for total in totals):
        raise ProfileError(f"the {kind} profile's values sum up to more than an int64 holds")
    return records


def guess_kind(proto: ProtoProfile) -> str:
    """The profile that has such values; ``block`` and ``mutex`` have the same, and are both called ``contentions``.

    Raises:
        ProfileError: none that Go's net/http/pprof serves has.
    """
    strings = proto.string_table
    has = [strings[each.type] for each in proto.sample_type if 0 <= each.type < len(strings)]
    default = proto.default_sample_type
    for kind, types in _VALUE_TYPES.items():
        if set(types) <= set(has):
            is_allocs = kind == "heap" and 0 <= default < len(strings) and strings[default] == b"alloc_space"
            return "allocs" if is_allocs else kind
    raise ProfileError(f"expected a profile of Go's net/http/pprof, not one with {grammar.quoted(b', '.join(has))}")


def _find_columns(kind: str, sample_types: list[bytes]) -> list[int]:
    columns = []
    for wanted in _VALUE_TYPES[kind]:
        if wanted not in sample_types:
            found = grammar.quoted(b", ".join(sample_types))
            raise ProfileError(
                f"expected a {kind} profile with the sample type {wanted.decode()}, not one with {found}"
            )
        columns.append(sample_types.index(wanted))
    return columns


def _visible(frames: list[Frame], *, hide_runtime: bool) -> tuple[Frame, ...]:
    """The frames that Go's ``printStackRecord`` prints.

    ``runtime.goexit``, the outermost, never; the runtime's own at the leaf only where there is nothing else.
    """
    frames = [frame for frame in frames if frame.function != "runtime.goexit" and frame != _NO_ADDRESS]
    if hide_runtime:
        return tuple(without_runtime_leaf(frames)) or (grammar.UNKNOWN_FRAME,)
    return tuple(frames) or (grammar.UNKNOWN_FRAME,)


class _Tables:
    """A profile's strings, functions and locations, looked up with care: any number may stand anywhere."""

    def __init__(self, proto: ProtoProfile, *, with_type_arguments: bool) -> None:
        self._with_type_arguments = with_type_arguments
        self._strings = proto.string_table
        self._functions = {function.id: function for function in proto.function}
        self._locations = {location.id: location for location in proto.location}
        # Each string and location is read once, however often it is referred to.
        self._names: dict[int, str] = {}
        self._files: dict[int, str] = {}
        self._frames: dict[int, list[Frame]] = {}
        self._label_bytes = 0

    def raw(self, index: int) -> bytes:
        if not 0 <= index < len(self._strings):
            raise ProfileError(f"the profile refers to string {index} of {len(self._strings)}")
        return self._strings[index]

    def labels(self, sample: pb.Sample) -> list[tuple[bytes, bytes]]:
        """The program's labels; numbers, such as heap's object sizes, are not among them."""
        labels = [(self.raw(label.key), self.raw(label.str)) for label in sample.label if not label.num]
        self._label_bytes += sum(len(key) + len(value) for key, value in labels)
        if self._label_bytes > _MAX_LABEL_BYTES:
            raise ProfileError(f"the profile has more than {_MAX_LABEL_BYTES} bytes of labels")
        return labels

    def frames(self, sample: pb.Sample, at_most: int) -> list[Frame]:
        """The sample's frames, leaf first, inlined ones included: one location's more than ``at_most`` at the worst."""
        frames: list[Frame] = []
        for location_id in sample.location_id:
            frames += self._location_frames(location_id)
            if len(frames) > grammar.MAX_FRAMES:
                raise ProfileError(f"the profile has more frames than {grammar.MAX_FRAMES} in a stack")
            if len(frames) > at_most:
                break
        return frames

    def _location_frames(self, location_id: int) -> list[Frame]:
        frames = self._frames.get(location_id)
        if frames is None:
            location = self._locations.get(location_id)
            if location is None:
                raise ProfileError(f"the profile refers to location {location_id}, which it doesn't have")
            frames = [self._frame(line, location.address) for line in location.line]
            frames = frames or [Frame(hex(location.address), "", 0)]
            self._frames[location_id] = frames
        return frames

    def _frame(self, line: pb.Line, address: int) -> Frame:
        function = self._functions.get(line.function_id)
        if function is None:
            raise ProfileError(f"the profile refers to function {line.function_id}, which it doesn't have")
        name = self._name(function.name)
        return Frame(name, self._file(function.filename), max(line.line, 0)) if name else Frame(hex(address), "", 0)

    def _name(self, index: int) -> str:
        name = self._names.get(index)
        if name is None:
            raw = self.raw(index)
            if not self._with_type_arguments:
                raw = without_type_arguments(raw)
            name = self._names[index] = grammar.clean_name(raw)
        return name

    def _file(self, index: int) -> str:
        file = self._files.get(index)
        if file is None:
            file = self._files[index] = grammar.clean_name(self.raw(index))
        return file
