"""Who is asked, and who asks: TLS, credentials, and that no secret leaves but to the target."""

from __future__ import annotations

import base64
import ssl
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from badserver import GOROUTINE, Behaviour, answer, head, never, raw, serve
from fetching import REQUEST, failure_of, fetch_from, fetcher_for
from pprofwatch.config.settings import Secret
from pprofwatch.errors import FetchError, UnreachableError

if TYPE_CHECKING:
    from conftest import StartGoServer

pytestmark = pytest.mark.anyio

TLS = Path(__file__).parent.parent / "data" / "tls"
SECRET = "hunter2-hunter2"


def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.pem")
    return context


async def test_https_with_its_own_authority(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE), tls=server_tls()) as server:
        url = f"https://{server.address}/debug/pprof/"
        async with fetcher_for(url, tmp_path, ca_file=TLS / "ca.pem") as fetcher:
            for _ in range(3):
                assert (await fetcher.fetch(REQUEST)).body == GOROUTINE
        assert server.connections == 1


async def test_https_without_its_authority_is_refused(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE), tls=server_tls()) as server:
        url = f"https://{server.address}/debug/pprof/"
        async with fetcher_for(url, tmp_path) as fetcher:
            with pytest.raises(UnreachableError, match=r"^certificate problem: self-signed certificate"):
                await fetcher.fetch(REQUEST)
        async with fetcher_for(url, tmp_path, insecure=True) as fetcher:
            assert (await fetcher.fetch(REQUEST)).body == GOROUTINE


async def test_https_for_another_name_is_refused(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE), tls=server_tls()) as server:
        port = server.address.rpartition(":")[2]
        url = f"https://other.example:{port}/debug/pprof/"
        async with fetcher_for(url, tmp_path, ca_file=TLS / "ca.pem", look_up=lambda *_: ["127.0.0.1"]) as fetcher:
            with pytest.raises(UnreachableError, match=r"^certificate problem: Hostname mismatch"):
                await fetcher.fetch(REQUEST)


async def test_https_where_http_is_spoken(go_server: StartGoServer, tmp_path: Path) -> None:
    async with fetcher_for(f"https://{go_server().address}/debug/pprof/", tmp_path) as fetcher:
        with pytest.raises(UnreachableError, match=r"^TLS failed: (wrong version number|record layer failure)$"):
            await fetcher.fetch(REQUEST)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "No such file or directory"), ("x", "holds no certificate")],
    ids=["none", "no PEM"],
)
async def test_a_ca_file_that_is_none(content: str | None, expected: str, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca"
    if content is not None:
        ca_file.write_text(content)
    async with (
        serve(answer(GOROUTINE), tls=server_tls()) as server,
        fetcher_for(f"https://{server.address}/debug/pprof/", tmp_path, ca_file=ca_file) as fetcher,
    ):
        with pytest.raises(FetchError, match=f"^can't use the CA file {ca_file}: .*{expected}"):
            await fetcher.fetch(REQUEST)


async def test_headers_and_basic_auth_are_sent(tmp_path: Path) -> None:
    headers = (("X-Scope", Secret("team a")), ("User-Agent", Secret("me")))
    async with (
        serve(answer(GOROUTINE)) as server,
        fetcher_for(server.address, tmp_path, headers=headers, basic_auth=Secret("user:pa:ss")) as fetcher,
    ):
        await fetcher.fetch(REQUEST)
    asked = server.requests[0].headers
    assert (asked["x-scope"], asked["user-agent"]) == ("team a", "me")
    assert asked["authorization"] == "Basic " + base64.b64encode(b"user:pa:ss").decode()


async def test_secrets_in_files_are_read_before_each_request(tmp_path: Path) -> None:
    token, basic = tmp_path / "token", tmp_path / "basic"
    token.write_text("one\n")
    basic.write_text("user:password\n")
    async with serve(answer(GOROUTINE)) as server:
        async with fetcher_for(server.address, tmp_path, bearer_token_file=token) as fetcher:
            await fetcher.fetch(REQUEST)
            token.write_text("two")
            await fetcher.fetch(REQUEST)
        async with fetcher_for(server.address, tmp_path, basic_auth_file=basic) as fetcher:
            await fetcher.fetch(REQUEST)
    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer one",
        "Bearer two",
        "Basic " + base64.b64encode(b"user:password").decode(),
    ]


@pytest.mark.parametrize(
    "content",
    [None, "", f"{SECRET}\n{SECRET}\n", SECRET * 10_000],
    ids=["no file", "empty", "two lines", "too long"],
)
async def test_a_token_file_that_is_none(content: str | None, tmp_path: Path) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    async with (
        serve(answer(GOROUTINE)) as server,
        fetcher_for(server.address, tmp_path, bearer_token_file=token) as fetcher,
    ):
        with pytest.raises(FetchError, match=f"({token}: No such file|expected one line token in {token})") as caught:
            await fetcher.fetch(REQUEST)
    assert SECRET not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize(
    "behaviour",
    [
        raw(),
        raw(b"what? " + SECRET.encode()),
        raw(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"),
        never(),
        raw(head("302 Found", location=f"/login?token={SECRET}")),
        answer(f"no such token: {SECRET}".encode(), "401 Unauthorized"),
        answer(f"<p>{SECRET}</p>".encode()),
    ],
    ids=["closed", "no http", "bad header", "silence", "redirect", "401", "html"],
)
@pytest.mark.parametrize(
    "config",
    [
        {"headers": (("X-Token", Secret(SECRET)),)},
        {"headers": (("X-Token", Secret(f"{SECRET}\r\nX-Evil: {SECRET}")),)},
        {"basic_auth": Secret(f"user:{SECRET}")},
    ],
    ids=["header", "bad header", "basic"],
)
async def test_no_secret_is_in_any_error(behaviour: Behaviour, config: dict[str, Any], tmp_path: Path) -> None:
    caught: BaseException | None = None
    body = b""
    try:
        body = (await fetch_from(behaviour, tmp_path, timeout=0.2, **config)).body
    except FetchError as error:
        caught = error
    shown = (
        "".join(traceback.TracebackException.from_exception(caught, capture_locals=False).format()) if caught else ""
    )
    while caught is not None:
        shown += repr(caught) + repr(vars(caught))
        caught = caught.__cause__ or caught.__context__
    assert SECRET not in shown + repr(config)
    assert SECRET.encode() not in body


async def test_what_cannot_be_a_header_is_not_sent(tmp_path: Path) -> None:
    said = await failure_of(answer(GOROUTINE), tmp_path, headers=(("X", Secret("a\r\nb: c")),))
    assert said == "a header configured for it has characters that HTTP does not allow"
