"""From flags and a TOML file to the frozen Config, with every mistake told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from pprofwatch.config import options as opt
from pprofwatch.config.document import Document, Table, read_document
from pprofwatch.config.kinds import format_size
from pprofwatch.config.settings import Config, LeakConfig, LogConfig
from pprofwatch.config.sinks import SINK_KEY, read_sinks
from pprofwatch.config.targets import read_targets
from pprofwatch.config.values import Values, read_flags, read_table
from pprofwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE_NAME = "config.toml"
_TARGET_KEYS = {
    "url": 'is a key of [[target]] tables; for all targets: target = ["host:port", …]',
    "name": "is a key of [[target]] tables",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A Config, the file that it is from, and what its user should know about it beside."""

    config: Config
    path: Path | None
    notes: tuple[str, ...]


def default_paths(environ: Mapping[str, str]) -> list[Path]:
    """Where a configuration is looked for, best first: where systemd says, the user's place, the system's places."""
    directory = _first_directory(environ, "CONFIGURATION_DIRECTORY")
    folders = [directory] if directory else []
    folders.append(platformdirs.user_config_path("pprofwatch"))
    # The second is where the service has it: by hand, `pprofwatch config check` should find the same file.
    folders += [Path("/etc/pprofwatch"), platformdirs.site_config_path("pprofwatch")]
    return [folder / _FILE_NAME for folder in folders]


def load(flags: Mapping[str, Any], path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Read the configuration. Flags win over the file; what a ``[[target]]`` table says wins over both for its target.

    Args:
        flags: By option name, what ``start`` was given: a text, a tuple of texts, or True.
        path: The TOML file, which must exist; without one, the first of ``default_paths`` that does.
        environ: The environment, for the default places.

    Raises:
        ConfigError: All that is wrong with flags, file, and the files that they name.
    """
    mistakes: list[str] = []
    notes: list[str] = []
    path = path or _find(default_paths(environ))
    document = read_document(path) if path else Document(Path(_FILE_NAME), {})
    data = {key: value for key, value in document.data.items() if key != SINK_KEY}
    from_file = read_table(Table(data, (), document), opt.OPTIONS, mistakes, _TARGET_KEYS)
    general = from_file.under(read_flags(flags, opt.OPTIONS, mistakes))
    targets = read_targets(general, document, mistakes, notes)
    sinks = read_sinks(document, mistakes)
    mistakes += _check_sizes(general)
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    leaks = LeakConfig(**_fields(general, LeakConfig))
    config = Config(targets, _log_config(general, environ), leaks, sinks, general.get(opt.LOG_FORMAT))
    return Loaded(config, path, tuple(dict.fromkeys(notes)))


def _fields(values: Values, owner: type) -> dict[str, Any]:
    """The fields of a part of the Config, from the options that set them."""
    return {option.field: values.get(option) for option in opt.OPTIONS if option.owner is owner}


def _log_config(values: Values, environ: Mapping[str, str]) -> LogConfig:
    fields = _fields(values, LogConfig)
    folder = fields["folder"] or _first_directory(environ, "LOGS_DIRECTORY") or platformdirs.user_log_path("pprofwatch")
    return LogConfig(**{**fields, "folder": folder.absolute()})


def _check_sizes(values: Values) -> list[str]:
    keep, rotate = values.get(opt.KEEP_SIZE), values.get(opt.ROTATE_SIZE)
    if keep >= rotate or values.is_mistaken(opt.KEEP_SIZE) or values.is_mistaken(opt.ROTATE_SIZE):
        return []
    # Said of the one that was given.
    at_least, at_most = f"at least rotate_size ({format_size(rotate)})", f"at most keep_size ({format_size(keep)})"
    if values.is_given(opt.KEEP_SIZE):
        return [f"{values.where(opt.KEEP_SIZE)}: expected {at_least}, got {format_size(keep)}"]
    return [f"{values.where(opt.ROTATE_SIZE)}: expected {at_most}, got {format_size(rotate)}"]


def _first_directory(environ: Mapping[str, str], name: str) -> Path | None:
    # systemd.exec(5): several directories are separated by colons.
    directory = environ.get(name, "").split(":")[0]
    return Path(directory) if directory else None


def _find(paths: list[Path]) -> Path | None:
    for path in paths:
        try:
            path.stat()
        except OSError:  # also a home that is not ours to look into
            continue
        return path
    return None
