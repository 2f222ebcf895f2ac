"""Profiles in the forms that other programs read: pprof, collapsed stacks, speedscope, JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pprofwatch.model import Frame, Stack
    from pprofwatch.report.samples import Samples, ValueType

_SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_SPEEDSCOPE_UNITS = {"count": "none", "bytes": "bytes", "nanoseconds": "nanoseconds"}
#: What separates frames in collapsed stacks, and what stands for it in names.
_SEPARATORS = str.maketrans({";": ":", "\n": " ", "\r": " "})
#: How pprof calls what lies between two samples.
_PERIOD_TYPES = {"profile": ("cpu", "nanoseconds"), "heap": ("space", "bytes"), "allocs": ("space", "bytes")}


def export_pprof(samples: Samples) -> bytes:
    """A gzip file with a profile.proto: all values, functions, files and lines, as ``go tool pprof`` reads it."""
    # Loading protobuf takes longer than all else, and only this form needs it.
    from pprofwatch.profiles.encode import encode_profile  # noqa: PLC0415

    return encode_profile(
        [(each.name, each.unit) for each in samples.types],
        samples.rows,
        time=samples.time,
        duration=samples.duration,
        period_type=_PERIOD_TYPES.get(samples.kind, (samples.types[0].name, "count")),
        period=samples.period,
        default=samples.value_type().name,
    )


def export_collapsed(samples: Samples, value: str | None = None) -> str:
    """Collapsed stacks, as flame graph programs read them: ``root;…;leaf number``, the largest first.

    Raises:
        UsageError: The profile has no such value.
    """
    column = samples.column(value)
    lines = [
        f"{';'.join(name.translate(_SEPARATORS) for name in reversed(stack.functions))} {number}\n"
        for stack, number in sorted(column.items(), key=lambda item: -abs(item[1]))
    ]
    return "".join(lines)


def export_speedscope(samples: Samples, name: str) -> str:
    """What https://www.speedscope.app opens: a profile for each value; of a difference one that grew, one that shrank.

    Args:
        samples: A profile or a difference.
        name: What it shall be called.
    """
    frames: dict[Frame, int] = {}
    profiles = []
    for each in samples.types:
        column = samples.column(each.name)
        grown = {stack: number for stack, number in column.items() if number > 0}
        shrunk = {stack: -number for stack, number in column.items() if number < 0}
        # Weights can't be negative there.
        parts = [(f"{each.name} that grew", grown), (f"{each.name} that shrank", shrunk)] if shrunk else []
        for title, part in parts or [(each.name, grown)]:
            profiles.append(_speedscope_profile(title, each, part, frames))
    listed = [_frame_as_json(frame, name="name") for frame in frames]
    return _dump({"$schema": _SPEEDSCOPE_SCHEMA, "name": name, "shared": {"frames": listed}, "profiles": profiles})


def export_json(samples: Samples, name: str, time: str) -> str:
    """All of a profile as JSON: its values' types, and each stack, leaf first, with its values.

    Args:
        samples: A profile or a difference.
        name: The target's.
        time: When it was taken, as text.
    """
    return _dump(
        {
            "profile": samples.kind,
            "target": name,
            "time": time,
            "duration": samples.duration,
            "types": [{"value": each.name, "unit": each.unit} for each in samples.types],
            "stacks": [
                {"values": list(values), "frames": [_frame_as_json(frame) for frame in stack.frames]}
                for stack, values in samples.rows
            ],
        }
    )


def _speedscope_profile(
    title: str, value: ValueType, column: dict[Stack, int], frames: dict[Frame, int]
) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": title,
        "unit": _SPEEDSCOPE_UNITS[value.unit],
        "startValue": 0,
        "endValue": sum(column.values()),
        "samples": [[frames.setdefault(frame, len(frames)) for frame in reversed(stack.frames)] for stack in column],
        "weights": list(column.values()),
    }


def _frame_as_json(frame: Frame, name: str = "function") -> dict[str, Any]:
    place = {"file": frame.file, "line": frame.line} if frame.file else {}
    return {name: frame.function, **place}


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value) + "\n"  # in ASCII: no control characters
