from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logmaker import START
from pprofwatch.logs.files import StoredFile, stored_files
from pprofwatch.logs.names import binary_name, closed_name, evidence_name, live_name
from pprofwatch.logs.retention import Outcome, apply_retention, is_short, plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pprofwatch.errors import LogError

DAY = 86400.0
FOLDER = Path("/logs/app_1")


def closed(day: float, size: int = 10, *, log: str = "goroutine", number: int = 1) -> StoredFile:
    stamp = START + day * DAY
    return StoredFile(FOLDER / closed_name(log, stamp, number), "closed", log, stamp, number, size, stamp, space=size)


def binary(day: float, size: int = 10) -> StoredFile:
    stamp = START + day * DAY
    return StoredFile(
        FOLDER / "profile" / binary_name("profile", stamp), "binary", "profile", stamp, 1, size, stamp, space=size
    )


def live(size: int = 10) -> StoredFile:
    return StoredFile(FOLDER / live_name("goroutine"), "live", "goroutine", 0.0, 0, size, START, space=size)


def removed(
    files: list[StoredFile],
    *,
    day: float = 0,
    keep_size: int = 10**9,
    keep_age: float = 90,
    short: int = 0,
    at_least: int = 0,
) -> list[StoredFile]:
    now = START + day * DAY
    return plan(
        files,
        now=now,
        keep_size=keep_size,
        keep_age=keep_age * DAY,
        rotate_age=DAY,
        short=short,
        at_least=at_least,
    )


def apply(
    log_dir: Path,
    *,
    now: float = START,
    keep_size: int = 10**9,
    keep_free: int = 0,
    keep_age: float = DAY,
    live: Iterable[Path] | None = None,
) -> Outcome:
    """Applies it where all can be removed, and all live segments are written to."""
    return apply_retention(
        log_dir,
        live=set(log_dir.rglob("goroutine.log") if live is None else live),
        now=now,
        keep_size=keep_size,
        keep_free=keep_free,
        keep_age=keep_age,
        rotate_age=DAY,
        on_error=lambda error: pytest.fail(str(error)),
    )


def test_nothing_is_removed_within_size_and_age() -> None:
    assert removed([live(), closed(0), binary(0)], day=30, keep_size=30) == []


def test_the_oldest_go_first_until_the_rest_fits() -> None:
    files = [live(10), closed(3), closed(1, log="heap"), binary(2), closed(0)]
    assert removed(files, day=4, keep_size=49) == [closed(0)]
    assert removed(files, day=4, keep_size=30) == [closed(0), closed(1, log="heap")]
    assert removed(files, day=4, keep_size=0) == [closed(0), closed(1, log="heap"), binary(2), closed(3)]


def test_the_oldest_go_until_so_much_and_so_many_are_gone() -> None:
    files = [live(10), closed(3), closed(1), closed(0, 0), closed(2)]
    assert removed(files, short=-5, at_least=-3) == []
    assert removed(files, short=11) == [closed(0, 0), closed(1), closed(2)]
    assert removed(files, at_least=2) == [closed(0, 0), closed(1)]
    assert removed(files, short=1, keep_size=15, at_least=99) == [closed(0, 0), closed(1), closed(2), closed(3)]


def test_segments_of_one_second_go_in_the_order_in_which_they_were_written() -> None:
    files = [closed(0, number=10), closed(0, number=2), closed(0)]
    assert removed(files, keep_size=10) == [closed(0), closed(0, number=2)]


def test_a_segment_goes_when_all_of_its_entries_are_too_old() -> None:
    files = [closed(0), binary(0), binary(0.9), closed(0.9)]
    assert removed(files, day=90.0) == []
    assert removed(files, day=90.5) == [binary(0)]
    assert removed(files, day=91.5) == [closed(0), binary(0), binary(0.9)]


@given(
    st.lists(st.builds(closed, st.floats(0, 200), st.integers(0, 100), number=st.integers(1, 999)), max_size=30),
    st.integers(0, 1000),
    st.integers(0, 2000),
)
def test_what_remains_fits_and_is_the_youngest(files: list[StoredFile], live_size: int, keep_size: int) -> None:
    gone = removed([*files, live(live_size)], day=200, keep_size=keep_size, keep_age=100)
    kept = [file for file in files if file not in gone]
    assert sum(file.size for file in kept) + live_size <= keep_size or not kept
    assert all(file.stamp + DAY >= START + 100 * DAY for file in kept)
    assert all(old.stamp <= young.stamp for old in gone for young in kept)


def test_files_that_are_not_ours_are_neither_counted_nor_removed(tmp_path: Path) -> None:
    target = tmp_path / "logs" / "app_1"
    outside = tmp_path / "outside"
    for folder in (target / "profile", target / "incidents", outside / "app_2"):
        folder.mkdir(parents=True)
    ours = ["goroutine-20200101T000000Z.log.zst", "heap-20200101T000000Z-2.log", "profile/20200101T000000Z.pb.gz"]
    ours += ["incidents/20200101T000000Z-3fa9c1d2/goroutine-20200101T000000Z.txt"]
    not_ours = [
        "goroutine.log",
        "notes.txt",
        "goroutine-20200101T000000Z.log.gz",
        "goroutine-20200101T000000Z.log.bak",
        "goroutine-20200101T000000Z-0.log",
        "goroutine-20200101T000000Z-1.log",
        "goroutine-20200101.log",
        "goroutine-20209999T000000Z.log",
        "Goroutine-20200101T000000Z.log",
        "shop-20200101T000000Z.log",
        " goroutine-20200101T000000Z.log",
        "goroutine-20200101T000000Z.log\n",
        "profile/20200101T000000Z.trace",
        "profile/cpu.pb.gz",
        "incidents/20200101T000000Z.pb.gz",
        "incidents/incidents.log",
        "incidents/delivered.json",
        "incidents/goroutine-20200101T000000Z.txt",
        "incidents/20200101T000000Z-3fa9c1d2/notes.txt",
        "incidents/20200101T000000Z-3fa9c1d2/goroutine-20200101T000000Z.log",
        "incidents/20200101T000000Z-3fa9c1d2/heap-20200101T000000Z.txt",
        "incidents/20200101T000000Z-3fa9c1d2/goroutineleak-20200101T000000Z.pb.gz",
        "incidents/20200101T000000Z-3FA9C1D2/goroutine-20200101T000000Z.txt",
        "incidents/20200101T000000Z/goroutine-20200101T000000Z.txt",
        "incidents/.suspected/goroutine-20200101T000000Z.txt",
    ]
    for name in ours + not_ours:
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_bytes(b"x" * 100)
    victim = outside / "app_2" / "goroutine-20200101T000000Z.log"
    victim.write_bytes(b"x")
    (target.parent / "goroutine-20200101T000000Z.log").write_bytes(b"beside the targets' folders")
    (target.parent / "app_2").symlink_to(outside / "app_2")
    (target / "goroutine-20200102T000000Z.log").symlink_to(victim)
    (outside / "goroutine-20200101T000000Z.txt").write_bytes(b"x")
    (target / "incidents" / "20200102T000000Z-3fa9c1d2").symlink_to(outside)
    (target / "goroutine-20200103T000000Z.log").mkdir()
    os.mkfifo(target / "goroutine-20200104T000000Z.log")
    # Whoever has the other name still wants it: nothing would become free.
    (tmp_path / "backup").write_bytes(b"x")
    (target / "goroutine-20200105T000000Z.log.zst").hardlink_to(tmp_path / "backup")
    before = set(tmp_path.rglob("*"))

    gone, _, taken, _ = apply(target.parent, keep_size=0)
    assert {file.path for file in gone} == {target / name for name in ours}
    assert before - set(tmp_path.rglob("*")) == {target / name for name in ours}
    assert {file.path.name for file in stored_files(target) if file.links == 1} == {"goroutine.log"}
    suspected = target / "incidents" / ".suspected" / "goroutine-20200101T000000Z.txt"
    assert taken == sum(space(path) for path in (target / "goroutine.log", suspected))


def space(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_sizes_are_counted_over_all_targets_as_they_are_on_the_disk(tmp_path: Path) -> None:
    rng = random.Random(1)
    block = 0
    for target in range(3):
        folder = tmp_path / f"app_{target}"
        folder.mkdir()
        for day in range(5):
            (folder / closed_name("goroutine", START + (3 * day + target) * DAY)).write_bytes(rng.randbytes(100))
        (folder / "goroutine.log").write_bytes(rng.randbytes(100))
        block = space(folder / "goroutine.log")
    gone, _, taken, _ = apply(tmp_path, keep_size=10 * block)
    assert [file.stamp for file in gone] == [START + day * DAY for day in range(8)]
    assert taken == 10 * block


def test_so_much_of_the_disk_is_left_free_as_can_be(tmp_path: Path) -> None:
    (tmp_path / "app_1").mkdir()
    for day in range(3):
        (tmp_path / "app_1" / closed_name("goroutine", START + day * DAY)).write_bytes(bytes(4096))
    assert not is_short(tmp_path, 1)
    assert apply(tmp_path, keep_free=1)[:2] == ([], 3)
    # More than there is: all goes that can.
    assert is_short(tmp_path, 1 << 60)
    gone, left, taken, free = apply(tmp_path, keep_free=1 << 60)
    assert (len(gone), left) == (3, 0)
    assert taken == 0
    assert 0 < free < 1 << 60


def test_the_live_segment_of_a_target_that_is_no_longer_polled_goes_as_a_closed_one(tmp_path: Path) -> None:
    for name in ("old", "polled"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "goroutine.log").write_bytes(bytes(4096))
        os.utime(tmp_path / name / "goroutine.log", (START + 2 * DAY, START + 2 * DAY))
    polled = tmp_path / "polled" / "goroutine.log"
    for day in (1, 3):
        (tmp_path / "polled" / closed_name("goroutine", START + day * DAY)).write_bytes(bytes(4096))
    block = space(polled)
    gone = apply(tmp_path, keep_size=2 * block, live={polled}).removed
    assert [file.path.parent.name for file in gone] == ["polled", "old"]
    assert apply(tmp_path, now=START + 100 * DAY, live={polled}).taken == block


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    errors: list[LogError] = []
    apply_retention(
        tmp_path / "missing",
        live=(),
        now=START,
        keep_size=0,
        keep_free=0,
        keep_age=0,
        rotate_age=DAY,
        on_error=errors.append,
    )
    assert [str(error) for error in errors] == [f"{tmp_path}/missing: cannot read: No such file or directory"]


INCIDENT = "20261122T134953Z-{:08x}"


def keep(target: Path, incident: str, *days: float, size: int = 100) -> Path:
    folder = target / "incidents" / incident
    folder.mkdir(parents=True, exist_ok=True)
    for day in days:
        (folder / evidence_name("goroutine.txt", START + day * DAY)).write_bytes(bytes(size))
    return folder


def test_evidence_counts_and_goes_with_its_folder_when_it_is_old(tmp_path: Path) -> None:
    old = keep(tmp_path / "app_1", INCIDENT.format(1), 0, 1)
    young = keep(tmp_path / "app_1", INCIDENT.format(2), 9)
    apply(tmp_path, now=START + 12 * DAY, keep_age=10 * DAY)
    assert not old.exists()
    assert young.is_dir()
    newest = tmp_path / "app_1" / closed_name("goroutine", START + 10 * DAY)
    newest.write_bytes(bytes(100))
    gone = apply(tmp_path, now=START + 12 * DAY, keep_size=space(newest), keep_age=10 * DAY).removed
    assert [file.path.parent for file in gone] == [young]


def test_the_newest_hundred_incidents_of_a_target_keep_their_evidence(tmp_path: Path) -> None:
    incidents = [keep(tmp_path / "app_1", f"202611{number:02}T000000Z-3fa9c1d2", number) for number in range(1, 31)]
    incidents += [
        keep(tmp_path / "app_1", f"202612{number:02}T000000Z-{n:08x}", 30 + number)
        for number in range(1, 31)
        for n in range(3)
    ]
    other = keep(tmp_path / "app_2", "20200101T000000Z-3fa9c1d2", 0)
    apply(tmp_path, keep_age=90 * DAY)
    assert [folder.exists() for folder in incidents] == [False] * 20 + [True] * 100
    assert other.exists()
