"""What a report keeps of a log: a bounded number of instants, and the right ones."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from logmaker import START, body, text_of
from pprofwatch.model import Entry, Frame, Stack
from pprofwatch.report.holes import Hole
from pprofwatch.report.instants import MAX_INSTANTS, MAX_STACKS, OTHERS, Instants
from pprofwatch.report.page import as_json, series
from pprofwatch.report.recording import MAX_COST, MAX_RECORDINGS, Recording, Recordings
from pprofwatch.report.samples import VALUE_TYPES, Samples


def recorded(*entries: Entry) -> list[Recording]:
    recordings = Recordings()
    for each in entries:
        recordings.take(each)
    return recordings.finish()


def entry(number: int) -> Entry:
    """The poll at ``number`` times ten seconds after ``START``."""
    counts = {"main.worker": number + 1, "main.serve": 2, "main.log": 1}
    return Entry(START + 10 * number, "localhost:6060", "goroutine", text_of(counts))


def samples(time: float, counts: dict[str, int]) -> Samples:
    rows = tuple((Stack((Frame(name, "/src/a.go", 1),)), (count,)) for name, count in counts.items())
    return Samples("goroutine", VALUE_TYPES["goroutine"], rows, time)


HEAP = b"""heap profile: 1: 2048 [10: 20480] @ heap/2
1: 2048 [10: 20480] @ 0x1
#\t0x1\tmain.grow+0x1\t/src/a.go:1

"""


def test_a_short_log_is_kept_whole() -> None:
    (recording,) = recorded(*map(entry, range(20)))
    assert (recording.target, recording.profile, recording.seconds) == ("localhost:6060", "goroutine", 0)
    assert [instant.time for instant in recording.instants.kept] == [START + 10 * number for number in range(20)]
    assert [instant.totals for instant in recording.instants.kept] == [(number + 4,) for number in range(20)]
    assert len(recording.instants.stacks) == 3


def test_of_a_long_log_the_first_the_last_and_the_highest_instants_are_kept() -> None:
    count, peak = 5000, 3333
    high = Entry(START + 10 * peak, "localhost:6060", "goroutine", body(100_000, records=1))
    low = Entry(0, "localhost:6060", "goroutine", body(5, records=1))
    entries = [
        high if number == peak else Entry(START + 10 * number, low.target, low.profile, low.body)
        for number in range(count)
    ]
    (recording,) = recorded(*entries)
    times = [instant.time for instant in recording.instants.kept]
    assert MAX_INSTANTS / 4 <= len(times) <= MAX_INSTANTS + 1
    assert (times[0], times[-1]) == (START, START + 10 * (count - 1))
    assert high.time in times
    assert max(instant.totals for instant in recording.instants.kept) == (100_000,)
    assert recording.timeline.entries == count


def test_instants_come_in_order_of_time() -> None:
    (recording,) = recorded(*map(entry, (5, 6, 7, 1, 2, 3)))
    assert [instant.time for instant in recording.instants.kept] == [START + 10 * n for n in (1, 2, 3, 5, 6, 7)]


def test_targets_profiles_and_differences_are_recordings_of_their_own() -> None:
    other = Entry(START, "b:1", "goroutine", body(3, records=1))
    delta = Entry(START, "b:1", "goroutine", body(3, records=1), seconds=30)
    heap = Entry(START, "b:1", "heap", HEAP)
    found = recorded(entry(0), other, heap, delta)
    assert [(one.target, one.profile, one.seconds) for one in found] == [
        ("b:1", "goroutine", 0),
        ("b:1", "goroutine", 30),
        ("b:1", "heap", 0),
        ("localhost:6060", "goroutine", 0),
    ]


def test_heap_has_all_its_values() -> None:
    (recording,) = recorded(Entry(START, "", "heap", HEAP))
    assert recording.instants.kept[0].totals == (1, 2048, 10, 20480)


def test_a_heap_whose_allocations_begin_anew_tells_of_a_restart() -> None:
    less = HEAP.replace(b"10: 20480", b"1: 2048")
    (recording,) = recorded(Entry(START, "", "heap", HEAP), Entry(START + 10, "", "heap", less))
    assert recording.timeline.restarts == [START + 10]


def test_a_heap_log_that_is_out_of_order_tells_of_the_same_restart() -> None:
    def heap(number: int, allocated: int) -> Entry:
        return Entry(START + 10 * number, "", "heap", HEAP.replace(b"10: 20480", b"%d: 20480" % allocated))

    entries = [
        *(heap(number, 10 + number) for number in range(10)),
        *(heap(number, number) for number in range(10, 20)),
    ]
    for order in (entries, entries[::-1], [*entries[10:], *entries[:10]]):
        (recording,) = recorded(*order)
        assert recording.timeline.restarts == [START + 100]


def test_polls_that_failed_before_the_first_profile_are_part_of_the_timeline() -> None:
    nameless = [Entry(START + 10 * number, "localhost:6060", "", error="connection refused") for number in range(3)]
    named = [each._replace(profile="goroutine") for each in nameless]
    for failed in (nameless, named):
        (recording,) = recorded(*failed, entry(3), entry(4))
        assert recording.timeline.holes == [Hole(START, START + 30, "connection refused")]
        assert (recording.timeline.entries, recording.timeline.failed) == (5, 3)
        assert [instant.time for instant in recording.instants.kept] == [START + 30, START + 40]


def test_damaged_entries_and_failed_polls_are_counted_and_left_out() -> None:
    damaged = Entry(START + 10, "localhost:6060", "goroutine", b"goroutine profile: total 7\n")
    failed = Entry(START + 20, "localhost:6060", "goroutine", error="connection refused")
    nameless = Entry(START + 30, "localhost:6060", "", error="404 page not found")
    (recording,) = recorded(entry(0), damaged, failed, nameless, entry(4))
    assert recording.damaged == 1
    assert (recording.timeline.entries, recording.timeline.failed) == (5, 2)
    assert [instant.time for instant in recording.instants.kept] == [START, START + 40]


def test_a_log_without_a_profile_is_no_recording() -> None:
    assert recorded(Entry(START, "a", "goroutine", error="connection refused")) == []


def test_too_many_targets_are_left_out_and_counted() -> None:
    recordings = Recordings()
    for number in range(MAX_RECORDINGS + 7):
        recordings.take(Entry(START, f"target{number}", "goroutine", body(3, records=1)))
    assert len(recordings.finish()) == MAX_RECORDINGS
    assert recordings.left_out == 7


def test_all_recordings_together_are_bounded() -> None:
    recordings = Recordings()
    for number in range(100):
        counts = {f"main.only{number}in{index}": 1 for index in range(1000)}
        for target in ("a:1", "b:1"):
            recordings.take(Entry(START + 10 * number, target, "goroutine", text_of(counts)))
    found = recordings.finish()
    assert sum(recording.instants.cost for recording in found) <= MAX_COST
    assert all(10 <= len(recording.instants.kept) < 100 for recording in found)


def test_the_smallest_of_too_many_stacks_become_one() -> None:
    instants = Instants()
    counts = {f"f{number}": number + 1 for number in range(MAX_STACKS + 100)}
    instants.add(samples(START, counts))
    (instant,) = instants.kept
    assert len(instant.stacks) == MAX_STACKS
    assert instant.totals == (sum(counts.values()),)
    others = list(instant.stacks).index(instants.stacks.index(OTHERS))
    assert instant.columns[0][others] == sum(range(1, 102))


def test_stacks_that_no_instant_has_any_more_are_forgotten() -> None:
    instants = Instants()
    for number in range(9):
        instants.add(samples(START + number, {f"only{number}": 1, "all": 2}), weight=number == 4)
    instants.thin()
    times = [instant.time - START for instant in instants.kept]
    assert times == [0, 2, 4, 6, 8]
    assert len(instants.stacks) == 6
    for instant in instants.kept:
        names = {instants.stacks[number].functions[0] for number in instant.stacks}
        assert names == {"all", f"only{instant.time - START:.0f}"}


_BODIES = [
    HEAP,
    text_of({"a": 3, "b": 2**62}),
    b"--- mutex:\ncycles/second=1\n9 9 @ 0x1\n\n",
    b"\n\n# labels: {}\n\xff",
]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2e11),
            st.sampled_from([*VALUE_TYPES, "", "trace"]),
            st.lists(st.sampled_from(_BODIES) | st.binary(max_size=80), max_size=3).map(b"".join),
            st.integers(0, 200),
        ),
        max_size=12,
    )
)
def test_whatever_entries_hold_becomes_a_page(polls: list[tuple[float, str, bytes, int]]) -> None:
    recordings = Recordings()
    for time, profile, text, cut in polls:
        recordings.take(Entry(time, "a:1", profile, text[: -cut or None]))
    for recording in recordings.finish():
        data = series(recording)
        assert len(data["instants"]) == len(recording.instants.kept)
        assert json.loads(as_json(data)) == data
