"""What the report's page is told: recordings and incidents as data for JSON, cut to a size that browsers open at once.

The page's scripts (``templates/``) show these numbers, and add up those of a call graph's nodes as ``CallGraph`` does;
what there is to show is decided here. Times are Unix seconds. Long columns of numbers are texts with spaces between
them, which take a fraction of the memory, here and in the browser.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pprofwatch.leaks.culprit import culprit
from pprofwatch.report.callgraph import FOLDED, build_call_graph
from pprofwatch.report.instants import OTHERS
from pprofwatch.report.samples import VALUE_TYPES, Samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pprofwatch.report.callgraph import CallGraph
    from pprofwatch.report.incidents import Incident
    from pprofwatch.report.instants import Instant
    from pprofwatch.report.recording import Recording

#: All recordings of a page together, in characters of JSON; with its scripts, a page then has less than 10 MB.
MAX_SIZE = 8_000_000
#: At first a page shows so many stacks of a recording, numbers of them, and nodes a call graph; fewer where that is too
#: long.
_MOST_STACKS = 2000
_MOST_NUMBERS = 600_000
_MOST_NODES = 15_000
_FEWEST_INSTANTS = 60
#: Frames of a stack beyond so many are counted only.
_DEEPEST = 500
#: Longer names are cut, in characters.
_LONGEST_NAME = 400
#: The whole numbers that JavaScript has.
_MOST = 2**53 - 1
_MAX_INCIDENTS = 500
#: A call graph of each kind, by whether it is inverted, and shows the runtime's frames.
_GRAPHS = {
    "direct": (False, False),
    "direct-runtime": (False, True),
    "inverted": (True, False),
    "inverted-runtime": (True, True),
}


def overview(recordings: Sequence[Recording], incidents: Iterable[Incident], notes: Sequence[str]) -> dict[str, Any]:
    """What the page shows of all recordings together.

    Args:
        recordings: Those of ``Recordings.finish``.
        incidents: What the daemon has found.
        notes: Sentences about what was left out, or could not be read.
    """
    known = sorted(incidents, key=lambda incident: incident.began)[-_MAX_INCIDENTS:]
    return {
        "series": [[recording.target, recording.profile, recording.seconds] for recording in recordings],
        "incidents": [_incident(incident) for incident in known],
        "notes": list(notes),
        "folded": FOLDED,
        "others": OTHERS.frames[0].function,
    }


def series(recording: Recording, max_size: int = MAX_SIZE) -> dict[str, Any]:
    """One recording, in at most ``max_size`` characters of JSON: with as many stacks and instants as that allows."""
    most_stacks, most_numbers, most_nodes = _MOST_STACKS, min(_MOST_NUMBERS, max_size // 4), _MOST_NODES
    while True:
        data = _series(recording, most_stacks, most_numbers, most_nodes)
        if most_stacks == 1 or len(as_json(data)) <= max_size:
            return data
        most_stacks = max(1, min(most_stacks, len(data["stacks"])) // 2)
        most_numbers, most_nodes = most_numbers // 2, most_nodes // 2


def as_json(data: object) -> str:
    """JSON that can stand inside of a ``<script>`` element: ASCII, without ``<``, ``>`` and ``&``."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _series(recording: Recording, most_stacks: int, most_numbers: int, most_nodes: int) -> dict[str, Any]:
    types = VALUE_TYPES[recording.profile]
    default = types.index(Samples(recording.profile, types, (), 0.0).value_type())
    everything = recording.instants
    shown = _most_important(everything.kept, default, most_stacks, leave_out=everything.number_of_others)
    left = len(everything.stacks) - len(shown)
    stacks = [everything.stacks[number] for number in shown] + ([OTHERS] if left else [])
    instants = _some(everything.kept, most_numbers // max(1, len(stacks) * len(types)))
    texts = _Texts()
    graphs = {
        name: _graph(
            build_call_graph(stacks, inverted=inverted, with_runtime=with_runtime, max_nodes=most_nodes), texts
        )
        for name, (inverted, with_runtime) in _GRAPHS.items()
    }
    columns = [_columns(instants, shown, index, others=bool(left)) for index in range(len(types))]
    timeline = recording.timeline
    points = timeline.points
    return {
        "target": recording.target,
        "profile": recording.profile,
        "seconds": recording.seconds,
        "types": [[known.name, known.unit] for known in types],
        "value": default,
        "entries": timeline.entries,
        "failed": timeline.failed,
        "damaged": recording.damaged,
        "left": left,
        "totals": [[time for time, _ in points], [total for _, total in points]],
        "holes": [list(hole) for hole in timeline.holes],
        "restarts": timeline.restarts,
        "instants": [instant.time for instant in instants],
        "sums": [[_whole(instant.totals[index]) for instant in instants] for index in range(len(types))],
        "stacks": [
            {
                "frames": _numbers(
                    texts.number(text)
                    for frame in stack.frames[:_DEEPEST]
                    for text in (frame.function, f"{frame.file}:{frame.line}" if frame.file else "")
                ),
                "more": max(0, len(stack.frames) - _DEEPEST),
                "first": min(stack.frames.index(culprit(stack)), _DEEPEST - 1),
                "values": [column[row] for column in columns],
            }
            for row, stack in enumerate(stacks)
        ],
        "graphs": graphs,
        "texts": texts.all,
    }


def _most_important(instants: Sequence[Instant], index: int, count: int, *, leave_out: int | None) -> list[int]:
    """The numbers of the stacks that once had the largest shares of a value, or of its growth, the largest first."""
    shares: defaultdict[int, float] = defaultdict(float)
    growth: defaultdict[int, int] = defaultdict(int)
    for instant in instants:
        column = instant.columns[index]
        total = sum(map(abs, column)) or 1
        for stack, value in zip(instant.stacks, column, strict=True):
            shares[stack] = max(shares[stack], abs(value) / total)
    for sign, instant in ((-1, instants[0]), (1, instants[-1])):
        for stack, value in zip(instant.stacks, instant.columns[index], strict=True):
            growth[stack] += sign * value
    grown = sum(map(abs, growth.values())) or 1
    for stack, value in growth.items():
        shares[stack] = max(shares[stack], abs(value) / grown)
    if leave_out is not None:
        shares.pop(leave_out, None)
    return sorted(shares, key=lambda stack: -shares[stack])[:count]


def _some(instants: Sequence[Instant], count: int) -> list[Instant]:
    """At most about ``count`` instants, evenly chosen, the first and the last among them."""
    step = -(-len(instants) // max(count, _FEWEST_INSTANTS))
    return [*instants[:-1:step], instants[-1]]


def _columns(instants: Sequence[Instant], shown: Sequence[int], index: int, *, others: bool) -> list[str]:
    """The values of each stack shown, then of all others together; as differences from instant to instant."""
    rows = {stack: row for row, stack in enumerate(shown)}
    columns: list[list[int]] = [[] for _ in range(len(shown) + others)]
    last = [0] * len(columns)
    for instant in instants:
        values = [0] * len(columns)
        for stack, value in zip(instant.stacks, instant.columns[index], strict=True):
            values[rows.get(stack, -1)] += value
        values = [_whole(value) for value in values]
        for column, value, before in zip(columns, values, last, strict=True):
            column.append(value - before)
        last = values
    return [_numbers(column) for column in columns]


def _graph(graph: CallGraph, texts: _Texts) -> dict[str, Any]:
    return {
        "functions": _numbers(map(texts.number, graph.functions)),
        "parents": _numbers(graph.parents),
        "places": " ".join(",".join(str(texts.number(place)) for place in places) for places in graph.places),
        "ends": _numbers(graph.ends),
        "folded": graph.folded,
    }


def _incident(incident: Incident) -> dict[str, Any]:
    leak = incident.leak
    return {
        "id": incident.id,
        "target": incident.target,
        "profile": incident.profile,
        "severity": incident.severity,
        "since": leak.since,
        "opened": incident.began if incident.opened_at is None else incident.opened_at,
        "resolved": incident.resolved_at,
        "from": _whole(leak.count_from),
        "peak": _whole(incident.peak),
        "function": _cut(leak.culprit.function),
        "place": _cut(f"{leak.culprit.file}:{leak.culprit.line}" if leak.culprit.file else ""),
    }


class _Texts:
    """Names and places, each once, and known by a number from then on."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @property
    def all(self) -> list[str]:
        return [_cut(text) for text in self._numbers]

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))


def _numbers(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def _whole(value: int) -> int:
    return max(-_MOST, min(_MOST, value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
