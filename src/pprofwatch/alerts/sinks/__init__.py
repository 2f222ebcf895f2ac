"""Where incidents are told: one file a kind of sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.alerts.sinks.alertmanager import AlertmanagerSink
from pprofwatch.alerts.sinks.command import CommandSink
from pprofwatch.alerts.sinks.stderr import StderrSink
from pprofwatch.alerts.sinks.webhook import WebhookSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pprofwatch.alerts.sinks.base import Sink
    from pprofwatch.alerts.sinks.stderr import SayNotice
    from pprofwatch.config.settings import SinkConfig


def make_sinks(configs: Iterable[SinkConfig], *, now: Callable[[], float], say: SayNotice) -> list[Sink]:
    """The sinks of a configuration.

    Args:
        configs: What is asked for.
        now: The wall clock, in Unix seconds.
        say: Writes to standard error.
    """
    return [_make_sink(config, now, say) for config in configs]


def _make_sink(config: SinkConfig, now: Callable[[], float], say: SayNotice) -> Sink:
    match config.type:
        case "webhook":
            return WebhookSink(config)
        case "alertmanager":
            return AlertmanagerSink(config, now)
        case "command":
            return CommandSink(config)
        case "stderr":
            return StderrSink(config, say)
