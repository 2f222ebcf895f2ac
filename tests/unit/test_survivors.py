"""A leak among many that come and end in waves of traffic, told by what adds up of all that is born."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.survivors import find_survivors
from simulated import EVERY, HOUR, MINUTE, added, at_random, found, server, stack, waves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SESSIONS = stack("main.(*Session).run", "main.serve")
OTHERS = {stack(f"main.handle{i}", f"main.serve{i}"): 8 + 4 * i for i in range(6)}
PERIOD = 25 * MINUTE


def sessions(
    seed: int,
    *,
    lifetime: Callable[[random.Random, float], float],
    level: float = 40,
    swing: float = 0.6,
    growth: float = 0,
) -> Iterator[int]:
    """Sessions that begin in waves, as many more within two hours as ``growth`` says; how many there are."""
    rng = random.Random(seed)
    mean = sum(lifetime(rng, 0) for _ in range(500)) / 500
    ends: list[float] = []
    for t in range(-4 * HOUR, 100 * HOUR, EVERY):
        traffic = (1 + swing * math.sin(2 * math.pi * t / PERIOD)) * (1 + growth * max(0, t) / (2 * HOUR))
        born = level / mean * EVERY * traffic
        count = int(born) + (rng.random() < born % 1) + rng.choice((-1, 0, 0, 1)) * (born > 2)
        ends = [end for end in ends if end > t] + [t + lifetime(rng, t) for _ in range(count)]
        if t >= 0:
            yield len(ends)


def of_minutes(minutes: float) -> Callable[[random.Random, float], float]:
    return lambda rng, _: rng.expovariate(1 / (minutes * MINUTE))


def seen(counts: Iterator[int], hours: float = 3) -> list[float]:
    """How many minutes it takes to find a leak among the sessions, beside handlers with as much to do."""
    rng = random.Random(1)
    others = {each: waves(rng, level, swing=0.6, period=PERIOD) for each, level in OTHERS.items()}
    polls = server(hours, {SESSIONS: counts, **others})
    leaks = found(polls)
    assert all(leak.stack == SESSIONS for leak in leaks)
    return [(leak.detected_at - polls[0][0]) / MINUTE for leak in leaks]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("minutes", [4, 8])
def test_what_is_forgotten_among_sessions_in_waves_is_found(seed: int, minutes: float) -> None:
    lost = at_random(random.Random(seed), 1 / 40)
    [after] = seen(added(sessions(seed, lifetime=of_minutes(minutes)), lost))
    assert after <= 125


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("lifetime", "growth"),
    [
        (of_minutes(4), 0),
        (of_minutes(12), 1),
        (lambda rng, _: rng.uniform(10, 20) * MINUTE, 1),
        (lambda rng, _: rng.lognormvariate(math.log(3 * MINUTE), 1.3), 1),
        (lambda rng, _: rng.expovariate(1 / (90 * MINUTE if rng.random() < 0.1 else 3 * MINUTE)), 0.5),
        (lambda rng, t: rng.expovariate(1 / (4 * MINUTE * (1 + max(0, t) / (3 * HOUR)))), 0),
    ],
    ids=["short", "ever more", "alike", "of all lengths", "some long", "ever longer"],
)
def test_sessions_that_all_end_are_no_leak(
    seed: int, lifetime: Callable[[random.Random, float], float], growth: float
) -> None:
    assert seen(sessions(seed, lifetime=lifetime, growth=growth)) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_as_many_are_found_as_stay(share: float) -> None:
    """Without any chance: births in waves, of which a share never ends."""
    births = [10 + 8 * math.sin(i / 4) for i in range(100)]
    alive, lost = 80.0, 0.0
    levels, falls = [], []
    for born in births:
        ended = alive * (1 - math.exp(-1 / 8))
        alive += (1 - share) * born - ended
        lost += share * born
        levels.append(alive + lost)
        falls.append(ended)
    survivors = find_survivors(levels, falls)  # type: ignore[arg-type]  # deaths are counts, but for the sake of this
    assert survivors.number == pytest.approx(share * sum(births), abs=0.1 * sum(births))
    assert (survivors.significance >= 5) == (share > 0)


@pytest.mark.parametrize("levels", [[0] * 60, [7] * 60, list(range(60)), list(itertools.chain([0] * 59, [1000]))])
def test_what_has_no_shape_tells_nothing(levels: list[float]) -> None:
    assert find_survivors(levels, [0] * 60).significance < 5
