"""A server on loopback that does to its clients what Go's pprof won't: real sockets, wrong answers.

    async with serve({"goroutine": answer(GOROUTINE), "heap": never()}) as server:
        …  # http://{server.address}/debug/pprof/

A behaviour is chosen by the last part of the path, or is the same for all paths.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

GOROUTINE = (
    b"goroutine profile: total 3\n"
    b"2 @ 0x48c3ca 0x419d8e 0x682dd7\n"
    b"#\t0x682dd6\tmain.(*Pool).work+0x76\t/src/app/pool.go:54\n\n"
    b"1 @ 0x48c3ca 0x682e00\n"
    b"#\t0x682dff\tmain.main+0x1f\t/src/app/main.go:20\n\n"
)
BUSY = b"Could not enable CPU profiling: cpu profiling already in use\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Request:
    """What a client asked: ``target`` is path and query, header names are in lower case."""

    target: str
    headers: dict[str, str]
    reader: asyncio.StreamReader = field(repr=False)

    @property
    def name(self) -> str:
        return self.target.partition("?")[0].rpartition("/")[2]


#: Answers one request; the connection is kept for the next one if it returns True.
Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class BadServer:
    """A running server, and what was asked of it so far."""

    address: str
    behaviours: Behaviour | Mapping[str, Behaviour]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def asked(self, count: int) -> None:
        """Waits until so many requests have come."""
        await self._wait(lambda: len(self.requests) >= count)

    async def left(self, count: int = 0) -> None:
        """Waits until no more connections than these are open."""
        await self._wait(lambda: self.open_connections <= count)

    async def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.news.clear()
            await self.news.wait()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        self.connections += 1
        self.open_connections += 1
        try:
            with contextlib.suppress(OSError, EOFError):
                while request := await _read_request(reader):
                    self.requests.append(request)
                    self.news.set()
                    if not await self._behaviour(request.name)(request, writer):
                        break
        finally:
            self.open_connections -= 1
            self.news.set()
            writer.transport.abort()

    def _behaviour(self, name: str) -> Behaviour:
        if isinstance(self.behaviours, Mapping):
            return self.behaviours.get(name, raw(_NOT_FOUND))
        return self.behaviours


@contextlib.asynccontextmanager
async def serve(
    behaviours: Behaviour | Mapping[str, Behaviour],
    *,
    path: Path | None = None,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[BadServer]:
    """Starts a server on a free port of loopback, or a unix socket, and ends it with all its connections."""
    server = BadServer("", behaviours)
    handlers: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(server.handle(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    if path is not None:
        listener = await asyncio.start_unix_server(connected, path)
        server.address = str(path)
    else:
        listener = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
        server.address = "{}:{}".format(*listener.sockets[0].getsockname())
    try:
        yield server
    finally:
        listener.close()
        for task in list(handlers):
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*handlers, return_exceptions=True)
            await listener.wait_closed()
            await asyncio.sleep(0)


@contextlib.contextmanager
def never_accepting() -> Iterator[str]:
    """The address of a port that takes no connection: its queue is full, so that attempts are left to wait."""
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = sockets.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(listener.getsockname())
        yield "{}:{}".format(*listener.getsockname())


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Request(first.split(" ")[1], headers, reader)


async def _send(writer: asyncio.StreamWriter, *data: bytes) -> None:
    for part in data:
        writer.write(part)
        await writer.drain()


def head(status: str = "200 OK", **headers: object) -> bytes:
    """The first lines of an answer: ``head(content_length=3)``."""
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(body: bytes, status: str = "200 OK", **headers: object) -> Behaviour:
    """A correct answer, in one chunk, as Go sends what it does not know the length of."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:  # noqa: ARG001
        await _send(writer, head(status, transfer_encoding="chunked", **headers) + chunk(body) + b"0\r\n\r\n")
        return True

    return behave


def busy() -> Behaviour:
    """Another client is taking the CPU profile."""
    return answer(BUSY, "500 Internal Server Error", x_go_pprof=1)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request is answered by the next behaviour, and those after by the last."""
    left = list(behaviours)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        return await (left.pop(0) if len(left) > 1 else left[0])(request, writer)

    return behave


def raw(*data: bytes) -> Behaviour:
    """These bytes, and then the connection is closed."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:  # noqa: ARG001
        await _send(writer, *data)
        writer.close()
        await writer.wait_closed()
        return False

    return behave


def never() -> Behaviour:
    """No answer at all."""
    return then_silence(b"")


def then_silence(*data: bytes) -> Behaviour:
    """These bytes, and then nothing, while the connection stays open."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        await _send(writer, *data)
        await request.reader.read()  # until the client has had enough
        return False

    return behave


def endless(start: bytes, piece: bytes) -> Behaviour:
    """A piece after the other, as fast as they are taken."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:  # noqa: ARG001
        await _send(writer, start)
        while True:
            await _send(writer, piece)

    return behave


def drip(data: bytes, pause: float, start: bytes = b"") -> Behaviour:
    """A byte at a time, with a pause (seconds) after each; before them ``start``, at once."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:  # noqa: ARG001
        await _send(writer, start)
        for index in range(len(data)):
            await _send(writer, data[index : index + 1])
            await asyncio.sleep(pause)
        return False

    return behave


def after(seconds: float, then: Behaviour) -> Behaviour:
    """The behaviour, but later."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(seconds)
        return await then(request, writer)

    return behave


def bomb(size: int) -> Behaviour:
    """A body of few bytes that says it is compressed, and is ``size`` bytes of zeros once it is not."""
    packed = gzip.compress(bytes(size))
    return raw(head(content_encoding="gzip", content_length=len(packed)), packed)
