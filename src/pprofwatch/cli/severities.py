"""The option ``--min-severity``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pprofwatch.leaks.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

#: By the names that a user gives, the least first.
SEVERITIES = {severity.value: severity for severity in Severity}


def severity_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option, as ``min_severity``, a key of ``SEVERITIES``; without it, all but what is only suspected."""
    return click.option(
        "--min-severity",
        type=click.Choice(tuple(SEVERITIES)),
        default=Severity.STUCK.value,
        show_default=True,
        help=help_text,
    )
