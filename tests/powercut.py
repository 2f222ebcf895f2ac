"""Cuts the power of a disk that the daemon writes to, and looks at what is left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from numbered import body, number_of, start_daemon
from pprofwatch.logs.reader import read_entries

if TYPE_CHECKING:
    from disks import Ext4
    from numbered import NumberedServer
    from pprofwatch.logs.problem import Problem

_TORN = {"torn entry", "no header line"}
#: Seconds in which a daemon must have begun to poll, on a busy machine.
_START = 20.0


class PowerCut:
    """A disk whose power is cut again and again, while a daemon logs to it.

    Args:
        server: What it polls.
        names: The targets.
        disk: Where its logs are.
        sync_interval: The daemon's, in seconds.
    """

    def __init__(self, server: NumberedServer, names: tuple[str, ...], disk: Ext4, sync_interval: float) -> None:
        self._server = server
        self._names = names
        self._disk = disk
        self._sync_interval = sync_interval
        self._folder = disk.path / "logs"
        self._cuts = 0
        #: What the daemon said before the last cut.
        self.said = ""
        #: What was read after the last cut, by target: it must stay.
        self.kept: dict[str, list[int]] = {name: [] for name in names}

    def cut_after(self, seconds: float) -> float:
        """Has it poll for so many seconds, and then cuts the power.

        Returns:
            How old the oldest entry was, in seconds, that was logged before and is gone.
        """
        asked = self._server.asked
        first = {name: len(asked[name]) + 1 for name in self._names}
        options = "--sync-interval", f"{self._sync_interval * 1000:.0f}ms", "--keep-free", "1MiB"
        with start_daemon(self._server, self._names, self._folder, *options) as process:
            with self._server.news:
                is_polled = lambda: all(len(asked[name]) >= first[name] for name in self._names)  # noqa: E731
                came = self._server.news.wait_for(is_polled, _START)
            time.sleep(seconds)
            cut_at = time.monotonic()
            self._disk.cut_power()
            process.kill()
            self.said = process.communicate()[1].decode()
        assert came, self.said
        self._cuts += 1
        self._disk.unmount()
        self._disk.mount()
        return max(self._look(name, first[name], cut_at) for name in self._names)

    def _look(self, name: str, first: int, cut_at: float) -> float:
        problems: list[Problem] = []
        place = next(self._folder.glob(f"*_{name}_debug_pprof"), None)
        is_there = place is not None and any(place.glob("*.log*"))
        found = list(read_entries([place], on_problem=problems.append)) if place and is_there else []
        entries = [entry for entry in found if entry.body]
        numbers = [number_of(entry) for entry in entries]
        assert all(entry.body == body(number) for entry, number in zip(entries, numbers, strict=True))
        # Only what was being written at a cut is torn; it stays so in a segment that was closed since.
        assert {problem.reason for problem in problems} <= _TORN, problems
        assert len(problems) <= self._cuts, problems
        kept = self.kept[name]
        assert numbers[: len(kept)] == kept, f"of {len(kept)} entries there are {len(numbers)}: {self.said}"
        following = first + len(numbers) - len(kept)
        assert numbers[len(kept) :] == list(range(first, following)), "something is missing in the middle"
        self.kept[name] = numbers
        asked = self._server.asked[name]
        # An answer was surely logged if there was a request after it, and not before it was asked for.
        return cut_at - asked[following - 1] if len(asked) > following else 0.0
