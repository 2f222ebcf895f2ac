"""The daemon as a whole: real servers, real signals, real files."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import anyio
import pytest

from badserver import GOROUTINE, BadServer, answer, busy, never, serve
from daemons import GO, LATE, Run, SpyWatch, config_for, descriptors, make_daemon, running, target, until
from pprofwatch.collect.parts import Clock
from pprofwatch.config.settings import Config, LogConfig
from pprofwatch.errors import AlreadyRunningError, ConfigError, LogError
from pprofwatch.logs.folder import LogFolder, folder_name
from pprofwatch.model import ProfileRequest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartGoServer


pytestmark = pytest.mark.anyio


def test_it_can_be_made_before_there_is_an_event_loop(tmp_path: Path) -> None:
    run = Run(config_for(tmp_path, target("127.0.0.1:1")))

    def end_when_polled(_: int, text: str) -> None:
        if "is down" in text:
            os.kill(os.getpid(), signal.SIGTERM)

    run.say = end_when_polled  # type: ignore[assignment,method-assign]
    anyio.run(make_daemon(run).run)
    assert run.entries("127.0.0.1:1")[0].error == "connection refused"


async def test_polls_are_logged_and_watched(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        before = time.time()
        async with running(config_for(tmp_path, target(server.address))) as run:
            entries = await run.logged(server.address, 4)
    assert [entry.body for entry in entries] == [GOROUTINE] * len(entries)
    assert all(entry.profile == "goroutine" and entry.target == server.address for entry in entries)
    assert before - 0.001 <= entries[0].time < before + 1.0
    watch = run.watches[server.address]
    assert watch.replays == 1
    assert [entry.time for entry in watch.seen][:4] == [entry.time for entry in entries][:4]


async def test_a_real_go_server_with_the_profiles_that_are_polled_by_default(
    go_server: StartGoServer, tmp_path: Path
) -> None:
    address = go_server().address
    requests = (
        GO,
        ProfileRequest("threadcreate", 1, every=2.0),
        ProfileRequest("heap", every=0.5),
        ProfileRequest("goroutineleak", every=5.0),
        ProfileRequest("profile", 1, every=5.0),
    )
    async with running(config_for(tmp_path, target(address, *requests))) as run:
        delta = await run.logged(address, 1, "threadcreate-delta")
        heap = await run.logged(address, 2, "heap")
        cpu = await run.logged(address, 1, "profile")
        leak = await run.logged(address, 1, "goroutineleak")
    assert delta[0].body.startswith(b"threadcreate profile: total ")
    assert delta[0].seconds == 1
    assert 1.0 <= delta[0].took < 5.0
    assert heap[0].body.startswith(b"heap profile: ")
    assert leak[0].body.startswith(b"goroutineleak profile: total ")
    folder = run.config.logs.folder / folder_name(address)
    assert (folder / cpu[0].file).read_bytes()[:2] == b"\x1f\x8b"
    assert not [line for priority, line in run.lines if priority < 6]


async def test_one_target_that_never_answers_delays_no_other(tmp_path: Path) -> None:
    async with serve(never()) as silent, serve(answer(GOROUTINE)) as server:
        targets = target(silent.address, timeout=2.0), target(server.address)
        async with running(config_for(tmp_path, *targets)) as run:
            await run.said("no answer within 2s")
            entries = run.entries(server.address)
            await run.logged(silent.address, 3)
        silent_entries = run.entries(silent.address)
    waited = [late.time - early.time for early, late in pairwise(entries)]
    assert max(waited) < 1.0
    assert silent_entries[0].error == "no answer within 2s"
    assert silent_entries[0].took >= 2.0
    # Ticks that passed while the first poll waited are a gap, not caught up.
    gap = next(entry for entry in silent_entries if entry.gap)
    assert gap.gap >= 38
    assert "took too long" in gap.error


async def test_a_target_that_goes_down_and_comes_back_is_said_once_each(tmp_path: Path) -> None:
    requests = (GO, ProfileRequest("heap", every=0.05))
    behaviours = {"goroutine": answer(GOROUTINE)}
    async with serve(behaviours) as server:
        address = server.address
        port = int(address.rpartition(":")[2])
        config = config_for(tmp_path, target(address, *requests))
        context = running(config)
        run = await context.__aenter__()
        await run.logged(address, 2)
    await run.said("is down")
    await run.logged(address, len(run.entries(address)) + 5)
    async with serve(behaviours, port=port):
        await run.said("is up again")
        await run.logged(address, len(run.entries(address)) + 3)
        await context.__aexit__(None, None, None)
    lines = [line for _, line in run.lines if "is down" in line or "is up again" in line]
    assert lines[0] == f"{address} is down: connection refused"
    assert len(lines) == 2
    refused = [entry for entry in run.entries(address) if entry.error and not entry.gap]
    assert len(refused) >= 4
    assert {entry.error for entry in refused} <= {"connection refused", "closed the connection without an answer"}


async def test_a_profile_that_is_missing_is_said_once_and_counted(tmp_path: Path) -> None:
    requests = (GO, ProfileRequest("goroutineleak", every=0.05))
    async with serve({"goroutine": answer(GOROUTINE)}) as server:
        async with running(config_for(tmp_path, target(server.address, *requests))) as run:
            await run.logged(server.address, 8)
        entries = run.entries(server.address, "goroutineleak")
    assert len([request for request in server.requests if request.name == "goroutineleak"]) == 1
    assert len([line for _, line in run.lines if "has no goroutineleak profile" in line]) == 1
    first, gap = entries
    assert "has no goroutineleak profile" in first.error
    assert gap.gap >= 4
    assert gap.error == "the target does not have this profile"


async def test_a_profile_is_asked_for_again_when_the_target_was_down(tmp_path: Path) -> None:
    """It may have been restarted with a newer Go."""
    requests = (GO, ProfileRequest("goroutineleak", every=0.05))
    async with serve({"goroutine": answer(GOROUTINE)}) as server:
        address = server.address
        context = running(config_for(tmp_path, target(address, *requests)))
        run = await context.__aenter__()
        await run.said("has no goroutineleak")
    await run.said("is down")
    leak = b"goroutineleak profile: total 0\n"
    behaviours = {"goroutine": answer(GOROUTINE), "goroutineleak": answer(leak)}
    async with serve(behaviours, port=int(address.rpartition(":")[2])):
        await until(lambda: any(entry.body == leak for entry in run.entries(address, "goroutineleak")))
        await context.__aexit__(None, None, None)


async def test_a_missing_profile_is_asked_for_again_later_and_a_suspend_is_a_gap(tmp_path: Path) -> None:
    slept = 0.0
    clock = Clock(lambda: time.time() + slept, lambda: time.monotonic() + slept)
    requests = (GO, ProfileRequest("goroutineleak", every=0.05))
    async with serve({"goroutine": answer(GOROUTINE)}) as server:
        config = config_for(tmp_path, target(server.address, *requests))
        async with running(config, clock=clock) as run:
            for asked in (1, 2, 3):
                await until(lambda: leaks_asked(server) >= asked)  # noqa: B023  # it is awaited here
                count = len(server.requests)
                await server.asked(count + 3)
                assert leaks_asked(server) == asked
                slept += 61.0 * asked  # one minute, then two
            await run.logged(server.address, len(run.entries(server.address)) + 3)
        entries = run.entries(server.address)
    gaps = [entry.gap for entry in entries if entry.gap]
    assert [round(gap * 0.05 / 61) for gap in gaps if gap > 100] == [1, 2, 3]
    assert len([line for _, line in run.lines if "goroutineleak" in line]) == 1


def leaks_asked(server: BadServer) -> int:
    return len([request for request in server.requests if request.name == "goroutineleak"])


async def test_a_large_profile_is_logged_and_watched(tmp_path: Path) -> None:
    record = b"1 @ 0x48c3ca\n#\t0x682dd6\tmain.work+0x76\t/src/app/pool.go:54\n\n"
    body = b"goroutine profile: total 30000\n" + 30000 * record
    async with serve(answer(body)) as server:
        slow = target(server.address, ProfileRequest("goroutine", every=0.5))
        async with running(config_for(tmp_path, slow)) as run:
            entry = (await run.logged(server.address, 1))[0]
            await until(lambda: bool(run.watches[server.address].seen))
    assert entry.error == ""
    assert entry.body == run.watches[server.address].seen[0].body == body


async def test_a_replay_that_takes_long_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    goes_on = threading.Event()
    started = threading.Event()

    class SlowWatch(SpyWatch):
        def replay(self) -> None:
            started.set()
            goes_on.wait()

    async with (
        serve(answer(GOROUTINE)) as server,
        serve(answer(GOROUTINE)) as other,
        running(config_for(tmp_path, target(server.address), target(other.address))) as run,
    ):
        run.watches[server.address] = SlowWatch()
        await run.logged(other.address, 3)
        assert started.is_set()
    goes_on.set()
    assert not server.requests


async def test_a_replay_that_fails_is_said_and_the_target_is_polled(tmp_path: Path) -> None:
    class BrokenWatch(SpyWatch):
        def replay(self) -> None:
            raise LogError("goroutine.log: cannot read: Input/output error")

    async with serve(answer(GOROUTINE)) as server, running(config_for(tmp_path, target(server.address))) as run:
        run.watches[server.address] = BrokenWatch()
        await run.logged(server.address, 2)
    assert any("cannot read: Input/output error" in line for _, line in run.lines)


async def test_a_busy_profiler_makes_a_skipped_poll(tmp_path: Path) -> None:
    cpu = ProfileRequest("profile", 1, every=0.1)
    async with (
        serve({"profile": busy()}) as server,
        running(config_for(tmp_path, target(server.address, cpu))) as run,
    ):
        entry = (await run.logged(server.address, 1, "profile"))[0]
    assert entry.gap == 1
    assert "cpu profiling already in use" in entry.error
    assert not [line for priority, line in run.lines if priority < 6]


async def test_wrong_answers_are_entries_and_one_line(tmp_path: Path) -> None:
    html = answer(b"<!DOCTYPE html><p>hello", content_type="text/html")
    requests = (GO, ProfileRequest("heap", every=0.05), ProfileRequest("mutex", every=0.05))
    async with serve(html) as server, running(config_for(tmp_path, target(server.address, *requests))) as run:
        entries = await run.logged(server.address, 4)
        await run.logged(server.address, 2, "heap")
        await run.logged(server.address, 2, "mutex")
    expected = "answered HTML, not a profile (is this pprof's address?)"
    assert {entry.error for entry in entries} - {LATE} == {expected}
    assert len([line for _, line in run.lines if expected in line]) == 1


async def test_a_detector_that_fails_is_said_once_and_polls_go_on(tmp_path: Path) -> None:
    async with (
        serve(answer(GOROUTINE)) as server,
        running(config_for(tmp_path, target(server.address)), fails=True) as run,
    ):
        entries = await run.logged(server.address, 6)
    assert all(entry.body == GOROUTINE for entry in entries)
    mistakes = [line for _, line in run.lines if "a mistake of ours (RuntimeError at daemons.py:" in line]
    assert len(mistakes) == 1


async def test_a_poll_that_ends_by_a_mistake_is_said_counted_and_followed_by_the_next(tmp_path: Path) -> None:
    """A clock that fails once stands for what nobody foresaw."""
    is_broken = False

    def wall() -> float:
        nonlocal is_broken
        if is_broken:
            is_broken = False
            raise OverflowError("clock broke")
        return time.time()

    clock = Clock(wall, time.monotonic)
    async with (
        serve(answer(GOROUTINE)) as server,
        running(config_for(tmp_path, target(server.address)), clock=clock) as run,
    ):
        await run.logged(server.address, 2)
        is_broken = True
        await run.said(f"{server.address} goroutine: a mistake of ours (OverflowError at test_daemon.py:")
        entries = await run.logged(server.address, len(run.entries(server.address)) + 3)
        assert server.connections == 1
    assert [entry.gap for entry in entries if entry.error == "a mistake of ours"] == [1]


async def test_a_loop_that_ends_by_a_mistake_is_said_and_stops_no_other_target(tmp_path: Path) -> None:
    class BrokenWatch(SpyWatch):
        """Its loop for evidence fails, once there is something to ask for."""

        looked_at = 0

        @property
        def wants_evidence(self) -> bool:  # type: ignore[override]
            self.looked_at += 1
            if self.looked_at > 1:
                raise RuntimeError("detector broke")
            return True

    async with (
        serve(answer(GOROUTINE)) as server,
        serve(answer(GOROUTINE)) as other,
        running(config_for(tmp_path, target(server.address), target(other.address))) as run,
    ):
        run.watches[server.address] = BrokenWatch()
        await run.said(f"{server.address}: a mistake of ours (ExceptionGroup")
        await run.logged(other.address, len(run.entries(other.address)) + 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_during_a_long_request_with_nothing_left_behind(
    number: signal.Signals, go_server: StartGoServer, tmp_path: Path
) -> None:
    address = go_server().address
    requests = (GO, ProfileRequest("profile", 30, every=60.0), ProfileRequest("heap", 30, every=60.0))
    opened = descriptors()
    threads = threading.active_count()
    tasks = asyncio.all_tasks()
    run = Run(config_for(tmp_path, target(address, *requests)))
    began = 0.0

    async def stop() -> None:
        nonlocal began
        await run.logged(address, 3)
        began = time.monotonic()
        os.kill(os.getpid(), number)

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        await make_daemon(run).run()
    assert time.monotonic() - began < 2.0
    await asyncio.sleep(0)
    assert descriptors() == opened
    assert asyncio.all_tasks() == tasks
    # anyio keeps idle threads for the next who needs one, and ends them with the event loop.
    assert len([thread for thread in threading.enumerate() if "AnyIO" not in thread.name]) <= threads
    LogFolder(run.config.logs.folder).close()


def test_a_second_sigint_ends_it_at_once_whatever_it_waits_for(tmp_path: Path) -> None:
    """Here for a pipe that nobody reads its messages from."""
    script = f"""
import time
from pathlib import Path
import anyio, daemons

def say(priority, text):
    if text == "SIGINT: ending":
        print("waiting", flush=True)
        time.sleep(60)

run = daemons.Run(daemons.config_for(Path({str(tmp_path)!r}), daemons.target("127.0.0.1:1")))
run.say = say
anyio.run(daemons.make_daemon(run).run)
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environ) as process:
        live = tmp_path / "logs" / "127.0.0.1_1" / "goroutine.log"
        deadline = time.monotonic() + 30
        while not live.exists() and process.poll() is None and time.monotonic() < deadline:
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130


async def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        config = config_for(tmp_path, target(server.address))
        async with running(config) as run:
            await run.logged(server.address, 1)
            with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()} "):
                await make_daemon(Run(config)).run()


async def test_reload_restarts_only_what_changed(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as first, serve(answer(GOROUTINE)) as second, serve(answer(GOROUTINE)) as third:
        config = config_for(tmp_path, target(first.address), target(second.address))
        async with running(config) as run:
            await run.logged(first.address, 2)
            await run.logged(second.address, 2)
            changed = dataclasses.replace(target(second.address), timeout=1.0)
            run.next_config = config_for(tmp_path, target(first.address), changed, target(third.address))
            os.kill(os.getpid(), signal.SIGHUP)
            await run.said("reloaded: 3 targets, 2 of them new or changed")
            await run.logged(third.address, 2)
            run.next_config = config_for(tmp_path, target(third.address))
            os.kill(os.getpid(), signal.SIGHUP)
            await run.said("reloaded: 1 targets, 0 of them new or changed")
            await first.left()
            asked = len(first.requests)
            await run.logged(third.address, len(run.entries(third.address)) + 4)
            assert len(first.requests) == asked
    assert (first.connections, second.connections, third.connections) == (1, 2, 1)
    assert run.watches[first.address].replays == 1
    assert run.watches[second.address].replays == 2
    assert all(entry.body == GOROUTINE for entry in run.entries(second.address) if not entry.gap)


async def test_a_wrong_configuration_is_not_taken(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server, running(config_for(tmp_path, target(server.address))) as run:
        await run.logged(server.address, 1)
        run.next_config = OSError(5, "Input/output error")
        os.kill(os.getpid(), signal.SIGHUP)
        await run.said("the configuration is kept as it was: a mistake of ours (OSError")
        run.next_config = ConfigError(["config.toml:3: interval: expected a duration"])
        os.kill(os.getpid(), signal.SIGHUP)
        await run.said("the configuration is kept as it was:\nconfig.toml:3: interval: expected a duration")
        await run.logged(server.address, len(run.entries(server.address)) + 3)
        assert server.connections == 1


async def test_the_log_folder_stays_where_it_is(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        config = config_for(tmp_path, target(server.address))
        async with running(config) as run:
            await run.logged(server.address, 1)
            run.next_config = Config(config.targets, LogConfig(tmp_path / "elsewhere", rotate_size=1 << 20))
            os.kill(os.getpid(), signal.SIGHUP)
            await run.said(f"log_dir stays {config.logs.folder} until a restart")
            await run.said("reloaded: 1 targets, 1 of them")
            await run.logged(server.address, len(run.entries(server.address)) + 2)
    assert not (tmp_path / "elsewhere").exists()


async def test_segments_are_rotated_and_compressed_and_old_ones_removed(tmp_path: Path) -> None:
    size = len(GOROUTINE)
    config = config_for(tmp_path, target("x"), rotate_size=5 * size, keep_size=40_000)
    async with serve(answer(GOROUTINE)) as server:
        quick = target(server.address, ProfileRequest("goroutine", every=0.01))
        config = dataclasses.replace(config, targets=(quick,))
        folder = config.logs.folder / folder_name(server.address)
        async with running(config) as run:
            await until(lambda: any(folder.glob("goroutine-*.log.zst")))
            first = min(folder.glob("goroutine-*"))
            await run.logged(server.address, 10)
            await until(lambda: not first.exists())
    assert not [line for priority, line in run.lines if priority < 5]


async def test_polls_that_cannot_be_logged_are_said_once_and_counted(tmp_path: Path) -> None:
    """As on a full disk: here the system allows no file as large as an entry."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with serve(answer(GOROUTINE)) as server:
        address = server.address
        async with running(config_for(tmp_path, target(address, GO, ProfileRequest("mutex", every=0.05)))) as run:
            await run.logged(address, 3)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
            try:
                await run.said(".log: cannot write: File too large")
                await server.asked(len(server.requests) + 20)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            await run.said("works again, after: ")
            await until(lambda: run.entries(address)[-1].body != b"")
        entries = [entry for entry in run.entries(address) if entry.error != LATE]
    assert len([line for priority, line in run.lines if priority == 3]) == 1
    gaps = [entry for entry in entries if entry.gap]
    assert {entry.error for entry in gaps} == {"could not be written to the log"}
    assert sum(entry.gap for entry in gaps) >= 5
    asked = len([request for request in server.requests if request.name == "goroutine"])
    assert asked - 1 <= sum(entry.gap or 1 for entry in entries) <= asked
    # A full disk does not silence alerts: the watch saw what came, whether it was logged or not.
    seen = [entry.time for entry in run.watches[address].seen if entry.profile == "goroutine"]
    assert set(seen) >= {entry.time for entry in entries if not entry.gap}
    assert asked - 1 <= len(seen) <= asked


async def test_a_target_without_a_folder_is_said_and_stops_no_other(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server, serve(answer(GOROUTINE)) as other:
        config = config_for(tmp_path, target(server.address), target(other.address))
        config.logs.folder.mkdir()
        (config.logs.folder / folder_name(server.address)).write_text("in the way")
        async with running(config) as run:
            await run.said("cannot create the target's folder: File exists")
            await run.logged(other.address, 3)


async def test_the_event_loop_waits_for_nothing_but_the_appends(tmp_path: Path, go_server: StartGoServer) -> None:
    blockbuster = pytest.importorskip("blockbuster")
    address = go_server().address
    requests = (GO, ProfileRequest("threadcreate", 1, every=2.0))
    async with serve(answer(GOROUTINE)) as server:
        targets = target(address, *requests), target(server.address)
        with blockbuster.blockbuster_ctx() as detector:
            # One write an entry is the design; a rename and an open of a new segment are as quick.
            for function in ("os.write", "os.rename", "os.stat"):
                detector.functions[function].deactivate()
            run = Run(config_for(tmp_path, *targets, sync_interval=0.2, rotate_size=2000))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(make_daemon(run).run)
                await server.asked(40)
                os.kill(os.getpid(), signal.SIGTERM)
    assert not [line for priority, line in run.lines if priority < 6]
    assert run.entries(address, "threadcreate-delta")
