"""The daemon as a process, and who is told what it noted down: also when it was killed before it told them."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from daemons import until
from pprofwatch.alerts.delivered import DELIVERED
from pprofwatch.alerts.journal import Journal
from pprofwatch.logs.folder import folder_name
from sinks import HANG, HookServer, hook_server, make_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Process

pytestmark = pytest.mark.anyio
#: Nobody listens there: what is told stands in the journal.
TARGET = "127.0.0.1:1"


def configure(folder: Path, server: HookServer, more: str = "") -> None:
    text = f"""
target = ["{TARGET}"]
log_dir = "logs"
log_format = "json"
{more}
[[sink]]
type = "webhook"
name = "hook"
url = "http://127.0.0.1:{server.port}/secret-place"
"""
    (folder / "config.toml").write_text(text)


@asynccontextmanager
async def daemon(folder: Path, server: HookServer) -> AsyncIterator[Process]:
    """``pprofwatch start`` with a webhook; its standard error goes to the end of a file."""
    configure(folder, server)
    arguments = [sys.executable, "-m", "pprofwatch", "start", "--config", str(folder / "config.toml")]
    with (folder / "stderr").open("ab") as stderr, anyio.fail_after(30):
        async with await anyio.open_process(arguments, stderr=stderr) as process:
            yield process
            if process.returncode is None:
                process.kill()


def note(folder: Path, *numbers: int) -> None:
    """What a daemon writes down before it tells it."""
    for number in numbers:
        Journal(folder).append(make_event(number, target=TARGET, incident=f"20270115T080000Z-0000000{number}"))


def delivered(folder: Path) -> object:
    return json.loads((folder / DELIVERED).read_text())


async def test_killed_between_noting_down_and_telling_it_tells_after_the_start_once(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / folder_name(TARGET)
    folder.mkdir(parents=True)
    note(folder, 1)
    (folder / DELIVERED).write_text('{"stderr": 0, "hook": 0}')
    async with hook_server(HANG, 200) as server:
        async with daemon(tmp_path, server) as process:
            (first,) = await server.has_got(1)
            await until(lambda: delivered(folder) == {"stderr": 1, "hook": 0})
            process.send_signal(signal.SIGKILL)
        note(folder, 2)
        async with daemon(tmp_path, server) as process:
            _, again, second = await server.has_got(3)
            await until(lambda: delivered(folder) == {"stderr": 2, "hook": 2})
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        note(folder, 3)
        async with daemon(tmp_path, server) as process:
            third = (await server.has_got(4))[-1]
            await until(lambda: delivered(folder) == {"stderr": 3, "hook": 3})
            process.send_signal(signal.SIGTERM)
            await process.wait()
    assert first == again
    ids = [body["id"] for body in (first, second, third)]
    assert ids == [f"{TARGET}/20270115T080000Z-0000000{number}-{number}" for number in (1, 2, 3)]
    lines = [json.loads(line) for line in (tmp_path / "stderr").read_text().splitlines()]
    assert [line["id"] for line in lines if "id" in line] == ids
    assert {line["message"] for line in lines if "id" in line} == {first["summary"]}
    assert all(line["time"] and line["priority"] and line["message"] for line in lines)
    assert "secret-place" not in (tmp_path / "stderr").read_text()


async def test_a_reload_tells_the_new_place(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / folder_name(TARGET)
    folder.mkdir(parents=True)
    note(folder, 1)
    async with hook_server() as old, hook_server() as new, daemon(tmp_path, old) as process:
        await until((folder / DELIVERED).exists)
        note(folder, 2)
        configure(tmp_path, new, 'repeat = "2h"')  # with other leak settings, the target's watch starts anew
        process.send_signal(signal.SIGHUP)
        (told,) = await new.has_got(1)
        process.send_signal(signal.SIGTERM)
        await process.wait()
    assert told["id"].endswith("-2")
    assert old.got == []
