"""Fetching from servers that answer well, badly, or not at all."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from badserver import (
    GOROUTINE,
    Behaviour,
    after,
    answer,
    bomb,
    busy,
    chunk,
    drip,
    endless,
    head,
    in_turn,
    never,
    never_accepting,
    raw,
    serve,
    then_silence,
)
from daemons import descriptors
from fetching import PLENTY, REQUEST, failure_of, fetch_from, fetcher_for, is_empty
from pprofwatch.collect.connection import Request, connect_tcp
from pprofwatch.errors import FetchError, UnreachableError
from pprofwatch.model import ProfileRequest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartGoServer


pytestmark = pytest.mark.anyio


async def test_a_text_profile_is_asked_for_with_debug_1(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server, fetcher_for(server.address, tmp_path) as fetcher:
        got = await fetcher.fetch(REQUEST)
    assert (got.status, got.body) == (200, GOROUTINE)
    assert 0 < got.took < PLENTY
    asked = server.requests[0]
    assert asked.target == "/debug/pprof/goroutine?debug=1"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == server.address
    assert asked.headers["user-agent"].startswith("pprofwatch/")


@pytest.mark.parametrize("name", ["threadcreate", "profile", "trace"])
async def test_what_takes_seconds_is_asked_for_with_seconds_alone(name: str, tmp_path: Path) -> None:
    async with serve(answer(b"")) as server, fetcher_for(server.address, tmp_path) as fetcher:
        await fetcher.fetch(ProfileRequest(name, seconds=3))
    assert server.requests[0].target == f"/debug/pprof/{name}?seconds=3"


@pytest.mark.parametrize("debug", [0, 2])
async def test_evidence_is_asked_for_with_its_debug_parameter(debug: int, tmp_path: Path) -> None:
    async with serve(answer(b"")) as server, fetcher_for(server.address, tmp_path) as fetcher:
        await fetcher.fetch(ProfileRequest("goroutine", debug=debug))
    assert server.requests[0].target == f"/debug/pprof/goroutine?debug={debug}"


async def test_a_real_go_server(go_server: StartGoServer, tmp_path: Path) -> None:
    async with fetcher_for(go_server().address, tmp_path) as fetcher:
        for _ in range(3):
            assert (await fetcher.fetch(REQUEST)).body.startswith(b"goroutine profile: total ")
        unknown = await fetcher.fetch(ProfileRequest("alloc"))
    assert (unknown.status, unknown.body, unknown.is_pprof) == (404, b"Unknown profile\n", True)


async def test_a_real_go_server_on_a_unix_socket(go_server: StartGoServer, tmp_path: Path) -> None:
    server = go_server("-unix", str(tmp_path / "socket"))
    async with fetcher_for(f"unix:{server.address}", tmp_path) as fetcher:
        assert (await fetcher.fetch(REQUEST)).status == 200


async def test_one_connection_is_kept(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server, fetcher_for(server.address, tmp_path) as fetcher:
        for _ in range(5):
            await fetcher.fetch(REQUEST)
        assert server.connections == 1


async def test_requests_at_once_have_connections_of_their_own_and_one_is_kept(tmp_path: Path) -> None:
    async with (
        serve({"goroutine": answer(GOROUTINE), "heap": after(0.2, answer(b""))}) as server,
        fetcher_for(server.address, tmp_path) as fetcher,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(fetcher.fetch, ProfileRequest("heap"))
        await server.asked(1)
        await fetcher.fetch(REQUEST)
        await fetcher.fetch(REQUEST)
    assert server.connections == 2


async def test_a_kept_connection_that_the_server_closed_is_replaced(tmp_path: Path) -> None:
    once = raw(head(content_length=len(GOROUTINE)) + GOROUTINE)  # and closes, without saying so
    async with serve(once) as server, fetcher_for(server.address, tmp_path) as fetcher:
        for _ in range(3):
            assert (await fetcher.fetch(REQUEST)).body == GOROUTINE
            await server.left()
    assert server.connections == 3


async def test_a_kept_connection_that_closes_as_it_is_used_is_replaced(tmp_path: Path) -> None:
    """As when the server's idle timeout is the interval."""
    behaviour = in_turn(answer(GOROUTINE), raw(), answer(GOROUTINE))
    async with serve(behaviour) as server, fetcher_for(server.address, tmp_path) as fetcher:
        await fetcher.fetch(REQUEST)
        assert (await fetcher.fetch(REQUEST)).body == GOROUTINE
    assert (server.connections, len(server.requests)) == (2, 3)


async def test_a_new_connection_that_closes_is_not_tried_again(tmp_path: Path) -> None:
    async with serve(raw()) as server, fetcher_for(server.address, tmp_path) as fetcher:
        with pytest.raises(FetchError, match=r"^closed the connection without an answer$"):
            await fetcher.fetch(REQUEST)
    assert len(server.requests) == 1


async def test_what_a_server_says_unasked_is_not_the_next_answer(tmp_path: Path) -> None:
    planted = head(content_length=7) + b"planted"
    twice = raw(head(content_length=len(GOROUTINE)) + GOROUTINE + planted)
    async with serve(in_turn(twice, answer(GOROUTINE))) as server, fetcher_for(server.address, tmp_path) as fetcher:
        await fetcher.fetch(REQUEST)
        assert (await fetcher.fetch(REQUEST)).body == GOROUTINE


@pytest.mark.parametrize(
    ("behaviour", "seconds", "expected"),
    [
        (never(), 0, "no answer within 200ms"),
        (never(), 1, "no answer within 1s200ms"),
        (then_silence(b"HTTP/1.1 200 OK\r\nA"), 0, "no answer within 200ms"),
        (then_silence(head(content_length=900) + b"gorout"), 0, "only 6 bytes of the answer within 200ms"),
        (drip(head(transfer_encoding="chunked") + chunk(GOROUTINE), 0.02), 0, "no answer within 200ms"),
    ],
    ids=["nothing", "nothing-delta", "half a head", "half a body", "a dripping head"],
)
async def test_an_answer_that_takes_too_long_is_given_up(
    behaviour: Behaviour, seconds: int, expected: str, tmp_path: Path
) -> None:
    assert await failure_of(behaviour, tmp_path, ProfileRequest("goroutine", seconds), timeout=0.2) == expected


async def test_a_body_that_drips_is_given_up(tmp_path: Path) -> None:
    async def behave(_: Any, writer: asyncio.StreamWriter) -> bool:
        writer.write(head(transfer_encoding="chunked"))
        for byte in GOROUTINE:
            writer.write(chunk(bytes([byte])))
            await asyncio.sleep(0.02)
        return False

    assert "bytes of the answer within 300ms" in await failure_of(behave, tmp_path, timeout=0.3)


async def test_a_port_that_never_accepts(tmp_path: Path) -> None:
    with never_accepting() as address:
        async with fetcher_for(address, tmp_path, timeout=0.2) as fetcher:
            with pytest.raises(UnreachableError, match=r"^no connection within 200ms$"):
                await fetcher.fetch(REQUEST)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ([head(content_length=500) + b"goroutine pro"], "closed the connection early, after 13 of 500 bytes"),
        (
            [head(transfer_encoding="chunked") + chunk(b"goroutine pro")],
            "closed the connection early, after 13 bytes",
        ),
        ([head(transfer_encoding="chunked") + b"zz\r\n"], "breaks the rules of HTTP after 0 bytes of its answer"),
        ([b"HTTP/1.1 200 OK\r\nA: b"], "answered with half a head, and closed the connection"),
        ([b"HTTP/1.1 what\r\n\r\n"], "answered with headers that break the rules of HTTP"),
        ([head(content_length="many")], "answered with headers that break the rules of HTTP"),
        ([head(transfer_encoding="gzip, chunked")], "answered with headers that break the rules of HTTP"),
        ([head(x="a" * 300_000)], "answered with more than 64 KiB of headers"),
        ([b"SSH-2.0-OpenSSH_9.2\x1b[2J\r\n"], "answered something that is not HTTP: SSH-2.0-OpenSSH_9.2\ufffd[2J"),
        ([b"\x15\x03\x01\x00\x02\x02"], "answered something that is not HTTP (is its address https?)"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" * 50], "answers with one provisional status (1xx) after the other"),
        ([head("307 T", location="http://evil/\x1b")], "redirects to"),
        ([head("302 Found", location="/debug/pprof/")], "redirects to /debug/pprof/, which is not followed"),
    ],
    ids=[
        *["short length", "cut chunks", "bad chunk", "half a head", "no status", "bad length", "bad encoding"],
        *["long headers", "ssh", "tls", "endless 1xx", "redirect to elsewhere", "redirect"],
    ],
)
async def test_an_answer_that_is_no_http_or_not_whole(data: list[bytes], expected: str, tmp_path: Path) -> None:
    said = await failure_of(raw(*data), tmp_path)
    assert said.startswith(expected)
    assert said.isprintable()


async def test_a_greeting_without_a_line_is_not_waited_for(tmp_path: Path) -> None:
    behaviour = then_silence(b"220 mail.example.com ESMTP")
    assert await failure_of(behaviour, tmp_path) == ("answered something that is not HTTP: 220 mail.example.com ESMTP")


async def test_a_provisional_status_before_the_answer_is_fine(tmp_path: Path) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n" + head(content_length=len(GOROUTINE)) + GOROUTINE
    assert (await fetch_from(raw(early), tmp_path)).body == GOROUTINE


async def test_an_answer_that_ends_with_its_connection_is_taken(tmp_path: Path) -> None:
    """What is missing of such a body, its content must tell."""
    assert (await fetch_from(raw(b"HTTP/1.0 200 OK\r\n\r\n" + GOROUTINE[:50]), tmp_path)).body == GOROUTINE[:50]


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
async def test_a_whole_body_is_not_waited_after_though_its_connection_stays_open(
    version: bytes, tmp_path: Path
) -> None:
    said = head(connection="close", content_length=len(GOROUTINE)).replace(b"HTTP/1.1", version)
    assert (await fetch_from(then_silence(said + GOROUTINE), tmp_path)).took < PLENTY / 2


@pytest.mark.parametrize(
    "data",
    [
        endless(head(transfer_encoding="chunked") + chunk(GOROUTINE[:28]), chunk(b"1 @ 0x1\n\n" * 1000)),
        endless(head() + GOROUTINE[:28], b"1 @ 0x1\n\n" * 1000),
        raw(head(content_length=3_000_001) + GOROUTINE[:28]),
    ],
    ids=["chunked", "until it closes", "announced"],
)
async def test_no_more_is_taken_than_is_allowed(data: Behaviour, tmp_path: Path) -> None:
    said = await failure_of(data, tmp_path, max_body=3_000_000)
    assert said == "answered more than the 3000000 bytes that max_body allows"


async def test_a_large_body_waits_in_a_file_and_arrives_whole(tmp_path: Path) -> None:
    body = b"goroutine profile: total 0\n" + b"# x\n" * 1_000_000
    assert (await fetch_from(answer(body), tmp_path)).body == body
    assert is_empty(tmp_path)


async def test_of_a_body_that_is_no_profile_only_the_beginning_is_read(tmp_path: Path) -> None:
    behaviour = endless(head(content_type="text/html", transfer_encoding="chunked"), chunk(b"<p>" * 1000))
    got = await fetch_from(behaviour, tmp_path)
    assert got.status == 200
    assert got.content_type == "text/html"
    assert len(got.body) == 16 << 10


async def test_of_an_error_only_the_beginning_is_read(tmp_path: Path) -> None:
    behaviour = endless(head("500 Oh no", transfer_encoding="chunked"), chunk(GOROUTINE))
    assert len((await fetch_from(behaviour, tmp_path)).body) == 16 << 10


async def test_a_body_in_scraps_is_refused(tmp_path: Path) -> None:
    """Ten thousand chunks of a byte fit into one read, and each costs as much as one of Go's."""
    behaviour = endless(head(transfer_encoding="chunked") + chunk(GOROUTINE[:28]), chunk(b"\n") * 1000)
    assert "sends its answer in scraps" in await failure_of(behaviour, tmp_path)


async def test_others_have_their_turn_while_an_endless_body_comes() -> None:
    """A read of the socket brings a thousand chunks of this size."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    scraps = endless(head(transfer_encoding="chunked") + chunk(GOROUTINE[:28]), chunk(b"x" * 65) * 1000)
    async with serve(scraps) as server, anyio.create_task_group() as tasks:
        host, _, port = server.address.rpartition(":")
        connection = await connect_tcp(host, int(port), [host], None)
        await connection.ask(Request(b"/", [(b"Host", b"localhost")]))
        tasks.start_soon(count_turns)
        for reads in range(100):
            assert len(await connection.read()) <= 100 * 65
            assert turns >= reads
        await connection.aclose()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("behaviour", [bomb(1 << 20), answer(b"x", content_encoding="zstd")], ids=["gzip", "zstd"])
async def test_a_compressed_answer_is_refused_unseen(behaviour: Behaviour, tmp_path: Path) -> None:
    assert "though identity was asked for" in await failure_of(behaviour, tmp_path)


async def test_what_go_says_of_a_busy_profiler_arrives(tmp_path: Path) -> None:
    got = await fetch_from(busy(), tmp_path, ProfileRequest("profile", 1))
    assert (got.status, got.is_pprof) == (500, True)
    assert b"already in use" in got.body


async def test_nobody_listens(tmp_path: Path) -> None:
    async with serve(never()) as server:
        pass
    async with fetcher_for(server.address, tmp_path) as fetcher:
        with pytest.raises(UnreachableError, match=r"^connection refused$"):
            await fetcher.fetch(REQUEST)


async def test_nobody_listens_at_either_address_of_a_name(tmp_path: Path) -> None:
    async with serve(never()) as server:
        pass
    port = server.address.rpartition(":")[2]
    async with fetcher_for(f"localhost:{port}", tmp_path) as fetcher:
        with pytest.raises(UnreachableError, match=r"^connection refused$"):
            await fetcher.fetch(REQUEST)


async def test_there_is_no_such_socket(tmp_path: Path) -> None:
    async with fetcher_for(f"unix:{tmp_path}/none", tmp_path) as fetcher:
        with pytest.raises(UnreachableError, match=r"^socket .*/none: no such file or directory$"):
            await fetcher.fetch(REQUEST)


async def test_there_is_no_such_host(tmp_path: Path) -> None:
    async with fetcher_for("no-such-host.invalid:6060", tmp_path) as fetcher:
        with pytest.raises(UnreachableError, match=r"^can't resolve no-such-host\.invalid: "):
            await fetcher.fetch(REQUEST)


async def test_the_next_address_of_a_name_is_tried(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        port = server.address.rpartition(":")[2]
        async with fetcher_for(f"name:{port}", tmp_path, look_up=lambda *_: ["::1", "127.0.0.1"]) as fetcher:
            assert (await fetcher.fetch(REQUEST)).status == 200
        assert server.requests[0].headers["host"] == f"name:{port}"


async def test_a_resolver_that_hangs_holds_one_thread_and_nobody_else(tmp_path: Path) -> None:
    answers = threading.Event()
    calls: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        calls.append(f"{host}:{port}")
        answers.wait()
        return []

    before = threading.active_count()
    async with fetcher_for("name:80", tmp_path, timeout=0.05, look_up=look_up) as fetcher:
        for _ in range(5):
            with pytest.raises(FetchError, match="no connection within 50ms"):
                await fetcher.fetch(REQUEST)
        assert threading.active_count() == before + 1
        answers.set()
        with pytest.raises(UnreachableError, match="can't resolve name: it has no address"):
            await fetcher.fetch(REQUEST)
    assert calls[0] == "name:80"
    assert len(calls) <= 2


async def test_the_environments_proxies_are_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await fetch_from(answer(GOROUTINE), tmp_path)).body == GOROUTINE


async def test_cancelled_requests_leave_nothing_behind(tmp_path: Path) -> None:
    behaviours = {"goroutine": answer(GOROUTINE), "heap": never(), "mutex": then_silence(head(content_length=9) + b"-")}
    async with serve(behaviours) as server, fetcher_for(server.address, tmp_path) as fetcher:
        await fetcher.fetch(REQUEST)
        await asyncio.sleep(0)
        before = len(descriptors())
        for index in range(1000):
            with anyio.move_on_after(0.0005 * (index % 4)):
                await fetcher.fetch(ProfileRequest(["goroutine", "heap", "mutex"][index % 3]))
        assert (await fetcher.fetch(REQUEST)).body == GOROUTINE
        with anyio.fail_after(10):
            await server.left(1)
        assert len(descriptors()) <= before
    assert len(asyncio.all_tasks()) <= 2
