"""The names of our files in a log folder. What does not match them exactly is not ours, and never touched."""

from __future__ import annotations

import re
from typing import NamedTuple

from pprofwatch.model import BINARY_PROFILES, TEXT_PROFILES
from pprofwatch.times import format_stamp, parse_stamp

#: Names of logs: a text profile's deltas have a log of their own.
LOG_NAMES = frozenset((*TEXT_PROFILES, *(f"{name}-delta" for name in TEXT_PROFILES), *BINARY_PROFILES))
#: How the files of binary profiles end.
BINARY_SUFFIXES = {"profile": ".pb.gz", "trace": ".trace"}
#: In a target's folder: its incidents' journal, and a folder of evidence for each incident that has any …
INCIDENTS = "incidents"
#: … which has this name there while the leak is only suspected.
SUSPECTED = ".suspected"
#: What evidence is kept: the goroutine profile as protobuf, the text of each goroutine, and those that leaked.
EVIDENCE = ("goroutine.pb.gz", "goroutine.txt", "goroutineleak.txt")
#: What is still being written; left over only by a daemon that was killed.
TEMPORARY = ".tmp"

_CLOSED = re.compile(r"([a-z-]+)-(\d{8}T\d{6}Z)(?:-([1-9]\d{0,5}))?\.log(\.zst)?", re.ASCII)
_BINARY = re.compile(r"(\d{8}T\d{6}Z)(?:-([1-9]\d{0,5}))?(\.pb\.gz|\.trace)", re.ASCII)
_EVIDENCE = re.compile(r"([a-z]+)-(\d{8}T\d{6}Z)(?:-([1-9]\d{0,5}))?(\.pb\.gz|\.txt)", re.ASCII)
_INCIDENT = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}", re.ASCII)


class ClosedName(NamedTuple):
    """The name of a closed segment, taken apart. Sorted, these are in the order of time.

    ``stamp`` is its first entry's time in Unix seconds; ``number`` counts segments that begin in the same second.
    """

    log: str
    stamp: float
    number: int
    compressed: bool


def live_name(log: str) -> str:
    """The name of a log's live segment: ``goroutine.log``."""
    return f"{log}.log"


def parse_live(name: str) -> str | None:
    """The log whose live segment has this name, or None."""
    log = name.removesuffix(".log")
    return log if log != name and log in LOG_NAMES else None


def closed_name(log: str, stamp: float, number: int = 1) -> str:
    """The name of a closed segment before compression: ``goroutine-20261122T134953Z.log``, then ``…Z-2.log``."""
    return f"{log}-{_numbered(stamp, number)}.log"


def parse_closed(name: str) -> ClosedName | None:
    """What a closed segment's name says, or None if it is not one of ours."""
    match = _CLOSED.fullmatch(name)
    if match is None or match[1] not in LOG_NAMES:
        return None
    stamp = _parse_numbered(match[2], match[3])
    return ClosedName(match[1], *stamp, bool(match[4])) if stamp else None


def binary_name(profile: str, stamp: float, number: int = 1) -> str:
    """The name of a binary profile's file: ``20261122T134953Z.pb.gz``."""
    return _numbered(stamp, number) + BINARY_SUFFIXES[profile]


def parse_binary(profile: str, name: str) -> tuple[float, int] | None:
    """The time (Unix seconds) and number in the name of a binary profile's file, or None if it is not one of ours."""
    match = _BINARY.fullmatch(name)
    if match is None or match[3] != BINARY_SUFFIXES.get(profile):
        return None
    return _parse_numbered(match[1], match[2])


def evidence_name(kind: str, stamp: float, number: int = 1) -> str:
    """The name of a file of evidence, ``kind`` being one of ``EVIDENCE``: ``goroutine-20261122T134953Z.pb.gz``."""
    profile, dot, suffix = kind.partition(".")
    return f"{profile}-{_numbered(stamp, number)}{dot}{suffix}"


def parse_evidence(name: str) -> tuple[str, float, int] | None:
    """The kind, time (Unix seconds) and number in the name of a file of evidence, or None if it is not one of ours."""
    match = _EVIDENCE.fullmatch(name)
    if match is None or match[1] + match[4] not in EVIDENCE:
        return None
    stamp = _parse_numbered(match[2], match[3])
    return (match[1] + match[4], *stamp) if stamp else None


def is_incident(name: str) -> bool:
    """Whether an incident has this name, and its folder of evidence: ``20261122T142233Z-3fa9c1d2``."""
    match = _INCIDENT.fullmatch(name)
    return match is not None and _parse_numbered(match[1], None) is not None


def is_temporary(name: str, profile: str = "") -> bool:
    """Whether a file was being written by us when the daemon was killed.

    Args:
        name: The file's.
        profile: The folder's in a target's folder: a binary profile, or ``INCIDENTS``; empty for that folder itself.
    """
    final = name.removesuffix(TEMPORARY)
    if final == name:
        return False
    if profile == INCIDENTS:
        return parse_evidence(final) is not None
    if profile:
        return parse_binary(profile, final) is not None
    closed = parse_closed(final)
    return closed is not None and closed.compressed


def _numbered(stamp: float, number: int) -> str:
    return format_stamp(stamp) + (f"-{number}" if number > 1 else "")


def _parse_numbered(stamp: str, number: str | None) -> tuple[float, int] | None:
    """Strict: only what ``_numbered`` writes."""
    if number == "1":
        return None
    try:
        return parse_stamp(stamp), int(number or 1)
    except ValueError:
        return None
