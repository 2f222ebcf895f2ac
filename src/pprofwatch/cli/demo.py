"""``pprofwatch demo``: the daemon at work on a leaking program that is played, for who has no Go server at hand."""

from __future__ import annotations

import os
import shlex
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pprofwatch.cli.messages import stderr_messages
from pprofwatch.cli.verbs import examples
from pprofwatch.config.settings import Config, LeakConfig, LogConfig, TargetConfig
from pprofwatch.logs.folder import folder_name
from pprofwatch.model import ProfileRequest, Target

if TYPE_CHECKING:
    from pprofwatch.alerts.incidents import Event

_INTERVAL = 0.2
_WINDOW = 15.0


@click.command(epilog=examples("pprofwatch demo", "pprofwatch demo --log-dir ./demo-logs"))
@click.option(
    "--log-dir", metavar="DIR", type=click.Path(path_type=Path), help="Where to keep the logs [default: new]."
)
def command(log_dir: Path | None) -> None:
    """Watch a Go program that leaks, played on a loopback port, until the alert comes: about 20 seconds.

    Then try what it proposes on the logs that it leaves, and read how a real server is watched: start --help.
    """
    # As in start: the network's libraries are loaded when they are needed.
    from pprofwatch.cli.serving import serve  # noqa: PLC0415
    from pprofwatch.demo.server import playing  # noqa: PLC0415

    folder = (log_dir or Path(tempfile.mkdtemp(prefix="pprofwatch-demo-"))).absolute()
    messages = stderr_messages()
    with playing() as address:
        click.echo(
            f"A Go program is played at {address}. It leaks 2 goroutines a second.\n"
            "`pprofwatch start` watches it, at a short interval and with a leak window of\n"
            f"{_WINDOW:g} s instead of 30 minutes: the alert should come within half a minute.\n",
            err=True,
        )
        serve(_configure(address, folder), lambda: _configure(address, folder), messages, _end)
    log = shlex.quote(str(folder / folder_name(address)))
    click.echo(
        f"\nThe log stays in {folder}. Try:\n"
        f"  pprofwatch totals --plot {log}\n"
        f"  pprofwatch check --leak-window {_WINDOW:g}s {log}\n"
        f"  pprofwatch incidents {log}\n"
        f"  less {shlex.quote(str(folder / folder_name(address) / 'goroutine.log'))}\n"
        "and with a Go server of yours:\n"
        "  pprofwatch start --target localhost:6060",
        err=True,
    )


def _configure(address: str, folder: Path) -> Config:
    target = Target(address, f"http://{address}/debug/pprof/")
    requests = (ProfileRequest("goroutine", every=_INTERVAL),)
    return Config((TargetConfig(target, requests),), LogConfig(folder), LeakConfig(window=_WINDOW))


def _end(event: Event) -> None:
    """The alert was what the user waited for: end as on Ctrl-C."""
    del event
    os.kill(os.getpid(), signal.SIGTERM)
