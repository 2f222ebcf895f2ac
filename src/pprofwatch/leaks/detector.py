"""The leak detector: counts by stack go in, poll by poll; leaks come out, as soon as they can be told.

It works online: memory is bounded by the number of stacks times ``HISTORY`` blocks, and what it says about a poll
depends on nothing that comes later, so that a log replayed gives what the daemon said live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from pprofwatch.leaks.companion import EVERY_BLOCKS, Companions, Excess
from pprofwatch.leaks.culprit import culprit, enclosing, is_users, origin
from pprofwatch.leaks.history import History
from pprofwatch.leaks.leak import Finding, Leak
from pprofwatch.leaks.limit import heads_for
from pprofwatch.leaks.series import BLOCKS_PER_WINDOW, STRIDE, Series
from pprofwatch.leaks.severity import Severity
from pprofwatch.leaks.sieve import may_leak
from pprofwatch.leaks.suspicion import is_suspect, may_grow
from pprofwatch.leaks.traffic import Traffic
from pprofwatch.leaks.trend import find_run
from pprofwatch.leaks.verdict import PAUSE, RUNAWAY_GROWTH, STEADY_BLOCKS, Growth, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from pprofwatch.leaks.history import Group
    from pprofwatch.leaks.trend import Run
    from pprofwatch.model import Stack

#: Suspects at a time: those that grew most.
MAX_SUSPECTS = 20
#: Leaks at a time: who has so many has heard enough. What is found beyond is looked at again once others are over.
MAX_LEAKS = 100
# A leak is over when this share of its growth is gone again.
SHRUNK = 0.75
# A group's growth is one stack's own when it explains this share of it.
MOST_OF_IT = 0.8
# So much of a leak's growth must be proven for all of it to count as proven.
PROVEN_SHARE = 0.5
# Goroutines that a leak's first block may have at most for them to be few.
FEW_AT_FIRST = 2


@dataclass(slots=True)
class _Active:
    """A leak that goes on; ``series`` is None until a poll shows again what its stack counts.

    ``proven`` is how many the goroutineleak profile listed last, for a leak that only this profile has shown.
    """

    leak: Leak
    series: Series | Excess | None
    growth: int
    stacks: set[Stack]
    grouped: bool
    proven: int | None = None

    @property
    def count(self) -> int:
        return self.leak.count_to if self.series is None else self.series.last

    def raise_to(self, severity: Severity) -> None:
        """Make it at least so severe."""
        if severity.rank > self.leak.severity.rank:
            self.leak = replace(self.leak, severity=severity)


class Detector:
    """Finds leaks in one profile of one target."""

    def __init__(self, window: float = 1800.0, min_count: int = 10, max_total: int = 0) -> None:
        """Begin without a past.

        Args:
            window: Seconds for which growth must last.
            min_count: The least growth that is worth an alert.
            max_total: A total that must not be reached; 0: there is none.
        """
        self._history = History(window / BLOCKS_PER_WINDOW)
        self._min_count = min_count
        self._max_total = max_total
        self._time = 0.0
        self._active: list[_Active] = []
        self._companions = Companions()
        #: Of the growth that stacks were in when the latest block closed, what may be a leak's.
        self._suspects: dict[Stack, Run] = {}
        #: What the goroutineleak profile listed last and is no leak yet: how many, and in which block that was.
        self._listed: dict[Stack, tuple[int, int | None]] = {}

    def observe(self, time: float, counts: Mapping[Stack, int]) -> list[Finding]:
        """Take a poll: how often each stack was there at a time (Unix seconds). Returns what is news about leaks."""
        self._time = time
        step = self._history.observe(time, counts)
        if step.set_back:
            for active in self._active:
                active.leak = replace(active.leak, since=active.leak.since - step.set_back)
        if step.forgot:
            self._companions.forget()
            self._suspects.clear()
            self._listed.clear()
        for active in self._active:
            if active.series is None or step.forgot:
                self._bind(active)
        if not step.closed:
            return []
        findings = self._over(time)
        known = self._known_growths()
        runs = {
            stack: run
            for stack, series in self._history.series.items()
            # What is told, and grows no faster than it did, is told.
            if (stack not in known or series.last >= RUNAWAY_GROWTH or self._max_total)
            and (run := self._run(series)) is not None
        }
        fresh = self._merge(self._fresh(time, runs, known))
        findings += [Finding(self._present(active, time)) for active in fresh]
        findings += self._settle(time)
        self._suspects = self._find_suspects(runs)
        return findings

    def prove(self, time: float, proven: Mapping[Stack, int]) -> list[Finding]:
        """Take what the goroutineleak profile lists at a time: how many of each stack can never run again."""
        growing = {stack for active in self._active if active.proven is None for stack in active.stacks}
        listed = [active for active in self._active if active.proven is not None]
        for active in listed:
            active.stacks -= growing - {active.leak.stack}
        findings = [self._free(active, time) for active in listed if not _count_listed(active, proven)]
        known = {stack for active in self._active for stack in active.stacks}
        for active in self._active:
            self._take_proof(active, _count_listed(active, proven), time)
        self._listed = {stack: (count, self._history.block) for stack, count in proven.items() if stack not in known}
        return findings + self._settle(time)

    def confirm(self, stack: Stack) -> None:
        """What is told of a leak's stack elsewhere proves it: its goroutines are still the same ones, waiting."""
        for active in self._active:
            if active.leak.stack == stack:
                active.raise_to(Severity.PROVEN)

    @property
    def leaks(self) -> list[Leak]:
        """The leaks that go on, with their present numbers."""
        return [self._present(active, self._time) for active in self._active]

    @property
    def suspected(self) -> list[Leak]:
        """The stacks that grew when the latest block closed and may be found to leak; what grew most comes first."""
        return [self._suspected(stack, run) for stack, run in self._suspects.items()]

    def resume(self, leaks: Iterable[Leak]) -> None:
        """Go on with leaks that were found before a restart of the daemon, after its logs were replayed.

        They keep the time and the count that they began at; nothing is over because the replay was too short to see it.
        """
        for leak in leaks:
            stacks = {leak.stack, *leak.also}
            grouped = any(origin(stack) == origin(leak.stack) for stack in leak.also)
            proven = leak.count_to if leak.listed else None
            found = _Active(leak, None, leak.count_to - leak.count_from, stacks, grouped, proven)
            known = self._known(found)
            if known is None or (found.proven is not None and known.proven is None and not _continues(found, known)):
                self._active.append(found)
                self._bind(found)
            else:
                self._go_on(found, known)

    def _go_on(self, told: _Active, replayed: _Active) -> None:
        """Make one of a leak that was told before a restart and what the replay has found of it."""
        severity = replayed.leak.severity
        replayed.stacks |= told.stacks
        if told.proven is not None and replayed.proven is None:  # it has grown since
            detected_at = told.leak.detected_at
            replayed.leak = replace(replayed.leak, stack=told.leak.stack, detected_at=detected_at)
        else:
            peak = replayed.leak.count_from + replayed.growth
            replayed.growth = max(told.growth, peak - told.leak.count_from)
            is_beside_another = replayed.leak.companion != told.leak.companion
            replayed.leak = told.leak
            if is_beside_another:
                self._bind(replayed)
            if told.proven is None and replayed.proven is not None:  # the replay was too short to see it grow
                replayed.proven, replayed.grouped = None, told.grouped
                self._bind(replayed)
        replayed.raise_to(told.leak.severity)
        replayed.raise_to(severity)

    def _bind(self, active: _Active) -> None:
        """Find the series of a leak's stack again. One that is gone counts 0, once a poll has shown that."""
        leak = active.leak
        if leak.companion is None:
            active.series = self._history.find(leak.stack, grouped=active.grouped)
        elif self._history.series:
            active.series = Excess(self._history.series, leak.stack, leak.companion, leak.ratio)

    def _over(self, time: float) -> list[Finding]:
        findings = []
        for active in list(self._active):
            count = self._count(active)
            if active.proven is not None:
                if count <= (1 - SHRUNK) * active.proven:
                    findings.append(self._end(active, time))
                continue
            growth = count - active.leak.count_from
            active.growth = max(active.growth, growth)
            if growth <= (1 - SHRUNK) * active.growth:
                findings.append(self._end(active, time))
        return findings

    def _end(self, active: _Active, time: float) -> Finding:
        self._active.remove(active)
        # Its rise and fall were no healthy swing: should it grow again, nothing speaks for it.
        for series in (active.series, *(self._history.series.get(stack) for stack in active.stacks)):
            if series is not None:
                series.forget()
        peak = active.leak.count_from + active.growth if active.proven is None else active.proven
        return Finding(self._present(active, time), over=True, peak=peak)

    def _free(self, active: _Active, time: float) -> Finding:
        """End a leak that was listed and is no longer: none of its goroutines is left, whoever else is in the stack."""
        finding = self._end(active, time)
        return replace(finding, leak=replace(finding.leak, count_to=0))

    def _merge(self, fresh: list[_Active]) -> list[_Active]:
        """Take up what was found, the same bug's stacks together, and return what was not known."""
        fresh.sort(key=lambda active: (not is_users(active.leak.stack), -active.leak.count_to))
        found: list[_Active] = []
        for active in fresh:
            known = self._known(active)
            if known is None:
                if len(self._active) < MAX_LEAKS:
                    self._active.append(active)
                    found.append(active)
                continue
            if known.proven is not None and active.proven is None:
                self._grows_after_all(known, active)
            elif known.proven is not None and active.proven is not None:
                known.proven += active.proven
                if any(known is other for other in found):  # in how many stacks ever: that is what it begins with
                    known.leak = replace(known.leak, count_from=known.proven)
            known.raise_to(active.leak.severity)
            if active.grouped:
                # Others of the same origin may be bugs of their own, and will show as such.
                known.stacks |= {stack for stack in active.stacks if _place(stack) == _place(known.leak.stack)}
            else:
                known.stacks |= active.stacks
        return found

    def _grows_after_all(self, known: _Active, growing: _Active) -> None:
        """What was only known to be stuck grows: from now on its growth is what counts."""
        is_proven = (known.proven or 0) >= PROVEN_SHARE * growing.growth
        stack = known.leak.stack if growing.grouped else growing.leak.stack
        leak = replace(growing.leak, stack=stack, detected_at=known.leak.detected_at)
        known.leak = replace(leak, severity=Severity.PROVEN if is_proven else known.leak.severity)
        known.series, known.growth, known.proven = growing.series, growing.growth, None
        known.grouped = growing.grouped

    def _settle(self, time: float) -> list[Finding]:
        """Say what becomes of the stacks that were listed: proven to leak where they grow, stuck where they don't.

        Of those that have just risen it is too early to say.
        """
        fresh = []
        for stack, (count, block) in list(self._listed.items()):
            series = self._history.series.get(stack)
            grown = self._proven_growth(time, stack, count)
            waited = (self._history.block or 0) - (block or 0)
            if grown is None and series is not None and may_grow(series, waited):
                continue
            del self._listed[stack]
            if grown is not None:
                fresh.append(grown)
            elif series is None or series.last >= count:
                total = self._history.total.last
                leak = Leak(stack, Severity.STUCK, time, time, time, count, count, total, total)
                fresh.append(_Active(leak, series, 0, {stack}, grouped=False, proven=count))
        return [Finding(self._present(active, time)) for active in self._merge(fresh)]

    def _proven_growth(self, time: float, stack: Stack, count: int) -> _Active | None:
        """A stack as a proven leak, if it grows and most of that is among the so many that can never run again."""
        series = self._history.series.get(stack)
        run = None if series is None else self._run(series)
        if series is None or run is None or not is_suspect(series, run, self._min_count):
            return None
        if count < PROVEN_SHARE * run.growth:
            return None
        active = self._activate(time, [stack], series, Growth(run), grouped=False)
        active.raise_to(Severity.PROVEN)
        return active

    def _suspected(self, stack: Stack, run: Run) -> Leak:
        active = self._activate(self._time, [stack], self._history.series[stack], Growth(run), grouped=False)
        return replace(active.leak, severity=Severity.SUSPECTED)

    def _take_proof(self, active: _Active, count: int, time: float) -> None:
        if active.proven is None:
            if count and count >= PROVEN_SHARE * (active.count - active.leak.count_from):
                active.raise_to(Severity.PROVEN)
            return
        active.proven = count
        if (grown := self._proven_growth(time, active.leak.stack, count)) is not None:
            self._grows_after_all(active, grown)
            return
        if count - active.leak.count_from >= self._min_count:
            active.raise_to(Severity.PROVEN)

    def _find_suspects(self, runs: Mapping[Stack, Run]) -> dict[Stack, Run]:
        """The stacks that grow as the block closes, and are no leaks yet."""
        known = {stack for active in self._active if active.proven is None for stack in active.stacks}
        series = self._history.series
        suspects = (
            stack
            for stack, run in runs.items()
            if stack not in known and is_suspect(series[stack], run, self._min_count)
        )
        most = sorted(suspects, key=lambda stack: -runs[stack].growth)[:MAX_SUSPECTS]
        return {stack: runs[stack] for stack in most}

    def _known_growths(self) -> dict[Stack, int]:
        """The growth of each stack that is known to leak, as far as it is the stack's own."""
        growing = (active for active in self._active if active.proven is None)
        return {stack: 0 if active.grouped else active.growth for active in growing for stack in active.stacks}

    def _fresh(self, time: float, runs: Mapping[Stack, Run], known: Mapping[Stack, int]) -> list[_Active]:
        """What grows without bound now: stacks, and groups whose growth no single one of their stacks explains.

        ``known``: the growth of what is known to leak.
        """
        all_series = self._history.series
        traffic = Traffic(all_series.values(), self._history.polls)
        alone: dict[Stack, _Active] = {}
        told = {stack for active in self._active for stack in active.stacks}
        for stack, run in runs.items():
            series = all_series[stack]
            growth = self._judge(series, run, traffic, told=stack in told)
            if growth is not None:
                alone[stack] = self._activate(time, [stack], series, growth, grouped=False)
        alone |= self._left_behind(time, traffic, known=told | alone.keys())
        together = []
        for group in self._history.groups.values():
            if group.series is None or (of_all := self._run(group.series)) is None:
                continue
            growth = self._judge(group.series, of_all, traffic, group.parts, told=not told.isdisjoint(group.stacks))
            if growth is not None:
                stacks = self._grown(group, growth)
                first = alone.get(stacks[0])
                own = first.growth if first else known.get(stacks[0], 0)
                if own < MOST_OF_IT * growth.run.growth:
                    together.append(self._activate(time, stacks, group.series, growth, grouped=True))
        return [*alone.values(), *together]

    def _left_behind(self, time: float, traffic: Traffic, known: Set[Stack]) -> dict[Stack, _Active]:
        """The stacks, but those that are known to leak, whose goroutines stay when those of a companion end."""
        all_series = self._history.series
        if (self._history.block or 0) % EVERY_BLOCKS == 0:
            self._companions.find(all_series)
        found: dict[Stack, _Active] = {}
        for excess in self._companions.excesses(all_series, self._min_count):
            if excess.stack in known or excess.stack in found:
                continue
            past = excess.past
            run = find_run(past.floors, PAUSE)
            if run is None or not excess.was_small(len(run.steps)):
                continue
            growth = self._judge(past, run, traffic, is_excess=True)
            if growth is not None:
                active = self._activate(time, [excess.stack], excess, growth, grouped=False)
                active.leak = replace(active.leak, companion=excess.companion, ratio=excess.ratio)
                found[excess.stack] = active
        return found

    def _run(self, series: Series) -> Run | None:
        """The growth that a series is in, if it may be a leak's."""
        is_large = series.last >= (self._min_count if self._max_total else RUNAWAY_GROWTH)
        return find_run(series.floors, PAUSE) if is_large or may_leak(series, self._min_count) else None

    def _judge(
        self,
        series: Series,
        run: Run,
        traffic: Traffic,
        parts: Sequence[Series] = (),
        *,
        told: bool = False,
        is_excess: bool = False,
    ) -> Growth | None:
        is_young = len(series.blocks) < STRIDE * int(STEADY_BLOCKS)
        if is_young and series.last < RUNAWAY_GROWTH and not self._max_total:
            return None
        total, block_seconds = self._history.total, self._history.block_seconds
        may_reach_limit = self._max_total and not is_excess
        if may_reach_limit and heads_for(self._max_total, series, run, total=total, block_seconds=block_seconds):
            return Growth(run, runaway=True)
        return judge(
            series,
            run,
            total=total,
            traffic=traffic,
            min_count=self._min_count,
            block_seconds=block_seconds,
            parts=parts,
            told=told,
            is_excess=is_excess,
        )

    def _activate(
        self, time: float, stacks: list[Stack], series: Series | Excess, growth: Growth, *, grouped: bool
    ) -> _Active:
        run = growth.run
        begin = len(self._history.total.blocks) // STRIDE - len(run.steps)
        total_from = self._history.total.floors[max(0, begin)]
        # The first of few came some time in its block, and not at its begin.
        length = run.length - 0.5 if run.steps[0] <= FEW_AT_FIRST else run.length
        since = time - self._history.in_block(time) - length * self._history.block_seconds
        leak = Leak(
            stack=stacks[0],
            severity=Severity.RUNAWAY if growth.runaway else Severity.LEAK,
            detected_at=time,
            since=max(since, series.born),
            time=time,
            count_from=run.count_from,
            count_to=series.last,
            total_from=total_from,
            total_to=self._history.total.last,
            dispersion=run.dispersion if len(run.steps) > 2 else 1.0,
        )
        return _Active(leak, series, run.growth, set(stacks), grouped)

    def _grown(self, group: Group, growth: Growth) -> list[Stack]:
        """The stacks of a group that have grown with it, the one that grew most first."""
        blocks = len(growth.run.steps)

        def grown(stack: Stack) -> int:
            floors = self._history.series[stack].floors
            return floors[-1] - floors[max(0, len(floors) - 1 - blocks)]

        least = growth.run.growth / len(group.stacks) / 4  # a quarter of what each would have if all were alike
        stacks = sorted(group.stacks, key=grown, reverse=True)
        return [stacks[0], *(stack for stack in stacks[1:] if grown(stack) >= least)]

    def _known(self, new: _Active) -> _Active | None:
        """The leak that goes on and is the same bug; where several may be, the one in the same functions."""
        functions = new.leak.stack.functions
        same = [active for active in self._active if self._same_bug(new, active)]
        return next((active for active in same if active.leak.stack.functions == functions), same[0] if same else None)

    def _same_bug(self, new: _Active, known: _Active) -> bool:
        """Whether two leaks are one: a shared stack, one function of one origin, or growth in step since one time."""
        if known.proven is not None and new.proven is None:
            return _continues(known, new)
        if not new.stacks.isdisjoint(known.stacks):
            return True
        if _place(new.leak.stack) == _place(known.leak.stack):
            return True
        if new.proven is not None or known.proven is not None:
            return False
        together = abs(new.leak.since - known.leak.since) <= 5 * self._history.block_seconds
        ours, theirs = new.count - new.leak.count_from, known.count - known.leak.count_from
        return together and abs(ours - theirs) <= max(3, 0.15 * max(ours, theirs))

    def _present(self, active: _Active, time: float) -> Leak:
        """The leak with its numbers as they are now."""
        also = sorted(active.stacks - {active.leak.stack}, key=lambda stack: (not is_users(stack), stack.functions))
        return replace(
            active.leak,
            time=time,
            count_to=self._count(active),
            total_to=self._history.total.last,
            also=tuple(also),
            listed=active.proven is not None,
        )

    def _count(self, active: _Active) -> int:
        """How many goroutines a leak has now: of those that were listed, no more than polls have seen since."""
        if active.proven is None:
            return active.count
        if not self._history.series:
            return active.proven
        there = sum(series.last for stack in active.stacks if (series := self._history.series.get(stack)) is not None)
        return min(there, active.proven)


def _count_listed(active: _Active, proven: Mapping[Stack, int]) -> int:
    """How many of a leak's goroutines the goroutineleak profile lists."""
    return sum(proven.get(stack, 0) for stack in active.stacks)


def _continues(stuck: _Active, growing: _Active) -> bool:
    """Whether what grows is what was stuck: the same functions, or a group that the stuck stack belongs to."""
    stack = stuck.leak.stack
    return stack.functions == growing.leak.stack.functions or (growing.grouped and stack in growing.stacks)


@lru_cache(maxsize=1024)
def _place(stack: Stack) -> tuple[str, str]:
    """Where to look for a bug: the function to look at first, whichever its closure and line, and the origin."""
    return enclosing(culprit(stack).function), origin(stack)
