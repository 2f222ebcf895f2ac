"""The index of a compressed segment: what ``totals`` reads of it is what it would read of the text."""

from __future__ import annotations

import gzip
import os
import random
import threading
import zlib
from typing import TYPE_CHECKING

import pytest

from damaging import frames, index_of, sealed
from logmaker import START, entry, log_of, read_all, shell_log
from pprofwatch.logs import names
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.entry import MAX_HEADER
from pprofwatch.logs.seal import LENGTH, Seal
from pprofwatch.logs.verify import Finding, Verifier
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What polls may bring.
ENTRIES = [
    *map(entry, range(40)),
    Entry(START + 401.234, "web shop", "heap", b"heap profile: 12: 3456 [99: 9999] @ heap/1048576\n\n", 60, 1.5),
    Entry(START + 402, "localhost:6060", "goroutine", b"", took=0.3, error='no answer within 5s: "down"\t\x1b é'),
    Entry(START + 403, "localhost:6060", "goroutine", b"", error="the daemon was stopped head=12345678 tail", gap=3),
    Entry(START + 404, "localhost:6060", "profile", b"", 5, file="profile/20261122T134953Z.pb.gz"),
    Entry(START + 405, "localhost:6060", "goroutine", b"no newline\tbut a tab"),
    Entry(START + 406, "localhost:6060", "goroutine", b"\n\nempty first line"),
    Entry(START + 407, "localhost:6060", "goroutine", b"x" * 5000 + b"\n1 @ 0x1\n"),
]
TEXT = log_of(ENTRIES)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A closed segment that is not yet compressed."""
    path = tmp_path / names.closed_name("goroutine", START)
    path.write_bytes(TEXT)
    return path


def resealed(data: bytes) -> bytes:
    """What stands behind a seal, with a seal that is right."""
    return Seal(len(data), zlib.crc32(data)).encode() + data


def frame(packed: bytes) -> bytes:
    """What an index looks like whose content this is."""
    size = (len(packed) + 30).to_bytes(4, "little")
    return b"\x51\x2a\x4d\x18" + size + packed + b"pprofwatch index=%012d\n" % (8 + len(packed) + 30)


def findings(path: Path) -> list[Finding]:
    """What ``verify`` says."""
    found: list[Finding] = []
    Verifier(found.append, lambda _: None).check(str(path))
    return found


@pytest.mark.parametrize(
    "options", [{}, {"profile": "goroutine"}, {"since": START + 95.0}, {"until": START + 402.0, "profile": "heap"}]
)
def test_first_lines_are_those_of_the_text(plain: Path, options: dict[str, object]) -> None:
    expected = read_all(plain, first_lines=True, **options)
    assert expected[0]
    assert read_all(compress_segment(plain), first_lines=True, **options) == expected


def test_the_index_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "other.log.zst"
    path.write_bytes(resealed(frames(TEXT, 1 << 20) + index_of(log_of(ENTRIES[:7]))))
    assert len(read_all(path, first_lines=True)[0]) == 7
    assert read_all(path) == (ENTRIES, [])


def test_the_text_is_what_is_read_of_a_file_that_is_not_as_it_was_sealed(plain: Path) -> None:
    expected = read_all(plain, first_lines=True)
    packed = compress_segment(plain)
    data = packed.read_bytes()
    index = len(data) - len(index_of(TEXT))
    for at in range(index, len(data)):  # any bit of the index
        packed.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        assert read_all(packed, first_lines=True)[0] == expected[0]
    for end in (index, index + 1, len(data) - 1):
        packed.write_bytes(data[:end])
        assert read_all(packed, first_lines=True)[0] == expected[0]
    packed.write_bytes(data[: index - 20] + data[index:])  # the text is damaged, and that is said
    assert read_all(packed, first_lines=True)[1]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT + shell_log(range(500, 510)), id="a shell loop's entries"),
        pytest.param(log_of(ENTRIES[:5]) + b"torn off\n" + log_of(ENTRIES[5:]), id="damage"),
    ],
)
def test_a_segment_with_anything_but_entries_of_ours_has_none(plain: Path, text: bytes) -> None:
    plain.write_bytes(text)
    assert index_of(text) == b""
    entries, problems = read_all(plain, first_lines=True)
    found = read_all(compress_segment(plain), first_lines=True)
    assert found[0] == entries
    assert [problem.reason for problem in found[1]] == [problem.reason for problem in problems]


def test_a_segment_of_an_older_daemon_has_none(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "old.log.zst"
    path.write_bytes(resealed(frames(TEXT, 1 << 20)))
    assert read_all(path, first_lines=True) == read_all(plain, first_lines=True)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda packed: packed[:-9], id="cut"),
        pytest.param(lambda packed: b"x" + packed, id="not gzip"),
        pytest.param(lambda packed: packed[:20] + b"\xff" * 9 + packed[29:], id="damaged gzip"),
        pytest.param(lambda _: gzip.compress(b"2026-11-22T13:49:53.000Z what\tgoroutine"), id="no line"),
        pytest.param(lambda _: gzip.compress(b"2026-11-22T13:49:53.000Z what\tgoroutine\n"), id="no header"),
        pytest.param(lambda _: gzip.compress(b"2026-11-22T13:49:5x.000Z a b bytes=0\tgoroutine\n"), id="no time"),
        pytest.param(lambda _: gzip.compress(b"\xff" * 24 + b" a b bytes=0\tgoroutine\n"), id="no text"),
        pytest.param(lambda packed: packed + gzip.compress(bytes(1 << 27)), id="bomb"),
    ],
)
def test_where_a_sealed_index_is_none_the_text_is_read(
    plain: Path, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "forged.log.zst"
    path.write_bytes(resealed(frames(TEXT, 1 << 20) + frame(spoil(index_of(TEXT)[8:-30]))))
    entries, problems = read_all(path, first_lines=True)
    assert entries == read_all(plain, first_lines=True)[0]
    assert [problem.reason.partition(" (")[0] for problem in problems] == ["the index can't be read"]
    assert [finding.problem.reason.partition(" (")[0] for finding in findings(path)] == ["the index can't be read"]
    assert read_all(path, first_lines=True, since=ENTRIES[3].time)[0] == entries[3:]


@pytest.mark.parametrize("count", [0, 7, 46, 48])
def test_an_index_of_another_text_is_noticed(tmp_path: Path, count: int) -> None:
    path = tmp_path / "other.log.zst"
    path.write_bytes(resealed(frames(TEXT, 1 << 20) + index_of(log_of([*ENTRIES, entry(50)][:count]))))
    assert [finding.problem.reason for finding in findings(path)] == ["the index says something else than the text"]
    path.write_bytes(resealed(frames(TEXT, 1 << 20) + index_of(TEXT)))
    assert findings(path) == []


@pytest.mark.parametrize("length", [0, 29, 37, 39, 10**9, 10**12 - 1])
def test_an_index_of_another_length_than_it_says_is_none(tmp_path: Path, length: int) -> None:
    path = tmp_path / "forged.log.zst"
    path.write_bytes(resealed(frames(TEXT, 1 << 20) + index_of(TEXT)[:-13] + b"%012d\n" % length))
    assert len(read_all(path, first_lines=True)[0]) == len(ENTRIES)


def test_a_long_index_is_not_written_or_read(tmp_path: Path) -> None:
    rng = random.Random(3)
    entries = [entry(0)._replace(body=rng.randbytes(510).hex().encode()) for _ in range(9000)]
    assert index_of(log_of(entries)) == b""
    path = tmp_path / "forged.log.zst"
    lines = b"2026-11-22T13:49:53.000Z a b bytes=0\tgoroutine profile: total 7\n"
    path.write_bytes(
        resealed(frames(TEXT, 1 << 20) + frame(gzip.compress(lines) + gzip.compress(rng.randbytes(5 << 20))))
    )
    assert len(read_all(path, first_lines=True)[0]) == len(ENTRIES)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"localhost:6060 goroutine bytes=0 file=" + b"a" * 501, id="file"),
        pytest.param(b'localhost:6060 goroutine bytes=0 error="%s"' % (b"x" * 501), id="error"),
        pytest.param(b'"%s" "%s" bytes=0' % ("😀".encode() * 800, "😀".encode() * 800), id="names"),
    ],
)
def test_a_segment_with_longer_texts_than_are_written_has_none(plain: Path, fields: bytes) -> None:
    line = b"2026-11-22T13:49:53.000Z " + fields
    text = b"%s head=%08x\n" % (line, zlib.crc32(line)) + TEXT
    plain.write_bytes(text)
    expected = read_all(plain, first_lines=True)
    assert len(expected[0]) == len(ENTRIES) + 1
    assert index_of(text) == b""
    assert read_all(compress_segment(plain), first_lines=True) == expected


def test_progress_adds_up_to_the_files_size(plain: Path) -> None:
    packed = compress_segment(plain)
    told: list[int] = []
    read_all(packed, first_lines=True, on_progress=told.append)
    assert sum(told) == packed.stat().st_size


def test_in_a_pipe_the_text_is_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    feeder = threading.Thread(target=fifo.write_bytes, args=(sealed(ENTRIES, frame=3000),))
    feeder.start()
    assert len(read_all(fifo, first_lines=True)[0]) == len(ENTRIES)
    feeder.join()


def test_an_index_holds_the_longest_line(plain: Path) -> None:
    longest = Entry(START, "t" * 500, "goroutine", b"x" * 900 + b"\n", error="\x00" * 500, file="a" * 400)
    assert len(log_of([longest])) > MAX_HEADER // 8
    plain.write_bytes(log_of([longest] * 300))
    expected = read_all(plain, first_lines=True)
    assert len(expected[0]) == 300
    assert read_all(compress_segment(plain), first_lines=True) == expected


def test_what_stands_before_the_index_is_what_zstd_reads(plain: Path) -> None:
    data = compress_segment(plain).read_bytes()
    index = index_of(TEXT)
    assert data.endswith(index)
    assert resealed(data[LENGTH:]) == data
