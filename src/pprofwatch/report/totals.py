"""The total of each entry over time: what ``grep -B 1 'profile: total'`` is used for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pprofwatch.model import Entry

#: ``goroutine profile: total 76``, or ``heap profile: 12: 3456 […``, whose first number is live objects, sampled.
_FIRST_LINE = re.compile(rb"[^ ]+ profile: (?:total )?(-?\d{1,18})\b")


class Total(NamedTuple):
    """What one poll found.

    ``time`` is in Unix seconds. ``total`` is the number in the profile's first line: goroutines, threads, or live
    objects as sampled; None where there is none, that is for ``block`` and ``mutex``, after an ``error``, and for a
    ``gap`` of so many polls. With ``seconds`` it is a difference over so many seconds, and may be negative.
    """

    time: float
    target: str
    profile: str
    total: int | None
    seconds: int
    error: str
    gap: int


def total_of(entry: Entry) -> Total:
    """The total of an entry, whose body may be cut to its first line."""
    total = total_in(entry.body)
    return Total(entry.time, entry.target, entry.profile, total, entry.seconds, entry.error, entry.gap)


def total_in(body: bytes) -> int | None:
    """The number in a profile's first line, which may be all of it; None where there is none."""
    match = _FIRST_LINE.match(body)
    return int(match[1]) if match else None
