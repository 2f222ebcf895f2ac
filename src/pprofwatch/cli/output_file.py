"""The file that ``-o`` names: written whole or not at all, and never over another one unless that is asked for."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pprofwatch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

#: Standard output.
STDOUT = "-"


def force_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--force``."""
    return click.option("--force", is_flag=True, help="Overwrite what -o names.")(command)


def check_output(path: str, *, force: bool, binary: bool = False) -> None:
    """Find out before the work is done whether its result can be written.

    Raises:
        UsageError: The file is there and ``force`` is not set, its folder is not there, or a terminal would get binary
            data.
    """
    if path == STDOUT:
        if binary and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError("-o -: a terminal can't show this: name a file, or pipe it on")
        return
    place = Path(path)
    if place.is_dir() or path.endswith("/"):
        raise UsageError(f"-o {path}: expected a file, not a folder")
    if not place.parent.is_dir():
        raise UsageError(f"-o {path}: there is no folder {place.parent}")
    if os.path.lexists(path) and not force:
        raise UsageError(f"-o {path}: is there already; --force overwrites it")


def write_output(path: str, data: bytes, *, force: bool) -> None:
    """Write a file beside its name, and then give it the name; whatever happens, no part of it is left.

    Raises:
        UsageError: Another has the name meanwhile.
        OSError: It can't be written.
    """
    if path == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    final = Path(path)
    if force and final.exists() and not final.is_file():
        final.write_bytes(data)  # /dev/stdout and its like: there is nothing to replace
        return
    descriptor, temporary = tempfile.mkstemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, not a path
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        if force:
            Path(temporary).replace(final)
        else:
            os.link(temporary, final)
    except FileExistsError:
        raise UsageError(f"-o {path}: is there already; --force overwrites it") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
