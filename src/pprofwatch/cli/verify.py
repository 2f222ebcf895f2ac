"""``pprofwatch verify``: whether logs, and what is kept beside them, are as they were written."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from pprofwatch.alerts.delivered import DELIVERED, Delivered
from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.alerts.words import number
from pprofwatch.cli.messages import complain
from pprofwatch.cli.progress import ProgressBar
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.errors import LogError
from pprofwatch.logs.files import target_folders
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.verify import Finding, Verifier, checked_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pprofwatch.logs.verify import Tally

_DAMAGED = 1


@click.command(
    epilog=examples(
        "pprofwatch verify /var/log/pprofwatch",
        "pprofwatch verify backup/*.log.zst && echo good",
        "pprofwatch verify --json LOG_DIR | jq '.findings[]'",
    )
)
@click.argument("paths", metavar="LOG...", nargs=-1, required=True, type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(paths: Sequence[str], *, as_json: bool) -> int:
    """Check LOG against all its checksums: files (plain, .zst, .gz), folders, or - for standard input.

    In a folder, all that is ours is checked: logs, CPU profiles and traces, incidents and their evidence. Each damage
    is a line with the file, the bytes and the reason; of a compressed log, bytes are counted in its text unless the
    line is about compressed data. A note is no damage: an entry that is just being written, or was when the daemon was
    killed. The exit status is 1 when there is damage, 3 when something could not be read, 0 when all is as it was
    written.
    """
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    results = _Results(out, as_json=as_json)
    with ProgressBar("verifying", checked_size(paths)) as progress:
        verifier = Verifier(results.take, progress.advance)
        for path in paths:
            before = verifier.tally.files, results.counts.total()
            verifier.check(path)
            _check_journals(path, verifier.tally, results.take)
            if before == (verifier.tally.files, results.counts.total()):
                results.take(Finding("unreadable", Problem(path, 0, 0, "nothing in this folder is ours")))
    results.finish(verifier.tally)
    if results.counts["damage"]:
        return _DAMAGED
    return LogError.exit_status if results.counts["unreadable"] else 0


def _check_journals(path: str, tally: Tally, report: Callable[[Finding], None]) -> None:
    """What was told of incidents in a folder, a target's or one with targets' folders in it."""
    try:
        folder = Path(path)
        places = [folder, *target_folders(folder)] if folder.is_dir() else []
    except LogError:
        return  # that has been told
    for place in places:
        for name, check in ((JOURNAL, _check_journal), (DELIVERED, _check_delivered)):
            if os.path.lexists(place / name):
                tally.files += 1
                try:
                    check(place, report)
                except LogError as error:
                    reason = str(error).removeprefix(f"{place / name}: ")
                    report(Finding("unreadable", Problem(str(place / name), 0, 0, reason)))


def _check_journal(place: Path, report: Callable[[Finding], None]) -> None:
    for offset, length, is_torn in Journal(place).damaged_lines():
        reason = "torn line" if is_torn else "damaged line"
        report(Finding("note" if is_torn else "damage", Problem(str(place / JOURNAL), offset, length, reason)))


def _check_delivered(place: Path, report: Callable[[Finding], None]) -> None:
    if Delivered(place).is_damaged():
        path = place / DELIVERED
        report(Finding("damage", Problem(str(path), 0, 0, "expected an object of numbers by the names of sinks")))


class _Results:
    """Tells findings as they come, since there may be more than memory holds; and at the end what was checked."""

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._out = out
        self._as_json = as_json
        self._damaged_bytes = 0
        self._separator = '{"findings": ['

    def take(self, finding: Finding) -> None:
        """Tell one. What can't be read is said on stderr, as by the other commands."""
        kind, problem = finding
        self.counts[kind] += 1
        self._damaged_bytes += problem.length if kind == "damage" else 0
        if kind == "unreadable":
            complain(str(problem))
        if self._as_json:
            self._out.write(f"{self._separator}\n{json.dumps({'kind': kind, **problem._asdict()})}")
            self._separator = ","
        elif kind != "unreadable":
            place = f": {_plural(problem.length, 'byte')} at byte {problem.offset}" if problem.length else ""
            text = safe_text(f"{problem.path}: {problem.reason}{place}")
            self._out.write(f"note: {text}\n" if kind == "note" else f"{text}\n")

    def finish(self, tally: Tally) -> None:
        """Tell what was checked."""
        if self._as_json:
            start = self._separator.rstrip(",")
            sums = {**dataclasses.asdict(tally), "damages": self.counts["damage"], "damaged_bytes": self._damaged_bytes}
            self._out.write(f"{start}\n], {json.dumps(sums)[1:]}\n")
            return
        if not tally.files:
            return
        damages = self.counts["damage"]
        verdict = f"{_plural(damages, 'damage')}, {_plural(self._damaged_bytes, 'byte')}" if damages else "no damage"
        line = f"{_plural(tally.files, 'file')}, {_plural(tally.entries, 'whole entry')}: {verdict}"
        parts = (tally.unchecked_entries, "entry"), (tally.unchecked_files, "file")
        if unchecked := " and ".join(_plural(count, word) for count, word in parts if count):
            line += f" ({unchecked} without checksums)"
        self._out.write(f"{line}\n")


def _plural(count: int, word: str) -> str:
    many = word.removesuffix("y") + "ies" if word.endswith("y") else f"{word}s"
    return f"{number(count)} {word if count == 1 else many}"
