"""Which stacks grew and which shrank from one profile to a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.report.restarts import tells_of_restart

if TYPE_CHECKING:
    from pprofwatch.model import Stack
    from pprofwatch.report.samples import Samples, ValueType

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Change:
    """A stack whose value is not what it was; ``per_hour`` is how much it changes in an hour at that rate."""

    stack: Stack
    before: int
    after: int
    per_hour: float

    @property
    def change(self) -> int:
        """What has come, or, below 0, gone."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Growth:
    """The stacks that changed, most first, whether they grew or shrank; and the sums of all stacks.

    ``restarted``: the value only ever grows while a process lives, and has fallen.
    """

    value: ValueType
    changes: tuple[Change, ...]
    before: int
    after: int
    seconds: float
    restarted: bool = False


def find_growth(before: Samples, after: Samples, value: str | None = None) -> Growth:
    """Compares two profiles, the later one last.

    Args:
        before: What was.
        after: What is.
        value: Which of their values; by default the one that is looked at first.

    Raises:
        UsageError: They have no such value.
    """
    old, new = before.column(value), after.column(value)
    seconds = after.time - before.time
    changes = []
    for stack in old.keys() | new.keys():
        was, is_now = old.get(stack, 0), new.get(stack, 0)
        if was != is_now:
            changes.append(Change(stack, was, is_now, (is_now - was) / seconds * _HOUR if seconds > 0 else 0.0))
    changes.sort(key=lambda change: (-abs(change.change), -change.change, change.stack.frames))
    kind = after.value_type(value)
    restarted = tells_of_restart(before, after, kind.name)
    return Growth(kind, tuple(changes), sum(old.values()), sum(new.values()), seconds, restarted)
