"""A chart of totals over time, in text."""

from __future__ import annotations

import datetime as dt
from itertools import groupby, islice, pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Columns that plotille adds: the vertical axis with its numbers, and the horizontal one's arrow and label.
_AXIS_WIDTH = 22
#: Dots that a character of the chart is wide.
_DOTS = 2
#: Polls further apart than this many times the usual distance are not joined: nothing is known between them.
_GAP = 3.5
#: So many polls tell the usual distance.
_SAMPLE = 10_000


def draw_chart(
    times: Sequence[float], totals: Sequence[float], title: str, *, width: int, height: int, colour: bool
) -> str:
    """Draw a line of totals.

    Args:
        times: Unix seconds, in order; at least one.
        totals: As many.
        title: Stands above.
        width: In columns, axis and all.
        height: In lines, without title and axis.
        colour: Whether to use a terminal's colours.
    """
    from plotille import Figure  # noqa: PLC0415  # takes as long to load as the log may take to read

    figure = Figure()
    figure.width = max(10, width - _AXIS_WIDTH)
    figure.height = height
    figure.with_colors = colour
    figure.origin = False
    figure.x_label, figure.y_label = "UTC", "total"
    first, last = times[0], max(times[-1], times[0] + 1)
    low, high = min(totals), max(totals)
    figure.set_x_limits(first, last)
    figure.set_y_limits(low, max(high, low + height))  # numbers are whole: no two lines have the same
    figure.x_ticks_fkt = lambda time, _: _tick(float(time), last - first)
    figure.y_ticks_fkt = lambda total, _: f"{float(total):.0f}"
    for run in _runs(times, totals, (last - first) / (figure.width * _DOTS)):
        figure.plot([time for time, _ in run], [total for _, total in run], lc="cyan" if colour else None)
    return f"{title}\n{figure.show()}"


def _runs(times: Sequence[float], totals: Sequence[float], column: float) -> list[list[tuple[float, float]]]:
    """The polls, in runs that are joined, thinned out to the least and the most total in each column of dots."""
    distances = [after - before for before, after in pairwise(islice(times, _SAMPLE))] or [0.0]
    farthest = max(_GAP * median(distances), 2 * column)
    runs: list[list[tuple[float, float]]] = [[]]
    for _, group in groupby(zip(times, totals, strict=True), key=lambda poll: poll[0] // column):
        polls = list(group)
        if runs[-1] and polls[0][0] - runs[-1][-1][0] > farthest:
            runs.append([])
        runs[-1] += sorted({min(polls, key=lambda poll: poll[1]), max(polls, key=lambda poll: poll[1])})
    return runs


def _tick(time: float, span: float) -> str:
    """A time that says enough on an axis of this many seconds, in 9 characters."""
    form = "%H:%M:%S" if span < 86400 else "%d %H:%M" if span < 10 * 86400 else "%y-%m-%d"
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime(form)
