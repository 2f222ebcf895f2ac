"""What must hold of a soak, as counted from what the targets have sent and what is in the logs."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pprofwatch.alerts.incidents import Action
from soak_targets import LEAKY_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pprofwatch.alerts.incidents import Event
    from soak_targets import Numbered

#: Seconds that a life needs until all profiles are polled, also those that nobody asked for, and what fills up in it
#: (memory of stacks, of the leak detector) is full.
WARM_UP = 75.0
#: MiB by which resident memory may differ: now and then, what the parser remembers reaches its bound and is forgotten.
MORE_MEMORY = 8

#: A line of the table: what, its figure, and whether that is fine.
Row = tuple[str, str, bool]


class Poll(NamedTuple):
    """A logged entry; ``number`` is its answer's, 0 where there is none."""

    time: float
    number: int
    gap: int
    error: str


@dataclass
class Life:
    """One daemon, from its start to its end, and what it logged of each target."""

    began: float
    ended: float = 0.0
    ending: str = ""
    polls: dict[str, set[Poll]] = field(default_factory=dict)
    #: Targets that a reload has started anew, by name: how often.
    reloaded: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Sample:
    """What the daemon used at a moment."""

    time: float
    resident: int
    descriptors: int
    threads: int
    cpu: float
    asked: int


def lost_answers(life: Life, target: Numbered, polls: list[Poll]) -> Iterator[str]:
    """Answers that were sent whole, and of which the logs know nothing."""
    numbers = [number for _, number, _, _ in polls if number]
    if len(set(numbers)) != len(numbers):
        yield f"{len(numbers) - len(set(numbers))} answers are logged twice"
    sent = {number for number, at in target.answered.items() if life.began <= at <= life.ended}
    if invented := set(numbers) - set(target.answered):
        yield f"logged, but never sent: {sorted(invented)[:5]}"
    missing = sent - set(numbers)
    failed = sum(bool(error) and not gap for _, _, gap, error in polls)
    # One may have been under way at the end, and one at each reload of the target.
    allowed = 1 + failed + life.reloaded[target.name]
    if len(missing) > allowed:
        yield f"sent, but not logged: {len(missing)} ({sorted(missing)[:5]}), and only {allowed} can be explained"


def lost_ticks(life: Life, target: Numbered, polls: list[Poll]) -> Iterator[str]:
    """Intervals without a poll or a gap."""
    made = [at for at, _, gap, _ in polls if not gap]
    if life.reloaded[target.name] or len(made) < 2:
        return
    skipped = sum(gap for at, _, gap, _ in polls if made[0] < at <= made[-1])
    elapsed = (made[-1] - made[0]) / target.every
    # The first and the last may each have been late, by less than an interval.
    if abs(len(made) - 1 + skipped - elapsed) > 1.01:
        yield f"{elapsed:.1f} intervals have gone by, {len(made) - 1} polls were made and {skipped} skipped"


def check_alerts(told: list[Event], said: int, kills: int) -> list[Row]:
    """The leak was told once, whoever told it; nothing else was.

    Args:
        told: The events of all journals.
        said: How often stderr was told of a leak.
        kills: Who is killed between telling and noting tells again.
    """
    told = [event for event in told if event.action is not Action.SUSPECTED]
    leak = [event for event in told if event.target == "leaking"]
    opened = [event for event in leak if event.action is Action.OPENED]
    is_right = len(opened) == 1 and any(LEAKY_FUNCTION in name for name in opened[0].leak.stack.functions)
    worsened = [event.leak.severity for event in leak if event.action is Action.WORSENED]
    others = [f"{event.target} {event.action}" for event in told if event.target != "leaking"]
    over = [event for event in leak if event.action in (Action.RESOLVED, Action.REPEATED)]
    return [
        ("the leak was found", f"{len(opened)} times, {len(over)} times over or repeated", is_right and not over),
        ("got worse", f"{[str(each) for each in worsened]}", len(worsened) <= len(set(worsened)) + 2),
        ("told on stderr", f"{said} times", 1 <= said <= 1 + kills),
        ("wrong alerts", f"{len(others)} {others[:3]}", not others),
    ]


def check_growth(samples: list[Sample], began: float) -> list[Row]:
    """In a long life, which ``began`` at some Unix time, nothing grows once it is warm."""
    warm = [each for each in samples if each.time > began + WARM_UP]
    if len(warm) < 30:
        return [("the long life", f"only {len(warm)} samples after {WARM_UP:.0f} s: give it more minutes", False)]
    resident = [each.resident / 2**20 for each in warm]
    memory = statistics.median(resident[: len(warm) // 3]), statistics.median(resident[-(len(warm) // 3) :])
    descriptors = least([each.descriptors for each in warm])
    threads = least([each.threads for each in warm])
    slope = statistics.linear_regression([each.time for each in warm], resident).slope
    third = len(warm) // 3
    costs = [
        (part[-1].cpu - part[0].cpu) / max(1, part[-1].asked - part[0].asked) * 1000
        for part in (warm[:third], warm[-third:])
    ]
    return [
        (
            "resident memory, MiB",
            f"{memory[0]:.1f} → {memory[1]:.1f}, {slope * 60:+.2f} a minute",
            memory[1] <= memory[0] + MORE_MEMORY,
        ),
        ("descriptors", f"{descriptors[0]:.0f} → {descriptors[1]:.0f}", descriptors[1] <= descriptors[0] + 4),
        ("threads", f"{threads[0]:.0f} → {threads[1]:.0f}", threads[1] <= threads[0] + 2),
        ("CPU a poll, ms", f"{costs[0]:.2f} → {costs[1]:.2f}", costs[1] < 1.5 * costs[0]),
    ]


def least(values: list[float]) -> tuple[float, float]:
    """The least of the first and of the last third: what stays, without what comes and goes."""
    third = len(values) // 3
    return min(values[:third]), min(values[-third:])
