"""The addresses of a target's host."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING

from pprofwatch.collect.aside import Aside
from pprofwatch.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    LookUp = Callable[[str, int], list[str]]


def system_look_up(host: str, port: int) -> list[str]:
    """A host's addresses in the order to try them, from the system's resolver; waits for as long as that takes."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Tells the addresses of one host.

    Args:
        host: A name, or an address, which is its own.
        port: What will be connected to.
        look_up: Asks for the addresses of a name; may block.
    """

    def __init__(self, host: str, port: int, look_up: LookUp = system_look_up) -> None:
        self._host = host
        self._look_up = Aside(f"resolve {host}", lambda: look_up(host, port))

    async def addresses(self) -> list[str]:
        """At least one.

        Raises:
            UnreachableError: There is none.
        """
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(self._host)
            return [self._host]
        try:
            found = await self._look_up.run()
        except OSError as error:
            raise UnreachableError(f"can't resolve {self._host}: {error.strerror}") from None
        if not found:
            raise UnreachableError(f"can't resolve {self._host}: it has no address")
        return found
