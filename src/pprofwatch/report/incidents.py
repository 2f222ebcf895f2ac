"""What was found when, and what became of it: the events in targets' journals as incidents, each with its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.leaks.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pprofwatch.leaks.leak import Leak


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident's life: its events, in the order in which they were noted down; at least one."""

    events: tuple[Event, ...]

    @property
    def id(self) -> str:
        """Its name, which is also its folder's."""
        return self.events[0].incident

    @property
    def target(self) -> str:
        """The target's name."""
        return self.events[0].target

    @property
    def profile(self) -> str:
        """The profile that it is about."""
        return self.events[0].profile

    @property
    def leak(self) -> Leak:
        """The leak as it was told last: when it was over, or else with its latest numbers."""
        return self.events[-1].leak

    @property
    def severity(self) -> Severity:
        """The worst that was said of it."""
        return max((event.leak.severity for event in self.events), key=lambda severity: severity.rank)

    @property
    def began(self) -> float:
        """When it was first noted down, in Unix seconds."""
        return self.events[0].time

    @property
    def opened_at(self) -> float | None:
        """When it was told first, in Unix seconds; None where it was only suspected, or that is no longer known."""
        return next((event.time for event in self.events if event.action is Action.OPENED), None)

    @property
    def worsened_at(self) -> float | None:
        """When it last got worse, in Unix seconds; None where it did not."""
        return max((event.time for event in self.events if event.action is Action.WORSENED), default=None)

    @property
    def resolved_at(self) -> float | None:
        """When it was over, in Unix seconds; None where it is not."""
        last = self.events[-1]
        return last.time if last.action is Action.RESOLVED else None

    @property
    def is_open(self) -> bool:
        """Whether it was told and is not over."""
        return self.events[-1].action not in (Action.RESOLVED, Action.SUSPECTED)

    @property
    def told(self) -> int:
        """How often it was told."""
        return sum(event.action is not Action.SUSPECTED for event in self.events)

    @property
    def peak(self) -> int:
        """The most goroutines (or what the profile counts) that were told of."""
        return max(event.leak.count_to for event in self.events)

    @property
    def kept(self) -> str:
        """The folder of its evidence, relative to the target's; empty where there is none."""
        return next((event.kept for event in reversed(self.events) if event.kept), "")


def list_incidents(
    events: Iterable[Event],
    *,
    target: str | None = None,
    since: float | None = None,
    least: Severity = Severity.STUCK,
) -> list[Incident]:
    """The incidents in one target's journal, in the order in which they were first noted down.

    Args:
        events: The journal's, oldest first.
        target: Only this target's.
        since: Only what was open at this time (Unix seconds) or later.
        least: Only what was as bad as this at any time, or worse.
    """
    lives: dict[str, list[Event]] = {}
    for event in events:
        if target in (None, event.target):
            lives.setdefault(event.incident, []).append(event)
    incidents = [Incident(tuple(life)) for life in lives.values()]
    return [
        incident
        for incident in incidents
        if incident.severity.rank >= least.rank
        and (since is None or incident.is_open or incident.events[-1].time >= since)
    ]
