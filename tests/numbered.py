"""A server on loopback that numbers its answers, so that a log tells which of them it has; a daemon that asks it."""

from __future__ import annotations

import contextlib
import socketserver
import subprocess
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from pprofwatch.logs.entry import encode_entry
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: A segment is closed when it has so many entries.
SEGMENT = 100
_STACKS = 20
_FRAMES = 4


class NumberedServer(socketserver.ThreadingTCPServer):
    """Answers polls of goroutine profiles at ``/NAME/debug/pprof/goroutine``, for any number of names at once.

    ``asked`` has, by name, when each request came (on the monotonic clock): the answer to the first is numbered 1. When
    one comes, the answers to all before it have been logged, since a poll is logged before the next is made.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: dict[str, list[float]] = defaultdict(list)
        self.news = threading.Condition()

    def url(self, name: str) -> str:
        """A target's address."""
        return f"http://127.0.0.1:{self.server_address[1]}/{name}/debug/pprof/"

    def answers(self) -> int:
        """How many requests have come in all."""
        return sum(map(len, list(self.asked.values())))


def number_of(entry: Entry) -> int:
    """The number of the answer in an entry."""
    return int(entry.body.split(b"\n", 2)[1].rpartition(b" ")[2], 16)


def body(number: int) -> bytes:
    """The answer with this number, as Go would give it: it stands in an address, so that nothing seems to leak."""
    text = f"goroutine profile: total {_STACKS}\n"
    for stack in range(_STACKS):
        pcs = [0x400000 + 16 * stack + frame for frame in range(_FRAMES)]
        text += "1 @ " + " ".join(f"{pc:#x}" for pc in pcs) + (f" {number:#x}" if stack == 0 else "") + "\n"
        text += "".join(
            f"#\t{pc:#x}\tmain.handle{stack}.func{pc % 16}+0x2f\t/src/app/main.go:{pc % 16}\n" for pc in pcs
        )
        text += "\n"
    return text.encode()


def start_daemon(server: NumberedServer, names: Sequence[str], folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """A daemon that polls some of the server's targets as fast as it can, and closes a segment every so often."""
    size = len(encode_entry(Entry(0.0, server.url(names[0]), "goroutine", body(1)))) * SEGMENT
    command = [sys.executable, "-m", "pprofwatch", "start", "--interval", "10ms", "--profile", "goroutine"]
    for name in names:
        command += ["--target", server.url(name)]
    command += ["--rotate-size", str(size), "--log-dir", str(folder), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


@contextlib.contextmanager
def serving() -> Iterator[NumberedServer]:
    """The server, running in a thread."""
    with NumberedServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(socketserver.StreamRequestHandler):
    server: NumberedServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                times = self.server.asked[line.split(b"/")[1].decode()]
                with self.server.news:
                    times.append(time.monotonic())
                    self.server.news.notify_all()
                answer = body(len(times))
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(answer)
                self.wfile.write(head + answer)
