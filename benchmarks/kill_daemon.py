"""Kills the daemon at random moments, and looks at what is left: is every entry but the last one readable?

    .venv/bin/python benchmarks/kill_daemon.py [--times 1000] [--seed 1]

The daemon polls four targets as fast as it can and closes a segment every hundred entries. At a random moment it gets
``kill -9``. What was logged before then must be readable, each entry once and in order; what can't be read may only be
the end of a live segment; and the next start has to go on, within two seconds.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from numbered import body, number_of, serving, start_daemon
from pprofwatch.logs.reader import read_entries

if TYPE_CHECKING:
    from numbered import NumberedServer
    from pprofwatch.logs.problem import Problem

TARGETS = ("a", "b", "c", "d")
#: Each folder of logs sees so many kills: reading it takes longer the more there is in it.
KILLS = 20
#: A kill comes up to so many seconds after the first poll, or, for a part, after the start.
LATEST = 1.0
POLLING = 0.8
#: Seconds after which a start is given up.
LONGEST_START = 20.0


def kill_once(server: NumberedServer, folder: Path, moments: random.Random) -> float | None:
    """Start it, and kill it at a random moment. The seconds until its first poll, if it came so far."""
    before = server.answers()
    began = time.monotonic()
    process = start_daemon(server, TARGETS, folder)
    polled = None
    if moments.random() < POLLING:
        with server.news:
            server.news.wait_for(lambda: server.answers() > before, LONGEST_START)
        polled = time.monotonic() - began
    time.sleep(moments.uniform(0, LATEST))
    process.kill()
    _, said = process.communicate()
    assert polled is None or polled < LONGEST_START, f"no poll within {LONGEST_START} s: {said.decode()}"
    assert process.returncode == -9, f"ended with status {process.returncode}: {said.decode()}"
    lines = [line for line in said.decode().splitlines() if "cut off a torn entry" not in line]
    assert len(lines) <= 1, f"said: {lines}"  # what it records
    return polled


class Log:
    """The log of one target, from an empty folder on: which answers must be in it.

    Args:
        server: Where the target is.
        name: The target's.
        folder: The log folder.
    """

    def __init__(self, server: NumberedServer, name: str, folder: Path) -> None:
        self._server = server
        self._name = name
        self._folder = folder
        self._first = len(server.asked[name]) + 1
        #: Answers that may not be there.
        self._lost: set[int] = set()

    def begin(self) -> None:
        """Another daemon is about to start: what was asked for last was under way when the one before was killed."""
        self._lost.add(len(self._server.asked[self._name]))

    def look(self) -> tuple[int, list[Problem]]:
        """How many entries can be read, and what can't, after a check of all of them."""
        problems: list[Problem] = []
        last = len(self._server.asked[self._name])
        place = next(self._folder.glob(f"*_{self._name}_debug_pprof"), None)
        is_there = place is not None and any(place.glob("*.log*"))
        found = list(read_entries([place], on_problem=problems.append)) if place and is_there else []
        # A gap, where a poll took longer than the interval, is an entry without a body.
        entries = [entry for entry in found if entry.body]
        numbers = [number_of(entry) for entry in entries]
        assert numbers == sorted(set(numbers)), f"{self._name}: an entry twice, or out of order"
        assert all(entry.body == body(number) for entry, number in zip(entries, numbers, strict=True))
        # The last answer was logged, or not; no other, after this kill.
        missing = set(range(self._first, last + 1)) - set(numbers) - self._lost
        assert missing <= {last}, f"{self._name}: acknowledged and not readable: {sorted(missing)}"
        assert all(problem.path.endswith("/goroutine.log") for problem in problems), problems
        assert {problem.reason for problem in problems} <= {"torn entry"}, problems
        return len(entries), problems


def main() -> None:
    """Kill and look, again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    moments = random.Random(args.seed)
    torn = entries = segments = done = 0
    starts: list[float] = []
    with serving() as server:
        while done < args.times:
            with tempfile.TemporaryDirectory() as place:
                logs = [Log(server, name, Path(place)) for name in TARGETS]
                for _ in range(min(KILLS, args.times - done)):
                    for log in logs:
                        log.begin()
                    took = kill_once(server, Path(place), moments)
                    starts += [] if took is None else [took]
                    seen = [log.look() for log in logs]
                    torn += sum(len(problems) for _, problems in seen)
                    done += 1
                entries += sum(found for found, _ in seen)
                segments += len(list(Path(place).glob("*/*.zst")))
            print(f"{done} kills, {entries} entries", file=sys.stderr)
    starts.sort()
    print(f"killed {done} times, {len(starts)} of them after the first poll: every one of {entries} entries that were")
    print(f"acknowledged is readable; {segments} closed segments; {torn} entries torn, at the end of a live segment")
    print(f"first poll after {starts[len(starts) // 2]:.2f} s in the median, {starts[-1]:.2f} s at most")
    assert starts[-1] <= 2.0, "the start took longer than 2 s"


if __name__ == "__main__":
    main()
