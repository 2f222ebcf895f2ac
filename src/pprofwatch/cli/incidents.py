"""``pprofwatch incidents``: what the daemon has found, what became of it, and where its evidence lies."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.alerts.message import place
from pprofwatch.alerts.words import cut, number
from pprofwatch.cli.as_json import leak_as_json
from pprofwatch.cli.flags import config_option
from pprofwatch.cli.messages import complain, use_colour
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.severities import SEVERITIES, severity_option
from pprofwatch.cli.verbs import examples
from pprofwatch.cli.when import parse_when
from pprofwatch.config.load import load
from pprofwatch.errors import LogError, UsageError
from pprofwatch.logs.files import target_folders
from pprofwatch.report.incidents import Incident, list_incidents
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pprofwatch.leaks.severity import Severity

#: An incident, and the folder of the target whose journal tells of it.
_Found = tuple[Path, Incident]


@click.command(
    epilog=examples(
        "pprofwatch incidents",
        "pprofwatch incidents --since -24h --target localhost:6060",
        "pprofwatch incidents --min-severity proven /var/log/pprofwatch",
        "pprofwatch incidents --json | jq '.incidents[] | select(.resolved_at == null)'",
    )
)
@click.argument("folders", metavar="[FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@config_option
@click.option("--target", metavar="NAME", help="Only this target's.")
@click.option(
    "--since", metavar="TIME", help="Only what was open then or later: 13:49, 2026-11-22T13:49:53Z, or -10m, from now."
)
@severity_option("Only what was as bad as this; suspected: also what was never told.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    folders: Sequence[Path],
    *,
    config_file: Path | None,
    target: str | None,
    since: str | None,
    min_severity: str,
    as_json: bool,
) -> None:
    """List the leaks that the daemon has found, the newest last.

    FOLDER is a log folder or a target's in it; without one, the configuration says where the logs are. This tells what
    was told when; `pprofwatch check` looks for leaks itself.
    """
    out = sys.stdout or io.StringIO()  # there is none where it was closed
    begin = None if since is None else _time(since)
    folders = folders or [load({}, config_file, os.environ).config.logs.folder]
    found = sorted(
        _find(folders, target, begin, SEVERITIES[min_severity]), key=lambda found: (found[1].began, found[1].id)
    )
    if as_json:
        out.write(json.dumps({"incidents": [_incident_as_json(*each) for each in found]}) + "\n")
    else:
        out.writelines(f"{line}\n" for line in _table(found, colour=use_colour(out)))


def _time(text: str) -> float:
    try:
        return parse_when(text, time.time)
    except ValueError as error:
        raise UsageError(f'--since: {error}, got "{text[:60]}"') from None


def _find(folders: Sequence[Path], target: str | None, since: float | None, least: Severity) -> Iterator[_Found]:
    """The incidents in folders. What can't be read is told; where nothing can, the command ends."""
    failed = read = 0
    for folder in folders:
        try:
            places = _with_journals(folder)
        except LogError as error:
            complain(str(error))
            failed += 1
            continue
        if not places:
            complain(f"{folder}: no incident has been noted down in this folder")
        for place_of_target in places:
            journal = Journal(place_of_target)
            try:
                events = journal.read()
            except LogError as error:
                complain(str(error))
                failed += 1
                continue
            read += 1
            if journal.damaged:
                complain(f"{place_of_target / JOURNAL}: damaged: {_plural(journal.damaged, 'line')} can't be read")
            for incident in list_incidents(events, target=target, since=since, least=least):
                yield place_of_target, incident
    if failed and not read:
        raise click.exceptions.Exit(LogError.exit_status)  # why, has been told


def _with_journals(folder: Path) -> list[Path]:
    """The targets' folders with a journal: this one, and those in it.

    Raises:
        LogError: The folder can't be read.
    """
    return [place for place in (folder, *target_folders(folder)) if os.path.lexists(place / JOURNAL)]


def _incident_as_json(folder: Path, incident: Incident) -> dict[str, Any]:
    leak = leak_as_json(incident.profile, incident.leak, None)
    del leak["forecast"]  # it is from then
    return {
        "id": incident.id,
        "target": incident.target,
        **leak,
        "severity": incident.severity,
        "opened_at": _time_as_json(incident.opened_at),
        "resolved_at": _time_as_json(incident.resolved_at),
        "events": [
            {
                "event": event.action,
                "time": format_time(event.time),
                "severity": event.leak.severity,
                "count": event.leak.count_to,
            }
            for event in incident.events
        ],
        "kept": str((folder / incident.kept).absolute()) if incident.kept else None,
    }


def _time_as_json(moment: float | None) -> str | None:
    return None if moment is None else format_time(moment)


def _table(found: Sequence[_Found], *, colour: bool) -> Iterator[str]:
    """Two or three lines an incident: a row of the table, and under it where to look."""
    if not found:
        yield "no incidents"
        return
    head = ("FOUND (UTC)", "SEVERITY", "TARGET", "PROFILE", "COUNT", "FUNCTION")
    rows = [head, *(_columns(incident) for _, incident in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = [" ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows]
    yield click.style(lines[0], bold=True) if colour else lines[0]
    for line, (folder, incident) in zip(lines[1:], found, strict=True):
        yield click.style(line, fg="red") if colour and incident.is_open else line
        yield f"  {_life(incident)}"
        if where := place(incident.leak):
            yield f"  {safe_text(where)}"
        if incident.kept:
            yield f"  kept in {safe_text(str(folder / incident.kept))}/"
    still_open = sum(incident.is_open for _, incident in found)
    yield f"{_plural(len(found), 'incident')}, {number(still_open)} open"


def _columns(incident: Incident) -> tuple[str, ...]:
    leak = incident.leak
    texts = (
        _clock(incident.began),
        incident.severity.value,
        incident.target,
        incident.profile,
        f"{number(leak.count_from)} → {number(incident.peak)}",
        leak.culprit.function,
    )
    return tuple(cut(safe_text(text)) for text in texts)


def _life(incident: Incident) -> str:
    """What became of it: ``open, told 3 times, last 2026-11-22 14:42:00; worse since 2026-11-22 13:43:00``."""
    resolved = incident.resolved_at
    state = "suspected only" if not incident.told else "open" if resolved is None else f"resolved {_clock(resolved)}"
    told = f", told {incident.told} times" if incident.told > 1 else ""
    last = f", last {_clock(incident.events[-1].time)}" if told and incident.is_open else ""
    worse = f"; worse since {_clock(incident.worsened_at)}" if incident.worsened_at is not None else ""
    return state + told + last + worse


def _clock(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _plural(count: int, word: str) -> str:
    return f"{number(count)} {word if count == 1 else word + 's'}"
