"""Tells systemd how the service is: sd_notify(3), without a library. Silent where nobody listens."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Systemd:
    """The service manager that started us, if one did.

    Args:
        environ: ``NOTIFY_SOCKET`` names its socket; ``WATCHDOG_USEC`` is how often it wants a sign of life, in
            microseconds, if that is meant for the process ``WATCHDOG_PID``.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog = _watchdog(environ)
        """Seconds within which it wants a sign of life; 0: it does not."""

    def ready(self) -> None:
        """Started, or reloaded."""
        self._notify("READY=1")

    def reloading(self) -> None:
        """Reloading, until ``ready`` is called (Type=notify-reload wants the time)."""
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """About to end."""
        self._notify("STOPPING=1")

    def alive(self) -> None:
        """Still working, as it should."""
        self._notify("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``."""
        self._notify(f"STATUS={text}")

    def _notify(self, state: str) -> None:
        if not self._address:
            return
        # It may have gone, or be too busy to listen: neither may stop us, nor make us wait.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.setblocking(False)
            to.sendto(state.encode(), self._address)


def _address(path: str) -> str:
    """The socket's address: ``@`` stands for the NUL that begins one outside of the file system."""
    if path.startswith("@"):
        return f"\0{path[1:]}"
    return path if path.startswith("/") else ""


def _watchdog(environ: Mapping[str, str]) -> float:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0
