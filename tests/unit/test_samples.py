"""Profiles as stacks and their values, from text and from protobuf."""

from __future__ import annotations

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.errors import ProfileError, UsageError
from pprofwatch.model import Frame, Stack
from pprofwatch.profiles.encode import encode_profile
from pprofwatch.report.samples import Samples, ValueType, samples_from_proto, samples_from_text

GOROUTINES = b"""goroutine profile: total 5
3 @ 0x1 0x2
# labels: {"tenant":"a"}
#\t0x1\tmain.wait+0x1\t/src/main.go:7
#\t0x2\tmain.main+0x1\t/src/main.go:3

2 @ 0x1 0x2
#\t0x1\tmain.wait+0x1\t/src/main.go:7
#\t0x2\tmain.main+0x1\t/src/main.go:3

"""
WAIT, MAIN = Frame("main.wait", "/src/main.go", 7), Frame("main.main", "/src/main.go", 3)


def test_records_of_one_stack_are_added_up() -> None:
    samples = samples_from_text(GOROUTINES, "goroutine", 12.5)
    assert samples == Samples(
        "goroutine", (ValueType("goroutine", "count"),), ((Stack((WAIT, MAIN)), (5,)),), time=12.5
    )
    assert samples.column() == samples.column("goroutine") == {Stack((WAIT, MAIN)): 5}


def test_heap_is_scaled_as_pprof_does() -> None:
    body = b"heap profile: 2: 64 [8: 512] @ heap/1048576\n2: 64 [8: 512] @ 0x1\n#\t0x1\tmain.f+0x1\t/f.go:1\n\n"
    heap = samples_from_text(body, "heap", 0)
    ((_, values),) = heap.rows
    assert values == (32769, 1048608, 65540, 4194560)  # go tool pprof -raw says the same
    assert heap.value_type() == ValueType("inuse_space", "bytes")
    assert samples_from_text(body, "allocs", 0).value_type() == ValueType("alloc_space", "bytes")
    assert heap.period == 524288


def test_delays_are_nanoseconds() -> None:
    body = b"--- mutex:\ncycles/second=2000000000\nsampling period=1\n3000 2 @ 0x1\n#\t0x1\tmain.f+0x1\t/f.go:1\n\n"
    mutex = samples_from_text(body, "mutex", 0)
    assert [values for _, values in mutex.rows] == [(2, 1500)]
    assert mutex.value_type() == ValueType("delay", "nanoseconds")


def test_an_unknown_value_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match='a goroutine profile has no value "cpu": choose from goroutine'):
        samples_from_text(GOROUTINES, "goroutine", 0).column("cpu")


def test_another_profile_is_refused() -> None:
    with pytest.raises(ProfileError, match="expected a heap profile, not one of goroutine"):
        samples_from_text(GOROUTINES, "heap", 0)


def proto(types: list[tuple[str, str]], frames: tuple[Frame, ...], *values: int, default: str = "") -> bytes:
    return encode_profile(types, [(Stack(frames), values)], time=100.25, duration=2.5, default=default)


@pytest.mark.parametrize(
    ("types", "default", "kind"),
    [
        ([("goroutine", "count")], "", "goroutine"),
        ([("samples", "count"), ("cpu", "nanoseconds")], "", "profile"),
        (
            [
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ],
            "inuse_space",
            "heap",
        ),
        (
            [
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ],
            "alloc_space",
            "allocs",
        ),
        ([("contentions", "count"), ("delay", "nanoseconds")], "", "contentions"),
    ],
)
def test_a_protobuf_tells_what_it_is(types: list[tuple[str, str]], default: str, kind: str) -> None:
    samples = samples_from_proto(proto(types, (MAIN,), *range(1, len(types) + 1), default=default), "", 0)
    assert (samples.kind, samples.time, samples.duration) == (kind, 100.25, 2.5)
    assert {each.name: samples.column(each.name)[Stack((MAIN,))] for each in samples.types} == {
        name: number for number, (name, _) in enumerate(types, 1)
    }


@pytest.mark.parametrize("wanted", ["heap", "trace", ""])
def test_a_protobuf_of_something_else_is_refused(wanted: str) -> None:
    with pytest.raises(ProfileError):
        samples_from_proto(proto([("wall", "nanoseconds")], (MAIN,), 1), wanted, 0)


def test_the_runtimes_leaf_and_type_arguments_are_there_until_they_are_left_out() -> None:
    park, sleep = Frame("runtime.gopark", "runtime/proc.go", 1), Frame("time.Sleep", "runtime/time.go", 2)
    generic = Frame("main.f[go.shape.int]", "/src/f.go", 3)
    data = proto([("goroutine", "count")], (park, sleep, generic, MAIN), 4)
    samples = samples_from_proto(data, "goroutine", 0)
    as_text = generic._replace(function="main.f[...]")
    assert list(samples.column()) == [Stack((park, sleep, generic, MAIN))]
    assert list(samples.without_runtime().column()) == [Stack((sleep, as_text, MAIN))]
    assert list(samples.at_users_code().column()) == [Stack((as_text, MAIN))]


VALID = proto([("goroutine", "count")], (WAIT, MAIN), 4)


@given(st.binary(max_size=200) | st.tuples(st.integers(0, 300), st.binary(max_size=8)).map(lambda cut: spliced(*cut)))
def test_whatever_the_bytes_only_declared_errors_are_raised(data: bytes) -> None:
    for read in (samples_from_text, samples_from_proto):
        for wanted in ("", "goroutine", "profile"):
            with contextlib.suppress(ProfileError):
                samples = read(data, wanted, 0)
                assert samples.without_runtime().at_users_code().column() is not None


def spliced(offset: int, more: bytes) -> bytes:
    """A valid profile, its bytes unpacked, with some of them replaced."""
    data = gzip.decompress(VALID)
    return data[:offset] + more + data[offset + len(more) :]


def test_stacks_without_the_users_code_begin_at_the_standard_library() -> None:
    park, wait = Frame("runtime.gopark", "runtime/proc.go", 1), Frame("net/http.(*conn).serve", "net/http/server.go", 2)
    samples = samples_from_proto(proto([("goroutine", "count")], (park, wait), 4), "goroutine", 0)
    assert list(samples.at_users_code().column()) == [Stack((wait,))]


def test_a_difference_has_what_came_and_what_went() -> None:
    def samples(time: float, **counts: int) -> Samples:
        rows = tuple((Stack((Frame(name, "", 1),)), (count,)) for name, count in counts.items())
        return Samples("goroutine", (ValueType("goroutine", "count"),), rows, time)

    difference = samples(20, a=1, b=5, d=2).minus(samples(10, a=1, b=2, c=4))
    assert {stack.functions[0]: number for stack, number in difference.column().items()} == {"b": 3, "c": -4, "d": 2}
    assert (difference.time, difference.duration) == (20, 10)
    heap = Samples("heap", (ValueType("inuse_space", "bytes"),), (), 0)
    with pytest.raises(ProfileError, match="of one kind, not heap and goroutine"):
        samples(20, a=1).minus(heap)
