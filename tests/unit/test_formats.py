"""Whatever the bytes: every parser gives a value or a declared error in one line, and what is written reads back.

Together with the properties beside the parsers' own tests these are more than 10,000 inputs; ``benchmarks/fuzz.py``
runs all of them on as many as are wanted.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import random
import re
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from garbling import damaged, damaged_text, declared, in_memory, inputs
from logmaker import START, log_of, read_all
from pprofwatch.alerts.delivered import DELIVERED, Delivered
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.journal import JOURNAL, Journal
from pprofwatch.cli.when import parse_when
from pprofwatch.config.addresses import parse_address
from pprofwatch.config.kinds import BODY_SIZE, COUNT, DURATION, DURATION_OR_OFF, FILE, HEADERS, LIMIT, PROFILES, SIZE
from pprofwatch.config.load import load
from pprofwatch.config.requests import format_spec, parse_spec
from pprofwatch.config.show import show_config
from pprofwatch.errors import ConfigError, LogError, ProfileError
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.logs import names
from pprofwatch.logs.compress import compress_segment
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.foreign import parse_date_line
from pprofwatch.logs.parts import PartReader, read_parts
from pprofwatch.logs.recovery import examine
from pprofwatch.logs.seal import LENGTH, Seal, is_broken_seal, parse_seal
from pprofwatch.logs.sources import open_raw
from pprofwatch.logs.verify import Finding, Verifier
from pprofwatch.logs.zstd import ZstdCompressor
from pprofwatch.model import Entry, Frame, Stack
from pprofwatch.profiles.dump import parse_dump
from pprofwatch.profiles.encode import encode_profile
from pprofwatch.profiles.proto import decode_proto, to_profile
from pprofwatch.profiles.text import CountsParser, parse_text, render_text
from pprofwatch.profiles.waits import wait_reasons
from pprofwatch.report.totals import total_of
from pprofwatch.times import format_stamp, format_time, parse_duration, parse_stamp, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


# Profiles.

GOROUTINE = b"""goroutine profile: total 9
6 @ 0x48c3ca 0x419d8e
# labels: {"k":"v w", "z":"\\u202e"}
#\t0x48c3ca\tmain.(*Server[...]).serve.func1+0x2f\t\t/src/app/main.go:12
#\t0x419d8e\tnet/http.(*conn).serve+0x6c\t/usr/lib/go/src/net/http/server.go:2102

2 @ 0x48c3cb
#\t0x48c3cb\tmain.worker+0x1\t/src/app/main.go:9

1 @ 0x493301

"""
HEAP = b"""heap profile: 2: 4096 [9: 9999] @ heap/1048576
1: 2048 [4: 8192] @ 0x48c3ca 0x419d8e
#\t0x48c3ca\tmain.cache+0x2f\t/src/app/main.go:12

1: 2048 [5: 1807] @ 0x48c3cb
#\t0x48c3cb\tmain.other+0x1\t/src/app/main.go:9


# runtime.MemStats
# Alloc = 123
"""
MUTEX = b"""--- mutex:
cycles/second=2000000000
sampling period=1
13000 4 @ 0x48c3ca
#\t0x48c3ca\tsync.(*Mutex).Unlock+0x2f\t/usr/lib/go/src/sync/mutex.go:223

"""
TEXTS = [
    GOROUTINE,
    HEAP,
    MUTEX,
    MUTEX.replace(b"mutex", b"contention"),
    GOROUTINE.replace(b"goroutine", b"threadcreate"),
]
TEXT_TOKENS = [b"\n", b"\n\n", b"1 @ 0x1\n\n", b"#\t0x1\n", b"# labels: ", b"\t", b"99999999999999999999", b"-1", b"\0"]
DUMP = b"""goroutine 1 [running]:
main.main()
\t/src/app/main.go:7 +0x1d

goroutine 18 [chan receive (leaked), 14 minutes, locked to thread] {"k": "v"}:
main.(*Server[...]).wait(0xc000012345, {0x1, 0x2}, ...)
\t/src/app/main.go:41 +0x65
created by main.start in goroutine 1
\t/src/app/main.go:40 +0x25

"""
#: Controls, and what changes the direction of text.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
DUMP_TOKENS = [b"\n", b"goroutine ", b" [", b"]:\n", b"created by ", b" in goroutine 7", b"\t/a.go:1\n", b"f(...)\n"]
_ROWS = [
    (Stack((Frame("runtime.gopark", "/a.go", 1), Frame("main.f", "/b.go", 2))), (3,)),
    (Stack((Frame("main.g", "", 0),)), (1,)),
]
PACKED = encode_profile(
    [("goroutine", "count")], _ROWS, time=START, duration=0, period_type=("goroutine", "count"), period=1
)
PROTO = gzip.decompress(PACKED)
PROTO_TOKENS = [b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x12\x00", b"\x22\x00", b"\x32\x00", b"\x80" * 12]


@inputs(1000)
@given(damaged(TEXTS, TEXT_TOKENS))
def test_a_profiles_text_is_read_by_both_parsers_alike_or_refused_by_both(body: bytes) -> None:
    total_of(Entry(START, "t", "goroutine", body))
    counted = None
    with declared(ProfileError) as complaints:
        profile = parse_text(body)
        assert parse_text(render_text(profile)) == profile
        counted = CountsParser().parse(body)
        assert counted.by_stack.keys() == {record.stack for record in profile.records}
        if profile.kind == "goroutine":
            assert sum(counted.by_stack.values()) == counted.total == profile.total
    with declared(ProfileError) as others:
        assert CountsParser().parse(body) == counted
    assert others == complaints


@inputs(700)
@given(damaged([DUMP], DUMP_TOKENS))
def test_a_dump_is_read_within_its_bounds_or_refused(body: bytes) -> None:
    with declared(ProfileError):
        found = parse_dump(body, max_goroutines=3)
        assert len(found.goroutines) <= 3
        assert not any(UNSAFE.search(frame.function) for each in found.goroutines for frame in each.stack.frames)


@inputs(700)
@given(damaged([PROTO, PACKED], PROTO_TOKENS), st.booleans())
def test_a_protobuf_becomes_a_profile_or_is_refused(data: bytes, pack: bool) -> None:
    with declared(ProfileError):
        proto = decode_proto(gzip.compress(data) if pack else data, max_bytes=10_000, max_items=200)
        assert all(wait_reasons(proto).values())
        profile = to_profile(proto, "goroutine")
        assert parse_text(render_text(profile)) == profile


# Logs.

times = st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)
words = st.text(max_size=8) | st.sampled_from(["localhost:6060", "web shop", "t", 'a"b\\', "\x1b[2J"])
bodies = st.sampled_from([*TEXTS, GOROUTINE[:-2], b"x", b"\n", b"\0" * 90]) | st.binary(min_size=1, max_size=60)
milliseconds = st.integers(0, 10**6).map(lambda count: count / 1000)
entries = st.one_of(
    # NamedTuple: builds() would invent what is left out.
    st.tuples(times, words, st.sampled_from(["goroutine", "heap"]), bodies, st.integers(0, 99), milliseconds).map(
        lambda fields: Entry(*fields)
    ),
    st.tuples(times, words, words.filter(bool)).map(lambda f: Entry(f[0], f[1], "goroutine", error=f[2])),
    st.tuples(times, words, words, st.integers(1, 10**9)).map(
        lambda f: Entry(f[0], f[1], "goroutine", error=f[2], gap=f[3])
    ),
    st.tuples(times, words).map(lambda f: Entry(*f, "profile", file="profile/20261122T134953Z.pb.gz")),
)
logs = st.lists(entries, max_size=6)
SOME = [
    Entry(START, "localhost:6060", "goroutine", GOROUTINE),
    Entry(START + 10, "t", "goroutine", error="down"),
    Entry(START + 20, "t", "goroutine", gap=3),
    Entry(START + 30, "web shop", "heap", HEAP[:-1], 1, 0.004),
]
DATE = b"Sun Nov 22 13:49:53 UTC 2026\n"
PLAIN = [log_of(SOME), DATE + GOROUTINE + DATE + DATE + b"404 page not found\n", log_of(SOME[:2]) + DATE + GOROUTINE]
LOG_TOKENS = [b"\n", DATE, encode_entry(SOME[0])[:40], encode_entry(SOME[1]), b" bytes=", b" head=", bytes(50)]


def zstd(data: bytes) -> bytes:
    return ZstdCompressor().compress(data, ZstdCompressor.FLUSH_FRAME)


SEALED = Seal(len(zstd(PLAIN[0])), 0).encode() + zstd(PLAIN[0]) + zstd(PLAIN[0])
PACKED_LOGS = [SEALED, zstd(PLAIN[0]) + zstd(PLAIN[1]), gzip.compress(PLAIN[2])]
PACKED_TOKENS = [zstd(b""), b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\xff\xff\xff\x7f", b"\x1f\x8b\x08", bytes(20)]


#: The next profile's beginning is found in a line that is no beginning, and before that there is none.
QUOTED = DATE + b"goroutine profile: total 9\n6 @ 0x48c3ca\n# labels: {}goroutine profile: total 9\n"


@inputs(600)
@example(QUOTED + b"2 @ 0x48c3cb\n#\t0x48c3cb\tmain.work")
@given(damaged(PLAIN, LOG_TOKENS) | damaged(PACKED_LOGS, PACKED_TOKENS))
def test_a_log_is_read_and_what_cannot_be_is_said(data: bytes) -> None:
    found: list[Finding] = []
    with in_memory(data) as (path, _):
        whole, problems = read_all(path)
        quick, _ = read_all(path, first_lines=True)
        Verifier(found.append, lambda _: None).check(path)
    # Who reads first lines only can't see that a body has lost as many bytes as the next entry has.
    is_damaged = any(problem.reason == "damaged entry" for problem in problems)
    assert is_damaged or {entry.time for entry in whole} <= {entry.time for entry in quick}
    assert all(problem.offset >= 0 and problem.length > 0 and problem.reason.isprintable() for problem in problems)
    assert bool(problems) <= any(finding.kind == "damage" for finding in found)


@inputs(300)
@given(damaged(PLAIN, LOG_TOKENS) | damaged(PACKED_LOGS, PACKED_TOKENS), st.integers(20, 300))
def test_a_log_in_parts_is_the_log(data: bytes, size: int) -> None:
    told: list[tuple[int, int, str]] = []
    with in_memory(data) as (path, _):
        whole, problems = read_all(path)
        with open_raw(path) as raw:
            reader = PartReader(raw, lambda found: found.entry, lambda _: True, first_lines=False)
            parts = reader.parts(size)
            assume(len(parts) > 1)  # what it can't read in parts, it is not given
            assert list(read_parts(reader, parts, 0, lambda *what: told.append(what), lambda _: None)) == whole
    assert sorted(told) == sorted((problem.offset, problem.length, problem.reason) for problem in problems)


@inputs(300)
@given(logs)
def test_entries_survive_their_log(given: list[Entry]) -> None:
    with in_memory(log_of(given)) as (path, _):
        assert read_all(path) == (given, [])


@inputs(60)
@given(logs.filter(bool))
def test_entries_survive_compression(given: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / names.closed_name("goroutine", START)
        path.write_bytes(log_of(given))
        first_lines = read_all(path, first_lines=True)
        packed = compress_segment(path)
        assert read_all(packed) == (given, [])
        assert read_all(packed, first_lines=True) == first_lines


@inputs(250)
@given(logs, st.data())
def test_a_torn_log_goes_on_behind_its_last_whole_entry(given: list[Entry], data: st.DataObject) -> None:
    whole = log_of(given)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [len(log_of(given[:count])) for count in range(len(given) + 1)]
    with in_memory(whole[:cut]) as (_, descriptor):
        recovery = examine(descriptor)
    assert recovery.usable
    assert recovery.end == max(end for end in ends if end <= cut)


@inputs(300)
@given(damaged(PLAIN, LOG_TOKENS))
def test_a_segment_that_was_left_behind_is_judged(data: bytes) -> None:
    with in_memory(data) as (_, descriptor):
        recovery = examine(descriptor)
    assert 0 <= recovery.end <= len(data)


FORMS: list[Callable[[dt.datetime], str]] = [
    lambda moment: moment.strftime("%a %b %e %H:%M:%S UTC %Y"),
    lambda moment: moment.strftime("%a %b %e %I:%M:%S %p IST %Y"),
    lambda moment: moment.strftime("%a %e %b %Y %I:%M:%S %p UTC"),
    lambda moment: moment.astimezone(dt.timezone(dt.timedelta(hours=-3))).strftime("%a %b %e %H:%M:%S -03 %Y"),
    lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S +0000"),
    lambda moment: moment.isoformat(),
    lambda moment: moment.astimezone(dt.timezone(dt.timedelta(hours=5.5))).isoformat(" "),
    lambda moment: format_time(moment.timestamp()),
    lambda moment: moment.strftime("=== %F %T ==="),
]


@inputs(400)
@given(st.integers(86_400, 4_000_000_000), st.sampled_from(FORMS))
def test_a_time_survives_every_form_of_date(seconds: int, form: Callable[[dt.datetime], str]) -> None:
    header = parse_date_line(form(dt.datetime.fromtimestamp(seconds, dt.UTC)).encode())
    assert header is not None
    assert header.time == seconds


@inputs(400)
@given(
    damaged([form(dt.datetime(2026, 2, 28, 12, tzinfo=dt.UTC)).encode() for form in FORMS], [b"9", b"-", b" ", b":"])
)
def test_any_line_is_a_date_or_is_not(line: bytes) -> None:
    header = parse_date_line(line)
    assert header is None or header.time >= 0


@inputs(200)
@given(damaged([Seal(123, 456).encode(), Seal(0, 0).encode()], [b"pprofwatch", b"0", b"\n"]))
def test_a_seal_is_read_as_it_was_written_or_not_at_all(data: bytes) -> None:
    seal = parse_seal(data)
    assert seal is None or seal.encode() == data[:LENGTH]
    assert seal is None or not is_broken_seal(data)


NAMES = [
    names.closed_name("goroutine", START),
    names.closed_name("heap-delta", START, 12) + ".zst",
    names.live_name("goroutine"),
    names.binary_name("trace", START, 3),
    names.evidence_name("goroutine.txt", START, 2),
    "20261122T142233Z-3fa9c1d2",
]


@inputs(400)
@given(damaged_text(NAMES, "-0123456789TZ./"))
def test_only_names_that_we_give_are_ours(name: str) -> None:
    if (log := names.parse_live(name)) is not None:
        assert names.live_name(log) == name
    if (closed := names.parse_closed(name)) is not None:
        written = names.closed_name(closed.log, closed.stamp, closed.number)
        assert name == written + ".zst" * closed.compressed
    if (binary := names.parse_binary("trace", name)) is not None:
        assert names.binary_name("trace", *binary) == name
    if (evidence := names.parse_evidence(name)) is not None:
        assert names.evidence_name(*evidence) == name
    assert not (names.is_incident(name) and "/" in name)


# The journal, and what was delivered.

frames = st.builds(Frame, words, words, st.integers(0, 10**6))
stacks = st.lists(frames, min_size=1, max_size=3).map(lambda found: Stack(tuple(found)))
counts = st.integers(0, 10**12)
leaks = st.builds(
    Leak,
    stack=stacks,
    severity=st.sampled_from(Severity),
    detected_at=times,
    since=times,
    time=times,
    count_from=counts,
    count_to=counts,
    total_from=counts,
    total_to=counts,
    also=st.lists(stacks, max_size=2).map(tuple),
    dispersion=st.floats(0, 1e9),
    scale=st.floats(1e-9, 1e9),
    listed=st.booleans(),
    companion=st.none() | stacks,
    ratio=st.integers(1, 100),
)
events = st.builds(
    lambda leak, **fields: Event(time=leak.time, leak=leak, **fields),
    leaks,
    action=st.sampled_from(Action),
    incident=words,
    target=words,
    profile=words,
    number=counts,
    kept=words,
)


@inputs(40)
@given(st.lists(events, min_size=1, max_size=3))
def test_events_survive_the_journal(given: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        for event in given:
            journal.append(event)
        assert journal.read() == given
        assert journal.damaged_lines() == []


def _journal() -> bytes:
    leak = Leak(Stack((Frame("main.f", "/a.go", 1),)), Severity.LEAK, START, START, START, 1, 2, 3, 4)
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            event = Event(Action.OPENED, START, "20261122T142233Z-3fa9c1d2", "t", "goroutine", leak, number)
            Journal(Path(folder)).append(event)
        return (Path(folder) / JOURNAL).read_bytes()


LINES = _journal()
JSON_TOKENS = [b"\n", b"{", b"}", b'"', b",", b"[[", b"null", b"1e999", b'"crc32":"', b"\xff", b"\\ud800"]


@inputs(400)
@example(LINES, b'{"\x80": 2}\n')
@given(damaged([LINES, LINES.replace(b'"leak"', b'"stuck"')], JSON_TOKENS), damaged([b'{"stderr":2}\n'], JSON_TOKENS))
def test_the_journal_reads_what_was_written_and_names_the_rest(lines: bytes, delivered: bytes) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        folder = Path(place)
        (folder / JOURNAL).parent.mkdir()
        (folder / JOURNAL).write_bytes(lines)
        (folder / DELIVERED).write_bytes(delivered)
        journal = Journal(folder)
        found = journal.read()
        damaged_lines = journal.damaged_lines()
        with declared(LogError) as complaints:
            assert Delivered(folder).begin(["stderr"], 2)["stderr"] <= 2
        assert bool(complaints) == Delivered(folder).is_damaged()
    assert journal.damaged == len(damaged_lines)
    assert len(found) + len(damaged_lines) == sum(bool(line) for line in lines.split(b"\n"))
    # Lines were once written without checksum and number: one that is cut to that is taken for such.
    assert all(event.number in (0, 1, 2) for event in found)
    assert all(before.offset + before.length < after.offset for before, after in pairwise(damaged_lines))


# Times, configuration, flags.

DURATIONS = ["10s", "1h30m", "200ms", "90d", "1w", "0.5h"]
READERS: list[tuple[Callable[[str], object], list[str], str]] = [
    (parse_duration, DURATIONS, "wdhms.0-"),
    (parse_time, ["2026-11-22T13:49:53Z", "2026-11-22 13:49:53.102+05:30", "2024-02-29T23:59:60Z"], "0123456789:TZ+-"),
    (parse_stamp, ["20261122T134953Z"], "0123456789TZ"),
    (lambda text: parse_when(text, lambda: START), ["13:49", "-10m", "2026-11-22", "2026-11-22T13:49Z"], "0-:T+"),
    (parse_spec, ["goroutine", "heap:every=1m", "threadcreate:seconds=5:every=1h", "cpu", "trace:seconds=1"], ":=0s"),
    (
        parse_address,
        ["localhost:6060", "https://me:pw@app/x", "unix:/run/a.sock", "[::1]:80", "http://ä.de:1"],
        ":/@[]%",
    ),
    (SIZE.read, ["64MiB", "2GB", "1500", "1.5kib"], "0.9kMGTiB"),
    (BODY_SIZE.read, ["64MiB", "128MiB"], "0.9kMGTiB"),
    (COUNT.read, ["1", "999999999"], "0-9"),
    (LIMIT.read, ["0", "10"], "0-9"),
    (DURATION.read, DURATIONS, "wdhms.0-"),
    (DURATION_OR_OFF.read, ["off", "0", *DURATIONS], "wdhms.0-"),
    (FILE.read, ["/a/b", "~/c", "~nobody-of-that-name/x"], "~/."),
    (HEADERS.read, ["X-Scope: production", "Authorization: Bearer x"], ":\t\r\n"),
    (PROFILES.read, ["goroutine", "heap:every=1m"], ":=,"),
]


@inputs(1500)
@given(
    st.one_of(
        [
            st.tuples(st.just(read), damaged_text(samples, tokens) | st.text(max_size=20))
            for read, samples, tokens in READERS
        ]
    )
)
def test_a_flags_value_is_read_or_refused_in_one_line(given: tuple[Callable[[str], object], str]) -> None:
    read, text = given
    with declared(ValueError):
        read(text)


@inputs(200)
@given(
    damaged_text(["goroutine", "heap:every=1m", "threadcreate:seconds=5:every=1h", "cpu:seconds=9"], ":=0123456789smh")
)
def test_a_profile_that_is_accepted_is_read_back(text: str) -> None:
    with declared(ValueError):
        spec = parse_spec(text)
        assert parse_spec(format_spec(spec)) == dataclasses.replace(spec, alias="")


@inputs(200)
@given(st.integers(0, 253_402_000_000))
def test_a_stamp_is_read_back(seconds: int) -> None:
    assert parse_stamp(format_stamp(seconds)) == seconds


#: Each key of the example on a line of its own.
EXAMPLE = re.findall(r"(?m)^# ([a-z_]+ = .+)$", (ROOT / "config.example.toml").read_text().partition("[[target]]\n")[0])
TABLES = [
    '[[target]]\nurl = "http://app:6060"\nname = "shop"\ninterval = "5s"',
    '[[sink]]\ntype = "stderr"',
    '[[sink]]\ntype = "webhook"\nurl = "http://a/b"',
]
VALUES = ['"10s"', "5", "true", '["a", 1]', '"goroutine"', "{a = 1}", "1979-05-27", "inf", '"\\u202e"', '"1GiB"', '""']


def document(number: int) -> str:
    """Some lines of the example, a few with other values, and tables."""
    rng = random.Random(number)
    lines = rng.sample(EXAMPLE, rng.randrange(7))
    for index in range(min(rng.choice((0, 0, 1, 2)), len(lines))):
        lines[index] = f"{lines[index].partition(' = ')[0]} = {rng.choice(VALUES)}"
    return "\n".join([*lines, *rng.sample(TABLES, rng.choice((0, 0, 1, 2))), ""])


documents = st.integers(0, 2**32 - 1).map(document) | damaged_text(
    [document(number) for number in range(20)], '"=[]{}\n#'
)


@inputs(400)
@given(documents, st.dictionaries(st.sampled_from(["interval", "keep_size", "target", "nonsense"]), words, max_size=2))
def test_a_configuration_is_accepted_and_shown_or_each_mistake_is_a_line(text: str, flags: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(text.encode(errors="surrogateescape"))
        with declared(ConfigError):
            config = load(flags, path, {"HOME": folder}).config
            path.write_text(show_config(config))
            assert load({}, path, {"HOME": folder}).config.leaks == config.leaks
