"""What a target itself says about stacks that are suspected to leak."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.profiles.frames import matching_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pprofwatch.model import Frame, Stack
    from pprofwatch.profiles.dump import Dump, Goroutine

    Key = tuple[Frame, ...]

#: How many goroutines' ids, and how many stacks, are remembered of one target at most.
MAX_IDS = 10_000
MAX_STACKS = 10_000
#: How many different states are remembered of one stack; of a real one there are two or three.
_MAX_STATES = 10
#: A dump older than this, in seconds, belongs to an earlier suspicion: the next one is a first again.
_LONGEST_APART = 3600.0
#: States of goroutines that go on by themselves.
_NOT_WAITING = frozenset(("idle", "runnable", "running", "sleep", "copystack", "preempted"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the goroutines of one leak beyond their number.

    Attributes:
        time: When the latest of it was fetched, in Unix seconds.
        never: How many can never run again, according to the goroutineleak profile.
        watched: How many of them the first of two dumps (``goroutine?debug=2``) showed.
        waiting: How many of those were still there in the second, having waited all the time in between.
        apart: Seconds between the two dumps; 0 as long as there is only one.
        oldest: How long the one that has waited longest has waited, in seconds; Go tells whole minutes.
        blocked_in: Why they wait, in Go's words: ``chan send``, ``select``, ``IO wait``; empty where it isn't known.
    """

    time: float
    never: int = 0
    watched: int = 0
    waiting: int = 0
    apart: float = 0.0
    oldest: float = 0.0
    blocked_in: str = ""

    def proves(self, grown: int) -> bool:
        """Whether this proves that a stack which has grown by so many goroutines leaks them.

        Half of them can never run again; or of at least ten that were watched, 95 in 100 have waited all the time.
        """
        if self.never and 2 * self.never >= grown:
            return True
        return self.apart > 0 and self.watched >= 10 and 100 * self.waiting >= 95 * self.watched


class Witness:
    """Keeps what one target has said about its stacks, in bounded memory, and adds it up for a leak."""

    def __init__(self) -> None:
        self._reasons: dict[Key, str] = {}
        self._reasons_time = 0.0
        self._leaked: dict[Key, int] = {}
        self._leaked_time = 0.0
        self._watched: dict[Key, _Watched] = {}

    def take_reasons(self, time: float, reasons: Mapping[Stack, str]) -> None:
        """Take why the goroutines of each stack waited at a time (Unix seconds), in place of what was known."""
        self._reasons_time = time
        self._reasons = {matching_key(stack): reason for stack, reason in itertools.islice(reasons.items(), MAX_STACKS)}

    def take_leaked(self, time: float, counts: Mapping[Stack, int]) -> None:
        """Take a goroutineleak profile: how many of each stack can never run again, in place of what was known."""
        self._leaked_time = time
        # Of more, the first are the largest: that is Go's order.
        leaked: Counter[Key] = Counter()
        for stack, count in itertools.islice(counts.items(), MAX_STACKS):
            leaked[matching_key(stack)] += count
        self._leaked = dict(leaked)

    def take_dump(self, time: float, dump: Dump, suspects: Iterable[Stack]) -> None:
        """Take a dump of all goroutines.

        The first that shows a suspect's stack is remembered, and later ones are compared with it. Stacks that are
        suspected no longer are forgotten.
        """
        shown: dict[Key, list[Goroutine]] = {
            matching_key(stack): [] for stack in itertools.islice(suspects, MAX_STACKS)
        }
        keys: dict[Stack, Key] = {}
        for goroutine in dump.goroutines:
            key = keys.get(goroutine.stack) or keys.setdefault(goroutine.stack, matching_key(goroutine.stack))
            if key in shown:
                shown[key].append(goroutine)
        self._watched = {key: watched for key, watched in self._watched.items() if key in shown}
        left = MAX_IDS - sum(len(watched.ids) for watched in self._watched.values())
        for key, goroutines in shown.items():
            watched = self._watched.get(key)
            if watched and watched.ids and 0 < time - watched.first <= _LONGEST_APART:
                watched.compare(time, goroutines)
                continue
            left += len(watched.ids) if watched else 0
            self._watched[key] = _Watched(time, goroutines, at_most=left)
            left -= len(self._watched[key].ids)

    def forget(self, stacks: Iterable[Stack]) -> None:
        """Forget what is known of these stacks: their goroutines are gone, and others may come."""
        for key in map(matching_key, stacks):
            self._watched.pop(key, None)
            self._leaked.pop(key, None)
            self._reasons.pop(key, None)

    def about(self, stacks: Iterable[Stack]) -> Evidence | None:
        """All that is known of the goroutines in these stacks, added up; None where it is nothing."""
        if not (self._watched or self._leaked or self._reasons):
            return None
        keys = dict.fromkeys(map(matching_key, stacks))  # each once, and in an order that does not change
        watched = [self._watched[key] for key in keys if key in self._watched and self._watched[key].ids]
        never = sum(self._leaked.get(key, 0) for key in keys)
        reasons = Counter(self._reasons[key] for key in keys if key in self._reasons)
        if not (watched or never or reasons):
            return None
        times = [each.time for each in watched]
        times += [self._leaked_time] * bool(never) + [self._reasons_time] * bool(reasons)
        states = sum((each.states for each in watched), Counter[str]()) or reasons
        compared = [each for each in watched if each.apart]
        return Evidence(
            max(times),
            never,
            watched=sum(len(each.ids) for each in compared or watched),
            waiting=sum(each.waiting for each in compared),
            apart=min((each.apart for each in compared), default=0.0),
            oldest=max((each.oldest for each in watched), default=0.0),
            blocked_in=max(states, key=lambda state: states[state], default=""),
        )


class _Watched:
    """What dumps have shown of one stack: the first, and then the latest in comparison with it."""

    def __init__(self, time: float, goroutines: list[Goroutine], *, at_most: int) -> None:
        self.first = time
        #: The goroutines of the first dump, and for how many minutes each had waited then.
        self.ids = {goroutine.id: goroutine.minutes for goroutine in goroutines[:at_most]}
        self.waiting = 0
        self.apart = 0.0
        self.time = time
        self.states = _states(goroutines)
        self.oldest = _oldest(goroutines)

    def compare(self, time: float, goroutines: list[Goroutine]) -> None:
        self.apart = time - self.first
        waits = {
            each.id: self.ids[each.id] * 60.0 + self.apart
            for each in goroutines
            if each.id in self.ids and _waited(each, self.ids[each.id], self.apart)
        }
        self.waiting = len(waits)
        self.time = time
        self.states = _states(goroutines)
        # A goroutine that is known to have leaked no longer tells how long it has waited, but the first dump did.
        self.oldest = max([_oldest(goroutines), *waits.values()])


def _states(goroutines: list[Goroutine]) -> Counter[str]:
    states = Counter(goroutine.state for goroutine in goroutines)
    return Counter(dict(states.most_common(_MAX_STATES)))


def _oldest(goroutines: list[Goroutine]) -> float:
    return max((goroutine.minutes * 60.0 for goroutine in goroutines), default=0.0)


def _waited(goroutine: Goroutine, minutes_before: int, apart: float) -> bool:
    """Whether a goroutine of an earlier dump has waited ever since, as far as whole minutes can tell.

    One of them is allowed for rounding and for requests that take their time; but who has not waited for one at all may
    have begun to just now, as a ticker's loop does.
    """
    if goroutine.leaked:
        return True
    if goroutine.state in _NOT_WAITING:
        return False
    return goroutine.minutes >= max(1, minutes_before + int(apart // 60) - 1)
