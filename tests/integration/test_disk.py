"""The daemon on disks that are full, fail, or change under it: real ones, with real faults."""

from __future__ import annotations

import dataclasses
import os
import random
import resource
import struct
from typing import TYPE_CHECKING

import pytest

from badserver import GOROUTINE, answer, serve
from daemons import LATE, Run, config_for, running, target, until
from disks import ext4, fill, take_all_names, tmpfs
from pprofwatch.collect.health import ERROR, WARNING
from pprofwatch.logs.entry import encode_entry
from pprofwatch.logs.folder import LogFolder, folder_name
from pprofwatch.logs.names import closed_name
from pprofwatch.logs.reader import read_entries
from pprofwatch.model import ProfileRequest

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from badserver import BadServer, Behaviour, Request
    from pprofwatch.config.settings import Config
    from pprofwatch.model import Entry

pytestmark = pytest.mark.anyio
QUICK = ProfileRequest("goroutine", every=0.01)
#: A segment of a few entries.
SMALL = 5 * len(GOROUTINE)
NOT_LOGGED = "could not be written to the log"
#: A tick that was not polled at, since the machine is busy: not what these tests are about.


def quick_config(tmp_path: Path, *servers: BadServer, **logs: float) -> Config:
    """Polls as fast as can be; only what a test asks for is a reason to remove anything."""
    logs = {"keep_free": 1024, "keep_age": 1e10, "rotate_size": 64 << 10, **logs}
    return config_for(tmp_path, *(target(server.address, QUICK) for server in servers), **logs)


def folder_of(run: Run, server: BadServer) -> Path:
    return run.config.logs.folder / folder_name(server.address)


def lines(run: Run, *priorities: int) -> list[str]:
    return [line for priority, line in run.lines if priority in priorities]


def accounts_for(entries: list[Entry], server: BadServer) -> bool:
    """Whether each poll that was made is an entry, or counted in one; the daemon may have ended during the last."""
    polls = sum(entry.gap or 1 for entry in entries if entry.error != LATE)
    return len(server.requests) - 1 <= polls <= len(server.requests)


async def more_polls(server: BadServer, count: int = 20) -> None:
    await server.asked(len(server.requests) + count)


async def test_a_full_disk_is_said_once_and_polls_go_on_until_there_is_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "size=1m") as disk:
        async with serve(answer(GOROUTINE)) as server:
            async with running(quick_config(disk, server)) as run:
                await run.logged(server.address, 10)
                fill(disk / "ballast")
                await run.said(".log: cannot write: No space left on device (said once, until it works again)")
                await more_polls(server)
                assert len(lines(run, ERROR)) == 1
                (disk / "ballast").unlink()
                await run.said("works again, after: No space left on device")
                await more_polls(server)
            entries = list(read_entries([folder_of(run, server)]))
        assert len(lines(run, ERROR)) == 1
        assert {entry.error for entry in entries if entry.gap} - {LATE} == {NOT_LOGGED}
        assert accounts_for(entries, server)
        # Who watches for leaks has seen all of them.
        assert len(run.watches[server.address].seen) >= len(server.requests) - 1


async def test_without_inodes_a_new_segment_waits_for_one(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        with tmpfs(tmp_path / "disk", "size=4m,nr_inodes=60") as disk:
            async with running(quick_config(disk, server, rotate_size=SMALL)) as run:
                await run.logged(server.address, 10)
                others = disk / "others"
                others.mkdir()
                take_all_names(others)
                old = list(folder_of(run, server).glob("goroutine-2*"))
                # As long as there are old logs, those are removed to make place.
                await until(lambda: not any(path.exists() for path in old))
                while not lines(run, ERROR):
                    take_all_names(others)
                    await more_polls(server, 5)
                await more_polls(server)
                assert {line.rpartition(": ")[2] for line in lines(run, ERROR)} == {
                    "No space left on device (said once, until it works again)"
                }
                for name in others.iterdir():
                    name.unlink()
                await run.said("works again, after: No space left on device")
                await more_polls(server)
                entries = list(read_entries([folder_of(run, server)]))
            assert entries[-1].body


async def test_so_much_of_the_disk_stays_free_by_removing_the_oldest(tmp_path: Path) -> None:
    keep_free, segment = 2 << 20, 64 << 10
    async with serve(answer(GOROUTINE)) as server:
        with tmpfs(tmp_path / "disk", "size=4m") as disk:
            config = quick_config(disk, server, rotate_size=segment, keep_free=keep_free, keep_size=2 << 20)
            closed = old_segments(config.logs.folder / "older", 12, segment)
            async with running(config) as run:
                await run.logged(server.address, 3)
                assert all(path.exists() for path in closed)
                (disk / "ballast").write_bytes(bytes(free(disk) - keep_free + 2 * segment))
                await until(lambda: free(disk) >= keep_free)
                await more_polls(server)
                assert free(disk) >= keep_free - segment
                assert [path.exists() for path in closed] == sorted(path.exists() for path in closed)
                assert closed[-1].exists()
                assert lines(run, ERROR, WARNING) == []
                # Another program takes what was to stay free: all that is closed goes, and what is live goes on.
                (disk / "more").write_bytes(bytes(keep_free - 2 * segment))
                await run.said("of keep_free, and no old log is left to remove (said once, until it works again)")
                await more_polls(server)
                assert run.entries(server.address)[-1].body
                (disk / "more").unlink()
                await run.said("works again, after: the disk has some")
    assert len(lines(run, ERROR)) == 1


def old_segments(folder: Path, count: int, size: int) -> list[Path]:
    """Closed segments of years past, oldest first."""
    folder.mkdir(parents=True)
    paths = [folder / closed_name("goroutine", 1.5e9 + number) for number in range(count)]
    for path in paths:
        path.with_name(path.name + ".zst").write_bytes(bytes(size))
    return [path.with_name(path.name + ".zst") for path in paths]


def free(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


async def test_logs_take_no_more_than_their_budget_and_a_segment_however_many_there_are(tmp_path: Path) -> None:
    keep_size, rotate_size = 400 << 10, 128 << 10
    most = 0
    async with serve(noise()) as one, serve(noise()) as two, serve(noise()) as three:
        targets = [target(server.address, ProfileRequest("goroutine", every=0.1)) for server in (one, two, three)]
        config = quick_config(tmp_path, keep_size=keep_size, rotate_size=rotate_size)
        config = dataclasses.replace(config, targets=tuple(targets))
        folder = config.logs.folder
        # Targets that were polled before, and are not any more.
        old_segments(folder / "older", 4, 32 << 10)
        (folder / "old").mkdir()
        (folder / "old" / "goroutine.log").write_bytes(bytes(200 << 10))
        os.utime(folder / "old" / "goroutine.log", (1.6e9, 1.6e9))
        async with running(config) as run:
            await run.logged(three.address, 1)
            while len(three.requests) < 25:
                await more_polls(three, 1)
                most = max(most, taken(folder))
            # No log alone has grown to rotate_size, and yet there is no room for all of them.
            assert not (folder / "old" / "goroutine.log").exists()
            assert list((folder / folder_name(three.address)).glob("goroutine-2*"))
    assert keep_size / 2 < most <= keep_size + rotate_size
    assert lines(run, ERROR, WARNING) == []


def noise() -> Behaviour:
    """A profile of 16 KB that can't be compressed well."""
    rng = random.Random(1)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> bool:
        pcs = " ".join(f"{pc:#x}" for pc in struct.unpack("800Q", rng.randbytes(6400)))
        return await answer(f"goroutine profile: total 1\n1 @ {pcs}\n\n".encode())(request, writer)

    return behave


def taken(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        if not path.is_dir():
            try:
                total += path.lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


async def test_a_disk_that_becomes_read_only_is_said_once_and_keeps_nobody_from_ending(tmp_path: Path) -> None:
    with ext4(tmp_path / "disk") as disk:
        async with serve(answer(GOROUTINE)) as server:
            async with running(quick_config(disk.path, server, sync_interval=0.1)) as run:
                await run.logged(server.address, 10)
                await until(lambda: server.address in run.watches)
                before = len(run.entries(server.address))
                disk.fail()
                await run.said("(said once, until it works again)")
                await more_polls(server)
            # That nothing can be synced, and then that no segment can be closed.
            assert 1 <= len(lines(run, ERROR)) <= 2
            assert len(run.watches[server.address].seen) >= len(server.requests) - 1
        disk.unmount()
        disk.mount()
        left = list(read_entries([folder_of(run, server)], on_problem=lambda _: None))
        assert len(left) >= before - 11  # what the last 100 ms had not synced yet
        # The next start cuts off what was never written, and goes on.
        async with serve(answer(GOROUTINE)) as server:
            async with running(quick_config(disk.path, server)) as run:
                await run.logged(server.address, 3)
            assert lines(run, ERROR, WARNING) == []


async def test_the_log_folder_is_made_again_where_another_program_moved_it_away(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        config = quick_config(tmp_path, server)
        async with running(config) as run:
            await run.logged(server.address, 5)
            config.logs.folder.rename(tmp_path / "moved")
            await run.said("goroutine.log: another program renamed or removed it; the next entry begins a new one")
            await run.logged(server.address, 5)
            # It is ours: no other daemon may have it.
            assert (config.logs.folder / ".lock").read_text() == f"{os.getpid()}\n"
        moved = list(read_entries([tmp_path / "moved"]))
        assert accounts_for([*moved, *read_entries([folder_of(run, server)])], server)
    assert lines(run, ERROR, WARNING) == []


async def test_a_folder_that_another_process_has_taken_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        config = quick_config(tmp_path, server)
        async with running(config) as run:
            await run.logged(server.address, 5)
            config.logs.folder.rename(tmp_path / "moved")
            with LogFolder(config.logs.folder):
                await run.said(f"process {os.getpid()} is already writing logs there (said once")
                await more_polls(server)
                assert [path.name for path in config.logs.folder.iterdir()] == [".lock"]
            await run.said("works again, after: ")
            await run.logged(server.address, 5)
        entries = [*read_entries([tmp_path / "moved"]), *read_entries([folder_of(run, server)])]
    assert accounts_for(entries, server)
    assert len(lines(run, ERROR)) == 1


async def test_without_descriptors_polls_are_counted_until_there_are_some(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serve(answer(GOROUTINE)) as server:
        async with running(quick_config(tmp_path, server, rotate_size=SMALL, sync_interval=0.05)) as run:
            await run.logged(server.address, 10)
            resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
            try:
                await run.said("Too many open files")
                await more_polls(server)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            count = len(await run.logged(server.address, 0))
            await run.logged(server.address, count + 5)
        entries = list(read_entries([folder_of(run, server)]))
    assert accounts_for(entries, server)
    assert {entry.error for entry in entries if entry.gap} <= {LATE, NOT_LOGGED}
    assert len([line for line in lines(run, ERROR) if "Too many open files" in line]) == 1


@pytest.mark.parametrize("kind", ["symbolic link", "FIFO"])
async def test_what_is_planted_in_a_logs_place_is_not_touched_and_hangs_nobody(tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    async with serve(answer(GOROUTINE)) as server:
        config = quick_config(tmp_path, server)
        path = config.logs.folder / folder_name(server.address) / "goroutine.log"
        path.parent.mkdir(parents=True)
        path.symlink_to(victim) if kind == "symbolic link" else os.mkfifo(path)
        async with running(config) as run:
            await run.said(f"{path}: ")
            await more_polls(server, 10)
            assert len(run.watches[server.address].seen) >= 10
            assert path.is_symlink() or path.is_fifo()
            path.unlink()
            await run.said("works again, after: ")
            await run.logged(server.address, 3)
        assert accounts_for(list(read_entries([folder_of(run, server)])), server)
    assert victim.read_bytes() == b"theirs"
    assert len(lines(run, ERROR)) == 1


async def test_a_start_amid_damage_goes_on_behind_it(tmp_path: Path) -> None:
    async with serve(answer(GOROUTINE)) as server:
        config = quick_config(tmp_path, server, rotate_size=40 * len(GOROUTINE))
        async with running(config) as run:
            await until(lambda: len(list(folder_of(run, server).glob("goroutine-2*.zst"))) >= 2)
            await run.logged(server.address, 80)
        folder = folder_of(run, server)
        whole = list(read_entries([folder]))
        zeroed, cut = sorted(folder.glob("goroutine-2*.zst"))[:2]
        data = bytearray(zeroed.read_bytes())
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
        zeroed.write_bytes(data)
        os.truncate(cut, cut.stat().st_size // 2)
        with (folder / "goroutine.log").open("ab+") as live:  # the last entry may just have closed it
            live.write(b"".join(encode_entry(entry) for entry in whole[:10]))
            live.seek(0)
            data = bytearray(live.read())
        for place in (20, len(data) // 2):
            data[place] ^= 0x10
        (folder / "goroutine.log").write_bytes(data)
        # Killed while it was compressing: what was begun is finished.
        waiting = folder / "goroutine-20200101T000000Z.log"
        waiting.write_bytes(b"".join(encode_entry(entry) for entry in whole[:10]))
        for stale in (f"{waiting.name}.zst.tmp", "goroutine-20261122T134953Z.log.zst.tmp"):
            (folder / stale).write_bytes(b"half")
        async with running(config) as again:
            await until(lambda: len(again.watches[server.address].seen) >= 10 if again.watches else False)
            await until(lambda: not waiting.exists())
        assert list(read_entries([f"{waiting}.zst"])) == whole[:10]
        assert list(folder.glob("*.tmp")) == []
    assert lines(again, ERROR, WARNING) == []
    left = list(read_entries([folder], on_problem=lambda _: None))
    # A segment with its only frame damaged is lost; of the live one, the entries whose bits flipped.
    new = [entry.time for entry in again.watches[server.address].seen]
    times = [entry.time for entry in left if entry.body]
    assert times[-5:] == new[-5:]
    assert set(times) - set(new) < {entry.time for entry in whole}
