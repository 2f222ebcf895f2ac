"""``pprofwatch start`` as a process: what it says, and how it ends. No server is needed: its target is down."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARY = Path(sys.executable).with_name("pprofwatch")
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture
def address() -> Iterator[str]:
    """An address that nobody answers at: the port is taken, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@contextlib.contextmanager
def running(*args: str | Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A daemon; killed at the end if it still runs, and after a minute, so that waiting for a line of its ends."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
    with subprocess.Popen([BINARY, "start", *args], stderr=subprocess.PIPE, text=True, env=environ) as process:
        deadline = threading.Timer(60, process.kill)
        deadline.start()
        try:
            yield process
        finally:
            deadline.cancel()
            process.kill()


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """The lines on stderr up to the one with this text."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return "".join(lines)
    pytest.fail(f"ended without {text!r}: {''.join(lines)}")


def test_it_records_and_ends_cleanly_at_the_first_signal(tmp_path: Path, address: str) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with running("--target", address, "--log-dir", tmp_path) as process:
            said = wait_for(process, "is down")
            assert re.match(rf"{STAMP} recording {address} to {tmp_path}\n", said)
            process.send_signal(number)
            assert process.wait(timeout=2) == 0
    assert f"{address} goroutine bytes=0" in (tmp_path / address.replace(":", "_") / "goroutine.log").read_text()


def test_a_second_daemon_on_the_folder_names_the_first(tmp_path: Path, address: str) -> None:
    with running("--target", address, "--log-dir", tmp_path) as first:
        wait_for(first, "is down")
        with running("--target", address, "--log-dir", tmp_path) as second:
            assert second.wait(timeout=30) == 3
            assert second.stderr
            last = second.stderr.read().splitlines()[-1]
        assert re.fullmatch(rf"pprofwatch: {tmp_path}: .*\b{first.pid}\b.*", last)


def test_a_folder_that_can_not_be_used_is_3(tmp_path: Path, address: str) -> None:
    (tmp_path / "file").write_text("")
    with running("--target", address, "--log-dir", tmp_path / "file" / "logs") as process:
        assert process.wait(timeout=30) == 3
        assert process.stderr
        assert f"pprofwatch: {tmp_path}/file/logs: cannot create" in process.stderr.read()


def test_a_wrong_configuration_is_2_before_anything_is_touched(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'log_dir = "{tmp_path}/logs"\ninterval = "1"\n')
    with running("--config", config, "--timeout", "x") as process:
        assert process.wait(timeout=30) == 2
        assert process.stderr
        assert process.stderr.read().count("pprofwatch: ") == 2
    assert not (tmp_path / "logs").exists()


def test_a_hangup_reads_the_file_again_and_a_wrong_one_changes_nothing(tmp_path: Path, address: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'target = "{address}"\n')
    with running("--log-dir", tmp_path / "logs", env={"CONFIGURATION_DIRECTORY": str(tmp_path)}) as process:
        wait_for(process, "is down")
        config.write_text("target = 5\nnonsense = 1\n")
        process.send_signal(signal.SIGHUP)
        said = wait_for(process, "nonsense: unknown key")
        assert "the configuration is kept as it was:\n" in said
        assert f"{config}:1: target: expected" in said
        config.write_text(f'target = "{address}"\nprofile = "alloc"\n')
        process.send_signal(signal.SIGHUP)
        assert "Go's name for the profile alloc is allocs" in wait_for(process, "reloaded: 1 targets, 1 of them new")
        process.terminate()
        assert process.wait(timeout=2) == 0
