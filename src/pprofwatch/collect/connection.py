"""An HTTP/1.1 connection to a target or a sink: the one file that talks HTTP, to be exchanged here alone.

HTTP itself is h11's, the state machine inside httpx. The rest of httpx is left out: it would take half of a poll's CPU
time, for redirects, cookies, proxies, decoding and a pool, none of which is wanted here.
"""

from __future__ import annotations

import contextlib
import os
import select
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import h11
from anyio.lowlevel import checkpoint

from pprofwatch.errors import FetchError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: The most bytes of headers that an answer may have; Go's own client takes 1 MiB, browsers 256 KiB.
MAX_HEAD = 64 << 10
#: Answers "100 Continue" and the like before the real one: nobody asked for even one.
_MOST_PROVISIONAL = 10
_READ_SIZE = 64 << 10
#: How long an address may take to accept before the host's next one is tried, in seconds.
_ADDRESS_TIMEOUT = 1.0
#: Pieces of a body between two looks at the other targets: what is received at once can hold ten thousand.
_FAIR_PIECES = 64
#: Go writes pieces of 2 KiB. So many pieces of fewer bytes than this on average are made to keep us busy.
_SMALL_PIECE = 64
_MANY_PIECES = 4096


class BrokenConnectionError(FetchError):
    """The other side closed the connection before its answer began: if it had been kept, a new one may do."""


class NotHttpError(FetchError):
    """The other side speaks something else: ``beginning`` is how that begins, which may repeat what we sent."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__("answered something that is not HTTP")
        self.beginning = beginning


class Request:
    """A request, checked and ready to be sent any number of times: a GET, or a POST where it has a body."""

    def __init__(self, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None = None) -> None:
        """Check it.

        Raises:
            FetchError: A header can't be sent.
        """
        with contextlib.suppress(h11.LocalProtocolError):
            method, length = b"GET", []
            if body is not None:
                method, length = b"POST", [(b"Content-Length", b"%d" % len(body))]
            self.event = h11.Request(method=method, target=path, headers=[*headers, *length])
            self.body = body or b""
            return
        # Raised here, for h11's error, of which this must not remind anyone, holds the header's value.
        raise FetchError("a header configured for it has characters that HTTP does not allow")


class Connection:
    """A connection that is used for one request at a time. After any error it can only be closed."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._poll = select.poll()
        self._poll.register(stream.extra(anyio.abc.SocketAttribute.raw_socket), select.POLLIN)
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._received = 0
        self._pieces = 0
        self._length = ""

    async def ask(self, request: Request) -> tuple[int, dict[bytes, bytes]]:
        """Sends a request and waits for the head of its answer.

        Returns:
            The status, and the headers by their names in lower case.

        Raises:
            BrokenConnectionError: The other side closed the connection instead.
            FetchError: It does not speak HTTP, or too much of it.
        """
        data = self._http.send(request.event) or b""
        if request.body:
            data += self._http.send(h11.Data(request.body)) or b""
        self._http.send(h11.EndOfMessage())
        with contextlib.suppress(anyio.BrokenResourceError):  # what is refused may have been answered first
            await self._stream.send(data)
        answer = await self._receive_head()
        found = dict(answer.headers)
        self._received = self._pieces = 0
        self._length = found.get(b"content-length", b"").decode()
        return answer.status_code, found

    async def read(self) -> bytes:
        """The next part of the body, as it was sent; nothing at its end.

        Raises:
            FetchError: The body stops early, or breaks the rules.
        """
        pieces: list[bytes] = []
        try:
            while len(pieces) < _FAIR_PIECES:
                event = self._http.next_event()
                if isinstance(event, h11.Data):
                    pieces.append(event.data)
                    self._received += len(event.data)
                elif event is not h11.NEED_DATA or pieces or self._http.their_state is not h11.SEND_BODY:
                    break
                else:
                    await self._receive()
        except h11.RemoteProtocolError:
            raise FetchError(self._body_problem()) from None
        self._pieces += len(pieces)
        if len(pieces) == _FAIR_PIECES:
            if self._pieces > _MANY_PIECES and self._received < self._pieces * _SMALL_PIECE:
                raise FetchError(f"sends its answer in scraps: {self._received} bytes in {self._pieces} chunks")
            await checkpoint()
        return b"".join(pieces)

    def finish(self) -> bool:
        """Makes ready for the next request, after the body's end; False where the connection can't be used again."""
        is_done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not is_done or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        return True

    @property
    def is_stale(self) -> bool:
        """Whether the other side has closed the connection, or said something unasked, since the last answer."""
        return bool(self._poll.poll(0))

    async def aclose(self) -> None:
        """Closes it at once, whatever is on its way."""
        await anyio.aclose_forcefully(self._stream)

    async def _receive_head(self) -> h11.Response:
        beginning = b""
        for _ in range(_MOST_PROVISIONAL):
            try:
                while (event := self._http.next_event()) is h11.NEED_DATA:
                    data = await self._receive()
                    beginning = beginning or data
                    # h11 looks at a head once it is whole, which that of another protocol never is.
                    if not b"HTTP/".startswith(beginning[:5]):
                        raise NotHttpError(beginning)
            except h11.RemoteProtocolError as error:
                problem = "headers that break the rules of HTTP"
                if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                    problem = f"more than {MAX_HEAD >> 10} KiB of headers"
                elif self._is_closed:
                    problem = "half a head, and closed the connection"
                if not beginning:
                    raise BrokenConnectionError("closed the connection without an answer") from None
                raise FetchError(f"answered with {problem}") from None
            if isinstance(event, h11.Response):
                return event
        raise FetchError("answers with one provisional status (1xx) after the other")

    async def _receive(self) -> bytes:
        """Hands h11 what comes next, and returns it: nothing at the connection's end."""
        try:
            data = await self._stream.receive(_READ_SIZE)
        except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
            data = b""
        self._http.receive_data(data)
        return data

    @property
    def _is_closed(self) -> bool:
        return self._http.trailing_data[1]

    def _body_problem(self) -> str:
        of_all = f" of {self._length}" if self._length else ""
        if self._is_closed:
            return f"closed the connection early, after {self._received}{of_all} bytes"
        return f"breaks the rules of HTTP after {self._received}{of_all} bytes of its answer"


async def connect_tcp(host: str, port: int, addresses: Sequence[str], context: ssl.SSLContext | None) -> Connection:
    """Connects to the first of a host's addresses that accepts; with TLS where a context is given.

    Raises:
        UnreachableError: None does.
    """
    problem = ""
    for index, address in enumerate(addresses):
        is_last = index + 1 == len(addresses)
        with anyio.move_on_after(None if is_last else _ADDRESS_TIMEOUT):
            try:
                return Connection(await _connect(address, port, host, context))
            except ssl.SSLCertVerificationError as error:
                problem = f"certificate problem: {error.verify_message}"
            except ssl.SSLError as error:
                problem = f"TLS failed: {(error.reason or 'handshake').replace('_', ' ').lower()}"
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                problem = "closed the connection during the TLS handshake"
            except OSError as error:
                problem = _reason(error)
    raise UnreachableError(problem or "no answer to the attempt to connect")


async def connect_unix(path: Path | str) -> Connection:
    """Connects to a unix socket.

    Raises:
        UnreachableError: Nobody listens there.
    """
    try:
        return Connection(await anyio.connect_unix(path))
    except OSError as error:
        problem = f"socket {path}: {_reason(error)}"
    raise UnreachableError(problem)


async def _connect(address: str, port: int, host: str, context: ssl.SSLContext | None) -> anyio.abc.ByteStream:
    if context is None:
        return await anyio.connect_tcp(address, port)
    return await anyio.connect_tcp(address, port, ssl_context=context, tls_hostname=host, tls_standard_compatible=False)


def _reason(error: OSError) -> str:
    """Why the system refused, in its words: anyio wraps its error in one of its own."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    text = os.strerror(cause.errno) if cause.errno else str(cause)
    return text[:1].lower() + text[1:]
