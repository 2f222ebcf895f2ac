"""Entries and logs for tests."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.reader import read_entries
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pprofwatch.logs.problem import Problem

START = dt.datetime(2026, 11, 22, 13, 49, 53, tzinfo=dt.UTC).timestamp()


def body(total: int, *, kind: str = "goroutine", records: int = 3) -> bytes:
    """A profile's text in Go's form, with a few stacks."""
    text = f"{kind} profile: total {total}\n"
    for record in range(records):
        pc = 0x48C3CA + record
        text += f"{max(total - record, 1)} @ {pc:#x} 0x419d8e\n"
        text += f"#\t{pc:#x}\tmain.worker{record}+0x2f\t/src/app/main.go:{record}\n\n"
    return text.encode()


def text_of(counts: Mapping[str, int], *, kind: str = "goroutine") -> bytes:
    """A whole profile: a stack of one frame for each function, called by ``main.main``."""
    text = f"{kind} profile: total {sum(counts.values())}\n"
    for number, (name, count) in enumerate(counts.items()):
        text += f"{count} @ {number + 1:#x} 0xff\n#\t{number + 1:#x}\t{name}+0x1\t/src/app/a.go:{number}\n"
        text += "#\t0xff\tmain.main+0x1\t/src/app/main.go:7\n\n"
    return text.encode()


def entry(number: int, *, profile: str = "goroutine") -> Entry:
    """The poll at ``number`` times ten seconds after ``START``."""
    return Entry(START + 10 * number, "localhost:6060", profile, body(number + 3, kind=profile), took=0.004)


def log_of(entries: Iterable[Entry]) -> bytes:
    return b"".join(encode_entry(entry) for entry in entries)


def shell_log(numbers: Iterable[int]) -> bytes:
    """What ``while sleep 10; do date; curl …; done`` leaves."""
    return b"".join(date_line(number) + body(number + 3) for number in numbers)


def date_line(number: int) -> bytes:
    moment = dt.datetime.fromtimestamp(START + 10 * number, dt.UTC)
    return moment.strftime("%a %b %e %H:%M:%S UTC %Y\n").encode()


def read_all(*paths: Path | str, **options: object) -> tuple[list[Entry], list[Problem]]:
    """All entries, and all that was wrong."""
    problems: list[Problem] = []
    return list(read_entries(paths, on_problem=problems.append, **options)), problems  # type: ignore[arg-type]
