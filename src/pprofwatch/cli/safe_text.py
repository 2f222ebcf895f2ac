"""Text from outside, made safe for a terminal: target names, function names, errors that quote an answer."""

from __future__ import annotations


def safe_text(text: str) -> str:
    r"""The text with each control, format, bidi and unassigned character as an escape such as ``\x1b`` or ``\u202e``.

    Newlines too: what comes from outside can't begin a line of its own.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
