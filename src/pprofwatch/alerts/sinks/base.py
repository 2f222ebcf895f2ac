"""What all sinks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pprofwatch.errors import PprofwatchError

if TYPE_CHECKING:
    from collections.abc import Collection

    from pprofwatch.alerts.incidents import Event
    from pprofwatch.config.settings import SinkConfig


class SinkError(PprofwatchError):
    """A sink did not take what it was told. ``retry``: it may, if asked again. Never holds a secret."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


#: What tells an incident from all others: target, profile and name. Two targets of one program leak at once.
IncidentKey = tuple[str, str, str]


def incident_key(event: Event) -> IncidentKey:
    """The incident that an event is about."""
    return event.target, event.profile, event.incident


@dataclass(frozen=True, slots=True)
class Notice:
    """An event in the forms in which it is told: ``fields`` for programs, ``text``, a few lines, for people."""

    event: Event
    fields: dict[str, Any]
    text: str


class Sink(ABC):
    """A place where incidents are told. All of it is called on the event loop, one call at a time."""

    #: How often an event is tried that the sink might take later; None: until it is taken.
    attempts: int | None = None
    #: Seconds between two calls of ``refresh``; None: none are wanted.
    resend: float | None = None

    def __init__(self, config: SinkConfig) -> None:
        self.config = config

    @property
    def name(self) -> str:
        """Its name: unique, and the same after a restart."""
        return self.config.name

    @abstractmethod
    async def send(self, notice: Notice) -> None:
        """Tell it an event. Takes no longer than the configured timeout.

        Raises:
            SinkError: It was not taken.
        """

    def note(self, notice: Notice, *, is_old: bool) -> None:
        """Learn of an event before it is sent, or (``is_old``) of one that has been, before a restart."""
        del notice, is_old

    def keep_only(self, targets: Collection[str]) -> None:
        """Forget what concerns targets with other names: they are watched no more."""
        del targets

    async def refresh(self) -> None:  # noqa: B027  # most have nothing to tell again
        """Tell again what goes on, for sinks that forget what they don't hear of.

        Raises:
            SinkError: It was not taken.
        """
