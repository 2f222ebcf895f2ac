"""A profile as a command found it, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pprofwatch.errors import ProfileError
from pprofwatch.report.samples import Samples, samples_from_proto, samples_from_text
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from pprofwatch.model import Entry


@dataclass(frozen=True, slots=True)
class Instant:
    """A profile as it was found.

    ``data`` is debug=1 text, or a profile.proto where ``is_proto``; empty where the poll failed. ``time`` is in Unix
    seconds; ``seconds``: it is a difference over so many. ``target`` may be empty, and is the path of a file that has
    one profile. ``entry`` is the log's.
    """

    target: str
    profile: str
    time: float
    data: bytes
    seconds: int = 0
    is_proto: bool = False
    entry: Entry | None = None

    def samples(self) -> Samples:
        """What it holds.

        Raises:
            ProfileError: It is not the profile that it should be.
        """
        read = samples_from_proto if self.is_proto else samples_from_text
        try:
            samples = read(self.data, self.profile, self.time)
        except ProfileError as error:
            raise ProfileError(f"{self.described}: {error}") from None
        return replace(samples, duration=samples.duration or float(self.seconds))

    @property
    def described(self) -> str:
        """Time, target and profile in one line."""
        span = f":seconds={self.seconds}" if self.seconds else ""
        return " ".join(word for word in (format_time(self.time), self.target, self.profile + span) if word)


def difference(before: Instant, after: Instant) -> Samples:
    """What has changed from one to the other.

    Raises:
        ProfileError: One is not the profile that it should be.
    """
    first, second = before.samples(), after.samples()
    if before.is_proto != after.is_proto:  # text lacks the runtime's frames
        first, second = first.without_runtime(), second.without_runtime()
    return second.minus(first)
