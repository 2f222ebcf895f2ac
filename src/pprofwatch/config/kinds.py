"""How the value of an option is written: in TOML, and as the text of a flag."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pprofwatch.config.document import quote
from pprofwatch.config.requests import SHORTEST_DURATION, ProfileSpec, format_spec, parse_spec
from pprofwatch.config.settings import Secret
from pprofwatch.logs.entry import MAX_BODY
from pprofwatch.times import format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

A = TypeVar("A")
T = TypeVar("T")

_SIZE_UNITS = {"": 1, "b": 1, **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)}}
_SIZE_UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([a-z]{0,3})")
_LEAST_SIZE, _MOST_SIZE = 1024, 1 << 50
# RFC 9110, section 5.6.2: what a field's name may consist of.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Those that the HTTP client must set itself, or the answer could not be read as it is meant.
_OWN_HEADERS = {"accept-encoding", "connection", "content-length", "te", "transfer-encoding", "upgrade"}


class ItemsError(ValueError):
    """Items of a list that can't be used: each with its index (or its key, in a table), and what is wrong."""

    def __init__(self, mistakes: list[tuple[int | str, str]]) -> None:
        super().__init__("; ".join(text for _, text in mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value.

    ``toml`` is the type that TOML must give it; ``read`` makes the value from that, or from what the flag was given
    (a text; a tuple of texts for a flag that can be repeated), and raises ValueError with what was expected. ``show``
    writes it as TOML.
    """

    metavar: str
    expected: str
    toml: Any
    read: Callable[[Any], T]
    show: Callable[[T], str]
    many: bool = False


def parse_size(text: str | int) -> int:
    """Bytes in ``64MiB``, ``64MB`` or ``1024``.

    Raises:
        ValueError: It is not a size, or out of bounds.
    """
    match = _SIZE.fullmatch(str(text).lower())
    if not match or match[2] not in _SIZE_UNITS:
        raise ValueError("expected a size, such as 64MiB, 2GiB or a number of bytes")
    size = int(float(match[1]) * _SIZE_UNITS[match[2]]) if "." in match[1] else int(match[1]) * _SIZE_UNITS[match[2]]
    if not _LEAST_SIZE <= size <= _MOST_SIZE:
        raise ValueError("expected a size from 1KiB to 1024TiB")
    return size


def format_size(size: int) -> str:
    """The shortest text that ``parse_size`` reads back: ``64MiB``, ``2GiB``, ``1500``."""
    texts = [
        f"{size // unit}{name[0].upper()}{name[1:].replace('b', 'B')}" if name else str(size)
        for name, unit in _SIZE_UNITS.items()
        if name != "b" and size % unit == 0
    ]
    return min(texts, key=len)


def _read_duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < SHORTEST_DURATION:
        raise ValueError(f"expected a duration of at least {format_duration(SHORTEST_DURATION)}")
    return seconds


def _read_duration_or_off(text: str | int) -> float:
    if str(text) in ("off", "0", "0s"):
        return 0.0
    try:
        return _read_duration(str(text))
    except ValueError as error:
        raise ValueError(f"{error}, or off") from None


def _read_body_size(text: str | int) -> int:
    size = parse_size(text)
    if size > MAX_BODY:
        raise ValueError(f"expected at most {format_size(MAX_BODY)}, the most that an entry can hold")
    return size


def _read_count(number: str | int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", str(number)) or int(number) < 1:
        raise ValueError("expected a whole number from 1 on")
    return int(number)


def _read_limit(number: str | int) -> int:
    if str(number) == "0":
        return 0
    try:
        return _read_count(number)
    except ValueError as error:
        raise ValueError(f"{error}, or 0 for none") from None


def _read_path(text: str) -> Path:
    if not text or not text.isprintable():  # a newline in a path would be one in messages and logs
        raise ValueError("expected a path of printable characters")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("expected a path whose ~user exists") from error


def _read_each(items: Iterable[tuple[int | str, A]], read: Callable[[A], T]) -> tuple[T, ...]:
    """All of them, or what is wrong with each that can't be read."""
    values: list[T] = []
    mistakes: list[tuple[int | str, str]] = []
    for index, item in items:
        try:
            values.append(read(item))
        except ValueError as error:
            mistakes.append((index, str(error)))
    if mistakes:
        raise ItemsError(mistakes)
    return tuple(values)


def _read_specs(given: str | Sequence[str]) -> tuple[ProfileSpec, ...]:
    return _read_each(enumerate([given] if isinstance(given, str) else given), parse_spec)


def _read_headers(given: str | Sequence[str] | dict[str, str]) -> tuple[tuple[str, Secret], ...]:
    if isinstance(given, dict):
        return _read_each(((name, (name, value)) for name, value in given.items()), _check_header)
    texts = [given] if isinstance(given, str) else given
    return _read_each(enumerate(texts), lambda text: _check_header(_split_header(text)))


def _split_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    return (name if colon else "", value)


def _check_header(header: tuple[str, str]) -> tuple[str, Secret]:
    # What is wrong is said without quoting: a header is where tokens stand.
    name, value = header[0], header[1].strip(" \t")
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("expected a header such as 'X-Scope: production'")
    if not value or not value.isascii() or not value.replace("\t", " ").isprintable():
        raise ValueError(f"expected the header {name} to have a value in printable ASCII")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"the header {name} can't be set: pprofwatch sets it itself")
    return name, Secret(value)


def choice(*names: str) -> Kind[str]:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"expected {expected}")
        return text

    expected = ", ".join(names[:-1]) + f" or {names[-1]}"
    return Kind("|".join(names), expected, str, read, quote)


def _show_list(texts: list[str]) -> str:
    return "[" + ", ".join(map(quote, texts)) + "]"


def _show_headers(headers: tuple[tuple[str, Secret], ...]) -> str:
    return _show_list([f"{name}: (not shown)" for name, _ in headers])


DURATION = Kind(
    "DURATION",
    'a duration with its unit, such as "10s"',
    str,
    _read_duration,
    lambda seconds: quote(format_duration(seconds)),
)
DURATION_OR_OFF = Kind(
    "DURATION|off",
    'a duration with its unit, such as "10s", or "off"',
    str | int,
    _read_duration_or_off,
    lambda seconds: quote(format_duration(seconds) if seconds else "off"),
)
SIZE = Kind("SIZE", 'a size, such as "64MiB"', str | int, parse_size, lambda size: quote(format_size(size)))
BODY_SIZE = replace(SIZE, read=_read_body_size)
COUNT = Kind("NUMBER", "a whole number from 1 on", int, _read_count, str)
LIMIT = Kind("NUMBER", "a whole number", int, _read_limit, str)
SWITCH: Kind[bool] = Kind("", "true or false", bool, bool, lambda on: "true" if on else "false")
FILE: Kind[Path | None] = Kind("FILE", "the path of a file", str, _read_path, lambda path: quote(str(path or "")))
FOLDER: Kind[Path | None] = Kind("DIR", "the path of a folder", str, _read_path, lambda path: quote(str(path or "")))
HEADERS = Kind(
    "'NAME: VALUE'",
    "a header such as 'X-Scope: production', or a list or table of them",
    str | list[str] | dict[str, str],
    _read_headers,
    _show_headers,
    many=True,
)
PROFILES = Kind(
    "NAME[:seconds=N][:every=DURATION]",
    'a list of profiles, such as ["goroutine", "heap:every=1m"]',
    str | list[str],
    _read_specs,
    lambda specs: _show_list([format_spec(spec) for spec in specs]),
    many=True,
)
TARGETS: Kind[tuple[str | dict[str, Any], ...]] = Kind(
    "ADDRESS",
    "addresses of targets, or [[target]] tables",
    str | dict[str, Any] | list[str | dict[str, Any]],
    lambda given: (given,) if isinstance(given, str | dict) else tuple(given),
    lambda targets: _show_list([target for target in targets if isinstance(target, str)]),
    many=True,
)
