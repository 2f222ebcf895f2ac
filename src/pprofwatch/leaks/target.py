"""All that is judged about one target: its goroutines, its threads, and its live heap."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pprofwatch.leaks.detector import Detector
from pprofwatch.leaks.evidence import Witness
from pprofwatch.leaks.history import MAX_STACKS
from pprofwatch.leaks.leak import Finding, Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.model import Frame, Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pprofwatch.config.settings import LeakConfig
    from pprofwatch.profiles.dump import Dump
    from pprofwatch.profiles.text import Counts

GOROUTINE, GOROUTINELEAK, THREADCREATE, HEAP = "goroutine", "goroutineleak", "threadcreate", "heap"
#: The profiles that are judged, and of each the one that its findings are about.
JUDGED = {GOROUTINE: GOROUTINE, GOROUTINELEAK: GOROUTINE, THREADCREATE: THREADCREATE, HEAP: HEAP}
#: Threads are created by the runtime, for any goroutine: there is one series, their total.
THREADS = Stack((Frame("OS threads", "", 0),))
#: The heap is judged in samples of this many bytes, the runtime's own default, whatever rate the program has set.
SAMPLE_BYTES = 512 << 10
#: For so many leak windows a heap must grow. A cache that fills up for half an hour is what most healthy ones hold, and
#: once it is full, chance in the samples makes it seem to grow for some minutes more.
HEAP_WINDOWS = 2
# The runtime keeps idle threads, so that rising traffic leaves ever more of them behind. Those that leak are held by
# goroutines: so much of their growth must be theirs, …
_HELD_SHARE = 0.5
# … or they have become so many times what they were, which no day's traffic does: C code may hold them, too.
_BEYOND_TRAFFIC = 10


class TargetLeaks:
    """Takes the parsed entries of one target in the order of time, and tells what leaks."""

    def __init__(self, settings: LeakConfig) -> None:
        """``settings``: what a leak is."""
        window, least = settings.window, settings.min_count
        self._detectors = {
            GOROUTINE: Detector(window, least, settings.max_goroutines),
            THREADCREATE: Detector(window, least),
            HEAP: Detector(window * HEAP_WINDOWS, least),
        }
        self._heap = _HeapSamples()
        #: When the leak of threads that goes on could be told; None: there is none, or it may be idle threads only.
        self._threads_at: float | None = None
        self._witness = Witness()
        #: Goroutines at the latest poll.
        self.total = 0

    def observe(self, profile: str, time: float, counts: Counts) -> list[Finding]:
        """Take a profile as it was at a time (Unix seconds), never a delta. Returns what is news about leaks.

        Args:
            profile: One of ``JUDGED``.
            time: The entry's.
            counts: What it holds.
        """
        if profile == GOROUTINE:
            self.total = counts.total
        if profile == GOROUTINELEAK:
            self._witness.take_leaked(time, counts.by_stack)
            findings = self._detectors[GOROUTINE].prove(time, counts.by_stack)
        elif profile == THREADCREATE:
            findings = self._observe_threads(time, counts.total)
        elif profile == HEAP:
            findings = self._detectors[HEAP].observe(time, self._heap.take(counts))
        else:
            findings = self._detectors[GOROUTINE].observe(time, counts.by_stack)
        return [self._shown_finding(JUDGED[profile], finding) for finding in findings]

    def leaks(self, profile: str) -> list[Leak]:
        """The leaks of a profile that go on, with their present numbers."""
        leaks = self._told_threads() if profile == THREADCREATE else self._detectors[profile].leaks
        return [self._shown(profile, leak) for leak in leaks]

    @property
    def suspects(self) -> list[Leak]:
        """The stacks of goroutines that grow, and may be found to leak; the one that grew most first."""
        return [self._shown(GOROUTINE, leak) for leak in self._detectors[GOROUTINE].suspected]

    def resume(self, profile: str, leaks: Iterable[Leak]) -> None:
        """Go on with leaks that were found before a restart of the daemon, after its logs were replayed."""
        leaks = list(leaks)
        if profile == THREADCREATE and leaks:
            self._threads_at = leaks[0].detected_at
        resumed = (self._heap.in_samples(leak) for leak in leaks) if profile == HEAP else leaks
        self._detectors[profile].resume(resumed)

    def take_reasons(self, time: float, reasons: Mapping[Stack, str]) -> None:
        """Take why the goroutines of each stack wait."""
        self._witness.take_reasons(time, reasons)

    def take_dump(self, time: float, dump: Dump) -> None:
        """Take a dump of all goroutines. The second one shows which have waited ever since the first."""
        detector = self._detectors[GOROUTINE]
        watched = [*detector.leaks, *detector.suspected]
        self._witness.take_dump(time, dump, [stack for leak in watched for stack in (leak.stack, *leak.also)])
        self._confirm()

    def _observe_threads(self, time: float, total: int) -> list[Finding]:
        detector = self._detectors[THREADCREATE]
        findings = detector.observe(time, {THREADS: total})
        if self._threads_at is not None:
            self._threads_at = self._threads_at if detector.leaks else None
            return findings
        if any(self._may_be_held(leak) for leak in detector.leaks):
            self._threads_at = time
        return [Finding(leak) for leak in self._told_threads()]

    def _may_be_held(self, threads: Leak) -> bool:
        """Whether what has grown may be more than idle threads: where goroutines are polled, these tell."""
        held = sum(leak.count_to - leak.count_from for leak in self._detectors[GOROUTINE].leaks)
        grown = threads.count_to - threads.count_from
        beyond_traffic = threads.count_to >= _BEYOND_TRAFFIC * threads.count_from
        return not self.total or beyond_traffic or held >= _HELD_SHARE * grown

    def _told_threads(self) -> list[Leak]:
        at = self._threads_at
        return [] if at is None else [replace(leak, detected_at=at) for leak in self._detectors[THREADCREATE].leaks]

    def _confirm(self) -> None:
        detector = self._detectors[GOROUTINE]
        for leak in detector.leaks:
            evidence = self._witness.about((leak.stack, *leak.also))
            if leak.severity is Severity.LEAK and evidence and evidence.proves(leak.count_to - leak.count_from):
                detector.confirm(leak.stack)

    def _shown_finding(self, profile: str, finding: Finding) -> Finding:
        leak = self._shown(profile, finding.leak)
        if finding.over and profile == HEAP:
            self._heap.forget(finding.leak)
        if finding.over and profile == GOROUTINE:
            self._witness.forget((finding.leak.stack, *finding.leak.also))
        return replace(finding, leak=leak, peak=round(finding.peak * leak.scale), profile=profile)

    def _shown(self, profile: str, leak: Leak) -> Leak:
        """A leak in the unit that people count in, with what the target has said about it."""
        if profile == HEAP:
            return self._heap.in_objects(leak)
        if profile == GOROUTINE:
            evidence = self._witness.about((leak.stack, *leak.also))
            return leak if evidence is None else replace(leak, evidence=evidence)
        return leak


class _HeapSamples:
    """Counts live objects in samples: what chance has to do with is one of these, and not one object.

    An object of ``SAMPLE_BYTES`` or more is a sample by itself; of smaller ones it takes so many.
    """

    def __init__(self) -> None:
        #: By stack, how many objects a sample stands for.
        self._scales: dict[Stack, float] = {}
        self._total_scale = 1.0
        #: Leaks as they were first shown, by stack and begin: what they began with stays, though samples are worth
        #: more objects today and fewer tomorrow.
        self._begun: dict[tuple[Stack, float], Leak] = {}

    def take(self, counts: Counts) -> dict[Stack, int]:
        """The samples of each stack in a heap profile."""
        samples = {}
        objects_in_all = 0
        for stack, objects in counts.by_stack.items():
            count = round(min(objects, counts.bytes_by_stack.get(stack, 0) / SAMPLE_BYTES))
            if count > 0:
                samples[stack] = count
                objects_in_all += objects
                self._scales[stack] = objects / count
        if len(self._scales) > MAX_STACKS:  # of stacks that are long gone
            self._scales = {stack: self._scales[stack] for stack in samples}
        self._total_scale = objects_in_all / max(1, sum(samples.values()))
        return samples

    def in_objects(self, leak: Leak) -> Leak:
        """A leak counted in samples as one counted in objects."""
        begun = self._begun.get((leak.stack, leak.since))
        scale = self._scales.get(leak.stack, leak.scale if begun is None else begun.scale)
        shown = replace(
            leak,
            count_from=round(leak.count_from * scale) if begun is None else begun.count_from,
            count_to=round(leak.count_to * scale),
            total_from=round(leak.total_from * self._total_scale) if begun is None else begun.total_from,
            total_to=round(leak.total_to * self._total_scale),
            scale=scale,
        )
        self._begun.setdefault((leak.stack, leak.since), shown)
        return shown

    def in_samples(self, leak: Leak) -> Leak:
        """A leak that was shown before a restart of the daemon as the detector had counted it."""
        self._begun[leak.stack, leak.since] = leak
        return replace(leak, count_from=round(leak.count_from / leak.scale), count_to=round(leak.count_to / leak.scale))

    def forget(self, leak: Leak) -> None:
        """A leak is over."""
        self._begun.pop((leak.stack, leak.since), None)
