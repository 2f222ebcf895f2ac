"""A Config as TOML: what the daemon runs with, defaults and all, without its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pprofwatch.config import options as opt
from pprofwatch.config.document import quote
from pprofwatch.config.settings import LeakConfig, LogConfig
from pprofwatch.config.sinks import HEADER, SINK_OPTIONS, URL

if TYPE_CHECKING:
    from pprofwatch.config.settings import Config, SinkConfig, TargetConfig


def show_config(config: Config) -> str:
    """TOML that makes the same Config, except for credentials in URLs, the values of headers, and the URLs of sinks."""
    lines = [*_show_section(config.logs, LogConfig), *_show_section(config.leaks, LeakConfig)]
    lines.append(f"{opt.LOG_FORMAT.name} = {opt.LOG_FORMAT.kind.show(config.log_format)}")
    for sink in config.sinks:
        lines += ["", "[[sink]]", *_show_sink(sink)]
    for target in config.targets:
        lines += ["", "[[target]]", *_show_target(target)]
    return "\n".join(lines) + "\n"


def _show_target(config: TargetConfig) -> list[str]:
    target = config.target
    url = f"unix:{target.socket}" if target.socket else target.url
    comment = "  # with a user and a password, not shown" if config.basic_auth else ""
    return [
        f"url = {quote(url)}{comment}",
        f"name = {quote(target.name)}",
        *_show_section(config, type(config)),
    ]


def _show_sink(config: SinkConfig) -> list[str]:
    lines = []
    for option in SINK_OPTIONS[config.type]:
        value = getattr(config, option.field)
        if option is URL:
            lines.append(f"# {option.name} = {quote(config.address)}  # not shown whole: some hold a token")
        elif value:
            lines.append(f"{'# ' if option is HEADER else ''}{option.name} = {option.kind.show(value)}")
    return lines


def _show_section(section: Any, owner: type) -> list[str]:
    options = [option for option in opt.OPTIONS if option.owner is owner]
    values = [(option, getattr(section, option.field)) for option in options]
    return [
        f"{'# ' if option is opt.HEADER else ''}{option.name} = {option.kind.show(value)}"
        for option, value in values
        if value or option.default
    ]
