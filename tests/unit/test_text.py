"""Go's debug=1 text: what is read from it, what is refused, and what is written."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame, Profile, Record, Stack
from pprofwatch.profiles import grammar
from pprofwatch.profiles.heap import scale_heap
from pprofwatch.profiles.text import CountsParser, parse_text, render_text

GOROUTINE = b"""\
goroutine profile: total 22
16 @ 0x48c3ca 0x419d8e 0x682dd7 0x491021
#\t0x419d8d\tmain.(*Pool).work+0x76\t/src/app/pool.go:54
#\t0x682dd6\tmain.start.func1+0x1b\t\t/src/app/main.go:9

3 @ 0x48c3ca 0x419d8e 0x68343c
# labels: {"tenant":"a", "note":"\\"@ 0x1\\""}
#\t0x68343b\tmain.consume[...]+0x1b\t\t\t/src/my app/idle.go:99

2 @ 0x48c3ca 0x419d8e 0x68343c
# labels: {"tenant":"b"}
#\t0x68343b\tmain.consume[...]+0x1b\t\t\t/src/my app/idle.go:99

1 @ 0x491021

"""
WORK = Stack((Frame("main.(*Pool).work", "/src/app/pool.go", 54), Frame("main.start.func1", "/src/app/main.go", 9)))
CONSUME = Stack((Frame("main.consume[...]", "/src/my app/idle.go", 99),))
NOT_BEGUN = Stack((Frame("0x491021", "", 0),))

THREADS = b"threadcreate profile: total 5\n5 @ 0x0 0x0 0x0\n#\t0x0\n\n"

HEAP = b"""\
heap profile: 3: 12352 [10: 45056] @ heap/1048576
0: 0 [7: 32704] @ 0x487e2b 0x48c993
#\t0x4e514f\tstrings.(*Builder).Write+0x8f\tstrings/builder.go:89

1: 64 [1: 64] @ 0x487e2c
#\t0x4e5150\tmain.small+0x8f\tmain.go:1

2: 12288 [2: 12288] @ 0x487e2d
#\t0x4e5151\tmain.large+0x8f\tmain.go:2


# runtime.MemStats
# Alloc = 1234
# PauseNs = [1 2 3]
# GCCPUFraction = 0.01
"""

BLOCK = b"""\
--- contention:
cycles/second=2445431445
2939228601 4 @ 0x417bf2 0x6833ef
#\t0x417bf1\truntime.chanrecv2+0x11\truntime/chan.go:514
#\t0x6833ee\tmain.wait+0x4e\t\tmain.go:26

"""
MUTEX = b"""\
--- mutex:
cycles/second=2445431445
sampling period=5
22356967 4 @ 0x6831d3
#\t0x6831d2\tsync.(*Mutex).Unlock+0x12\tsync/mutex.go:65

"""


def with_record(record: bytes) -> bytes:
    return b"goroutine profile: total 1\n" + record


def test_goroutines_are_read_with_labels_and_inlined_frames() -> None:
    assert parse_text(GOROUTINE) == Profile(
        "goroutine",
        22,
        (
            Record(WORK, (16,)),
            Record(CONSUME, (3,), '{"tenant":"a", "note":"\\"@ 0x1\\""}'),
            Record(CONSUME, (2,), '{"tenant":"b"}'),
            Record(NOT_BEGUN, (1,)),
        ),
    )


def test_threads_without_a_stack_are_read() -> None:
    assert parse_text(THREADS) == Profile("threadcreate", 5, (Record(Stack((Frame("0x0", "", 0),)), (5,)),))


def test_heap_is_read_with_its_sampling_rate_and_without_its_statistics() -> None:
    profile = parse_text(HEAP)
    assert (profile.kind, profile.total, profile.period) == ("heap", 3, 524288)
    assert [record.values for record in profile.records] == [(0, 0, 7, 32704), (1, 64, 1, 64), (2, 12288, 2, 12288)]
    assert profile.records[-1].stack.functions == ("main.large",)


def test_block_and_mutex_are_read_as_contentions_and_cycles() -> None:
    block, mutex = parse_text(BLOCK), parse_text(MUTEX)
    assert (block.kind, block.total, block.period, block.cycles_per_second) == ("block", 0, 0, 2445431445)
    assert block.records[0].values == (4, 2939228601)
    assert block.records[0].stack.functions == ("runtime.chanrecv2", "main.wait")
    assert (mutex.kind, mutex.period, mutex.cycles_per_second) == ("mutex", 5, 2445431445)
    assert mutex.records[0].values == (4, 22356967)


@pytest.mark.parametrize(
    "body",
    [
        b"goroutineleak profile: total 0\n",
        b"goroutine profile: total 0\n\n",
        b"heap profile: 0: 0 [0: 1] @ heap/1048576\n\n# runtime.MemStats\n# Alloc = 1\n",
        b"--- contention:\ncycles/second=2445431445\n",
        b"--- mutex:\ncycles/second=2445431445\nsampling period=0\n",
    ],
)
def test_a_profile_may_be_empty(body: bytes) -> None:
    assert parse_text(body).records == ()
    assert CountsParser().parse(body).by_stack == {}


@pytest.mark.parametrize("body", [GOROUTINE, THREADS, HEAP, BLOCK, MUTEX])
def test_one_that_remembers_reads_all_but_labels(body: bytes) -> None:
    parser = CountsParser()
    whole = parse_text(body)
    expected = whole._replace(records=tuple(record._replace(labels="") for record in whole.records))
    assert [parser.parse_all(body), parser.parse_all(body)] == [expected, expected]
    with pytest.raises(ProfileError):
        parser.parse_all(body[: len(body) // 2])


def test_counts_are_summed_over_labels() -> None:
    counts = CountsParser().parse(GOROUTINE)
    assert (counts.kind, counts.total) == ("goroutine", 22)
    assert counts.by_stack == {WORK: 16, CONSUME: 5, NOT_BEGUN: 1}


def test_the_same_stack_is_the_same_object_in_the_next_profile() -> None:
    parser = CountsParser()
    restarted = GOROUTINE.replace(b"0x682dd7", b"0x782dd7").replace(b"0x682dd6", b"0x782dd6")
    first, second = parser.parse(GOROUTINE).by_stack, parser.parse(restarted).by_stack
    assert {id(stack) for stack in first} == {id(stack) for stack in second}


def test_the_same_addresses_in_another_program_are_another_stack() -> None:
    parser = CountsParser()
    parser.parse(GOROUTINE)
    other = parser.parse(GOROUTINE.replace(b"pool.go:54", b"pool.go:55"))
    longer = parser.parse(GOROUTINE.replace(b"main.go:9\n", b"main.go:9\n#\t0x1\tmain.main+0x1\tmain.go:1\n"))
    assert Stack((WORK.frames[0]._replace(line=55), WORK.frames[1])) in other.by_stack
    assert Stack((*WORK.frames, Frame("main.main", "main.go", 1))) in longer.by_stack
    assert WORK not in other.by_stack
    assert WORK not in longer.by_stack


def test_records_without_addresses_of_their_own_are_told_apart_by_their_frames() -> None:
    parser = CountsParser()
    rendered = render_text(parse_text(GOROUTINE))
    for _ in range(2):
        assert parser.parse(rendered).by_stack == {WORK: 16, CONSUME: 5, NOT_BEGUN: 1}


def test_counts_forget_what_they_have_no_room_for() -> None:
    parser = CountsParser(max_bytes=100)
    for _ in range(3):
        assert parser.parse(GOROUTINE).by_stack == {WORK: 16, CONSUME: 5, NOT_BEGUN: 1}


def test_known_frames_do_not_excuse_bad_addresses() -> None:
    parser = CountsParser()
    parser.parse(GOROUTINE)
    with pytest.raises(ProfileError, match="line 2: expected addresses after the @, not ' nowhere'"):
        parser.parse(GOROUTINE.replace(b"0x48c3ca 0x419d8e 0x682dd7 0x491021", b"nowhere"))


def test_counts_of_a_heap_are_scaled_to_all_live_objects() -> None:
    counts = CountsParser().parse(HEAP)
    by_function = {stack.functions[0]: count for stack, count in counts.by_stack.items()}
    # go tool pprof -inuse_objects says the same of this profile.
    assert by_function == {"main.small": 8192, "main.large": 171}
    assert counts.total == 3


def test_heap_scaling_leaves_alone_what_was_not_sampled() -> None:
    assert scale_heap(3, 48, period=1) == (3, 48)
    assert scale_heap(0, 0, period=524288) == (0, 0)
    assert scale_heap(1, 524288, period=524288) == (1, 829411)
    assert scale_heap(-1, -524288, period=524288) == (-1, -829411)
    assert scale_heap(2**63 - 1, 1, period=2**63 - 1)[0] == 2**63 - 1


def test_counts_of_block_and_mutex_are_contentions() -> None:
    assert list(CountsParser().parse(BLOCK).by_stack.values()) == [4]
    assert list(CountsParser().parse(MUTEX).by_stack.values()) == [4]


def test_negative_counts_of_a_delta_are_read() -> None:
    body = b"goroutine profile: total -1\n2 @ 0x0\n#\t0x1\n\n-3 @ 0x0\n#\t0x2\n\n"
    assert [record.values for record in parse_text(body).records] == [(2,), (-3,)]
    assert sorted(CountsParser().parse(body).by_stack.values()) == [-3, 2]


def test_a_shell_may_have_dropped_the_blank_line_at_the_end() -> None:
    assert parse_text(GOROUTINE[:-1]) == parse_text(GOROUTINE) == parse_text(GOROUTINE + b"\n\n")


@pytest.mark.parametrize("body", [GOROUTINE, THREADS, HEAP, MUTEX])
def test_lines_may_end_as_on_another_system(body: bytes) -> None:
    elsewhere = body.replace(b"\n", b"\r\n")
    assert parse_text(elsewhere) == parse_text(body)
    parser = CountsParser()
    assert [parser.parse(each) for each in (body, elsewhere, body)] == [CountsParser().parse(body)] * 3
    assert parser.parse_all(elsewhere) == CountsParser().parse_all(body)


def test_names_lose_what_a_terminal_would_obey() -> None:
    line = "#\t0x1\tmain.\x1b[31mred\x9b\u202egnp\N{LATIN SMALL LETTER A WITH DIAERESIS}+0x1\t/src/\x07bell.go:3\n\n"
    (record,) = parse_text(with_record(b"1 @ 0x1\n" + line.encode() + b"")).records
    assert record.stack.frames == (Frame("main.�[31mred��gnpä", "/src/�bell.go", 3),)


def test_names_that_are_not_utf8_are_read() -> None:
    (record,) = parse_text(with_record(b"1 @ 0x1\n#\t0x1\tmain.\xff+0x1\t/src/a.go:3\n\n")).records
    assert record.stack.functions == ("main.�",)


def test_names_are_cut_where_no_compiler_goes() -> None:
    line = b"#\t0x1\tmain." + b"x" * 1_000_000 + b"+0x1\ta.go:3\n\n"
    (record,) = parse_text(with_record(b"1 @ 0x1\n" + line)).records
    assert len(record.stack.functions[0]) == grammar.MAX_NAME


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", r"line 1: expected the first line of a debug=1 profile.*, not ''"),
        (b"<!DOCTYPE html>\n<html>", r"line 1: expected .* not '<!DOCTYPE html>'"),
        (b"seconds and debug params are incompatible\n", r"line 1: .* not 'seconds and debug params"),
        (b"\x1f\x8b\x08\x00\x00", r"line 1: expected the first line of a debug=1 profile"),
        (
            b"goroutine profile: total 1\nTue Dec 30\n",
            r"line 2: expected a record such as '16 @ 0x48c3ca …', not 'Tue Dec",
        ),
        (b"goroutine profile: total 1\n1\n\n", r"line 2: expected a record"),
        (b"goroutine profile: total 1\n1 @ 0x1\n\n\n2 @ 0x1\n\n", r"line 4: expected a record .* not ''"),
        (b"goroutine profile: total 1\n1_0 @ 0x1\n\n", r"line 2: expected a record"),
        (b"goroutine profile: total 1\n" + b"1" * 5000 + b" @ 0x1\n\n", r"line 2: expected a record"),
        (b"goroutine profile: total 1\n1 @ main\n\n", r"line 2: expected addresses after the @, not ' main'"),
        (b"heap profile: 1: 64 [1: 64] @ heap/2\n1 @ 0x1\n\n", r"line 2: expected a record such as '16: 1234 "),
        (b"--- mutex:\n1 @ 0x1\n\n", r"line 2: expected a record such as '22356967 4 @"),
        (with_record(b"1 @ 0x1\n#\t0x1\tmain.f\ta.go:1\n\n"), r"line 3: expected a frame"),
        (with_record(b"1 @ 0x1\n#\t0x1\tmain.f+0x1\ta.go\n\n"), r"line 3: expected a frame"),
        (with_record(b"1 @ 0x1\n# labels: {}\n#\t0x1\nand\n\n"), r"line 5: expected a frame .* not 'and'"),
        (with_record(b"1 @ 0x1\n#\n\n"), r"line 3: expected a frame"),
        (with_record(b"1 @ 0x1\n" + b"#\t0x1\n" * 10_001 + b"\n"), r"line 2: expected at most 10000 frames"),
        (with_record(b"1 @" + b" 0x1" * 10_001 + b"\n\n"), r"line 2: expected at most 10000 addresses"),
        (b"goroutine profile: total 1\n" + b"\n" * 2_000_001, r"more than 2000000 lines"),
        (GOROUTINE[: GOROUTINE.index(b"3 @")], r"damaged: its first line says 22, its records sum up to 16"),
        (GOROUTINE[:-20], r"stops in the middle of a record, after 4\d\d bytes"),
        (HEAP[: HEAP.index(b"2: 12288")], r"heap profile is damaged: its first line says 3, its records sum up to 1"),
        (BLOCK[:-1], r"block profile stops in the middle of a record"),
        (MUTEX[:-20], r"mutex profile stops in the middle of a record"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_place(body: bytes, complaint: str) -> None:
    with pytest.raises(ProfileError, match=complaint) as parsing:
        parse_text(body)
    with pytest.raises(ProfileError) as counting:
        CountsParser().parse(body)
    assert str(counting.value) == str(parsing.value)
    assert str(parsing.value).isprintable()
    assert len(str(parsing.value)) < 200


@pytest.mark.parametrize("body", [GOROUTINE, THREADS, HEAP, BLOCK, MUTEX])
def test_what_is_written_reads_the_same(body: bytes) -> None:
    profile = parse_text(body)
    assert parse_text(render_text(profile)) == profile


def test_writing_looks_as_go_does_it() -> None:
    assert render_text(parse_text(GOROUTINE)).startswith(
        b"goroutine profile: total 22\n"
        b"16 @ 0x0\n"
        b"#\t0x0\tmain.(*Pool).work+0x0\t/src/app/pool.go:54\n"
        b"#\t0x0\tmain.start.func1+0x0\t/src/app/main.go:9\n"
        b"\n"
        b"3 @ 0x0\n"
        b'# labels: {"tenant":"a"'
    )
    assert render_text(parse_text(HEAP)).startswith(
        b"heap profile: 3: 12352 [10: 45056] @ heap/1048576\n0: 0 [7: 32704] @ 0x0\n"
    )
    assert render_text(parse_text(MUTEX)).startswith(
        b"--- mutex:\ncycles/second=2445431445\nsampling period=5\n22356967 4 @ 0x0\n"
    )


def test_writing_is_bounded() -> None:
    name = "x" * grammar.MAX_NAME
    profile = Profile("goroutine", 1, (Record(Stack((Frame(name, name, 1),) * 100), (1,)),))
    with pytest.raises(ProfileError, match="longer than 800000 bytes as text"):
        render_text(profile, max_bytes=800_000)
    assert len(render_text(profile, max_bytes=900_000)) > 800_000


def test_reading_text_does_not_load_protobuf() -> None:
    code = "import sys, pprofwatch.profiles.text; sys.exit('google.protobuf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
frames = st.builds(Frame, names, names | st.just(""), st.integers(0, 2**63 - 1)) | st.builds(
    lambda address: Frame(hex(address), "", 0), st.integers(0, 2**64 - 1)
)
stacks = st.builds(Stack, st.lists(frames, min_size=1, max_size=5).map(tuple))
numbers = st.integers(-(2**40), 2**40)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    kind = draw(st.sampled_from([*grammar.COUNT_KINDS, "heap", "block", "mutex"]))
    columns = 1 if kind in grammar.COUNT_KINDS else 4 if kind == "heap" else 2
    values = st.tuples(*[numbers] * columns)
    records = tuple(draw(st.lists(st.builds(Record, stacks, values, names | st.just("")), max_size=5)))
    timed = kind in ("block", "mutex")
    return Profile(
        kind,
        0 if timed else sum(record.values[0] for record in records),
        records,
        period=0 if kind in grammar.COUNT_KINDS else draw(st.integers(0, 2**40)),
        cycles_per_second=draw(st.integers(0, 2**40)) if timed else 0,
    )


@given(profiles())
def test_any_profile_reads_as_it_was_written(profile: Profile) -> None:
    assert parse_text(render_text(profile)) == profile


RECORDS = [b" @" + record.partition(b" @")[2] for record in GOROUTINE[:-1].split(b"\n\n")[:-1]]


def goroutine_body(records: list[tuple[int, bytes]]) -> bytes:
    text = b"".join(b"%d%b\n\n" % record for record in records)
    return b"goroutine profile: total %d\n%b" % (sum(count for count, _ in records), text)


bodies = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(RECORDS)), min_size=1, max_size=6).map(goroutine_body)


@given(st.lists(bodies, min_size=1, max_size=4), st.booleans())
@example([goroutine_body([(1, RECORDS[0]), (2, RECORDS[1])]), goroutine_body([(2, RECORDS[1])])], False)
@example([goroutine_body([(2, RECORDS[1])]), goroutine_body([(1, RECORDS[0]), (12, RECORDS[1])])], False)
def test_counts_do_not_depend_on_the_profiles_before(found: list[bytes], cut: bool) -> None:
    counter = CountsParser()
    for body in found:
        text = body.removesuffix(b"\n") if cut else body
        counts = counter.parse(text)
        assert counts == CountsParser().parse(text)
        profile = parse_text(text)
        for stack in counts.by_stack.keys() | {record.stack for record in profile.records}:
            expected = sum(record.values[0] for record in profile.records if record.stack == stack)
            assert counts.by_stack[stack] == expected


def test_a_record_that_ends_like_the_last_profile_is_not_taken_for_its_records() -> None:
    counter = CountsParser()
    counter.parse(b"goroutine profile: total 2\n2 @ 0x1\n\n")
    assert counter.parse(b"goroutine profile: total 12\n12 @ 0x1\n\n").by_stack == {Stack((Frame("0x1", "", 0),)): 12}
    with pytest.raises(ProfileError, match="line 2: expected a record"):
        counter.parse(b"goroutine profile: total 2\n1 2 @ 0x1\n\n")


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    body = draw(st.sampled_from([GOROUTINE, THREADS, HEAP, BLOCK, MUTEX]) | st.binary(max_size=200))
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(body)))
        end = draw(st.integers(begin, min(len(body), begin + 60)))
        piece = st.binary(max_size=8) | st.sampled_from(
            [b"\n", b"\n\n", b"1 @ 0x1\n\n", b"#\t0x1\n", b"# labels: ", b"\t"]
        )
        body = body[:begin] + draw(piece) + body[end:]
    return body


@given(damaged_bodies(), st.sampled_from([GOROUTINE, HEAP, BLOCK, MUTEX]))
@example(GOROUTINE, GOROUTINE)
def test_whatever_the_bytes_both_parsers_agree_or_refuse(body: bytes, before: bytes) -> None:
    counter = CountsParser()
    counter.parse(before)
    try:
        profile = parse_text(body)
    except ProfileError as error:
        complaint = str(error)
        with pytest.raises(ProfileError, match=f"^{re.escape(complaint)}$"):
            counter.parse(body)
        return
    counts = counter.parse(body)
    assert (counts.kind, counts.total) == (profile.kind, profile.total)
    assert set(counts.by_stack) <= {record.stack for record in profile.records}
    if profile.kind != "heap":
        assert sum(counts.by_stack.values()) == sum(record.values[0] for record in profile.records)
    assert parse_text(render_text(profile)) == profile
