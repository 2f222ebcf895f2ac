"""What a target's answer is: the profile that was asked for, or why it is none.

Judged by content, for a catch-all router answers 200 with HTML, and a proxy may cut what it passes on. The texts of
Go's own refusals stand in its ``net/http/pprof/pprof.go``, ``runtime/pprof/pprof.go`` and
``runtime/trace/subscribe.go``.
"""

from __future__ import annotations

import http
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pprofwatch.errors import FetchError, ProfileBusyError, ProfileError, ProfileMissingError
from pprofwatch.model import BINARY_PROFILES

if TYPE_CHECKING:
    from pprofwatch.model import ProfileRequest

#: Decoded bytes of one answer, where the configuration does not say otherwise.
MAX_BODY = 64 << 20
#: The most messages in a decoded protobuf: a goroutine delta of 10,000 stacks of 100 frames has less than half of it.
MAX_ITEMS = 250_000
#: The most bytes of a protobuf that is decoded: it is in memory several times over then.
_MOST_DECODED = 16 << 20
#: Go's profiles shrink to a tenth when they are compressed; what grows by more than this is made to fill our memory.
_MOST_GROWTH = 50
_LEAST_LIMIT = 256 << 10
#: And as text, which repeats each frame in each stack that has it, by this once more.
_MOST_GROWTH_AS_TEXT = 4
#: Bytes of the shortest frame in a text: no more frames need be read than fit into the longest.
_LEAST_FRAME = len("#\t0x1\n")
#: The most records of a text: Go's are some 700 bytes long, so that few more of them would fit into ``MAX_BODY``.
_MOST_RECORDS = 100_000
#: Bytes of a text that are split into its records at once.
_SPLIT = 256 << 10
#: A delta cannot come faster than its ``seconds``, but for the timers' grain.
_DELTA_GRAIN = 0.9
_GZIP = b"\x1f\x8b"
_TEXT_STARTS = {
    "goroutine": b"goroutine profile: total ",
    "threadcreate": b"threadcreate profile: total ",
    "goroutineleak": b"goroutineleak profile: total ",
    "heap": b"heap profile: ",
    "allocs": b"heap profile: ",
    "block": b"--- contention:\n",
    "mutex": b"--- mutex:\n",
}
_DUMP_START = b"goroutine "
_BINARY_STARTS = {"profile": _GZIP, "trace": b"go 1."}
#: No profile needs more bytes to be told from other things by ``begins_right``.
LONGEST_START = max(map(len, _TEXT_STARTS.values()))
_COUNTED = ("goroutine", "threadcreate", "goroutineleak")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``body`` as sent, without decoding; of an answer that is no profile, its beginning only.

    ``is_pprof`` says that Go's pprof handler marked it as its own error (``X-Go-Pprof``). ``took`` is in seconds.
    """

    status: int
    body: bytes
    content_type: str = ""
    is_pprof: bool = False
    took: float = 0.0


def begins_right(request: ProfileRequest, beginning: bytes) -> bool:
    """Whether a body that begins so can still become the profile, however little of it is there."""
    expected = _expected_start(request)
    return beginning.startswith(expected) or expected.startswith(beginning)


def judge(request: ProfileRequest, answer: Answer, *, max_bytes: int = MAX_BODY) -> bytes:
    """The body to keep: text for a text profile (a delta is rendered as Go would), else the bytes as they came.

    How much of a ``debug=2`` text came, its parser tells: Go itself stops writing it at 64 MiB.

    Args:
        request: What was asked for.
        answer: What came.
        max_bytes: The most that a compressed profile may have, decoded, and a delta as text.

    Raises:
        ProfileMissingError: The target does not have this profile.
        ProfileBusyError: Another client is taking it.
        FetchError: It is no such profile, or not all of it.
    """
    if answer.status != http.HTTPStatus.OK:
        raise _refusal(request, answer)
    if not answer.body.startswith(_expected_start(request)):
        raise FetchError(_mistaken(request, answer))
    try:
        if request.name in BINARY_PROFILES:
            _check_binary(request.name, answer.body, _most_growth(answer.body, max_bytes))
            return answer.body
        if request.seconds:
            return _render_delta(request, answer, max_bytes)
        if request.debug == 0:
            _check_binary(request.name, answer.body, most_decoded(answer.body, max_bytes))
        elif request.debug == 1:
            _check_text(request.name, answer.body)
    except ProfileError as error:
        raise FetchError(f"answered a damaged profile: {error}") from None
    return answer.body


def most_decoded(body: bytes, max_bytes: int = MAX_BODY) -> int:
    """The most bytes that a compressed profile may have when it is unpacked to be decoded.

    Args:
        body: The profile as it came.
        max_bytes: The most that the configuration allows.
    """
    return min(_most_growth(body, max_bytes), _MOST_DECODED)


def shown(text: bytes, most: int = 120) -> str:
    """Text of a target as one line that is safe to print: its first line, without control and format characters."""
    line = text[: 4 * most].strip().partition(b"\n")[0].decode(errors="replace").strip()
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return line if len(line) <= most else f"{line[:most]}…"


def _expected_start(request: ProfileRequest) -> bytes:
    if request.name in BINARY_PROFILES:
        return _BINARY_STARTS[request.name]
    if request.seconds or request.debug == 0:
        return _GZIP
    return _TEXT_STARTS[request.name] if request.debug == 1 else _DUMP_START


def _refusal(request: ProfileRequest, answer: Answer) -> FetchError:
    """What a status other than 200 means."""
    said = shown(answer.body)
    is_known = request.name == "goroutine" and request.debug == 1  # any Go server has it
    if answer.status == http.HTTPStatus.NOT_FOUND and (answer.is_pprof or not is_known):
        hint = " (Go 1.27 has it, 1.26 with GOEXPERIMENT=goroutineleakprofile)" * (request.name == "goroutineleak")
        return ProfileMissingError(f"has no {request.name} profile{hint}")
    if "already in use" in said or "already enabled" in said:
        return ProfileBusyError(f"another client is taking this profile: {said}")
    if "WriteTimeout" in said:
        return FetchError(
            f"seconds={request.seconds} exceeds the server's WriteTimeout: ask for fewer seconds, or raise it there"
        )
    hint = ""
    if answer.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        hint = " (is a header, a token or basic auth missing or wrong?)"
    elif answer.status == http.HTTPStatus.NOT_FOUND:
        hint = " (is this pprof's address?)"
    text = "" if not said or _is_html(answer) else f": {said}"
    return FetchError(f"answered {_status(answer.status)}{text}{hint}")


def _mistaken(request: ProfileRequest, answer: Answer) -> str:
    """What came with status 200 instead of the profile."""
    if not answer.body:
        return "answered nothing at all, with status 200"
    if _is_html(answer):
        return "answered HTML, not a profile (is this pprof's address?)"
    return f"answered something that is not a {request.name} profile: {shown(answer.body)}"


def _is_html(answer: Answer) -> bool:
    return "html" in answer.content_type or answer.body.lstrip()[:1] == b"<"


def _status(status: int) -> str:
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _most_growth(body: bytes, max_bytes: int) -> int:
    return min(max_bytes, max(_LEAST_LIMIT, _MOST_GROWTH * len(body)))


def _check_text(name: str, body: bytes) -> None:
    """Whether all of a text profile is there, as cheaply as can be had: it is parsed by whoever needs it parsed."""
    # The heap's statistics end with this line, or with one more where the system tells MaxRSS; each record of the
    # others with a blank line.
    is_whole = b"\n# DebugGC = " in body[-200:] if name in ("heap", "allocs") else body.endswith(b"\n\n")
    if not body.endswith(b"\n") or (not is_whole and b" @" in body):
        raise ProfileError(f"it stops in the middle, after {len(body)} bytes")
    if body.count(b" @") > _MOST_RECORDS:
        raise ProfileError(f"it has more than {_MOST_RECORDS} records")
    if name in _COUNTED:
        header = body[: body.index(b"\n")]
        try:
            total = int(header[len(_TEXT_STARTS[name]) :])
            counted = _sum_counts(body, len(header) + 1)
        except ValueError:
            raise ProfileError("a record does not begin with a count") from None
        if counted != total:
            raise ProfileError(f"its header says {total}, its records sum up to {counted}")


def _sum_counts(body: bytes, start: int) -> int:
    """The sum of the records' counts, with the records of a part of the body in memory at a time.

    Raises:
        ValueError: A record does not begin with its count.
    """
    counted = 0
    while start < len(body):
        end = body.find(b"\n\n", start + _SPLIT)
        end = len(body) if end < 0 else end + 2
        counted += sum([int(record.split(b" @", 1)[0]) for record in body[start:end].split(b"\n\n") if record])
        start = end
    return counted


def _check_binary(name: str, body: bytes, max_bytes: int) -> None:
    if name == "trace":
        if b" trace\0" not in body[:16]:  # "go 1.25 trace\0\0\0", internal/trace/raw or version.ReadHeader
            raise ProfileError("it has no trace header")
        return
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    size = 0
    try:
        while body and not inflater.eof:
            size += len(inflater.decompress(body, 1 << 20))
            body = inflater.unconsumed_tail
            if size > max_bytes:
                raise ProfileError(f"it is larger than {max_bytes} bytes once decompressed")
    except zlib.error:
        raise ProfileError(f"its compression is broken after {size} bytes") from None
    if not inflater.eof:
        raise ProfileError(f"its compressed data stops early, after {size} bytes once decompressed")


def _render_delta(request: ProfileRequest, answer: Answer, max_bytes: int) -> bytes:
    if answer.took < request.seconds * _DELTA_GRAIN:
        raise FetchError(
            f"answered seconds={request.seconds} after {answer.took:.1f} s: its Go does not know deltas (1.15 does)"
        )
    # Loading protobuf takes longer than all else at the start, and is not needed by who polls no deltas.
    from pprofwatch.profiles.proto import decode_proto, to_profile  # noqa: PLC0415
    from pprofwatch.profiles.text import render_text  # noqa: PLC0415

    limit = most_decoded(answer.body, max_bytes)
    decoded = decode_proto(answer.body, max_bytes=limit, max_items=MAX_ITEMS)
    limit = min(max_bytes, _MOST_GROWTH_AS_TEXT * limit)
    profile = to_profile(decoded, request.name, max_frames=limit // _LEAST_FRAME)
    return render_text(profile, max_bytes=limit)
