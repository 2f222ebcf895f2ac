"""The power is cut while the daemon writes: on a real disk, as far as the disk knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from disks import ext4
from numbered import serving
from powercut import PowerCut

if TYPE_CHECKING:
    from pathlib import Path

SYNC_INTERVAL = 0.5


@pytest.mark.root
def test_a_loss_of_power_costs_no_more_than_the_last_sync_interval(tmp_path: Path) -> None:
    """More of this: ``benchmarks/power_cut.py``."""
    with serving() as server, ext4(tmp_path / "disk") as disk:
        power = PowerCut(server, ("a", "b"), disk, SYNC_INTERVAL)
        lost = [power.cut_after(seconds) for seconds in (1.2, 0.6)]
    assert max(lost) <= SYNC_INTERVAL
    assert all(len(numbers) > 50 for numbers in power.kept.values())
