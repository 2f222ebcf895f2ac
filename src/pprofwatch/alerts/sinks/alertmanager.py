"""Alertmanager: open incidents are alerts that are sent again and again, and end when theirs does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.base import IncidentKey, Notice, Sink, incident_key
from pprofwatch.alerts.sinks.post import Poster
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pprofwatch.config.settings import SinkConfig

# https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
_PATH = "/api/v2/alerts"
#: An alert ends by itself when it was not sent again for so many times.
_PATIENCE = 5
_MOST_AT_ONCE = 100
#: Fields of a notice that are labels, or too long for an annotation.
_NO_ANNOTATIONS = ("target", "profile", "function", "stack", "also")


@dataclass(slots=True)
class _Alert:
    """An incident as Alertmanager knows it: the labels and the begin stay, whatever becomes of the numbers."""

    labels: dict[str, str]
    begin: float
    notice: Notice

    @property
    def is_over(self) -> bool:
        return self.notice.event.action is Action.RESOLVED


class AlertmanagerSink(Sink):
    """Keeps the alerts of Alertmanager's API v2 like the open incidents."""

    def __init__(self, config: SinkConfig, now: Callable[[], float]) -> None:
        """``now``: the wall clock, in Unix seconds."""
        super().__init__(config)
        self.resend = config.resend
        self._now = now
        self._poster = Poster(config, _PATH)
        self._alerts: dict[IncidentKey, _Alert] = {}

    def note(self, notice: Notice, *, is_old: bool) -> None:
        """Take up what an incident has become. One that has ended stays until Alertmanager was told."""
        event, key = notice.event, incident_key(notice.event)
        if is_old and event.action is Action.RESOLVED:
            self._alerts.pop(key, None)
        elif known := self._alerts.get(key):
            known.notice = notice
        else:
            self._alerts[key] = _Alert(self._labels(notice), event.leak.detected_at, notice)

    def keep_only(self, targets: Collection[str]) -> None:
        """Send alerts for other targets no more: they end by themselves, as they would while no daemon runs."""
        self._alerts = {key: alert for key, alert in self._alerts.items() if alert.labels["target"] in targets}

    async def send(self, notice: Notice) -> None:
        """Send the incident as it is now, which may be more than the event tells."""
        alert = self._alerts.get(incident_key(notice.event))
        if alert is not None:
            await self._post([alert])

    async def refresh(self) -> None:
        """Send all alerts again, so that none ends by itself."""
        alerts = list(self._alerts.values())
        for first in range(0, len(alerts), _MOST_AT_ONCE):
            await self._post(alerts[first : first + _MOST_AT_ONCE])

    async def _post(self, alerts: Sequence[_Alert]) -> None:
        sent = [(alert, alert.notice) for alert in alerts]
        await self._poster.post(msgspec.json.encode([self._as_json(alert) for alert in alerts]))
        for alert, notice in sent:
            if alert.is_over and alert.notice is notice:
                self._alerts.pop(incident_key(notice.event), None)

    def _labels(self, notice: Notice) -> dict[str, str]:
        """What tells this alert from others, and stays as it is until it ends: no number, no severity."""
        event = notice.event
        return {
            **dict(self.config.labels),
            "alertname": "PprofwatchLeak",
            "target": event.target,
            "profile": event.profile,
            "function": notice.fields["function"],
            "stack": event.incident.rpartition("-")[2],
        }

    def _as_json(self, alert: _Alert) -> dict[str, Any]:
        fields = alert.notice.fields
        end = alert.notice.event.time if alert.is_over else self._now() + _PATIENCE * self.config.resend
        return {
            "labels": alert.labels,
            "annotations": {
                "description": alert.notice.text,
                **{name: _text(value) for name, value in fields.items() if _is_annotation(name, value)},
            },
            "startsAt": format_time(alert.begin),
            "endsAt": format_time(max(end, alert.begin)),
        }


def _is_annotation(name: str, value: object) -> bool:
    return name not in _NO_ANNOTATIONS and value is not None


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
