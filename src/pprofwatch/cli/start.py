"""``pprofwatch start``: the daemon, until it is told to end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.cli.flags import config_option, start_options
from pprofwatch.cli.messages import stderr_messages
from pprofwatch.cli.verbs import examples
from pprofwatch.config.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from pprofwatch.config.settings import Config

_WARNING = 4


@click.command(
    epilog=examples(
        "pprofwatch start",
        "pprofwatch start --target app:6060 --target unix:/run/api.sock --interval 5s",
        "pprofwatch start --profile goroutine --profile heap:every=5m --log-dir ./logs",
        "pprofwatch start --profile threadcreate:seconds=1 --profile cpu:seconds=10:every=10m",
        "pprofwatch start --config /etc/pprofwatch/config.toml",
    )
)
@config_option
@start_options
def command(config_file: Path | None, **flags: Any) -> None:
    """Poll Go servers' pprof endpoints, log what they answer, and tell on stderr when goroutines leak.

    Each flag is also a key of the TOML file, which says what flags don't. DURATION is 200ms, 10s, 1h30m or 90d, SIZE
    64MiB or 2GiB. TERM and Ctrl-C end it, HUP reads the TOML file again.
    """
    messages = stderr_messages()

    def load_config() -> Config:
        loaded = load(flags, config_file, os.environ)
        for note in loaded.notes:
            messages.say(_WARNING, note)
        messages.as_json = loaded.config.log_format == "json"
        return loaded.config

    config = load_config()
    # Only now: a mistake in the configuration should not wait for the network's libraries.
    from pprofwatch.cli.serving import serve  # noqa: PLC0415

    serve(config, load_config, messages)
