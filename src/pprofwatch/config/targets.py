"""Targets as they were given, with what holds for all of them, as TargetConfigs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pprofwatch.config import options as opt
from pprofwatch.config.addresses import parse_address
from pprofwatch.config.document import Table
from pprofwatch.config.files import check_authorities, check_basic_auth_file, check_token_file
from pprofwatch.config.requests import alias_note, implied_requests, make_requests
from pprofwatch.config.settings import TargetConfig
from pprofwatch.config.values import Values, read_table
from pprofwatch.logs.folder import folder_name
from pprofwatch.times import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pprofwatch.config.document import Document
    from pprofwatch.config.options import Option
    from pprofwatch.config.settings import Secret
    from pprofwatch.model import ProfileRequest, Target

_PER_TARGET = tuple(option for option in opt.OPTIONS if option.per_target)
_ONLY_GENERAL = {
    option.name: "holds for all targets: move it above the first [[target]]"
    for option in opt.OPTIONS
    if not option.per_target
}
#: A timeout of this many seconds always fits, however short the interval.
_SHORT_TIMEOUT = 1.0


class _TargetKeys(msgspec.Struct):
    """The keys of a ``[[target]]`` table that are not options."""

    url: str
    name: str = ""


def read_targets(
    general: Values, document: Document, mistakes: list[str], notes: list[str]
) -> tuple[TargetConfig, ...]:
    """The targets: ``general`` has what was given for all, and the list of them.

    Args:
        general: From flags and file.
        document: The file, for lines.
        mistakes: Is added to.
        notes: Is added to: what the user should know beside.

    Returns:
        Those that could be made.
    """
    targets: list[tuple[str, TargetConfig]] = []
    items = general.get(opt.TARGET)
    if not items:
        mistakes.append(f"{general.where(opt.TARGET)}: expected at least one target")
    for index, item in enumerate(items):
        from_file = isinstance(item, dict) or general.where(opt.TARGET) != opt.TARGET.flag
        place = document.where("target", index) if from_file else opt.TARGET.flag
        try:
            keys, own = _read_item(item, index, document, mistakes)
            target, basic_auth = parse_address(keys.url, keys.name)
        except msgspec.ValidationError as error:
            mistakes.append(f"{place}: {str(error).replace('`', '')}")
        except ValueError as error:
            mistakes.append(f"{place}: {error}")
        else:
            builder = _Builder(general, own, place, mistakes, notes)
            targets.append((place, builder.build(target, basic_auth)))
    _check_together(targets, mistakes)
    return tuple(target for _, target in targets)


def _read_item(
    item: str | dict[str, Any], index: int, document: Document, mistakes: list[str]
) -> tuple[_TargetKeys, Values]:
    if isinstance(item, str):
        return _TargetKeys(item), Values()
    options = {key: value for key, value in item.items() if key not in _TargetKeys.__struct_fields__}
    own = read_table(Table(options, ("target", index), document), _PER_TARGET, mistakes, _ONLY_GENERAL)
    return msgspec.convert(item, _TargetKeys, strict=True), own


class _Builder:
    """Makes one TargetConfig, and tells what doesn't go together."""

    def __init__(self, general: Values, own: Values, place: str, mistakes: list[str], notes: list[str]) -> None:
        self._own = own
        self._values = general.under(own)
        self._place = place
        self._mistakes = mistakes
        self._notes = notes

    def build(self, target: Target, basic_auth: Secret | None) -> TargetConfig:
        values = self._values
        requests = self._requests()
        interval = values.get(opt.INTERVAL)
        bearer_token_file, basic_auth_file = self._authorization(basic_auth)
        return TargetConfig(
            target,
            requests=requests,
            interval=interval,
            timeout=self._timeout(),
            max_body=values.get(opt.MAX_BODY),
            headers=values.get(opt.HEADER),
            bearer_token_file=self._checked(opt.BEARER_TOKEN_FILE, bearer_token_file, check_token_file),
            basic_auth=basic_auth,
            basic_auth_file=self._checked(opt.BASIC_AUTH_FILE, basic_auth_file, check_basic_auth_file),
            ca_file=self._checked(opt.CA_FILE, values.get(opt.CA_FILE), check_authorities),
            insecure=values.get(opt.INSECURE),
            implied=implied_requests(requests, interval, values.get(opt.GOROUTINELEAK_EVERY)),
        )

    def _requests(self) -> tuple[ProfileRequest, ...]:
        specs = self._values.get(opt.PROFILE)
        place = self._values.where(opt.PROFILE)
        self._notes.extend(f"{place}: {alias_note(spec)}" for spec in specs if spec.alias)
        try:
            return make_requests(specs, self._values.get(opt.INTERVAL))
        except ValueError as error:
            self._mistakes.append(f"{place}: {error}")
            return ()

    def _timeout(self) -> float:
        interval = self._values.get(opt.INTERVAL)
        most = max(interval, _SHORT_TIMEOUT)
        if not self._values.is_given(opt.TIMEOUT):
            return min(opt.TIMEOUT.default, most)
        timeout = self._values.get(opt.TIMEOUT)
        mistaken = self._values.is_mistaken(opt.TIMEOUT) or self._values.is_mistaken(opt.INTERVAL)
        if timeout > most and not mistaken:
            blamed = opt.INTERVAL if self._own.is_given(opt.INTERVAL) else opt.TIMEOUT
            self._mistakes.append(
                f"{self._values.where(blamed)}: a timeout of {format_duration(timeout)} can't fit into an interval of "
                f"{format_duration(interval)}: expected a timeout of at most {format_duration(most)}"
            )
        return timeout

    def _authorization(self, basic_auth: Secret | None) -> tuple[Path | None, Path | None]:
        """The files that authorize: the target's own, where it has a way of its own, or else the general ones."""
        own = [self._own.get(opt.BEARER_TOKEN_FILE), self._own.get(opt.BASIC_AUTH_FILE), basic_auth]
        values = self._own if any(own) else self._values
        bearer_token_file, basic_auth_file = values.get(opt.BEARER_TOKEN_FILE), values.get(opt.BASIC_AUTH_FILE)
        headers = [name.lower() for name, _ in self._values.get(opt.HEADER)]
        ways = {
            "bearer_token_file": bearer_token_file,
            "basic_auth_file": basic_auth_file,
            "the user in the URL": basic_auth,
            "the header Authorization": "authorization" in headers,
        }
        given = [way for way, value in ways.items() if value]
        if len(given) > 1:
            self._mistakes.append(f"{self._place}: {' and '.join(given)} can't both authorize a request: keep one")
        return bearer_token_file, basic_auth_file

    def _checked(self, option: Option[Any], path: Path | None, check: Callable[[Path], str]) -> Path | None:
        problem = check(path) if path is not None else ""
        if problem:
            self._mistakes.append(f"{self._values.where(option)}: {problem}")
        return path


def _check_together(targets: list[tuple[str, TargetConfig]], mistakes: list[str]) -> None:
    """No target twice, and a log folder for each."""
    names: dict[object, str] = {}
    for place, config in targets:
        target = config.target
        identity = (target.url, target.socket, config.headers, config.basic_auth)
        folder = folder_name(target.name)
        if identity in names:
            mistakes.append(f"{place}: {target.name} is the same target as {names[identity]}")
        elif folder in names:
            mistakes.append(
                f"{place}: {target.name} would have the same log folder as {names[folder]}: "
                "give one of them a name of its own, in a [[target]] table"
            )
        names[identity] = names[folder] = target.name
