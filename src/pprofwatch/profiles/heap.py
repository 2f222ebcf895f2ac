"""What a heap profile's samples stand for."""

from __future__ import annotations

import math

_MAX_INT64 = 2**63 - 1


def scale_heap(objects: int, size: int, period: int) -> tuple[int, int]:
    """Estimates how many objects and bytes one record of a heap profile in text stands for.

    The runtime samples an allocation of s bytes with the probability 1 - exp(-s / period); dividing by it is what Go
    does itself for protobuf (``scaleHeapSample``), and ``go tool pprof`` for text.

    Args:
        objects: sampled objects of the record, in use or allocated.
        size: their size together, in bytes.
        period: the profile's sampling period in bytes; at most 1 means that there is nothing to scale.
    """
    if period <= 1 or objects == 0 or size == 0:
        return objects, size
    probability = -math.expm1(-abs(size / objects) / period)
    return _to_int64(objects / probability), _to_int64(size / probability)


def _to_int64(value: float) -> int:
    return max(-_MAX_INT64, min(_MAX_INT64, int(value)))
