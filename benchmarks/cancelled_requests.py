"""Do requests that are cancelled leave anything behind: memory, descriptors, tasks, connections?

    .venv/bin/python benchmarks/cancelled_requests.py [--requests 100000]

Each is cancelled at another moment: while it connects, waits for an answer, or reads one that never ends. Exit status 1
if descriptors or tasks are left over, or the second half of the requests has cost more than 2 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import resource
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from badserver import GOROUTINE, answer, head, never, serve, then_silence
from fetching import fetcher_for
from pprofwatch.model import ProfileRequest

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_MOST_GROWTH = 2.0
_BEHAVIOURS = {
    "goroutine": answer(GOROUTINE),
    "heap": never(),
    "mutex": then_silence(head(content_length=len(GOROUTINE) + 1) + GOROUTINE),
}


def misbehave(pipe: Connection) -> None:
    """Serve until the pipe is closed."""

    async def run() -> None:
        async with serve(_BEHAVIOURS) as server:
            pipe.send(server.address)
            await asyncio.sleep(3600)

    asyncio.run(run())


def descriptors() -> int:
    """How many are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def resident() -> float:
    """MiB that are resident now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


async def cancel_many(address: str, folder: Path, requests: int) -> bool:
    """Cancel, and print what it has cost; False if too much is left over."""
    async with fetcher_for(address, folder) as fetcher:
        await fetcher.fetch(ProfileRequest("goroutine"))
        before, sizes = descriptors(), []
        for index in range(requests):
            with anyio.move_on_after(0.0003 * (index % 5)):
                await fetcher.fetch(ProfileRequest(("goroutine", "heap", "mutex")[index % 3]))
            if (index + 1) % (requests // 10) == 0:
                sizes.append(resident())
                print(f"{index + 1:7} requests: {sizes[-1]:5.1f} MiB, {descriptors()} descriptors", flush=True)
        answered = await fetcher.fetch(ProfileRequest("goroutine"))
        assert answered.body == GOROUTINE
        left = descriptors() - before
        tasks = len(asyncio.all_tasks()) - 1
    print(f"left over: {left} descriptors, {tasks} tasks, {sizes[-1] - sizes[4]:+.1f} MiB since half of them")
    return left <= 0 and tasks <= 0 and sizes[-1] - sizes[4] <= _MOST_GROWTH


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=misbehave, args=(theirs,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as place:
            is_fine = asyncio.run(cancel_many(ours.recv(), Path(place), args.requests))
    finally:
        server.kill()
        server.join()
    sys.exit(not is_fine)


if __name__ == "__main__":
    main()
