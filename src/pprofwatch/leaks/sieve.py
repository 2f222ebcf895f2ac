"""Which series need no judging: a quick look at each, as its block closes, that leaves few to look at closely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.leaks.series import STRIDE
from pprofwatch.leaks.suspicion import BLOCKS_BEFORE, DEATHS
from pprofwatch.leaks.trend import may_begin_by
from pprofwatch.leaks.verdict import LAST_BLOCKS, LONG_BLOCKS, LONG_PAUSE, PAUSE, TRAFFIC_BLOCKS

if TYPE_CHECKING:
    from pprofwatch.leaks.series import Series

#: The early blocks of a run under traffic end so many blocks ago at least.
_SINCE_EARLY = TRAFFIC_BLOCKS * 5 // 6 - 1


def may_leak(series: Series, min_count: int) -> bool:
    """Whether a series may be a leak or a suspect. Only a no is certain: ``judge`` and ``is_suspect`` would say it too.

    This is not asked of what may be runaway or near a limit: those need no past.
    """
    blocks, last = series.blocks, series.last
    if last < min_count or series.level > LONG_PAUSE:
        return False
    # No growth is more than what is there now. Where so many died, it is traffic, and must have risen clear of itself.
    is_traffic = sum(blocks[2 - STRIDE * BLOCKS_BEFORE :: STRIDE]) > DEATHS * last
    is_old = len(blocks) > STRIDE * BLOCKS_BEFORE
    if is_traffic and is_old and blocks[-STRIDE] < 2 * min_count + max(blocks[1 : 3 * STRIDE : STRIDE]):
        clear = min(blocks[-STRIDE * LAST_BLOCKS :: STRIDE]) - min_count
        if clear < 0 or clear < min(blocks[1 : -STRIDE * _SINCE_EARLY : STRIDE], default=last):
            return False
    floors, peaks = blocks[0::STRIDE], blocks[1::STRIDE]
    # If it was as high before, its growth must have begun before that, too.
    as_high = next((block for block, peak in enumerate(peaks) if peak >= last), len(floors) - 1)
    if may_begin_by(as_high, floors, last, PAUSE):
        return True
    return len(floors) >= LONG_BLOCKS and may_begin_by(as_high, floors, last, LONG_PAUSE)
