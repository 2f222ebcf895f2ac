"""Leaks as JSON, for ``check`` and ``incidents``: the same things have the same names in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pprofwatch.alerts.payload import evidence_as_json, forecast_as_json
from pprofwatch.alerts.words import where
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from pprofwatch.leaks.forecast import Forecast
    from pprofwatch.leaks.leak import Leak


def leak_as_json(profile: str, leak: Leak, ahead: Forecast | None) -> dict[str, Any]:
    """A leak's numbers, stacks, forecast and evidence. Rates are per hour; times are RFC 3339, spans in seconds."""
    return {
        "profile": profile,
        "severity": leak.severity,
        "detected_at": format_time(leak.detected_at),
        "since": format_time(leak.since),
        "count_from": leak.count_from,
        "count_to": leak.count_to,
        "per_hour": round(leak.per_hour, 1),
        "per_hour_error": round(leak.per_hour_error, 1),
        "forecast": forecast_as_json(ahead),
        "function": leak.culprit.function,
        "location": where(leak.culprit),
        "stack": list(leak.stack.functions),
        "blocked_in": (leak.evidence.blocked_in if leak.evidence else "") or None,
        "beside": list(leak.companion.functions) if leak.companion else None,
        "also": [list(stack.functions) for stack in leak.also],
        "evidence": evidence_as_json(leak.evidence),
    }
