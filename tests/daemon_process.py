"""``pprofwatch start`` as a process of its own: what it is told, what it says, logs and takes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from daemons import read_log
from pprofwatch.errors import LogError
from pprofwatch.logs.folder import folder_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pprofwatch.model import Entry

#: Seconds in which a daemon must have ended: systemd would give it 90.
_END = 20.0


@dataclass
class DaemonProcess:
    """A daemon with its configuration, logs and standard error in one folder.

    Attributes:
        folder: Where all of that is.
        environ: What it finds in its environment beside ours.
        prefix: What to run it by: ``("strace", "-f")``.
    """

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def said(self) -> str:
        """What it has said so far."""
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self.process.pid

    def configure(self, text: str) -> None:
        """Writes its configuration."""
        (self.folder / "config.toml").write_text(f'log_dir = "logs"\n{text}')

    def start(self, stderr: IO[bytes] | int | None = None) -> None:
        """Starts it; what it says goes to the end of a file, unless there is another place for it."""
        command = [sys.executable, "-m", "pprofwatch", "start", "--config", str(self.folder / "config.toml")]
        with contextlib.ExitStack() as files:
            if stderr is None:
                stderr = files.enter_context((self.folder / "stderr").open("ab"))
            self.process = subprocess.Popen(
                [*self.prefix, *command],
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={**os.environ, "NO_COLOR": "1", **self.environ},
            )

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def end(self) -> float:
        """Has it end, in how many seconds; it must do so in peace."""
        began = time.monotonic()
        self.process.terminate()
        status = self.process.wait(_END)
        assert status == 0, f"status {status}: {self.said[-2000:]}"
        return time.monotonic() - began

    def kill(self) -> None:
        """Kills it, if it runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(_END)

    def entries(self, target: str, log: str = "goroutine") -> list[Entry]:
        """What it has logged of a target so far."""
        with contextlib.suppress(LogError):  # an entry is half-written, or a segment just renamed
            return read_log(self.logs / folder_name(target), log)
        return []

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that it does; it must not end meanwhile."""
        while not condition():
            status = self.process.poll()
            assert status is None, f"it ended with status {status}: {self.said[-2000:]}"
            await asyncio.sleep(0.05)  # its logs are read each time

    async def logged(self, target: str, count: int, log: str = "goroutine") -> list[Entry]:
        """Waits until it has logged so many entries, and returns them."""
        await self.until(lambda: len(self.entries(target, log)) >= count)
        return self.entries(target, log)

    def peak(self) -> float:
        """The most memory that it has had resident, in MiB, since ``forget_peak``."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")

    def forget_peak(self) -> None:
        """Begins to measure the peak anew, at what is resident now (proc(5), ``clear_refs``)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def daemon_in(
    folder: Path, config: str = "", *, environ: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[DaemonProcess]:
    """A daemon, started at once where there is a configuration, else by ``start``; killed at the end if need be."""
    folder.mkdir(exist_ok=True)
    daemon = DaemonProcess(folder, environ or {}, prefix)
    if config:
        daemon.configure(config)
        daemon.start()
    try:
        yield daemon
    finally:
        if hasattr(daemon, "process"):
            daemon.kill()
