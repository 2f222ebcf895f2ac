"""Runs the properties of formats and configuration on a million inputs: nothing but declared errors may come out.

    nice .venv/bin/python benchmarks/fuzz.py [--inputs 1000000] [--seconds 3600] [--seed 1]

The properties are those of the tests that Hypothesis feeds, in the modules below; each has its turn, equally long, with
inputs made of random bytes. What fails is printed with its input, and the next one is tried; a property that has failed
ten times is left out from then on. Ends with status 1 if any has failed.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import random
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "unit")]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = (
    "test_formats",
    "test_entry",
    "test_times",
    "test_text",
    "test_dump",
    "test_proto",
    "test_waits",
    "test_samples",
    "test_export",
    "test_answers",
    "test_config",
    "test_sinks_config",
    "test_folder",
    "test_report_recording",
)
#: Bytes that an input is made of, at most.
LONGEST = 4096
#: Seconds that a property's turn takes.
TURN = 0.05
MOST_FAILURES = 10
#: Seconds between two lines about how far it has come.
TOLD_EVERY = 30.0


def properties() -> Iterator[tuple[str, Callable[[bytes], bytes | None]]]:
    """Those that need nothing but an input: their names, and what runs one input and returns None if it was none."""
    for name in MODULES:
        module = importlib.import_module(name)
        for test, function in inspect.getmembers(module, lambda found: hasattr(found, "hypothesis")):
            if not inspect.signature(function).parameters:
                made: Any = function
                yield f"{name}.{test}", made.hypothesis.fuzz_one_input


def main() -> int:
    """Run, and say how far it has come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    left = dict(properties())
    counts: Counter[str] = Counter(dict.fromkeys(left, 0))
    failures: Counter[str] = Counter()
    slowest: dict[str, float] = dict.fromkeys(left, 0.0)
    began = told = time.monotonic()

    def run(name: str) -> None:
        data = rng.randbytes(rng.randrange(16, LONGEST))
        since = time.monotonic()
        try:
            counts[name] += left[name](data) is not None
        except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
            counts[name] += 1
            failures[name] += 1
            print(f"{name} failed, of {data.hex()}:\n{traceback.format_exc()}", flush=True)
        slowest[name] = max(slowest[name], time.monotonic() - since)

    while counts.total() < args.inputs and time.monotonic() - began < args.seconds and left:
        for name in left:
            until = time.monotonic() + TURN
            while time.monotonic() < until and failures[name] < MOST_FAILURES:
                run(name)
        left = {name: property_ for name, property_ in left.items() if failures[name] < MOST_FAILURES}
        if time.monotonic() - told > TOLD_EVERY:
            told = time.monotonic()
            print(f"{counts.total()} inputs, {told - began:.0f} s, {failures.total()} failures", flush=True)
    for name, count in sorted(counts.items()):
        print(f"{name:100} {count:8} inputs, {failures[name]:3} failed, {slowest[name]:6.3f} s at most")
    took = time.monotonic() - began
    print(f"{counts.total()} inputs of {len(counts)} properties, {failures.total()} failures, {took:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
