"""What the played program does: goroutines as a function of time. Pure."""

from __future__ import annotations

import math
import random

from pprofwatch.model import Frame, Profile, Record, Stack

#: Goroutines a second that are left behind.
LEAK_RATE = 2.0

_RUNTIME = "/usr/local/go/src"
_IDLE = (
    (1, (("net/http.(*Server).Serve", f"{_RUNTIME}/net/http/server.go", 3574), ("main.main", "/src/shop/main.go", 38))),
    (8, (("main.(*Pool).worker", "/src/shop/pool.go", 27),)),
    (2, (("time.Sleep", f"{_RUNTIME}/runtime/time.go", 368), ("main.(*Cache).expire", "/src/shop/cache.go", 91))),
    (1, (("os/signal.loop", f"{_RUNTIME}/os/signal/signal_unix.go", 23),)),
)
_REQUEST = (
    ("internal/poll.runtime_pollWait", f"{_RUNTIME}/runtime/netpoll.go", 351),
    ("main.(*Store).query", "/src/shop/store.go", 64),
    ("main.handleOrder", "/src/shop/orders.go", 22),
    ("net/http.(*conn).serve", f"{_RUNTIME}/net/http/server.go", 2157),
)
_LEAK = (
    ("main.(*Dispatcher).forward", "/src/shop/dispatch.go", 41),
    ("main.(*Dispatcher).Dispatch.func1", "/src/shop/dispatch.go", 33),
)


def goroutines(elapsed: float) -> Profile:
    """The program's goroutine profile, ``elapsed`` seconds after its start."""
    noise = random.Random(int(elapsed * 10))
    traffic = 12 + 8 * math.sin(elapsed / 3) + noise.gauss(0, 3)
    counts = [*_IDLE, (max(0, round(traffic)), _REQUEST), (int(elapsed * LEAK_RATE), _LEAK)]
    records = [Record(_stack(frames), (count,)) for count, frames in counts if count]
    records.sort(key=lambda record: -record.values[0])
    return Profile("goroutine", sum(record.values[0] for record in records), tuple(records))


def _stack(frames: tuple[tuple[str, str, int], ...]) -> Stack:
    return Stack(tuple(Frame(*frame) for frame in frames))
