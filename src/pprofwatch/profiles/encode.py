"""Writing profile.proto, the form that ``go tool pprof`` and all that is built on it read."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from pprofwatch.profiles import grammar
from pprofwatch.profiles.profile_pb2 import Profile as ProtoProfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pprofwatch.model import Frame, Stack

_NANOSECONDS = 10**9
_MAX_INT64 = 2**63 - 1
_MAPPING_ID = 1


def encode_profile(
    types: Sequence[tuple[str, str]],
    rows: Iterable[tuple[Stack, Sequence[int]]],
    *,
    time: float,
    duration: float = 0.0,
    period_type: tuple[str, str] = ("", ""),
    period: int = 0,
    default: str = "",
) -> bytes:
    """Encodes a profile as a gzip file.

    Our stacks know lines, not addresses: each line of a function is a location of its own, and what was inlined looks
    called.

    Args:
        types: Name and unit of each value: ``("inuse_space", "bytes")``.
        rows: Stacks, leaf first, each with a value a type.
        time: When it was taken, in Unix seconds.
        duration: The seconds that it covers.
        period_type: Name and unit of what lies between two samples.
        period: How much of it.
        default: The type that is looked at first.
    """
    proto = ProtoProfile(
        time_nanos=round(time * 1000) * (_NANOSECONDS // 1000),
        duration_nanos=round(duration * _NANOSECONDS),
        period=period,
    )
    tables = _Tables(proto)
    for name, unit in types:
        proto.sample_type.add(type=tables.text(name), unit=tables.text(unit))
    proto.period_type.type, proto.period_type.unit = map(tables.text, period_type)
    proto.default_sample_type = tables.text(default)
    # Says that there is nothing to look up in a binary.
    proto.mapping.add(
        id=_MAPPING_ID, has_functions=True, has_filenames=True, has_line_numbers=True, has_inline_frames=True
    )
    for stack, values in rows:
        # Text may hold numbers that protobuf's don't reach.
        within = [max(-_MAX_INT64, min(_MAX_INT64, value)) for value in values]
        proto.sample.add(location_id=[tables.location(frame) for frame in stack.frames], value=within)
    return gzip.compress(proto.SerializeToString(deterministic=True), mtime=0)


class _Tables:
    """A profile's strings, functions and locations, each of which stands in it once."""

    def __init__(self, proto: ProtoProfile) -> None:
        self._proto = proto
        self._texts: dict[str, int] = {}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[Frame, int] = {}
        self.text("")

    def text(self, text: str) -> int:
        """The index of a string."""
        index = self._texts.get(text)
        if index is None:
            index = self._texts[text] = len(self._texts)
            self._proto.string_table.append(text.encode())
        return index

    def location(self, frame: Frame) -> int:
        """The id of a frame's location."""
        known = self._locations.get(frame)
        if known is not None:
            return known
        location_id = self._locations[frame] = len(self._locations) + 1
        location = self._proto.location.add(id=location_id, mapping_id=_MAPPING_ID)
        if grammar.is_address(frame):
            location.address = int(frame.function, 16)
        else:
            location.line.add(function_id=self._function(frame.function, frame.file), line=frame.line)
        return location_id

    def _function(self, name: str, file: str) -> int:
        known = self._functions.get((name, file))
        if known is None:
            known = self._functions[name, file] = len(self._functions) + 1
            index = self.text(name)
            self._proto.function.add(id=known, name=index, system_name=index, filename=self.text(file))
        return known
