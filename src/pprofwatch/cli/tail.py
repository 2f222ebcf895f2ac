"""``pprofwatch tail``: the last entries of logs, and new ones as they come, a line each."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from pprofwatch.cli.log_input import LogInput
from pprofwatch.cli.messages import complain
from pprofwatch.cli.totals import total_as_json, total_line
from pprofwatch.cli.verbs import examples
from pprofwatch.errors import UsageError
from pprofwatch.logs.follow import Follower
from pprofwatch.logs.sources import STANDARD_INPUT
from pprofwatch.report.totals import total_in, total_of
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pprofwatch.logs.problem import Problem
    from pprofwatch.model import Entry

#: Seconds from one look for new entries to the next.
_LOOK_EVERY = 0.5
_USUAL_LINES = 10


@click.command(
    epilog=examples(
        "pprofwatch tail -f /var/log/pprofwatch",
        "pprofwatch tail -n 100 --profile heap LOG_DIR/localhost_6060",
        "pprofwatch tail -f --json LOG_DIR | jq -c 'select(.error)'",
    )
)
@click.argument("paths", metavar="LOG...", nargs=-1, required=True, type=click.Path())
@click.option("-f", "--follow", is_flag=True, help="Go on with new entries, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=_USUAL_LINES, show_default=True, help="So many.")
@click.option("--profile", metavar="NAME", help="Only this profile.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def command(paths: Sequence[str], *, follow: bool, lines: int, profile: str | None, as_json: bool) -> None:
    """Print the last entries of LOG: files (plain, .zst, .gz), folders, or - for standard input.

    A line has the time, the total (- where there is none), target and profile, and what went wrong. With -f, new
    entries follow as they come, also when logs are rotated; only plain files and folders can be followed.
    """
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    if follow:
        if STANDARD_INPUT in paths:
            raise UsageError("-f: standard input can't be followed: leave out -f, or name the file")
        with contextlib.suppress(KeyboardInterrupt):  # the usual end
            _follow(paths, lines, profile, out, as_json=as_json)
        return
    last = _last_of_folders(paths, lines, profile)
    if len(last) < lines:
        last = _last(LogInput(paths, profile=profile).entries(first_lines=True), lines)
    _print(last, out, as_json=as_json)


def _last_of_folders(paths: Sequence[str], lines: int, profile: str | None) -> list[Entry]:
    """The last entries that live segments hold: mostly enough, and the closed ones may be very long."""
    if not all(path != STANDARD_INPUT and Path(path).is_dir() for path in paths):
        return []
    with contextlib.closing(Follower(paths, lambda _: None, profile)) as follower:
        return _last(follower.new_entries(), lines)


def _follow(paths: Sequence[str], lines: int, profile: str | None, out: TextIO, *, as_json: bool) -> None:
    def tell(problem: Problem) -> None:
        complain(str(problem))

    with contextlib.closing(Follower(paths, tell, profile)) as follower:
        _print(_last(follower.new_entries(), lines), out, as_json=as_json)
        while True:
            out.flush()
            time.sleep(_LOOK_EVERY)
            _print(sorted(follower.new_entries(), key=lambda entry: entry.time), out, as_json=as_json)


def _last(entries: Iterable[Entry], count: int) -> list[Entry]:
    """The last entries of each log, in order of time, as many as are wanted of all together."""
    logs: dict[tuple[str, str, bool], deque[Entry]] = {}
    for entry in entries:
        key = entry.target, entry.profile, entry.seconds > 0
        logs.setdefault(key, deque(maxlen=count)).append(entry)
    ordered = sorted((entry for log in logs.values() for entry in log), key=lambda entry: entry.time)
    return ordered[max(len(ordered) - count, 0) :]


def _print(entries: Iterable[Entry], out: TextIO, *, as_json: bool) -> None:
    for entry in entries:
        if as_json:
            line = json.dumps(total_as_json(total_of(entry)))
        else:
            line = total_line(format_time(entry.time), total_in(entry.body), entry)
        out.write(line + "\n")
