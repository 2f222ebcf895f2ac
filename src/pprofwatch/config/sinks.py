"""``[[sink]]`` tables as SinkConfigs: where incidents are told."""

from __future__ import annotations

import re
import shutil
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pprofwatch.config.addresses import is_one_word
from pprofwatch.config.document import Table, quote
from pprofwatch.config.files import check_authorities, check_basic_auth_file, check_token_file
from pprofwatch.config.kinds import DURATION, FILE, HEADERS, ItemsError, Kind, choice
from pprofwatch.config.options import Option, make_option
from pprofwatch.config.settings import Secret, SinkConfig
from pprofwatch.config.values import read_table
from pprofwatch.leaks.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from pprofwatch.config.document import Document
    from pprofwatch.config.values import Values

#: The key of the tables.
SINK_KEY = "sink"
_TYPES = ("webhook", "alertmanager", "command", "stderr")
_SEVERITIES = tuple(severity for severity in Severity if severity is not Severity.SUSPECTED)
_LONGEST_URL = 2000
_LONGEST_NAME = 100
_LONGEST_ARGUMENT = 4096
_MOST_SINKS = 50
# Prometheus' data model: what a label may be called.
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
#: Labels that tell one incident from another, which are the sink's own.
IDENTITY_LABELS = ("alertname", "target", "profile", "function", "stack")


class Address(NamedTuple):
    """A URL: whole but for its ``user:password``, what may be shown of it, and that ``user:password``."""

    url: Secret
    shown: str
    basic_auth: Secret | None


def _read_name(text: str) -> str:
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise ValueError(f"expected a name of 1 to {_LONGEST_NAME} printable characters")
    return text


def _read_url(text: str) -> Address:
    # Raised as an item's mistake, which is told without what was given: that is where tokens stand.
    problem = ItemsError([(0, "expected an http or https URL, such as https://hooks.example.org/services/…")])
    if len(text) > _LONGEST_URL or not text.isascii() or not is_one_word(text) or "#" in text:
        raise problem
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise problem from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or port == 0 or not re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", host):
        raise problem
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    user_and_password = None
    if parts.username is not None or parts.password is not None:
        user_and_password = Secret(f"{unquote(parts.username or '')}:{unquote(parts.password or '')}")
    url = parts._replace(netloc=netloc).geturl()
    return Address(Secret(url), f"{parts.scheme}://{netloc}/…", user_and_password)


def _read_command(words: list[str]) -> tuple[str, ...]:
    if not words or not words[0]:
        raise ItemsError([(0, 'expected a program and its arguments, such as ["/usr/local/bin/page", "--urgent"]')])
    for index, word in enumerate(words):
        if len(word) > _LONGEST_ARGUMENT or "\0" in word:
            raise ItemsError([(index, f"expected at most {_LONGEST_ARGUMENT} characters, and no NUL")])
    program = words[0]
    if "/" in program and not program.startswith("/"):
        raise ItemsError(
            [(0, f"expected an absolute path, or the name of a program in PATH, got {quote(program[:60])}")]
        )
    if not shutil.which(program):
        raise ItemsError([(0, f"{quote(program[:100])} is no program that can be run")])
    return tuple(words)


def _read_labels(given: dict[str, str]) -> tuple[tuple[str, str], ...]:
    mistakes: list[tuple[int | str, str]] = []
    for name, value in given.items():
        if not _LABEL.fullmatch(name):
            mistakes.append((name, "expected a label's name: letters, digits and _, not beginning with a digit"))
        elif name in IDENTITY_LABELS:
            mistakes.append((name, "is a label that pprofwatch sets itself"))
        elif not value or len(value) > _LONGEST_ARGUMENT or not value.isprintable():
            mistakes.append((name, "expected a text of printable characters"))
    if mistakes:
        raise ItemsError(mistakes)
    return tuple(sorted(given.items()))


def _read_severity(text: str) -> Severity:
    return Severity(_SEVERITY_NAME.read(text))


_SEVERITY_NAME = choice(*_SEVERITIES)
_SEVERITY: Kind[Severity] = Kind(_SEVERITY_NAME.metavar, _SEVERITY_NAME.expected, str, _read_severity, quote)
_NAME: Kind[str] = Kind("NAME", "a name", str, _read_name, quote)
_URL: Kind[Address | None] = Kind(
    "URL", "an http or https URL", str, _read_url, lambda address: quote(address.shown if address else "")
)
_COMMAND: Kind[tuple[str, ...]] = Kind(
    "PROGRAM…",
    'a list of a program and its arguments, such as ["/usr/local/bin/page", "--urgent"]',
    list[str],
    _read_command,
    lambda words: "[" + ", ".join(map(quote, words)) + "]",
)
_LABELS: Kind[tuple[tuple[str, str], ...]] = Kind(
    "NAME=VALUE",
    'a table of texts, such as { team = "shop" }',
    dict[str, str],
    _read_labels,
    lambda labels: "{ " + ", ".join(f"{name} = {quote(value)}" for name, value in labels) + " }",
)

TYPE: Option[Any] = Option("type", choice(*_TYPES), SinkConfig, "type", "What kind of sink it is.", default="")
NAME: Option[str] = Option("name", _NAME, SinkConfig, "name", "What it is called in messages.", default="")
MIN_SEVERITY = make_option("min_severity", _SEVERITY, SinkConfig, "What is less bad is not told there.")
TIMEOUT = make_option("timeout", DURATION, SinkConfig, "How long it may take to tell it one event.")
URL: Option[Address | None] = Option("url", _URL, SinkConfig, "url", "Where to send it.", default=None)
HEADER = make_option("header", HEADERS, SinkConfig, "A header to send along. Its value is never shown.", "headers")
BEARER_TOKEN_FILE = make_option("bearer_token_file", FILE, SinkConfig, "A file with a token, read before each request.")
BASIC_AUTH_FILE = make_option(
    "basic_auth_file", FILE, SinkConfig, "A file with user:password, read before each request."
)
CA_FILE = make_option("ca_file", FILE, SinkConfig, "A PEM file with the authorities to trust for https.")
FORMAT = make_option("format", choice("json", "slack"), SinkConfig, "The form of what is sent.")
LABELS = make_option("labels", _LABELS, SinkConfig, "Labels for each alert, beside those that identify it.")
RESEND = make_option("resend", DURATION, SinkConfig, "How often what is still open is sent again.")
COMMAND = make_option("command", _COMMAND, SinkConfig, "What to run, without a shell.")

_HTTP: tuple[Option[Any], ...] = (URL, HEADER, BEARER_TOKEN_FILE, BASIC_AUTH_FILE, CA_FILE)
#: The keys of each type of sink.
SINK_OPTIONS: dict[str, tuple[Option[Any], ...]] = {
    "webhook": (TYPE, NAME, MIN_SEVERITY, TIMEOUT, *_HTTP, FORMAT),
    "alertmanager": (TYPE, NAME, MIN_SEVERITY, TIMEOUT, *_HTTP, LABELS, RESEND),
    "command": (TYPE, NAME, MIN_SEVERITY, TIMEOUT, COMMAND),
    "stderr": (TYPE, MIN_SEVERITY),
}


def read_sinks(document: Document, mistakes: list[str]) -> tuple[SinkConfig, ...]:
    """The sinks of a file: standard error always, which a table of that type may set up.

    Args:
        document: The file.
        mistakes: Is added to.

    Returns:
        Those that could be made, standard error first.
    """
    tables = document.data.get(SINK_KEY, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        mistakes.append(f"{document.where(SINK_KEY)}: expected [[sink]] tables")
        tables = []
    if len(tables) > _MOST_SINKS:
        mistakes.append(f"{document.where(SINK_KEY)}: expected at most {_MOST_SINKS} of them")
        tables = []
    stderr: SinkConfig | None = None
    sinks: list[SinkConfig] = []
    for index, data in enumerate(tables):
        table = Table(data, (SINK_KEY, index), document)
        sink = _Builder(table, mistakes).build(sinks)
        if sink is None:
            continue
        if sink.type != "stderr":
            sinks.append(sink)
        elif stderr is None:
            stderr = sink
        else:
            mistakes.append(f"{table.where()}: expected one [[sink]] of type stderr: there is one stderr")
    return stderr or SinkConfig("stderr", "stderr"), *sinks


class _Builder:
    """Makes one SinkConfig."""

    def __init__(self, table: Table, mistakes: list[str]) -> None:
        self._table = table
        self._mistakes = mistakes

    def build(self, others: list[SinkConfig]) -> SinkConfig | None:
        options = self._options()
        if options is None:
            return None
        values = read_table(self._table, options, self._mistakes, _hints(options))
        self._mistakes.extend(
            f"{self._table.where()}: expected the key {option.name}"
            for option in (URL, COMMAND)
            if option in options and not values.is_given(option)
        )
        fields = {option.field: values.get(option) for option in options if option not in (URL, NAME)}
        address = values.get(URL)
        if address is not None:
            fields |= {"url": address.url, "address": address.shown, "basic_auth": address.basic_auth}
        self._check_authorization(values, address)
        self._check_files(values)
        return SinkConfig(**fields, name=self._name(values, others))

    def _options(self) -> tuple[Option[Any], ...] | None:
        given = self._table.data.get(TYPE.name)
        if isinstance(given, str) and given in SINK_OPTIONS:
            return SINK_OPTIONS[given]
        got = f", got {quote(given[:60])}" if isinstance(given, str) else ""
        self._mistakes.append(f"{self._table.where(TYPE.name)}: expected {TYPE.kind.expected}{got}")
        return None

    def _name(self, values: Values, others: list[SinkConfig]) -> str:
        """The name that was given, or a telling one; a number tells several of one kind and place apart."""
        taken = {"stderr", *(other.name for other in others)}
        if values.is_given(NAME):
            name = values.get(NAME)
            if name in taken:
                self._mistakes.append(f"{values.where(NAME)}: another sink has this name")
            return name
        address, command = values.get(URL), values.get(COMMAND)
        place = address.shown.split("/")[2] if address else Path(command[0]).name if command else ""
        name = f"{values.get(TYPE)} {place}".strip()
        if values.get(TYPE) == "stderr" or name not in taken:
            return name
        return next(numbered for number in count(2) if (numbered := f"{name} {number}") not in taken)

    def _check_authorization(self, values: Values, address: Address | None) -> None:
        ways = {
            "bearer_token_file": values.get(BEARER_TOKEN_FILE),
            "basic_auth_file": values.get(BASIC_AUTH_FILE),
            "the user in the URL": address and address.basic_auth,
            "the header Authorization": "authorization" in [name.lower() for name, _ in values.get(HEADER)],
        }
        given = [way for way, value in ways.items() if value]
        if len(given) > 1:
            place = self._table.where()
            self._mistakes.append(f"{place}: {' and '.join(given)} can't both authorize a request: keep one")

    def _check_files(self, values: Values) -> None:
        checks: tuple[tuple[Option[Path | None], Callable[[Path], str]], ...] = (
            (BEARER_TOKEN_FILE, check_token_file),
            (BASIC_AUTH_FILE, check_basic_auth_file),
            (CA_FILE, check_authorities),
        )
        for option, check in checks:
            path = values.get(option)
            problem = check(path) if path is not None else ""
            if problem:
                self._mistakes.append(f"{values.where(option)}: {problem}")


def _hints(options: tuple[Option[Any], ...]) -> dict[str, str]:
    """What to say about the keys of other types of sinks."""
    known = {option.name for option in options}
    homes: dict[str, list[str]] = {}
    for kind, its_options in SINK_OPTIONS.items():
        for option in its_options:
            homes.setdefault(option.name, []).append(kind)
    return {name: f"is a key of the type {' and '.join(kinds)}" for name, kinds in homes.items() if name not in known}
