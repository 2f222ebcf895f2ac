"""The verbs, each a module of this folder that is imported when it is used: ``pprofwatch --version`` imports none."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click
from click.exceptions import NoSuchCommand

from pprofwatch import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "pprofwatch"
COMPLETE_VARIABLE = "_PPROFWATCH_COMPLETE"

#: Verbs, in the order of the help, and what each does.
VERBS = {
    "start": "Record Go servers' profiles, and tell when goroutines leak.",
    "demo": "Watch a leaking Go program that is played for you.",
    "totals": "Print or plot the totals in logs.",
    "check": "Look for leaks in logs; exit status 1 if there is one.",
    "incidents": "List the leaks that the daemon has found.",
    "report": "Write an HTML page with all that logs tell.",
    "top": "Print the functions that hold the most, as go tool pprof does.",
    "diff": "Print the stacks that grew and shrank between two times.",
    "show": "Print one entry of a log.",
    "tail": "Print the last entries of logs, and new ones as they come.",
    "export": "Write an entry for go tool pprof, speedscope or a flame graph.",
    "verify": "Check logs for damage; exit status 1 if there is any.",
    "config": "Check and show the configuration.",
    "completion": "Print a script that makes a shell complete commands.",
}


def examples(*lines: str) -> str:
    """An epilog with examples, a line each, as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


class Group(click.Group):
    """The command ``pprofwatch``. A verb's module has it as ``command``, which returns its exit status or None."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """All verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """The verb, or None where there is no such."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"pprofwatch.cli.{cmd_name}")
        command: click.Command = module.command
        command.name = cmd_name
        command.short_help = VERBS[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with all verbs known for a "Did you mean"."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            raise NoSuchCommand(args[0], possibilities=VERBS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """The verbs for the help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    NAME,
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "pprofwatch start --target localhost:6060     # record until Ctrl-C; alerts come on stderr",
        "pprofwatch totals --plot LOG_DIR             # the totals as a chart",
        "pprofwatch check LOG_DIR                     # which stacks leaked?",
        "pprofwatch top --at 13:49 LOG_DIR            # where did goroutines wait then?",
        "pprofwatch diff --since -1h LOG_DIR          # what grew?",
        "pprofwatch incidents                         # what was found, and what became of it?",
        "pprofwatch demo                              # no Go server at hand?",
    ),
)
@click.version_option(__version__, prog_name=NAME, message="%(prog)s %(version)s")
def group() -> None:
    """Record the pprof profiles of running Go servers, and find goroutines that leak."""


def run(args: Sequence[str]) -> int:
    """Run a verb. Returns its exit status; raises whatever it raises."""
    try:
        with group.make_context(NAME, list(args)) as ctx:
            status = group.invoke(ctx)
    except click.exceptions.Exit as done:
        return done.exit_code
    return status if isinstance(status, int) else 0
