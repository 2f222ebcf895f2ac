"""What can go wrong, as types. ``cli.main`` alone turns them into messages and exit statuses."""

from __future__ import annotations


class PprofwatchError(Exception):
    """Anything that a user is told in one line. ``str(error)`` is that line, without a trailing full stop."""

    exit_status = 3


class UsageError(PprofwatchError):
    """The command line or the configuration can't be used as it is."""

    exit_status = 2


class ConfigError(UsageError):
    """One or more mistakes in the configuration, each a line with its place and key."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class ProfileError(PprofwatchError):
    """Bytes that are not the profile they should be: what was expected, and where it stopped being so."""


class LogError(PprofwatchError):
    """A log that can't be read or written: names the file, and the offset where known."""


class AlreadyRunningError(PprofwatchError):
    """Another daemon has the log folder."""


class FetchError(PprofwatchError):
    """A poll that brought no profile. Never holds a secret."""


class UnreachableError(FetchError):
    """No connection could be made: the target answers nothing at all."""


class ProfileMissingError(FetchError):
    """The target does not serve this profile: ask again, but rarely."""


class ProfileBusyError(FetchError):
    """Another client is taking the same CPU profile or trace: a skipped poll, not a failure."""
