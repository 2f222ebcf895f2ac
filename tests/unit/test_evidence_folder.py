"""Where evidence is kept: what is suspected, and the incident that it turns into."""

from __future__ import annotations

import resource
import threading
from typing import TYPE_CHECKING

import pytest

from logmaker import START
from pprofwatch.errors import LogError
from pprofwatch.logs.evidence_folder import EvidenceFolder
from pprofwatch.logs.files import stored_evidence
from pprofwatch.logs.names import EVIDENCE
from pprofwatch.logs.target_folder import TargetFolder

if TYPE_CHECKING:
    from pathlib import Path

INCIDENT = "20261122T142233Z-3fa9c1d2"


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by their paths in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_suspected_becomes_an_incident_s(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path)
    for number, kind in enumerate(EVIDENCE):
        evidence.store(kind, START + number, kind.encode())
    assert {path.rpartition("/")[0] for path in tree(tmp_path)} == {"incidents/.suspected"}
    assert evidence.adopt(INCIDENT) == f"incidents/{INCIDENT}"
    assert tree(tmp_path) == {
        f"incidents/{INCIDENT}/goroutine-20261122T134953Z.pb.gz": b"goroutine.pb.gz",
        f"incidents/{INCIDENT}/goroutine-20261122T134954Z.txt": b"goroutine.txt",
        f"incidents/{INCIDENT}/goroutineleak-20261122T134955Z.txt": b"goroutineleak.txt",
    }
    assert not (tmp_path / "incidents" / ".suspected").exists()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.*z")} == {0o640}
    assert (tmp_path / "incidents" / INCIDENT).stat().st_mode & 0o777 == 0o750


def test_more_evidence_joins_what_an_incident_has(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path)
    evidence.store("goroutine.txt", START, b"first")
    evidence.adopt(INCIDENT)
    evidence.store("goroutine.txt", START, b"of the same second")
    evidence.store("goroutine.txt", START + 60, b"second dump")
    assert EvidenceFolder(tmp_path).adopt(INCIDENT) == f"incidents/{INCIDENT}"
    assert tree(tmp_path / "incidents" / INCIDENT) == {
        "goroutine-20261122T134953Z.txt": b"first",
        "goroutine-20261122T134953Z-2.txt": b"of the same second",
        "goroutine-20261122T135053Z.txt": b"second dump",
    }
    assert not (tmp_path / "incidents" / ".suspected").exists()


def test_an_incident_without_evidence_has_no_folder(tmp_path: Path) -> None:
    assert EvidenceFolder(tmp_path).adopt(INCIDENT) == ""
    assert list(tmp_path.iterdir()) == []


def test_an_incident_keeps_its_folder_when_nothing_is_new(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path)
    evidence.store("goroutine.txt", START, b"x")
    assert evidence.adopt(INCIDENT) == evidence.adopt(INCIDENT) == f"incidents/{INCIDENT}"


def test_a_suspicion_that_comes_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path)
    evidence.discard()
    evidence.store("goroutine.txt", START, b"x")
    evidence.discard()
    assert tree(tmp_path) == {}
    assert list((tmp_path / "incidents").iterdir()) == []


def test_the_start_removes_what_a_killed_daemon_suspected(tmp_path: Path) -> None:
    EvidenceFolder(tmp_path).store("goroutine.txt", START, b"x")
    incidents = tmp_path / "incidents"
    (incidents / "incidents.log").write_bytes(b"{}\n")
    (incidents / ".suspected" / "notes.txt").write_bytes(b"not ours")
    (incidents / "goroutine-20261122T134953Z.txt.tmp").write_bytes(b"half")
    (incidents / "notes.txt.tmp").write_bytes(b"not ours")
    assert TargetFolder(tmp_path).clean() == []
    assert sorted(tree(incidents)) == [".suspected/notes.txt", "incidents.log", "notes.txt.tmp"]


def test_a_long_suspicion_keeps_the_newest(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path)
    for number in range(20):
        evidence.store("goroutine.txt", START + number, bytes([number]))
    assert sorted(tree(tmp_path).values()) == [bytes([number]) for number in range(8, 20)]


@pytest.mark.parametrize("place", ["incidents", "incidents/.suspected"])
def test_no_symbolic_link_is_followed(tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    (outside / ".suspected").mkdir(parents=True)
    for folder in (outside, outside / ".suspected"):
        (folder / "goroutine-20261122T134953Z.txt").write_bytes(b"not ours")
    target = tmp_path / "target"
    (target / place).parent.mkdir(parents=True)
    (target / place).symlink_to(outside)
    before = tree(outside)
    evidence = EvidenceFolder(target)
    with pytest.raises(LogError, match="expected a folder, not a symbolic link"):
        evidence.store("goroutine.txt", START, b"x")
    assert evidence.adopt(INCIDENT) == ""
    evidence.discard()
    TargetFolder(target).clean()
    assert tree(outside) == before
    assert stored_evidence(target) == []


def test_a_file_in_the_way_of_an_incident_s_folder_is_told(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path)
    evidence.store("goroutine.txt", START, b"x")
    (tmp_path / "incidents" / INCIDENT).write_bytes(b"in the way")
    with pytest.raises(LogError, match=f"{INCIDENT}: expected a folder"):
        evidence.adopt(INCIDENT)
    assert len(tree(tmp_path)) == 2


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(LogError, match=r"\.suspected: cannot keep evidence: "):
            EvidenceFolder(tmp_path).store("goroutine.txt", START, bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("attempt", range(8))
def test_no_file_is_lost_when_an_incident_opens_just_then(tmp_path: Path, attempt: int) -> None:
    """The loop that stores and the watch that opens incidents have threads of their own."""
    done = threading.Event()

    def store() -> None:
        for number in range(10):
            EvidenceFolder(tmp_path).store("goroutine.txt", START + number, bytes([attempt, number]))
        done.set()

    thread = threading.Thread(target=store)
    thread.start()
    opened = 0
    while not done.is_set():
        opened += bool(EvidenceFolder(tmp_path).adopt(f"20261122T142233Z-{opened:08x}"))
    thread.join()
    assert opened > 0
    assert sorted(tree(tmp_path).values()) == [bytes([attempt, number]) for number in range(10)]
