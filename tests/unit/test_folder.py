from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logmaker import START
from pprofwatch.errors import AlreadyRunningError, LogError
from pprofwatch.logs.folder import LogFolder, folder_name
from pprofwatch.logs.target_folder import TargetFolder

HOLD = """
import pathlib, sys
from pprofwatch.logs.folder import LogFolder
folder = LogFolder(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("localhost:6060", "localhost_6060"),
        ("http://shop:80/debug/pprof/", "http___shop_80_debug_pprof_"),
        ("[::1]:6060", "___1__6060"),
        ("", "_"),
        (".", "_"),
        ("..", "_."),
        (".lock", "_lock"),
        ("-rf", "_rf"),
        ("größe\x1b[31m", "gr__e__31m"),
    ],
)
def test_a_targets_name_becomes_a_folders(target: str, name: str) -> None:
    assert folder_name(target) == name


@given(st.text(max_size=300))
def test_any_name_makes_a_safe_folder(target: str) -> None:
    name = folder_name(target)
    assert name
    assert name not in (".", "..")
    assert len(name) <= 100
    assert name.isascii()
    assert not set(name) & set("/\\\0: \n")
    assert name[0] not in ".-"


def test_long_names_stay_apart() -> None:
    assert folder_name("a" * 200) != folder_name("a" * 201)


def test_a_second_daemon_is_refused_and_told_the_firsts_process_id(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with subprocess.Popen([sys.executable, "-c", HOLD, logs], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunningError, match=rf"^{logs}: process {first.pid} is already writing logs there$"):
            LogFolder(logs)
        first.kill()
    with LogFolder(logs) as folder, pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
        LogFolder(folder.path)
    LogFolder(logs).close()


def test_a_log_folder_is_made_with_its_parents_and_not_for_everyone(tmp_path: Path) -> None:
    with LogFolder(tmp_path / "var" / "logs") as folder:
        target = folder.target("localhost:6060")
        assert target.path == tmp_path / "var" / "logs" / "localhost_6060"
        assert target.path.stat().st_mode & 0o027 == 0
        assert folder.target("localhost:6060").path == target.path


def test_a_log_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LogError, match=rf"^{tmp_path}/file/logs: cannot create the log folder: Not a directory$"):
        LogFolder(tmp_path / "file" / "logs")
    with pytest.raises(LogError, match=rf"^{tmp_path}/file: cannot create the log folder: File exists$"):
        LogFolder(tmp_path / "file")


def test_a_log_folder_that_cannot_be_written_to_is_named() -> None:
    with pytest.raises(LogError, match=r"^/proc/\.lock: cannot open: "):  # nobody can, not even root
        LogFolder(Path("/proc"))


def test_what_was_planted_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a_1").symlink_to(elsewhere)
    (logs / "b_1").write_bytes(b"")
    with LogFolder(logs) as folder:
        with pytest.raises(LogError, match="a_1: expected a folder, not a symbolic link"):
            folder.target("a:1")
        with pytest.raises(LogError, match="b_1: cannot create the target's folder: File exists"):
            folder.target("b:1")
    (logs / ".lock").unlink()
    (logs / ".lock").symlink_to(elsewhere / "victim")
    with pytest.raises(LogError, match=r"\.lock: cannot open: "):
        LogFolder(logs)
    (logs / ".lock").unlink()
    os.mkfifo(logs / ".lock")
    with pytest.raises(LogError, match=r"\.lock: expected a regular file"):
        LogFolder(logs)
    assert list(elsewhere.iterdir()) == []


def test_binary_profiles_of_one_second_are_kept_apart(tmp_path: Path) -> None:
    folder = TargetFolder(tmp_path)
    assert folder.store_binary("profile", START + 0.1, b"first") == "profile/20261122T134953Z.pb.gz"
    assert folder.store_binary("profile", START + 0.9, b"second") == "profile/20261122T134953Z-2.pb.gz"
    assert folder.store_binary("trace", START, b"third") == "trace/20261122T134953Z.trace"
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.glob("*/*")}
    assert files == {
        "profile/20261122T134953Z.pb.gz": b"first",
        "profile/20261122T134953Z-2.pb.gz": b"second",
        "trace/20261122T134953Z.trace": b"third",
    }


def test_binary_profiles_stored_at_once_all_remain(tmp_path: Path) -> None:
    folder = TargetFolder(tmp_path)
    names: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: names.append(folder.store_binary("profile", START, b"%d" % n)))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 8
    assert {path.read_bytes() for path in tmp_path.glob("profile/*")} == {b"%d" % n for n in range(8)}


def test_a_binary_profile_that_cannot_be_stored_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "profile").write_bytes(b"in the way")
    with pytest.raises(LogError, match="profile: cannot store a profile: "):
        TargetFolder(tmp_path).store_binary("profile", START, b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["profile"]


def test_cleaning_removes_what_was_half_written_and_nothing_else(tmp_path: Path) -> None:
    ours = [
        "goroutine-20261122T134953Z.log.zst.tmp",
        "goroutine-20261122T134953Z-2.log.zst.tmp",
        "profile/20261122T134953Z.pb.gz.tmp",
        "trace/20261122T134953Z.trace.tmp",
    ]
    others = [
        "goroutine-20261122T134953Z.log",
        "heap-20261122T134953Z.log.zst",
        "goroutine.log",
        "goroutine.log.tmp",
        "notes.tmp",
        "shop-20261122T134953Z.log.zst.tmp",
        "profile/20261122T134953Z.pb.gz",
        "profile/mine.pb.gz.tmp",
        "incidents/20261122T134953Z.pb.gz.tmp",
    ]
    for name in ours + others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    waiting = TargetFolder(tmp_path).clean()
    assert waiting == [tmp_path / "goroutine-20261122T134953Z.log"]
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(others)
