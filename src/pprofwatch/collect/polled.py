"""A target that is polled: what its loops share, and how they show its watch what came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from pprofwatch.collect.aside import Aside, run_aside
from pprofwatch.collect.parts import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

    from pprofwatch.collect.fetch import Fetcher
    from pprofwatch.collect.health import Health
    from pprofwatch.collect.parts import Shared, Watch
    from pprofwatch.config.settings import TargetConfig
    from pprofwatch.logs.target_folder import TargetFolder

#: Seconds that the end waits for what is being noted down.
_LAST_NOTE = 1.0


@dataclass(frozen=True, slots=True)
class PolledTarget:
    """What the loops of one target share.

    ``watching`` is held while its watch looks at something; ``suspicion`` is rung when that wants evidence.
    """

    config: TargetConfig
    folder: TargetFolder
    fetcher: Fetcher
    watch: Watch
    health: Health
    shared: Shared
    watching: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))
    suspicion: Bell = field(default_factory=Bell)

    async def show(self, look: Callable[[], None], *, is_large: bool) -> None:
        """Lets the watch look at something (aside, where it is large), and has it note down what is news.

        The turn for what is large has been taken before: who waits for it must not keep others from the watch.

        Raises:
            Exception: As ``look`` and the watch do.
        """
        async with self.watching:
            if is_large:
                await run_aside("observe", look)
            else:
                look()
            if self.watch.has_news:
                await self._note()
            if self.watch.wants_evidence:
                self.suspicion.ring()

    async def _note(self) -> None:
        note = Aside("note", self.watch.note)
        try:
            await note.run()
        except anyio.get_cancelled_exc_class():
            # Who takes over from this watch reads what it noted down; but a disk that hangs keeps nobody from ending.
            with anyio.move_on_after(_LAST_NOTE, shield=True):
                await note.run()
            raise
