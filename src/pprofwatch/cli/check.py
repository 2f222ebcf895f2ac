"""``pprofwatch check``: which stacks leaked, according to logs."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.alerts.message import cut, number, rate, where
from pprofwatch.cli.log_input import LogInput, log_options
from pprofwatch.cli.messages import use_colour
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.config.kinds import DURATION
from pprofwatch.config.settings import LeakConfig
from pprofwatch.errors import UsageError
from pprofwatch.report.check import Check, CheckedLeak
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LEAKS_FOUND = 1


@click.command(
    epilog=examples(
        "pprofwatch check /var/log/pprofwatch",
        "pprofwatch check --since -6h /var/log/pprofwatch/localhost_6060",
        "pprofwatch check --json LOG | jq .leaks[].function",
        "pprofwatch check --leak-window 5m load-test.log   # a short test",
    )
)
@log_options
@click.option("--leak-window", metavar="DURATION", help="For how long growth must last [default: 30m].")
@click.option("--leak-min-count", type=click.IntRange(min=1), help="The least growth that counts [default: 10].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    paths: Sequence[str],
    since: str | None,
    until: str | None,
    leak_window: str | None,
    leak_min_count: int | None,
    *,
    as_json: bool,
) -> int:
    """Look for leaks in LOG: files (plain, .zst, .gz), folders, or - for standard input.

    The detector is the daemon's: what it finds here, and when, is what the daemon said or would have said. LOG may also
    be what a shell loop with date and curl wrote. The exit status is 1 when there is a leak, 0 when there is none.
    """
    window = LeakConfig().window if leak_window is None else _seconds(leak_window)
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    logs = LogInput(paths, profile="goroutine", since=since, until=until)
    check = Check(window, leak_min_count or LeakConfig().min_count)
    for entry in logs.entries():
        check.take(entry)
    check.finish()
    if as_json:
        out.write(json.dumps(_as_json(check, logs.skipped_bytes)) + "\n")
    else:
        out.writelines(f"{line}\n" for line in _table(check, colour=use_colour(out)))
    return _LEAKS_FOUND if check.leaks else 0


def _seconds(text: str) -> float:
    try:
        return DURATION.read(text)
    except ValueError as error:
        raise UsageError(f'--leak-window: {error}, got "{text[:60]}"') from None


def _as_json(check: Check, skipped_bytes: int) -> dict[str, Any]:
    return {
        "entries": check.entries,
        "skipped_bytes": skipped_bytes,
        "leaks": [_leak_as_json(checked) for checked in check.leaks],
    }


def _leak_as_json(checked: CheckedLeak) -> dict[str, Any]:
    leak = checked.leak
    return {
        "target": checked.target,
        "profile": checked.profile,
        "severity": leak.severity,
        "detected_at": format_time(leak.detected_at),
        "since": format_time(leak.since),
        "over_at": None if checked.over_at is None else format_time(checked.over_at),
        "count_from": leak.count_from,
        "count_to": leak.count_to,
        "per_hour": round(leak.per_hour, 1),
        "function": leak.culprit.function,
        "location": where(leak.culprit),
        "stack": list(leak.stack.functions),
        "also": [list(stack.functions) for stack in leak.also],
    }


def _table(check: Check, *, colour: bool) -> Iterator[str]:
    """A few lines a leak, the worst last, where a terminal shows it."""
    for checked in sorted(check.leaks, key=lambda checked: checked.leak.per_hour):
        leak = checked.leak
        title = f"LEAK {checked.target or 'this log'}: goroutines grow in {cut(leak.culprit.function)}"
        yield click.style(safe_text(title), fg="red", bold=True) if colour else safe_text(title)
        yield f"  where    {safe_text(where(leak.culprit))}"
        yield f"  growth   {number(leak.count_from)} → {number(leak.count_to)} ({rate(leak)})"
        found = f"detected {format_time(leak.detected_at)}"
        over = "" if checked.over_at is None else f", over at {format_time(checked.over_at)}"
        yield f"  when     since {format_time(leak.since)}, {found}{over}"
        if leak.also:
            yield f"  also     {_plural(len(leak.also), 'more stack', 'more stacks')} of the same bug"
        yield ""
    damaged = f", {check.damaged} of them damaged" if check.damaged else ""
    yield f"{_plural(len(check.leaks), 'leak', 'leaks')} in {_plural(check.entries, 'entry', 'entries')}{damaged}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{number(count)} {one if count == 1 else many}"
