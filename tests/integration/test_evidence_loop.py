"""What the daemon asks a target for when a leak is suspected, of real servers and of bad ones."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import re
import stat
import subprocess
import threading
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

import goserver
from badserver import GOROUTINE, Behaviour, answer, never, raw, serve
from badserver import head as http_head
from daemons import GO, Run, SpyWatch, config_for, running, target, until
from pprofwatch.collect.parts import Clock
from pprofwatch.config.settings import LeakConfig
from pprofwatch.logs.folder import folder_name
from pprofwatch.logs.names import parse_evidence
from pprofwatch.model import ProfileRequest

if TYPE_CHECKING:
    from pathlib import Path

    from badserver import BadServer, Request
    from conftest import StartGoServer
    from pprofwatch.config.settings import Config, TargetConfig
    from pprofwatch.model import Entry

pytestmark = pytest.mark.anyio

LEAKED = ProfileRequest("goroutineleak", every=3600.0, implied=True)
NO_LEAK = b"goroutineleak profile: total 0\n"
DUMP = b"goroutine 1 [running]:\nmain.main()\n\t/src/app/main.go:20 +0x1d\n"


class SuspiciousWatch(SpyWatch):
    """Wants evidence from its first poll on, for so many rounds."""

    def __init__(self, rounds: float = 1) -> None:
        super().__init__()
        self.rounds = rounds
        #: Files of evidence that were there when a goroutineleak entry was shown.
        self.kept: list[list[str]] = []
        self.folder: Path | None = None

    def observe(self, entry: Entry) -> None:
        super().observe(entry)
        self.wants_evidence = self.asked < self.rounds
        if entry.profile == "goroutineleak" and self.folder is not None:
            self.kept.append(evidence_in(self.folder))

    def begin_evidence(self) -> None:
        super().begin_evidence()
        self.wants_evidence = self.asked < self.rounds


def watched(run: Run, address: str, watch: SuspiciousWatch) -> SuspiciousWatch:
    """To be called before the daemon first gets to run."""
    run.watches[address] = watch
    watch.folder = suspected(run, address)
    return watch


def suspected(run: Run, address: str) -> Path:
    return run.config.logs.folder / folder_name(address) / "incidents" / ".suspected"


def evidence_in(folder: Path) -> list[str]:
    """The kinds of evidence in a folder, by the order of their names."""
    if not folder.is_dir():
        return []
    return [evidence[0] for path in sorted(folder.iterdir()) if (evidence := parse_evidence(path.name))]


def with_leaked(config: TargetConfig, request: ProfileRequest = LEAKED) -> TargetConfig:
    return dataclasses.replace(config, implied=(request,))


def config_with(config: Config, **leaks: float) -> Config:
    return dataclasses.replace(config, leaks=LeakConfig(**leaks))  # type: ignore[arg-type]


def goroutine(protobuf: Behaviour, dump: Behaviour) -> Behaviour:
    """The goroutine profile, by its debug parameter."""
    by_debug = {"0": protobuf, "1": answer(GOROUTINE), "2": dump}

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        return await by_debug[request.target.rpartition("debug=")[2]](request, writer)

    return behave


MISSING = answer(b"Unknown profile\n", "404 Not Found", x_go_pprof=1)


def asked(server: BadServer, what: str) -> int:
    """How often the server was asked for this."""
    return sum(request.target.endswith(what) for request in server.requests)


def polls_during(server: BadServer, what: str, until: str) -> int:
    """How often the goroutine profile was polled from when the server was asked for one thing to the next."""
    targets = [request.target.rpartition("/")[2] for request in server.requests]
    begin = targets.index(what)
    return targets[begin : targets.index(until, begin)].count("goroutine?debug=1")


async def test_a_suspicion_is_looked_into_and_what_came_is_kept(go_server: StartGoServer, tmp_path: Path) -> None:
    server = go_server()
    with urllib.request.urlopen(f"{server.url}/leak?n=7&kind=chan") as answered:  # noqa: ASYNC210
        assert answered.status == 200
    address = server.address
    before = time.time()
    async with running(config_for(tmp_path, with_leaked(target(address)))) as run:
        watch = watched(run, address, SuspiciousWatch())
        await until(lambda: len(watch.kept) == 1)
        (leaked,) = await run.logged(address, 1, "goroutineleak")
    assert watch.kept == [["goroutine.pb.gz", "goroutine.txt", "goroutineleak.txt"]]
    protobuf, dump, leaks = sorted(suspected(run, address).iterdir())
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in (protobuf, dump, leaks))
    assert {path.stat().st_mode & 0o777 for path in (protobuf, dump, leaks)} == {0o640}
    assert leaks.read_bytes() == leaked.body
    assert b"main.(*Dispatcher).forward" in dump.read_bytes()
    ((at, reasons),) = watch.reasons
    ((dumped_at, dumped),) = watch.dumps
    assert before - 0.001 <= at <= dumped_at < time.time()
    assert {why for stack, why in reasons.items() if "main.(*Dispatcher).forward" in stack.functions} == {"chan send"}
    assert sum("main.(*Dispatcher).forward" in each.stack.functions for each in dumped.goroutines) == 7
    assert watch.asked == 1
    assert not [line for priority, line in run.lines if priority < 6]
    go = goserver.find_go()
    assert go is not None
    top = subprocess.run(  # noqa: ASYNC221
        [go, "tool", "pprof", "-top", "-show=main", protobuf], capture_output=True, text=True, check=True, timeout=300
    )
    assert re.search(r"\n +7 .* main\.\(\*Dispatcher\)\.forward\n", top.stdout)


async def test_the_second_dump_comes_later_and_a_suspicion_that_ends_leaves_nothing(
    go_server: StartGoServer, tmp_path: Path
) -> None:
    address = go_server().address
    config = config_with(config_for(tmp_path, target(address)), window=3.0)
    async with running(config) as run:
        watch = watched(run, address, SuspiciousWatch())
        watch.wants_second_dump = True
        await until(lambda: len(watch.dumps) == 2)
        folder = suspected(run, address)
        assert evidence_in(folder).count("goroutine.txt") == 2
        await run.logged(address, len(run.entries(address)) + 16)  # longer than from the first dump to the second
        assert len(watch.dumps) == 2
        watch.wants_second_dump = False
        await until(lambda: not folder.exists())
    (first, _), (second, _) = watch.dumps
    assert second - first >= 0.5
    assert watch.asked == len(watch.reasons) == 1


async def test_a_target_with_many_goroutines_is_not_asked_for_each(tmp_path: Path) -> None:
    behaviours = {"goroutine": goroutine(MISSING, answer(DUMP)), "goroutineleak": answer(NO_LEAK)}
    async with serve(behaviours) as server:
        config = config_with(config_for(tmp_path, with_leaked(target(server.address))), evidence_max_goroutines=11)
        async with running(config) as run:
            watch = watched(run, server.address, SuspiciousWatch(rounds=1))
            watch.total = 12
            await until(lambda: len(watch.kept) == 1)
            watch.total = 11
            watch.rounds = 2
            await until(lambda: len(watch.kept) == 2)
    assert asked(server, "goroutine?debug=0") == asked(server, "goroutineleak?debug=1") == 2
    assert asked(server, "goroutine?debug=2") == len(watch.dumps) == 1


@pytest.mark.parametrize(
    ("dump", "said"),
    [
        (never(), "no answer within 400ms"),
        (answer(b"stack too deep", "500 Internal Server Error"), "answered 500 Internal Server Error: stack too deep"),
        (raw(http_head(content_length=9999), DUMP), "closed the connection early, after 62 of 9999 bytes"),
        (answer(b"goroutine profile: total 3\n"), "line 1: expected the first line of a goroutine dump"),
        (answer(b"<html>", content_type="text/html"), "answered HTML, not a profile"),
    ],
    ids=["hangs", "500", "cut short", "text", "html"],
)
async def test_a_dump_that_fails_is_said_once_and_delays_nothing(tmp_path: Path, dump: Behaviour, said: str) -> None:
    behaviours = {"goroutine": goroutine(MISSING, dump), "goroutineleak": answer(NO_LEAK)}
    async with serve(behaviours) as server:
        address = server.address
        async with running(config_for(tmp_path, with_leaked(target(address, timeout=0.4)))) as run:
            watch = watched(run, address, SuspiciousWatch(rounds=2))
            await until(lambda: len(watch.kept) == 2)
            entries = await run.logged(address, len(run.entries(address)) + 3)
    if said.startswith("no answer"):
        assert polls_during(server, "goroutine?debug=2", until="goroutineleak?debug=1") >= 3
    assert {entry.error for entry in entries if not entry.gap} == {""}
    (line,) = [line for priority, line in run.lines if priority < 6]
    assert line.startswith(f"{address} goroutine?debug=2, for evidence: {said}")
    assert watch.dumps == []


async def test_what_a_target_does_not_have_is_no_news(tmp_path: Path) -> None:
    """An old Go without goroutineleak, behind a proxy that lets nothing else through."""
    early = LEAKED._replace(every=0.05)
    async with serve({"goroutine": goroutine(MISSING, MISSING)}) as server:
        address = server.address
        async with running(config_for(tmp_path, with_leaked(target(address), early))) as run:
            watch = watched(run, address, SuspiciousWatch(rounds=3))
            await until(lambda: watch.asked == 3 and asked(server, "goroutine?debug=2") == 3)
            await run.logged(address, len(run.entries(address)) + 3)
    assert asked(server, "goroutineleak?debug=1") == 1
    assert not [line for priority, line in run.lines if priority < 6]
    folder = run.config.logs.folder / folder_name(address)
    assert [path.name for path in folder.iterdir()] == ["goroutine.log"]


async def test_suspicions_without_end_are_looked_into_within_the_budget(tmp_path: Path) -> None:
    slept = 0.0
    clock = Clock(lambda: time.time() + slept, lambda: time.monotonic() + slept)
    async with serve({"goroutine": goroutine(MISSING, answer(DUMP))}) as server:
        address = server.address
        async with running(config_for(tmp_path, target(address)), clock=clock) as run:
            watch = watched(run, address, SuspiciousWatch(rounds=math.inf))
            await until(lambda: len(watch.dumps) == 3)
            await run.logged(address, len(run.entries(address)) + 5)
            assert watch.asked == 3
            slept += 601.0
            await until(lambda: len(watch.dumps) == 4)
            await run.logged(address, len(run.entries(address)) + 5)
    assert watch.asked == asked(server, "goroutine?debug=0") == asked(server, "goroutine?debug=2") == 4


async def test_no_two_requests_for_leaked_goroutines_are_under_way_at_once(tmp_path: Path) -> None:
    at_once: list[int] = []
    under_way = 0

    async def slow(request: Request, writer: asyncio.StreamWriter) -> bool:
        nonlocal under_way
        under_way += 1
        at_once.append(under_way)
        await asyncio.sleep(0.12)
        under_way -= 1
        return await answer(NO_LEAK)(request, writer)

    behaviours = {"goroutine": goroutine(MISSING, MISSING), "goroutineleak": slow}
    often = ProfileRequest("goroutineleak", every=0.05)
    async with serve(behaviours) as server, running(config_for(tmp_path, target(server.address, GO, often))) as run:
        watch = watched(run, server.address, SuspiciousWatch(rounds=3))
        await until(lambda: watch.asked == 3 and len(at_once) >= 8)
    assert set(at_once) == {1}


async def test_leaked_goroutines_may_be_asked_for_on_suspicion_alone(tmp_path: Path) -> None:
    behaviours = {"goroutine": goroutine(MISSING, MISSING), "goroutineleak": answer(NO_LEAK)}
    async with serve(behaviours) as server:
        config = with_leaked(target(server.address), LEAKED._replace(every=0.0))
        async with running(config_for(tmp_path, config)) as run:
            watch = watched(run, server.address, SuspiciousWatch(rounds=0))
            await run.logged(server.address, 5)
            assert asked(server, "goroutineleak?debug=1") == 0
            watch.rounds = 2
            await until(lambda: len(watch.kept) == 2)
    assert asked(server, "goroutineleak?debug=1") == 2


async def test_evidence_that_can_t_be_kept_is_used_and_said_once(tmp_path: Path) -> None:
    async with serve({"goroutine": goroutine(MISSING, answer(DUMP))}) as server:
        address = server.address
        config = config_for(tmp_path, target(address))
        folder = config.logs.folder / folder_name(address)
        folder.mkdir(parents=True)
        (folder / "incidents").write_bytes(b"in the way")
        async with running(config) as run:
            watch = watched(run, address, SuspiciousWatch(rounds=2))
            await until(lambda: len(watch.dumps) == 2)
    (line,) = [line for priority, line in run.lines if priority < 6]
    assert "cannot keep evidence: File exists" in line


async def test_news_is_noted_aside_and_what_is_being_noted_at_the_end_is_waited_for(tmp_path: Path) -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    class NewsWatch(SpyWatch):
        def observe(self, entry: Entry) -> None:
            super().observe(entry)
            self.has_news = len(self.seen) == 2

        def note(self) -> None:
            assert threading.current_thread() is not threading.main_thread()
            self.has_news = False
            began.set()
            go_on.wait(20)
            ended.set()

    async with serve(answer(GOROUTINE)) as server, serve(answer(GOROUTINE)) as other:
        config = config_for(tmp_path, target(server.address), target(other.address))
        async with running(config) as run:
            run.watches[server.address] = NewsWatch()
            await until(began.is_set)
            await run.logged(other.address, len(run.entries(other.address)) + 5)
            seen = len(run.watches[server.address].seen)
            asyncio.get_running_loop().call_later(0.2, go_on.set)
    assert seen == 2
    assert ended.is_set()


async def test_a_disk_that_hangs_keeps_nobody_from_ending(tmp_path: Path) -> None:
    go_on = threading.Event()

    class HangingWatch(SpyWatch):
        has_news = True

        def note(self) -> None:
            go_on.wait(20)

    async with serve(answer(GOROUTINE)) as server, running(config_for(tmp_path, target(server.address))) as run:
        run.watches[server.address] = HangingWatch()
        await run.logged(server.address, 1)
    go_on.set()
