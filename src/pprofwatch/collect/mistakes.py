"""Errors that nobody foresaw: they must be told, and stop nobody else."""

from __future__ import annotations

import traceback
from pathlib import Path

from pprofwatch.errors import PprofwatchError


def describe_mistake(error: Exception) -> str:
    """An error in a line. The text of one that nobody foresaw may hold anything, so its place must do."""
    if isinstance(error, PprofwatchError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"a mistake of ours ({type(error).__name__} at {place}): please report it"
