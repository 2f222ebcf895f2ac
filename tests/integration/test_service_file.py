"""The service file, as systemd's own tools judge it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "pprofwatch.service"
SYSUSERS = FOLDER / "pprofwatch.sysusers"
#: What `systemd-analyze security` may say at most: 0 is shut, 10 is open.
MOST_EXPOSED = 1.5


def run(program: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"needs {program} (Debian: apt-get install systemd)")
    return subprocess.run([path, *args], capture_output=True, text=True, timeout=60, check=False)


def exposure(unit: Path) -> float:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    if "offline" in done.stderr:
        pytest.skip("needs systemd 250 or later: this one can't judge a file")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stderr
    return float(found[1])


def test_the_service_is_hardened() -> None:
    assert exposure(UNIT) <= MOST_EXPOSED


def test_the_hardening_is_what_is_judged(tmp_path: Path) -> None:
    bare = tmp_path / UNIT.name
    bare.write_text("[Service]\nType=notify\nExecStart=/bin/true\n")
    assert exposure(bare) > MOST_EXPOSED


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name  # with a program that exists here
    copy.write_text(re.sub(r"(?m)^(ExecStart|ExecReload)=\S+", r"\1=/bin/true", UNIT.read_text()))
    done = run("systemd-analyze", "verify", copy)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_the_services_user_is_the_one_that_is_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", SYSUSERS)
    assert done.returncode == 0, done.stderr
    service = read_unit()["Service"]
    assert (tmp_path / "etc/passwd").read_text().startswith(f"{service['User']}:")
    assert (tmp_path / "etc/group").read_text().startswith(f"{service['Group']}:")


def test_a_mistake_in_the_configuration_is_not_tried_again() -> None:
    service = read_unit()["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2 3")


def test_a_thousand_targets_whose_names_can_t_be_resolved_leave_threads_for_the_rest() -> None:
    assert int(read_unit()["Service"]["TasksMax"]) >= 2000


def read_unit() -> configparser.ConfigParser:
    """The unit, in which the last of several lines with one key counts."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return unit
