"""When a leak will have taken the total to a number that people notice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pprofwatch.leaks.leak import Leak

#: Nobody plans for what is further off, in seconds.
_FURTHEST = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Forecast:
    """At ``time`` (Unix seconds) the total will be ``count``, if the leak goes on as it has."""

    count: int
    time: float


def forecast(leak: Leak, max_goroutines: int = 0) -> Forecast | None:
    """When the total reaches ``max_goroutines``, or else the next power of ten that is not just ahead.

    Returns:
        None where it does not grow, has more already, or will take longer than a month.
    """
    per_second = leak.per_hour / 3600
    if per_second <= 0:
        return None
    count = max_goroutines or 10 ** math.ceil(math.log10(max(2 * leak.total_to, 10)))
    seconds = (count - leak.total_to) / per_second
    return Forecast(count, leak.time + seconds) if 0 < seconds <= _FURTHEST else None
