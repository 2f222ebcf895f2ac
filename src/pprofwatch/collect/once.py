"""Asks a target for a profile once, for a command rather than the daemon."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from pprofwatch.collect.answers import judge
from pprofwatch.collect.fetch import Fetcher, TlsContexts
from pprofwatch.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pprofwatch.config.settings import TargetConfig
    from pprofwatch.model import ProfileRequest


def fetch_now(
    config: TargetConfig, requests: Sequence[ProfileRequest], pause: float = 0.0
) -> list[tuple[float, bytes]]:
    """Asks for profiles, one after the other, as the daemon would: bounded in time and size, judged by content.

    Args:
        config: The target, and how to ask it.
        requests: What to ask for.
        pause: Seconds from one request to the next.

    Returns:
        For each when it was asked for, in Unix seconds, and what ``judge`` keeps.

    Raises:
        FetchError: One brought no profile; the error names the target.
    """
    return anyio.run(_fetch, config, requests, pause)


async def _fetch(config: TargetConfig, requests: Sequence[ProfileRequest], pause: float) -> list[tuple[float, bytes]]:
    fetcher = Fetcher(config, TlsContexts(), Path(tempfile.gettempdir()), time.monotonic)
    found = []
    try:
        for index, request in enumerate(requests):
            await anyio.sleep(pause if index else 0)
            asked = time.time()
            answer = await fetcher.fetch(request)
            found.append((asked, judge(request, answer, max_bytes=config.max_body)))
    except FetchError as error:
        raise FetchError(f"{config.target.name}: {error}") from None
    finally:
        await fetcher.aclose()
    return found
