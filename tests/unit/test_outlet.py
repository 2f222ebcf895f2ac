"""What is written to a pipe that is read late, or never."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pprofwatch.cli.messages import Messages, Style

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = "x" * 1000


@contextmanager
def pipe_messages(*, blocking: bool = True) -> Iterator[tuple[Messages, int]]:
    """Messages that go to a pipe, and the end to read them from."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, blocking)
    try:
        with open(write_end, "w", encoding="ascii") as stream:  # noqa: PTH123  # a descriptor
            yield Messages(stream, Style.JOURNAL), read_end
    finally:
        os.close(read_end)


def read_until(descriptor: int, last: bytes) -> list[str]:
    """Reads until so many bytes are the last ones; their lines."""
    data = b""
    while not data.endswith(last):
        data += os.read(descriptor, 1 << 16)
    return data.decode().splitlines()


def test_nobody_waits_for_a_pipe_that_is_not_read_and_what_is_not_written_is_counted() -> None:
    with pipe_messages() as (messages, pipe), messages.aside():
        for number in range(5000):  # five times what may wait
            messages.say(6, f"{number} {LINE}")
        *written, note = read_until(pipe, b" waited for it\n")
        messages.say(6, "again")
        assert read_until(pipe, b"again\n") == ["<6>again"]
    assert written == [f"<6>{number} {LINE}" for number in range(len(written))]
    assert len(written) > 1000
    missing = re.fullmatch(r"<4>(\S+) messages are missing here: standard error took nothing, .*", note)
    assert missing
    assert int(missing[1].replace(",", "")) == 5000 - len(written)


def test_a_pipe_that_does_not_block_loses_nothing() -> None:
    with pipe_messages(blocking=False) as (messages, pipe), messages.aside():
        for number in range(500):
            messages.say(6, f"{number} {LINE}")
        assert read_until(pipe, b"499 " + LINE.encode() + b"\n") == [f"<6>{number} {LINE}" for number in range(500)]


def test_at_the_end_all_has_been_written_that_is_taken() -> None:
    with pipe_messages() as (messages, pipe):
        with messages.aside():
            for _ in range(50):
                messages.say(6, LINE)
            messages.say(6, "caf\xe9")
        messages.say(6, "afterwards")
        lines = read_until(pipe, b"afterwards\n")
    assert lines == [f"<6>{LINE}"] * 50 + ["<6>caf\\xe9", "<6>afterwards"]


def test_a_pipe_whose_reader_has_gone_stops_nobody() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w", encoding="ascii") as stream:  # noqa: PTH123  # a descriptor
        messages = Messages(stream, Style.PLAIN)
        with messages.aside():
            messages.say(3, "nobody hears this")
