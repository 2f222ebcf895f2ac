"""Evidence: what dumps, wait reasons and goroutineleak profiles say of a leak, and what that proves."""

from __future__ import annotations

import time

import pytest

from pprofwatch.leaks.evidence import MAX_IDS, MAX_STACKS, Evidence, Witness
from pprofwatch.model import Frame, Stack
from pprofwatch.profiles.dump import Dump, Goroutine
from pprofwatch.profiles.text import CountsParser


def stack(name: str) -> Stack:
    return Stack((Frame(f"main.{name}", "/src/main.go", 7),))


LEAK, OTHER = stack("forward"), stack("work")


def waiting(numbers: range, minutes: int = 0, state: str = "chan send", at: Stack = LEAK) -> list[Goroutine]:
    return [Goroutine(number, state, minutes, leaked=False, locked=False, stack=at) for number in numbers]


def leaked(numbers: range) -> list[Goroutine]:
    return [Goroutine(number, "chan send", 0, leaked=True, locked=False, stack=LEAK) for number in numbers]


def seen(*dumps: tuple[float, list[Goroutine]], suspects: tuple[Stack, ...] = (LEAK,)) -> Evidence:
    """What a witness says of the suspects after these dumps."""
    witness = Witness()
    for moment, goroutines in dumps:
        witness.take_dump(moment, Dump(tuple(goroutines), cut_short=False), suspects)
    evidence = witness.about(suspects)
    assert evidence is not None
    return evidence


def test_nothing_is_known_of_what_nobody_has_told() -> None:
    witness = Witness()
    witness.take_dump(1.0, Dump((), cut_short=False), [LEAK])
    witness.take_leaked(2.0, {OTHER: 3})
    witness.take_reasons(3.0, {OTHER: "select"})
    assert witness.about([LEAK]) is None


def test_one_dump_shows_goroutines_but_not_that_they_stay() -> None:
    evidence = seen((100.0, waiting(range(20), 44) + waiting(range(20, 30), 3)))
    assert evidence == Evidence(100.0, watched=30, oldest=44 * 60.0, blocked_in="chan send")
    assert not evidence.proves(20)


def test_goroutines_that_waited_from_dump_to_dump_are_counted() -> None:
    evidence = seen(
        (100.0, waiting(range(20), 2) + waiting(range(90, 99), 9, at=OTHER)),
        (400.0, waiting(range(1, 20), 7) + waiting(range(40, 60), 0) + waiting(range(90, 99), 14, at=OTHER)),
    )
    assert evidence == Evidence(400.0, watched=20, waiting=19, apart=300.0, oldest=420.0, blocked_in="chan send")
    assert evidence.proves(20)


def test_a_third_dump_is_compared_with_the_first() -> None:
    evidence = seen((100.0, waiting(range(20))), (400.0, waiting(range(30), 5)), (700.0, waiting(range(15), 10)))
    assert (evidence.watched, evidence.waiting, evidence.apart) == (20, 15, 600.0)
    assert not evidence.proves(20)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(waiting(range(20)), waiting(range(20), 3), id="begun after the first dump"),
        pytest.param(waiting(range(20), 30), waiting(range(20), 6), id="begun anew, if before the first dump"),
        pytest.param(waiting(range(20), 5, "sleep"), waiting(range(20), 10, "sleep"), id="a sleeping loop"),
        pytest.param(waiting(range(20)), waiting(range(20), 5, "runnable"), id="about to run"),
        pytest.param(waiting(range(20)), waiting(range(20), 5, at=OTHER), id="elsewhere by now"),
        pytest.param(waiting(range(20)), waiting(range(20, 40), 5), id="others"),
        pytest.param(waiting(range(20)), [], id="gone"),
    ],
)
def test_goroutines_that_went_on_have_not_waited(before: list[Goroutine], after: list[Goroutine]) -> None:
    evidence = seen((100.0, before), (400.0, after))
    assert (evidence.watched, evidence.waiting) == (20, 0)
    assert not evidence.proves(1)


def test_less_than_a_minute_proves_nothing_but_for_leaked_goroutines() -> None:
    assert seen((100.0, waiting(range(20))), (130.0, waiting(range(20), 0))).waiting == 0
    assert seen((100.0, waiting(range(20))), (130.0, waiting(range(20), 1))).waiting == 20
    assert seen((100.0, waiting(range(20))), (130.0, leaked(range(20)))).waiting == 20


def test_goroutines_known_to_have_leaked_keep_the_age_that_they_had() -> None:
    assert seen((100.0, waiting(range(20), 44)), (400.0, leaked(range(20)))).oldest == 44 * 60 + 300.0


@pytest.mark.parametrize("moment", [50.0, 100.0, 100.0 + 3601.0], ids=["earlier", "same", "much later"])
def test_a_dump_that_cannot_be_compared_is_a_first_one_again(moment: float) -> None:
    evidence = seen((100.0, waiting(range(20), 9)), (moment, waiting(range(30), 70)))
    assert (evidence.time, evidence.watched, evidence.waiting, evidence.apart) == (moment, 30, 0, 0.0)
    evidence = seen(
        (100.0, waiting(range(20), 9)), (moment, waiting(range(30), 1)), (moment + 60, waiting(range(30), 2))
    )
    assert (evidence.watched, evidence.waiting, evidence.apart) == (30, 30, 60.0)


def test_a_stack_that_a_dump_did_not_show_begins_with_the_next() -> None:
    evidence = seen((100.0, []), (400.0, waiting(range(20), 1)), (700.0, waiting(range(20), 6)))
    assert (evidence.watched, evidence.waiting, evidence.apart) == (20, 20, 300.0)


def test_a_goroutine_listed_twice_counts_once() -> None:
    evidence = seen((100.0, waiting(range(20)) * 3), (400.0, waiting(range(20), 5) * 3))
    assert (evidence.watched, evidence.waiting) == (20, 20)


def test_what_is_suspected_no_longer_is_forgotten() -> None:
    witness = Witness()
    first = Dump((*waiting(range(20)), *waiting(range(50, 60), at=OTHER)), cut_short=False)
    witness.take_dump(100.0, first, [LEAK, OTHER])
    witness.take_dump(200.0, first, [OTHER])
    assert witness.about([LEAK]) is None
    witness.forget([OTHER])
    assert witness.about([OTHER]) is None


def test_a_leak_of_several_stacks_is_added_up() -> None:
    witness = Witness()
    witness.take_reasons(50.0, {LEAK: "chan send", OTHER: "select"})
    witness.take_dump(100.0, Dump(tuple(waiting(range(20), 2)), cut_short=False), [LEAK, OTHER])
    second = (*waiting(range(20), 7), *waiting(range(50, 90), 1, "IO wait", at=OTHER))
    witness.take_dump(400.0, Dump(second, cut_short=False), [LEAK, OTHER])
    witness.take_leaked(500.0, {LEAK: 18, OTHER: 4, stack("third"): 5})
    # The second stack was seen but once: nothing is known of whether it stays.
    assert witness.about([LEAK, OTHER, LEAK]) == Evidence(500.0, 22, 20, 20, 300.0, 420.0, "IO wait")


def test_without_a_dump_reasons_tell_what_most_stacks_wait_for() -> None:
    witness = Witness()
    witness.take_reasons(50.0, {stack("a"): "select", stack("b"): "select", LEAK: "chan send"})
    assert witness.about([LEAK]) == Evidence(50.0, blocked_in="chan send")
    assert witness.about([stack("a"), stack("b"), LEAK]) == Evidence(50.0, blocked_in="select")


def test_stacks_match_though_dumps_leave_out_the_runtime() -> None:
    whole = Stack((*LEAK.frames, Frame("runtime.main", "/go/proc.go", 290)))
    witness = Witness()
    witness.take_dump(100.0, Dump(tuple(waiting(range(3))), cut_short=False), [whole])
    evidence = witness.about([whole])
    assert evidence is not None
    assert evidence.watched == 3


def test_the_latest_goroutineleak_profile_counts() -> None:
    witness = Witness()
    witness.take_leaked(100.0, {LEAK: 18})
    witness.take_leaked(200.0, {LEAK: 20})
    assert witness.about([LEAK]) == Evidence(200.0, 20)
    witness.take_leaked(300.0, {})
    assert witness.about([LEAK]) is None


@pytest.mark.parametrize(
    ("evidence", "grown", "proves"),
    [
        (Evidence(1.0), 0, False),
        (Evidence(1.0, never=1), 0, True),
        (Evidence(1.0, never=9), 20, False),
        (Evidence(1.0, never=10), 20, True),
        (Evidence(1.0, watched=9, waiting=9, apart=300.0), 9, False),
        (Evidence(1.0, watched=20, waiting=18, apart=300.0), 20, False),
        (Evidence(1.0, watched=20, waiting=19, apart=300.0), 20, True),
        (Evidence(1.0, watched=20), 20, False),
    ],
)
def test_what_proves_a_leak(evidence: Evidence, grown: int, proves: bool) -> None:
    assert evidence.proves(grown) is proves


def test_memory_is_bounded() -> None:
    witness = Witness()
    crowd = [stack(f"f{number}") for number in range(MAX_STACKS + 5)]
    witness.take_reasons(1.0, dict.fromkeys(crowd, "select"))
    witness.take_leaked(1.0, dict.fromkeys(crowd, 1))
    assert witness.about(crowd) == Evidence(1.0, MAX_STACKS, blocked_in="select")
    dump = Dump((*waiting(range(MAX_IDS - 5)), *waiting(range(MAX_IDS, MAX_IDS + 10), at=OTHER)), cut_short=False)
    for moment in (100.0, 5000.0, 100_000.0):  # far apart: each is a first one
        witness.take_dump(moment, dump, [LEAK, OTHER])
        assert [known.watched for known in map(witness.about, ([LEAK], [OTHER])) if known] == [MAX_IDS - 5, 5]
    witness.take_dump(200_000.0, dump, [OTHER])
    assert [known.watched for known in map(witness.about, ([LEAK], [OTHER])) if known] == [10]


def test_a_goroutineleak_body_of_a_hundred_thousand_records_is_taken_in_seconds() -> None:
    records = b"".join(
        b'1 @ 0x%x 0x48c3ca\n# labels: {"request":"%d"}\n#\t0x%x\tmain.f%d+0x76\t/src/app/pool.go:%d\n\n'
        % (number, number, number, number % 50_000, number)
        for number in range(1, 100_001)
    )
    body = b"goroutineleak profile: total 100000\n" + records
    begin = time.process_time()
    counts = CountsParser().parse(body)
    witness = Witness()
    witness.take_leaked(1.0, counts.by_stack)
    assert time.process_time() - begin < 10.0
    assert counts.total == len(counts.by_stack) == 100_000
