from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logmaker import START, entry
from pprofwatch.errors import LogError
from pprofwatch.logs.entry import MAX_BODY, MAX_HEADER, MAX_TEXT, ScannedEntry, encode_entry, parse_header
from pprofwatch.model import Entry
from pprofwatch.times import format_time

TEXT = st.text(max_size=MAX_TEXT)
ENTRIES = st.builds(
    Entry,
    time=st.integers(0, 253_402_000_000_000).map(lambda milliseconds: milliseconds / 1000),
    target=TEXT,
    profile=st.sampled_from(["goroutine", "heap", "profile"]),
    body=st.binary(max_size=200),
    seconds=st.integers(0, 3600),
    took=st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000),
    error=TEXT,
    gap=st.integers(0, 10**6),
    file=st.sampled_from(["", "profile/20261122T134953Z.pb.gz", "trace/20261122T134953Z-2.trace"]),
)


def split(data: bytes) -> tuple[bytes, bytes]:
    line, _, rest = data.partition(b"\n")
    return line, rest


@given(ENTRIES)
def test_an_entry_survives_its_text(entry: Entry) -> None:
    line, rest = split(encode_entry(entry))
    header = parse_header(line)
    assert header is not None
    assert header.length == len(entry.body)
    assert ScannedEntry(0, len(line) + 1 + len(rest), header, rest[: header.length]).entry == entry
    assert header.time_text == format_time(entry.time)
    assert rest[header.length :] == (b"" if not entry.body or entry.body.endswith(b"\n") else b"\n")


@given(ENTRIES)
def test_a_header_is_one_short_line_of_printable_ascii(entry: Entry) -> None:
    line, _ = split(encode_entry(entry))
    assert re.fullmatch(rb"[ -~]+", line)
    assert len(line) < MAX_HEADER


def test_the_header_stands_before_the_total_as_in_a_shell_loops_log() -> None:
    data = encode_entry(entry(0))
    assert data.startswith(b"2026-11-22T13:49:53.000Z localhost:6060 goroutine bytes=")
    assert f" crc32={zlib.crc32(entry(0).body):08x} took=4ms ".encode() in data
    assert split(data)[1].startswith(b"goroutine profile: total 3\n")


def test_a_failed_poll_has_its_reason_and_no_body() -> None:
    line, rest = split(encode_entry(Entry(START, "shop", "heap", error='no answer within 5s: "down"\x1b[31m')))
    assert line.startswith(
        b'2026-11-22T13:49:53.000Z shop heap bytes=0 error="no answer within 5s: \\"down\\"\\u001b[31m"'
    )
    assert rest == b""


def test_a_target_that_is_more_than_a_word_is_quoted() -> None:
    line, _ = split(encode_entry(Entry(START, "web shop", "goroutine", b"x\n")))
    assert line.startswith(b'2026-11-22T13:49:53.000Z "web shop" goroutine bytes=2 ')


def test_long_errors_and_targets_are_cut() -> None:
    line, _ = split(encode_entry(Entry(START, "t" * 9999, "heap", error="\U0001f600" * 9999)))
    header = parse_header(line)
    assert header is not None
    assert len(header.error) == MAX_TEXT
    assert header.error.endswith("…")
    assert len(header.target) == MAX_TEXT


def test_a_body_that_no_reader_would_take_is_refused() -> None:
    with pytest.raises(LogError, match="localhost:6060 goroutine"):
        encode_entry(Entry(START, "localhost:6060", "goroutine", bytes(MAX_BODY + 1)))


def test_a_header_without_its_own_checksum_and_with_unknown_fields_is_taken() -> None:
    header = parse_header(
        b"2026-11-22T13:49:53.102Z localhost:6060 goroutine bytes=67 crc32=5e8f1a2b took=4ms colour=red"
    )
    assert header is not None
    assert (header.length, header.crc32, header.took, header.seconds) == (67, 0x5E8F1A2B, 0.004, 0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"2026-11-22T13:49:53.102Z",
        b"2026-11-22T13:49:53.102Z t goroutine",
        b"2026-11-22T13:49:53.102Z t goroutine crc32=5e8f1a2b",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=-1 crc32=5e8f1a2b",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=999999999999 crc32=5e8f1a2b",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=9999999999999999999 crc32=5e8f1a2b",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5E8F1A2B",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5e8f1a2b took=4",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5e8f1a2b crc32=5e8f1a2b",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5e8f1a2b gap=1 gap=1",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5e8f1a2b seconds=x",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5e8f1a2b head=00000000",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=1 crc32=5e8f1a2b head=xyz",
        b"2026-13-22T13:49:53.102Z t goroutine bytes=0",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=0\n",
        b"2026-11-22T13:49:53.102Z t goroutine bytes=0 ",
        b" 2026-11-22T13:49:53.102Z t goroutine bytes=0",
        b'2026-11-22T13:49:53.102Z t goroutine bytes=0 error="',
        b'2026-11-22T13:49:53.102Z t goroutine bytes=0 error="\\q"',
        b'2026-11-22T13:49:53.102Z t goroutine bytes=0 error="\xff"',
        b"2026-11-22T13:49:53.102Z t goroutine bytes=0 error=\x1b[31m",
        b"2026-11-22T13:49:53.102Z t profile bytes=0 file=../../etc/passwd",
        b"2026-11-22T13:49:53.102Z t profile bytes=0 file=/etc/passwd",
        b"2026-11-22T13:49:53.102Z t profile bytes=0 file=profile/.hidden",
    ],
)
def test_what_is_no_header_is_refused(line: bytes) -> None:
    assert parse_header(line) is None


@given(ENTRIES, st.data())
def test_a_header_with_a_flipped_bit_is_no_header(entry: Entry, data: st.DataObject) -> None:
    line, _ = split(encode_entry(entry))
    at = data.draw(st.integers(0, len(line) - 1))
    damaged = line[:at] + bytes([line[at] ^ (1 << data.draw(st.integers(0, 7)))]) + line[at + 1 :]
    assert parse_header(damaged) is None


def test_a_checksum_whose_name_is_damaged_is_not_taken_for_a_field_that_nobody_knows() -> None:
    line, _ = split(encode_entry(entry(0)))
    for at in range(len(line) - 14, len(line) - 8):
        for bit in range(8):
            assert parse_header(line[:at] + bytes([line[at] ^ (1 << bit)]) + line[at + 1 :]) is None


@given(st.binary(max_size=300))
def test_any_line_is_a_header_or_is_not(line: bytes) -> None:
    parse_header(line)
    parse_header(b"2026-11-22T13:49:53.102Z t goroutine bytes=0 " + line)


def test_a_lone_surrogate_in_a_log_does_no_harm_when_it_is_printed() -> None:
    header = parse_header(b'2026-11-22T13:49:53.102Z t goroutine bytes=0 error="\\ud800"')
    assert header is not None
    assert header.error.encode()
