"""Damages logs at random, and looks at what ``verify`` says and what can still be read.

    nice .venv/bin/python benchmarks/damage.py [--times 12000] [--seed 1]

Entries are real ones (``tests/data/recordings``), with failed polls, gaps and bodies that lack a newline between them.
Of ten files four are live segments, four closed ones that are not yet compressed, two compressed ones of several
frames. Each has one damage: flipped bits; a block that is zeroed, scribbled on, removed, inserted, duplicated, written
to the wrong place, or swapped with another; or a cut.

Bounds: none unnoticed, no undamaged entry lost, none read that never was written. Undamaged is an entry whose bytes are
in the file as they were; of a compressed log, one all of whose frames (8 MiB of text each) are. Noticed is what ends
with status 1, and the torn last entry of a live segment, which is a note: a kill leaves the same. What can only go
unnoticed, and is counted apart, is a plain log that was shortened exactly between two entries.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from damaging import Original, compressed, damage, outcome, plain, real_entries
from logmaker import log_of
from pprofwatch.logs.compress import compress_segment

#: How often each kind of file has its turn.
TURNS = ("live", "closed", "live", "closed", "compressed")
CLOSED = "goroutine-20261122T134953Z.log"
#: More than two frames' worth of text.
LONG = ("conns", "many-stacks", "idle-pool", "outage")


def originals(folder: Path) -> dict[str, tuple[Original, Path]]:
    """What is damaged, and where it lies."""
    short, long = real_entries(["conns"], 60), real_entries(LONG, 3600)
    path = folder / CLOSED
    path.write_bytes(log_of(long))
    packed = compress_segment(path)
    return {
        "live": (plain(short), folder / "goroutine.log"),
        "closed": (plain(short), path),
        "compressed": (compressed(long, packed.read_bytes()), packed),
    }


def main() -> int:
    """Damage, look and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    counts: Counter[str] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        files = originals(Path(place))
        for name, (original, _) in files.items():
            print(
                f"{name:11}{len(original.data):>9} bytes, {len(original.entries)} entries, {len(original.frames)} parts"
            )
        for number in range(args.times):
            name = TURNS[number % len(TURNS)]
            original, path = files[name]
            damaged = damage(rng, original)
            found = outcome(original, damaged, path)
            noticed = found.noticed in ("damage", "torn")
            kinds[name, damaged.kind] += 1
            counts[found.noticed] += 1
            counts["seamless"] += found.seamless
            if not (noticed or found.seamless) or found.lost or found.invented:
                counts["failed"] += 1
                print(f"{number}: {name}, {damaged.kind}: {found}, {damaged.spans}")
            if (number + 1) % 1000 == 0:
                print(f"{number + 1} damages, {time.monotonic() - began:.0f} s: {dict(counts)}", flush=True)
    for (name, kind), count in sorted(kinds.items()):
        print(f"{name:11}{kind:11}{count:6}")
    print(f"{args.times} damages: {dict(counts)}")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
