"""``go tool pprof -top``: what our numbers are held to."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from pathlib import Path

#: Its row: flat, flat%, sum%, cum, cum%, function. Numbers have their unit, which is the one that was asked for.
_ROW = re.compile(r"\s*(-?\d+)[a-zA-Z]*\s+\S+%\s+\S+%\s+(-?\d+)[a-zA-Z]*\s+\S+%\s+(.*?)(?: \((?:partial-)?inline\))?")
#: What keeps it from rounding, by the value's unit.
_UNITS = {"bytes": ["-unit=B"], "nanoseconds": ["-unit=ns"], "count": []}


def go_top(go: Path, profile: Path, value: str, unit: str, *more: str) -> dict[str, tuple[int, int]]:
    """Each function's flat and cum, those left out for which both are 0."""
    result = run_pprof(go, "-top", f"-sample_index={value}", *_UNITS[unit], *more, str(profile))
    rows = [match for line in result.splitlines() if (match := _ROW.fullmatch(line))]
    assert rows, result
    return {row[3]: (int(row[1]), int(row[2])) for row in rows if (row[1], row[2]) != ("0", "0")}


def run_pprof(go: Path, *args: str) -> str:
    """What ``go tool pprof`` prints, with all functions, however small."""
    everything = ["-nodecount=100000", "-nodefraction=0", "-edgefraction=0"]
    environment = {
        "GOCACHE": str(platformdirs.user_cache_path("go-build")),
        "HOME": "/nonexistent",
        **os.environ,
        "GOTOOLCHAIN": "local",
        "PPROF_TMPDIR": "/nonexistent",
    }
    done = subprocess.run(
        [go, "tool", "pprof", *everything, *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
