"""Profiles for other programs."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.model import Frame, Stack
from pprofwatch.profiles.proto import decode_proto
from pprofwatch.report.export import export_collapsed, export_json, export_pprof, export_speedscope
from pprofwatch.report.samples import VALUE_TYPES, Samples, samples_from_proto

WAIT, MAIN = Frame("main.wait", "/src/a;b.go", 7), Frame("main.main;x", "/src/main.go", 3)
HEAP = Samples(
    "heap",
    VALUE_TYPES["heap"],
    ((Stack((WAIT, MAIN)), (1, 10, 2, 20)), (Stack((MAIN, MAIN)), (0, 0, 3, 30))),
    time=1795355393.102,
    duration=1.5,
    period=524288,
)


@given(
    kind=st.sampled_from(sorted(VALUE_TYPES)),
    stacks=st.dictionaries(
        st.lists(
            st.builds(Frame, st.from_regex(r"[a-zäλ.·()*]{1,9}", fullmatch=True), st.just("/f.go"), st.integers(0, 99)),
            min_size=1,
            max_size=6,
        ).map(lambda frames: Stack(tuple(frames))),
        st.integers(-(2**62), 2**62).filter(bool),
        max_size=9,
    ),
)
def test_what_is_written_as_protobuf_is_read_back(kind: str, stacks: dict[Stack, int]) -> None:
    types = VALUE_TYPES[kind]
    rows = tuple((stack, (number,) * len(types)) for stack, number in stacks.items())
    if abs(sum(stacks.values())) >= 2**63:
        rows = rows[:1]
    samples = Samples(kind, types, rows, 1795355393.102, 1.5, 7)
    assert samples_from_proto(export_pprof(samples), kind, 0) == samples


def test_a_protobuf_has_what_go_puts_into_it() -> None:
    proto = decode_proto(export_pprof(HEAP), max_bytes=1 << 20, max_items=1000)
    assert proto.time_nanos == 1795355393102000000
    assert proto.duration_nanos == 1500000000
    assert proto.period == 524288
    strings = proto.string_table
    assert (strings[proto.period_type.type], strings[proto.period_type.unit]) == (b"space", b"bytes")
    assert strings[proto.default_sample_type] == b"inuse_space"
    assert len(proto.location) == len(proto.function) == 2
    assert not proto.comment


def test_the_same_profile_gives_the_same_file() -> None:
    assert export_pprof(HEAP) == export_pprof(HEAP)
    assert gzip.decompress(export_pprof(HEAP))


def test_numbers_that_protobuf_cannot_hold_are_cut() -> None:
    samples = Samples("goroutine", VALUE_TYPES["goroutine"], ((Stack((MAIN,)), (10**19,)),), 0)
    assert samples_from_proto(export_pprof(samples), "goroutine", 1).column() == {Stack((MAIN,)): 2**63 - 1}


def test_collapsed_stacks_begin_at_the_root_and_no_name_breaks_them() -> None:
    assert export_collapsed(HEAP) == "main.main:x;main.wait 10\n"
    assert export_collapsed(HEAP, "alloc_space") == "main.main:x;main.main:x 30\nmain.main:x;main.wait 20\n"


def test_speedscope_has_a_profile_for_each_value() -> None:
    document = json.loads(export_speedscope(HEAP, "app:1 heap"))
    assert [each["name"] for each in document["profiles"]] == [each.name for each in HEAP.types]
    alloc_space = document["profiles"][3]
    names = [frame["name"] for frame in document["shared"]["frames"]]
    stacks = [[names[index] for index in sample] for sample in alloc_space["samples"]]
    assert stacks == [["main.main;x", "main.wait"], ["main.main;x", "main.main;x"]]
    assert (alloc_space["weights"], alloc_space["endValue"], alloc_space["unit"]) == ([20, 30], 50, "bytes")


def test_speedscope_shows_a_difference_as_what_grew_and_what_shrank() -> None:
    rows = ((Stack((WAIT,)), (3,)), (Stack((MAIN,)), (-2,)))
    document = json.loads(export_speedscope(Samples("goroutine", VALUE_TYPES["goroutine"], rows, 0), "x"))
    assert [(each["name"], each["weights"]) for each in document["profiles"]] == [
        ("goroutine that grew", [3]),
        ("goroutine that shrank", [2]),
    ]


def test_json_has_everything() -> None:
    document = json.loads(export_json(HEAP, "app:1", "2026-11-22T13:49:53.102Z"))
    assert document["types"][1] == {"value": "inuse_space", "unit": "bytes"}
    assert document["stacks"][0] == {"values": [1, 10, 2, 20], "frames": [WAIT._asdict(), MAIN._asdict()]}
    assert (document["profile"], document["target"], document["duration"]) == ("heap", "app:1", 1.5)


@pytest.mark.parametrize("kind", ["collapsed", "speedscope"])
def test_nothing_is_a_profile_too(kind: str) -> None:
    empty = Samples("goroutine", VALUE_TYPES["goroutine"], (), 0)
    assert export_collapsed(empty) == "" if kind == "collapsed" else json.loads(export_speedscope(empty, "x"))
