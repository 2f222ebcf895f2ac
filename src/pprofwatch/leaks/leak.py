"""A leak, as numbers: what the detector finds, and everybody else tells of."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from pprofwatch.leaks.culprit import culprit

if TYPE_CHECKING:
    from pprofwatch.leaks.evidence import Evidence
    from pprofwatch.leaks.severity import Severity
    from pprofwatch.model import Frame, Stack

# The normal distribution's quantile for 95 %.
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Leak:
    """A stack that grows without bound, with its numbers at ``time``.

    Times are Unix seconds, counts goroutines (or whatever the profile counts). ``detected_at`` is the time of the
    entry at which it could first be told; ``since`` is when the growth began, to a block. ``also`` are stacks that
    grow with it and are counted as the same bug. ``dispersion`` is how many come at a time, about. ``scale`` is how
    many of them stand behind one that the detector has counted: 1, but for heap's samples. ``listed`` tells that the
    count is of those that the goroutineleak profile lists, and not of all that are in the stack. With a ``companion``,
    the count is of those beyond ``ratio`` times that stack, which this one used to come and go with.
    """

    stack: Stack
    severity: Severity
    detected_at: float
    since: float
    time: float
    count_from: int
    count_to: int
    total_from: int
    total_to: int
    also: tuple[Stack, ...] = ()
    dispersion: float = 1.0
    scale: float = 1.0
    listed: bool = False
    companion: Stack | None = None
    ratio: int = 1
    evidence: Evidence | None = None

    @property
    def per_hour(self) -> float:
        """The mean rate since it began; 0 where a clock that was set back leaves no time for it."""
        return (self.count_to - self.count_from) * self._an_hour

    @property
    def per_hour_error(self) -> float:
        """Half the width of the rate's 95 % interval, were the goroutines (or what it is) lost at random."""
        events = max(0, self.count_to - self.count_from) / self.scale * self.dispersion
        return _NORMAL_95 * sqrt(events) * self.scale * self._an_hour

    @property
    def _an_hour(self) -> float:
        """How often the time since it began goes into an hour."""
        lasted = self.time - self.since
        return 3600 / lasted if lasted > 0 else 0.0

    @property
    def culprit(self) -> Frame:
        """The line to look at first."""
        return culprit(self.stack)


@dataclass(frozen=True, slots=True)
class Finding:
    """News about a leak: it was found, or (``over``) its count has shrunk back from ``peak``; and in which profile."""

    leak: Leak
    over: bool = False
    peak: int = 0
    profile: str = "goroutine"
