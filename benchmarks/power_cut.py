"""Cuts the power while the daemon writes: is all there but the last ``sync_interval``, and nothing damaged?

    sudo .venv/bin/python benchmarks/power_cut.py [--times 100] [--seed 1] [--sync-interval 1]

The logs are on an ext4 disk in a file. At a random moment the disk is shut down with the ioctl that file systems' own
tests use (EXT4_IOC_SHUTDOWN, without a flush of the journal): from then on nothing reaches it. The daemon is killed,
the disk mounted again, and the logs are read; then it goes on. Four targets are polled as fast as can be, with a
segment closed every hundred entries, so that the power is cut in the middle of all that the daemon does with files.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from disks import ext4
from numbered import serving
from powercut import PowerCut

TARGETS = ("a", "b", "c", "d")
#: A disk sees so many cuts: reading it takes longer the more there is on it.
CUTS = 10
#: The power is cut up to so many seconds after the first polls.
LATEST = 2.5


def main() -> None:
    """Cut and look, again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sync-interval", type=float, default=1.0)
    args = parser.parse_args()
    moments = random.Random(args.seed)
    lost: list[float] = []
    entries = 0
    with serving() as server:
        while len(lost) < args.times:
            with tempfile.TemporaryDirectory() as place, ext4(Path(place) / "disk", megabytes=64) as disk:
                power = PowerCut(server, TARGETS, disk, args.sync_interval)
                cuts = range(min(CUTS, args.times - len(lost)))
                lost += [power.cut_after(moments.uniform(0, LATEST)) for _ in cuts]
                entries += sum(map(len, power.kept.values()))
            print(f"{len(lost)} cuts, {entries} entries, at most {max(lost):.3f} s lost", file=sys.stderr)
    lost.sort()
    median = lost[len(lost) // 2]
    print(f"cut the power {len(lost)} times: {entries} entries readable, none damaged but the last one being written")
    print(f"lost at most {lost[-1]:.3f} s (median {median:.3f} s); the sync interval is {args.sync_interval} s")
    assert lost[-1] <= args.sync_interval


if __name__ == "__main__":
    main()
