"""The whole of it: ``pprofwatch start`` beside a real Go server, as its user sees it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import selectors
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import goserver
from pprofwatch.errors import LogError
from pprofwatch.logs.reader import read_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import StartGoServer
    from goserver import GoServer

    MakeRun = Callable[[StartGoServer, Path], "Run"]
    LongRun = Callable[[MakeRun], "Run"]

PROGRAM = [sys.executable, "-m", "pprofwatch"]
FAST = ["--interval", "0.2s", "--leak-window", "20s", "--profile", "goroutine"]
SOURCE = Path(__file__).parents[1] / "data" / "goserver" / "leaks.go"


class Daemon:
    """``pprofwatch start``, and what it says on stderr."""

    def __init__(self, *args: str) -> None:
        self.said = ""
        self._process = subprocess.Popen([*PROGRAM, "start", *args], stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        self._stderr = self._process.stderr.fileno()

    def wait_for(self, wanted: str, seconds: float) -> None:
        """Waits until it has said this; fails when it does not in time."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._stderr, selectors.EVENT_READ)
            while wanted not in self.said:
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                assert ready, f"no {wanted!r} in {seconds} s, but {self.said!r}"
                piece = os.read(self._stderr, 65536)
                assert piece, f"ended without {wanted!r}: {self.said!r}"
                self.said += piece.decode()

    def end(self) -> None:
        """Ends it as its user does."""
        self._process.send_signal(signal.SIGTERM)
        _, rest = self._process.communicate(timeout=5)
        self.said += rest.decode()
        assert self._process.returncode == 0

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def start_leak(server: GoServer, kind: str, every: str) -> None:
    """One goroutine more is lost now and every so often."""
    with urllib.request.urlopen(f"{server.url}/leak?kind={kind}&every={every}", timeout=10) as answer:
        answer.read()


def test_leaking_function_and_line_are_named_within_40_seconds_and_no_other(
    go_server: StartGoServer, tmp_path: Path
) -> None:
    server = go_server("-leak", "1s", "-traffic", "20")
    with Daemon("--target", server.address, "--log-dir", str(tmp_path), *FAST) as daemon:
        daemon.wait_for("  next  ", 40)
        daemon.end()
    source = SOURCE.read_text().splitlines()
    send = next(number for number, line in enumerate(source, 1) if "out <- event{}" in line)
    told = daemon.said
    assert f"LEAK {server.address}: goroutines grow without bound in main.(*Dispatcher).forward\n" in told
    assert f"  where    example.com/goserver/leaks.go:{send}, blocked in chan send\n" in told
    growth = (
        r"  growth   \d+ → \d+ since \d\d:\d\d:\d\d UTC \(\+[\d.]+ a second ± [\d.]+\), total \d+ → \d+; 1,000 by .*\n"
    )
    assert re.search(growth, told)
    assert told.count("LEAK") == 1

    # What the alert says to run next shows it, and `check` finds the same in the log.
    command = re.search(r"  next     pprofwatch (.*)\n", told)
    assert command is not None
    diff = subprocess.run([*PROGRAM, *command[1].split()], capture_output=True, text=True, check=True)
    assert "main.(*Dispatcher).forward" in diff.stdout
    options = ["--leak-window", "20s", str(tmp_path)]
    check = subprocess.run([*PROGRAM, "check", *options], capture_output=True, text=True, check=False)
    assert check.returncode == 1
    assert "main.(*Dispatcher).forward" in check.stdout


class Run(NamedTuple):
    """What a daemon has said beside servers at these addresses, and where its logs are."""

    said: str
    addresses: list[str]
    log_dir: Path


def run_beside_a_provable_leak(go_server: StartGoServer, log_dir: Path) -> Run:
    server = go_server("-traffic", "50")  # which goes up and down by half
    with Daemon("--target", server.address, "--log-dir", str(log_dir), "--interval", "1s") as daemon:
        daemon.wait_for("recording", 10)
        start_leak(server, "chan", "1s")
        daemon.wait_for("  next  ", 90)
        daemon.end()
    return Run(daemon.said, [server.address], log_dir)


#: What Go can't prove to wait for ever, and the function that each of these leaks shows in.
NOT_PROVABLE = {
    "sleep": "main.(*Poller).poll",
    "io": "main.(*Client).readReply",
    "reachable": "main.(*Subscriber).wait",
}


def run_beside_leaks_that_go_can_t_prove(go_server: StartGoServer, log_dir: Path) -> Run:
    servers = {kind: go_server("-traffic", "50") for kind in NOT_PROVABLE}
    options = [option for server in servers.values() for option in ("--target", server.address)]
    options += ["--log-dir", str(log_dir), "--interval", "0.2s", "--leak-window", "40s"]
    with Daemon(*options) as daemon:
        daemon.wait_for("recording", 10)
        for kind, server in servers.items():
            start_leak(server, kind, "500ms")
        deadline = time.monotonic() + 44
        for kind, server in servers.items():
            daemon.wait_for(
                f"LEAK {server.address}: goroutines grow without bound in {NOT_PROVABLE[kind]}\n",
                deadline - time.monotonic(),
            )
        daemon.end()
    return Run(daemon.said, [server.address for server in servers.values()], log_dir)


def run_beside_bursts(go_server: StartGoServer, log_dir: Path) -> Run:
    server = go_server("-traffic", "30")
    bursts = random.Random(7)
    with Daemon("--target", server.address, "--log-dir", str(log_dir), *FAST) as daemon:
        daemon.wait_for("recording", 10)
        deadline = time.monotonic() + 45  # more than two leak windows
        while time.monotonic() < deadline:
            takes = bursts.randint(200, 3000)
            with urllib.request.urlopen(
                f"{server.url}/work?n={bursts.randint(5, 200)}&for={takes}ms", timeout=10
            ) as answer:
                answer.read()
        daemon.end()
    return Run(daemon.said, [server.address], log_dir)


@pytest.fixture(scope="module")
def long_run(go_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LongRun]:
    """Gives what one of the runs that take longest has brought. All are made at the same time: they mostly wait."""

    def make(run: MakeRun) -> Run:
        with contextlib.ExitStack() as servers:
            return run(
                lambda *args: servers.enter_context(goserver.running(go_binary, *args)),
                tmp_path_factory.mktemp(run.__name__),
            )

    runs: tuple[MakeRun, ...] = (run_beside_a_provable_leak, run_beside_leaks_that_go_can_t_prove, run_beside_bursts)
    with ThreadPoolExecutor(len(runs)) as pool:
        made = {run: pool.submit(make, run) for run in runs}
        yield lambda run: made[run].result()


def test_a_leak_of_one_a_second_is_proven_within_90_seconds_by_default(long_run: LongRun) -> None:
    told, (address,), log_dir = long_run(run_beside_a_provable_leak)
    assert f"LEAK {address}: goroutines grow without bound in main.(*Dispatcher).forward\n" in told
    assert re.search(r"  where    example\.com/goserver/leaks\.go:\d+, blocked in chan send\n", told)
    assert re.search(r"  proof    (all|\d+) of them can never run again \(goroutineleak\)\n", told)
    kept = re.search(r"  kept     (.*)/\n", told)
    assert kept is not None
    kinds = {re.sub(r"-\d.*Z", "", file.name) for file in Path(kept[1]).iterdir()}
    assert kinds == {"goroutine.pb.gz", "goroutine.txt", "goroutineleak.txt"}
    assert told.count("LEAK") == 1

    listed = subprocess.run([*PROGRAM, "incidents", "--json", str(log_dir)], capture_output=True, check=True)
    (incident,) = json.loads(listed.stdout)["incidents"]
    assert (incident["severity"], incident["resolved_at"]) == ("proven", None)
    # The log tells the same without the daemon.
    check = subprocess.run([*PROGRAM, "check", "--json", str(log_dir)], capture_output=True, check=False)
    (leak,) = json.loads(check.stdout)["leaks"]
    assert (leak["severity"], leak["detected_at"]) == ("proven", incident["detected_at"])


def test_leaks_that_go_can_t_prove_are_found_within_the_window_and_a_tenth(long_run: LongRun) -> None:
    told, addresses, _ = long_run(run_beside_leaks_that_go_can_t_prove)
    assert told.count("LEAK") == len(addresses) == len(NOT_PROVABLE)
    assert "can never run again" not in told


def test_server_that_does_not_leak_raises_no_alert_under_bursts(long_run: LongRun) -> None:
    told, _, log_dir = long_run(run_beside_bursts)
    assert "LEAK" not in told
    polls = [entry for entry in read_entries([log_dir]) if entry.body]
    assert len(polls) > 150


def test_leak_is_not_told_again_after_a_restart_of_the_daemon_but_its_end_is_when_the_server_is_mended(
    go_server: StartGoServer, tmp_path: Path
) -> None:
    server = go_server("-leak", "200ms")
    options = ["--target", server.address, "--log-dir", str(tmp_path), "--interval", "100ms"]
    options += ["--leak-window", "6s", "--profile", "goroutine"]
    with Daemon(*options) as daemon:
        daemon.wait_for("LEAK", 30)
        daemon.end()
    with Daemon(*options) as daemon:
        daemon.wait_for("recording", 10)
        goserver.end(server.process)
        go_server("-listen", server.address)
        daemon.wait_for("RESOLVED", 30)
        daemon.end()
    assert "LEAK" not in daemon.said


def test_what_the_how_to_asks_for_and_is_refused_is_logged(go_server: StartGoServer, tmp_path: Path) -> None:
    server = go_server()
    options = ["--target", server.address, "--log-dir", str(tmp_path), "--interval", "2s"]
    options += ["--profile", "threadcreate:seconds=1"]
    with Daemon(*options) as daemon:
        daemon.wait_for("recording", 10)
        deadline = time.monotonic() + 20
        entries: list[bytes] = []
        while not entries:
            assert time.monotonic() < deadline
            with contextlib.suppress(LogError):  # as long as there is no log
                entries = [bytes(entry.body) for entry in read_entries([tmp_path]) if entry.body]
        daemon.end()
    assert re.match(rb"threadcreate profile: total -?\d+\n", entries[0])
