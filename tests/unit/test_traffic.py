"""A leak that traffic hides in its swing, told by another stack through which the same traffic runs."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.trend import Course
from simulated import EVERY, HOUR, MINUTE, START, added, found, leak, server, stack, waves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pprofwatch.model import Stack
    from simulated import Poll

PRICE = stack("main.(*Order).price", "main.serveOrder")
RESERVE = stack("main.(*Stock).reserve", "main.serveStock")
REQUESTS = {stack(f"main.handle{i}", f"main.serve{i}"): 8 + 4 * i for i in range(4)}
HOURS = 3
POLLS = HOURS * HOUR // EVERY


def tides(rng: random.Random) -> list[float]:
    """How busy a server is: it wanders about 1, and comes back within an hour."""
    now, busy = 0.0, []
    for _ in range(POLLS):
        now += rng.gauss(0, 0.04) - now * EVERY / HOUR
        busy.append(math.exp(now - 0.3))
    return busy


def calls(rng: random.Random, busy: Iterable[float], level: float, lifetime: float) -> Iterator[int]:
    """Calls that begin at random, the more the busier, and last ``lifetime`` seconds in the mean."""
    stays = math.exp(-EVERY / lifetime)
    running = 0
    for tide in busy:
        begun, at = 0, rng.expovariate(1)
        while at < level * tide * EVERY / lifetime:
            begun, at = begun + 1, at + rng.expovariate(1)
        running = begun + sum(rng.random() < stays for _ in range(running))
        yield running


def polls(seed: int, *, lost: bool, share: float = 1, alike: bool = True) -> list[Poll]:
    """A server with two kinds of calls, of the first of which one in 40 s never returns if ``lost``.

    The first kind comes ``share`` times as often after two hours; with ``alike``, both come as the same tide has it.
    """
    rng = random.Random(seed)
    tide = tides(rng)
    shift = [1 + (share - 1) * min(1.0, max(0.0, number * EVERY / HOUR - 1 / 3) / 2) for number in range(POLLS)]
    first = calls(rng, [busy * more for busy, more in zip(tide, shift, strict=True)], 60, 2 * MINUTE)
    second = calls(rng, tide if alike else tides(random.Random(seed + 100)), 96, 84)
    series: dict[Stack, Iterator[int]] = {
        PRICE: added(first, leak(40, after=20 * MINUTE)) if lost else first,
        RESERVE: second,
    }
    return server(HOURS, series | {each: waves(rng, level) for each, level in REQUESTS.items()})


@pytest.mark.parametrize("seed", [0, 4, 8, 11])
def test_it_is_found_beside_what_the_same_traffic_moves(seed: int) -> None:
    (one,) = found(polls(seed, lost=True))
    assert one.stack == PRICE
    assert one.detected_at - START <= 150 * MINUTE


@pytest.mark.parametrize("seed", [4, 6, 7, 11])
def test_where_nothing_moves_alike_it_may_take_longer(seed: int) -> None:
    (one,) = found(polls(seed, lost=True))
    others = found(polls(seed, lost=True, alike=False))
    assert all(other.detected_at >= one.detected_at + 30 * MINUTE for other in others)


@pytest.mark.parametrize("share", [1, 2, 3])
@pytest.mark.parametrize("seed", [4, 10, 25, 30])
def test_traffic_that_goes_ever_more_often_there_is_none(seed: int, share: float) -> None:
    assert not found(polls(seed, lost=False, share=share))


def test_a_course_is_a_line_and_what_swings_about_it() -> None:
    course = Course.of([3, 6, 7, 10, 11, 14])
    assert course.slope == pytest.approx(2.0857, abs=1e-4)
    assert sum(course.swing) == pytest.approx(0)
    assert [level - above for level, above in zip(course.levels, course.swing, strict=True)] == pytest.approx(
        [8.5 + 2.0857 * (number - 2.5) for number in range(6)], abs=1e-3
    )
    assert course.significance == pytest.approx(2.0857 / math.sqrt(course.squares / 4 / 17.5), rel=1e-3)
    assert Course.of([5, 5, 5]).significance == 0


def test_a_swing_that_lasts_proves_less() -> None:
    quick = Course.of([i + 3 * (-1) ** i for i in range(60)])
    slow = Course.of([i + 3 * (-1) ** (i // 10) for i in range(60)])
    assert slow.significance < quick.significance / 2
