"""pprof labels, as Go writes them in debug=1 text: ``{"key":"value", "tenant":"a"}``, sorted by key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def format_labels(labels: Iterable[tuple[bytes, bytes]]) -> str:
    """Formats a sample's labels; empty where it has none."""
    pairs = sorted(f"{_quote(key)}:{_quote(value)}" for key, value in labels)
    return "{" + ", ".join(pairs) + "}" if pairs else ""


def _quote(raw: bytes) -> str:
    """What Go's ``%q`` makes of a string, which need not be UTF-8."""
    text = raw.decode(errors="surrogateescape")
    if not text.isprintable() or '"' in text or "\\" in text:
        text = "".join(map(_escape, text))
    return f'"{text}"'


def _escape(character: str) -> str:
    if escaped := _ESCAPES.get(character):
        return escaped
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, see surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
