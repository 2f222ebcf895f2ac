"""The command line: a file a verb, and here the one place that turns errors into exit statuses."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import NoArgsIsHelpError

from pprofwatch.cli.messages import complain
from pprofwatch.cli.verbs import COMPLETE_VARIABLE, NAME, group, run
from pprofwatch.errors import ConfigError, PprofwatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Beside what each PprofwatchError says; 130 and 141 are what a shell reports for an end by SIGINT or SIGPIPE.
_EXIT_STATUSES = {click.ClickException: 2, click.Abort: 130, KeyboardInterrupt: 130, BrokenPipeError: 141, OSError: 3}
# A mistake of ours: sysexits.h calls it EX_SOFTWARE. Not 3, after which a service manager need not try again.
_FAILED = 70
_DEBUG = "PPROFWATCH_DEBUG"


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line, ``sys.argv`` by default. Returns the exit status; errors are lines on stderr."""
    if COMPLETE_VARIABLE in os.environ:
        group.main(prog_name=NAME)  # answers the shell, and exits
    if sys.stderr is None:  # closed by who started us
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character shows its number
    try:
        status = run(sys.argv[1:] if args is None else args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001  # this is the last resort
        _discard_stdout()
        return _report(error)
    return status


def _report(error: BaseException) -> int:
    """Tell the user. Returns the exit status."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # a task group was ended by one failure, or by several of the same cause
    for line in _describe(error):
        complain(line)
    if isinstance(error, PprofwatchError):
        return error.exit_status
    return next((status for kind, status in _EXIT_STATUSES.items() if isinstance(error, kind)), _FAILED)


def _describe(error: BaseException) -> list[str]:
    """The lines that tell the user; none where there is nothing to tell."""
    match error:
        case KeyboardInterrupt() | click.Abort() | BrokenPipeError():
            lines: list[str] = []
        case NoArgsIsHelpError():
            error.show()
            lines = []
        case click.ClickException():
            context = getattr(error, "ctx", None)
            hint = f" (see '{context.command_path} --help')" if context else ""
            lines = [error.format_message().rstrip(".") + hint]
        case ConfigError():
            lines = error.mistakes
        case PprofwatchError():
            lines = [str(error)]
        case OSError():
            lines = [f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)]
        case _:
            lines = [_describe_mistake_of_ours(error)]
    return lines


def _describe_mistake_of_ours(error: BaseException) -> str:
    import traceback  # noqa: PLC0415  # takes as long to load as the rest of this module

    if os.environ.get(_DEBUG) == "1":
        traceback.print_exception(error)
    # Not its message: that may hold what must not be shown.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"a mistake of ours ({type(error).__name__} at {place}): please report it; {_DEBUG}=1 tells more"


def _discard_stdout() -> None:
    """Keep the interpreter from failing once more, when it flushes what could not be written."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
