"""Inputs for properties of parsers: samples that are damaged, and errors that may come of it."""

from __future__ import annotations

import contextlib
import os
import random
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st

from pprofwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Milliseconds; far more than any of them takes: what takes longer would take for ever.
DEADLINE = 20_000


@contextlib.contextmanager
def declared(*kinds: type[Exception]) -> Iterator[list[str]]:
    """Within it, these errors may be raised, with a line each. What they said is in the list afterwards."""
    said: list[str] = []
    try:
        yield said
    except kinds as error:
        said += error.mistakes if isinstance(error, ConfigError) else [str(error)]
    assert all(line and "\n" not in line for line in said)


def inputs(count: int) -> settings:
    return settings(max_examples=count, deadline=DEADLINE)


def damaged(samples: list[bytes], tokens: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the samples, with pieces of others, tokens and bytes in place of stretches of it.

    A number stands for all that is done to it: drawing each part would take ten times as long.
    """

    def make(number: int) -> bytes:
        rng = random.Random(number)
        body = rng.choice(samples)
        for _ in range(rng.randrange(5)):
            begin = rng.randint(0, len(body))
            end = begin + rng.choice((0, 0, 1, 3, 20, 200, len(body)))
            other = rng.choice(samples)
            at = rng.randint(0, len(other))
            piece = rng.choice((rng.randbytes(rng.randrange(7)), rng.choice(tokens), other[at : at + 80]))
            body = body[:begin] + piece + body[end:]
        return body

    return st.integers(0, 2**64 - 1).map(make) | st.binary(max_size=100)


def damaged_text(samples: list[str], tokens: str = "") -> st.SearchStrategy[str]:
    """The same of text."""
    made = damaged([sample.encode() for sample in samples], [token.encode() for token in (*tokens, "é", "\x1b")])
    return made.map(lambda text: text.decode(errors="surrogateescape" if len(text) % 2 else "replace"))


@contextlib.contextmanager
def in_memory(data: bytes) -> Iterator[tuple[str, int]]:
    """A file that holds ``data``: its path and descriptor."""
    descriptor = os.memfd_create("log")
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)
