"""Asks a target for evidence when its watch suspects a leak: rarely, and beside its polls, which never wait for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from pprofwatch.collect.answers import MAX_ITEMS, judge, most_decoded
from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.fetch import Fetcher
from pprofwatch.collect.health import ERROR, NOTICE, failure_kind
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.collect.turn import Turn
from pprofwatch.errors import FetchError, LogError, ProfileError, ProfileMissingError
from pprofwatch.logs.evidence_folder import EvidenceFolder
from pprofwatch.model import ProfileRequest
from pprofwatch.profiles.dump import parse_dump

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pprofwatch.collect.loop import ProfileLoop
    from pprofwatch.collect.polled import PolledTarget
    from pprofwatch.config.settings import LeakConfig
    from pprofwatch.model import Entry, Stack

#: Rounds of evidence that a target is asked for at first, and the seconds after which it may be asked for one more.
_ROUNDS = 3
_ROUND_EVERY = 600.0
#: Seconds between the two dumps of a round, where the leak window does not call for less.
_SECOND_DUMP = 300.0
_DUMPS_IN_WINDOW = 6
#: Lines that are said about evidence that can't be had.
_MOST_SAID = 20
_REASONS = ProfileRequest("goroutine", debug=0)
_DUMP = ProfileRequest("goroutine", debug=2)


class Budget:
    """How often something may be done: so often at first, and once more after each interval, never saved up beyond.

    Args:
        most: How often at first.
        every: Seconds.
    """

    def __init__(self, most: int, every: float) -> None:
        self._every = every
        self._ahead = (most - 1) * every
        #: When all that was done would be paid for, at one an interval.
        self._paid = -math.inf

    def take(self, now: float) -> bool:
        """Whether it may be done ``now`` (seconds on a monotonic clock), which is then counted."""
        if self._paid - now > self._ahead:
            return False
        self._paid = max(self._paid, now) + self._every
        return True


class EvidenceLoop:
    """Fetches evidence of one target whenever its watch wants some, within a budget.

    A round is the goroutine profile as protobuf, which tells why goroutines wait; all goroutines one by one
    (``debug=2``), where there are not too many, and again some minutes later; and the goroutineleak profile. What came
    is kept in the folder of what is suspected, and shown to the watch. What can't be had is left out.

    Args:
        polled: The target.
        leaked: The loop of its goroutineleak profile, if that is polled.
        settings: What a suspicion is worth.
    """

    def __init__(self, polled: PolledTarget, leaked: ProfileLoop | None, settings: LeakConfig) -> None:
        self._polled = polled
        self._shared = polled.shared
        self._clock = polled.shared.clock
        self._name = polled.config.target.name
        self._leaked = leaked
        self._most_goroutines = settings.evidence_max_goroutines
        self._apart = min(_SECOND_DUMP, settings.window / _DUMPS_IN_WINDOW)
        self._folder = EvidenceFolder(polled.folder.path)
        self._budget = Budget(_ROUNDS, _ROUND_EVERY)
        #: When to look again at what is suspected, on the monotonic clock; and whether by a second dump.
        self._look_at = math.inf
        self._dumps_again = False
        self._said: set[str] = set()

    async def run(self) -> None:
        """Fetches until cancelled."""
        while True:
            with anyio.move_on_after(max(0.0, self._look_at - self._clock.monotonic())):
                await self._polled.suspicion.wait()
            now = self._clock.monotonic()
            if self._polled.watch.wants_evidence and self._budget.take(now):
                await self._ask()
            elif now >= self._look_at:
                await self._look_again()

    async def _ask(self) -> None:
        """A round, but for the second dump."""
        await self._attempt("evidence", self._begin)
        await self._attempt("goroutine?debug=0", self._fetch_reasons)
        await self._attempt("goroutine?debug=2", self._fetch_dump)
        if self._leaked is not None:
            await self._leaked.poll_now(self._keep_leaked)
        self._look_at, self._dumps_again = self._clock.monotonic() + self._apart, True

    async def _look_again(self) -> None:
        """The second dump; later, whether the suspicion came to nothing, which leaves nothing behind."""
        if not self._polled.watch.wants_second_dump:
            self._look_at = math.inf
            await self._in_folder(self._folder.discard)
            return
        if self._dumps_again:
            await self._attempt("goroutine?debug=2", self._fetch_dump)
        self._look_at, self._dumps_again = self._clock.monotonic() + self._apart, False

    async def _attempt(self, what: str, part: Callable[[], Awaitable[None]]) -> None:
        """Tries one part; the others do not depend on it. Each kind of failure is said once."""
        try:
            await part()
        except ProfileMissingError:
            pass  # as with the polls of what nobody asked for
        except (FetchError, ProfileError) as error:
            self._say(NOTICE, what + failure_kind("goroutine", error), f"{what}, for evidence: {error}")
        except Exception as error:  # noqa: BLE001  # polls go on, and the next suspicion is another chance
            mistake = describe_mistake(error)
            self._say(ERROR, mistake, f"{what}: {mistake}")

    async def _begin(self) -> None:
        await self._polled.show(self._polled.watch.begin_evidence, is_large=False)

    async def _fetch_reasons(self) -> None:
        async with Turn(self._shared.large) as turn:
            time, body = await self._fetch(_REASONS, turn)
            await self._keep("goroutine.pb.gz", time, body)
            most = most_decoded(body, self._polled.config.max_body)
            reasons = await run_aside("decode", lambda: _read_reasons(body, most))
            await self._polled.show(lambda: self._polled.watch.take_reasons(time, reasons), is_large=True)

    async def _fetch_dump(self) -> None:
        if self._polled.watch.total > self._most_goroutines:
            return
        async with Turn(self._shared.large) as turn:
            time, body = await self._fetch(_DUMP, turn)
            await self._keep("goroutine.txt", time, body)
            dump = await run_aside("decode", lambda: parse_dump(body))
            await self._polled.show(lambda: self._polled.watch.take_dump(time, dump), is_large=True)

    async def _keep_leaked(self, entry: Entry) -> None:
        if entry.body:
            await self._keep("goroutineleak.txt", entry.time, entry.body)

    async def _fetch(self, request: ProfileRequest, turn: Turn) -> tuple[float, bytes]:
        """When it was asked for, and the answer: over a connection of its own, so that no poll has to make a new one.

        The ``turn`` is taken as soon as the answer has come, whatever its size: it becomes large when it is decoded.

        Raises:
            FetchError: It did not come.
        """
        config = self._polled.config
        fetcher = Fetcher(config, self._shared.contexts, self._polled.folder.path, self._clock.monotonic)
        time = round(self._clock.wall(), 3)
        try:
            answer = await fetcher.fetch(request, before_large=turn.take)
        finally:
            with anyio.CancelScope(shield=True):
                await fetcher.aclose()
        await turn.take()
        return time, await run_aside("judge", lambda: judge(request, answer, max_bytes=config.max_body))

    async def _keep(self, kind: str, time: float, data: bytes) -> None:
        await self._in_folder(lambda: self._folder.store(kind, time, data))

    async def _in_folder(self, change: Callable[[], None]) -> None:
        """Changes what is kept. What can't be kept can be used all the same."""
        what = f"keep evidence of {self._name}"
        try:
            await run_aside("evidence", change)
        except LogError as error:
            self._shared.trouble.failed(what, error)
        else:
            self._shared.trouble.succeeded(what)

    def _say(self, priority: int, kind: str, line: str) -> None:
        if kind not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(kind)
            self._shared.say(priority, f"{self._name} {line}")


def _read_reasons(body: bytes, max_bytes: int) -> dict[Stack, str]:
    # Loading protobuf takes long, and most targets are never suspected.
    from pprofwatch.profiles.proto import decode_proto  # noqa: PLC0415
    from pprofwatch.profiles.waits import wait_reasons  # noqa: PLC0415

    return wait_reasons(decode_proto(body, max_bytes=max_bytes, max_items=MAX_ITEMS))
