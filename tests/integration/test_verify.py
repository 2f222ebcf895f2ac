"""``pprofwatch verify``: damage of every kind is named with its place, and what is undamaged is still read."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
import sys
import threading
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import damaging
from damaging import compressed, damage, outcome, plain, real_entries, sealed
from logmaker import START, body, entry, log_of, read_all, shell_log
from pprofwatch.alerts.delivered import DELIVERED, Delivered
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.cli import main
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.evidence_folder import EvidenceFolder
from pprofwatch.logs.problem import Problem
from pprofwatch.logs.seal import LENGTH, Seal, parse_seal
from pprofwatch.logs.target_folder import TargetFolder
from pprofwatch.logs.verify import Finding, Verifier
from pprofwatch.model import Entry, Frame, Stack

if TYPE_CHECKING:
    from collections.abc import Callable

BINARY = Path(sys.executable).with_name("pprofwatch")
CLOSED = "goroutine-20261122T134953Z.log"
ENTRIES = [entry(number) for number in range(60)]
LOG = log_of(ENTRIES)
#: Where each entry begins, and the last one ends.
STARTS = [len(log_of(ENTRIES[:number])) for number in range(61)]
INCIDENT = "20261122T142233Z-3fa9c1d2"
KEPT = f"incidents/{INCIDENT}/goroutine-20261122T134953Z"
LEAK = Leak(
    stack=Stack((Frame("main.work", "/src/app/main.go", 41),)),
    severity=Severity.LEAK,
    detected_at=START,
    since=START - 1800,
    time=START,
    count_from=3,
    count_to=120,
    total_from=70,
    total_to=190,
)


def run(*args: str | Path, stdin: bytes = b"") -> tuple[int, list[str], str]:
    """The exit status, the lines on stdout, and stderr."""
    result = subprocess.run([BINARY, "verify", *args], input=stdin, capture_output=True, check=False, timeout=60)
    assert b"Traceback" not in result.stderr
    return result.returncode, result.stdout.decode().splitlines(), result.stderr.decode()


def findings(path: Path) -> list[Finding]:
    found: list[Finding] = []
    Verifier(found.append, lambda _: None).check(str(path))
    return found


def kinds(path: Path) -> list[str]:
    return [finding.kind for finding in findings(path)]


def flip(data: bytes, at: int, bit: int = 4) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log folder with all that the daemon keeps."""
    target = tmp_path / "logs" / "localhost_6060"
    target.mkdir(parents=True)
    (target / CLOSED).write_bytes(LOG)
    compress_segment(target / CLOSED)
    (target / "goroutine-20261122T135953Z.log").write_bytes(log_of(map(entry, range(60, 70))))
    (target / "goroutine.log").write_bytes(log_of(map(entry, range(70, 80))))
    (target / "heap.log").write_bytes(log_of(entry(number, profile="heap") for number in range(5)))
    TargetFolder(target).store_binary("profile", START, gzip.compress(b"\x0a\x04\x08\x01\x10\x02" * 200))
    TargetFolder(target).store_binary("trace", START, b"go 1.27 trace\x00\x00\x00" + bytes(100))
    evidence = EvidenceFolder(target)
    evidence.store("goroutine.pb.gz", START, gzip.compress(b"\x0a\x04\x08\x01\x10\x02" * 200))
    evidence.store("goroutine.txt", START, b"goroutine 1 [running]:\nmain.main()\n\t/src/app/main.go:7 +0x1\n")
    evidence.adopt(INCIDENT)
    journal = Journal(target)
    for number in (1, 2):
        journal.append(Event(Action.OPENED, START, INCIDENT, "localhost:6060", "goroutine", LEAK, number))
    Delivered(target).begin(["stderr"], 2)
    return tmp_path / "logs"


def test_what_is_whole_is_said_in_one_line(folder: Path) -> None:
    line = "10 files, 85 whole entries: no damage (2 files without checksums)"
    assert run(folder) == (0, [line], "")
    assert run(folder / "localhost_6060") == (0, [line], "")


DAMAGES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    (CLOSED + ".zst", lambda data: flip(data, 100), "compressed data is damaged"),
    (CLOSED + ".zst", lambda data: data[:-1], "compressed data ends too early"),
    (CLOSED + ".zst", lambda data: data[:LENGTH], "other bytes than the"),
    (CLOSED + ".zst", lambda _: b"", "empty"),
    ("goroutine-20261122T135953Z.log", lambda data: data[:-1], "torn entry"),
    ("goroutine-20261122T135953Z.log", lambda _: b"", "empty"),
    ("goroutine.log", lambda data: flip(data, 200), "damaged entry"),
    ("goroutine.log", lambda data: data[:200] + bytes(100) + data[300:], "damaged entry"),
    ("heap.log", lambda data: b"x" + data, "no header line: 1 byte at byte 0"),
    ("profile/20261122T134953Z.pb.gz", lambda data: flip(data, 20), "compressed data is damaged"),
    ("profile/20261122T134953Z.pb.gz", lambda data: data[:-3], "compressed data ends too early"),
    ("profile/20261122T134953Z.pb.gz", lambda data: bytes(len(data)), "expected compressed data"),
    ("trace/20261122T134953Z.trace", lambda data: bytes(len(data)), "expected a trace"),
    ("trace/20261122T134953Z.trace", lambda _: b"", "empty"),
    (
        f"incidents/{INCIDENT}/goroutine-20261122T134953Z.pb.gz",
        lambda data: data[:-9],
        "compressed data ends too early",
    ),
    (f"incidents/{INCIDENT}/goroutine-20261122T134953Z.txt", lambda data: bytes(9) + data, "zeros in text"),
    (JOURNAL, lambda data: flip(data, 40), "damaged line"),
    (DELIVERED, lambda data: data[:-3], "expected an object of numbers"),
]


@pytest.mark.parametrize(("name", "change", "reason"), DAMAGES, ids=range(len(DAMAGES)))
def test_damage_is_named_with_its_file_and_place(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, change: Callable[[bytes], bytes], reason: str
) -> None:
    path = folder / "localhost_6060" / name
    path.write_bytes(change(path.read_bytes()))
    assert main(["verify", str(folder)]) == 1
    out, complaint = capsys.readouterr()
    lines = out.splitlines()
    assert complaint == ""
    damages = [line for line in lines[:-1] if not line.startswith("note: ")]
    assert damages
    assert all(line.startswith(f"{path}: ") for line in damages)
    assert any(reason in line for line in damages)
    assert " damage" in lines[-1]
    assert "no damage" not in lines[-1]


def test_the_place_of_a_damaged_entry_is_its_own_and_all_others_are_whole(tmp_path: Path) -> None:
    path = tmp_path / CLOSED
    for number in range(60):
        path.write_bytes(flip(LOG, STARTS[number] + 150))
        length = STARTS[number + 1] - STARTS[number]
        assert findings(path) == [Finding("damage", Problem(str(path), STARTS[number], length, "damaged entry"))]
    status, lines, _ = run(path)
    assert status == 1
    assert lines == [
        f"{path}: damaged entry: {length} bytes at byte {STARTS[59]}",
        f"1 file, 59 whole entries: 1 damage, {length} bytes",
    ]


def test_json_has_each_finding_and_the_sums(folder: Path) -> None:
    path = folder / "localhost_6060" / "goroutine.log"
    path.write_bytes(flip(path.read_bytes(), 200))
    status, lines, _ = run("--json", folder, folder / "nothing")
    answer: dict[str, Any] = json.loads("\n".join(lines))
    assert status == 1
    found, missing = answer.pop("findings")
    assert (found["kind"], found["path"], found["reason"]) == ("damage", str(path), "damaged entry")
    assert found["offset"] <= 200 < found["offset"] + found["length"]
    assert missing == {
        "kind": "unreadable",
        "path": str(folder / "nothing"),
        "offset": 0,
        "length": 0,
        "reason": "cannot read: No such file or directory",
    }
    assert answer == {
        "files": 10,
        "entries": 84,
        "unchecked_entries": 0,
        "unchecked_files": 2,
        "damages": 1,
        "damaged_bytes": found["length"],
    }
    assert json.loads("\n".join(run("--json", folder / "localhost_6060" / "heap.log")[1]))["findings"] == []


def test_what_cannot_be_read_ends_with_3_and_no_verdict(tmp_path: Path) -> None:
    assert run(tmp_path / "nothing") == (
        3,
        [],
        f"pprofwatch: {tmp_path}/nothing: cannot read: No such file or directory\n",
    )
    (tmp_path / "notes.txt").write_bytes(b"not ours")
    assert run(tmp_path) == (3, [], f"pprofwatch: {tmp_path}: nothing in this folder is ours\n")
    assert run()[0] == 2


def test_standard_input_is_checked() -> None:
    assert run("-", stdin=LOG) == (0, ["1 file, 60 whole entries: no damage"], "")
    status, lines, _ = run("-", stdin=flip(LOG, STARTS[7] + 150))
    assert (status, lines[0].partition(":")[0]) == (1, "standard input")


def test_a_shell_loops_log_has_no_checksums(tmp_path: Path) -> None:
    path = tmp_path / "loop.log"
    path.write_bytes(shell_log(range(5)))
    assert run(path) == (0, ["1 file, 5 whole entries: no damage (5 entries without checksums)"], "")


# The live segment.


def test_a_torn_entry_at_the_end_of_the_live_segment_is_a_note(tmp_path: Path) -> None:
    for cut in range(STARTS[59] + 1, STARTS[60]):
        (tmp_path / "goroutine.log").write_bytes(LOG[:cut])
        assert [(kind, problem.offset) for kind, problem in findings(tmp_path / "goroutine.log")] == [
            ("note", STARTS[59])
        ]
    status, lines, _ = run(tmp_path)
    assert status == 0
    assert lines[0].startswith(
        f"note: {tmp_path}/goroutine.log: torn entry at the end, left by a kill or being written: "
    )
    assert lines[1] == "1 file, 59 whole entries: no damage"
    (tmp_path / "goroutine.log").write_bytes(LOG + bytes(4096))  # what a loss of power can leave
    assert kinds(tmp_path / "goroutine.log") == ["note"]


def test_a_torn_entry_elsewhere_is_damage(tmp_path: Path) -> None:
    (tmp_path / "goroutine.log").write_bytes(LOG[:-100] + LOG)
    assert "damage" in kinds(tmp_path / "goroutine.log")
    (tmp_path / CLOSED).write_bytes(LOG[:-100])
    assert kinds(tmp_path / CLOSED) == ["damage"]


def test_the_last_newline_of_a_body_that_had_none_is_missed(tmp_path: Path) -> None:
    entries = [found._replace(body=found.body.rstrip(b"\n")) for found in ENTRIES[:3]]
    first, *_, last = map(encode_entry, entries)
    (tmp_path / CLOSED).write_bytes(log_of(entries))
    assert kinds(tmp_path / CLOSED) == []
    for damaged in (log_of(entries)[:-1], first[:-1] + last):
        (tmp_path / CLOSED).write_bytes(damaged)
        assert kinds(tmp_path / CLOSED) == ["damage"]


def test_a_log_that_is_written_to_meanwhile_is_never_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    path.write_bytes(LOG)
    checked = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for number in range(60, 90):
                data = encode_entry(Entry(START + 10 * number, "t", "goroutine", body(number, records=300)))
                # In pieces, as a reader may see what is written at once.
                for at in range(0, len(data), 2000):
                    file.write(data[at : at + 2000])
                    checked.wait(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    found: Counter[str] = Counter()
    while writer.is_alive():
        found.update(kinds(path))
    writer.join()
    assert found["damage"] == 0
    assert findings(path) == []


# Headers.


def test_a_header_that_lost_its_checksum_is_not_believed(tmp_path: Path) -> None:
    line, _, rest = encode_entry(ENTRIES[1]).partition(b"\n")
    bare = line.partition(b" head=")[0] + b"\n" + rest
    path = tmp_path / CLOSED
    path.write_bytes(encode_entry(ENTRIES[0]) + bare + encode_entry(ENTRIES[2]))
    assert kinds(path) == ["damage"]
    for first_lines in (False, True):
        assert [found.time for found in read_all(path, first_lines=first_lines)[0]] == [
            ENTRIES[0].time,
            ENTRIES[2].time,
        ]
    path.write_bytes(bare + bare)
    assert run(path)[1] == ["1 file, 2 whole entries: no damage (2 entries without checksums)"]


def test_entries_that_changed_places_are_noted(tmp_path: Path) -> None:
    path = tmp_path / CLOSED
    path.write_bytes(log_of([*ENTRIES[:5], *ENTRIES[10:15], *ENTRIES[5:10], *ENTRIES[15:]]))
    status, lines, _ = run(path)
    place = f"{STARTS[6] - STARTS[5]} bytes at byte {STARTS[5] + STARTS[15] - STARTS[10]}"
    reason = "the time goes back by 1m30s: the clock was set, or entries have changed places"
    assert (status, lines[0]) == (0, f"note: {path}: {reason}: {place}")


# Compressed segments.


@pytest.fixture
def frames(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """A closed segment of ten frames, of six entries each, and the frames."""
    path = tmp_path / f"{CLOSED}.zst"
    parts = [damaging.frames(log_of(ENTRIES[at : at + 6]), 1 << 20) for at in range(0, 60, 6)]
    data = b"".join(parts)
    path.write_bytes(Seal(len(data), zlib.crc32(data)).encode() + data)
    assert findings(path) == []
    return path, parts


def test_a_compressed_segment_has_a_seal_that_zstd_skips(tmp_path: Path) -> None:
    (tmp_path / CLOSED).write_bytes(LOG)
    packed = compress_segment(tmp_path / CLOSED)
    data = packed.read_bytes()
    assert parse_seal(data[:LENGTH]) == (len(data) - LENGTH, zlib.crc32(data[LENGTH:]))
    assert read_all(packed) == (ENTRIES, [])
    if zstd := shutil.which("zstd"):
        assert subprocess.run([zstd, "-dc", packed], capture_output=True, check=True).stdout == LOG


@pytest.mark.parametrize("order", [range(9), [*range(10), 9], [1, 0, *range(2, 10)], range(1, 10), []])
def test_frames_that_are_missing_or_doubled_or_changed_places_are_missed(
    frames: tuple[Path, list[bytes]], order: list[int]
) -> None:
    path, parts = frames
    path.write_bytes(path.read_bytes()[:LENGTH] + b"".join(parts[number] for number in order))
    assert "damage" in kinds(path)
    assert len(read_all(path)[0]) == 6 * len(order)


def test_a_bit_that_a_decoder_ignores_is_noticed(frames: tuple[Path, list[bytes]]) -> None:
    path, parts = frames
    at = LENGTH + len(parts[0]) + 4  # the second frame's header, of whose bits one is unused
    path.write_bytes(flip(path.read_bytes(), at, 4))
    assert kinds(path) == ["damage"]
    assert read_all(path) == (ENTRIES, [])


def test_a_damaged_seal_is_noticed_and_costs_nothing(frames: tuple[Path, list[bytes]]) -> None:
    path, _ = frames
    data = path.read_bytes()
    for at in range(LENGTH):
        for bit in range(8) if at < 10 else (at % 8,):
            path.write_bytes(flip(data, at, bit))
            assert "damage" in kinds(path)
            assert read_all(path)[0] == ENTRIES


def test_a_segment_whose_first_block_is_zeroed_costs_the_frames_in_it(frames: tuple[Path, list[bytes]]) -> None:
    path, parts = frames
    end = LENGTH + len(parts[0]) + 20
    path.write_bytes(bytes(end) + path.read_bytes()[end:])
    assert "damage" in kinds(path)
    assert read_all(path)[0] == ENTRIES[12:]


def test_a_segment_without_a_seal_is_noted(frames: tuple[Path, list[bytes]]) -> None:
    path, parts = frames
    path.write_bytes(b"".join(parts))
    assert kinds(path) == ["note"]
    other = path.rename(path.with_name("my-own.log.zst"))
    assert kinds(other) == []


# All of it.


@pytest.mark.parametrize("name", ["goroutine.log", CLOSED, f"{CLOSED}.zst"])
def test_no_random_damage_goes_unnoticed_or_costs_an_undamaged_entry(tmp_path: Path, name: str) -> None:
    entries = real_entries(["conns"], 40)
    original = compressed(entries, sealed(entries, frame=80_000)) if name.endswith(".zst") else plain(entries)
    rng = random.Random(5)
    for _ in range(150):
        damaged = damage(rng, original)
        found = outcome(original, damaged, tmp_path / name)
        assert found.noticed in ("damage", "torn") or found.seamless, damaged.kind
        assert (found.lost, found.invented) == (0, 0), damaged.kind


def test_memory_is_that_of_the_longest_entry(tmp_path: Path) -> None:
    path = tmp_path / CLOSED
    one = encode_entry(Entry(START, "t", "goroutine", body(9, records=10_000)))
    path.write_bytes(one * 40)
    packed = compress_segment(path)
    path.write_bytes(one[:-5] * 40)
    tracemalloc.start()
    try:
        assert kinds(packed) == []
        assert kinds(path) == ["damage"] * 40
        assert tracemalloc.get_traced_memory()[1] < 12 * len(one)
    finally:
        tracemalloc.stop()


def test_a_journals_last_line_that_is_torn_is_a_note(folder: Path) -> None:
    path = folder / "localhost_6060" / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    status, lines, _ = run(folder)
    assert status == 0
    offset = whole.index(b"\n") + 1
    assert lines[0] == f"note: {path}: torn line: {len(whole) - offset - 20} bytes at byte {offset}"


def test_names_from_outside_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2J\u202e.log"
    path.write_bytes(flip(LOG, 400))
    _, lines, _ = run(path)
    assert "\x1b" not in "".join(lines)
    assert "\\x1b[2J\\u202e" in lines[0]
