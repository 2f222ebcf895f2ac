"""``pprofwatch totals``: time and total of each entry, as lines, JSON or a chart."""

from __future__ import annotations

import functools
import io
import json
import sys
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TextIO

import click

from pprofwatch.cli.log_input import LogInput, log_options
from pprofwatch.cli.messages import use_colour
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.errors import UsageError
from pprofwatch.report.totals import Total, total_in, total_of
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.logs.entry import Header, ScannedEntry
    from pprofwatch.model import Entry

_CHART_HEIGHT = 12


@click.command(
    epilog=examples(
        "pprofwatch totals --plot /var/log/pprofwatch/localhost_6060",
        "pprofwatch totals --profile goroutine --since -1h /var/log/pprofwatch",
        "zcat old.log.gz | pprofwatch totals -",
        "pprofwatch totals --json LOG | jq .totals[].total",
    )
)
@log_options
@click.option("--profile", metavar="NAME", help="Only this profile.")
@click.option("--plot", is_flag=True, help="Draw a chart for each target and profile.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    paths: Sequence[str], since: str | None, until: str | None, profile: str | None, *, plot: bool, as_json: bool
) -> None:
    """Print time and total of each entry in LOG: files (plain, .zst, .gz), folders, or - for standard input.

    A line has the time, the total (- where there is none), target and profile, and what went wrong. LOG may also be
    what a shell loop with date and curl wrote.
    """
    if plot and as_json:
        raise UsageError("--plot and --json: choose one")
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    logs = LogInput(paths, profile=profile, since=since, until=until)
    lines_show_progress = not plot and out.isatty()
    read = functools.partial(logs.map, first_lines=True, hide_progress=lines_show_progress)
    if as_json:
        _print_json(read(_total), logs, out)
    elif plot:
        _print_charts(read(_total), out)
    else:
        out.writelines(read(_line))


def _total(found: ScannedEntry) -> Total:
    return total_of(found.entry)


def _line(found: ScannedEntry) -> str:
    header = found.header  # an entry, and a time made to text anew, would take as long as all the rest
    return total_line(header.time_text or format_time(header.time), total_in(found.body), header) + "\n"


def total_line(time: str, total: int | None, poll: Header | Entry) -> str:
    """A poll in a line: its time, the total, target and profile, and what went wrong."""
    line = f"{time} {'-' if total is None else total} {_source(poll)}".rstrip()
    if poll.gap:
        line = f"{line} gap={poll.gap}"
    if poll.error:
        line = f"{line} error: {poll.error}"
    return safe_text(line)


def _source(poll: Header | Entry | Total) -> str:
    """Target and profile, as ``start`` takes it: ``app:6060 threadcreate:seconds=1``."""
    return f"{poll.target} {poll.profile}{f':seconds={poll.seconds}' if poll.seconds else ''}".strip()


def total_as_json(total: Total) -> dict[str, Any]:
    """An entry's fields, without those that are empty."""
    fields = {**total._asdict(), "time": format_time(total.time)}
    return {name: value for name, value in fields.items() if value or name == "total"}


def _print_json(totals: Iterator[Total], logs: LogInput, out: TextIO) -> None:
    """One object, written as it is read: the entries may be more than memory holds."""
    separator = '{"totals": [\n'
    for total in totals:
        out.write(separator + json.dumps(total_as_json(total)))
        separator = ",\n"
    start = separator if separator.startswith("{") else ""
    out.write(f'{start}\n], "skipped_bytes": {logs.skipped_bytes}}}\n')


def _print_charts(totals: Iterator[Total], out: TextIO) -> None:
    # They take long to load, and are seldom wanted.
    import shutil  # noqa: PLC0415

    from pprofwatch.cli.chart import draw_chart  # noqa: PLC0415

    # Two numbers an entry: a year of polls every ten seconds fits into 50 MB.
    series: defaultdict[str, tuple[array[float], array[float]]] = defaultdict(lambda: (array("d"), array("d")))
    for total in totals:
        if total.total is not None:
            times, counts = series[_source(total)]
            times.append(total.time)
            counts.append(total.total)
    width, colour = shutil.get_terminal_size().columns, use_colour(out)
    for name, (times, counts) in series.items():
        chart = draw_chart(times, counts, safe_text(name), width=width, height=_CHART_HEIGHT, colour=colour)
        out.write(f"{chart}\n")
    if not series:
        out.write("no totals\n")
