"""What the leak detector costs: time for a poll of 100 stacks, and memory of 1,000 targets with 100 stacks each.

    .venv/bin/python benchmarks/detector.py [--targets 1000]

Every stack's count changes all the time, which is the worst for both. The reference is a plain loop that only
adds the counts to a dict.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from pathlib import Path

from pprofwatch.leaks.detector import Detector
from pprofwatch.leaks.series import HISTORY
from pprofwatch.model import Frame, Stack

STACKS = 100
POLLS = 700


def resident() -> int:
    """This process's resident size in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) << 10


def make_stacks() -> list[Stack]:
    """A hundred stacks of as many origins."""
    return [
        Stack((Frame(f"main.wait{i}", "/src/main.go", i), Frame(f"main.serve{i}", "/src/main.go", i)))
        for i in range(STACKS)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=1000)
    targets = parser.parse_args().targets
    noise, stacks = random.Random(1), make_stacks()
    polls = [{stack: noise.randint(5, 50) for stack in stacks} for _ in range(POLLS)]

    detector, seen = Detector(), dict.fromkeys(stacks, 0)
    ours, theirs = [], []
    for number, counts in enumerate(polls):
        began = time.process_time()
        detector.observe(number * 10.0, counts)
        middle = time.process_time()
        for stack, count in counts.items():
            seen[stack] += count
        ours.append(middle - began)
        theirs.append(time.process_time() - middle)
    mean, reference = statistics.fmean(ours) * 1e3, statistics.fmean(theirs) * 1e3
    print(f"a poll of {STACKS} stacks: mean {mean:.3f} ms, median {statistics.median(ours) * 1e3:.3f} ms (bound 1)")
    print(f"{mean / reference:.0f} times a loop that only adds")

    # All stacks grow, straight and under traffic, so that each is looked at from every side.
    rising = [
        {stack: 50 + number * (2 + i % 5) // 6 + noise.randint(0, 20) for i, stack in enumerate(stacks)}
        for number in range(POLLS)
    ]
    detector, ours = Detector(), []
    for number, counts in enumerate(rising):
        began = time.process_time()
        detector.observe(number * 10.0, counts)
        ours.append(time.process_time() - began)
    mean, worst = statistics.fmean(ours) * 1e3, max(ours) * 1e3
    print(f"where all {STACKS} grow: mean {mean:.3f} ms, worst {worst:.1f} ms (bound 1)")

    before = resident()
    kept = []
    for _ in range(targets):
        detector = Detector()
        for number in range(HISTORY + 12):  # a poll a block: the history is full
            detector.observe(number * 60.0, polls[number])
        kept.append(detector)
    print(f"{len(kept)} targets of {STACKS} stacks: {(resident() - before) / 2**20:.0f} MiB (bound 200 MB)")


if __name__ == "__main__":
    main()
