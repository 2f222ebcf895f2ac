"""The frozen configuration that the daemon runs with. Everything in it has been checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pprofwatch.leaks.severity import Severity

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.model import ProfileRequest, Target


class Secret:
    """A text that never shows in a log, an error or a repr: read it with ``reveal``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the request that needs it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """A target and how it is polled. Two equal ones need no restart on reload."""

    target: Target
    requests: tuple[ProfileRequest, ...]
    interval: float = 10.0
    """Seconds from poll to poll, where a request does not say its own."""
    timeout: float = 5.0
    """Seconds for a request, beside the profile's own ``seconds``."""
    max_body: int = 64 << 20
    """The most bytes taken of one answer, decoded."""
    headers: tuple[tuple[str, Secret], ...] = ()
    bearer_token_file: Path | None = None
    """Read before each request, so that a rotated token is picked up."""
    basic_auth: Secret | None = None
    """``user:password``, from the URL."""
    basic_auth_file: Path | None = None
    """A file with ``user:password``, read before each request."""
    ca_file: Path | None = None
    insecure: bool = False
    implied: tuple[ProfileRequest, ...] = ()
    """What the leak detector needs beside what was asked for."""


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Where logs are kept, and for how long. Sizes in bytes, ages and intervals in seconds."""

    folder: Path
    rotate_size: int = 64 << 20
    rotate_age: float = 24 * 3600.0
    keep_size: int = 2 << 30
    """What all logs of all targets may take. At least ``rotate_size``."""
    keep_free: int = 512 << 20
    """What is left free of the disk that they are on, where removing the oldest of them can do that."""
    keep_age: float = 90 * 24 * 3600.0
    sync_interval: float = 5.0


@dataclass(frozen=True, slots=True)
class LeakConfig:
    """When growth is a leak. Times in seconds, counts in goroutines."""

    window: float = 30 * 60.0
    min_count: int = 10
    repeat: float = 3600.0
    max_goroutines: int = 0
    """A total that must not be reached: what heads for it within the hour is told at once. 0: there is none."""
    evidence_max_goroutines: int = 10_000
    """With more goroutines than this, a target is not asked for ``goroutine?debug=2``, which stops its world."""
    goroutineleak_every: float = 3600.0
    """Seconds between polls of the goroutineleak profile where nothing is suspected; 0: none."""


SinkType = Literal["webhook", "alertmanager", "command", "stderr"]


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """Where incidents are told. Two equal ones need no restart on reload; unused fields keep their defaults.

    ``name`` is unique among the sinks and stands for this one in messages and on disk. ``url`` is a secret, whole (in
    some, the path is the token), without the ``user:password`` that is in ``basic_auth``; ``address`` is what may be
    shown of it.
    """

    type: SinkType
    name: str
    min_severity: Severity = Severity.STUCK
    """What is less bad is not told there."""
    timeout: float = 10.0
    """Seconds that telling it one event may take."""
    url: Secret = field(default_factory=lambda: Secret(""))
    address: str = ""
    headers: tuple[tuple[str, Secret], ...] = ()
    bearer_token_file: Path | None = None
    basic_auth: Secret | None = None
    basic_auth_file: Path | None = None
    ca_file: Path | None = None
    format: str = "json"
    labels: tuple[tuple[str, str], ...] = ()
    resend: float = 60.0
    """Seconds after which what is still open is sent again."""
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. ``log_format`` is that of stderr: ``text`` or ``json``."""

    targets: tuple[TargetConfig, ...]
    logs: LogConfig
    leaks: LeakConfig = field(default_factory=LeakConfig)
    sinks: tuple[SinkConfig, ...] = (SinkConfig("stderr", "stderr"),)
    log_format: str = "text"
