"""What README and its like say, held to the code."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.message import alert
from pprofwatch.cli.verbs import NAME, VERBS, Group
from pprofwatch.config.settings import LeakConfig
from pprofwatch.leaks.evidence import Evidence
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.logs.entry import parse_header
from pprofwatch.model import Frame, Stack
from pprofwatch.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "tests/data/recordings/README.md", *DECISIONS]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# Commands and formats


def code_lines(text: str) -> Iterator[str]:
    """The lines of code blocks, and what stands in backticks."""
    for block in re.split(r"(?m)^```.*$", text)[1::2]:
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))


def find_command(words: list[str]) -> click.Command:
    command: click.Command = Group(NAME)
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"no command {word} in: {' '.join(words)}"
        command = found
    return command


def flags_of(command: click.Command) -> set[str]:
    return {flag for param in command.get_params(click.Context(command)) for flag in param.opts}


COMMANDS = sorted({line for line in code_lines(README) if re.search(rf"(^|[\s/(]){NAME} [a-z]", line)})


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_in_the_readme_exists_with_its_flags(line: str) -> None:
    words = re.split(rf"{NAME} (?=[a-z])", line)[-1].split()
    assert {word for word in words if word.startswith("--")} <= flags_of(find_command(words))


def test_every_verb_is_in_the_readme() -> None:
    assert [verb for verb in VERBS if not any(f"{NAME} {verb}" in line for line in COMMANDS)] == []


def test_a_flag_in_the_readme_exists() -> None:
    known = set().union(*(flags_of(find_command([verb])) for verb in VERBS))
    assert {line.split()[0] for line in code_lines(README) if line.startswith("--")} <= known


def test_the_alert_in_the_readme_is_what_an_alert_looks_like() -> None:
    now = parse_time("2026-11-22T13:52:00Z")
    since = parse_time("2026-11-22T13:07:30Z")
    evidence = Evidence(now, never=1198, oldest=44 * 60, blocked_in="chan send")
    leak = Leak(
        Stack((Frame("main.(*Dispatcher).forward", "/src/app/dispatch.go", 41),)),
        Severity.PROVEN,
        *(now, since, now),
        *(3, 1204, 76, 1290),
        evidence=evidence,
    )
    incident = "20261122T135200Z-3fa9c1d2"
    kept = f"incidents/{incident}"
    event = Event(Action.OPENED, now, incident, "localhost:6060", "goroutine", leak, kept=kept)
    text = alert(event, Path("/var/log/pprofwatch/localhost_6060"), LeakConfig())
    assert f"```text\n13:52:00Z {text}\n```" in README


@pytest.mark.parametrize("page", [ROOT / "README.md", DECISIONS[0]], ids=page_name)
def test_an_entrys_header_in_a_page_is_one(page: Path) -> None:
    headers = re.findall(r"(?m)^    (\S+Z \S+ \w+ bytes=.*)$", page.read_text())
    assert headers
    assert all(parse_header(header.encode()) for header in headers)


# Files


def test_every_promise_has_its_test() -> None:
    promises = re.findall(r"`(tests/\S+\.py)`", README)
    assert promises
    assert [path for path in promises if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_decisions_are_numbered_and_say_what_why_and_what_was_given_up() -> None:
    assert [page.name[:5] for page in DECISIONS] == [f"{number:04}-" for number in range(1, len(DECISIONS) + 1)]
    for number, page in enumerate(DECISIONS, 1):
        text = page.read_text()
        assert text.startswith(f"# {number}. ")
        assert "\n## Given up\n" in text


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_nothing_is_left_to_be_written(page: Path) -> None:
    assert re.findall(r"\b(?:TODO|FIXME|TBD|XXX)\b", page.read_text()) == []


# Dependencies


def read_constraints() -> dict[str, str]:
    """The versions that are pinned, by canonical names."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins: dict[str, str] = {}
    for line in lines:
        match = re.fullmatch(r"([\w.-]+)==([\w.]+)(; python_version .+)?", line)
        assert match, f"expected NAME==VERSION, not {line}"
        pins[canonicalize_name(match[1])] = match[2]
    assert len(pins) == len(lines)
    return pins


def wanted() -> list[Requirement]:
    """All that the project asks for, also to be built, tested and linted."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    texts = [
        *PROJECT["build-system"]["requires"],
        *project["dependencies"],
        *(text for extra in extras for text in extra),
    ]
    return [Requirement(text) for text in texts]


def test_every_dependency_is_pinned_to_a_version_that_will_do() -> None:
    pins = read_constraints()
    for requirement in wanted():
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), str(requirement)


def test_what_dependencies_depend_on_is_pinned() -> None:
    pins = read_constraints()
    waiting = [requirement.name for requirement in wanted()]
    seen: set[str] = set()
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            requirements = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:  # the linters, say, where only the tests were installed
            continue
        waiting += [each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    assert seen - pins.keys() == set()
