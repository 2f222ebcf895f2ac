"""``pprofwatch show``: one entry as it stands in the log."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from pprofwatch.cli.profile_input import ProfileInput, at_option, source_options
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.errors import UsageError
from pprofwatch.model import BINARY_PROFILES
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.cli.instant import Instant


@click.command(
    epilog=examples(
        "pprofwatch show --at 13:49 /var/log/pprofwatch/localhost_6060",
        "pprofwatch show --profile heap LOG_DIR | less",
        "pprofwatch show --target localhost:6060 --profile mutex",
    )
)
@source_options
@at_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(paths: Sequence[str], *, target: str | None, profile: str | None, at: str | None, as_json: bool) -> None:
    """Print the entry of LOG that is nearest to a time: its header, and what the target answered.

    LOG is a log (plain, .zst, .gz), a folder of one target, a profile's file (.pb.gz, .txt) or a folder of them, or -
    for standard input. A poll that failed is an entry, too. What a terminal would not show as it is, is escaped.
    """
    wanted = ProfileInput(paths, target=target, profile=profile, at=at, failed_too=True, as_text=True)
    instant = wanted.instant()
    text = _text(instant)
    out = sys.stdout
    if out is None:  # it was closed
        return
    if as_json:
        out.write(json.dumps(_as_json(instant, text)) + "\n")
        return
    out.writelines(f"{_safe_line(line)}\n" for line in (_header(instant), *_lines(text)))


def _text(instant: Instant) -> str:
    """The profile as text; a protobuf as Go would have written it."""
    data = instant.data
    if instant.is_proto:
        if instant.profile in BINARY_PROFILES:
            raise UsageError(f"{instant.described}: a CPU profile has no text: pprofwatch top or export shows it")
        # Loading protobuf takes longer than all else, and logs need none.
        from pprofwatch.profiles.proto import decode_proto, to_profile  # noqa: PLC0415
        from pprofwatch.profiles.text import render_text  # noqa: PLC0415

        proto = decode_proto(data, max_bytes=64 << 20, max_items=1_000_000)
        data = render_text(to_profile(proto, instant.profile))
    return data.decode(errors="replace")


def _header(instant: Instant) -> str:
    entry = instant.entry
    words = [instant.described]
    if entry is not None:
        words.append(f"bytes={len(entry.body)}")
        words += [f"took={round(entry.took * 1000)}ms"] * bool(entry.took)
        words += [f"gap={entry.gap}"] * bool(entry.gap)
        words += [f"file={entry.file}"] * bool(entry.file)
        words += [f"error: {entry.error}"] * bool(entry.error)
    return " ".join(words)


def _lines(text: str) -> Iterator[str]:
    return iter(text.removesuffix("\n").split("\n") if text else [])


def _safe_line(line: str) -> str:
    return "\t".join(map(safe_text, line.split("\t")))


def _as_json(instant: Instant, text: str) -> dict[str, object]:
    entry = instant.entry
    return {
        "time": format_time(instant.time),
        "target": instant.target,
        "profile": instant.profile,
        "seconds": instant.seconds,
        "error": entry.error if entry else "",
        "gap": entry.gap if entry else 0,
        "file": entry.file if entry else "",
        "body": text,
    }
