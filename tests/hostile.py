"""What targets do to who polls them, each with what the poll's entry then says of it: for servers of ``badserver``."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, NamedTuple

from badserver import GOROUTINE, after, answer, bomb, chunk, drip, endless, head, never, raw
from pprofwatch.profiles.profile_pb2 import Profile as ProtoProfile

if TYPE_CHECKING:
    from badserver import Behaviour

#: A function's name that would drive a terminal, turn a line around, end a text, and fill a screen.
EVIL_NAME = "main.\x1b[2J\x1b]0;owned\x07\u202eevil\u2066\u200f\u2028\x85\x9b31m\x00" + "x" * 1_000_000
EVIL = f"goroutine profile: total 7\n7 @ 0x1\n#\t0x1\t{EVIL_NAME}+0x1\t/src/\u202e\x1b[1m.go:1\n\n".encode()
_DELTA = "threadcreate:seconds=1:every=4s"
_MEGABYTE = bytes(1 << 20)


class Fault(NamedTuple):
    """A target's behaviour; what its poll's entry says, a regular expression; and what is polled."""

    behaviour: Behaviour
    error: str
    profile: str = "goroutine"


def zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, compressed by gzip to a thousandth, without ever being in memory as a whole."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(_MEGABYTE) for _ in range(megabytes)]) + packer.flush()


def threads(more: bytes = b"", *, location: int = 1, name: int = 3) -> bytes:
    """A delta of threadcreate, compressed; its sample is at this location, which has the function of this name."""
    proto = ProtoProfile(string_table=[b"", b"threadcreate", b"count", b"main.f"])
    proto.sample_type.add(type=1, unit=2)
    proto.sample.add(value=[1], location_id=[location])
    proto.function.add(id=1, name=name)
    proto.location.add(id=1).line.add(function_id=1)
    return gzip.compress(proto.SerializeToString() + more)


def amplified(samples: int, lines: int) -> bytes:
    """A delta whose every sample is at one place, into which so many functions were inlined."""
    proto = ProtoProfile.FromString(gzip.decompress(threads()))
    for _ in range(lines):
        proto.location[0].line.add(function_id=1)
    for _ in range(samples):
        proto.sample.add(value=[1], location_id=[1])
    return gzip.compress(proto.SerializeToString())


def _delta(body: bytes) -> Behaviour:
    """What comes too early is no delta, and is not even looked at."""
    return after(0.95, answer(body))


def _text(body: bytes, status: str = "200 OK", **headers: object) -> Behaviour:
    return raw(head(status, content_length=len(body), **headers) + body)


def small_records(count: int) -> bytes:
    """A profile whose every record is another stack, without a name."""
    records = b"".join([b"1 @ 0x%x\n\n" % number for number in range(count)])
    return b"goroutine profile: total %d\n%b" % (count, records)


#: Of a body without end; on a busy machine, there is no time for more.
_TOO_MUCH = "max_body allows|only [0-9]+ bytes of the answer within "
_CHUNKED = head(transfer_encoding="chunked")
_HEAD = head(content_length=len(GOROUTINE))

#: By the name of the target.
FAULTS: dict[str, Fault] = {
    "byte-by-byte": Fault(drip(_HEAD + GOROUTINE, 1.0), "no answer within "),
    "body-byte-by-byte": Fault(drip(GOROUTINE, 0.3, _HEAD), "only [0-9]+ bytes of the answer within "),
    "silent": Fault(never(), "no answer within "),
    "endless-text": Fault(endless(_CHUNKED + chunk(GOROUTINE[:28]), chunk(b"1 @ 0x1\n\n" * 5000)), _TOO_MUCH),
    "endless-line": Fault(endless(head() + GOROUTINE[:28] + b"1 @ 0x1\n#", b"x" * 60_000), _TOO_MUCH),
    "endless-junk": Fault(endless(head(), b"x" * 60_000), "not a goroutine profile: xxx"),
    "announced": Fault(raw(head(content_length=1 << 50) + GOROUTINE), "max_body allows"),
    "content-encoding": Fault(bomb(1 << 24), "with Content-Encoding gzip, though identity was asked for"),
    "bomb": Fault(_delta(zeros(1024)), "longer than [0-9]+ bytes when unpacked", _DELTA),
    "small-bomb": Fault(_delta(zeros(120)), "longer than [0-9]+ bytes when unpacked", _DELTA),
    "million-samples": Fault(_delta(threads(b"\x12\x00" * 1_000_000)), "more than|longer than", _DELTA),
    "million-stored": Fault(
        _delta(gzip.compress(gzip.decompress(threads(b"\x12\x00" * 1_000_000)), 0)), "more than [0-9]+ samples", _DELTA
    ),
    "amplified": Fault(_delta(amplified(20_000, 90)), "more frames than [0-9]+ in all|bytes as text", _DELTA),
    "dangling-location": Fault(_delta(threads(location=7)), "refers to location 7, which it doesn't have", _DELTA),
    "dangling-string": Fault(_delta(threads(name=999)), "refers to string 999 of 4", _DELTA),
    "negative-string": Fault(_delta(threads(name=-1)), "refers to string -1 of 4", _DELTA),
    "same-ids": Fault(_delta(threads(gzip.decompress(threads()))), "expected 2 values in a sample, not 1", _DELTA),
    "cut-gzip": Fault(_delta(threads()[:-9]), "stops in the middle|is damaged", _DELTA),
    "short-length": Fault(raw(head(content_length=500) + GOROUTINE), "closed the connection early, after 182 of 500"),
    "cut-chunks": Fault(raw(_CHUNKED + chunk(GOROUTINE)), "closed the connection early, after 182 bytes"),
    "provisional": Fault(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50), "one provisional status"),
    "long-head": Fault(raw(head(x="a" * 300_000) + GOROUTINE), "more than 64 KiB of headers"),
    "redirect": Fault(
        _text(b"", "302 Found", location="http://127.0.0.1:1/\x1b[2J"), "redirects to http://127.0.0.1:1/"
    ),
    "unauthorized": Fault(_text(b"who are you?", "401 Unauthorized"), "answered 401 Unauthorized: who are you"),
    "not-found": Fault(_text(b"404 page not found\n", "404 Not Found"), "answered 404 Not Found"),
    "failing": Fault(_text(b"oh \x1b[2Jno", "500 Internal Server Error"), "answered 500 Internal Server Error: oh "),
    "html": Fault(_text(b"<html>", content_type="text/html"), "answered HTML, not a profile"),
    "not-http": Fault(raw(b"SSH-2.0-OpenSSH\r\n"), "answered something that is not HTTP"),
    "million-newlines": Fault(answer(GOROUTINE[:27] + b"\n" * 2_000_000), "does not begin with a count|damaged|sum up"),
    "million-records": Fault(answer(small_records(200_000)), "has more than 100000 records"),
}
