"""Incidents to tell, and a web server that is told them: it remembers what it got, and answers as it is bid."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.message import alert, next_command
from pprofwatch.alerts.payload import event_as_json
from pprofwatch.alerts.sinks.base import Notice
from pprofwatch.config.settings import LeakConfig, Secret, SinkConfig
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.model import Frame, Stack

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

NOON = 1_800_000_000.0
STACK = Stack(
    (
        Frame("runtime.gopark", "/go/src/runtime/proc.go", 462),
        Frame("main.(*Dispatcher).forward", "/src/app/dispatch.go", 41),
    )
)
#: The answer of a server that says nothing, and of one that closes the connection.
HANG, CLOSE = -1, -2


def make_leak(count: int = 120, severity: Severity = Severity.LEAK, time: float = NOON, found: float = NOON) -> Leak:
    return Leak(STACK, severity, found, found - 2000, time, count_from=3, count_to=count, total_from=76, total_to=193)


def make_event(
    number: int = 1,
    action: Action = Action.OPENED,
    *,
    target: str = "localhost:6060",
    incident: str = "20270115T080000Z-3fa9c1d2",
    severity: Severity = Severity.LEAK,
    time: float = NOON,
    found: float = NOON,
    count: int = 120,
    kept: str = "",
) -> Event:
    return Event(action, time, incident, target, "goroutine", make_leak(count, severity, time, found), number, kept)


def describe(event: Event, folder: Path = Path("/var/log/pprofwatch/localhost_6060")) -> Notice:
    settings = LeakConfig()
    fields = event_as_json(event, folder=folder, next_command=next_command(event, folder, settings))
    return Notice(event, fields, alert(event, folder, settings))


@dataclass
class Got:
    """A request that a server got."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class HookServer:
    """``answers`` are given in turn, and the last one again and again: a status, HANG or CLOSE; with ``said``."""

    answers: list[int] = field(default_factory=lambda: [200])
    said: str = ""
    headers: str = ""
    got: list[Got] = field(default_factory=list)
    port: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def config(self, path: str = "/hook", **fields: Any) -> SinkConfig:
        address = f"http://127.0.0.1:{self.port}"
        usual = {"type": "webhook", "name": "hook", "url": Secret(address + path), "address": f"{address}/…"}
        return SinkConfig(**{**usual, **fields})

    async def has_got(self, count: int) -> list[Any]:
        """Waits for so many requests; returns the bodies of all."""
        while len(self.got) < count:
            self._news.clear()
            await self._news.wait()
        return [each.body for each in self.got]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            assert first.startswith("POST ")
            self.got.append(Got(first.split(" ")[1], headers, body))
            self._news.set()
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if status == HANG:
                await reader.read()  # until the client gives up
            elif status != CLOSE:
                said = self.said.encode()
                head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(said)}\r\n{self.headers}\r\n"
                writer.write(head.encode() + said)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def hook_server(
    *answers: int, said: str = "", headers: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[HookServer]:
    hook = HookServer(list(answers) or [200], said, headers)
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0, ssl=tls)
    hook.port = server.sockets[0].getsockname()[1]
    async with server:
        yield hook
