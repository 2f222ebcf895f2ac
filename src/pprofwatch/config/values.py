"""Options' values as they were given, each checked by itself, and where each stands."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import msgspec

from pprofwatch.config.document import quote
from pprofwatch.config.kinds import ItemsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pprofwatch.config.document import Table
    from pprofwatch.config.options import Option

T = TypeVar("T")


class Given(NamedTuple):
    """A value, and where it stands. One that can't be used is *mistaken*: its value is then the default."""

    value: Any
    place: str
    mistaken: bool = False


class Values:
    """Values of options by name."""

    def __init__(self, given: Mapping[str, Given] | None = None) -> None:
        self._given = dict(given or {})

    def get(self, option: Option[T]) -> T:
        """What was given, or the default."""
        given = self._given.get(option.name)
        return option.default if given is None else cast("T", given.value)

    def is_given(self, option: Option[Any]) -> bool:
        """Whether it was given, rightly or not."""
        return option.name in self._given

    def is_mistaken(self, option: Option[Any]) -> bool:
        """Whether it was given and can't be used."""
        return self.is_given(option) and self._given[option.name].mistaken

    def where(self, option: Option[Any]) -> str:
        """Where it was given, for messages."""
        return self._given[option.name].place if self.is_given(option) else option.flag

    def set(self, option: Option[Any], given: Given) -> None:
        """Give it a value."""
        self._given[option.name] = given

    def under(self, other: Values) -> Values:
        """These values, and those of ``other`` that win over them."""
        return Values({**self._given, **other._given})


def read_flags(flags: Mapping[str, Any], options: Iterable[Option[Any]], mistakes: list[str]) -> Values:
    """The values of the flags that were given: texts, tuples of texts, and True for a switch."""
    values = Values()
    for option in options:
        given = flags.get(option.name)
        if given in (None, (), False):
            continue
        try:
            values.set(option, Given(option.kind.read(given), option.flag))
        except ValueError as error:
            values.set(option, Given(option.default, option.flag, mistaken=True))
            mistakes.extend(f"{option.flag}: {text}" for _, text in _mistakes_in(error, given))
    return values


def read_table(table: Table, options: Iterable[Option[Any]], mistakes: list[str], hints: Mapping[str, str]) -> Values:
    """The values of a table in a TOML file.

    Args:
        table: The table. Relative paths in it start at its file's folder.
        options: Those whose names may be keys here; dashes are as good as underscores.
        mistakes: Is added to.
        hints: Known names that are no keys here, and what to say about them.
    """
    values = Values()
    known = {option.name: option for option in options}
    for key, given in table.data.items():
        place = table.where(key)
        option = known.get(key.replace("-", "_"))
        if option is None:
            mistakes.append(f"{place}: {_unknown(key, known, hints)}")
            continue
        if values.is_given(option):
            mistakes.append(f"{place}: given twice, with a dash and with an underscore")
            continue
        try:
            value = option.kind.read(msgspec.convert(given, option.kind.toml, strict=True))
            values.set(option, Given(table.folder / value if isinstance(value, Path) else value, place))
        except msgspec.ValidationError as error:
            values.set(option, Given(option.default, place, mistaken=True))
            mistakes.append(f"{place}: expected {option.kind.expected} ({str(error).replace('`', '')})")
        except ValueError as error:
            values.set(option, Given(option.default, place, mistaken=True))
            mistakes.extend(f"{table.where(key, *item)}: {text}" for item, text in _mistakes_in(error, given))
    return values


def _mistakes_in(error: ValueError, given: Any) -> list[tuple[tuple[int | str, ...], str]]:
    """What a reader found wrong: each with the item's index or key, where there are items, and a line about it."""
    if not isinstance(error, ItemsError):
        return [((), f"{error}, got {quote(str(given)[:60])}")]
    return [(() if isinstance(given, str) else (item,), text) for item, text in error.mistakes]


def _unknown(key: str, known: Iterable[str], hints: Mapping[str, str]) -> str:
    name = key.replace("-", "_")
    if name in hints:
        return hints[name]
    close = difflib.get_close_matches(name, known, n=1)
    return "unknown key" + (f" (did you mean {close[0]}?)" if close else "")
