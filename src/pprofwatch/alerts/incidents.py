"""An incident's life: it opens when a leak is found, may worsen, is repeated, and resolves when the stack shrinks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pprofwatch.leaks.severity import Severity
from pprofwatch.times import format_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pprofwatch.leaks.leak import Leak


class Action(StrEnum):
    """What happened to an incident."""

    SUSPECTED = "suspected"
    """Noted down only."""
    OPENED = "opened"
    WORSENED = "worsened"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell about an incident, at ``time`` (Unix seconds), with the leak's numbers then.

    ``number`` counts a target's events from 1 on. ``kept`` is the folder of the evidence, relative to the target's
    folder (``incidents/20261122T142233Z-3fa9c1d2``), or empty where there is none.
    """

    action: Action
    time: float
    incident: str
    target: str
    profile: str
    leak: Leak
    number: int = 0
    kept: str = ""


#: An incident has worsened when its count is so many times what was told, …
WORSE = 2
#: … but that is told no sooner than after this share of the time until it would be repeated anyway.
_SOONEST = 0.1


@dataclass(slots=True)
class _Incident:
    """An open incident: the leak as it is now, and what was told of it last."""

    name: str
    leak: Leak
    told: float
    severity: Severity
    count: int

    def tell(self, time: float) -> None:
        self.told, self.severity, self.count = time, self.leak.severity, self.leak.count_to


class Incidents:
    """The open incidents of one profile of one target. It compares what goes on with what has been told."""

    def __init__(self, target: str, profile: str, repeat: float) -> None:
        """``repeat``: seconds after which an incident that lasts is told again."""
        self._target = target
        self._profile = profile
        self._repeat = repeat
        self._open: dict[tuple[str, ...], _Incident] = {}

    def restore(self, events: Iterable[Event]) -> list[Leak]:
        """Go on where a daemon left off, from what it told, oldest first. Returns the leaks of what is still open."""
        for event in events:
            if (event.target, event.profile) != (self._target, self._profile) or event.action is Action.SUSPECTED:
                continue
            leak = event.leak
            if event.action is Action.RESOLVED:
                self._open.pop(leak.stack.functions, None)
            else:
                incident = _Incident(event.incident, leak, event.time, leak.severity, leak.count_to)
                self._open[leak.stack.functions] = incident
        return [incident.leak for incident in self._open.values()]

    def update(self, time: float, leaks: Iterable[Leak], over: Iterable[Leak] = ()) -> list[Event]:
        """What is to be told at ``time``, when ``leaks`` go on and those in ``over`` have just shrunk back."""
        events = []
        present = {leak.stack.functions: leak for leak in leaks}
        last = {leak.stack.functions: leak for leak in over}
        for functions, incident in list(self._open.items()):
            if functions not in present:
                del self._open[functions]
                incident.leak = last.get(functions, incident.leak)
                events.append(self._event(Action.RESOLVED, time, incident))
        for functions, leak in present.items():
            known = self._open.get(functions)
            if known is None:
                incident = _Incident(incident_name(leak), leak, time, leak.severity, leak.count_to)
                self._open[functions] = incident
                events.append(self._event(Action.OPENED, time, incident))
                continue
            known.leak = leak
            action = self._news(time, known)
            if action is not None:
                known.tell(time)
                events.append(self._event(action, time, known))
        return events

    def suspected(self, time: float, leaks: Iterable[Leak]) -> list[Event]:
        """What is to be noted down of stacks that the target was asked about at ``time``."""
        return [Event(Action.SUSPECTED, time, incident_name(leak), self._target, self._profile, leak) for leak in leaks]

    def _news(self, time: float, incident: _Incident) -> Action | None:
        incident.told = min(incident.told, time)  # a clock that was set back must not silence what goes on
        since = time - incident.told
        if incident.leak.severity.rank > incident.severity.rank:
            return Action.WORSENED
        if incident.leak.severity is Severity.STUCK:
            return None  # nothing becomes of it: who was told knows
        if since >= self._repeat:
            return Action.REPEATED
        has_doubled = incident.leak.count_to >= WORSE * max(1, incident.count)
        return Action.WORSENED if has_doubled and since >= _SOONEST * self._repeat else None

    def _event(self, action: Action, time: float, incident: _Incident) -> Event:
        return Event(action, time, incident.name, self._target, self._profile, incident.leak)


def incident_name(leak: Leak) -> str:
    """``20261122T142233Z-3fa9c1d2``: when it was found, and which stack. By function names: a deploy moves lines."""
    digest = hashlib.sha256("\n".join(leak.stack.functions).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{format_stamp(leak.detected_at)}-{digest[:8]}"
