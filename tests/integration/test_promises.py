"""Promises of the README that are about the whole of it: real daemons, and what can be seen of them from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest

from badserver import GOROUTINE, after, answer, busy, head, in_turn, never, raw, serve
from daemon_process import daemon_in
from daemons import until
from pprofwatch.alerts.delivered import DELIVERED
from pprofwatch.alerts.journal import Journal
from pprofwatch.logs.folder import folder_name
from sinks import hook_server, make_event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from badserver import Behaviour, Request
    from pprofwatch.model import Entry

pytestmark = pytest.mark.anyio
HEAP = b"heap profile: 0: 0 [0: 0] @ heap/1048576\n\n# runtime.MemStats\n# DebugGC = false\n"
#: What a process says to others; strace tells the address where there is one.
TALK = "trace=connect,sendto,sendmsg,sendmmsg"
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|inet_pton\(AF_INET6, ")([^"]+)"')
UNIX = re.compile(r'sun_path=@?"([^"]+)"')


def spoken_to(trace: Path) -> set[tuple[str, int]]:
    """The addresses that a traced process has talked to, of a socket that is no file, or of another's."""
    text = trace.read_text()
    assert not {path for path in UNIX.findall(text) if "nscd" not in path}, "a socket of the system"
    return {(address, int(port)) for port, address in ADDRESS.findall(text)}


async def test_it_talks_to_nobody_but_its_targets_and_sinks(strace: str, tmp_path: Path) -> None:
    moved = raw(head("302 Found", location="http://192.0.2.1/debug/pprof/", content_length=0))
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://192.0.2.2:3128")
    trace = tmp_path / "trace"
    # With -D what is traced is our child, and strace is not.
    prefix = (strace, "-D", "-f", "--seccomp-bpf", "-q", "-e", "signal=none", "-e", TALK, "-o", str(trace))
    async with (
        hook_server() as hook,
        serve(answer(GOROUTINE)) as server,
        serve(moved) as redirecting,
    ):
        name = f"localhost:{server.address.partition(':')[2]}"
        folder = tmp_path / "daemon" / "logs" / folder_name(name)
        folder.mkdir(parents=True)
        Journal(folder).append(make_event(1, target=name))
        (folder / DELIVERED).write_text('{"hook": 0}')
        with daemon_in(tmp_path / "daemon", environ=proxies, prefix=prefix) as daemon, anyio.fail_after(60):
            daemon.configure(f"""
                target = ["{name}", "{redirecting.address}"]
                interval = "100ms"
                profile = ["goroutine"]
                [[sink]]
                type = "webhook"
                name = "hook"
                url = "http://127.0.0.1:{hook.port}/"
            """)
            daemon.start()
            await hook.has_got(1)
            assert len(await daemon.logged(name, 3)) >= 3
            entries = await daemon.logged(redirecting.address, 3)
            daemon.end()
            await until(lambda: f"{daemon.pid} +++ exited with 0" in re.sub(" +", " ", trace.read_text()))
        assert entries[0].error.startswith("redirects to http://192.0.2.1/debug/pprof/, which is not followed")
        ports = {port for _, port in spoken_to(trace)}
        # A name's addresses are sorted by connecting a datagram socket to each: that sends nothing.
        assert {address for address, _ in spoken_to(trace)} <= {"127.0.0.1", "::1"}
        targets = {int(each.address.partition(":")[2]) for each in (server, redirecting)}
        assert ports == {*targets, hook.port}


def test_a_report_is_made_without_talking_to_anybody(strace: str, tmp_path: Path) -> None:
    trace, page = tmp_path / "trace", tmp_path / "page.html"
    log = tmp_path / "shop.log"
    log.write_bytes(b"Wed Dec 31 13:49:53 UTC 2025\n" + GOROUTINE + b"Wed Dec 31 13:50:03 UTC 2025\n" + GOROUTINE)
    traced = [strace, "-f", "-qq", "-e", "signal=none", "-e", TALK, "-o", str(trace)]
    command = [sys.executable, "-m", "pprofwatch", "report", str(log), "-o", str(page)]
    subprocess.run([*traced, *command], check=True, capture_output=True, timeout=120)
    assert page.read_bytes().startswith(b"<!")
    assert spoken_to(trace) == set()


async def test_where_no_thread_can_be_started_it_is_tried_again(strace: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    # The first two write to stderr and open the log folder: who can't do that may end. Others replay, remove and sync.
    refuse = ("-e", "trace=clone,clone3", "-e", "inject=clone,clone3:error=EAGAIN:when=3..7")
    prefix = (strace, "-D", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", *refuse, "-o", str(trace))
    async with serve(answer(GOROUTINE)) as server:
        with daemon_in(tmp_path / "daemon", prefix=prefix) as daemon, anyio.fail_after(60):
            daemon.configure(f'target = ["{server.address}"]\ninterval = "50ms"\nsync_interval = "100ms"')
            daemon.start()
            await daemon.until(lambda: trace.exists() and trace.read_text().count("INJECTED") == 5)
            polled = len(daemon.entries(server.address))
            assert len(await daemon.logged(server.address, polled + 3)) > polled
            daemon.end()
    assert "mistake" not in daemon.said
    assert "not known" not in daemon.said


class Counting:
    """Counts requests that are under way, by path and query."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def __call__(self, request: Request, writer: object) -> bool:
        asked = request.target.removeprefix("/debug/pprof/")
        self._now[asked] += 1
        self.most[asked] = max(self.most[asked], self._now[asked])
        try:
            return await self._behaviour(request, writer)  # type: ignore[arg-type]
        finally:
            self._now[asked] -= 1


async def test_a_healthy_target_is_asked_for_nothing_costly_and_for_nothing_twice_at_once(tmp_path: Path) -> None:
    profiles = {
        "goroutine": GOROUTINE,
        "threadcreate": GOROUTINE,
        "heap": HEAP,
        "goroutineleak": b"goroutineleak profile: total 0\n\n",
    }
    # Each answer takes longer than the time to the next poll.
    counting = {name: Counting(after(0.25, answer(body))) for name, body in profiles.items()}
    async with serve(counting) as server:
        config = f'target = ["{server.address}"]\ninterval = "100ms"\ngoroutineleak_every = "100ms"'
        with daemon_in(tmp_path, config) as daemon, anyio.fail_after(60):
            assert len(await daemon.logged(server.address, 10, "goroutineleak")) >= 10
            entries = daemon.entries(server.address)
            daemon.end()
    assert any(entry.gap for entry in entries), "no poll fell due during another"
    most = {asked: most for each in counting.values() for asked, most in each.most.items()}
    assert most == {
        "goroutine?debug=1": 1,
        "threadcreate?seconds=1": 1,
        "heap?debug=1": 1,
        "goroutineleak?debug=1": 1,
    }
    assert {request.name for request in server.requests} == set(profiles)


INTERVAL = 0.05


def unaccounted(entries: Sequence[Entry]) -> float:
    """Intervals from the first poll to the last, less polls and what gaps count."""
    made = [entry.time for entry in entries if not entry.gap or "in use" in entry.error]
    skipped = sum(entry.gap for entry in entries if "in use" not in entry.error and made[0] < entry.time <= made[-1])
    return (made[-1] - made[0]) / INTERVAL - (len(made) - 1) - skipped


async def test_each_interval_has_its_poll_a_reason_or_is_in_a_gap(tmp_path: Path) -> None:
    wrong = raw(b"garbage\r\n\r\n")
    flaky = in_turn(*[answer(GOROUTINE), wrong, answer(b"no", "500 Internal Server Error"), raw(b"")] * 50)
    async with (
        serve(answer(GOROUTINE)) as good,
        serve(after(3.4 * INTERVAL, answer(GOROUTINE))) as slow,
        serve(never()) as silent,
        serve(flaky) as changing,
        serve(busy()) as taken,
        serve(answer(b"no such thing", "404 Not Found", x_go_pprof=1)) as lacking,
    ):
        targets = [each.address for each in (good, slow, silent, changing, taken, lacking)] + ["127.0.0.1:1"]
        config = f'target = {targets}\ninterval = "50ms"\ntimeout = "400ms"\nprofile = ["goroutine"]'
        with daemon_in(tmp_path, config) as daemon, anyio.fail_after(60):
            for address in targets[:-2]:
                await daemon.until(lambda address=address: sum(e.gap or 1 for e in daemon.entries(address)) >= 60)  # type: ignore[misc]
            daemon.end()
        logs = {address: daemon.entries(address) for address in targets}
    for address, entries in logs.items():
        if address == lacking.address:  # asked once a minute
            assert entries[0].error == "has no goroutine profile"
            assert sum(entry.gap for entry in entries[1:]) >= 10
            continue
        # The first and the last poll may each have been late, by less than an interval.
        assert abs(unaccounted(entries)) <= 1.01, (address, entries)
        assert all(entry.body or entry.error for entry in entries)
