"""Days of polling in minutes: targets of all kinds, and a daemon that is killed, stopped, reloaded and restarted.

    .venv/bin/python benchmarks/soak.py [--minutes 5] [--seed 1]

First many short lives, which end at random moments by SIGKILL, SIGTERM or SIGINT; then, for more than half of the time,
one long life. All along the daemon is sent HUPs, with changed and with broken configurations, and stopped for a while.
At the end all must hold: each answer that a target has sent is in the logs or accounted for, the log folder keeps its
budget, memory, descriptors, threads and the cost of a poll stay as they were, one leak was told once, and nothing else
was. Exit status 1 if anything does not. No verdict depends on how fast the machine is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import badserver
from canned import serve
from daemons import until
from pprofwatch.alerts.journal import Journal
from pprofwatch.errors import LogError
from pprofwatch.logs.reader import read_entries
from soak_targets import Numbered, bad_ways, make_targets
from soak_verdict import Life, Poll, Sample, check_alerts, check_growth, lost_answers, lost_ticks

if TYPE_CHECKING:
    from pprofwatch.alerts.incidents import Event
    from pprofwatch.logs.problem import Problem

ROTATE_SIZE = 96 << 10
KEEP_SIZE = 6 << 20
#: What may be written on a busy machine until the thread that removes old logs has its turn.
LAG = 512 << 10
LEAK_WINDOW = 10.0
ENDINGS = [signal.SIGKILL] * 6 + [signal.SIGTERM] * 3 + [signal.SIGINT]
SERIAL = re.compile(rb'"serial":"(\d+)"')
PROGRAM = str(Path(sys.executable).parent / "pprofwatch")
TICKS = os.sysconf("SC_CLK_TCK")
ENVIRON = os.environ | {"MALLOC_ARENA_MAX": "2"}  # as the service has it


@dataclass
class Soak:
    """The run: what is polled, what happened, and what went wrong."""

    place: Path
    targets: list[Numbered]
    chance: random.Random
    lives: list[Life] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    largest: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    torn: int = 0
    slowest_end: float = 0.0
    with_extra: bool = False
    config_text: str = ""
    verified: str = ""
    bad_addresses: list[str] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        return self.place / "logs"

    @property
    def stderr(self) -> Path:
        return self.place / "stderr"

    # What happens

    async def run(self, seconds: float, long_life: float) -> None:
        """Many lives, and a long one, which takes this share of the time."""
        loop = asyncio.get_running_loop()
        end_of_short = loop.time() + seconds * (1 - long_life)
        while loop.time() < end_of_short:
            await self.live(self.chance.uniform(0.3, 20), self.chance.choice(ENDINGS))
        await self.live(seconds * long_life, signal.SIGTERM)

    async def live(self, seconds: float, ending: signal.Signals) -> None:
        """Starts the daemon, bothers it for some time, ends it, and looks at what it has logged."""
        self.write_config()
        life = Life(time.time())
        self.lives.append(life)
        self.samples.clear()
        with self.stderr.open("a") as stderr:
            said = stderr.tell()
            process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "start", "--config"),
                self.place / "config.toml",
                "--log-dir",
                self.logs,
                stderr=stderr,
                env=ENVIRON,
            )
        sampling = asyncio.create_task(self.sample(process.pid))
        collecting = asyncio.create_task(self.collect_often(life))
        async with asyncio.TaskGroup() as tasks:
            # Until it takes signals, any would end it; but SIGKILL may come that soon.
            taken = tasks.create_task(
                until(lambda: self.stderr.stat().st_size > said or process.returncode is not None)
            )
            if ending is not signal.SIGKILL:
                await taken
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.wait([taken])
                    await self.bother(life, process)
            taken.cancel()
        await end(sampling)  # an end that takes a while is no part of how it was
        if process.returncode is not None:
            self.problems.append(f"the daemon ended by itself, with status {process.returncode}")
        else:
            process.send_signal(signal.SIGCONT)
            process.send_signal(ending)
        began = time.monotonic()
        status = await process.wait()
        self.slowest_end = max(self.slowest_end, time.monotonic() - began)
        if status != (-signal.SIGKILL if ending is signal.SIGKILL else 0):
            self.problems.append(f"after {ending.name} the daemon ended with status {status}")
        self.happened[ending.name] += 1
        await end(collecting)
        life.ended, life.ending = time.time(), ending.name
        self.collect(life, life.began)
        self.look_for_damage()
        self.check_life(life)

    async def bother(self, life: Life, process: asyncio.subprocess.Process) -> None:
        """Signals at random moments, until it is cancelled or the daemon ends."""
        while process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 2 + self.chance.expovariate(1 / 3))
                return
            what = self.chance.choice(["stop", "reload", "reload", "break"])
            self.happened[what] += 1
            if what == "stop":
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(self.chance.uniform(0.1, 2.5))
                process.send_signal(signal.SIGCONT)
                continue
            if what == "break":
                (self.place / "config.toml").write_text(self.config_text[: self.chance.randrange(200)] + "\n= nonsense")
            else:
                self.with_extra = not self.with_extra
                self.write_config()
                life.reloaded["steady-0"] += 1
            process.send_signal(signal.SIGHUP)

    def write_config(self) -> None:
        """The configuration; what a reload changes is one target's timeout, and whether another one is there."""
        lines = [
            'profile = ["goroutine"]',
            'max_body = "1MiB"',
            f'rotate_size = "{ROTATE_SIZE}"',
            f'keep_size = "{KEEP_SIZE}"',
            f'leak_window = "{LEAK_WINDOW:.0f}s"',
            'goroutineleak_every = "5s"',
            'log_format = "json"',
        ]
        for target in self.targets:
            lines += ["[[target]]", f'name = "{target.name}"', f'url = "{target.host}"']
            lines.append(f'interval = "{target.every * 1000:.0f}ms"')
            if target.name == "steady-0":
                lines.append(f'timeout = "{800 + self.with_extra}ms"')
        for number, address in enumerate(self.bad_addresses):
            lines += ["[[target]]", f'name = "bad-{number}"', f'url = "{address}"', 'interval = "1s"']
        if self.with_extra:
            lines += ["[[target]]", 'name = "extra"', 'url = "127.0.0.1:2"', 'interval = "1s"']
        self.config_text = "\n".join(lines)
        (self.place / "config.toml").write_text(self.config_text)

    # What is seen of it

    async def sample(self, pid: int) -> None:
        """Notes down what the daemon uses and what its logs take, again and again."""
        while True:
            with contextlib.suppress(OSError, KeyError):  # it may be starting, or just ending
                process = Path(f"/proc/{pid}")
                status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                self.samples.append(
                    Sample(
                        time.time(),
                        int(status["VmRSS"].split()[0]) << 10,
                        len(list((process / "fd").iterdir())),
                        int(status["Threads"]),
                        (int(fields[11]) + int(fields[12])) / TICKS,
                        sum(target.asked for target in self.targets),
                    )
                )
            self.largest = max(self.largest, folder_size(self.logs))
            await asyncio.sleep(0.3)

    async def collect_often(self, life: Life) -> None:
        """Reads what is logged, before old segments are removed."""
        since = life.began
        while True:
            await asyncio.sleep(5)
            before = time.time() - 5  # what is under way, or stopped, may be logged later with a time from before
            with contextlib.suppress(LogError, OSError):  # a segment was just renamed, or the folder not made yet
                self.collect(life, since)
                since = before

    def collect(self, life: Life, since: float) -> None:
        """Adds to a life what its logs hold from a time on."""
        for target in self.targets:
            folder = self.logs / target.name
            if not folder.exists():
                continue
            polls = life.polls.setdefault(target.name, set())
            for entry in read_entries([folder], profile="goroutine", since=since, on_problem=lambda _: None):
                if entry.time >= life.began:
                    found = SERIAL.search(entry.body)
                    polls.add(Poll(entry.time, int(found[1]) if found else 0, entry.gap, entry.error))

    def look_for_damage(self) -> None:
        """All logs are whole, but for the entry that was being written at the end of a live one."""
        problems: list[Problem] = []
        for _ in read_entries([self.logs], on_problem=problems.append):
            pass
        self.torn += len(problems)
        self.problems += [
            f"damage: {each.path} at byte {each.offset}: {each.reason}"
            for each in problems
            if each.reason != "torn entry" or not each.path.endswith("/goroutine.log")
        ]

    async def verify(self) -> None:
        """All that is left is whole, as `pprofwatch verify` sees it."""
        process = await asyncio.create_subprocess_exec(PROGRAM, "verify", self.logs, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        self.verified = said.decode().splitlines()[-1]
        if process.returncode != 0:
            self.problems += said.decode().splitlines()[:5]

    def told(self) -> list[Event]:
        """The events of all targets' journals."""
        return [event for target in self.targets for event in Journal(self.logs / target.name).read()]

    # What must hold

    def check_life(self, life: Life) -> None:
        """Each answer is logged, or the last one, or told of as failed; each interval has its poll or is in a gap."""
        for target in self.targets:
            polls = sorted(life.polls.get(target.name, ()))
            for problem in (*lost_answers(life, target, polls), *lost_ticks(life, target, polls)):
                self.problems.append(f"life {len(self.lives)} ({life.ending}), {target.name}: {problem}")


async def end(task: asyncio.Task[None]) -> None:
    """Cancels a task; what went wrong in it is raised here."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def folder_size(folder: Path) -> int:
    """Bytes that all files in it take of the disk."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += Path(parent, name).stat().st_blocks * 512
    return size


def report(soak: Soak, seconds: float) -> bool:
    """Prints all figures and what went wrong; True if nothing did."""
    polls = sum(len(polls) for life in soak.lives for polls in life.polls.values())
    rows = [
        ("lives", f"{len(soak.lives)}: {dict(soak.happened)}", True),
        ("polls logged", f"{polls}, of {sum(target.asked for target in soak.targets)} requests", polls > 0),
        ("targets' days, at 10 s", f"{polls * 10 / 86400:.1f}", True),
        ("torn at the end by kills", str(soak.torn), soak.torn <= soak.happened["SIGKILL"] * len(soak.targets)),
        (
            "logs at the most, KiB",
            f"{soak.largest >> 10} of {KEEP_SIZE >> 10}",
            soak.largest <= KEEP_SIZE + ROTATE_SIZE + LAG,
        ),
        ("verify", soak.verified, True),
        ("slowest end, s", f"{soak.slowest_end:.1f}", True),
        *check_growth(soak.samples, soak.lives[-1].began),
        *check_alerts(soak.told(), soak.stderr.read_text().count('"event": "opened"'), soak.happened["SIGKILL"]),
        ("problems", str(len(soak.problems)), not soak.problems),
    ]
    for what, figure, is_fine in rows:
        print(f"{'' if is_fine else 'FAILED':7}{what:26}{figure}")
    for problem in soak.problems[:20]:
        print(f"  {problem}")
    usage = os.times()
    cpu = sum(usage[:4])
    print(f"{seconds:.0f} s, CPU of it all {cpu / seconds:.0%} of a core")
    return all(is_fine for _, _, is_fine in rows)


async def soak_for(seconds: float, long_life: float, seed: int, place: Path) -> bool:
    """Runs and judges it."""
    chance = random.Random(seed)
    soak = Soak(place, make_targets(chance), chance)
    by_host = {target.host: target for target in soak.targets}
    async with contextlib.AsyncExitStack() as servers:
        port = await servers.enter_async_context(serve(lambda asked: by_host[asked.host].answer(asked)))
        for target in soak.targets:
            by_host[target.host] = target
            target.host = f"{target.host}:{port}"
        soak.bad_addresses.append(servers.enter_context(badserver.never_accepting()))
        for way in bad_ways():
            soak.bad_addresses.append((await servers.enter_async_context(badserver.serve(way))).address)
        began = time.monotonic()
        await soak.run(seconds, long_life)
        await soak.verify()
    return report(soak, time.monotonic() - began)


def main() -> None:
    """Soak, and exit 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--long-life", type=float, default=0.55, help="the share of it that is one long life")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for logs and messages, which stays")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        is_fine = asyncio.run(soak_for(args.minutes * 60, args.long_life, args.seed, args.keep or Path(place)))
    sys.exit(not is_fine)


if __name__ == "__main__":
    main()
