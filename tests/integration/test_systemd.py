"""What systemd is told: a socket plays its part."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from badserver import GOROUTINE, after, answer, serve
from daemons import config_for, running, target
from pprofwatch.collect.systemd import Systemd

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Manager:
    """Plays systemd: what it was told, on a socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    async def told(self) -> str:
        return (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode()

    async def told_until(self, start: str) -> list[str]:
        found = [await self.told()]
        while not found[-1].startswith(start):
            found.append(await self.told())
        return found


@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
async def test_systemd_is_told_how_it_goes(is_abstract: bool, tmp_path: Path) -> None:
    name = f"pprofwatch-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    manager = Manager(f"\0{name}" if is_abstract else name)
    environ = {"NOTIFY_SOCKET": f"@{name}" if is_abstract else name, "WATCHDOG_USEC": "300000"}
    try:
        async with serve(after(0.1, answer(GOROUTINE))) as server:
            config = config_for(tmp_path, target(server.address), sync_interval=0.05)
            async with running(config, Systemd(environ)) as run:
                assert await manager.told() == "READY=1"
                assert await run.logged(server.address, 1)
                assert await manager.told() == "WATCHDOG=1"
                status = await manager.told()
                assert status.startswith("STATUS=1 targets, 0 of them down; last poll 2")
                assert (await manager.told_until("WATCHDOG=1"))[-1]
                run.next_config = config
                os.kill(os.getpid(), signal.SIGHUP)
                reloading = (await manager.told_until("RELOADING=1"))[-1]
                assert int(reloading.partition("MONOTONIC_USEC=")[2]) <= time.monotonic_ns() // 1000
                assert (await manager.told_until("READY=1"))[-1]
            assert (await manager.told_until("STOPPING=1"))[-1]
    finally:
        manager.socket.close()


def test_without_systemd_nothing_is_said() -> None:
    for environ in ({}, {"NOTIFY_SOCKET": "/nobody/listens"}, {"NOTIFY_SOCKET": "vsock:2:1"}):
        systemd = Systemd(environ)
        systemd.ready()
        assert systemd.watchdog == 0.0


def test_the_watchdog_may_be_meant_for_another_process() -> None:
    environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    assert Systemd(environ).watchdog == 0.0
    assert Systemd(environ | {"WATCHDOG_PID": str(os.getpid())}).watchdog == 30.0
