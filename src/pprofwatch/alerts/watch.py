"""Watches one target: what it answers goes to the detector, and what is news about incidents to who should know."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pprofwatch.alerts.incidents import Event, Incidents
from pprofwatch.alerts.journal import Journal
from pprofwatch.errors import LogError, ProfileError
from pprofwatch.leaks.detector import Detector
from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, HISTORY
from pprofwatch.logs.reader import read_entries
from pprofwatch.profiles.text import CountsParser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pprofwatch.config.settings import LeakConfig
    from pprofwatch.leaks.detector import Finding
    from pprofwatch.model import Entry, Stack

#: The profile whose stacks are watched.
PROFILE = "goroutine"


class SharedParser:
    """One parser for all targets, since the same program's stacks are the same; used from any thread."""

    def __init__(self) -> None:
        self._parser = CountsParser()
        self._lock = threading.Lock()

    def parse(self, body: bytes) -> Mapping[Stack, int]:
        """How many goroutines are in each stack.

        Raises:
            ProfileError: The body is no goroutine profile.
        """
        with self._lock:
            return self._parser.parse(body).by_stack


class Watch:
    """The detector and the incidents of one target."""

    def __init__(
        self,
        target: str,
        folder: Path,
        config: LeakConfig,
        parser: SharedParser,
        *,
        now: Callable[[], float],
        tell: Callable[[Event, Path], None],
    ) -> None:
        """Watch a target.

        Args:
            target: Its name.
            folder: Its folder, for the replay and the journal of incidents.
            config: What is a leak, and how often it is told.
            parser: Shared between targets.
            now: The wall clock, in Unix seconds.
            tell: Called with each event, and the log that shows it.
        """
        self._folder = folder
        self._window = config.window
        self._parser = parser
        self._now = now
        self._tell = tell
        self._journal = Journal(folder)
        self._detector = Detector(config.window, config.min_count)
        self._incidents = Incidents(target, PROFILE, config.repeat)

    def replay(self) -> None:
        """Take in what the log holds of the last hours, and what was told. Blocks: call it in a thread.

        Raises:
            LogError: The journal of incidents can't be read.
        """
        hours = self._window * (HISTORY + 1) / BLOCKS_PER_WINDOW
        for entry in read_entries(
            [self._folder], profile=PROFILE, since=self._now() - hours, on_problem=lambda _: None
        ):
            self._detect(entry)
        self._detector.resume(self._incidents.restore(self._journal.read()))

    def observe(self, entry: Entry) -> None:
        """Take a poll that has just been logged.

        Raises:
            LogError: What it told could not be noted down: it is told again after a restart.
        """
        findings = self._detect(entry)
        if findings is None:
            return
        over = [finding.leak for finding in findings if finding.over]
        failure: LogError | None = None
        for event in self._incidents.update(entry.time, self._detector.leaks, over):
            try:
                self._journal.append(event)
            except LogError as error:
                failure = error
            self._tell(event, self._folder)
        if failure is not None:
            raise failure

    def _detect(self, entry: Entry) -> list[Finding] | None:
        """Hand an entry to the detector. Returns None for what tells it nothing: a failed poll, a damaged body."""
        if entry.profile != PROFILE or entry.seconds or not entry.body:
            return None
        try:
            counts = self._parser.parse(entry.body)
        except ProfileError:
            return None
        return self._detector.observe(entry.time, counts)
