"""How much memory do targets cost that send bombs, bodies without end, and all else that a server should not?

    .venv/bin/python benchmarks/hostile_targets.py [--only NAME …] [--together]

A daemon polls one good target; then its configuration gets a bad one beside it (each of tests/hostile.py, and at last
all of them together), and its peak of resident memory is compared with that before. Exit status 1 if one costs more
than 32 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from badserver import GOROUTINE, after, answer, serve
from daemon_process import daemon_in
from hostile import FAULTS, threads

MOST = 32.0
_GOOD = {"goroutine": answer(GOROUTINE), "threadcreate": after(0.95, answer(threads()))}
#: A body without end is taken up to ``max_body``: in time, however busy the machine.
_CONFIG = 'timeout = "{0}s"\ninterval = "{0}s"\nmax_body = "16MiB"\n'
#: Failed polls of each bad target.
_POLLS = 2


def table(name: str, address: str, profiles: str) -> str:
    """A target's part of the configuration."""
    return f'[[target]]\nname = "{name}"\nurl = "http://{address}"\nprofile = [{profiles}]\n'


async def measure(names: list[str]) -> tuple[float, float]:
    """The daemon's peak with one good target, and with these bad ones beside it, in MiB."""
    async with contextlib.AsyncExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        good = await stack.enter_async_context(serve(_GOOD))
        config = _CONFIG.format(4 if len(names) == 1 else 15)
        config += table("good", good.address, '"goroutine", "threadcreate:seconds=1:every=3s"')
        daemon = stack.enter_context(daemon_in(Path(place), config))
        await daemon.logged("good", 2, "threadcreate-delta")
        await daemon.logged("good", 2)
        before = daemon.peak()
        for name in names:
            server = await stack.enter_async_context(serve(FAULTS[name].behaviour))
            config += table(name, server.address, f'"{FAULTS[name].profile}"')
        daemon.configure(config)
        daemon.reload()
        for name in names:
            log = "threadcreate-delta" if "seconds" in FAULTS[name].profile else "goroutine"
            entries = await daemon.logged(name, _POLLS, log)
            errors = {entry.error for entry in entries if not entry.gap}
            wrong = [error for error in errors if not re.search(FAULTS[name].error, error)]
            assert errors, name
            assert not wrong, (name, wrong)
        after_all = daemon.peak()
        daemon.end()
        return before, after_all


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=FAULTS, default=[])
    parser.add_argument("--together", action="store_true", help="only all of them together")
    args = parser.parse_args()
    rounds = [] if args.together else [[name] for name in args.only or FAULTS]
    rounds += [] if args.only else [list(FAULTS)]
    worst = 0.0
    for names in rounds:
        before, after_all = asyncio.run(measure(names))
        worst = max(worst, after_all - before)
        title = names[0] if len(names) == 1 else "all together"
        print(f"{title:20} {before:6.1f} -> {after_all:6.1f} MiB: {after_all - before:+6.1f}", flush=True)
    sys.exit(worst > MOST)


if __name__ == "__main__":
    main()
