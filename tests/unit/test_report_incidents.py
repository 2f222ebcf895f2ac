"""Incidents as their journal tells of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.leaks.leak import Leak
from pprofwatch.leaks.severity import Severity
from pprofwatch.report.incidents import Incident, list_incidents
from simulated import HOUR, MINUTE, START, stack

LEAK = Leak(
    stack("main.forward"),
    Severity.LEAK,
    START,
    START - HOUR,
    START,
    count_from=3,
    count_to=60,
    total_from=9,
    total_to=70,
)


def event(
    action: Action,
    minute: int,
    count: int = 60,
    severity: Severity = Severity.LEAK,
    *,
    incident: str = "one",
    target: str = "app:1",
    kept: str = "",
) -> Event:
    leak = replace(LEAK, count_to=count, severity=severity)
    return Event(action, START + minute * MINUTE, incident, target, "goroutine", leak, kept=kept)


LIFE = [
    event(Action.OPENED, 0),
    event(Action.WORSENED, 10, 120, Severity.PROVEN, kept="incidents/one"),
    event(Action.REPEATED, 70, 400, Severity.PROVEN, kept="incidents/one"),
    event(Action.RESOLVED, 80, 4, Severity.PROVEN),
]


def the_incident(events: list[Event]) -> Incident:
    (incident,) = list_incidents(events, least=Severity.SUSPECTED)
    return incident


def test_an_incident_has_its_whole_life() -> None:
    incident = the_incident(LIFE)
    assert incident.events == tuple(LIFE)
    assert (incident.id, incident.target, incident.profile) == ("one", "app:1", "goroutine")
    assert (incident.severity, incident.peak, incident.leak.count_to) == (Severity.PROVEN, 400, 4)
    assert (incident.told, incident.kept, incident.is_open) == (4, "incidents/one", False)
    assert (incident.began, incident.opened_at) == (START, START)
    assert (incident.worsened_at, incident.resolved_at) == (START + 10 * MINUTE, START + 80 * MINUTE)


def test_what_is_not_over_is_open() -> None:
    incident = the_incident(LIFE[:1])
    assert incident.is_open
    assert (incident.resolved_at, incident.worsened_at, incident.kept) == (None, None, "")


def test_what_was_only_suspected_was_neither_opened_nor_told() -> None:
    suspected = [event(Action.SUSPECTED, 0, severity=Severity.SUSPECTED)]
    incident = the_incident(suspected)
    assert (incident.opened_at, incident.told, incident.is_open, incident.resolved_at) == (None, 0, False, None)
    assert list_incidents(suspected) == []


def test_incidents_come_in_the_order_in_which_they_began() -> None:
    events = [
        event(Action.OPENED, 0, incident="first"),
        event(Action.OPENED, 5, incident="second"),
        event(Action.REPEATED, 60, incident="first"),
    ]
    assert [incident.id for incident in list_incidents(events)] == ["first", "second"]


@pytest.mark.parametrize(
    ("minute", "ids"),
    [(0, ["over", "open"]), (30, ["over", "open"]), (31, ["open"]), (1000, ["open"])],
)
def test_what_was_over_before_can_be_left_out(minute: int, ids: list[str]) -> None:
    events = [
        event(Action.OPENED, 0, incident="over"),
        event(Action.OPENED, 10, incident="open"),
        event(Action.RESOLVED, 30, incident="over"),
    ]
    assert [incident.id for incident in list_incidents(events, since=START + minute * MINUTE)] == ids


def test_other_targets_can_be_left_out() -> None:
    events = [event(Action.OPENED, 0), event(Action.OPENED, 1, incident="two", target="app:2")]
    assert [incident.id for incident in list_incidents(events, target="app:2")] == ["two"]
    assert len(list_incidents(events)) == 2


def test_it_counts_as_bad_as_it_ever_was() -> None:
    for least, count in ((Severity.STUCK, 1), (Severity.PROVEN, 1), (Severity.RUNAWAY, 0)):
        assert len(list_incidents(LIFE, least=least)) == count
