"""Annotations: one line each, whatever names hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pprofwatch.cli.github import annotation
from pprofwatch.leaks.evidence import Evidence
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.model import Frame, Stack
from pprofwatch.report.check import CheckedLeak
from pprofwatch.times import parse_time

NOW = parse_time("2026-11-22T13:52:00Z")
STACK = Stack((Frame("main.forward", "/src/app/dispatch.go", 41),))
LEAK = Leak(STACK, Severity.LEAK, NOW, NOW - 3600, NOW, count_from=3, count_to=63, total_from=76, total_to=136)


def test_an_annotation_stands_at_the_line_and_says_what_the_alert_says() -> None:
    proven = replace(LEAK, severity=Severity.PROVEN, evidence=Evidence(NOW, never=60, blocked_in="chan send"))
    assert annotation(CheckedLeak("app", "goroutine", proven)) == (
        "::error file=/src/app/dispatch.go,line=41,title=app%3A goroutines grow without bound in main.forward::"
        "3 → 63 since 12:52 UTC (+1 a minute ± 0.3), total 76 → 136%0A"
        "60 of them can never run again (goroutineleak)%0A"
        "/src/app/dispatch.go:41, blocked in chan send"
    )


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.SUSPECTED, "warning"),
        (Severity.STUCK, "warning"),
        (Severity.LEAK, "error"),
        (Severity.PROVEN, "error"),
        (Severity.RUNAWAY, "error"),
    ],
)
def test_what_may_be_nothing_is_a_warning(severity: Severity, level: str) -> None:
    line = annotation(CheckedLeak("app", "goroutine", replace(LEAK, severity=severity)))
    assert line.startswith(f"::{level} file=")


def test_names_can_neither_end_the_command_nor_begin_another() -> None:
    evil = Stack((Frame("main.f\n::error::x,line=1:%0A\x1b[2J", "/src/50%,a:b\r.go", 7),))
    line = annotation(CheckedLeak("a\nb", "goroutine", replace(LEAK, stack=evil)))
    assert line.isprintable()
    properties, _, message = line.removeprefix("::error ").partition("::")
    fields = properties.split(",")
    assert [field.partition("=")[0] for field in fields] == ["file", "line", "title"]
    assert fields[0] == "file=/src/50%25%2Ca%3Ab\\x0d.go"
    assert fields[2].endswith("in main.f\\x0a%3A%3Aerror%3A%3Ax%2Cline=1%3A%250A\\x1b[2J")
    assert message.endswith("%0A/src/50%25,a:b\\x0d.go:7")


def test_a_stack_without_a_file_has_no_place() -> None:
    unnamed = replace(LEAK, stack=Stack((Frame("0x48c3ca", "", 0),)))
    assert annotation(CheckedLeak("", "goroutine", unnamed)).startswith(
        "::error title=this log%3A goroutines grow without bound in 0x48c3ca::"
    )
