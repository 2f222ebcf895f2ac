"""Go servers played from recorded answers, cheaply enough that a thousand of them fit beside what is measured."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

#: net/http sends what it does not know the length of in pieces of this size.
_CHUNK = 2048


class Asked(NamedTuple):
    """A request: of which target (the address that was connected to), for which profile, with which query."""

    host: str
    profile: str
    query: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent, ``after`` so many seconds; nothing at all, if ``data`` is empty.

    ``sent`` is called once it is in the socket's buffer. ``then_reset``: the connection does not outlive it.
    """

    data: bytes
    after: float = 0.0
    sent: Callable[[], object] = lambda: None
    then_reset: bool = False


def ok(body: bytes) -> bytes:
    """An answer of status 200 as Go's pprof sends it: with its length if it is short, else chunked."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
    if len(body) <= _CHUNK:
        return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
    pieces = (body[start : start + _CHUNK] for start in range(0, len(body), _CHUNK))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One client's connection, kept alive."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self._answer = answer
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._host = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            path, _, query = head.split(b" ", 2)[1].decode("ascii").partition("?")
            answer = self._answer(Asked(self._host, path.rpartition("/")[2], query))
            if answer.after:
                asyncio.get_running_loop().call_later(answer.after, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: Answer) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer.data)
            answer.sent()
            if answer.then_reset:
                self._transport.abort()


@contextlib.asynccontextmanager
async def serve(answer: Callable[[Asked], Answer], port: int = 0) -> AsyncIterator[int]:
    """Serves at any address of loopback (127.0.0.1, 127.1.2.3 …), each of which is a target; yields the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answer), "0.0.0.0", port, backlog=1000)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
