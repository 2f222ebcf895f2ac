"""The targets of the soak: each numbers its answers, and remembers which of them it has sent whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import badserver
from badserver import GOROUTINE, chunk, head
from canned import Answer, Asked, ok

if TYPE_CHECKING:
    import random

#: How many goroutines of each of a healthy target's functions there are at a moment.
Counts = Callable[[float], dict[str, int]]

_MISSING = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Go-Pprof: 1\r\n"
    b"Content-Length: 16\r\n\r\nUnknown profile\n"
)
_FUNCTIONS = [f"app/service{number}.(*Server).serve" for number in range(12)]
#: Of a target that leaks: where, and how many a second.
LEAKY_FUNCTION = "app/queue.(*Dispatcher).forward"
_LEAKED_PER_SECOND = 3.0


@dataclass
class Numbered:
    """A target whose answers are numbered.

    ``answered`` has the number of each goroutine profile that was sent, with the time (Unix seconds).
    """

    name: str
    host: str
    every: float
    counts: Counts
    chance: random.Random
    faults: float = 0.0
    """The share of requests that get something else than their answer."""
    answered: dict[int, float] = field(default_factory=dict)
    asked: int = 0
    dumps: int = 0

    def answer(self, asked: Asked) -> Answer:
        if asked.profile != "goroutine" or asked.query == "debug=0":
            return Answer(_MISSING)
        counts = self.counts(time.monotonic())
        if asked.query == "debug=2":
            self.dumps += 1
            return Answer(ok(_dump(counts)))
        self.asked += 1
        number = self.asked
        body = self._text(number, counts)
        if self.chance.random() < self.faults:
            return self._fault(body)
        return Answer(ok(body), sent=lambda: self.answered.setdefault(number, time.time()))

    def _text(self, number: int, counts: dict[str, int]) -> bytes:
        # Labels are no part of a stack. What they hold here can't be compressed, so that logs grow as real ones do.
        filler = self.chance.randbytes(400).hex()
        records = [f'1 @ 0x48c3ca\n# labels: {{"serial":"{number}","filler":"{filler}"}}\n{_frames("main.main")}']
        records += [f"{count} @ 0x48c3ca 0x419d8e\n{_frames(name)}" for name, count in counts.items() if count]
        return f"goroutine profile: total {1 + sum(counts.values())}\n{''.join(records)}".encode()

    def _fault(self, body: bytes) -> Answer:
        whole = ok(body)
        return self.chance.choice(
            [
                Answer(b""),
                Answer(b"", then_reset=True),
                Answer(whole[: len(whole) // 2], then_reset=True),
                Answer(whole[: len(whole) // 2]),
                Answer(ok(body[: len(body) // 2])),
                Answer(ok(b"<html><body>Just a moment</body></html>")),
                Answer(ok(self.chance.randbytes(3000))),
                Answer(whole.replace(b"200 OK", b"500 Internal Server Error")),
                Answer(whole.replace(b"200 OK", b"302 Found\r\nLocation: http://192.0.2.1/")),
                Answer(self.chance.randbytes(200), then_reset=True),
            ]
        )


def _frames(function: str) -> str:
    return f"#\t0x48c3c9\t{function}+0x69\t\t/src/app.go:41\n#\t0x419d8d\tmain.start+0x2d\t/src/main.go:9\n\n"


def _dump(counts: dict[str, int]) -> bytes:
    functions = [name for name, count in counts.items() for _ in range(count)]
    return "\n".join(
        f"goroutine {number} [chan receive, 3 minutes]:\n{name}(0xc000012000)\n\t/src/app.go:41 +0x69\n"
        "main.start()\n\t/src/main.go:9 +0x2d\n"
        for number, name in enumerate(functions, 1)
    ).encode()


def busy(chance: random.Random) -> Counts:
    """Traffic that goes up and down, the same all day."""
    return lambda _: {name: chance.randint(2, 30) for name in _FUNCTIONS}


def leaking(chance: random.Random) -> Counts:
    """The same, and a leak."""
    traffic, began = busy(chance), time.monotonic()
    return lambda now: {**traffic(now), LEAKY_FUNCTION: int((now - began) * _LEAKED_PER_SECOND)}


def restarting(chance: random.Random, every: float) -> Counts:
    """A process that is replaced again and again; its sessions begin at none, and fill up in the first seconds."""
    traffic = busy(chance)
    return lambda now: {**traffic(now), "app/pool.(*Pool).worker": min(40, int(now % every * 40))}


def make_targets(chance: random.Random) -> list[Numbered]:
    """Healthy ones, one that leaks, some that are restarted, some that often fail."""
    kinds = [(f"steady-{number}", 0.1 + 0.1 * (number % 2), busy(chance), 0.0) for number in range(6)]
    kinds.append(("leaking", 0.2, leaking(chance), 0.0))
    kinds += [(f"restarting-{number}", 0.2, restarting(chance, 15.0 + number), 0.0) for number in range(2)]
    kinds += [(f"flaky-{number}", 0.2, busy(chance), 0.2) for number in range(4)]
    return [
        Numbered(name, f"127.3.0.{number + 1}", every, counts, chance, faults)
        for number, (name, every, counts, faults) in enumerate(kinds)
    ]


def bad_ways() -> list[badserver.Behaviour]:
    """What targets do that never answer rightly."""
    chunked = head(transfer_encoding="chunked")
    return [
        badserver.never(),
        badserver.drip(head(content_length=len(GOROUTINE)) + GOROUTINE, 0.2),
        badserver.endless(chunked + chunk(GOROUTINE), chunk(b"#\t0x1\tmain.f+0x1\t/f.go:1\n" * 2500)),
        badserver.endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        badserver.bomb(64 << 20),
        badserver.raw(b""),
        badserver.answer(b"<html></html>", content_type="text/html"),
    ]
