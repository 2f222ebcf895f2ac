"""Disks of their own for tests, small or failing: mounted by root, where the system lets it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

#: linux/fs/ext4/ext4.h: EXT4_IOC_SHUTDOWN, and the flag with which not even the journal reaches the disk.
_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2


def _mount(*arguments: str | Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")


def _unmount(path: Path, *options: str) -> None:
    subprocess.run(["umount", *options, path], check=True)


@contextlib.contextmanager
def tmpfs(path: Path, options: str) -> Iterator[Path]:
    """A disk in memory, with mount's options: ``size=1m``, ``nr_inodes=20``."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", options, "tmpfs", path)
    try:
        yield path
    finally:
        _unmount(path, "--lazy")


def fill(path: Path) -> None:
    """Write to a file until its disk is full."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, bytes(size))
    finally:
        os.close(descriptor)


def take_all_names(folder: Path) -> None:
    """Create files until there can be no more."""
    for number in range(100_000):
        try:
            (folder / str(number)).touch()
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017
            return
    raise AssertionError("this disk has no limit on files")


@dataclass
class Ext4:
    """An ext4 disk in a file. What is written is on it once it is synced, or after some seconds."""

    image: Path
    path: Path

    def mount(self) -> None:
        """Make it accessible at ``path``; what a loss of power left behind is cleaned up."""
        _mount("-o", "loop,errors=remount-ro", self.image, self.path)

    def unmount(self) -> None:
        _unmount(self.path)

    def cut_power(self) -> None:
        """From now on nothing reaches the disk, as if power were lost."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def fail(self) -> None:
        """Have the kernel find an error: it makes the disk read-only, as it does with a broken one."""
        loop = os.minor(self.path.stat().st_dev)
        try:
            Path(f"/sys/fs/ext4/loop{loop}/trigger_fs_error").write_text("injected by a test\n")
        except OSError as error:
            pytest.skip(f"the kernel can't be told to find an error here: {error}")


@contextlib.contextmanager
def ext4(path: Path, megabytes: int = 32) -> Iterator[Ext4]:
    """A mounted disk; where mkfs.ext4 or the loop device is missing, the test is skipped."""
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("needs mkfs.ext4 (package e2fsprogs)")
    path.mkdir()
    disk = Ext4(path.with_name(path.name + ".img"), path)
    with disk.image.open("wb") as image:
        image.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", disk.image], check=True)
    disk.mount()
    try:
        yield disk
    finally:
        if path.is_mount():
            _unmount(path, "--lazy")
