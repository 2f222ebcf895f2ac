"""``pprofwatch report``: one HTML page with all that a log tells."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.cli.log_input import LogInput, log_options
from pprofwatch.cli.messages import complain
from pprofwatch.cli.output_file import STDOUT, check_output, force_option, write_output
from pprofwatch.cli.profile_input import file_samples
from pprofwatch.cli.progress import ProgressBar
from pprofwatch.cli.verbs import examples
from pprofwatch.errors import LogError, ProfileError, UsageError
from pprofwatch.logs.files import stored_files, target_folders
from pprofwatch.logs.folder import folder_name
from pprofwatch.logs.profile_files import ProfileFile, find_profile_files, given_file
from pprofwatch.logs.sources import is_folder
from pprofwatch.report.html import render_page
from pprofwatch.report.incidents import list_incidents
from pprofwatch.report.page import MAX_SIZE, as_json, overview, series
from pprofwatch.report.recording import MAX_RECORDINGS, Recordings, reason_of
from pprofwatch.times import format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pprofwatch.report.incidents import Incident
    from pprofwatch.report.recording import Recording

_CPU = "profile"
#: Of more files with a profile each, so many are read, evenly over time.
_MOST_FILES = 200


@click.command(
    epilog=examples(
        "pprofwatch report /var/log/pprofwatch/localhost_6060 -o prof.html",
        "pprofwatch report --since -6h --profile heap /var/log/pprofwatch -o heap.html",
        "zcat old.log.gz | pprofwatch report - -o old.html",
        "pprofwatch report profiles/*.pb.gz -o cpu.html",
    )
)
@log_options
@click.option("--profile", metavar="NAME", help="Only this profile.")
@click.option("-o", "--output", metavar="FILE", required=True, help="The page to write; - is standard output.")
@force_option
@click.option("--json", "as_json_too", is_flag=True, help="Print as JSON what is in the page.")
def command(
    paths: Sequence[str],
    *,
    since: str | None,
    until: str | None,
    profile: str | None,
    output: str,
    force: bool,
    as_json_too: bool,
) -> None:
    """Write an HTML page about LOG: files (plain, .zst, .gz), folders, .pb.gz files, or - for standard input.

    The page needs nothing else: it can be mailed, and works offline. It has the timeline with holes, restarts and
    incidents; the growth of each stack; the call graph, as a tree and as a flame graph, of an instant or of the
    difference between two. Of a long log it keeps some hundred instants with all stacks: those with the most.
    """
    if as_json_too and output == STDOUT:
        raise UsageError("--json and -o -: choose one of them for standard output")
    check_output(output, force=force)
    profile = _CPU if profile == "cpu" else profile
    folders = [path for path in paths if is_folder(path)]
    given = {path: given_file(path, profile) for path in paths}
    files = [file for file in given.values() if file]
    files += [file for folder in folders for file in _files_in(folder)]
    files = [file for file in files if not profile or file.profile in ("", profile)]
    logs = [path for path in paths if not given[path] and not (is_folder(path) and _has_files_only(path))]
    reader = LogInput(logs, profile=profile, since=since, until=until)
    recordings = Recordings()
    if logs:
        for entry in reader.entries():
            recordings.take(entry)
    targets = {folder_name(target): target for target in recordings.targets}
    for target, file in _chosen(files, targets):
        _take_file(recordings, target, file, reader, profile)
    found = recordings.finish()
    if not found:
        what = f"no{f' {profile}' if profile else ''} profile in it{_why_none(recordings)}"
        raise LogError(f"{', '.join(paths)[:300]}: {what}")
    incidents = [incident for folder in folders for incident in _incidents(folder, reader)]
    page = render_page(_title(found), _data(found, incidents, _notes(recordings, reader, len(files)))).encode()
    write_output(output, page, force=force)
    if as_json_too:
        print(json.dumps({"file": output, "bytes": len(page), "profiles": [_as_json(each) for each in found]}))
    elif output != STDOUT:
        profiles, marked = _counted(len(found), "profile"), _counted(len(incidents), "incident")
        print(f"{output}: {profiles}, {marked}, {len(page) / 1e6:.1f} MB")


def _as_json(recording: Recording) -> dict[str, Any]:
    timeline = recording.timeline
    instants = recording.instants.kept
    return {
        "target": recording.target,
        "profile": recording.profile,
        "seconds": recording.seconds,
        "entries": timeline.entries,
        "failed": timeline.failed,
        "damaged": recording.damaged,
        "instants": len(instants),
        "since": format_time(instants[0].time),
        "until": format_time(instants[-1].time),
        "holes": len(timeline.holes),
        "restarts": [format_time(time) for time in timeline.restarts],
    }


def _why_none(recordings: Recordings) -> str:
    last = recordings.last_failed
    if last is None or not recordings.all_failed:
        return ""
    at = f"at {format_time(last.time)}: {reason_of(last)}"
    if recordings.failed == 1:
        return f": its only poll failed, {at}"
    return f": all {recordings.failed:,} polls failed, the last {at}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _data(recordings: Sequence[Recording], incidents: Iterable[Incident], notes: Sequence[str]) -> Iterator[str]:
    """The JSON of a page's parts, one at a time in memory as data."""
    yield as_json(overview(recordings, incidents, notes))
    for recording in recordings:
        yield as_json(series(recording, MAX_SIZE // len(recordings)))


def _title(recordings: Sequence[Recording]) -> str:
    targets = {recording.target for recording in recordings}
    return (next(iter(targets)) if len(targets) == 1 else f"{len(targets)} targets") or "pprofwatch report"


def _notes(recordings: Recordings, reader: LogInput, files: int) -> list[str]:
    notes = []
    if reader.skipped_bytes:
        notes.append(f"{reader.skipped_bytes:,} bytes of the logs could not be read.")
    if recordings.left_out:
        notes.append(
            f"There are too many logs: beyond the first {MAX_RECORDINGS}, {recordings.left_out} were left out."
        )
    if files > _MOST_FILES:
        notes.append(f"Of {files:,} files with a profile each, {_MOST_FILES} were read.")
    return notes


def _files_in(folder: str) -> list[ProfileFile]:
    """The files with a profile each in a folder: CPU profiles of a log folder or a target's, or what else is there."""
    try:
        return find_profile_files(folder, _CPU)
    except LogError:
        return []  # is told where the logs are read


def _has_files_only(folder: str) -> bool:
    """Whether a folder holds files with a profile each, and no log."""
    try:
        places = (Path(folder), *target_folders(Path(folder)))
        has_logs = any(file.kind in ("live", "closed") for place in places for file in stored_files(place))
    except LogError:
        return False  # is told where the logs are read
    return not has_logs and bool(_files_in(folder))


def _chosen(files: Sequence[ProfileFile], targets: dict[str, str]) -> Iterator[tuple[str, ProfileFile]]:
    """Some of the files, in order of time, each with the target that it is of: a log's, or the name of its folder."""
    ordered = sorted(files, key=lambda file: file.time or file.modified)
    step = -(-len(ordered) // _MOST_FILES) or 1
    chosen = ordered[::step]
    sizes = [0 if file.is_input else file.path.stat().st_size for file in chosen]
    with ProgressBar("reading", sum(sizes)) as progress:
        for file, size in zip(chosen, sizes, strict=True):
            folder = file.path.absolute().parent
            name = folder.parent.name if folder.name == _CPU else folder.name
            yield "" if file.is_input else targets.get(name, name), file
            progress.advance(size)


def _take_file(recordings: Recordings, target: str, file: ProfileFile, reader: LogInput, profile: str | None) -> None:
    try:
        samples = file_samples(file)
    except (LogError, ProfileError) as error:
        complain(str(error))
    else:
        if reader.takes(samples.time) and profile in (None, samples.kind):
            recordings.add(target, samples)


def _incidents(folder: str, reader: LogInput) -> Iterator[Incident]:
    """What the daemon has noted down in a log folder, or a target's, in the time that was asked for."""
    try:
        places = [place for place in (Path(folder), *target_folders(Path(folder))) if os.path.lexists(place / JOURNAL)]
    except LogError:
        return  # was told where the logs were read
    for place in places:
        try:
            events = Journal(place).read()
        except LogError as error:
            complain(str(error))
            continue
        for incident in list_incidents(events):
            if any(reader.takes(event.time) for event in incident.events):
                yield incident
