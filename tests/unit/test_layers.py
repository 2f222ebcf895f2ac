"""Who may import what: the architecture, as DESIGN has it, held by the imports that stand in the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pprofwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(pprofwatch.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PURE = {"profiles", "leaks", "report"}
IMPURE_MODULES = {"anyio", "asyncio", "click", "httpx", "os", "socket", "subprocess", "sys", "threading", "time"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def imports(path: Path, *, at_top: bool = False) -> Iterator[str]:
    """The modules that a file imports when it runs; ``at_top``: when it is loaded."""
    tree = ast.parse(path.read_bytes())
    for node in _running(tree, at_top=at_top):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} has a relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _running(node: ast.AST, *, at_top: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if at_top and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield child
        yield from _running(child, at_top=at_top)


def importers(module: str, *, at_top: bool = False) -> set[str]:
    return {
        name(path)
        for path in FILES
        if any(found == module or found.startswith(f"{module}.") for found in imports(path, at_top=at_top))
    }


def test_one_module_of_collect_alone_speaks_http() -> None:
    speaking = set().union(*map(importers, ["httpx", "httpcore", "h11", "http.client", "urllib.request", "aiohttp"]))
    assert [Path(file).parts[0] for file in speaking] == ["collect"]


@pytest.mark.parametrize("path", [path for path in FILES if layer(path) in PURE], ids=name)
def test_profiles_leaks_and_reports_have_no_clock_file_or_socket(path: Path) -> None:
    assert not {module.split(".")[0] for module in imports(path)} & IMPURE_MODULES
    names = {node.id for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Name)}
    assert not names & {"open", "print", "input"}


def test_only_the_command_line_prints() -> None:
    printing = {
        name(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_bytes()))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr", "click.echo"))
    }
    assert {Path(file).parts[0] for file in printing} <= {"cli"}


def test_only_the_command_line_imports_the_command_line() -> None:
    assert {Path(file).parts[0] for file in importers("pprofwatch.cli") | importers("click")} <= {"cli", "__main__.py"}


@pytest.mark.parametrize("module", ["rich", "plotille"])
def test_what_draws_is_imported_only_when_something_is_drawn(module: str) -> None:
    assert {Path(file).parts[0] for file in importers(module)} <= {"cli"}
    assert not importers(module, at_top=True)


def test_the_command_line_starts_without_what_only_some_verbs_need() -> None:
    heavy = ["httpx", "h11", "anyio", "rich", "plotille", "jinja2", "google.protobuf", "msgspec", "ssl", "asyncio"]
    script = f"import sys, pprofwatch.cli; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
