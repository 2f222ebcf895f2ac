"""A live target's profile, in place of a log's."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from pprofwatch.cli.instant import Instant
from pprofwatch.cli.messages import complain
from pprofwatch.errors import ConfigError, UsageError
from pprofwatch.model import BINARY_PROFILES, ProfileRequest

if TYPE_CHECKING:
    from pprofwatch.config.settings import TargetConfig

#: Seconds between the two instants of a difference, where none are given.
_USUAL_SECONDS = 10
#: Seconds that an answer may take, beside the profile's own: a person waits for it.
_PATIENCE = 30.0


def ask_once(address: str, name: str, seconds: int = 0, *, as_text: bool = False) -> Instant:
    """Ask for a profile.

    Args:
        address: The target's, as ``start`` takes it, or its name in the configuration.
        name: The profile's.
        seconds: Over how long; 0: an instant.
        as_text: For Go's text rather than its protobuf, which has more frames.

    Raises:
        UsageError: It is no address.
        FetchError: There was no such answer.
    """
    [instant] = _ask(address, ProfileRequest(name, seconds, debug=int(as_text)), times=1)
    return instant


def ask_twice(address: str, name: str, seconds: int = 0) -> tuple[Instant, Instant]:
    """Ask for a profile, and again some seconds later; otherwise as ``ask_once``."""
    if name in BINARY_PROFILES:
        raise UsageError("--profile: a CPU profile covers a span of time already: pprofwatch top shows it")
    before, after = _ask(address, ProfileRequest(name, debug=0), times=2, pause=seconds or _USUAL_SECONDS)
    return before, after


def _ask(address: str, request: ProfileRequest, *, times: int, pause: int = 0) -> list[Instant]:
    # Loading what asks takes a while, and is not needed for logs.
    from pprofwatch.collect.once import fetch_now  # noqa: PLC0415

    config = _target_config(address)
    target = config.target
    if (request.seconds or pause) and sys.stderr.isatty():
        complain(f"measuring {target.name} for {request.seconds or pause} s")
    # Text profiles' differences come as text, too: the daemon logs them so.
    is_proto = request.name in BINARY_PROFILES or not (request.debug or request.seconds)
    return [
        Instant(target.name, request.name, time, data, request.seconds, is_proto)
        for time, data in fetch_now(replace(config, requests=(request,)), (request,) * times, pause)
    ]


def _target_config(address: str) -> TargetConfig:
    """How to ask a target: as the daemon does, with its headers and credentials, if it is in the configuration."""
    from pprofwatch.config.addresses import parse_address  # noqa: PLC0415
    from pprofwatch.config.load import load  # noqa: PLC0415
    from pprofwatch.config.settings import TargetConfig  # noqa: PLC0415

    try:
        configured = load({}, None, os.environ).config.targets
    except ConfigError:  # there is none, it is another user's, or not in order: that is not what was asked
        configured = ()
    known = [one for one in configured if one.target.name == address]
    if not known:
        try:
            target, basic_auth = parse_address(address)
        except ValueError as error:
            raise UsageError(f"--target: {error}") from None
        if basic_auth:  # the user says how to ask it
            return TargetConfig(target, (), timeout=_PATIENCE, basic_auth=basic_auth)
        place = target.url, target.socket
        known = [one for one in configured if (one.target.url, one.target.socket) == place]
        known = known or [TargetConfig(target, ())]
    return replace(known[0], timeout=max(known[0].timeout, _PATIENCE))
