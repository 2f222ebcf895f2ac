"""The options of ``start``: this table alone makes the flags, the TOML keys, and their help."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pprofwatch.config.addresses import DEFAULT_ADDRESS
from pprofwatch.config.kinds import (
    BODY_SIZE,
    COUNT,
    DURATION,
    DURATION_OR_OFF,
    FILE,
    FOLDER,
    HEADERS,
    LIMIT,
    PROFILES,
    SIZE,
    SWITCH,
    TARGETS,
    Kind,
    choice,
)
from pprofwatch.config.settings import Config, LeakConfig, LogConfig, TargetConfig

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.config.requests import ProfileSpec
    from pprofwatch.config.settings import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option(Generic[T]):
    """An option of ``start``, and the TOML key of the same name.

    ``owner`` is the class of the frozen Config that it sets a ``field`` of; the default stands there, and only there.
    ``default_text`` describes a default that is more than a value.
    """

    name: str
    kind: Kind[T]
    owner: type
    field: str
    help: str
    default: T
    default_text: str = ""

    @property
    def flag(self) -> str:
        """The flag's name: ``--leak-window``."""
        return "--" + self.name.replace("_", "-")

    @property
    def per_target(self) -> bool:
        """Whether it may also stand in a ``[[target]]`` table."""
        return self.owner is TargetConfig

    @property
    def shown_default(self) -> str:
        """The default, for help; empty where there is none."""
        return self.default_text or (self.kind.show(self.default).strip('"') if self.default else "")


def make_option(name: str, kind: Kind[T], owner: type, help: str, field: str = "") -> Option[T]:  # noqa: A002  # click's word
    """An option whose default is that of the ``field`` (by default the one of its name) of its ``owner``."""
    field = field or name
    default: Any = next(item.default for item in dataclasses.fields(owner) if item.name == field)
    return Option(name, kind, owner, field, help, default)


TARGET: Option[tuple[str | dict[str, Any], ...]] = Option(
    "target",
    TARGETS,
    Config,
    "targets",
    "A Go server: host:port, an http(s) URL, or unix:/path.sock.",
    default=(DEFAULT_ADDRESS,),
    default_text=DEFAULT_ADDRESS,
)
PROFILE: Option[tuple[ProfileSpec, ...]] = Option(
    "profile",
    PROFILES,
    TargetConfig,
    "requests",
    "What to poll: goroutine, threadcreate, heap, allocs, block, mutex, goroutineleak, profile (CPU) or trace. With "
    "seconds=N: what changes in N seconds. With every=DURATION: that often, instead of at the interval.",
    default=(),
    default_text="goroutine, threadcreate:seconds=1, heap:every=1m",
)
INTERVAL = make_option("interval", DURATION, TargetConfig, "How often a target is polled.")
TIMEOUT = make_option(
    "timeout",
    DURATION,
    TargetConfig,
    "How long an answer may take, beside the profile's own seconds; at most the interval, or 1s.",
)
MAX_BODY = make_option("max_body", BODY_SIZE, TargetConfig, "The most that is taken of an answer, decoded.")
HEADER: Option[tuple[tuple[str, Secret], ...]] = make_option(
    "header", HEADERS, TargetConfig, "A header to send with each request. Its value is never shown.", field="headers"
)
BEARER_TOKEN_FILE: Option[Path | None] = make_option(
    "bearer_token_file", FILE, TargetConfig, "A file with a token, to send as 'Authorization: Bearer'."
)
BASIC_AUTH_FILE: Option[Path | None] = make_option(
    "basic_auth_file", FILE, TargetConfig, "A file with user:password, for basic authentication."
)
CA_FILE: Option[Path | None] = make_option(
    "ca_file", FILE, TargetConfig, "A PEM file with the authorities to trust for https, instead of the usual ones."
)
INSECURE = make_option("insecure", SWITCH, TargetConfig, "Don't verify who answers at an https address.")
LOG_DIR: Option[Path | None] = Option(
    "log_dir",
    FOLDER,
    LogConfig,
    "folder",
    "The folder for logs; one daemon at a time uses it.",
    default=None,
    default_text="$LOGS_DIRECTORY, or the user's log folder",
)
ROTATE_SIZE = make_option("rotate_size", SIZE, LogConfig, "Close and compress a log file when it has grown to this.")
ROTATE_AGE = make_option("rotate_age", DURATION, LogConfig, "Close and compress a log file when it is this old.")
KEEP_SIZE = make_option("keep_size", SIZE, LogConfig, "Delete the oldest closed logs when all together exceed this.")
KEEP_FREE = make_option(
    "keep_free", SIZE, LogConfig, "Delete the oldest closed logs when less than this is free on their disk."
)
KEEP_AGE = make_option("keep_age", DURATION, LogConfig, "Delete closed logs when they are this old.")
SYNC_INTERVAL = make_option("sync_interval", DURATION, LogConfig, "The most that a power failure may lose.")
LEAK_WINDOW = make_option(
    "leak_window", DURATION, LeakConfig, "How long a stack must have grown to be called a leak.", field="window"
)
LEAK_MIN_COUNT = make_option(
    "leak_min_count", COUNT, LeakConfig, "The least number of goroutines of a leak.", field="min_count"
)
MAX_GOROUTINES = make_option(
    "max_goroutines",
    LIMIT,
    LeakConfig,
    "A number of goroutines that must not be reached: what will reach it within the hour is told at once. 0: none.",
)
EVIDENCE_MAX_GOROUTINES = make_option(
    "evidence_max_goroutines",
    LIMIT,
    LeakConfig,
    "Where a leak is suspected, a target with more goroutines than this is not asked for each of them (debug=2), which "
    "stops it for a moment.",
)
GOROUTINELEAK_EVERY = make_option(
    "goroutineleak_every",
    DURATION_OR_OFF,
    LeakConfig,
    "How often a target is asked for goroutines that can never run again, where no leak is suspected.",
)
REPEAT = make_option("repeat", DURATION, LeakConfig, "Alert again for the same leak after this time.")
LOG_FORMAT = make_option(
    "log_format", choice("text", "json"), Config, "What stderr gets: lines for people, or a JSON object a line."
)

OPTIONS: tuple[Option[Any], ...] = (
    TARGET,
    PROFILE,
    INTERVAL,
    TIMEOUT,
    MAX_BODY,
    HEADER,
    BEARER_TOKEN_FILE,
    BASIC_AUTH_FILE,
    CA_FILE,
    INSECURE,
    LOG_DIR,
    ROTATE_SIZE,
    ROTATE_AGE,
    KEEP_SIZE,
    KEEP_FREE,
    KEEP_AGE,
    SYNC_INTERVAL,
    LEAK_WINDOW,
    LEAK_MIN_COUNT,
    MAX_GOROUTINES,
    EVIDENCE_MAX_GOROUTINES,
    GOROUTINELEAK_EVERY,
    REPEAT,
    LOG_FORMAT,
)
