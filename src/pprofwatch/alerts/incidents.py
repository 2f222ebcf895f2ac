"""An incident's life: it opens when a leak is found, is repeated while it lasts, resolves when the stack shrinks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pprofwatch.times import format_stamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pprofwatch.leaks.detector import Leak


class Action(StrEnum):
    """What happened to an incident."""

    OPENED = "opened"
    REPEATED = "repeated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell about an incident, at ``time`` (Unix seconds), with the leak's numbers then."""

    action: Action
    time: float
    incident: str
    target: str
    profile: str
    leak: Leak


@dataclass(slots=True)
class _Incident:
    name: str
    told: float
    leak: Leak


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
            if (event.target, event.profile) != (self._target, self._profile):
                continue
            if event.action is Action.RESOLVED:
                self._open.pop(event.leak.stack.functions, None)
            else:
                self._open[event.leak.stack.functions] = _Incident(event.incident, event.time, event.leak)
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
                incident = _Incident(_name(leak), time, leak)
                self._open[functions] = incident
                events.append(self._event(Action.OPENED, time, incident))
            else:
                known.leak = leak
                if time - known.told >= self._repeat:
                    known.told = time
                    events.append(self._event(Action.REPEATED, time, known))
        return events

    def _event(self, action: Action, time: float, incident: _Incident) -> Event:
        return Event(action, time, incident.name, self._target, self._profile, incident.leak)


def _name(leak: Leak) -> str:
    """``20261122T142233Z-3fa9c1d2``: when it was found, and which stack. By function names: a deploy moves lines."""
    digest = hashlib.sha256("\n".join(leak.stack.functions).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{format_stamp(leak.detected_at)}-{digest[:8]}"
