"""The flags of ``start``, made from the table of options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.config.kinds import FILE, FOLDER, SWITCH
from pprofwatch.config.options import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Callable

config_option = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The TOML file to read. [default: $CONFIGURATION_DIRECTORY/config.toml, or the user's or the system's]",
)


def start_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for each option: as texts, which the configuration reads, so that all mistakes are told at once."""
    for option in reversed(OPTIONS):
        command = _flag(option)(command)
    return command


def _flag(option: Option[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    help_text = option.help + (f" [default: {option.shown_default}]" if option.shown_default else "")
    if option.kind is SWITCH:
        return click.option(option.flag, option.name, is_flag=True, help=help_text)
    return click.option(
        option.flag,
        option.name,
        metavar=option.kind.metavar,
        multiple=option.kind.many,
        type=click.Path() if option.kind in (FILE, FOLDER) else str,
        help=help_text,
    )
