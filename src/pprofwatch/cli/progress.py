"""How far a long piece of work has come: a bar on a terminal's stderr, for what takes longer than a second."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 1.0
#: Drawn anew after this long; in seconds.
_REFRESH = 0.1


class ProgressBar:
    """A bar that appears after a second, where stderr is a terminal, and disappears at the end."""

    def __init__(self, label: str, total: int | None, *, hidden: bool = False) -> None:
        """Begin at 0 of ``total`` bytes (None: nobody knows)."""
        self._label = label
        self._total = total
        self._done = 0
        self._since = time.monotonic()
        self._drawn = 0.0
        self._shown: tuple[Progress, TaskID] | None = None
        self._hidden = hidden or not sys.stderr.isatty()

    def advance(self, count: int) -> None:
        """Another ``count`` bytes are done."""
        self._done += count
        if self._hidden:
            return
        now = time.monotonic()
        if self._shown is None and now - self._since > _PATIENCE:
            self._shown = self._show()
        if self._shown is not None and now - self._drawn >= _REFRESH:
            self._drawn = now
            progress, task = self._shown
            progress.update(task, completed=self._done, refresh=True)

    def _show(self) -> tuple[Progress, TaskID]:
        from rich.console import Console  # noqa: PLC0415  # takes long to load, and most work is done before
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,  # that would be a thread, and processes that read are forked from this one
        )
        progress.start()
        return progress, progress.add_task(self._label, total=self._total)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown is not None:
            self._shown[0].stop()
