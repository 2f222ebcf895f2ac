"""What goes wrong with the daemon itself: nobody listens, nothing is right, it is stopped and killed at any moment."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import select
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from badserver import GOROUTINE, answer, serve
from daemon_process import DaemonProcess, daemon_in
from disks import ext4
from logmaker import START, body, read_all
from pprofwatch.logs.folder import LogFolder, folder_name
from pprofwatch.logs.writer import LogWriter
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

pytestmark = pytest.mark.anyio

#: What systemd gives the service to end (TimeoutStopSec=), in seconds.
STOP_TIMEOUT = 15.0


def config(*addresses: str, more: str = "") -> str:
    targets = ", ".join(f'"{address}"' for address in addresses)
    return f'target = [{targets}]\nprofile = ["goroutine"]\ninterval = "50ms"\n{more}'


@pytest.fixture
def full_pipe() -> Iterator[tuple[int, int]]:
    """A pipe that takes nothing more, as long as nobody reads it: the ends to read and to write."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
    os.write(write_end, b"." * 4096)
    yield read_end, write_end
    os.close(read_end)
    os.close(write_end)


def read_what_is_there(descriptor: int, seconds: float) -> str:
    """All that can be read, until nothing comes for some seconds."""
    text = b""
    while select.select([descriptor], [], [], seconds)[0]:
        text += os.read(descriptor, 1 << 16)
    return text.decode()


async def test_a_standard_error_that_nobody_reads_delays_no_poll_and_is_read_later(
    full_pipe: tuple[int, int], tmp_path: Path
) -> None:
    read_end, write_end = full_pipe
    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "d") as daemon:
            daemon.configure(config(server.address, "127.0.0.1:1"))
            daemon.start(stderr=write_end)
            with anyio.fail_after(30):
                await daemon.logged(server.address, 10)
                daemon.reload()
                await daemon.logged(server.address, len(daemon.entries(server.address)) + 10)
            said = read_what_is_there(read_end, 0.5).lstrip(".")
            assert [" recording " in said, " is down: " in said, " reloaded: " in said] == [True, True, True]
            assert daemon.end() < STOP_TIMEOUT
    assert "SIGTERM: ending" in read_what_is_there(read_end, 0.1)


async def test_it_ends_though_nobody_reads_its_standard_error(full_pipe: tuple[int, int], tmp_path: Path) -> None:
    with daemon_in(tmp_path / "d") as daemon:
        daemon.configure(config("127.0.0.1:1"))
        daemon.start(stderr=full_pipe[1])
        with anyio.fail_after(30):
            await daemon.logged("127.0.0.1:1", 2)
        assert daemon.end() < STOP_TIMEOUT


async def test_a_standard_error_that_was_closed_before_it_began_is_none(tmp_path: Path) -> None:
    prefix = ("sh", "-c", 'exec "$@" 2>&-', "sh")
    with daemon_in(tmp_path / "d", config("127.0.0.1:1"), prefix=prefix) as daemon:
        with anyio.fail_after(30):
            await daemon.logged("127.0.0.1:1", 2)
        daemon.end()


async def test_a_broken_configuration_leaves_everything_as_it_was(tmp_path: Path) -> None:
    broken = {
        b"target = [": "config.toml: ",
        b'interval = "fast"\n': "interval: ",
        b"target = []\nno_such_key = 1\n": "no_such_key",
        b"\x00\xff": "config.toml: ",
        None: "config.toml: ",
    }
    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "d", config(server.address)) as daemon:
            file = daemon.folder / "config.toml"
            with anyio.fail_after(30):
                await daemon.logged(server.address, 2)
                for text in broken:
                    file.unlink() if text is None else file.write_bytes(text)
                    told = len(daemon.said)
                    daemon.reload()
                    await daemon.until(lambda: len(daemon.said) > told)  # noqa: B023  # it is awaited here
                    await daemon.logged(server.address, len(daemon.entries(server.address)) + 2)
            daemon.end()
        assert server.connections == 1
    _, *complaints = daemon.said.split("the configuration is kept as it was:\n")
    assert len(complaints) == len(broken)
    assert all(said in complaint for said, complaint in zip(broken.values(), complaints, strict=True))
    assert "Traceback" not in daemon.said


async def test_a_log_that_is_a_folder_stops_no_other(tmp_path: Path) -> None:
    """Nor what else fails in one target's loops: it is tried again, and said once."""
    async with serve(answer(GOROUTINE)) as server, serve(answer(GOROUTINE)) as other:
        blocked = tmp_path / "d" / "logs" / folder_name(server.address) / "goroutine.log"
        blocked.mkdir(parents=True)
        with daemon_in(tmp_path / "d", config(server.address, other.address)) as daemon:
            with anyio.fail_after(40):
                await daemon.logged(other.address, 5)
                await daemon.until(lambda: "goroutine.log" in daemon.said)
                blocked.rmdir()
                await daemon.logged(server.address, 3)
            daemon.end()
    assert not [entry for entry in daemon.entries(other.address) if entry.error and not entry.gap]
    assert len([line for line in daemon.said.splitlines() if "goroutine.log" in line]) <= 2


async def test_fifos_in_the_place_of_its_own_files_keep_it_from_nothing(tmp_path: Path) -> None:
    """To read one waits for who writes to it, for ever."""
    async with serve(answer(GOROUTINE)) as server:
        incidents = tmp_path / "d" / "logs" / folder_name(server.address) / "incidents"
        incidents.mkdir(parents=True)
        for name in ("incidents.log", "delivered.json"):
            os.mkfifo(incidents / name)
        with daemon_in(tmp_path / "d", config(server.address)) as daemon:
            with anyio.fail_after(30):
                await daemon.logged(server.address, 3)
            assert daemon.end() < STOP_TIMEOUT
    assert f"{incidents}/incidents.log: expected a regular file" in daemon.said


async def test_sigterm_at_any_moment_ends_it_in_time_and_leaves_the_log_whole(tmp_path: Path) -> None:
    rng = random.Random(20270101)
    rounds = 5
    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "d") as daemon:
            # Among the moments are those when segments are closed, compressed and removed.
            more = 'rotate_size = "1KiB"\nkeep_size = "1MiB"\nsync_interval = "100ms"\n'
            daemon.configure(config(server.address, more=more).replace("50ms", "10ms"))
            for started in range(1, rounds + 1):
                daemon.start()
                with anyio.fail_after(30):
                    await daemon.until(lambda: daemon.said.count(" recording ") >= started)  # noqa: B023
                await anyio.sleep(rng.uniform(0, 0.4))
                assert daemon.end() < STOP_TIMEOUT
                entries, problems = read_all(daemon.logs)
                assert problems == []
                assert {entry.body for entry in entries if not entry.gap and not entry.error} <= {GOROUTINE}
        asked = len(server.requests)
    assert daemon.said.count("SIGTERM: ending") == rounds
    # What was asked for when it ended may have been left.
    assert asked - rounds <= len([entry for entry in entries if not entry.gap]) <= asked


async def test_killed_while_it_replays_it_takes_the_log_up_as_if_it_had_not_been(tmp_path: Path) -> None:
    rng = random.Random(20270102)
    kills = 3
    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "d") as daemon:
            write_past(daemon.logs, server.address, count := 3000)
            daemon.configure(config(server.address))
            for started in range(1, kills + 1):
                daemon.start()
                with anyio.fail_after(30):
                    await daemon.until(lambda: daemon.said.count(" recording ") >= started)  # noqa: B023
                await anyio.sleep(rng.uniform(0, 0.15))
                daemon.process.kill()
                daemon.process.wait()
            daemon.start()
            with anyio.fail_after(30):
                await daemon.until(lambda: daemon.said.count(" recording ") > kills)
                await daemon.logged(server.address, len(daemon.entries(server.address)) + 3)
            daemon.end()
    entries, problems = read_all(daemon.logs)
    assert problems == []
    assert [round(entry.time - START) for entry in entries[:count]] == list(range(count))
    assert "can't" not in daemon.said


def write_past(logs: Path, name: str, count: int) -> None:
    """A log with so many entries, which the next start replays."""
    with LogFolder(logs) as folder:
        log = LogWriter(folder.target(name), "goroutine", rotate_size=1 << 30, rotate_age=1e9)
        for number in range(count):
            log.append(Entry(START + number, name, "goroutine", body(number, records=20)))
        log.close()


@contextlib.contextmanager
def stopped(daemon: DaemonProcess) -> Iterator[None]:
    """The daemon does nothing at all."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def hanging_disk(daemon: DaemonProcess) -> Iterator[None]:
    """The disk with the logs takes nothing, and says nothing: so the event loop hangs in a write."""
    subprocess.run(["fsfreeze", "--freeze", daemon.logs], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", daemon.logs], check=True)


@pytest.mark.parametrize("stall", [stopped, hanging_disk])
async def test_a_daemon_that_stalls_gives_no_sign_of_life_until_it_goes_on(
    stall: Callable[[DaemonProcess], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """So that systemd starts it anew, if it does not go on."""
    with contextlib.ExitStack() as stack:
        manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(str(tmp_path / "notify"))
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        daemon = stack.enter_context(daemon_in(tmp_path / "d", environ=environ))
        if stall is hanging_disk:
            stack.enter_context(ext4(daemon.logs))
        daemon.configure(config("127.0.0.1:1"))
        daemon.start()
        stack.callback(daemon.kill)  # before its disk goes
        hear(manager, 2, within=20)
        with stall(daemon), pytest.raises(TimeoutError):
            hear(manager, 4, within=1.5)  # one or two may have been under way
        hear(manager, 2, within=20)
        with anyio.fail_after(30):
            await daemon.logged("127.0.0.1:1", len(daemon.entries("127.0.0.1:1")) + 3)
        daemon.end()
        entries = daemon.entries("127.0.0.1:1")
    # What was missed is told.
    assert sum(entry.gap for entry in entries) > 10


async def test_a_disk_that_hangs_in_a_sync_stops_signs_of_life_but_neither_polls_nor_the_end(
    strace: str, tmp_path: Path
) -> None:
    hangs = ("-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=4000000")
    prefix = (strace, "-D", "-f", "-qq", "-e", "signal=none", *hangs, "-o", "/dev/null")
    with contextlib.ExitStack() as stack:
        manager = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(str(tmp_path / "notify"))
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        text = config("127.0.0.1:1")
        daemon = stack.enter_context(daemon_in(tmp_path / "d", text, environ=environ, prefix=prefix))
        hear(manager, 1, within=20)  # that it is ready
        with pytest.raises(TimeoutError):
            hear(manager, 2, within=1.5)  # before the first entry there was nothing to sync
        with anyio.fail_after(30):
            await daemon.logged("127.0.0.1:1", len(daemon.entries("127.0.0.1:1")) + 3)
        assert daemon.end() < STOP_TIMEOUT
    assert "the disk is slow: the last entries are written, but maybe not safe" in daemon.said


def hear(manager: socket.socket, signs: int, within: float) -> None:
    """Waits until the daemon has given so many signs of life.

    Raises:
        TimeoutError: It has not, within so many seconds.
    """
    deadline = time.monotonic() + within
    while signs:
        manager.settimeout(max(0.001, deadline - time.monotonic()))
        signs -= manager.recv(4096) == b"WATCHDOG=1"
