"""What the user is told when logs can't be written: once for each cause, however many logs it hits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pprofwatch.collect.health import ERROR, NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pprofwatch.errors import LogError

_NUMBER = re.compile(r"[0-9]+")


class LogTrouble:
    """What fails for which cause, as the end of each error's text tells it (``No space left on device``)."""

    def __init__(self, say: Callable[[int, str], None]) -> None:
        self._say = say
        self._failing: dict[str, set[str]] = {}

    def failed(self, what: str, error: LogError) -> None:
        """Something could not be done: ``what`` names it, and the file."""
        cause = _NUMBER.sub("some", str(error).rpartition(": ")[2])
        # A log that fails for one cause and then for another (its disk fails, and is then read-only) is told once.
        known = any(what in failing for failing in self._failing.values())
        if cause not in self._failing and not known:
            self._say(ERROR, f"{error} (said once, until it works again)")
        if not known:
            self._failing.setdefault(cause, set()).add(what)

    def succeeded(self, what: str) -> None:
        """Something was done that may have failed before."""
        for cause, failing in list(self._failing.items()):
            failing.discard(what)
            if not failing:
                del self._failing[cause]
                self._say(NOTICE, f"works again, after: {cause}")
