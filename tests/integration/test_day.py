"""A day of a healthy server, in half a minute: real answers, with the times of polls that are ten seconds apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import goserver
from pprofwatch.alerts.watch import SharedParser, Watch
from pprofwatch.config.settings import LeakConfig
from pprofwatch.model import Entry

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import StartGoServer
    from pprofwatch.alerts.incidents import Event

TARGET = "localhost:6060"
#: 2026-11-22T00:00:00Z.
MIDNIGHT = 1795305600.0
DAY, HOUR, MINUTE, INTERVAL = 86400, 3600, 60, 10
RESTARTS = 20
#: The server's time is as much shorter as ours: a request takes ten polls or so, and traffic swings within the hour.
TRAFFIC_LIFE = "20ms"
#: How often each profile is polled, in seconds.
EVERY = {"goroutine": INTERVAL, "threadcreate": MINUTE, "heap": MINUTE, "goroutineleak": HOUR}


def test_a_healthy_server_that_is_restarted_20_times_raises_no_alert_in_a_day(
    go_server: StartGoServer, tmp_path: Path
) -> None:
    told: list[Event] = []
    watch = Watch(
        TARGET, tmp_path, LeakConfig(), SharedParser(), now=lambda: MIDNIGHT, tell=lambda event, _: told.append(event)
    )
    watch.replay()
    traffic = ["-traffic", "30", "-traffic-life", TRAFFIC_LIFE]
    server = go_server(*traffic)
    options = ["-listen", server.address, *traffic]
    connection = goserver.Connection(server.address)
    answered = 0
    life = DAY // (RESTARTS + 1) // INTERVAL * INTERVAL
    for second in range(0, DAY, INTERVAL):
        if second and second % life == 0:
            connection.close()
            goserver.end(server.process)
            server = go_server(*options)
            connection = goserver.Connection(server.address)
        for profile, every in EVERY.items():
            if second % every:
                continue
            body = connection.get(f"/debug/pprof/{profile}?debug=1")
            watch.observe(Entry(MIDNIGHT + second, TARGET, profile, body))
            answered += 1
        if watch.has_news:
            watch.note()
    connection.close()
    assert answered == sum(DAY // every for every in EVERY.values())
    assert [(event.action, event.profile, event.leak.culprit) for event in told] == []
