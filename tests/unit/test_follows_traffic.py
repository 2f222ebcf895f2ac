"""Growth without deaths that is slow while the traffic is low: of what leaks with it, and of what fills up."""

from __future__ import annotations

import math
import random
from itertools import count
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.trend import Partial
from simulated import EVERY, MINUTE, START, found, server, stack, waves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pprofwatch.model import Stack
    from simulated import Poll

KEEP = stack("main.(*Tenant).keep", "main.serveTenant")
REQUESTS = {stack(f"main.handle{i}", f"main.serve{i}"): 8 + 4 * i for i in range(6)}
HOURS = 2
PERIOD = 110 * MINUTE


def busy(at: float, swing: float) -> float:
    """How busy a server is that is polled from a peak on."""
    return 1 + swing * math.cos(2 * math.pi * at / PERIOD)


def kept(rng: random.Random, per_second: float, swing: float, *, places: float = math.inf) -> Iterator[int]:
    """What comes with the traffic and never goes; where there are ``places``, into one at random, if it is free."""
    number, at = 0, 0.0
    peak = per_second * (1 + swing)
    for poll in count():
        while at <= poll * EVERY:
            at += rng.expovariate(peak)
            comes = rng.random() < busy(at, swing) / (1 + swing)
            number += comes and (places == math.inf or rng.random() >= number / places)
        yield number


def polls(series: Iterator[int], swing: float, seed: int) -> list[Poll]:
    rng = random.Random(seed)

    def requests(level: float) -> Iterator[int]:
        steady = waves(rng, level, swing=0)
        return (round(each * busy(poll * EVERY, swing)) for poll, each in enumerate(steady))

    others: dict[Stack, Iterator[int]] = {each: requests(level) for each, level in REQUESTS.items()}
    return server(HOURS, {KEEP: series} | others)


@pytest.mark.parametrize(("seed", "swing"), [(0, 0.6), (1, 0.8), (3, 0.8), (6, 0.6)])
def test_what_leaks_with_the_traffic_is_found_once_that_has_come_back(seed: int, swing: float) -> None:
    (one,) = found(polls(kept(random.Random(seed), 0.15, swing), swing, seed))
    assert one.stack == KEEP
    assert 75 * MINUTE <= one.detected_at - START <= 90 * MINUTE


@pytest.mark.parametrize("places", [100, 300, 600])
@pytest.mark.parametrize("seed", [2, 5, 8])
def test_what_fills_up_meanwhile_is_no_leak(seed: int, places: int) -> None:
    assert not found(polls(kept(random.Random(seed), 0.15, 0.8, places=places), 0.8, seed))


def test_a_share_and_a_line_are_told_apart() -> None:
    rng = random.Random(1)
    others = [50 + 30 * math.sin(block / 9) for block in range(90)]
    values = [rng.gauss(4 + 0.2 * other + 0.05 * block, 3) for block, other in enumerate(others)]
    partial = Partial.of(values, others)
    assert partial is not None
    assert partial.slope == pytest.approx(0.05, abs=3 * partial.error)
    assert 0 < partial.error < 0.03
    assert partial.share > 5
    assert sum(partial.fitted) == pytest.approx(sum(values))
    rest = sum((value - fit) ** 2 for value, fit in zip(values, partial.fitted, strict=True)) / 87
    assert partial.variance == pytest.approx(max(rest, sum(values) / 90))


def test_beside_what_lies_on_a_line_itself_nothing_can_be_told() -> None:
    assert Partial.of([1, 5, 2, 8, 3], [2, 4, 6, 8, 10]) is None
    assert Partial.of([1, 5, 2, 8, 3], [7, 7, 7, 7, 7]) is None


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_growth_that_is_quick_while_others_are_idle_does_not_follow_them(seed: int) -> None:
    (one,) = found(polls(kept(random.Random(seed), 0.15, 0.6), -0.6, seed))
    assert one.detected_at - START >= 95 * MINUTE  # what follows them is found by minute 90
