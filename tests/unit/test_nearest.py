"""Finding the entry that is nearest to a time."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logmaker import START, body, date_line, entry, log_of, shell_log
from pprofwatch.logs.nearest import THE_END, find_nearest
from pprofwatch.logs.zstd import ZstdCompressor
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pprofwatch.logs.problem import Problem


class Read:
    """Bytes that were read, and problems that were met."""

    def __init__(self) -> None:
        self.bytes = 0
        self.problems: list[Problem] = []

    def nearest(
        self, paths: Sequence[Path], *times: float, profile: str | None = "goroutine", delta: bool = False
    ) -> list[Entry | None]:
        def progress(count: int) -> None:
            self.bytes += count

        return find_nearest(
            list(map(str, paths)),
            times,
            profile=profile,
            delta=delta,
            on_problem=self.problems.append,
            on_progress=progress,
        )


def large(number: int, *, profile: str = "goroutine") -> Entry:
    """An entry of about 60 KB."""
    return Entry(START + 10 * number, "localhost:6060", profile, body(number + 3, kind=profile, records=1000))


def number_of(found: Entry | None) -> float:
    assert found is not None
    return (found.time - START) / 10


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 entries, 25 MB; polls fail for a while, and do not take place for another."""
    path = tmp_path_factory.mktemp("long") / "goroutine.log"
    down = [Entry(START + 10 * number, "localhost:6060", "goroutine", error="down") for number in range(100, 200)]
    numbers = [*range(100), *range(300, 600)]
    entries = sorted([*map(large, numbers), *down], key=lambda each: each.time)
    path.write_bytes(log_of(entries))
    return path


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        (-1000, 0),
        (0, 0),
        (0.4, 0),
        (0.6, 1),
        (57.4, 57),
        (99, 99),
        (150, 99),
        (199, 99),
        (210, 300),
        (450, 450),
        (9e9, 599),
    ],
)
def test_a_long_log_is_searched_rather_than_read(long_log: Path, asked: float, nearest: int) -> None:
    read = Read()
    [found] = read.nearest([long_log], START + 10 * asked)
    assert found == large(nearest)
    assert read.bytes < long_log.stat().st_size / 5
    assert read.problems == []


def test_the_end_is_the_last_entry_with_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    path.write_bytes(log_of([entry(1), entry(2), Entry(START + 30, "localhost:6060", "goroutine", error="down")]))
    assert Read().nearest([path], THE_END) == [entry(2)]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40), st.integers(-10, 1010))
@settings(deadline=None, max_examples=50)
def test_whatever_the_order_the_nearest_is_found(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], asked: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-order.log"
    path.write_bytes(log_of(map(entry, numbers)))
    [found] = Read().nearest([path], START + 10 * asked)
    assert abs(number_of(found) - asked) == min(abs(number - asked) for number in numbers)


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), max_size=4),
    st.binary(max_size=30),
    st.integers(-10, 60),
)
@settings(deadline=None, max_examples=50)
def test_whatever_is_cut_and_spliced_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]], noise: bytes, asked: int
) -> None:
    whole = log_of(map(entry, range(9))) + shell_log(range(20, 25))
    path = tmp_path_factory.getbasetemp() / "spliced.log"
    path.write_bytes(noise.join(whole[begin : begin + size] for begin, size in cuts))
    found = Read().nearest([path], START + 10 * asked, THE_END)
    assert (found[0] is None) == (found[1] is None)


def test_a_long_log_whose_times_go_back_is_read_through(tmp_path: Path) -> None:
    path = tmp_path / "cat.log"
    path.write_bytes(log_of(map(large, [*range(200, 300), *range(100)])))
    assert [number_of(found) for found in Read().nearest([path], START + 700, START + 2500)] == [70, 250]


def test_both_ends_are_found_in_one_pass(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log.zst"
    compressor = ZstdCompressor()
    path.write_bytes(compressor.compress(log_of(map(entry, range(50)))) + compressor.flush())
    assert Read().nearest([path], START + 71, START + 300) == [entry(7), entry(30)]


def test_a_damaged_entry_is_passed_over_and_told(tmp_path: Path) -> None:
    path = tmp_path / "goroutine.log"
    damaged = bytearray(log_of([entry(5)]))
    damaged[150] ^= 1
    path.write_bytes(log_of([entry(3)]) + damaged + log_of([entry(8)]))
    read = Read()
    assert read.nearest([path], START + 51) == [entry(3)]
    assert [problem.reason for problem in read.problems] == ["damaged entry"]


def test_only_the_profile_that_is_wanted_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "mixed.log"
    path.write_bytes(log_of([entry(1), entry(2, profile="threadcreate"), entry(3)]))
    assert Read().nearest([path], START + 20, profile="threadcreate") == [entry(2, profile="threadcreate")]
    assert Read().nearest([path], START + 20) == [entry(1)]
    assert Read().nearest([path], START + 20, profile="heap") == [None]


def test_differences_are_not_taken_for_levels(tmp_path: Path) -> None:
    path = tmp_path / "goroutine-delta.log"
    delta = Entry(START, "localhost:6060", "goroutine", body(1), seconds=5)
    path.write_bytes(log_of([delta, entry(9)]))
    assert Read().nearest([path], START) == [entry(9)]
    assert Read().nearest([path], START, delta=True) == [delta]


def test_a_shell_loops_log(tmp_path: Path) -> None:
    path = tmp_path / "shell.log"
    path.write_bytes(shell_log(range(5)) + date_line(5) + date_line(6) + body(9))
    found = Read().nearest([path], START + 21, START + 50)
    assert [number_of(each) for each in found] == [2, 4]


def test_of_a_folder_only_the_segments_that_may_matter_are_read(tmp_path: Path) -> None:
    generator = random.Random(1)
    compressor = ZstdCompressor
    for day in range(5):
        first = day * 8640
        entries = [entry(number) for number in range(first, first + 8640, 60)]
        noise = Entry(START + 10 * first + 1, "localhost:6060", "goroutine", generator.randbytes(200_000))
        stamp = f"202611{22 + day}T134953Z"
        compressed = compressor()
        data = compressed.compress(log_of([entries[0], noise, *entries[1:]])) + compressed.flush()
        path = tmp_path / f"goroutine-{stamp}.log.zst"
        path.write_bytes(data)
        # A copy's time tells nothing; each segment ends where the next begins.
        os.utime(path, times=(START + 9 * 86400,) * 2)
    live = tmp_path / "goroutine.log"
    live.write_bytes(log_of([entry(5 * 8640)]))
    os.utime(live, times=(START + 9 * 86400,) * 2)
    read = Read()
    assert read.nearest([tmp_path], START + 2.5 * 86400) == [entry(21600)]
    assert read.nearest([tmp_path], THE_END) == [entry(43200)]
    assert read.nearest([tmp_path], START + 86400 - 1, START + 4 * 86400 - 50) == [entry(8640), entry(34560)]
    read = Read()
    (tmp_path / "goroutine-20261122T134953Z.log.zst").write_bytes(b"no longer readable")
    assert read.nearest([tmp_path], START + 2.5 * 86400) == [entry(21600)]
    assert read.problems == []
