"""How bad a leak is."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """How bad a leak is, and how sure it is; the order of the members is their rank."""

    SUSPECTED = "suspected"
    """Grows, but not yet for long enough. Noted down, and told to nobody."""
    STUCK = "stuck"
    """Proven not to run again, but not growing."""
    LEAK = "leak"
    """Grows, lasts, and does not slow down."""
    PROVEN = "proven"
    """Grows, and the target says that its goroutines can never run again, or the same ones are still waiting."""
    RUNAWAY = "runaway"
    """Grows too fast to wait for the leak window."""

    @property
    def rank(self) -> int:
        """A number to compare by: the worse, the higher."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
