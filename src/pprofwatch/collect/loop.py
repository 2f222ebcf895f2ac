"""Polls one profile of one target: tick, fetch, judge, log, watch; and again at the next tick."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from pprofwatch.collect.answers import judge
from pprofwatch.collect.aside import run_aside
from pprofwatch.collect.fetch import LARGE
from pprofwatch.collect.health import ERROR
from pprofwatch.collect.mistakes import describe_mistake
from pprofwatch.collect.turn import Turn
from pprofwatch.errors import FetchError, LogError, ProfileBusyError, ProfileMissingError
from pprofwatch.model import BINARY_PROFILES, Entry

if TYPE_CHECKING:
    from pprofwatch.collect.answers import Answer
    from pprofwatch.collect.polled import PolledTarget
    from pprofwatch.collect.record import Record
    from pprofwatch.collect.schedule import Ticks
    from pprofwatch.model import ProfileRequest

#: Seconds until a profile that the target does not have is asked for again: doubled each time, up to the last.
_ASK_AGAIN = 60.0
_ASK_AGAIN_MOST = 3600.0
#: Different mistakes that are said before one falls silent.
_MOST_SAID = 20
_LATE = "the poll before took too long, or the daemon could not run"
_OURS = "a mistake of ours"
_MISSING = "the target does not have this profile"

#: Takes an entry that has been logged.
Keep = Callable[[Entry], Awaitable[None]]


class ProfileLoop:
    """The loop of one profile.

    Args:
        polled: Its target.
        request: What to ask for.
        ticks: When.
        record: Where to log what came.
    """

    def __init__(self, polled: PolledTarget, request: ProfileRequest, ticks: Ticks, record: Record) -> None:
        self._polled = polled
        self._shared = polled.shared
        self._clock = polled.shared.clock
        self._name = polled.config.target.name
        self._request = request
        self._ticks = ticks
        self._record = record
        #: When the target last said that it does not have the profile, and how long it is not asked after that.
        self._missing_since = -math.inf
        self._pause = 0.0
        self._storing = f"store {polled.folder.path / request.name}"
        self._said: set[str] = set()
        #: Held during a poll: the target is never asked twice at once for the same profile.
        self._polling = anyio.Lock(fast_acquire=True)

    async def run(self) -> None:
        """Polls until cancelled."""
        while True:
            now = self._clock.monotonic()
            await anyio.sleep(max(0.0, self._ticks.next(now) - now))
            await self._poll_once(None)

    async def poll_now(self, keep: Keep) -> None:
        """Polls at once, or right after the poll that is under way; the ticks stay as they are.

        Args:
            keep: Is given the entry, if one came, before the watch sees it.
        """
        await self._poll_once(keep)

    async def _poll_once(self, keep: Keep | None) -> None:
        """A tick's poll, or one for who wants to ``keep`` it. A mistake of ours in it does not keep the next away."""
        async with self._polling:
            try:
                if keep is None:
                    self._skip(_LATE, self._ticks.begin(self._clock.monotonic()))
                await self._poll_unless_missing(keep)
            except Exception as error:  # noqa: BLE001  # no target may stop the others
                self._skip(_OURS)
                self._say_mistake(error)

    async def _poll_unless_missing(self, keep: Keep | None) -> None:
        now = self._clock.monotonic()
        if now < self._missing_since + self._pause and self._missing_since > self._polled.health.up_since:
            if keep is None:
                self._skip(_MISSING)
            return
        async with Turn(self._shared.large) as turn:
            await self._poll_in_turn(now, keep, turn)

    async def _poll_in_turn(self, now: float, keep: Keep | None, turn: Turn) -> None:
        """Polls, logs and shows what came; ``turn`` is taken while that is large."""
        time = round(self._clock.wall(), 3)
        try:
            entry = await self._poll(time, turn)
        except FetchError as error:
            self._note_failure(error)
            if self._request.implied and isinstance(error, ProfileMissingError):
                return
            is_busy = isinstance(error, ProfileBusyError)
            took = self._clock.monotonic() - now
            entry = self._entry(time, took=took, error=str(error), gap=int(is_busy))
        except LogError as error:  # a file of its own could not be stored
            self._note_success()
            self._shared.trouble.failed(self._storing, error)
            entry = self._entry(time, error=str(error))
        else:
            self._note_success()
        if await self._log(entry):
            self._rotate()
        if keep is not None:
            await keep(entry)
        # Also what could not be logged: a full disk must not silence alerts.
        await self._observe(entry)
        self._shared.pulse.polled(time)

    def _skip(self, reason: str, polls: int = 1) -> None:
        # What nobody asked for and the target lacks leaves no log that tells of nothing else.
        if not (self._request.implied and self._pause):
            self._record.skip(reason, polls)

    async def _poll(self, time: float, turn: Turn) -> Entry:
        """The entry with what was asked for.

        Raises:
            FetchError: It did not come.
            LogError: It came, but its file can't be written.
        """
        answer = await self._polled.fetcher.fetch(self._request, before_large=turn.take)
        body = await self._judge(answer, turn)
        if self._request.name not in BINARY_PROFILES:
            return self._entry(time, body=body, took=answer.took)
        store = self._polled.folder.store_binary
        file = await anyio.to_thread.run_sync(store, self._request.name, time, body)
        self._shared.trouble.succeeded(self._storing)
        self._shared.wrote(len(body))
        return self._entry(time, file=file, took=answer.took)

    async def _judge(self, answer: Answer, turn: Turn) -> bytes:
        if not self._request.seconds and not turn.is_taken:
            return judge(self._request, answer)
        max_bytes = self._polled.config.max_body
        async with contextlib.nullcontext() if turn.is_taken else self._shared.decoding:
            body = await run_aside("judge", lambda: judge(self._request, answer, max_bytes=max_bytes))
            if len(body) > LARGE:  # few bytes of protobuf may be long as text
                await turn.take()
            return body

    def _entry(
        self, time: float, *, body: bytes = b"", took: float = 0.0, error: str = "", gap: int = 0, file: str = ""
    ) -> Entry:
        return Entry(time, self._name, self._request.name, body, self._request.seconds, took, error, gap, file)

    def _note_failure(self, error: FetchError) -> None:
        if isinstance(error, ProfileMissingError):
            self._missing_since = self._clock.monotonic()
            self._pause = min(max(2 * self._pause, _ASK_AGAIN), _ASK_AGAIN_MOST)
        now, implied = self._clock.monotonic(), self._request.implied
        for priority, line in self._polled.health.failed(self._request.name, error, now, implied=implied):
            self._shared.say(priority, line)

    def _note_success(self) -> None:
        self._pause = 0.0
        for priority, line in self._polled.health.succeeded(self._request.name, self._clock.monotonic()):
            self._shared.say(priority, line)

    async def _log(self, entry: Entry) -> bool:
        """Logs the entry; False if that failed."""
        record = self._record
        try:
            if len(entry.body) > LARGE:
                await anyio.to_thread.run_sync(record.append, entry)
            else:
                record.append(entry)
        except LogError as error:
            self._shared.trouble.failed(f"write {record.path}", error)
            return False
        self._shared.trouble.succeeded(f"write {record.path}")
        record.say_notices()
        return True

    def _rotate(self) -> None:
        try:
            self._record.rotate_when_due(self._clock.wall())
        except LogError as error:
            self._shared.trouble.failed(f"close {self._record.path}", error)
        else:
            self._shared.trouble.succeeded(f"close {self._record.path}")

    async def _observe(self, entry: Entry) -> None:
        try:
            await self._polled.show(lambda: self._polled.watch.observe(entry), is_large=len(entry.body) > LARGE)
        except Exception as error:  # noqa: BLE001  # polls go on
            self._say_mistake(error)

    def _say_mistake(self, error: Exception) -> None:
        mistake = describe_mistake(error)
        if mistake not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(mistake)
            self._shared.say(ERROR, f"{self._name} {self._request.name}: {mistake}")
