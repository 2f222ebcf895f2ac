"""profile.proto: decoding it within bounds, and giving it the shape of Go's text."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame, Profile, Record, Stack
from pprofwatch.profiles import grammar, wire
from pprofwatch.profiles import profile_pb2 as pb
from pprofwatch.profiles.proto import decode_proto, to_profile
from pprofwatch.profiles.text import parse_text, render_text

HEAP_TYPES = ("alloc_objects", "alloc_space", "inuse_objects", "inuse_space")


class Builder:
    """Builds a profile of named functions; a location is a list of them, innermost first."""

    def __init__(self, *sample_types: str) -> None:
        self.proto = pb.Profile(string_table=[b""])
        for name in sample_types:
            self.proto.sample_type.add(type=self.string(name))

    def string(self, text: str | bytes) -> int:
        self.proto.string_table.append(text if isinstance(text, bytes) else text.encode())
        return len(self.proto.string_table) - 1

    def location(self, *functions: str | bytes, address: int = 0x10) -> int:
        location = self.proto.location.add(id=len(self.proto.location) + 1, address=address)
        for name in functions:
            function = self.proto.function.add(id=len(self.proto.function) + 1)
            function.name, function.filename = self.string(name), self.string("/src/a.go")
            location.line.add(function_id=function.id, line=7)
        return location.id

    def sample(
        self, values: tuple[int, ...], *locations: int, labels: dict[str, str | bytes] | None = None
    ) -> pb.Sample:
        sample = self.proto.sample.add(value=values, location_id=locations)
        for key, value in (labels or {}).items():
            sample.label.add(key=self.string(key), str=self.string(value))
        return sample


def decode(data: bytes, max_bytes: int = 1 << 20, max_items: int = 10_000) -> pb.Profile:
    return decode_proto(data, max_bytes=max_bytes, max_items=max_items)


def goroutines(*locations: tuple[str | bytes, ...]) -> Profile:
    """A goroutine profile of one goroutine."""
    builder = Builder("goroutine")
    builder.sample((1,), *(builder.location(*functions) for functions in locations))
    return to_profile(decode(builder.proto.SerializeToString()), "goroutine")


def functions(profile: Profile) -> list[tuple[str, ...]]:
    return [record.stack.functions for record in profile.records]


def test_inlined_functions_come_leaf_first() -> None:
    profile = goroutines(("main.leaf", "main.middle"), ("main.main",))
    assert profile == Profile(
        "goroutine",
        1,
        (
            Record(
                Stack(tuple(Frame(name, "/src/a.go", 7) for name in ("main.leaf", "main.middle", "main.main"))),
                (1,),
            ),
        ),
    )


def test_frames_of_the_runtime_are_left_out_as_in_text() -> None:
    waiting = goroutines(
        ("runtime.gopark",), ("internal/runtime/sys.x",), ("main.f",), ("runtime.main",), ("runtime.goexit",)
    )
    assert functions(waiting) == [("main.f", "runtime.main")]
    assert functions(goroutines(("runtime.gopark",), ("runtime.main",))) == [("runtime.gopark", "runtime.main")]
    assert functions(goroutines(("runtime/pprof.Do",))) == [("runtime/pprof.Do",)]
    assert functions(goroutines(("runtime.goexit",))) == [("0x0",)]
    assert functions(goroutines()) == [("0x0",)]


def test_block_and_mutex_keep_the_runtime() -> None:
    builder = Builder("contentions", "delay")
    builder.sample((4, 900), builder.location("runtime.chanrecv1"), builder.location("main.f"))
    for kind, period in (("block", 0), ("mutex", 1)):
        profile = to_profile(builder.proto, kind)
        assert functions(profile) == [("runtime.chanrecv1", "main.f")]
        assert (profile.kind, profile.total, profile.period, profile.cycles_per_second) == (kind, 0, period, 10**9)
        assert profile.records[0].values == (4, 900)


@pytest.mark.parametrize(
    ("in_protobuf", "in_text"),
    [
        ("main.consume[go.shape.struct { main.id int }]", "main.consume[...]"),
        ("main.(*T[go.shape.[]int]).m[go.shape.int].func1", "main.(*T[...]).m[...].func1"),
        ("main.odd]name[", "main.odd]name["),
        ("main.open[go", "main.open[go"),
    ],
)
def test_type_arguments_are_shortened_as_in_text(in_protobuf: str, in_text: str) -> None:
    assert functions(goroutines((in_protobuf,))) == [(in_text,)]


def test_a_location_without_a_name_is_its_address() -> None:
    builder = Builder("goroutine")
    builder.sample((1,), builder.location(address=0x48C3CA), builder.location("", address=0x48C3CB))
    assert functions(to_profile(builder.proto, "goroutine")) == [("0x48c3ca", "0x48c3cb")]


def test_threads_without_a_stack_read_as_in_text() -> None:
    builder = Builder("threadcreate")
    nowhere = builder.location("", address=2**64 - 1)
    builder.sample((5,), *[nowhere] * 32)
    assert to_profile(builder.proto, "threadcreate") == parse_text(
        b"threadcreate profile: total 5\n5 @ 0x0\n#\t0x0\n\n"
    )


def test_labels_are_written_as_go_does() -> None:
    builder = Builder("goroutine")
    labels: dict[str, str | bytes] = {
        "tenant": 'a "b" \\',
        "empty": "",
        "ctl": "\n\t\x01\x7f\u202e\U000e0001ä",
        "raw": b"\xff",
    }
    builder.sample((1,), builder.location("main.f"), labels=labels).label.add(key=builder.string("bytes"), num=64)
    (record,) = to_profile(builder.proto, "goroutine").records
    expected = r'{"ctl":"\n\t\x01\x7f\u202e\U000e0001ä", "empty":"", "raw":"\xff", "tenant":"a \"b\" \\"}'
    assert record.labels == expected


def test_heap_values_are_in_the_order_of_the_text_and_not_to_be_scaled() -> None:
    builder = Builder(*HEAP_TYPES)
    builder.sample((10, 1000, 2, 200), builder.location("main.f"))
    builder.sample((0, 0, -1, -100), builder.location("main.g"))
    profile = to_profile(builder.proto, "allocs")
    assert (profile.kind, profile.total, profile.period) == ("heap", 1, 1)
    assert [record.values for record in profile.records] == [(-1, -100, 0, 0), (2, 200, 10, 1000)]
    assert render_text(profile).startswith(b"heap profile: 1: 100 [10: 1000] @ heap/2\n-1: -100 [0: 0] @ 0x0\n")


def test_counts_are_sorted_highest_first() -> None:
    builder = Builder("goroutine")
    for count in (-3, 5, 1):
        builder.sample((count,), builder.location("main.f"))
    profile = to_profile(builder.proto, "goroutine")
    assert (profile.total, [record.values for record in profile.records]) == (3, [(5,), (1,), (-3,)])
    assert parse_text(render_text(profile)) == profile


def test_names_can_not_break_the_text() -> None:
    profile = goroutines(("main.f\n\n9 @ 0x0\n#\t0x0\x1b[2J",), (b"main.\xff",))
    assert functions(profile) == [("main.f��9 @ 0x0�#�0x0�[2J", "main.�")]
    assert parse_text(render_text(profile)) == profile


def test_gzip_or_not_is_the_same() -> None:
    plain = Builder("goroutine").proto.SerializeToString()
    assert decode(gzip.compress(plain)) == decode(plain)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "expected a pprof protobuf, not ''"),
        (b"Unknown profile\n", "protobuf"),
        (b"\x12\x00", "expected a pprof protobuf, not "),
        (b"\x12\x05\x00", "stops in the middle of a field, at byte 2"),
        (b"\x07", "expected a field of a protobuf at byte 1"),
        (b"\x08" + b"\xff" * 10, "expected a number of a protobuf"),
        (b"\x08", "expected a number of a protobuf at byte 1"),
        (gzip.compress(b"x" * 1000)[:-1], "gzip data stops in the middle"),
        (gzip.compress(b"x" * 1000)[:20], "gzip data stops in the middle, after 20 bytes"),
        (gzip.compress(b"x" * 1000)[:-8] + b"\0" * 8, "gzip data is damaged"),
        (gzip.compress(b"x") + b"more", "4 bytes follow the profile's gzip data"),
        (gzip.compress(b"\0" * 2_000_000), "longer than 1048576 bytes when unpacked"),
        (b"\0" * 2_000_000, "longer than 1048576 bytes when unpacked"),
    ],
)
def test_what_is_no_protobuf_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint) as error:
        decode(data)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "items",
    [
        b"\x12\x00" * 20_000,  # samples
        b"\x22\x00" * 20_000,  # locations
        b"\x2a\x00" * 20_000,  # functions
        b"\x32\x00" * 20_000,  # strings
        b"\x22\xc0\xb8\x02" + b"\x22\x00" * 20_000,  # the lines of one location
        b"\x12\xc0\xb8\x02" + b"\x1a\x00" * 20_000,  # the labels of one sample
        b"\x12\x84\xe2\x09\x0a\x80\xe2\x09" + b"\x01" * 160_000,  # the locations of one sample
        b"\x6a\x80\xe2\x09" + b"\x01" * 160_000,  # comments
        b"\x4d\0\0\0\0" * 20_000,  # fields that nobody knows
        b"\x49\0\0\0\0\0\0\0\0" * 20_000,
    ],
    ids=["samples", "locations", "functions", "strings", "lines", "labels", "ids", "comments", "fixed32", "fixed64"],
)
def test_many_small_items_are_refused_before_they_are_decoded(items: bytes) -> None:
    data = Builder("goroutine").proto.SerializeToString() + items
    with pytest.raises(ProfileError, match="more than 10000 samples, locations, functions and the like"):
        decode(gzip.compress(data))
    wire.check_items(data, 50_000)


def test_one_string_in_all_places_costs_no_more_than_one() -> None:
    builder = Builder("goroutine")
    location = builder.location("main.f")
    long = builder.string("x" * 1_000_000)
    for _ in range(1000):
        builder.sample((1,), location).label.add(key=long, str=long)
    with pytest.raises(ProfileError, match="more than 16777216 bytes of labels"):
        to_profile(builder.proto, "goroutine")


def test_stacks_are_no_deeper_than_in_text() -> None:
    builder = Builder("goroutine")
    location = builder.location(*["main.f"] * 100)
    builder.sample((1,), *[location] * 100)
    profile = to_profile(builder.proto, "goroutine")
    assert parse_text(render_text(profile)) == profile
    builder.sample((1,), *[location] * 101)
    with pytest.raises(ProfileError, match="more frames than 10000 in a stack"):
        to_profile(builder.proto, "goroutine")


def test_stacks_are_no_longer_in_all_than_in_text() -> None:
    builder = Builder("goroutine")
    location = builder.location(*["main.f"] * 100)
    for _ in range(grammar.MAX_LINES // 10_000 + 1):
        builder.sample((1,), *[location] * 100)
    with pytest.raises(ProfileError, match="more frames than 2000000 in all"):
        to_profile(builder.proto, "goroutine")


def break_string(proto: pb.Profile) -> None:
    proto.function[0].name = len(proto.string_table)


def break_string_below(proto: pb.Profile) -> None:
    proto.function[0].filename = -1


def break_label(proto: pb.Profile) -> None:
    proto.sample[0].label.add(key=99)


def break_type(proto: pb.Profile) -> None:
    proto.sample_type[0].type = 2**63 - 1


def break_function(proto: pb.Profile) -> None:
    proto.location[0].line[0].function_id = 99


def break_location(proto: pb.Profile) -> None:
    proto.sample[0].location_id[0] = 99


def break_values(proto: pb.Profile) -> None:
    proto.sample[0].value.append(1)


def break_sum(proto: pb.Profile) -> None:
    proto.sample[0].value[0] = 2**63 - 1


def break_kind(proto: pb.Profile) -> None:
    proto.sample_type[0].type = proto.function[0].name


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (break_string, "refers to string 6 of 6"),
        (break_string_below, "refers to string -1 of 6"),
        (break_label, "refers to string 99 of 6"),
        (break_type, "refers to string 9223372036854775807 of 6"),
        (break_function, "refers to function 99, which it doesn't have"),
        (break_location, "refers to location 99, which it doesn't have"),
        (break_values, "expected 1 values in a sample, not 2"),
        (break_sum, "sum up to more than an int64 holds"),
        (break_kind, "expected a goroutine profile with the sample type goroutine, not one with 'main.f'"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(damage: object, complaint: str) -> None:
    builder = Builder("goroutine")
    builder.sample((1,), builder.location("main.f"))
    builder.sample((1,), builder.location("main.g"))
    to_profile(builder.proto, "goroutine")
    assert callable(damage)
    damage(builder.proto)
    with pytest.raises(ProfileError, match=complaint):
        to_profile(decode(builder.proto.SerializeToString()), "goroutine")


def a_profile() -> bytes:
    builder = Builder("goroutine")
    builder.sample((3,), builder.location("runtime.gopark"), builder.location("main.f", "main.g"), labels={"k": "v"})
    builder.sample((1,), builder.location("main.h"))
    return builder.proto.SerializeToString()


@st.composite
def damaged_profiles(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from([a_profile(), b""])) + draw(st.binary(max_size=10)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    packed = draw(st.sampled_from([bytes(data), gzip.compress(bytes(data)), zlib.compress(bytes(data))]))
    return packed[: draw(st.integers(0, len(packed)))] if draw(st.booleans()) else packed


@given(damaged_profiles() | st.binary(max_size=300), st.sampled_from(["goroutine", "heap", "mutex"]))
def test_whatever_the_bytes_only_profile_errors_come_out(data: bytes, kind: str) -> None:
    try:
        profile = to_profile(decode(data), kind)
    except ProfileError as error:
        complaint = str(error)
        assert complaint.isprintable()
    else:
        assert parse_text(render_text(profile)) == profile
