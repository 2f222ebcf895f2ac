"""Goroutine dumps: what is read of a whole one, of one that stops anywhere, and of what is none."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pprofwatch.errors import ProfileError
from pprofwatch.model import Frame, Stack
from pprofwatch.profiles.dump import Dump, Goroutine, parse_dump
from pprofwatch.profiles.frames import matching_key

WHOLE = b"""\
goroutine 66 [running]:
runtime/pprof.writeGoroutineStacks({0x5f32f8, 0x3b5b9b0920a0})
\t/go/src/runtime/pprof/pprof.go:816 +0x6b
main.(*Server).handle(...)
\t/src/app/server.go:12
created by main.main in goroutine 1
\t/src/app/main.go:40 +0x1a5

goroutine 1 gp=0xc000002380 m=0 mp=0x5a1b60 [chan receive, 14 minutes, locked to thread]:
main.consume[...](0x0?)
\t/src/app/a file:with colons.go:54 +0x76 fp=0xc00007 sp=0xc00005 pc=0x48c3ca
main.main()
\t/src/app/main.go:61 +0x45

goroutine 9 [chan send (leaked) (scan)] {tenant: "a ]:\\n b", tier: gold}:
main.(*Pool).work.func1({0x1, ...}, 0xc000012345, _)
\t/src/app/pool.go:54
panic({0x1, 0x2})
\t/go/src/runtime/panic.go:860 +0x13a
main.entered()
\t/src/app/pool.go:60
created by main.NewPool in goroutine 1
\t/src/app/pool.go:31 +0x4e
[originating from goroutine 1]:
main.NewPool(...)
\t/src/app/pool.go:31 +0x4e

goroutine 10 [select (no cases), 3 minutes, synctest bubble 4]:
internal/runtime/maps.wait(0x1)
\t/go/src/internal/runtime/maps/wait.go:3 +0x1
main.deep(0x1)
\t/src/app/deep.go:3 +0x1
...120 frames elided...
main.root()
\t/src/app/deep.go:9 +0x2
created by main.main
\t/src/app/main.go:41 +0x1

goroutine 11 [running]:
\tgoroutine running on other thread; stack unavailable
created by main.main in goroutine 1
\t/src/app/main.go:42 +0x1

goroutine 18446744073709551615 [GC worker (idle)]:
runtime.gopark(0x1)
\t/go/src/runtime/proc.go:462 +0xce
runtime.goexit({})
\t/go/src/runtime/asm_amd64.s:1700 +0x1
created by runtime.gcBgMarkStartWorkers in goroutine 1
\t/go/src/runtime/mgc.go:1310 +0x1
"""


def goroutine(number: int, state: str, *frames: tuple[str, str, int], **more: object) -> Goroutine:
    facts: dict[str, object] = {"minutes": 0, "leaked": False, "locked": False, **more}
    return Goroutine(number, state, stack=Stack(tuple(Frame(*frame) for frame in frames)), **facts)  # type: ignore[arg-type]


def test_a_dump_is_read() -> None:
    assert parse_dump(WHOLE) == Dump(
        (
            goroutine(
                66,
                "running",
                ("runtime/pprof.writeGoroutineStacks", "/go/src/runtime/pprof/pprof.go", 816),
                ("main.(*Server).handle", "/src/app/server.go", 12),
            ),
            goroutine(
                1,
                "chan receive",
                ("main.consume[...]", "/src/app/a file:with colons.go", 54),
                ("main.main", "/src/app/main.go", 61),
                minutes=14,
                locked=True,
            ),
            goroutine(
                9,
                "chan send",
                ("main.(*Pool).work.func1", "/src/app/pool.go", 54),
                ("runtime.gopanic", "/go/src/runtime/panic.go", 860),
                ("main.entered", "/src/app/pool.go", 60),
                leaked=True,
            ),
            goroutine(
                10,
                "select (no cases)",
                ("main.deep", "/src/app/deep.go", 3),
                ("main.root", "/src/app/deep.go", 9),
                minutes=3,
            ),
            goroutine(11, "running", ("0x0", "", 0)),
            goroutine(2**64 - 1, "GC worker (idle)", ("runtime.gopark", "/go/src/runtime/proc.go", 462)),
        ),
        cut_short=False,
    )


def test_goroutines_of_one_stack_share_it() -> None:
    first, second = parse_dump(WHOLE + b"\n" + WHOLE.replace(b"0x3b5b9b0920a0", b"0x1")).goroutines[::6]
    assert first.stack is second.stack


def test_of_a_dump_that_stops_anywhere_what_came_whole_is_read() -> None:
    whole = parse_dump(WHOLE).goroutines
    first_line = WHOLE.index(b"\n") + 1
    for length in range(first_line):
        with pytest.raises(ProfileError, match=r"^line 1: expected the first line of a goroutine dump"):
            parse_dump(WHOLE[:length])
    for length in range(first_line, len(WHOLE)):
        text = WHOLE[:length]
        last = text.rpartition(b"\n\n")[2]
        has_creator = b"\ncreated by " in last
        dump = parse_dump(text)
        assert dump.goroutines == whole[: text.count(b"\n\n") + has_creator]
        assert dump.cut_short == (not text.endswith(b"\n") or (last != b"" and not has_creator))


def test_no_more_goroutines_are_read_than_asked_for() -> None:
    dump = parse_dump(WHOLE, max_goroutines=2)
    assert [goroutine.id for goroutine in dump.goroutines] == [66, 1]
    assert dump.cut_short
    assert not parse_dump(WHOLE, max_goroutines=6).cut_short


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", r"line 1: expected .*, such as 'goroutine 1 \[running\]:', not ''"),
        (b"<html>\n", "line 1: .*, not '<html>'"),
        (b"goroutine profile: total 3\n", "line 1: .*, not 'goroutine profile: total 3'"),
        (WHOLE.replace(b"goroutine 9 [", b"gopher 9 ["), "line 15: expected 'goroutine', .* not 'gopher 9 "),
        (WHOLE.replace(b"goroutine 9 [", b"goroutine \x1b[31m9 ["), r"not 'goroutine \\ufffd\[31m9 "),
        (b"goroutine 1 [running]:\n" + b"\n" * 2_000_001, "the goroutine dump has more than 2000000 lines"),
        (b"goroutine 1 [running]:\n" + b"f()\n\t/f.go:1\n" * 10_001 + b"\n", "more than 10000 frames in a stack"),
    ],
)
def test_what_is_no_dump_is_refused_in_one_line(body: bytes, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as error:
        parse_dump(body)
    assert str(error.value).isprintable()


def test_names_are_data() -> None:
    name = "main.\x1b[31m\x00\u202e(evil)"
    text = f'goroutine 1 [chan \x1b[2Jsend] {{"\x00": "\u202e"}}:\n{name}({{0x1}})\n\t/src/\x07.go:7 +0x1\n\n'.encode()
    (found,) = parse_dump(text).goroutines
    assert found.stack.frames == (Frame("main.\ufffd[31m\ufffd\ufffd(evil)", "/src/\ufffd.go", 7),)
    assert found.state == "chan \ufffd[2Jsend"


def read(body: bytes) -> Dump | str:
    try:
        return parse_dump(body)
    except ProfileError as error:
        return str(error)


@given(st.binary())
def test_any_bytes_are_a_dump_or_an_error(body: bytes) -> None:
    for text in (body, b"goroutine 1 [running]:\n" + body):
        found = read(text)
        assert isinstance(found, Dump) or found.isprintable()


LINES = [
    *WHOLE.splitlines(keepends=True),
    b"\n",
    b"goroutine 5 [x, 99999999999999999999 minutes, ]:\n",
    b"f()\n",
    b"\t:1\n",
    b"((((\n",
    b"\xff()\n",
    b"created by ",
]


@given(st.lists(st.sampled_from(LINES)).map(b"".join))
def test_any_lines_of_a_dump_are_a_dump_or_an_error(body: bytes) -> None:
    found = read(b"goroutine 1 [running]:\n" + body)
    if isinstance(found, Dump):
        assert all(goroutine.stack.frames for goroutine in found.goroutines)
    else:
        assert found.isprintable()


def test_ten_thousand_goroutines_are_read_in_a_second() -> None:
    frames = b"".join(b"main.f%d(0x%%x, 0x1)\n\t/src/app/pool.go:%d +0x76\n" % (line, line) for line in range(20))
    body = b"\n".join(
        b"goroutine %d [chan send, 3 minutes]:\n%bcreated by main.main in goroutine 1\n\t/src/main.go:40 +0x1a5\n"
        % (number, frames % ((number,) * 20))
        for number in range(10_000)
    )
    begin = time.process_time()
    dump = parse_dump(body)
    assert time.process_time() - begin < 1.0
    assert len(dump.goroutines) == 10_000
    assert len({id(goroutine.stack) for goroutine in dump.goroutines}) == 1


@pytest.mark.parametrize("line", [b"(" * 1_000_000, b":1" * 500_000, b"goroutine [" * 90_000, b"created by" * 90_000])
def test_long_lines_take_no_longer_than_their_length(line: bytes) -> None:
    begin = time.process_time()
    parse_dump(b"goroutine 1 [running]:\n" + line + b"\n" + b"f()\n\t" + line + b"\n\n")
    assert time.process_time() - begin < 1.0


def test_the_same_stack_in_a_profile_and_a_dump_has_one_key() -> None:
    work = Frame("main.work", "/src/work.go", 7)
    main = Frame("main.main", "/src/main.go", 61)
    hidden = [Frame("runtime.main", "/go/proc.go", 3), Frame("panic", "/go/panic.go", 4), Frame("0x4a", "", 0)]
    assert matching_key(Stack((work, main, *hidden))) == matching_key(Stack((work, main))) == (work, main)
    assert matching_key(Stack((main, work))) != matching_key(Stack((work, main)))
    assert matching_key(Stack(tuple(hidden))) == tuple(hidden)  # nothing else is known of it


def test_a_deep_stack_is_told_by_its_frames_nearest_to_the_leaf() -> None:
    frames = tuple(Frame("main.descend", "/src/descend.go", line) for line in range(200))
    cut_by_old_go = Stack(frames[:26])
    elided = Stack(frames[:50] + frames[-50:])
    assert matching_key(Stack(frames)) == matching_key(elided) == matching_key(cut_by_old_go)
    assert matching_key(Stack(frames)) != matching_key(Stack(frames[1:]))
