"""How often a healthy server is suspected, which costs it a garbage collection and a dump each time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from pprofwatch.leaks.detector import Detector
from simulated import HOUR, MINUTE, START, server, sessions, stack, waves

if TYPE_CHECKING:
    from pprofwatch.model import Stack

LONG, SHORT, WAVES = stack("main.long"), stack("main.short"), stack("main.handle")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_traffic_is_suspected_a_few_times_a_day_at_most(seed: int) -> None:
    rng = random.Random(seed)
    polls = server(
        12,
        {
            LONG: sessions(rng, 0.2, 600),
            SHORT: sessions(rng, 1, 60),
            WAVES: waves(rng, 200, swing=0.8, period=120 * MINUTE),
        },
    )
    detector = Detector()
    begun = 0
    before: set[Stack] = set()
    for time, counts in polls:
        assert detector.observe(time, counts) == []
        suspected = {leak.stack for leak in detector.suspected} if time - START > HOUR else set()
        begun += len(suspected - before)
        before = suspected
    assert begun <= 8
