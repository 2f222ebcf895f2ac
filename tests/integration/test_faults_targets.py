"""A daemon whose targets do all that they should not: the good one is polled on time, each bad one is told of."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from badserver import GOROUTINE, answer, in_turn, never_accepting, raw, serve
from badserver import head as http_head
from daemon_process import DaemonProcess, daemon_in
from hostile import EVIL_NAME, FAULTS

if TYPE_CHECKING:
    from pathlib import Path

    from badserver import Request
    from conftest import StartGoServer

pytestmark = pytest.mark.anyio

#: What no line may have in it, for it drives a terminal or turns text around: controls, C1 too, and bidi marks.
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
#: What may be taken in memory for all of it together, in MiB.
MOST = 32.0
CONFIG = 'interval = "500ms"\nmax_body = "16MiB"\n'
#: Of bad targets: all of them together are served by one process.
RARELY = 'interval = "30s"\ntimeout = "2s"\n'


def table(name: str, address: str, profile: str = "goroutine", more: str = "") -> str:
    """A target's part of the configuration."""
    return f'[[target]]\nname = "{name}"\nurl = "http://{address}"\nprofile = ["{profile}"]\n{more}'


def gaps(daemon: DaemonProcess, name: str) -> list[str]:
    """Polls of a target that failed, or were not made on time."""
    return [f"{entry.gap} {entry.error}" for entry in daemon.entries(name) if entry.gap or entry.error]


async def errors_of_polls(daemon: DaemonProcess, name: str, log: str) -> set[str]:
    """Waits until a target was polled; what its polls say went wrong, with nothing for one that did not."""
    await daemon.until(lambda: any(not entry.gap for entry in daemon.entries(name, log)))
    return {entry.error for entry in daemon.entries(name, log) if not entry.gap}


async def test_bad_targets_of_all_kinds_at_once_are_told_of_and_cost_the_good_one_nothing(
    go_server: StartGoServer, tmp_path: Path
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        addresses = {name: stack.enter_context(never_accepting()) for name in ["not-accepting"]}
        for name, fault in FAULTS.items():
            addresses[name] = (await stack.enter_async_context(serve(fault.behaviour))).address
        config = CONFIG + table("good", go_server().address)
        daemon = stack.enter_context(daemon_in(tmp_path / "d", config))
        with anyio.fail_after(60):
            await daemon.logged("good", 4)
            daemon.forget_peak()
            before = daemon.peak()
            for name, address in addresses.items():
                profile = FAULTS[name].profile if name in FAULTS else "goroutine"
                config += table(name, address, profile, RARELY)
            daemon.configure(config)
            daemon.reload()
            for name in addresses:
                log = "threadcreate-delta" if name in FAULTS and "seconds" in FAULTS[name].profile else "goroutine"
                errors = await errors_of_polls(daemon, name, log)
                expected = FAULTS[name].error if name in FAULTS else "no connection within 2s"
                assert all(re.search(expected, error) for error in errors), (name, errors)
            await daemon.logged("good", len(daemon.entries("good")) + 2)
        grown = daemon.peak() - before
        daemon.end()
    assert gaps(daemon, "good") == []
    times = [entry.time for entry in daemon.entries("good")]
    assert max(late - early for early, late in pairwise(times)) < 1.0  # no tick was missed
    assert not HARMFUL.search(daemon.said)
    assert "mistake of ours" not in daemon.said
    for name in addresses:
        assert re.search(rf"^\S+ {name} (is down|goroutine|threadcreate|has no)", daemon.said, re.MULTILINE), name
    assert grown <= MOST, f"{grown:.1f} MiB more"


async def test_of_large_profiles_that_come_all_at_once_one_is_in_memory_at_a_time(tmp_path: Path) -> None:
    label = b'# labels: {"a":"' + b"x" * 3_000_000 + b'"}\n'
    large = b"goroutine profile: total 1\n1 @ 0x1\n" + label + b"#\t0x1\tmain.f+0x1\t/src/a.go:1\n\n"
    names = [f"large-{number}" for number in range(25)]
    almost = 0
    all_are_there = asyncio.Event()

    async def all_but_the_end_and_then_together(_: Request, writer: asyncio.StreamWriter) -> bool:
        nonlocal almost
        writer.write(http_head(content_length=len(large)) + large[:-1])
        await writer.drain()
        almost += 1
        if almost == len(names):
            all_are_there.set()
        await all_are_there.wait()
        writer.write(large[-1:])
        await writer.drain()
        return True

    async with contextlib.AsyncExitStack() as stack:
        good = await stack.enter_async_context(serve(answer(GOROUTINE)))
        config = table("good", good.address)
        daemon = stack.enter_context(daemon_in(tmp_path / "d", config))
        for name in names:
            server = await stack.enter_async_context(serve(all_but_the_end_and_then_together))
            config += table(name, server.address, more='timeout = "20s"\ninterval = "30s"\n')
        with anyio.fail_after(60):
            await daemon.logged("good", 1)
            before = daemon.peak()
            daemon.configure(config)
            daemon.reload()
            for name in names:
                (entry, *_) = await daemon.logged(name, 1)
                assert entry.body == large
        grown = daemon.peak() - before
        daemon.end()
    assert grown <= len(names) * 3 / 2, f"{grown:.1f} MiB more"


async def test_a_target_s_names_can_t_drive_a_terminal_nor_lead_a_reader_astray(tmp_path: Path) -> None:
    """In the name of a function that never ends, which is an alert at once."""
    evil = f"goroutineleak profile: total 7\n7 @ 0x1\n#\t0x1\t{EVIL_NAME}+0x1\t/src/\u202e\x1b[1m.go:1\n\n".encode()
    behaviours = {"goroutine": answer(GOROUTINE), "goroutineleak": answer(evil)}
    async with serve(behaviours) as server:
        more = 'interval = "100ms"\nprofile = ["goroutine", "goroutineleak:every=100ms"]\n'
        with daemon_in(tmp_path / "d", more + f'[[target]]\nname = "bad"\nurl = "http://{server.address}"\n') as daemon:
            with anyio.fail_after(30):
                await daemon.until(lambda: "can never run again" in daemon.said)
            daemon.end()
    journal = (daemon.logs / "bad" / "incidents" / "incidents.log").read_text()
    assert json.loads(journal.splitlines()[0])["target"] == "bad"
    for text in (daemon.said, journal):
        assert not HARMFUL.search(text)
        assert max(map(len, text.splitlines())) < 10_000
    # What the target said is kept as it was.
    assert daemon.entries("bad", "goroutineleak")[0].body == evil


async def test_a_server_that_is_restarted_between_two_polls_of_a_kept_connection_costs_no_poll(tmp_path: Path) -> None:
    body = raw(http_head(content_length=len(GOROUTINE)) + GOROUTINE)  # and closes, without having said so
    # After one, the next request finds the connection closed, or sees it close as it is used.
    behaviour = in_turn(*[body, answer(GOROUTINE), raw(), answer(GOROUTINE)] * 8)
    async with serve(behaviour) as server:
        config = table("restarted", server.address, more='interval = "50ms"\n')
        with daemon_in(tmp_path / "d", config) as daemon:
            with anyio.fail_after(30):
                await daemon.until(lambda: len(server.requests) >= 32)
            daemon.end()
    assert {entry.error for entry in daemon.entries("restarted") if not entry.gap} == {""}


async def test_nine_of_ten_targets_that_are_dead_delay_none_of_the_others(tmp_path: Path) -> None:
    names = [f"good-{number}" for number in range(20)]
    config = 'interval = "1s"\n' + "".join(table(f"dead-{n}", f"127.0.1.{n}:1") for n in range(180))
    async with contextlib.AsyncExitStack() as stack:
        for name in names:
            server = await stack.enter_async_context(serve(answer(GOROUTINE)))
            config += table(name, server.address)
        daemon = stack.enter_context(daemon_in(tmp_path / "d", config))
        with anyio.fail_after(30):
            for name in names:
                await daemon.logged(name, 2)
        daemon.end()
    assert [gap for name in names for gap in gaps(daemon, name)] == []
    assert daemon.said.count(" is down: connection refused") == 180
    assert {entry.error for entry in daemon.entries("dead-7") if not entry.gap} == {"connection refused"}
