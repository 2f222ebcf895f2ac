"""``pprofwatch top``: the functions that hold the most, in the columns of ``go tool pprof -top``."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from pprofwatch.cli.instant import difference
from pprofwatch.cli.profile_input import ProfileInput, at_option, source_options, span_options
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.model import CONTENTIONS
from pprofwatch.report.top import Top, make_top
from pprofwatch.report.units import WIDTH, choose_scale, format_in, format_percent
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.cli.instant import Instant
    from pprofwatch.report.samples import Samples

_USUAL_LIMIT = 20
#: Profiles of what waits: of the runtime and the standard library, in which all of it does, they say nothing new.
_WAITING = ("goroutine", "goroutineleak", "threadcreate", "block", "mutex", CONTENTIONS)


@click.command(
    epilog=examples(
        "pprofwatch top /var/log/pprofwatch/localhost_6060",
        "pprofwatch top --profile heap --value inuse_objects --at 13:49 LOG_DIR",
        "pprofwatch top --since 13:00 --until 14:00 LOG_DIR        # what has changed",
        "pprofwatch top --target localhost:6060 --profile cpu:seconds=5",
        "pprofwatch top --sort cum --runtime cpu.pb.gz",
    )
)
@source_options
@at_option
@span_options
@click.option(
    "--value", metavar="NAME", help="What to count: inuse_space, alloc_objects, delay, contentions, samples …"
)
@click.option("--sort", type=click.Choice(("flat", "cum")), default="flat", show_default=True, help="What comes first.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="So many functions. [default: 20; all with --json]")
@click.option("--runtime", is_flag=True, help="Keep the frames of Go's runtime in which goroutines wait.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    paths: Sequence[str],
    *,
    target: str | None,
    profile: str | None,
    at: str | None,
    since: str | None,
    until: str | None,
    value: str | None,
    sort: Literal["flat", "cum"],
    limit: int | None,
    runtime: bool,
    as_json: bool,
) -> None:
    """Print the functions that hold the most goroutines, memory or time in one entry of LOG.

    LOG is a log (plain, .zst, .gz), a folder of one target, a profile's file (.pb.gz, .txt) or a folder of them, or -
    for standard input. With --since, it is the difference of two entries. The columns are those of go tool pprof: flat
    is what a function holds itself, cum with all that it calls. Goroutines are counted where they wait in your own
    code; with --runtime where the profile has them, and numbers are then those of go tool pprof.
    """
    wanted = ProfileInput(paths, target=target, profile=profile, at=at, since=since, until=until)
    before, instant = wanted.pair() if wanted.is_difference else (None, wanted.instant())
    samples = difference(before, instant) if before else instant.samples()
    if not runtime and samples.kind in _WAITING:
        samples = samples.at_users_code()
    top = make_top(samples, value, sort)
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    if as_json:
        out.write(json.dumps(_as_json(top, samples, before, instant, limit)) + "\n")
    else:
        out.writelines(f"{line}\n" for line in _table(top, before, instant, limit or _USUAL_LIMIT))
    if runtime and samples.kind in ("goroutine", "goroutineleak") and not instant.is_proto:
        click.echo("pprofwatch: this is text, from which Go leaves out the runtime's frames at the leaf", err=True)


def _table(top: Top, before: Instant | None, instant: Instant, limit: int) -> Iterator[str]:
    shown = top.rows[:limit]
    unit = top.value.unit
    scale = choose_scale(unit, ((row.flat, row.cum) for row in top.rows), top.total, limit)
    accounted = sum(row.flat for row in shown)
    yield f"Type: {top.value.name}"
    yield f"Time: {f'{format_time(before.time)} to ' if before else ''}{safe_text(instant.described)}"
    yield (
        f"Showing {len(shown)} of {len(top.rows)} functions, "
        f"{format_in(accounted, scale, unit)} ({format_percent(accounted, top.total).strip()}) of "
        f"{format_in(top.total, scale, unit)} total"
    )
    yield f"{'flat':>{WIDTH}} {'flat%':>6} {'sum%':>6} {'cum':>{WIDTH}} {'cum%':>6}"
    running = 0
    for function, flat, cum in shown:
        running += flat
        yield (
            f"{format_in(flat, scale, unit):>{WIDTH}} {format_percent(flat, top.total)} "
            f"{format_percent(running, top.total)} "
            f"{format_in(cum, scale, unit):>{WIDTH}} {format_percent(cum, top.total)}  {safe_text(function)}"
        )


def _as_json(top: Top, samples: Samples, before: Instant | None, instant: Instant, limit: int | None) -> dict[str, Any]:
    return {
        "profile": samples.kind,
        "value": top.value.name,
        "unit": top.value.unit,
        "total": top.total,
        "target": instant.target,
        "time": format_time(instant.time),
        **({"since": format_time(before.time)} if before else {}),
        "rows": [row._asdict() for row in top.rows[:limit]],
    }
