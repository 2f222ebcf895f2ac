"""``pprofwatch config``: check the configuration, and show what the daemon would run with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.cli.flags import config_option, start_options
from pprofwatch.cli.messages import complain
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.cli.verbs import examples
from pprofwatch.config.load import default_paths, load
from pprofwatch.config.show import show_config

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.config.load import Loaded


@click.group()
def command() -> None:
    """Check the configuration, or show what it comes to."""


@command.command(
    epilog=examples(
        "pprofwatch config check",
        "pprofwatch config check --config ./config.toml && systemctl reload pprofwatch",
    )
)
@config_option
def check(config_file: Path | None) -> None:
    """Tell every mistake in the configuration; exit status 2 if there is one."""
    loaded = _load({}, config_file)
    if loaded.path is None:
        places = ", ".join(str(path) for path in default_paths(os.environ))
        click.echo(f"no configuration file, so the defaults hold; looked for {safe_text(places)}")
        return
    count = len(loaded.config.targets)
    click.echo(f"{safe_text(str(loaded.path))}: no mistakes, {count} target{'s' if count > 1 else ''}")


@command.command(
    epilog=examples(
        "pprofwatch config show",
        "pprofwatch config show --target localhost:6060 --interval 1s > config.toml",
    )
)
@config_option
@start_options
def show(config_file: Path | None, **flags: Any) -> None:
    """Print as TOML what start would run with, given the same flags: file, flags and defaults, without secrets."""
    loaded = _load(flags, config_file)
    click.echo(f"# {safe_text(str(loaded.path)) if loaded.path else 'no configuration file'}")
    click.echo(show_config(loaded.config), nl=False)


def _load(flags: dict[str, Any], config_file: Path | None) -> Loaded:
    loaded = load(flags, config_file, os.environ)
    for note in loaded.notes:
        complain(note)
    return loaded
