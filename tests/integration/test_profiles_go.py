"""Profiles of a real Go server: what is read of its text and of its protobuf is the same."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import goserver
from pprofwatch.errors import ProfileError
from pprofwatch.model import TEXT_PROFILES, Stack
from pprofwatch.profiles.proto import decode_proto, to_profile
from pprofwatch.profiles.text import CountsParser, parse_text, render_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from conftest import StartGoServer
    from pprofwatch.model import Profile


class Client(goserver.Connection):
    """Asks for profiles."""

    def text(self, name: str) -> bytes:
        return self.get(f"/debug/pprof/{name}?debug=1")

    def protobuf(self, name: str, query: str = "") -> Profile:
        return to_profile(
            decode_proto(self.get(f"/debug/pprof/{name}{query}"), max_bytes=8 << 20, max_items=100_000), name
        )


@pytest.fixture
def client(go_server: StartGoServer) -> Iterator[Client]:
    with contextlib.closing(Client(go_server().address)) as client:
        client.get("/leak?n=3")
        client.get("/leak?n=2&kind=io")
        client.get("/leak?n=1&kind=sleep")
        eventually(lambda: b" total 3" in client.text("goroutineleak"))
        eventually(lambda: b" @ " in client.text("mutex"))
        yield client


def eventually(holds: Callable[[], bool]) -> None:
    """Asks until the answer is yes; each question is a request, so that the server gets its time."""
    assert any(holds() for _ in range(500))


def without_ours(counts: Mapping[Stack, int]) -> dict[Stack, int]:
    """Without the goroutine that waits for our client to hang up, or has not begun to.

    Nor with what was allocated while goroutineleak collected garbage: that function of the runtime has the name of
    another package in Go's text, and its own in the protobuf.
    """
    return {
        stack: n
        for stack, n in counts.items()
        if n
        and not re.search("^0x|backgroundRead", stack.functions[-1])
        and not any("writeGoroutineLeak" in function for function in stack.functions)
    }


def sums(profile: Profile) -> dict[Stack, int]:
    by_stack: Counter[Stack] = Counter()
    for record in profile.records:
        by_stack[record.stack] += record.values[0]
    return dict(by_stack)


@pytest.mark.parametrize("name", TEXT_PROFILES)
def test_every_profile_is_read_and_written(client: Client, name: str) -> None:
    body = client.text(name)
    profile = parse_text(body)
    assert profile.kind == ("heap" if name == "allocs" else name)
    assert profile.records
    assert parse_text(render_text(profile)) == profile
    counts = CountsParser().parse(body)
    assert counts.total == profile.total
    if profile.kind != "heap":
        assert counts.by_stack == sums(profile)


@pytest.mark.parametrize("name", ["goroutine", "goroutineleak", "heap", "allocs"])
def test_protobuf_and_text_have_the_same_stacks_and_counts(client: Client, name: str) -> None:
    def same() -> bool:
        # A ticker may fire or a garbage collection end between two requests: what counts is a moment without.
        before = without_ours(CountsParser().parse(client.text(name)).by_stack)
        profile = client.protobuf(name)
        if before != without_ours(CountsParser().parse(client.text(name)).by_stack):
            return False
        assert without_ours(sums(profile)) == before != {}
        return True

    eventually(same)


def test_threads_are_the_same_in_protobuf_and_text(client: Client) -> None:
    eventually(lambda: parse_text(client.text("threadcreate")) == client.protobuf("threadcreate"))


@pytest.mark.parametrize("name", ["block", "mutex"])
def test_protobuf_lies_between_the_texts_before_and_after(client: Client, name: str) -> None:
    before = CountsParser().parse(client.text(name)).by_stack
    between = sums(client.protobuf(name))
    after = CountsParser().parse(client.text(name)).by_stack
    assert set(before) <= set(between) <= set(after)
    for stack, count in between.items():
        assert before.get(stack, 0) <= count <= after[stack]


def test_a_modest_server_reads_as_it_was_built(client: Client) -> None:
    by_function: Counter[str] = Counter()
    for stack, count in CountsParser().parse(client.text("goroutine")).by_stack.items():
        for function in set(stack.functions):
            by_function[function] += count
    assert by_function["main.(*Pool).work"] == 34
    assert by_function["main.consume[...]"] == 10
    assert by_function["main.wörker"] == 4
    assert by_function["main.(*Dispatcher).forward"] == 3
    assert by_function["main.(*Client).readReply"] == 2
    assert by_function["main.(*Poller).poll"] == 1
    assert by_function["main.main"] == 1


def test_labels_read_the_same_in_protobuf_and_text(client: Client) -> None:
    labels = {record.labels for record in parse_text(client.text("goroutine")).records} - {""}
    assert '{"tenant":"plain", "tier":"gold"}' in labels
    assert len(labels) == 3
    assert {record.labels for record in client.protobuf("goroutine").records} - {""} == labels


def test_goroutineleak_proves_the_leak_that_it_can_see(client: Client) -> None:
    profile = parse_text(client.text("goroutineleak"))
    assert profile.total == 3
    assert [record.stack.functions[0] for record in profile.records] == ["main.(*Dispatcher).forward"]


def test_deltas_read_as_the_text_of_their_profile(go_server: StartGoServer) -> None:
    address = go_server("-leak", "50ms").address

    def fetch_delta(name: str) -> Profile:
        with contextlib.closing(Client(address)) as client:
            return client.protobuf(name, "?seconds=1")

    with ThreadPoolExecutor(len(TEXT_PROFILES)) as pool:
        deltas = dict(zip(TEXT_PROFILES, pool.map(fetch_delta, TEXT_PROFILES), strict=True))
    texts = {name: render_text(profile) for name, profile in deltas.items()}
    for name, profile in deltas.items():
        assert parse_text(texts[name]) == profile
    leaked = {stack.functions[0]: count for stack, count in sums(deltas["goroutine"]).items()}
    assert 10 <= leaked["main.(*Dispatcher).forward"] <= 30
    assert re.match(rb"goroutine profile: total \d+\n\d+ @ 0x0\n#\t0x0\t", texts["goroutine"])
    # Not always the first: on a busy machine the server's own goroutines may still be starting in that second.
    assert re.search(rb"\n\d+ @ 0x0\n#\t0x0\tmain.\(\*Dispatcher\).forward", texts["goroutine"])
    goroutine_counts = [int(count) for count in re.findall(rb"^(-?\d+) @", texts["goroutine"], re.MULTILINE)]
    assert goroutine_counts == sorted(goroutine_counts, reverse=True)
    assert re.match(rb"threadcreate profile: total -?\d+\n", texts["threadcreate"])
    assert re.match(rb"heap profile: -?\d+: -?\d+ \[\d+: \d+\] @ heap/2\n", texts["heap"])
    assert re.match(rb"--- contention:\ncycles/second=1000000000\n\d+ \d+ @ 0x0\n#\t0x0\t", texts["block"])
    assert re.match(rb"--- mutex:\ncycles/second=1000000000\nsampling period=1\n\d+ \d+ @ 0x0\n", texts["mutex"])


def test_a_cut_protobuf_is_refused(client: Client) -> None:
    data = client.get("/debug/pprof/goroutine")
    for length in range(0, len(data), 97):
        with pytest.raises(ProfileError):
            decode_proto(data[:length], max_bytes=8 << 20, max_items=100_000)
    with pytest.raises(ProfileError, match="expected a heap profile with the sample type inuse_objects"):
        to_profile(decode_proto(data, max_bytes=8 << 20, max_items=100_000), "heap")
