"""The headers that a target is asked with, or a sink told. What they hold never leaves this file but for them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from pprofwatch import __version__
from pprofwatch.collect.aside import Aside
from pprofwatch.errors import FetchError

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.config.settings import SinkConfig, TargetConfig

#: The most bytes of a file with a token or a password.
_MOST_SECRET = 64 << 10
#: Shorter values are no secrets; hiding them would blot out every "1" in an error.
_LEAST_SECRET = 4
_HIDDEN = b"***"


class Credentials:
    """Makes a target's request headers, and hides the secrets in them from what it answers."""

    def __init__(self, config: TargetConfig | SinkConfig, host: str) -> None:
        given = [(name.encode(), value.reveal().encode()) for name, value in config.headers]
        self._secrets = [value for _, value in given]
        self._file_secrets: list[bytes] = []
        if config.basic_auth is not None:
            user_and_password = config.basic_auth.reveal().encode()
            self._secrets += _basic_secrets(user_and_password)
            given.append(_basic(user_and_password))
        names = {name.lower() for name, _ in given}
        usual = [
            (b"Host", host.encode()),
            (b"User-Agent", f"pprofwatch/{__version__}".encode()),
            # A compressed body could be anything once it is decompressed.
            (b"Accept-Encoding", b"identity"),
        ]
        self._headers = [header for header in usual if header[0].lower() not in names] + given
        self._token = _SecretFile(config.bearer_token_file, "token")
        self._user_and_password = _SecretFile(config.basic_auth_file, "user:password")

    async def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the next request, with what the files hold now.

        Raises:
            FetchError: A file can't be read, or holds no such thing.
        """
        if token := await self._token.read():
            self._file_secrets = [token]
            return [*self._headers, (b"Authorization", b"Bearer " + token)]
        if user_and_password := await self._user_and_password.read():
            self._file_secrets = _basic_secrets(user_and_password)
            return [*self._headers, _basic(user_and_password)]
        return self._headers

    def hide(self, text: bytes) -> bytes:
        """Text that a target sent, without secrets that it was told: some put them into their error messages."""
        for secret in sorted([*self._secrets, *self._file_secrets], key=len, reverse=True):
            if len(secret) >= _LEAST_SECRET:
                text = text.replace(secret, _HIDDEN)
        return text


class _SecretFile:
    """A file with a line that is read anew each time, since it may be replaced at any."""

    def __init__(self, path: Path | None, expected: str) -> None:
        self._path = path
        self._expected = expected
        self._content = Aside(f"read {path}", self._read)

    async def read(self) -> bytes:
        """Its line; nothing where there is no such file to read."""
        if self._path is None:
            return b""
        try:
            content = await self._content.run()
        except OSError as error:
            raise FetchError(f"can't read {self._path}: {error.strerror}") from None
        lines = content.strip().splitlines()
        if len(lines) != 1 or len(content) > _MOST_SECRET:
            raise FetchError(f"expected one line {self._expected} in {self._path}")
        return lines[0].strip()

    def _read(self) -> bytes:
        if self._path is None:
            return b""
        with self._path.open("rb") as file:
            return file.read(_MOST_SECRET + 1)


def _basic(user_and_password: bytes) -> tuple[bytes, bytes]:
    return b"Authorization", b"Basic " + base64.b64encode(user_and_password)


def _basic_secrets(user_and_password: bytes) -> list[bytes]:
    return [user_and_password.partition(b":")[2], base64.b64encode(user_and_password)]
