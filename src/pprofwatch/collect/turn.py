"""Turns at what is done once at a time for all targets together: holding a body of megabytes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anyio


class Turn:
    """One holder's turn: taken where it turns out to be needed, and given back at the end of the ``with`` block.

    Args:
        lane: How many may have one at once.
    """

    def __init__(self, lane: anyio.CapacityLimiter) -> None:
        self._lane = lane
        self.is_taken = False

    async def take(self) -> None:
        """Waits for the turn, unless it is taken already."""
        if not self.is_taken:
            await self._lane.acquire_on_behalf_of(self)
            self.is_taken = True

    async def __aenter__(self) -> Turn:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.is_taken:
            self.is_taken = False
            self._lane.release_on_behalf_of(self)
