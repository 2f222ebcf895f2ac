"""Fetches from a server of ``badserver``, as a target of the daemon is fetched from."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from badserver import Behaviour, serve
from pprofwatch.collect.fetch import Fetcher, TlsContexts
from pprofwatch.config.settings import TargetConfig
from pprofwatch.errors import FetchError
from pprofwatch.model import ProfileRequest, Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pprofwatch.collect.answers import Answer

REQUEST = ProfileRequest("goroutine")
#: Seconds: long enough for a busy machine, where a test does not wait for it.
PLENTY = 20.0


@asynccontextmanager
async def fetcher_for(
    address: str, folder: Path, *, look_up: Callable[[str, int], list[str]] | None = None, **config: Any
) -> AsyncIterator[Fetcher]:
    socket = address.removeprefix("unix:") if address.startswith("unix:") else ""
    url = f"http://{'localhost' if socket else address}/debug/pprof/" if "://" not in address else address
    settings = {"timeout": PLENTY, **config}
    target = TargetConfig(Target("t", url, socket), (REQUEST,), **settings)
    more = {} if look_up is None else {"look_up": look_up}
    fetcher = Fetcher(target, TlsContexts(), folder, time.monotonic, **more)
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


async def fetch_from(behaviour: Behaviour, folder: Path, request: ProfileRequest = REQUEST, **config: Any) -> Answer:
    async with serve(behaviour) as server, fetcher_for(server.address, folder, **config) as fetcher:
        return await fetcher.fetch(request)


async def failure_of(behaviour: Behaviour, folder: Path, request: ProfileRequest = REQUEST, **config: Any) -> str:
    with pytest.raises(FetchError) as caught:
        await fetch_from(behaviour, folder, request, **config)
    assert is_empty(folder)
    return str(caught.value)


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())
