"""Errors that nobody foresaw: they must be told, and stop nobody else."""

from __future__ import annotations

import traceback
from pathlib import Path


def describe_mistake(error: Exception) -> str:
    """An error that nobody foresaw, in a line: its text may hold anything, so its place must do."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"a mistake of ours ({type(error).__name__} at {place}): please report it"
