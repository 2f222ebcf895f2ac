"""Asks a target for a profile: bounded in time and size, over a connection that is kept from poll to poll."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
from anyio.lowlevel import checkpoint

from pprofwatch.collect.answers import LONGEST_START, Answer, begins_right, shown
from pprofwatch.collect.connection import (
    BrokenConnectionError,
    Connection,
    NotHttpError,
    Request,
    connect_tcp,
    connect_unix,
)
from pprofwatch.collect.credentials import Credentials
from pprofwatch.collect.resolve import Resolver, system_look_up
from pprofwatch.errors import FetchError, UnreachableError
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pprofwatch.collect.resolve import LookUp
    from pprofwatch.config.settings import TargetConfig
    from pprofwatch.model import ProfileRequest

#: Of an answer that is no profile, this much is read, to tell what it is. Bytes.
_ERROR_BODY = 16 << 10
#: A body is held in memory up to here while it comes, and then in a nameless file beside the log. Bytes.
_MEMORY_BODY = 256 << 10
#: A kept connection that breaks within this many seconds of its next use was closed by the other side meanwhile.
_STALE = 1.0
#: How a TLS server begins to refuse a client that does not speak it (RFC 8446, 5.1).
_TLS_ALERT = b"\x15\x03"
_NO_CONNECTION = "no connection"
#: Bodies up to this size, in bytes, are handled on the event loop; larger ones aside, one of all targets' at a time.
LARGE = 1 << 20
#: A compressed body is large from here on: it may have fifty times as much in it.
_LARGE_COMPRESSED = 128 << 10
_PORTS = {"http": 80, "https": 443}


def is_large(request: ProfileRequest, size: int) -> bool:
    """Whether a body of so many bytes is so large that it is not handled on the event loop, nor beside another one."""
    is_compressed = request.seconds > 0 or request.debug == 0
    return size > (_LARGE_COMPRESSED if is_compressed else LARGE)


class TlsContexts:
    """The TLS contexts of a daemon: half a megabyte each, so one for each way to verify."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[Path | None, bool], ssl.SSLContext] = {}

    def get(self, config: TargetConfig) -> ssl.SSLContext | None:
        """The context for a target, made once; none for one without TLS.

        Raises:
            FetchError: Its CA file can't be used.
        """
        if config.target.socket or not config.target.url.startswith("https:"):
            return None
        key = config.ca_file, config.insecure
        if key not in self._contexts:
            self._contexts[key] = _make_context(config)
        return self._contexts[key]


def _make_context(config: TargetConfig) -> ssl.SSLContext:
    if config.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except ssl.SSLError:
        problem = "it holds no certificate"
    except OSError as error:
        problem = error.strerror or "it can't be read"
    raise FetchError(f"can't use the CA file {config.ca_file}: {problem}")


class Fetcher:
    """Asks one target for profiles.

    Any number of requests may be under way at once. The first that ends leaves its connection to those that follow;
    the others', which slow requests need beside it, are closed.

    Args:
        config: The target, and how to ask it.
        contexts: The daemon's TLS contexts.
        folder: Where a large body is put while it comes: the target's log folder.
        monotonic: The clock that durations are told by, in seconds.
        look_up: Tells a host's addresses; may block.
    """

    def __init__(
        self,
        config: TargetConfig,
        contexts: TlsContexts,
        folder: Path,
        monotonic: Callable[[], float],
        look_up: LookUp = system_look_up,
    ) -> None:
        parts = urlsplit(config.target.url)
        self._config = config
        self._contexts = contexts
        self._folder = folder
        self._monotonic = monotonic
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._path = parts.path.encode()
        self._credentials = Credentials(config, parts.netloc)
        self._resolver = Resolver(self._host, self._port, look_up)
        self._prepared: dict[ProfileRequest, tuple[list[tuple[bytes, bytes]], Request]] = {}
        self._idle: Connection | None = None

    async def fetch(
        self, request: ProfileRequest, *, before_large: Callable[[], Awaitable[None]] = checkpoint
    ) -> Answer:
        """Asks for a profile, once. A binary profile's request must say its ``seconds``.

        Args:
            request: What to ask for.
            before_large: Awaited before a body that ``is_large`` is read into memory, for as long as it likes.

        Returns:
            The answer, whatever its status.

        Raises:
            UnreachableError: No connection could be made.
            FetchError: There was no answer, not all of it, or more than is taken.
        """
        began = self._monotonic()
        with _Content(self._folder, self._config.max_body) as content:
            status, headers = await self._ask_in_time(request, content)
            took = self._monotonic() - began
            if is_large(request, content.size):
                await before_large()
            return Answer(
                status,
                content.read() if content.is_profile else self._credentials.hide(content.read(_ERROR_BODY)),
                content_type=headers.get(b"content-type", b"").decode("latin-1"),
                is_pprof=b"x-go-pprof" in headers,
                took=took,
            )

    async def _ask_in_time(self, request: ProfileRequest, content: _Content) -> tuple[int, dict[bytes, bytes]]:
        limit = self._config.timeout + request.seconds
        progress = _Progress(content)
        try:
            with anyio.fail_after(limit):
                return await self._ask(request, progress)
        except TimeoutError:
            problem = progress.problem(limit)
        except NotHttpError as error:
            said = shown(self._credentials.hide(error.beginning))
            hint = " (is its address https?)" if error.beginning.startswith(_TLS_ALERT) else f": {said}"
            problem = FetchError(f"{error}{hint}")
        raise problem

    async def aclose(self) -> None:
        """Closes the connection that is kept. Requests under way must have been cancelled before."""
        if self._idle is not None:
            await self._idle.aclose()
            self._idle = None

    async def _ask(self, request: ProfileRequest, progress: _Progress) -> tuple[int, dict[bytes, bytes]]:
        prepared = await self._prepare(request)
        connection = await self._take_idle()
        if connection is not None:
            began = self._monotonic()
            try:
                return await self._exchange(connection, request, prepared, progress)
            except BrokenConnectionError:
                if self._monotonic() - began > _STALE:
                    raise
        connection = await self._connect()
        return await self._exchange(connection, request, prepared, progress)

    async def _prepare(self, request: ProfileRequest) -> Request:
        """The request as it is sent; always the same one, where no header comes from a file."""
        headers = await self._credentials.headers()
        last_headers, prepared = self._prepared.get(request, (None, None))
        if prepared is None or headers is not last_headers:
            prepared = Request(self._path + _query(request), headers)
            self._prepared[request] = headers, prepared
        return prepared

    async def _take_idle(self) -> Connection | None:
        connection, self._idle = self._idle, None
        if connection is not None and connection.is_stale:
            await connection.aclose()
            return None
        return connection

    async def _connect(self) -> Connection:
        if self._config.target.socket:
            return await connect_unix(self._config.target.socket)
        context = self._contexts.get(self._config)
        return await connect_tcp(self._host, self._port, await self._resolver.addresses(), context)

    async def _exchange(
        self, connection: Connection, request: ProfileRequest, prepared: Request, progress: _Progress
    ) -> tuple[int, dict[bytes, bytes]]:
        """One request and its answer. The connection is kept or closed, whatever happens."""
        is_reusable = False
        progress.missing = "no answer"
        try:
            status, answered = await connection.ask(prepared)
            self._check_head(status, answered)
            await self._read_body(connection, request, status, progress.content)
            is_reusable = connection.finish()
        finally:
            if is_reusable and self._idle is None:
                self._idle = connection
            else:
                await connection.aclose()
        return status, answered

    def _check_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        encoding = headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            raise FetchError(f"answered with Content-Encoding {shown(encoding)}, though identity was asked for")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            place = shown(self._credentials.hide(headers.get(b"location", b"an address that it does not tell")))
            raise FetchError(f"redirects to {place}, which is not followed: give the address that answers")
        if status == HTTPStatus.OK and int(headers.get(b"content-length", b"0")) > self._config.max_body:
            raise FetchError(_too_long(self._config.max_body))

    async def _read_body(self, connection: Connection, request: ProfileRequest, status: int, content: _Content) -> None:
        """The body; of one that is not the profile anyway only the beginning."""
        content.is_profile = status == HTTPStatus.OK
        beginning = b""
        while piece := await connection.read():
            if content.is_profile and len(beginning) < LONGEST_START:
                beginning += piece[:LONGEST_START]
                content.is_profile = begins_right(request, beginning)
            content.add(piece)
            if content.size > _ERROR_BODY and not content.is_profile:
                break


class _Content:
    """A body that comes, in a file where it is large: many of them may wait until there is memory for one.

    Args:
        folder: Where the nameless file is put.
        most: The most bytes that are taken.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.size = 0
        self.is_profile = False
        self._folder = folder
        self._most = most
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BODY, dir=str(folder))  # noqa: SIM115

    def add(self, piece: bytes) -> None:
        """Adds a piece.

        Raises:
            FetchError: It is too much, or there is no room for it.
        """
        self.size += len(piece)
        if self.size > self._most:
            raise FetchError(_too_long(self._most))
        try:
            self._file.write(piece)
        except OSError as error:
            raise FetchError(f"no room for an answer of this size in {self._folder}: {error.strerror}") from None

    def read(self, most: int = -1) -> bytes:
        """All of it, or so many bytes at its beginning."""
        self._file.seek(0)
        return self._file.read(most)

    def __enter__(self) -> _Content:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@dataclass(slots=True)
class _Progress:
    """What a request that takes too long has brought so far."""

    content: _Content
    missing: str = _NO_CONNECTION

    def problem(self, limit: float) -> FetchError:
        """What to say after ``limit`` seconds."""
        if self.content.size:
            return FetchError(f"only {self.content.size} bytes of the answer within {format_duration(limit)}")
        kind = UnreachableError if self.missing == _NO_CONNECTION else FetchError
        return kind(f"{self.missing} within {format_duration(limit)}")


def _too_long(most: int) -> str:
    return f"answered more than the {most} bytes that max_body allows"


def _query(request: ProfileRequest) -> bytes:
    # Both at once are refused, though every how-to combines them.
    query = f"?seconds={request.seconds}" if request.seconds else f"?debug={request.debug}"
    return request.name.encode() + query.encode()
