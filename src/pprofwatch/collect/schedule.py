"""When to poll: a grid of times on the monotonic clock, whose points are kept or skipped, never moved or caught up."""

from __future__ import annotations

import hashlib
import math

#: First polls are this far apart, in seconds, while so many fit into the first second …
_FIRST_GAP = 0.02
_FIRST_SECOND = 1.0
#: … and a target's profiles, so that the quick ones can share its connection.
_PROFILE_GAP = 0.05


class Ticks:
    """The times at which one profile of one target is polled: ``first`` and each ``every`` seconds after it.

    Args:
        first: The first one, on the monotonic clock, in seconds.
        every: Seconds between two; 0: there are none.
    """

    def __init__(self, first: float, every: float) -> None:
        self._first = first
        self._every = every
        #: The number of the last tick that was begun, and how many were skipped up to it; -1 before the first.
        self._begun = -1

    def next(self, now: float) -> float:
        """The time of the next tick: the first not before ``now`` that has not been begun; at the start, the first."""
        if not self._every:
            return math.inf
        if self._begun < 0:
            return self._first
        return self._time(max(self._begun + 1, math.ceil((now - self._first) / self._every)))

    def begin(self, now: float) -> int:
        """Begins the tick that is due ``now``, or the last one that was.

        Returns:
            How many ticks were skipped since the one begun before: the poll took longer than the interval, or the
            machine slept.
        """
        # A timer may fire a clock's grain early: that is the tick it was set for all the same.
        number = max(self._begun + 1, math.floor((now - self._first) / self._every))
        skipped = number - self._begun - 1
        self._begun = number
        return skipped

    def _time(self, number: int) -> float:
        return self._first + number * self._every


def first_offset(target: str, targets: int, profile_index: int, every: float) -> float:
    """Seconds from the start to the first poll of a target's profile.

    Within the first second, or, when that would be too many at once, anywhere in the interval: a target then has the
    same place in it after each start, so that the work stays spread out.

    Args:
        target: Its name.
        targets: How many there are.
        profile_index: Which of its profiles, from 0.
        every: Seconds between two polls of it.
    """
    spread = targets * _FIRST_GAP
    if spread > _FIRST_SECOND:
        spread = every
    return min(_place(target) * spread + profile_index * _PROFILE_GAP, max(every, _FIRST_SECOND))


def _place(name: str) -> float:
    """A number from 0 up to 1 that depends on the name alone, in every process."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
