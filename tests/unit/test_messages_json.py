"""Standard error as JSON: an object a line, whatever the text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from pprofwatch.alerts.incidents import Action
from pprofwatch.alerts.sinks.stderr import StderrSink
from pprofwatch.cli.messages import Messages, Style
from pprofwatch.config.settings import SinkConfig
from sinks import NOON, describe, make_event


def make_messages(style: Style = Style.PLAIN) -> tuple[Messages, io.StringIO]:
    stream = io.StringIO()
    messages = Messages(stream, style, now=lambda: NOON)
    messages.as_json = True
    return messages, stream


@pytest.mark.parametrize("style", [Style.PLAIN, Style.TERMINAL])
def test_a_message_is_an_object_in_a_line(style: Style) -> None:
    messages, stream = make_messages(style)
    messages.say(4, "two\nlines \x1b[31m")
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    assert json.loads(line) == {
        "time": "2027-01-15T08:00:00.000Z",
        "priority": "warning",
        "message": "two\nlines \x1b[31m",
    }


def test_the_journal_still_learns_the_priority() -> None:
    messages, stream = make_messages(Style.JOURNAL)
    messages.say(3, "down")
    assert stream.getvalue().startswith('<3>{"time": ')


@pytest.mark.anyio
async def test_an_alert_has_all_of_its_fields_and_says_it_in_a_line() -> None:
    messages, stream = make_messages()
    sink = StderrSink(SinkConfig("stderr", "stderr"), messages.say)
    notices = [describe(make_event(1)), describe(make_event(2, Action.RESOLVED))]
    for notice in notices:
        await sink.send(notice)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["priority"] for line in lines] == ["error", "notice"]
    assert lines == [
        {**notice.fields, "priority": line["priority"], "message": notice.fields["summary"]}
        for notice, line in zip(notices, lines, strict=True)
    ]


@pytest.mark.anyio
async def test_for_people_an_alert_is_its_text() -> None:
    messages, stream = make_messages()
    messages.as_json = False
    notice = describe(make_event(), Path("/logs/a"))
    await StderrSink(SinkConfig("stderr", "stderr"), messages.say).send(notice)
    assert stream.getvalue() == f"2027-01-15T08:00:00.000Z {notice.text}\n"
