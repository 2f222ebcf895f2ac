"""Leaks as annotations of a GitHub Actions run: they show at the line to look at, in the run and in a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pprofwatch.alerts.message import growth, place, proof, what
from pprofwatch.alerts.words import cut
from pprofwatch.cli.safe_text import safe_text
from pprofwatch.leaks.severity import Severity

if TYPE_CHECKING:
    from pprofwatch.report.check import CheckedLeak

#: These alone fail no run.
_WARNINGS = (Severity.SUSPECTED, Severity.STUCK)


def annotation(checked: CheckedLeak) -> str:
    """A leak as one workflow command: ``::error file=…,line=…,title=…::message``.

    The form is that of GitHub's "Workflow commands for GitHub Actions". The runner makes a file below the workspace
    relative to it, which is how the annotation finds its line.
    """
    leak = checked.leak
    frame = leak.culprit
    properties = {"file": cut(frame.file), "line": str(frame.line)} if frame.file else {}
    properties["title"] = f"{checked.target or 'this log'}: {what(checked.profile, leak, 'grow')}"
    level = "warning" if leak.severity in _WARNINGS else "error"
    lines = [growth(checked.profile, leak, leak.time, None)[1], proof(leak)[1], place(leak)]
    fields = ",".join(f"{key}={_escape_property(safe_text(value))}" for key, value in properties.items())
    return f"::{level} {fields}::{_escape(chr(10).join(safe_text(line) for line in lines if line))}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
