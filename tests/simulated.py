"""Servers that exist only as numbers: how often each stack is there, poll by poll."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING

from pprofwatch.leaks.detector import Detector
from pprofwatch.model import Frame, Stack

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Mapping

    from pprofwatch.leaks.leak import Finding, Leak

#: 2026-11-22T13:00:00Z, and the seconds between two polls.
START = 1795352400.0
EVERY = 10
MINUTE, HOUR = 60, 3600

#: A poll's time, and its counts.
Poll = tuple[float, dict[Stack, int]]


def stack(*functions: str, line: int = 41) -> Stack:
    """A stack of the user's functions, leaf first."""
    return Stack(tuple(Frame(function, "/src/app/main.go", line + i) for i, function in enumerate(functions)))


def server(hours: float, series: Mapping[Stack, Iterable[int]]) -> list[Poll]:
    """The polls of a server whose stacks have these counts."""
    times = [START + EVERY * i for i in range(round(hours * HOUR / EVERY))]
    rows = zip(*(itertools.islice(counts, len(times)) for counts in series.values()), strict=True)
    return [
        (time, {stack: count for stack, count in zip(series, row, strict=True) if count})
        for time, row in zip(times, rows, strict=True)
    ]


def find(polls: Iterable[Poll], detector: Detector | None = None) -> list[Finding]:
    """What a detector says about polls."""
    detector = detector or Detector()
    return [finding for time, counts in polls for finding in detector.observe(time, counts)]


def found(polls: Iterable[Poll]) -> list[Leak]:
    """The leaks that were found; none of them was over."""
    findings = find(polls)
    assert not any(finding.over for finding in findings)
    return [finding.leak for finding in findings]


def seconds() -> Iterator[int]:
    return itertools.count(0, EVERY)


def steady(level: int) -> Iterator[int]:
    return itertools.repeat(level)


def leak(every: float, *, after: float = 0, at_once: int = 1) -> Iterator[int]:
    """``at_once`` goroutines are lost every so many seconds, the first ones at ``after``."""
    return (at_once * (int((t - after) / every) + 1) if t >= after else 0 for t in seconds())


def at_random(rng: random.Random, per_second: float, *, after: float = 0) -> Iterator[int]:
    """How many have begun until then, of those that begin at random from ``after`` on."""
    count, begin = 0, after + rng.expovariate(per_second)
    for t in seconds():
        while begin <= t:
            count += 1
            begin += rng.expovariate(per_second)
        yield count


def waves(rng: random.Random, level: float, *, swing: float = 0.5, period: float = 40 * MINUTE) -> Iterator[int]:
    """Traffic that goes up and down, with noise."""
    for t in seconds():
        mean = level * (1 + swing * math.sin(2 * math.pi * t / period))
        yield max(0, round(rng.gauss(mean, math.sqrt(mean))))


def sessions(
    rng: random.Random, per_second: float, lifetime: float, *, times: float = 1, within: float = HOUR
) -> Iterator[int]:
    """Sessions that begin at random and last ``lifetime`` seconds in the mean.

    They come ``per_second`` at first, and within so many seconds so many ``times`` as often.
    """
    ends: list[float] = []
    begin = rng.expovariate(per_second)
    for t in seconds():
        while begin <= t:
            heapq.heappush(ends, begin + rng.expovariate(1 / lifetime))
            begin += rng.expovariate(per_second * (1 + (times - 1) * min(1.0, begin / within)))
        while ends and ends[0] <= t:
            heapq.heappop(ends)
        yield len(ends)


def added(*parts: Iterator[int]) -> Iterator[int]:
    """What happens in one stack together."""
    return (sum(counts) for counts in zip(*parts, strict=True))
