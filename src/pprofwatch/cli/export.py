"""``pprofwatch export``: one entry, or the difference of two, as a file for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from pprofwatch.cli.instant import difference
from pprofwatch.cli.messages import complain
from pprofwatch.cli.output_file import STDOUT, check_output, force_option, write_output
from pprofwatch.cli.profile_input import ProfileInput, at_option, source_options, span_options
from pprofwatch.cli.verbs import examples
from pprofwatch.errors import UsageError
from pprofwatch.report.export import export_collapsed, export_json, export_pprof, export_speedscope
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pprofwatch.cli.instant import Instant

Format = Literal["pprof", "collapsed", "speedscope", "json"]


@click.command(
    epilog=examples(
        "pprofwatch export --at 13:49 -o x.pb.gz LOG_DIR && go tool pprof -http : x.pb.gz",
        "pprofwatch export --profile heap --since 13:00 --until 14:00 -o grown.pb.gz LOG_DIR",
        "pprofwatch export --format collapsed LOG | flamegraph.pl > goroutines.svg",
        "pprofwatch export --target localhost:6060 --profile cpu --format speedscope -o cpu.json",
    )
)
@source_options
@at_option
@span_options
@click.option(
    "-o", "--output", metavar="FILE", help="Where to write; - is standard output. [default: -, but for pprof]"
)
@force_option
@click.option(
    "--format",
    "form",
    type=click.Choice(("pprof", "collapsed", "speedscope", "json")),
    help="pprof: profile.proto for go tool pprof; collapsed: for flame graphs. [default: pprof]",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--value", metavar="NAME", help="What collapsed stacks count: inuse_space, alloc_objects, delay …")
def command(
    paths: Sequence[str],
    *,
    target: str | None,
    profile: str | None,
    at: str | None,
    since: str | None,
    until: str | None,
    output: str | None,
    force: bool,
    form: Format | None,
    as_json: bool,
    value: str | None,
) -> None:
    """Write the entry of LOG that is nearest to a time, or the difference of two, in a form that other programs read.

    LOG is a log (plain, .zst, .gz), a folder of one target, a profile's file (.pb.gz, .txt) or a folder of them, or -
    for standard input. All values are written, but for collapsed stacks, which have one. What was a protobuf stays as
    it was. Text, which logs hold, has no labels here, and of waiting goroutines none of the runtime's frames.
    """
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form}: choose one")
    form = "json" if as_json else form or "pprof"
    if value and form != "collapsed":
        raise UsageError(f"--value is for --format collapsed: {form} has all values")
    if output is None and form == "pprof":
        raise UsageError("expected -o FILE, or -o - for standard output")
    output = output or STDOUT
    check_output(output, force=force, binary=form == "pprof")
    wanted = ProfileInput(paths, target=target, profile=profile, at=at, since=since, until=until)
    before, instant = wanted.pair() if wanted.is_difference else (None, wanted.instant())
    data = _exported(form, before, instant, value)
    write_output(output, data, force=force)
    start = f"{format_time(before.time)} to " if before else ""
    complain(f"{start}{instant.described}" + ("" if output == STDOUT else f" is in {output}"))


def _exported(form: Format, before: Instant | None, instant: Instant, value: str | None) -> bytes:
    samples = difference(before, instant) if before else instant.samples()
    if form == "pprof":
        is_file_already = before is None and instant.is_proto
        return instant.data if is_file_already else export_pprof(samples)
    if form == "collapsed":
        return export_collapsed(samples, value).encode()
    if form == "speedscope":
        return export_speedscope(samples, instant.described).encode()
    return export_json(samples, instant.target, format_time(instant.time)).encode()
