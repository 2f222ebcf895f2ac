"""Files that the configuration names: whether they can be used, before the first request finds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 64 << 10


def check_token_file(path: Path) -> str:
    """What is wrong with a file that holds a token, or nothing. Never holds what stands in it."""
    text = _read(path)
    if isinstance(text, str):
        return text
    if len(text.split()) != 1 or not text.isascii():
        return f"expected one token in {path}: printable ASCII without spaces"
    return ""


def check_basic_auth_file(path: Path) -> str:
    """What is wrong with a file that holds ``user:password``, or nothing. Never holds what stands in it."""
    text = _read(path)
    if isinstance(text, str):
        return text
    if b":" not in text or len(text.strip().splitlines()) != 1:
        return f"expected one line user:password in {path}"
    return ""


def check_authorities(path: Path) -> str:
    """What is wrong with a PEM file of certificate authorities, or nothing."""
    import ssl  # noqa: PLC0415  # takes longer to load than all of the configuration, and few need it

    text = _read(path, most=64 * _MOST_BYTES)
    if isinstance(text, str):
        return text
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return f"expected certificates in PEM form in {path}"
    return ""


def _read(path: Path, most: int = _MOST_BYTES) -> bytes | str:
    """The content, or what keeps it from being read."""
    try:
        if not path.is_file():  # a FIFO would be waited for
            return f"{path} is not a file" if path.exists() else f"{path} does not exist"
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    return content if len(content) <= most else f"expected at most {most} bytes in {path}"
