"""Watches one target: what it answers goes to the detector, and what is news about incidents to who should know."""

from __future__ import annotations

import heapq
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from pprofwatch.alerts.incidents import Action, Event, Incidents
from pprofwatch.alerts.journal import Journal
from pprofwatch.errors import LogError, ProfileError
from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, HISTORY
from pprofwatch.leaks.severity import Severity
from pprofwatch.leaks.target import GOROUTINE, HEAP, HEAP_WINDOWS, JUDGED, THREADCREATE, TargetLeaks
from pprofwatch.logs.evidence_folder import EvidenceFolder
from pprofwatch.logs.reader import read_entries
from pprofwatch.profiles.text import CountsParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pprofwatch.config.settings import LeakConfig
    from pprofwatch.leaks.leak import Finding, Leak
    from pprofwatch.model import Entry, Stack
    from pprofwatch.profiles.dump import Dump
    from pprofwatch.profiles.text import Counts

#: A stack is asked about again when it has grown to so many times what it was, …
_ASK_AGAIN = 4
#: … and one that is still, or again, no more than suspected after so many seconds.
_ASK_AGAIN_AFTER = 3600.0


class SharedParser:
    """One parser for all targets, since the same program's stacks are the same; used from any thread."""

    def __init__(self) -> None:
        self._parser = CountsParser()
        self._lock = threading.Lock()

    def parse(self, body: bytes) -> Counts:
        """How many goroutines (threads, live objects) are in each stack.

        Raises:
            ProfileError: The body is no such profile.
        """
        with self._lock:
            return self._parser.parse(body)


class Watch:
    """The detectors and the incidents of one target."""

    def __init__(
        self,
        target: str,
        folder: Path,
        config: LeakConfig,
        parser: SharedParser,
        *,
        now: Callable[[], float],
        tell: Callable[[Event, Path], None],
        resume: Callable[[Sequence[Event], Path], None] = lambda _events, _folder: None,
    ) -> None:
        """Watch a target.

        Args:
            target: Its name.
            folder: Its folder, for the replay, the journal of incidents, and the evidence.
            config: What is a leak, and how often it is told.
            parser: Shared between targets.
            now: The wall clock, in Unix seconds.
            tell: Called with each event once it is noted down, and the target's folder; maybe in another thread.
            resume: Called with all events of the journal before the first poll, and the target's folder; in another
                thread.
        """
        self._folder = folder
        self._window = config.window
        self._parser = parser
        self._now = now
        self._tell = tell
        self._resume = resume
        self._journal = Journal(folder)
        self._evidence = EvidenceFolder(folder)
        self._leaks = TargetLeaks(config)
        self._incidents = {
            profile: Incidents(target, profile, config.repeat) for profile in (GOROUTINE, THREADCREATE, HEAP)
        }
        self._news: list[Event] = []
        self._number = 0
        #: What the target was asked about, by function names, as it was then.
        self._asked: dict[tuple[str, ...], Leak] = {}

    def replay(self) -> None:
        """Take in what the logs hold of the last hours, and what was told. Blocks: call it in a thread.

        Raises:
            LogError: The journal of incidents can't be read.
        """
        remembered = self._window * (HISTORY + 1) / BLOCKS_PER_WINDOW
        logs = [self._read(HEAP, remembered * HEAP_WINDOWS)]
        logs += [self._read(profile, remembered) for profile in JUDGED if profile != HEAP]
        for entry in heapq.merge(*logs, key=lambda entry: entry.time):
            self._detect(entry)
        events = self._journal.read()
        for profile, incidents in self._incidents.items():
            self._leaks.resume(profile, incidents.restore(events))
        self._number = max((event.number for event in events), default=0)
        self._resume(events, self._folder)

    def observe(self, entry: Entry) -> None:
        """Take a poll that has just been logged. What is news waits for ``note``."""
        findings = self._detect(entry)
        if findings is None:
            return
        over = [finding.leak for finding in findings if finding.over]
        for leak in over:
            self._asked.pop(leak.stack.functions, None)
        self._compare(JUDGED[entry.profile], entry.time, over)

    @property
    def has_news(self) -> bool:
        """Whether ``note`` has something to do."""
        return bool(self._news)

    def note(self) -> None:
        """Note down what is news, and then tell it. Waits for the disk.

        Raises:
            LogError: It could not be noted down: it was told, and is told again after a restart.
        """
        news, self._news = self._news, []
        failure: LogError | None = None
        kept = ""
        for event in news:
            self._number += 1
            try:
                kept = self._keep(event) or kept
                numbered = replace(event, number=self._number, kept=kept)
                self._journal.append(numbered)
            except LogError as error:
                failure = error
                numbered = replace(event, number=self._number)
            self._tell(numbered, self._folder)
        if failure is not None:
            raise failure

    @property
    def total(self) -> int:
        """How many goroutines the latest poll showed."""
        return self._leaks.total

    @property
    def wants_evidence(self) -> bool:
        """Whether there is a leak, or what may become one, that the target has not been asked about."""
        return any(self._is_unasked(leak) for leak in self._watched())

    @property
    def wants_second_dump(self) -> bool:
        """Whether any of what the target was asked about still grows."""
        return any(leak.stack.functions in self._asked for leak in self._watched())

    def begin_evidence(self) -> None:
        """The target is being asked now, about all that is watched."""
        watched = self._watched()
        asked = {leak.stack.functions: leak for leak in watched}
        new = [leak for leak in self._leaks.suspects if leak.stack.functions not in self._asked]
        self._news += self._incidents[GOROUTINE].suspected(self._now(), new)
        self._asked = asked

    def take_reasons(self, time: float, reasons: Mapping[Stack, str]) -> None:
        """Take why the goroutines of each stack wait, as the target's protobuf of ``time`` tells."""
        self._leaks.take_reasons(time, reasons)

    def take_dump(self, time: float, dump: Dump) -> None:
        """Take the target's ``goroutine?debug=2`` of ``time``."""
        self._leaks.take_dump(time, dump)
        self._compare(GOROUTINE, time)

    def _read(self, profile: str, seconds: float) -> Iterator[Entry]:
        """What the logs hold of a profile's last seconds."""
        return read_entries([self._folder], profile=profile, since=self._now() - seconds, on_problem=lambda _: None)

    def _watched(self) -> list[Leak]:
        """What the target may be asked about: suspects, and leaks of which something is not known yet."""
        return [*filter(_is_open_question, self._leaks.leaks(GOROUTINE)), *self._leaks.suspects]

    def _is_unasked(self, leak: Leak) -> bool:
        asked = self._asked.get(leak.stack.functions)
        if asked is None or leak.count_to >= _ASK_AGAIN * max(1, asked.count_to):
            return True
        return leak.severity is Severity.SUSPECTED and leak.time - asked.time > _ASK_AGAIN_AFTER

    def _keep(self, event: Event) -> str:
        """Where the evidence of an event's incident is, once it is there."""
        if event.profile != GOROUTINE or event.action is Action.SUSPECTED:
            return ""
        return self._evidence.adopt(event.incident)

    def _compare(self, profile: str, time: float, over: Sequence[Leak] = ()) -> None:
        self._news += self._incidents[profile].update(time, self._leaks.leaks(profile), over)

    def _detect(self, entry: Entry) -> list[Finding] | None:
        """Hand an entry to the detectors. Returns None for what tells them nothing: a failed poll, a delta, damage."""
        if entry.profile not in JUDGED or entry.seconds or not entry.body:
            return None
        try:
            counts = self._parser.parse(entry.body)
        except ProfileError:
            return None
        return self._leaks.observe(entry.profile, entry.time, counts)


def _is_open_question(leak: Leak) -> bool:
    """Whether nothing is proven of a leak yet, or not known why its goroutines wait."""
    is_proven = leak.severity in (Severity.PROVEN, Severity.STUCK)
    return not is_proven or leak.evidence is None or not leak.evidence.blocked_in
