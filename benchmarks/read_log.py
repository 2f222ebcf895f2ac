"""What the reading commands take for logs of gigabytes, against what grep takes for the same logs in the same run.

    .venv/bin/python benchmarks/read_log.py [--size 100MB --size 1GB] [--only totals] [--folder FOLDER]

Real entries of about 60 KB and 80 stacks, with counts that change (``big_log.py``), in our form, in a shell loop's, and
compressed. Each command and its reference run in turn, three times; medians are shown. The reference writes to a pipe:
into ``/dev/null`` grep would stop at the first match. Bounds on time hold for 1 GB; a short log takes no less than
Python takes to start. Peak memory holds for any length, and may not grow with it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAKER = Path(__file__).with_name("big_log.py")
PPROFWATCH = Path(sys.executable).with_name("pprofwatch")
TIMES = 3
UNITS = {"MB": 10**6, "GB": 10**9}
MOST_MEMORY = 150e6
#: Memory that a log ten times as long may take beyond: what an allocator does with chance, in bytes.
FLAT = 15e6
#: A command that ends with another status has failed; 1 is a leak that ``check`` found.
FINE = (0, 1)


class Run(NamedTuple):
    """What one run took: in seconds, and in bytes at its peak."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Case:
    """A command and its bound: so many times what the reference takes, or so many seconds where there is none."""

    name: str
    command: tuple[str | Path, ...]
    bound: float
    reference: tuple[str | Path, ...] | None = None


def cases(folder: Path, middle: str, end: str) -> Iterator[Case]:
    """All that is measured, of the logs in a folder; two of their times."""
    ours, loop, closed = folder / "ours.log", folder / "loop.log", folder / "ours.log.zst"
    for name, log, totals_bound in (("our log", ours, 1), ("a shell loop's", loop, 3)):
        grep = ("sh", "-c", "grep -B 1 'goroutine profile:' \"$0\" | wc -l", log)
        yield Case(f"totals, {name}", ("totals", log), totals_bound, grep)
        yield Case(f"check, {name}", ("check", log), 10, grep)
        yield Case(f"report, {name}", ("report", "--force", "-o", folder / "report.html", log), 7, grep)
    yield Case("diff, our log", ("diff", "--since", middle, "--until", end, ours), 0.5)
    yield Case("top --at, our log", ("top", "--at", middle, ours), 0.5)
    for verb in ("totals", "check"):
        yield Case(f"{verb}, .zst (to plain)", (verb, closed), 1.5, (PPROFWATCH, verb, ours))


def run(command: tuple[str | Path, ...]) -> Run:
    """Runs a command, and reads what it prints."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while process.stdout.read(1 << 16):
            pass
        complaint = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in FINE:
        raise SystemExit(f"{' '.join(map(str, command))}: status {process.returncode}\n{complaint}")
    return Run(seconds, usage.ru_maxrss * 1024)


def measure(case: Case) -> tuple[Run, float | None]:
    """A command's medians, and the reference's seconds."""
    runs, references = [], []
    for _ in range(TIMES):
        if case.reference:
            references.append(run(case.reference).seconds)
        runs.append(run((PPROFWATCH, *case.command)))
    seconds, memory = (statistics.median(values) for values in zip(*runs, strict=True))
    return Run(seconds, memory), statistics.median(references) if references else None


def show(case: Case, took: Run, reference: float | None, *, long: bool) -> None:
    """A line of the table."""
    if reference is None:
        ratio, bound, value = "", f"{case.bound:g} s", took.seconds
    else:
        value = took.seconds / reference
        ratio, bound = f"{reference:6.2f} s {value:6.2f} x", f"{case.bound:g} x"
    is_ok = took.memory <= MOST_MEMORY and (value <= case.bound or not long)
    print(
        f"{case.name:24} {took.seconds:6.2f} s {ratio:17} {bound if long else '-':>6} "
        f"{took.memory / 1e6:5.0f} MB   {'ok' if is_ok else 'over'}"
    )


def is_there(verb: str | Path) -> bool:
    """Whether the command has this verb."""
    return subprocess.run([PPROFWATCH, verb, "--help"], capture_output=True, check=False).returncode == 0


def run_all(size: int, folder: Path, only: list[str]) -> dict[str, float]:
    """Measures all cases with logs of one size, and tells the peak memory of each."""
    print(f"\nmaking logs of {size / 1e6:.0f} MB", end=" ", flush=True)
    # In a process of its own: what is started by a large one seems to be as large.
    made = subprocess.run([sys.executable, MAKER, folder, str(size)], capture_output=True, text=True, check=True).stdout
    entries, _, middle, end = made.split()
    print(f"({entries} entries)\n{'':24}     took     reference       bound   memory")
    memory = {}
    for case in cases(folder, middle, end):
        verb = str(case.command[0])
        if only and verb not in only:
            continue
        if not is_there(verb):
            print(f"{case.name:24} skipped: there is no such verb")
            continue
        took, reference = measure(case)
        memory[case.name] = took.memory
        show(case, took, reference, long=size >= UNITS["GB"])
    return memory


def read_size(text: str) -> int:
    """Bytes in a size such as ``100MB``."""
    return int(text[:-2]) * UNITS[text[-2:]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=read_size, action="append", metavar="100MB", help="default: 100MB and 1GB")
    parser.add_argument("--only", action="append", default=[], metavar="VERB")
    parser.add_argument("--folder", type=Path, help="where the logs are made [default: the temporary folder]")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        peaks = [run_all(size, Path(place), args.only) for size in args.size or (UNITS["MB"] * 100, UNITS["GB"])]
    for name in peaks[0]:
        grown = peaks[-1][name] - peaks[0][name]
        if grown > FLAT:
            print(f"{name}: over: {grown / 1e6:.0f} MB more for the longer log")


if __name__ == "__main__":
    main()
