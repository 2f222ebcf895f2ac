"""The report as one HTML page, which needs nothing else, and runs nothing but its own scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING

from pprofwatch import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEMPLATES = resources.files("pprofwatch.report") / "templates"
#: Libraries first. Each stands in a script element of its own; our own scripts share one.
_LIBRARIES = ("d3.min.js", "d3-flamegraph.umd.min.js", "uPlot.iife.min.js")
_SCRIPTS = ("words.js", "series.js", "timeline.js", "growth.js", "tree.js", "flame.js", "page.js")
#: d3-flame-graph adds a style element of its own, which the page's policy has to know.
_ADDED_STYLE = re.compile(r"\.textContent=`([^`]*)`")


def render_page(title: str, data: Iterable[str]) -> str:
    """The page.

    Args:
        title: What it is about.
        data: ``page.as_json`` of the overview, then of each series.
    """
    # Takes as long to load as all else that the command line needs at its start.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    libraries = [_read("vendor", name) for name in _LIBRARIES]
    scripts = [*libraries, "".join(_read("scripts", name) for name in _SCRIPTS)]
    style = _read("vendor", "uPlot.min.css") + _read("style.css")
    added = [found for library in libraries for found in _ADDED_STYLE.findall(library)]
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_read("report.html"))
    return template.render(
        title=title,
        version=__version__,
        policy=_policy(scripts, [style, *added]),
        # Ours, and free of what could end their elements: as_json escapes each "<".
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        data=[Markup(text) for text in data],
    )


def _policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """A content security policy under which just these run, and nothing is fetched from anywhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_digest, scripts))}",
            f"style-src {' '.join(map(_digest, styles))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(*path: str) -> str:
    return _TEMPLATES.joinpath(*path).read_text(encoding="utf-8")
