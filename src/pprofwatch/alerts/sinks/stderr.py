"""Standard error: always there, always first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.base import Notice, Sink
from pprofwatch.leaks.severity import Severity

if TYPE_CHECKING:
    from pprofwatch.alerts.incidents import Event
    from pprofwatch.config.settings import SinkConfig

#: Writes a message: its priority, as syslog numbers them; its text; and its fields, for who reads JSON.
SayNotice = Callable[[int, str, Mapping[str, Any]], None]
_ERROR, _WARNING, _NOTICE = 3, 4, 5


class StderrSink(Sink):
    """Says an event on standard error, as text or as JSON."""

    def __init__(self, config: SinkConfig, say: SayNotice) -> None:
        super().__init__(config)
        self._say = say

    async def send(self, notice: Notice) -> None:
        """Say it."""
        self._say(_priority(notice.event), notice.text, notice.fields)


def _priority(event: Event) -> int:
    if event.action is Action.RESOLVED:
        return _NOTICE
    return _WARNING if event.leak.severity is Severity.STUCK else _ERROR
