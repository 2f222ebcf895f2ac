"""``pprofwatch check``: which stacks leaked, according to logs."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.alerts.message import companion, expect, growth, others, place, proof, row, severity_word, what
from pprofwatch.alerts.words import cut, number
from pprofwatch.cli.as_json import leak_as_json
from pprofwatch.cli.github import annotation
from pprofwatch.cli.log_input import LogInput, log_options
from pprofwatch.cli.messages import use_colour
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.severities import SEVERITIES, severity_option
from pprofwatch.cli.verbs import examples
from pprofwatch.config.kinds import DURATION
from pprofwatch.config.settings import LeakConfig
from pprofwatch.errors import UsageError
from pprofwatch.leaks.target import JUDGED
from pprofwatch.report.check import Check, CheckedLeak, Counter
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.leaks.forecast import Forecast

_LEAKS_FOUND = 1


@click.command(
    epilog=examples(
        "pprofwatch check /var/log/pprofwatch",
        "pprofwatch check --since -6h /var/log/pprofwatch/localhost_6060",
        "pprofwatch check --json LOG | jq .leaks[].function",
        "pprofwatch check --leak-window 5m load-test.log            # a short test",
        "pprofwatch check --format github --min-severity proven LOG # annotations in CI",
    )
)
@log_options
@click.option("--leak-window", metavar="DURATION", help="For how long growth must last [default: 30m].")
@click.option("--leak-min-count", type=click.IntRange(min=1), help="The least growth that counts [default: 10].")
@click.option("--max-goroutines", type=click.IntRange(min=1), help="A total that must not be reached [default: none].")
@severity_option("Only what is as bad as this.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "github")),
    help="What to print; github: annotations of a workflow's run [default: text].",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(
    paths: Sequence[str],
    *,
    since: str | None,
    until: str | None,
    leak_window: str | None,
    leak_min_count: int | None,
    max_goroutines: int | None,
    min_severity: str,
    form: str | None,
    as_json: bool,
) -> int:
    """Look for leaks in LOG: files (plain, .zst, .gz), folders, or - for standard input.

    The detector is the daemon's: what it finds here, and when, is what the daemon said or would have said, but for what
    the daemon has asked the target beside. Goroutines are judged, threads and live heap. LOG may also be what a shell
    loop with date and curl wrote. The exit status is 1 when there is a leak, 0 when there is none.
    """
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form}: choose one")
    usual = LeakConfig()
    settings = LeakConfig(
        window=usual.window if leak_window is None else _seconds(leak_window),
        min_count=leak_min_count or usual.min_count,
        max_goroutines=max_goroutines or usual.max_goroutines,
    )
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    logs = LogInput(paths, since=since, until=until)
    check = Check(settings)
    for counted in logs.map_merged(Counter().count, JUDGED):
        check.take(counted)
    check.finish()
    least = SEVERITIES[min_severity]
    leaks = [each for each in (*check.leaks, *check.suspects) if each.leak.severity.rank >= least.rank]
    if as_json or form == "json":
        out.write(json.dumps(_as_json(check, leaks, settings, logs.skipped_bytes)) + "\n")
    elif form == "github":
        out.writelines(f"{annotation(checked)}\n" for checked in leaks)
        out.write(f"{_summary(check, leaks)}\n")
    else:
        out.writelines(f"{line}\n" for line in _table(leaks, settings, colour=use_colour(out)))
        out.write(f"{_summary(check, leaks)}\n")
    return _LEAKS_FOUND if leaks else 0


def _seconds(text: str) -> float:
    try:
        return DURATION.read(text)
    except ValueError as error:
        raise UsageError(f'--leak-window: {error}, got "{text[:60]}"') from None


def _as_json(check: Check, leaks: Sequence[CheckedLeak], settings: LeakConfig, skipped_bytes: int) -> dict[str, Any]:
    return {
        "entries": check.entries,
        "skipped_bytes": skipped_bytes,
        "leaks": [
            {
                "target": checked.target,
                **leak_as_json(checked.profile, checked.leak, _expect(checked, settings)),
                "over_at": None if checked.over_at is None else format_time(checked.over_at),
            }
            for checked in leaks
        ],
    }


def _table(leaks: Sequence[CheckedLeak], settings: LeakConfig, *, colour: bool) -> Iterator[str]:
    """A few lines a leak, the worst last, where a terminal shows it."""
    for checked in sorted(leaks, key=lambda checked: (checked.leak.severity.rank, checked.leak.per_hour)):
        leak = checked.leak
        title = safe_text(
            f"{severity_word(leak)} {cut(checked.target) or 'this log'}: {what(checked.profile, leak, 'grow')}"
        )
        yield click.style(title, fg="red", bold=True) if colour else title
        over = "" if checked.over_at is None else f", over at {format_time(checked.over_at)}"
        rows = [
            ("where", place(leak)),
            growth(checked.profile, leak, leak.time, _expect(checked, settings)),
            ("beside", companion(leak)),
            proof(leak),
            ("found", f"{format_time(leak.detected_at)}{over}"),
            ("also", others(leak)),
        ]
        yield from (row(label, safe_text(text)) for label, text in rows if text)
        yield ""


def _expect(checked: CheckedLeak, settings: LeakConfig) -> Forecast | None:
    """Where a leak leads to, unless it is over."""
    return None if checked.over_at else expect(checked.profile, checked.leak, settings.max_goroutines)


def _summary(check: Check, leaks: Sequence[CheckedLeak]) -> str:
    damaged = f", {check.damaged} of them damaged" if check.damaged else ""
    return f"{_plural(len(leaks), 'leak', 'leaks')} in {_plural(check.entries, 'entry', 'entries')}{damaged}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{number(count)} {one if count == 1 else many}"
