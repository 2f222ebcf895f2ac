"""What to poll: ``NAME[:seconds=N][:every=DURATION]`` as profile requests."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from pprofwatch.config.document import quote
from pprofwatch.model import BINARY_PROFILES, TEXT_PROFILES, ProfileRequest
from pprofwatch.times import format_duration, parse_duration

PROFILES = (*TEXT_PROFILES, *BINARY_PROFILES)
_MOST_SECONDS = 3600
#: Seconds; nothing here is asked for, or done, more often than this.
SHORTEST_DURATION = 0.01
#: Names that people use for profiles, and Go's names for them.
_ALIASES = {"alloc": "allocs", "cpu": "profile"}
#: What a binary profile measures where no ``seconds`` is given: a trace is megabytes a second.
_DEFAULT_SECONDS = {"profile": 10, "trace": 1}
#: The least time between two polls where no ``every`` is given, for what costs the target more than a look.
_LEAST_EVERY = {"goroutineleak": 3600.0, "profile": 300.0, "trace": 600.0}
#: Seconds between two polls of threadcreate where the user has none that tells the number of threads.
_THREADS_EVERY = 60.0
#: A delta needs this much time beside its ``seconds``, to be asked for again.
_DELTA_MARGIN = 1.0


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """A profile as it was asked for. ``every`` is 0 where it was not said; ``alias`` is another name that was used."""

    name: str
    seconds: int = 0
    every: float = 0.0
    alias: str = ""


def parse_spec(text: str) -> ProfileSpec:
    """Read ``NAME[:seconds=N][:every=DURATION]``.

    Raises:
        ValueError: What is wrong with it, and what was expected.
    """
    alias, *parts = text.split(":")
    name = _ALIASES.get(alias, alias)
    if name not in PROFILES:
        raise ValueError(_unknown(name))
    fields = _fields(name, parts)
    seconds = _DEFAULT_SECONDS.get(name, 0)
    if "seconds" in fields:
        seconds = _seconds(name, fields["seconds"])
    every = _every(name, fields["every"]) if "every" in fields else 0.0
    if every and seconds >= every:
        raise ValueError(f"{name}: {seconds} seconds don't fit into every={fields['every']}: expected a longer every")
    return ProfileSpec(name, seconds, every, alias if alias != name else "")


def format_spec(spec: ProfileSpec | ProfileRequest) -> str:
    """What ``parse_spec`` reads back."""
    seconds = f":seconds={spec.seconds}" if spec.seconds else ""
    every = f":every={format_duration(spec.every)}" if spec.every else ""
    return spec.name + seconds + every


def alias_note(spec: ProfileSpec) -> str:
    """A word about the right name, where an alias was used."""
    return f"Go's name for the profile {spec.alias} is {spec.name}: polling that"


def make_requests(specs: tuple[ProfileSpec, ...], interval: float) -> tuple[ProfileRequest, ...]:
    """The requests for a target that is polled every ``interval`` seconds; no specs: what is polled by default.

    Without an ``every`` of its own a profile is polled at the interval, or as often as its ``seconds`` and its cost
    allow.

    Raises:
        ValueError: Two requests would share a log.
    """
    if not specs:
        heap = ProfileSpec("heap", every=max(interval, 60.0))
        specs = (ProfileSpec("goroutine"), ProfileSpec("threadcreate", seconds=1), heap)
    requests = tuple(_request(spec, interval) for spec in specs)
    names = [request.log_name for request in requests]
    for name in names:
        if names.count(name) > 1:
            kind = "with seconds=N " if name.endswith("-delta") else ""
            raise ValueError(f"{name.removesuffix('-delta')} is asked for twice {kind}for one target: keep one")
    return requests


def implied_requests(
    requests: tuple[ProfileRequest, ...], interval: float, goroutineleak_every: float
) -> tuple[ProfileRequest, ...]:
    """What the leak detector needs beside ``requests``, of a target that is polled every ``interval`` seconds.

    Args:
        requests: What the user asked for. Deltas tell the detector nothing.
        interval: In seconds.
        goroutineleak_every: In seconds; 0: only when a leak is suspected.
    """
    listed = {request.name for request in requests if not request.seconds}
    needed = {"goroutineleak": goroutineleak_every, "threadcreate": max(interval, _THREADS_EVERY)}
    return tuple(
        ProfileRequest(name, every=every, implied=True) for name, every in needed.items() if name not in listed
    )


def _request(spec: ProfileSpec, interval: float) -> ProfileRequest:
    least = spec.seconds + _DELTA_MARGIN if spec.seconds else 0.0
    every = spec.every or max(interval, least, _LEAST_EVERY.get(spec.name, 0.0))
    return ProfileRequest(spec.name, spec.seconds, every)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, PROFILES, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"unknown profile {quote(name[:60])}{hint}: expected one of {', '.join(PROFILES)}"


def _fields(name: str, parts: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key not in ("seconds", "every") or key in fields:
            raise ValueError(f"{name}: expected :seconds=N or :every=DURATION, each once, got {quote(part[:60])}")
        fields[key] = value
    return fields


def _seconds(name: str, text: str) -> int:
    # Go refuses 0 and fractions, except for CPU profiles, which it then takes for 30 s without a word.
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= _MOST_SECONDS:
        raise ValueError(f"{name}: expected whole seconds from 1 to {_MOST_SECONDS}, got {quote(text[:60])}")
    return int(text)


def _every(name: str, text: str) -> float:
    try:
        every = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{name}: every: {error}, got {quote(text[:60])}") from error
    if every < SHORTEST_DURATION:
        raise ValueError(f"{name}: expected every to be at least {format_duration(SHORTEST_DURATION)}")
    return every
