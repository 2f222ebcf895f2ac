"""A TOML file: its values, and the line of each key, for messages."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pprofwatch.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KeyPath = tuple[str | int, ...]

_MOST_BYTES = 1 << 20
_TABLE = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_KEY = re.compile(r"""\s*(["']?)([\w-]+)\1\s*[=.]""")
_MULTILINE_QUOTES = re.compile(r'"""|\'\'\'')


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. ``where`` says for messages where a value stands."""

    path: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def where(self, *keys: str | int) -> str:
        """``config.toml:12: target[1].interval``; the line is that of the nearest key whose line is known."""
        key = "".join(map(_step, keys)).lstrip(".")
        for length in range(len(keys), 0, -1):
            line = self.lines.get(keys[:length])
            if line:
                return f"{self.path}:{line}: {key}"
        return f"{self.path}: {key}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a document: its values, and its place there."""

    data: dict[str, Any]
    keys: KeyPath
    document: Document

    @property
    def folder(self) -> Path:
        """Where relative paths in it start."""
        return self.document.path.absolute().parent

    def where(self, *keys: str | int) -> str:
        """Where a value in it stands, for messages."""
        return self.document.where(*self.keys, *keys)


def quote(text: str) -> str:
    """A text as TOML, and in messages: escaped, in double quotes."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_document(path: Path) -> Document:
    """Read a TOML file.

    Raises:
        ConfigError: It can't be read, or it isn't TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror}"]) from error
    if len(raw) > _MOST_BYTES:
        raise ConfigError([f"{path}: expected a TOML file of at most {_MOST_BYTES} bytes"])
    try:
        text = raw.decode()
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not valid TOML: byte {error.start} is not UTF-8"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError([_syntax_mistake(path, error)]) from error
    return Document(path, data, find_lines(text))


def find_lines(text: str) -> dict[KeyPath, int]:
    """The line of each table and key of a valid TOML text, as far as it is written one to a line.

    tomllib does not tell; a key that this overlooks only makes a message less exact.
    """
    lines: dict[KeyPath, int] = {}
    counts: dict[str, int] = {}
    table: KeyPath = ()
    inside_text = False
    for number, line in enumerate(text.split("\n"), 1):
        was_inside = inside_text
        inside_text ^= len(_MULTILINE_QUOTES.findall(line)) % 2 == 1
        if was_inside:
            continue
        if header := _TABLE.match(line):
            brackets, name = header.groups()
            table = (name,)
            if brackets == "[[":
                table = (name, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[2]), number)
    return lines


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if _BARE_KEY.fullmatch(key) else f".{quote(key[:60])}"


def _syntax_mistake(path: Path, error: Exception) -> str:
    message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    position = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if position is None:
        return f"{path}: not valid TOML: {message}"
    return f"{path}:{position[1]}: not valid TOML: {message[: position.start()]}, at column {position[2]}"
