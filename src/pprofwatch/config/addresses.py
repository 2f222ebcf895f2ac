"""The address of a target, as a person writes it, as a Target."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pprofwatch.config.requests import PROFILES
from pprofwatch.config.settings import Secret
from pprofwatch.model import Target

if TYPE_CHECKING:
    from urllib.parse import SplitResult

DEFAULT_ADDRESS = "localhost:6060"
_PPROF_PATH = "/debug/pprof/"
_EXPECTED = "expected host:port, an http or https URL, or unix:/path.sock"
_PORTS = {"http": 80, "https": 443}
_LONGEST = 2000
_LONGEST_NAME = 200
# Linux: sun_path has 108 bytes, of which the last is a NUL.
_LONGEST_SOCKET = 107


def parse_address(address: str, name: str = "") -> tuple[Target, Secret | None]:
    """Read ``host:port``, an http(s) URL with or without a path, or ``unix:/path.sock``.

    Args:
        address: As the user gave it. Where it has no path, or ``/``, pprof is looked for at ``/debug/pprof/``.
        name: The target's name; by default its ``host:port``, with the path where that is not the usual one.

    Returns:
        The target, and ``user:password`` if the URL has them: the target's own URL does not.

    Raises:
        ValueError: What is wrong with it. Never holds the credentials.
    """
    shown = f'got "{hide_credentials(address)}"'
    if not address or len(address) > _LONGEST or not is_one_word(address):
        raise ValueError(f"{_EXPECTED}, without spaces or control characters, {shown}")
    if name and (len(name) > _LONGEST_NAME or not is_one_word(name)):
        raise ValueError(f"expected a name of at most {_LONGEST_NAME} characters, without spaces or control characters")
    if address.startswith("unix:"):
        return _parse_socket(address, name), None
    scheme, separator, _ = address.partition("://")
    try:
        parts = urlsplit(address if separator else f"http://{address}")
        port = parts.port
    except ValueError:
        raise ValueError(f"{_EXPECTED}, {shown}") from None
    if separator and parts.scheme not in _PORTS:
        raise ValueError(f'{_EXPECTED}, got the scheme "{scheme[:20]}"')
    if (port is None and not separator) or port == 0:
        raise ValueError(f"expected a port from 1 to 65535, as in {DEFAULT_ADDRESS}, {shown}")
    if parts.query or parts.fragment or "?" in address or "#" in address:
        raise ValueError(f"expected an address without ? and #: what to poll is said by profile, {shown}")
    host = _host(parts.hostname or ("localhost" if not separator else ""))
    if host is None:
        raise ValueError(f"{_EXPECTED} (an IPv6 address in brackets), {shown}")
    path = _path(parts.path, shown)
    netloc = f"{host}:{port or _PORTS[parts.scheme]}"
    target = Target(
        name or netloc + ("" if path == _PPROF_PATH else path.rstrip("/")),
        f"{parts.scheme}://{netloc}{path}",
    )
    return target, _credentials(parts)


def hide_credentials(address: str) -> str:
    """An address for a message: short, printable, and without what stands before its last ``@``."""
    before, _, rest = address[:_LONGEST].rpartition("@")
    rest = rest[:100] if rest[:100].isprintable() else ascii(rest[:100])[1:-1]
    return ("…@" if before else "") + rest


def is_one_word(text: str) -> bool:
    """Whether it can stand in an entry's header line and on a terminal: no spaces, control and format characters."""
    return text.isprintable() and not any(map(str.isspace, text))


def _parse_socket(address: str, name: str) -> Target:
    path = address.removeprefix("unix:")
    if path.startswith("///"):
        path = path[2:]
    if not path.startswith("/") or path.endswith("/") or len(path.encode()) > _LONGEST_SOCKET:
        raise ValueError(
            f"expected unix: and an absolute path of at most {_LONGEST_SOCKET} bytes, as in unix:/run/app.sock, "
            f'got "{address[:100]}"'
        )
    return Target(name or f"unix:{path}", f"http://localhost{_PPROF_PATH}", path)


def _host(host: str) -> str | None:
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError:
            return None
    return host if re.fullmatch(r"\w([\w.-]{0,252})", host) else None


def _path(path: str, shown: str) -> str:
    path = path if path.endswith("/") else f"{path}/"
    if path in ("/", "//"):
        return _PPROF_PATH
    parent, _, last = path.rstrip("/").rpartition("/")
    if parent.endswith("/pprof") and last in PROFILES:
        raise ValueError(
            f"expected the address of pprof's index, without /{last}: what to poll is said by profile, {shown}"
        )
    if not path.isascii():
        raise ValueError(f"expected a path in ASCII, with other characters as %XX, {shown}")
    return path


def _credentials(parts: SplitResult) -> Secret | None:
    if parts.username is None and parts.password is None:
        return None
    return Secret(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}")
