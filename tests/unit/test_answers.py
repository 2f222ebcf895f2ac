"""What a target's answer is taken for."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badserver import GOROUTINE
from pprofwatch.collect.answers import Answer, begins_right, judge, shown
from pprofwatch.errors import FetchError, ProfileBusyError, ProfileMissingError
from pprofwatch.model import BINARY_PROFILES, TEXT_PROFILES, ProfileRequest
from pprofwatch.profiles import profile_pb2

HEAP = (
    b"heap profile: 1: 64 [2: 128] @ heap/1048576\n"
    b"1: 64 [2: 128] @ 0x4711\n#\t0x4711\tmain.main+0x1\t/src/main.go:3\n\n"
    b"\n# runtime.MemStats\n# Alloc = 64\n# DebugGC = false\n# MaxRSS = 9371648\n"
)
CPU = gzip.compress(b"cpu" * 1000)
TRACE = b"go 1.26 trace\x00\x00\x00" + bytes(100)
WHOLE = {
    "goroutine": GOROUTINE,
    "threadcreate": b"threadcreate profile: total 5\n5 @ 0x0\n#\t0x0\n\n",
    "goroutineleak": b"goroutineleak profile: total 0\n",
    "heap": HEAP,
    "allocs": HEAP,
    "block": b"--- contention:\ncycles/second=2445412721\n",
    "mutex": b"--- mutex:\ncycles/second=1\nsampling period=0\n",
    "profile": CPU,
    "trace": TRACE,
}


def request(name: str) -> ProfileRequest:
    return ProfileRequest(name, seconds=1 if name in BINARY_PROFILES else 0)


def refusal(name: str, answer: Answer) -> str:
    with pytest.raises(FetchError) as caught:
        judge(request(name), answer)
    return str(caught.value)


def delta(counts: list[int], kind: str = "goroutine") -> bytes:
    proto = profile_pb2.Profile(string_table=[b"", kind.encode(), b"count", b"main.work", b"/src/work.go"])
    proto.sample_type.add(type=1, unit=2)
    proto.function.add(id=1, name=3, filename=4)
    for number, count in enumerate(counts, 1):
        proto.location.add(id=number, address=number).line.add(function_id=1, line=number)
        proto.sample.add(location_id=[number], value=[count])
    return gzip.compress(proto.SerializeToString())


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_profile_is_logged_as_it_came(name: str) -> None:
    assert judge(request(name), Answer(200, WHOLE[name])) == WHOLE[name]


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        *[("goroutine", 60), ("goroutine", 150), ("goroutine", len(GOROUTINE) - 1), ("threadcreate", 31)],
        *[("heap", 100), ("heap", 20), ("mutex", 20), ("profile", 30), ("profile", len(CPU) - 1), ("trace", 10)],
    ],
)
def test_a_profile_that_stops_early_is_an_error(name: str, cut: int) -> None:
    assert "damaged" in refusal(name, Answer(200, WHOLE[name][:cut]))


def test_a_record_that_is_missing_shows_in_the_sum() -> None:
    body = GOROUTINE.replace(b"total 3", b"total 4")
    assert refusal("goroutine", Answer(200, body)) == (
        "answered a damaged profile: its header says 4, its records sum up to 3"
    )


def test_a_flipped_bit_in_a_cpu_profile_is_an_error() -> None:
    flipped = bytearray(CPU)
    flipped[-6] ^= 1  # in the CRC-32
    assert "compression is broken" in refusal("profile", Answer(200, bytes(flipped)))


def test_a_cpu_profile_may_not_be_huge_once_it_is_decompressed() -> None:
    body = gzip.compress(bytes(1 << 20))
    with pytest.raises(FetchError, match="larger than 65536 bytes"):
        judge(ProfileRequest("profile", 5), Answer(200, body), max_bytes=1 << 16)


def test_a_delta_is_logged_as_text() -> None:
    body = judge(ProfileRequest("goroutine", 2), Answer(200, delta([3, -1]), took=2.001))
    assert body.startswith(b"goroutine profile: total 2\n3 @ ")
    assert b"main.work" in body


@pytest.mark.parametrize("data", [delta([1])[:-9], gzip.compress(b"what?"), b"\x1f\x8b\x08"])
def test_a_delta_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(FetchError, match="answered a damaged profile"):
        judge(ProfileRequest("goroutine", 2), Answer(200, data, took=2.001))


def test_a_delta_of_another_profile_is_an_error() -> None:
    with pytest.raises(FetchError, match="threadcreate"):
        judge(ProfileRequest("goroutine", 2), Answer(200, delta([1], "threadcreate"), took=2.001))


def test_a_delta_bomb_is_an_error() -> None:
    with pytest.raises(FetchError, match="longer than 100000 bytes"):
        judge(ProfileRequest("goroutine", 2), Answer(200, gzip.compress(bytes(1 << 20)), took=2.1), max_bytes=100_000)


def test_a_level_in_place_of_a_delta_is_an_error() -> None:
    """Go before 1.15 does not know ``seconds`` and answers at once."""
    with pytest.raises(FetchError, match=r"answered seconds=2 after 0\.0 s: its Go does not know deltas"):
        judge(ProfileRequest("goroutine", 2), Answer(200, delta([1]), took=0.004))


DUMP = b"goroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x1d\n"
PROTOBUF = delta([3])


@pytest.mark.parametrize(("debug", "body"), [(0, PROTOBUF), (2, DUMP), (2, DUMP[:30])], ids=["protobuf", "dump", "cut"])
def test_evidence_is_kept_as_it_came(debug: int, body: bytes) -> None:
    assert judge(ProfileRequest("goroutine", debug=debug), Answer(200, body)) == body


@pytest.mark.parametrize(
    ("debug", "status", "body", "expected"),
    [
        (0, 200, PROTOBUF[:-9], "answered a damaged profile: its compressed data stops early, after [0-9]+ bytes.*"),
        (0, 200, GOROUTINE, "answered something that is not a goroutine profile: goroutine profile: total 3"),
        (2, 200, PROTOBUF, "answered something that is not a goroutine profile: .*"),
        (2, 200, b"<html>", "answered HTML, not a profile .*"),
        (2, 404, b"no such page", "has no goroutine profile"),
        (2, 500, b"no", "answered 500 Internal Server Error: no"),
    ],
    ids=["cut short", "text for protobuf", "protobuf for text", "html", "missing", "refused"],
)
def test_what_is_no_evidence_is_an_error(debug: int, status: int, body: bytes, expected: str) -> None:
    with pytest.raises(FetchError, match=f"^{expected}$"):
        judge(ProfileRequest("goroutine", debug=debug), Answer(status, body))


def test_evidence_that_would_fill_the_memory_is_an_error() -> None:
    with pytest.raises(FetchError, match="larger than 100000 bytes once decompressed"):
        judge(ProfileRequest("goroutine", debug=0), Answer(200, gzip.compress(bytes(1 << 20))), max_bytes=100_000)


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("body", [b"<!DOCTYPE html><title>Hi</title>", b"\n <html>", b"\xef\xbb\xbf hello"])
def test_html_is_named_for_what_it_is(name: str, body: bytes) -> None:
    answer = Answer(200, body, content_type="text/html; charset=utf-8")
    assert refusal(name, answer) == "answered HTML, not a profile (is this pprof's address?)"


def test_html_is_known_without_its_content_type() -> None:
    assert "HTML" in refusal("goroutine", Answer(200, b"<!DOCTYPE html><title>Hi</title>"))


def test_other_text_is_shown() -> None:
    assert refusal("heap", Answer(200, b"hello\nworld")) == "answered something that is not a heap profile: hello"


def test_nothing_is_called_nothing() -> None:
    assert refusal("heap", Answer(200, b"")) == "answered nothing at all, with status 200"


def test_another_profile_is_not_the_one_asked_for() -> None:
    assert "not a threadcreate profile" in refusal("threadcreate", Answer(200, GOROUTINE))


@pytest.mark.parametrize("name", TEXT_PROFILES)
def test_a_profile_that_go_does_not_have_is_missing(name: str) -> None:
    answer = Answer(404, b"Unknown profile\n", is_pprof=True)
    with pytest.raises(ProfileMissingError, match=f"has no {name} profile"):
        judge(request(name), answer)


def test_goroutineleak_says_which_go_has_it() -> None:
    answer = Answer(404, b"Unknown profile\n", is_pprof=True)
    assert refusal("goroutineleak", answer) == (
        "has no goroutineleak profile (Go 1.27 has it, 1.26 with GOEXPERIMENT=goroutineleakprofile)"
    )


def test_a_profile_that_a_router_does_not_have_is_missing() -> None:
    with pytest.raises(ProfileMissingError):
        judge(request("mutex"), Answer(404, b"404 page not found\n"))


def test_without_goroutine_it_is_the_address_that_is_wrong() -> None:
    """Each Go program has goroutines, so a router or proxy said this: asking an hour later would be too late."""
    with pytest.raises(FetchError) as caught:
        judge(request("goroutine"), Answer(404, b"404 page not found\n"))
    assert not isinstance(caught.value, ProfileMissingError)
    assert str(caught.value) == "answered 404 Not Found: 404 page not found (is this pprof's address?)"


@pytest.mark.parametrize(
    "text",
    [
        b"Could not enable CPU profiling: cpu profiling already in use\n",
        b"Could not enable tracing: execution tracer already enabled\n",
        b"Could not enable tracing: tracing is already enabled\n",
    ],
)
def test_another_clients_profile_makes_this_poll_skipped(text: bytes) -> None:
    with pytest.raises(ProfileBusyError):
        judge(request("profile"), Answer(500, text, is_pprof=True))


def test_a_write_timeout_is_named() -> None:
    answer = Answer(400, b"profile duration exceeds server's WriteTimeout\n", is_pprof=True)
    with pytest.raises(FetchError, match="seconds=30 exceeds the server's WriteTimeout: ask for fewer seconds"):
        judge(ProfileRequest("profile", 30), answer)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"", "answered 401 Unauthorized (is a header, a token or basic auth missing or wrong?)"),
        (403, b"no", "answered 403 Forbidden: no (is a header, a token or basic auth missing or wrong?)"),
        (500, b"failed to collect profile\n", "answered 500 Internal Server Error: failed to collect profile"),
        (502, b"<html>nginx</html>", "answered 502 Bad Gateway"),
        (799, b"", "answered status 799"),
    ],
)
def test_other_statuses_are_named(status: int, body: bytes, expected: str) -> None:
    assert refusal("goroutine", Answer(status, body)) == expected


def test_an_error_is_shown_without_control_and_format_characters() -> None:
    text = refusal("goroutine", Answer(500, "\x1b[31mred\u202e\x00\r\nsecond line".encode()))
    assert text.isprintable()
    assert "[31mred" in text
    assert "second" not in text


def test_a_long_error_is_cut() -> None:
    assert shown(b"x" * 5000) == "x" * 120 + "…"


@pytest.mark.parametrize("name", WHOLE)
def test_the_right_beginning_is_told_after_any_number_of_bytes(name: str) -> None:
    assert all(begins_right(request(name), WHOLE[name][:size]) for size in range(len(WHOLE[name])))
    assert not begins_right(request(name), b"<html>")


@given(st.sampled_from(sorted(WHOLE)), st.integers(0, 2), st.integers(100, 599), st.binary(max_size=300), st.data())
def test_whatever_comes_only_declared_errors_are_raised(
    name: str, seconds: int, status: int, noise: bytes, data: st.DataObject
) -> None:
    whole = WHOLE[name]
    at = data.draw(st.integers(0, len(whole)))
    answer = Answer(data.draw(st.sampled_from([200, status])), whole[:at] + noise + whole[at:], took=9.0)
    said = ""
    try:
        judge(ProfileRequest(name, seconds), answer)
    except FetchError as error:
        said = str(error)
    assert said.isprintable()
