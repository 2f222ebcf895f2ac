"""Why goroutines wait: from profiles as protobuf, where Go's own words are the runtime's functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame, Stack
from pprofwatch.profiles.profile_pb2 import Profile as ProtoProfile
from pprofwatch.profiles.proto import decode_proto
from pprofwatch.profiles.waits import wait_reasons


def profile(*samples: tuple[int, list[str]]) -> ProtoProfile:
    """A goroutine profile of so many goroutines in stacks of these functions, leaf first, each at line 7 of a file."""
    strings = ["", "goroutine", "count", "/f.go"]
    proto = ProtoProfile()
    proto.sample_type.add(type=1, unit=2)
    for count, functions in samples:
        sample = proto.sample.add(value=[count])
        for function in functions:
            if function not in strings:
                strings.append(function)
                number = len(strings) - 1
                proto.function.add(id=number, name=number, filename=3)
                proto.location.add(id=number, address=number).line.add(function_id=number, line=7)
            sample.location_id.append(strings.index(function))
    proto.string_table.extend(string.encode() for string in strings)
    return proto


def stack(*functions: str) -> Stack:
    return Stack(tuple(Frame(function, "/f.go", 7) for function in functions))


def test_the_reason_is_the_runtimes_function_that_parked_the_goroutine() -> None:
    send = ["runtime.gopark", "runtime.chansend", "runtime.chansend1", "main.send", "runtime.goexit"]
    sleep = ["runtime.gopark", "time.Sleep", "main.sleep"]
    assert wait_reasons(profile((3, send), (2, sleep))) == {
        stack("main.send"): "chan send",
        stack("time.Sleep", "main.sleep"): "sleep",
    }


def test_who_runs_waits_for_nothing() -> None:
    assert wait_reasons(profile((3, ["main.spin"]), (1, ["runtime.Gosched", "main.spin"]))) == {}


def test_what_is_not_known_is_left_out() -> None:
    assert wait_reasons(profile((3, ["runtime.gopark", "runtime.someday", "main.wait"]))) == {}
    # A function of the program that is called like one of Go's is not what parked it.
    assert wait_reasons(profile((3, ["runtime.gopark", "runtime.someday", "main.wait", "time.Sleep"]))) == {}


def test_of_several_reasons_that_of_most_goroutines_counts() -> None:
    send = ["runtime.gopark", "runtime.chansend", "main.wait"]
    receive = ["runtime.gopark", "runtime.chanrecv", "main.wait"]
    receive_in_a_loop = ["runtime.gopark", "runtime.chanrecv", "runtime.chanrecv2", "main.wait"]
    assert wait_reasons(profile((3, send), (2, receive), (2, receive_in_a_loop))) == {
        stack("main.wait"): "chan receive"
    }


def test_a_stack_of_the_runtime_alone_is_shown_whole() -> None:
    functions = ("runtime.gopark", "runtime.chanrecv", "runtime.main")
    assert wait_reasons(profile((1, list(functions)))) == {stack(*functions): "chan receive"}


def test_another_profile_is_refused() -> None:
    proto = profile((1, ["main.f"]))
    proto.string_table[1] = b"heap"
    with pytest.raises(ProfileError, match="expected a goroutine profile with the sample type goroutine"):
        wait_reasons(proto)
    proto = profile((1, ["main.f"]))
    proto.sample[0].location_id.append(99)
    with pytest.raises(ProfileError, match="refers to location 99, which it doesn't have"):
        wait_reasons(proto)


WHOLE = profile((3, ["runtime.gopark", "runtime.chansend", "main.wait"]), (1, ["main.spin"])).SerializeToString()


@given(st.integers(0, len(WHOLE)), st.binary(max_size=8), st.integers(0, 8))
def test_any_bytes_are_a_profile_or_an_error(offset: int, written: bytes, removed: int) -> None:
    try:
        found = wait_reasons(
            decode_proto(WHOLE[:offset] + written + WHOLE[offset + removed :], max_bytes=1000, max_items=99)
        )
    except ProfileError:
        return
    assert set(found.values()) <= {"chan send"}
