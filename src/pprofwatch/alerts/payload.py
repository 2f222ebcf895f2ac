"""An event as an object for programs: what a webhook gets, ``incidents --json`` prints, and stderr has as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pprofwatch.alerts.message import expect, headline
from pprofwatch.alerts.words import cut
from pprofwatch.leaks.culprit import culprit
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.alerts.incidents import Event
    from pprofwatch.leaks.evidence import Evidence
    from pprofwatch.leaks.forecast import Forecast
    from pprofwatch.model import Frame

#: The most frames of a stack, and the most other stacks, that are listed.
_MOST_FRAMES = 100
_MOST_OTHERS = 100


def event_as_json(event: Event, *, folder: Path, next_command: str = "", max_goroutines: int = 0) -> dict[str, Any]:
    """The event as an object that JSON can hold. Times are RFC 3339 in UTC, rates a change an hour.

    Args:
        event: What happened.
        folder: The target's folder, for where the evidence lies.
        next_command: What a person may run next.
        max_goroutines: The total that must not be reached, for the forecast; 0: there is none.
    """
    leak = event.leak
    frame = leak.culprit
    return {
        "id": event_id(event),
        "event": event.action.value,
        "time": format_time(event.time),
        "incident": event.incident,
        "target": event.target,
        "profile": event.profile,
        "severity": leak.severity.value,
        "summary": headline(event),
        **_place(frame),
        "blocked_in": (leak.evidence.blocked_in if leak.evidence else "") or None,
        "count_from": leak.count_from,
        "count_to": leak.count_to,
        "total_from": leak.total_from,
        "total_to": leak.total_to,
        "since": format_time(leak.since),
        "detected_at": format_time(leak.detected_at),
        "per_hour": round(leak.per_hour, 3),
        "per_hour_error": round(leak.per_hour_error, 3),
        "forecast": forecast_as_json(expect(event.profile, leak, max_goroutines)),
        "evidence": evidence_as_json(leak.evidence),
        "kept": str(folder / event.kept) if event.kept else None,
        "next": next_command or None,
        "stack": [cut(function) for function in leak.stack.functions[:_MOST_FRAMES]],
        "beside": _place(culprit(leak.companion)) if leak.companion else None,
        "also": [_place(culprit(stack)) for stack in leak.also[:_MOST_OTHERS]],
    }


def event_id(event: Event) -> str:
    """The same for each time that an event is delivered, and for no other event."""
    return f"{event.target}/{event.incident}-{event.number}"


def _place(frame: Frame) -> dict[str, Any]:
    return {"function": cut(frame.function), "location": _location(frame)}


def _location(frame: Frame) -> str | None:
    return f"{cut(frame.file)}:{frame.line}" if frame.file else None


def forecast_as_json(ahead: Forecast | None) -> dict[str, Any] | None:
    """A forecast, where there is one."""
    return None if ahead is None else {"count": ahead.count, "at": format_time(ahead.time)}


def evidence_as_json(evidence: Evidence | None) -> dict[str, Any] | None:
    """What the target has said, where it has; spans in seconds."""
    if evidence is None:
        return None
    return {
        "time": format_time(evidence.time),
        "never": evidence.never,
        "watched": evidence.watched,
        "waiting": evidence.waiting,
        "apart": evidence.apart,
        "oldest": evidence.oldest,
    }
