"""Webhooks and commands: real servers and real programs, that take what they are told, or don't."""

from __future__ import annotations

import json
import os
import ssl
import stat
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.base import Sink, SinkError
from pprofwatch.alerts.sinks.command import CommandSink
from pprofwatch.alerts.sinks.webhook import WebhookSink
from pprofwatch.config.settings import Secret, SinkConfig
from sinks import CLOSE, HANG, describe, hook_server, make_event

pytestmark = pytest.mark.anyio
NOTICE = describe(make_event())
TLS = Path(__file__).parent.parent / "data" / "tls"


async def failure(sink: Sink) -> SinkError:
    with pytest.raises(SinkError) as caught, anyio.fail_after(5):
        await sink.send(NOTICE)
    assert "\n" not in str(caught.value)
    return caught.value


# Webhooks


async def test_a_webhook_gets_the_event_as_json_with_its_headers(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first-token\n")
    async with hook_server(200, 204) as server:
        sink = WebhookSink(
            server.config("/a?b=1", headers=(("X-Scope", Secret("production")),), bearer_token_file=token)
        )
        await sink.send(NOTICE)
        token.write_text("second-token\n")
        await sink.send(NOTICE)
    assert [got.body for got in server.got] == [NOTICE.fields] * 2
    got = server.got[0]
    assert got.path == "/a?b=1"
    assert got.headers["x-scope"] == "production"
    assert got.headers["content-type"] == "application/json"
    assert [each.headers["authorization"] for each in server.got] == ["Bearer first-token", "Bearer second-token"]


async def test_slack_gets_a_text_in_which_nothing_is_markup() -> None:
    async with hook_server() as server:
        await WebhookSink(server.config(format="slack")).send(NOTICE)
    (got,) = server.got
    headline, *details = NOTICE.text.split("\n")
    assert got.body == {"text": f"`{headline}`\n```\n" + "\n".join(details) + "\n```"}


@pytest.mark.parametrize(
    ("status", "retry"), [(500, True), (503, True), (429, True), (408, True), (400, False), (404, False), (302, False)]
)
async def test_what_is_refused_is_tried_again_only_where_that_can_help(status: int, retry: bool) -> None:
    async with hook_server(status, said="no such room\nand more", headers="Location: /other\r\n") as server:
        error = await failure(WebhookSink(server.config()))
    assert len(server.got) == 1, "a redirect was followed"
    assert error.retry is retry
    assert str(error) == ("answered 302" if status == 302 else f"answered {status}: no such room")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(HANG, "no answer within 200ms"), (CLOSE, "closed the connection without an answer")],
)
async def test_a_server_that_does_not_answer_is_tried_again(answer: int, problem: str) -> None:
    async with hook_server(answer) as server:
        error = await failure(WebhookSink(server.config(timeout=0.2)))
    assert (str(error), error.retry) == (problem, True)


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    async with hook_server() as server:
        config = server.config()
    error = await failure(WebhookSink(config))
    assert (str(error), error.retry) == ("connection refused", True)


async def test_no_secret_comes_back_in_an_error() -> None:
    said = "no: /services/T000/very-secret-path, xoxb-secret, user:hunter22"
    async with hook_server(403, said=said) as server:
        config = server.config(
            "/services/T000/very-secret-path",
            headers=(("X-Key", Secret("xoxb-secret")),),
            basic_auth=Secret("user:hunter22"),
        )
        error = await failure(WebhookSink(config))
    assert str(error) == "answered 403: no: ***, ***, user:***"
    assert "secret" not in repr(config)
    assert "hunter22" not in repr(config)


async def test_https_is_verified_with_the_authority_that_was_named() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "localhost.pem")
    async with hook_server(tls=context) as server:
        url = Secret(f"https://localhost:{server.port}/hook")
        await WebhookSink(server.config(ca_file=TLS / "ca.pem", url=url)).send(NOTICE)
        error = await failure(WebhookSink(server.config(url=url)))
    assert len(server.got) == 1
    assert str(error).startswith("certificate problem: ")


# Commands


def script(folder: Path, text: str) -> SinkConfig:
    path = folder / "page"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return SinkConfig("command", "command page", timeout=0.5, command=(str(path), "--urgent"))


async def test_a_command_reads_the_event_and_nothing_else_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    await CommandSink(
        script(tmp_path, f'cd {tmp_path}; cat > told; echo "$@" > args; env > env; ls /proc/self/fd > fds')
    ).send(NOTICE)
    told: dict[str, Any] = json.loads((tmp_path / "told").read_text())
    assert told == NOTICE.fields
    assert (tmp_path / "args").read_text() == "--urgent\n"
    assert "secret" not in (tmp_path / "env").read_text()
    assert (tmp_path / "fds").read_text().split() == ["0", "1", "2", "3"]  # 3 is the folder that ls reads


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cat > /dev/null; echo no such pager >&2; echo more >&2; exit 3", "exit status 3: no such pager"),
        ("exec <&-; exit 1", "exit status 1"),
        ("kill -9 $$", "killed by signal 9"),
        ("yes >&2", "did not end within 500ms, and was killed: y"),
    ],
)
async def test_a_command_that_fails_says_why_and_is_tried_again(tmp_path: Path, text: str, problem: str) -> None:
    error = await failure(CommandSink(script(tmp_path, text)))
    assert (str(error), error.retry) == (problem, True)


async def test_a_command_need_not_read_and_may_say_a_lot(tmp_path: Path) -> None:
    await CommandSink(script(tmp_path, "exec <&-; head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero")).send(NOTICE)


async def test_a_command_may_leave_something_running(tmp_path: Path) -> None:
    began = time.monotonic()
    await CommandSink(script(tmp_path, f"sleep 30 & echo $! > {tmp_path}/child")).send(NOTICE)
    assert time.monotonic() - began < 5
    os.kill(int((tmp_path / "child").read_text()), 9)


async def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        await failure(CommandSink(script(tmp_path, f"(echo $$; sleep 60) > {fifo} & wait")))
        while True:  # its end comes when nobody holds the other side open any more
            try:
                if not os.read(reader, 100):
                    break
            except BlockingIOError:
                await anyio.sleep(0.01)
    finally:
        os.close(reader)


async def test_a_program_that_is_gone_is_named(tmp_path: Path) -> None:
    error = await failure(CommandSink(SinkConfig("command", "c", command=(str(tmp_path / "gone"),))))
    assert (str(error), error.retry) == ("can't be run: No such file or directory", True)


async def test_resolved_is_told_in_a_line() -> None:
    async with hook_server() as server:
        await WebhookSink(server.config(format="slack")).send(describe(make_event(2, Action.RESOLVED)))
    assert server.got[0].body["text"].startswith("`RESOLVED localhost:6060: ")
