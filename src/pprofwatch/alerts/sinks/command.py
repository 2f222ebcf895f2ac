"""A command: it is run for each event, which it reads as JSON on its standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import anyio
import msgspec

from pprofwatch.alerts.sinks.base import Notice, Sink, SinkError
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from anyio.abc import ByteReceiveStream, Process

#: What a command gets of our environment. The rest may hold what is not its business: tokens, systemd's sockets.
_ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
#: Of what it says on standard error so much is kept, and so much of its first line shown. Bytes, and characters.
_MOST_READ = 4096
_MOST_SHOWN = 200
#: Seconds that its last words are waited for, once it has ended: a child that it left may hold the pipe open.
_LAST_WORDS = 0.2


class CommandSink(Sink):
    """Runs a program. Exit status 0 means that it has taken the event."""

    attempts = 3

    async def send(self, notice: Notice) -> None:
        """Run it once; when it takes too long, it is killed, with the processes that it started."""
        words: list[bytes] = []
        try:
            with anyio.fail_after(self.config.timeout):
                status = await self._run(msgspec.json.encode(notice.fields) + b"\n", words)
        except TimeoutError:
            problem = f"did not end within {format_duration(self.config.timeout)}, and was killed"
        except OSError as error:
            problem = f"can't be run: {error.strerror}"
        else:
            if status == 0:
                return
            problem = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
        raise SinkError(f"{problem}{_first_line(b''.join(words))}", retry=True)

    async def _run(self, data: bytes, words: list[bytes]) -> int:
        process = await anyio.open_process(
            self.config.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
        try:
            return await _attend(process, data, words)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            await process.aclose()


async def _attend(process: Process, data: bytes, words: list[bytes]) -> int:
    """Feeds a process and listens to it until it ends. Returns its exit status."""
    async with anyio.create_task_group() as tasks:
        heard = anyio.Event()
        if process.stderr is not None:
            tasks.start_soon(_listen, process.stderr, words, heard)
        if process.stdin is not None:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                await process.stdin.send(data)  # it need not read
                await process.stdin.aclose()
        status = await process.wait()
        with anyio.move_on_after(_LAST_WORDS):
            await heard.wait()
        tasks.cancel_scope.cancel()
    return status


async def _listen(stream: ByteReceiveStream, words: list[bytes], heard: anyio.Event) -> None:
    """Reads all that a process says, so that it never waits for us, and keeps the beginning."""
    left = _MOST_READ
    async for data in stream:
        words.append(data[:left])
        left -= len(words[-1])
    heard.set()


def _first_line(words: bytes) -> str:
    text = words.decode(errors="replace").strip().partition("\n")[0].strip()
    line = "".join(char if char.isprintable() else "�" for char in text)[:_MOST_SHOWN]
    return f": {line}" if line else ""
