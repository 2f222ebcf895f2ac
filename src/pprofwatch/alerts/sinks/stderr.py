"""Standard error: always there, always first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.base import Notice, Sink

if TYPE_CHECKING:
    from pprofwatch.config.settings import SinkConfig

#: Writes a message: its priority, as syslog numbers them; its text; and its fields, for who reads JSON.
SayNotice = Callable[[int, str, Mapping[str, Any]], None]
_ERROR, _NOTICE = 3, 5


class StderrSink(Sink):
    """Says an event on standard error, as text or as JSON."""

    def __init__(self, config: SinkConfig, say: SayNotice) -> None:
        super().__init__(config)
        self._say = say

    async def send(self, notice: Notice) -> None:
        """Say it."""
        priority = _NOTICE if notice.event.action is Action.RESOLVED else _ERROR
        self._say(priority, notice.text, notice.fields)
