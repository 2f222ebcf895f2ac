"""``pprofwatch diff``: the stacks that grew and shrank between two times."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.cli.messages import use_colour
from pprofwatch.cli.profile_input import ProfileInput, source_options, span_options
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.report.growth import Change, Growth, find_growth
from pprofwatch.report.units import format_value
from pprofwatch.times import format_duration, format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.cli.instant import Instant
    from pprofwatch.model import Frame

_USUAL_LIMIT = 10


@click.command(
    epilog=examples(
        "pprofwatch diff --since 13:00 --until 14:00 /var/log/pprofwatch/localhost_6060",
        "pprofwatch diff --since -1h --profile heap LOG_DIR",
        "pprofwatch diff --target localhost:6060 --profile goroutine:seconds=30",
        "pprofwatch diff before.pb.gz after.pb.gz",
        "pprofwatch diff --since -1h --json LOG | jq '.stacks[0]'",
    )
)
@source_options
@span_options
@click.option("--value", metavar="NAME", help="What to compare: inuse_space, alloc_objects, delay, contentions …")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="So many stacks. [default: 10; all with --json]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    paths: Sequence[str],
    *,
    target: str | None,
    profile: str | None,
    since: str | None,
    until: str | None,
    value: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Print the stacks that grew and shrank between two entries of LOG, most first, with their rates.

    LOG is a log (plain, .zst, .gz), a folder of one target, or one with files of a profile each (.pb.gz, .txt). Two
    such files are compared in their order, whatever their times are. Without --since it begins with the first entry.
    A live target is asked twice, 10 seconds apart.
    """
    before, after = ProfileInput(paths, target=target, profile=profile, since=since, until=until).pair()
    old, new = before.samples(), after.samples()
    growth = find_growth(old.without_runtime(), new.without_runtime(), value)
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    if as_json:
        out.write(json.dumps(_as_json(growth, before, after, limit)) + "\n")
    else:
        colour = use_colour(out)
        out.writelines(f"{line}\n" for line in _lines(growth, before, after, limit or _USUAL_LIMIT, colour=colour))


def _lines(growth: Growth, before: Instant, after: Instant, limit: int, *, colour: bool) -> Iterator[str]:
    unit = growth.value.unit
    yield f"Type: {growth.value.name}"
    lasted = f" ({format_duration(round(growth.seconds))})" if growth.seconds > 0 else ""
    yield f"Time: {format_time(before.time)} to {safe_text(after.described)}{lasted}"
    count = len(growth.changes)
    yield (
        f"Total: {format_value(growth.before, unit)} → {format_value(growth.after, unit)} "
        f"({_signed(growth.after - growth.before, unit)}); {count} {'stack' if count == 1 else 'stacks'} changed"
    )
    if growth.restarted:
        yield "The total fell, which it can't while a process lives: the target seems to have restarted between."
    for change in growth.changes[:limit]:
        yield ""
        yield from _change_lines(change, growth, colour=colour)
    if count > limit:
        yield ""
        yield f"{count - limit} more: -n {count} shows them"


def _change_lines(change: Change, growth: Growth, *, colour: bool) -> Iterator[str]:
    unit = growth.value.unit
    number = _signed(change.change, unit)
    if colour:
        number = click.style(number, fg="red" if change.change > 0 else "blue", bold=True)
    # Of what two processes did, there is no rate.
    rate = f", {_signed(round(change.per_hour), unit)} an hour" if change.per_hour and not growth.restarted else ""
    yield f"{number}  {format_value(change.before, unit)} → {format_value(change.after, unit)}{rate}"
    for frame in change.stack.frames:
        yield f"    {safe_text(frame.function)}{_place(frame)}"


def _place(frame: Frame) -> str:
    return f"  {safe_text(frame.file)}:{frame.line}" if frame.file else ""


def _signed(value: int, unit: str) -> str:
    return ("+" if value > 0 else "") + format_value(value, unit)


def _as_json(growth: Growth, before: Instant, after: Instant, limit: int | None) -> dict[str, Any]:
    return {
        "profile": after.profile,
        "value": growth.value.name,
        "unit": growth.value.unit,
        "target": after.target,
        "since": format_time(before.time),
        "until": format_time(after.time),
        "total_before": growth.before,
        "total_after": growth.after,
        "restarted": growth.restarted,
        "stacks": [
            {
                "change": change.change,
                "per_hour": round(change.per_hour, 1),
                "before": change.before,
                "after": change.after,
                "frames": [frame._asdict() for frame in change.stack.frames],
            }
            for change in growth.changes[:limit]
        ],
    }
