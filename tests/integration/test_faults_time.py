"""What happens to the daemon's time: clocks that are set, daylight saving, a stopped process, polls that last."""

from __future__ import annotations

import datetime as dt
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from badserver import GOROUTINE, after, answer, serve
from daemon_process import DaemonProcess, daemon_in
from daemons import until

if TYPE_CHECKING:
    from pprofwatch.model import Entry

_FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
HOUR, YEAR = 3600, 365 * 86400


class WallClock:
    """The wall clock of a process that was started with ``environ``: ahead of ours by what it is ``set`` to."""

    def __init__(self, folder: Path) -> None:
        if not Path(_FAKETIME).exists():
            pytest.skip("needs libfaketime: apt-get install faketime")
        self._file = folder / "clock"
        self.set(0)
        self.environ = {
            "LD_PRELOAD": _FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead: int) -> None:
        """Sets it ahead by so many seconds."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead:+d}\n")
        new.replace(self._file)


def config(address: str, interval: str = "50ms", more: str = "") -> str:
    return f'target = ["{address}"]\nprofile = ["goroutine"]\ninterval = "{interval}"\n{more}'


def read(daemon: DaemonProcess, *args: str) -> str:
    """What a command tells of the daemon's logs."""
    command = [sys.executable, "-m", "pprofwatch", *args, str(daemon.logs)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


@pytest.mark.parametrize("ahead", [-HOUR, YEAR], ids=["an hour back", "a year ahead"])
@pytest.mark.anyio
async def test_a_wall_clock_that_is_set_and_set_back_loses_no_poll(ahead: int, tmp_path: Path) -> None:
    clock = WallClock(tmp_path)

    def polled_at(setting: int) -> list[Entry]:
        entries = daemon.entries(server.address)
        return [entry for entry in entries if not entry.gap and abs(entry.time - setting - time.time()) < HOUR / 2]

    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "d", environ=clock.environ) as daemon:
            daemon.configure(config(server.address, more='rotate_size = "4KiB"\nkeep_age = "2d"\n'))
            daemon.start()
            with anyio.fail_after(30):
                for setting, polls in ((0, 8), (ahead, 8), (0, 16)):
                    clock.set(setting)
                    await daemon.until(lambda: len(polled_at(setting)) >= polls)  # noqa: B023  # it is awaited here
            daemon.end()
        asked = len(server.requests)
    entries = daemon.entries(server.address)
    # Each poll is there once; the schedule does not know what became of the clock.
    polled = [entry for entry in entries if not entry.gap]
    assert asked - 1 <= len(polled) <= asked
    assert all(entry.body == GOROUTINE for entry in polled)
    assert len(polled_at(0)) + len(polled_at(ahead)) == len(polled)
    assert max(entry.gap for entry in entries) < 200
    assert not re.search("mistake|fail", daemon.said)
    # Readers take it as it is.
    assert len(json.loads(read(daemon, "totals", "--json"))["totals"]) == len(entries)
    assert json.loads(read(daemon, "check", "--json"))["leaks"] == []


@pytest.mark.anyio
async def test_daylight_saving_is_not_seen(tmp_path: Path) -> None:
    """The night of 25 October 2026, when Berlin has 02:30 twice: times are UTC, whatever the zone."""
    clock = WallClock(tmp_path)
    began = dt.datetime(2026, 10, 25, 0, 59, 59, tzinfo=dt.UTC).timestamp()
    clock.set(round(began - time.time()))
    async with serve(answer(GOROUTINE)) as server:
        text = config(server.address)
        with daemon_in(tmp_path / "d", text, environ={**clock.environ, "TZ": "Europe/Berlin"}) as daemon:
            with anyio.fail_after(30):
                await daemon.logged(server.address, 30)  # one and a half seconds
            daemon.end()
    times = [entry.time for entry in daemon.entries(server.address)]
    assert times == sorted(times)
    assert times[-1] - times[0] < 30
    log = next(daemon.logs.glob("*/goroutine.log")).read_bytes()
    assert b"2026-10-25T01:00:0" in log


def test_what_a_machine_sleeps_counts() -> None:
    """No machine sleeps for a test: here it is given out that this one has slept, to a process of its own."""
    slept = 1_000_000
    program = (
        "import time; from pprofwatch.cli.serving import system_clock; "
        "print(system_clock().monotonic() - time.clock_gettime(time.CLOCK_MONOTONIC))"
    )

    def ahead(*prefix: str) -> float:
        done = subprocess.run([*prefix, sys.executable, "-c", program], capture_output=True, text=True, check=False)
        if prefix and done.returncode and "unshare" in done.stderr:
            pytest.skip(f"needs time namespaces, as root has them: {done.stderr.strip()}")
        return float(done.stdout)

    assert ahead("unshare", "--time", "--boottime", str(slept)) - ahead() == pytest.approx(slept, abs=60)


@pytest.mark.anyio
async def test_a_daemon_that_is_stopped_for_ten_intervals_counts_what_it_missed(tmp_path: Path) -> None:
    """As when the machine is suspended: of that, the same clock tells."""
    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "d", config(server.address, "100ms")) as daemon:
            with anyio.fail_after(30):
                await daemon.logged(server.address, 5)
                daemon.process.send_signal(signal.SIGSTOP)
                await until(lambda: state(daemon.pid) == "T")
                stopped = time.monotonic()
                await anyio.sleep(1.0)  # what is tested is that time passes
                daemon.process.send_signal(signal.SIGCONT)
                lasted = time.monotonic() - stopped
                count = len(daemon.entries(server.address))
                await daemon.logged(server.address, count + 5)
            daemon.end()
    entries = daemon.entries(server.address)
    gap = max(entries, key=lambda entry: entry.gap)
    assert abs(gap.gap - lasted / 0.1) <= 2
    assert gap.error == "the poll before took too long, or the daemon could not run"
    assert untold_ticks(entries, 0.1) <= 1


@pytest.mark.anyio
async def test_a_poll_that_takes_longer_than_its_interval_makes_a_gap_of_what_it_skips(tmp_path: Path) -> None:
    """The timeout, too, is longer: a second at the least."""
    async with serve(after(0.35, answer(GOROUTINE))) as server:
        with daemon_in(tmp_path / "d", config(server.address, "100ms")) as daemon:
            with anyio.fail_after(30):
                await daemon.logged(server.address, 8)
            daemon.end()
    entries = daemon.entries(server.address)
    assert untold_ticks(entries, 0.1) <= 1
    assert max(entry.gap for entry in entries) >= 2


def untold_ticks(entries: list[Entry], interval: float) -> int:
    """How far apart the ticks from the first poll to the last are, and those that are an entry or in a gap.

    A gap at the end is left out: it is written as the daemon ends, between two ticks, and the poll after it is cut off.
    """
    last = max(index for index, entry in enumerate(entries) if not entry.gap)
    ticks = round((entries[last].time - entries[0].time) / interval)
    return abs(sum(entry.gap or 1 for entry in entries[1 : last + 1]) - ticks)


def state(pid: int) -> str:
    """proc(5): ``T`` is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
