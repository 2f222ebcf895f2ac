"""POSTs JSON to one URL, over the HTTP client that targets are polled with."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from pprofwatch.alerts.sinks.base import SinkError
from pprofwatch.collect.connection import NotHttpError, Request, connect_tcp
from pprofwatch.collect.credentials import Credentials
from pprofwatch.collect.resolve import Resolver
from pprofwatch.errors import FetchError
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from pprofwatch.collect.connection import Connection
    from pprofwatch.config.settings import SinkConfig

_PORTS = {"http": 80, "https": 443}
#: Of an answer that says no, this much is read, and so much of that shown. Bytes, and characters.
_MOST_READ = 2048
_MOST_SHOWN = 120
#: Answers that may change: the others (a 400, say) come again for the same request.
_TRY_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
#: Parts of a URL that are shorter than this are words, not tokens.
_LEAST_SECRET = 6


class Poster:
    """Sends requests to the URL of one sink, each over a connection of its own: they are rare."""

    def __init__(self, config: SinkConfig, path: str = "") -> None:
        """``path`` is added to the URL's."""
        parts = urlsplit(config.url.reveal())
        self._config = config
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._is_https = parts.scheme == "https"
        base = parts.path.rstrip("/") if path else parts.path
        self._target = f"{base}{path}" or "/"
        if parts.query:
            self._target += f"?{parts.query}"
        self._credentials = Credentials(config, parts.netloc)
        self._resolver = Resolver(self._host, self._port)
        self._context: ssl.SSLContext | None = None

    async def post(self, body: bytes) -> None:
        """Sends a body of JSON; any 2xx answer will do. Redirects are not followed.

        Raises:
            SinkError: It was not taken, or there was no answer within the timeout.
        """
        limit = self._config.timeout
        problem = f"no answer within {format_duration(limit)}"
        try:
            with anyio.fail_after(limit):
                status, said = await self._ask(body)
        except TimeoutError:
            pass
        except NotHttpError as error:
            problem = str(error)  # without its beginning, which may repeat what was sent
        except FetchError as error:
            problem = str(error)
        else:
            if status // 100 == HTTPStatus.OK // 100:
                return
            is_temporary = status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise SinkError(f"answered {status}{said}", retry=is_temporary)
        raise SinkError(problem, retry=True)

    async def _ask(self, body: bytes) -> tuple[int, str]:
        """The answer's status and, unless that is fine, how it begins."""
        headers = [
            *await self._credentials.headers(),
            (b"Content-Type", b"application/json"),
            (b"Connection", b"close"),
        ]
        request = Request(self._target.encode(), headers, body)
        connection = await self._connect()
        try:
            status, _ = await connection.ask(request)
            if HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST:  # a redirect's body tells nothing
                return status, ""
            return status, await self._beginning(connection)
        finally:
            await connection.aclose()

    async def _connect(self) -> Connection:
        if self._is_https and self._context is None:
            self._context = self._make_context()
        return await connect_tcp(self._host, self._port, await self._resolver.addresses(), self._context)

    def _make_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._config.ca_file)
        except ssl.SSLError:
            problem = "it holds no certificate"
        except OSError as error:
            problem = error.strerror or "it can't be read"
        raise FetchError(f"can't use the CA file {self._config.ca_file}: {problem}")

    async def _beginning(self, connection: Connection) -> str:
        """The first line of an answer, short, printable, and without what we sent in secret."""
        said = b""
        try:
            while len(said) < _MOST_READ and (piece := await connection.read()):
                said += piece
        except FetchError:
            pass  # the status says enough
        text = self._hide(said[:_MOST_READ]).decode(errors="replace").strip()
        line = "".join(char if char.isprintable() else "�" for char in text.split("\n")[0].strip())
        return f": {line[:_MOST_SHOWN]}" if line else ""

    def _hide(self, said: bytes) -> bytes:
        said = self._credentials.hide(said)
        parts = sorted({self._target, *self._target.replace("?", "/").split("/")}, key=len, reverse=True)
        for part in parts:
            if len(part) >= _LEAST_SECRET:
                said = said.replace(part.encode(), b"***")
        return said
