"""What the user is told of a target's failures: a line when something begins to fail, and one when it works again."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.errors import ProfileBusyError, ProfileMissingError, UnreachableError
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from pprofwatch.errors import FetchError

#: Priorities of messages, as syslog numbers them.
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6

_DOWN = "down"
_NUMBER = re.compile(r"[0-9]+")


@dataclass(slots=True)
class _Trouble:
    """Profiles that fail in the same way, which was said once: since when (seconds), and how many polls it has cost."""

    since: float
    profiles: set[str]
    polls: int = 0


class Health:
    """The state of one target, and the lines to say when it changes.

    Profiles that fail in the same way share one line. A target to which no connection can be made is *down*, whatever
    was asked for, and any answer ends that. Other trouble ends when one of the profiles that had it succeeds.

    Args:
        target: Its name.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._troubles: dict[str, _Trouble] = {}
        self._missing: set[str] = set()
        #: When the target was last found to be up again, on the monotonic clock: it may be another program since.
        self.up_since = -math.inf

    @property
    def is_down(self) -> bool:
        """Whether no connection to the target can be made."""
        return _DOWN in self._troubles

    def failed(self, profile: str, error: FetchError, now: float, *, implied: bool = False) -> list[tuple[int, str]]:
        """Notes a poll that failed at ``now`` (seconds). Returns what to say, each with its priority.

        That the target lacks a profile is not said of one that is ``implied``: nobody asked for it.
        """
        if isinstance(error, ProfileBusyError):
            return []
        if isinstance(error, ProfileMissingError):
            if implied or profile in self._missing:
                return []
            self._missing.add(profile)
            return [(NOTICE, f"{self._target} {error}: it is asked for again now and then")]
        is_down = isinstance(error, UnreachableError)
        kind = _DOWN if is_down else failure_kind(profile, error)
        self._leave_others(profile, kind, now)
        trouble = self._troubles.setdefault(kind, _Trouble(now, set()))
        is_new = not trouble.profiles
        trouble.profiles.add(profile)
        trouble.polls += 1
        if not is_new:
            return []
        return [(WARNING, f"{self._target} {'is down' if is_down else profile}: {error}")]

    def succeeded(self, profile: str, now: float) -> list[tuple[int, str]]:
        """Notes a poll that brought its profile. Returns what to say, each with its priority."""
        self._missing.discard(profile)
        if not self._troubles:
            return []
        said = []
        for kind, trouble in list(self._troubles.items()):
            if kind == _DOWN or profile in trouble.profiles:
                self._end(kind, now)
                after = f"after {format_duration(max(1, round(now - trouble.since)))} and {trouble.polls} failed polls"
                said.append((NOTICE, f"{self._target} {'is up' if kind == _DOWN else 'answers'} again, {after}"))
        return said

    def _end(self, kind: str, now: float) -> None:
        del self._troubles[kind]
        if kind == _DOWN:
            self.up_since = now

    def _leave_others(self, profile: str, kind: str, now: float) -> None:
        """The profile fails in this way now. Others may still fail as it did before; but none is down any more."""
        for other, trouble in list(self._troubles.items()):
            if other != kind and profile in trouble.profiles:
                trouble.profiles.discard(profile)
                if other == _DOWN or not trouble.profiles:
                    self._end(other, now)


def failure_kind(profile: str, error: Exception) -> str:
    """The error without what differs from poll to poll and from profile to profile: names, numbers, what is quoted."""
    return _NUMBER.sub("", str(error).replace(profile, "").partition(":")[0])
