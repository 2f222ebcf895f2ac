"""``pprofwatch completion``: the script that makes a shell complete verbs, flags and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from pprofwatch.cli.verbs import COMPLETE_VARIABLE, NAME, Group, examples

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        'eval "$(pprofwatch completion bash)"                  # in ~/.bashrc',
        'eval "$(pprofwatch completion zsh)"                   # in ~/.zshrc',
        "pprofwatch completion fish > ~/.config/fish/completions/pprofwatch.fish",
    )
)
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print a script that makes SHELL complete verbs, flags and files."""
    completion = get_completion_class(shell)
    if completion is None:  # click lacks a shell that this offers
        raise click.UsageError(f"no completion for {shell}")
    click.echo(completion(Group(NAME), {}, NAME, COMPLETE_VARIABLE).source())
