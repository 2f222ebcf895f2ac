"""Lines on stderr: with colour on a terminal, a priority in the journal, a time in a plain file; or JSON objects."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

import click

from pprofwatch.cli.outlet import Outlet
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Style(enum.Enum):
    """How lines are marked."""

    TERMINAL = "colour and the time of day"
    JOURNAL = "the priority as <N>; the journal adds the time"
    PLAIN = "the time"


# syslog(3): 3 is an error, 4 a warning; 5 and 6 need no colour.
_COLOURS = {3: "red", 4: "yellow"}
_PRIORITIES = {3: "error", 4: "warning", 5: "notice", 6: "info"}
_WARNING = 4


def detect_style(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """How lines to this stream should be marked."""
    with contextlib.suppress(OSError, ValueError):
        # systemd.exec(5): the device and inode of what the journal reads.
        state = os.fstat(stream.fileno())
        if environ.get("JOURNAL_STREAM") == f"{state.st_dev}:{state.st_ino}":
            return Style.JOURNAL
    return Style.TERMINAL if stream.isatty() else Style.PLAIN


class Messages:
    """Writes messages. A stream that can't be written to (a full disk, a closed pipe) stops nobody from working.

    Attributes:
        as_json: Whether each message is a JSON object in one line, instead of lines for people.
    """

    def __init__(
        self, stream: TextIO, style: Style, *, colour: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self._stream = stream
        self._style = style
        self._colour = colour
        self._now = now
        self._outlet: Outlet | None = None
        self.as_json = False

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While this goes on, nobody who says something waits until it is written; at its end, all is that can be."""
        try:
            outlet = self._outlet = Outlet(self._stream.fileno(), self._describe_lost)
        except (OSError, ValueError):  # no file: it takes what comes
            yield
            return
        try:
            yield
        finally:
            self._outlet = None
            outlet.close()

    def say(self, priority: int, text: str, fields: Mapping[str, Any] | None = None) -> None:
        """Write a message.

        Args:
            priority: As syslog numbers them: 3 error, 4 warning, 5 notice, 6 info.
            text: One or more lines.
            fields: What a JSON object has beside, with a ``summary`` that says in one line what the text does.
        """
        message = self._format(priority, text, fields or {})
        if self._outlet is not None:
            self._outlet.write(self._encode(message))
            return
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(message)
            self._stream.flush()

    def _format(self, priority: int, text: str, fields: Mapping[str, Any]) -> str:
        if self.as_json:
            lines = [self._as_object(priority, text, fields)]
        else:
            lines = self._mark(priority, [safe_text(line) for line in text.split("\n")])
        return "".join(f"{line}\n" for line in lines)

    def _describe_lost(self, count: int) -> bytes:
        messages = "1 message is" if count == 1 else f"{count:,} messages are"
        text = f"{messages} missing here: standard error took nothing, and too much waited for it"
        return self._encode(self._format(_WARNING, text, {}))

    def _encode(self, message: str) -> bytes:
        return message.encode(self._stream.encoding, "backslashreplace")

    def _as_object(self, priority: int, text: str, fields: Mapping[str, Any]) -> str:
        usual = {"time": format_time(self._now()), "priority": _PRIORITIES[priority]}
        line = json.dumps(
            {**usual, **fields, "message": fields.get("summary", text)}
        )  # in ASCII: no control characters
        return f"<{priority}>{line}" if self._style is Style.JOURNAL else line

    def _mark(self, priority: int, lines: list[str]) -> list[str]:
        if self._style is Style.JOURNAL:
            return [f"<{priority}>{line}" for line in lines]
        moment = format_time(self._now())
        if self._style is Style.PLAIN:
            return [f"{moment} {lines[0]}", *lines[1:]]
        if self._colour and priority in _COLOURS:
            lines = [click.style(line, fg=_COLOURS[priority]) for line in lines]
        return [f"{moment[11:19]}Z {lines[0]}", *lines[1:]]


def stderr_messages() -> Messages:
    """For this process's stderr and environment."""
    style = detect_style(sys.stderr, os.environ)
    return Messages(sys.stderr, style, colour=use_colour(sys.stderr))


def use_colour(stream: TextIO | None) -> bool:
    """Whether to write in colour: on a terminal, unless its user says no (https://no-color.org)."""
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")


def complain(text: str) -> None:
    """Say why a command fails: a line ``pprofwatch: …`` on stderr."""
    journal = detect_style(sys.stderr, os.environ) is Style.JOURNAL
    with contextlib.suppress(OSError, ValueError):
        click.echo(("<3>" if journal else "") + f"pprofwatch: {safe_text(text)}", err=True)
