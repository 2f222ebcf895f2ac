"""A real Alertmanager: an incident is one alert there, from its begin to its end."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from pprofwatch.alerts.delivery import Delivery
from pprofwatch.alerts.incidents import Action, Event
from pprofwatch.alerts.sinks.alertmanager import AlertmanagerSink
from pprofwatch.alerts.sinks.base import SinkError
from pprofwatch.config.settings import Secret, SinkConfig
from pprofwatch.leaks.severity import Severity
from pprofwatch.times import parse_time
from sinks import CLOSE, NOON, describe, hook_server, make_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

_CONFIG = """
route: {receiver: nobody, group_wait: 1s, group_interval: 1s}
receivers: [{name: nobody}]
"""


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Alertmanager of its own."""
    program = shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("needs prometheus-alertmanager: apt-get install prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text(_CONFIG)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    arguments = [
        program,
        f"--config.file={folder}/config.yml",
        f"--storage.path={folder}/data",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(arguments, stdout=log, stderr=log) as process:
        try:
            anyio.run(_until_ready, address, process)
            yield f"http://{address}"
        finally:
            process.terminate()


async def _until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    with anyio.fail_after(30):
        while process.poll() is None:
            try:
                await anyio.to_thread.run_sync(_ask, f"http://{address}/-/ready")
            except (urllib.error.URLError, ConnectionError):
                await anyio.sleep(0.05)
            else:
                return
    pytest.fail("Alertmanager did not start")


def _ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        content: bytes = answer.read()
    return content


def config_for(address: str, **fields: Any) -> SinkConfig:
    return SinkConfig(
        "alertmanager", "am", url=Secret(f"{address}/"), labels=(("team", "shop"),), **{"resend": 60.0, **fields}
    )


async def alerts(address: str, target: str) -> list[dict[str, Any]]:
    """The active alerts for a target."""
    found: list[dict[str, Any]] = json.loads(await anyio.to_thread.run_sync(_ask, f"{address}/api/v2/alerts"))
    return [alert for alert in found if alert["labels"]["target"] == target]


async def until(address: str, target: str, condition: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Waits for something in Alertmanager, which tells nobody when it has taken an alert in."""
    with anyio.fail_after(10):
        while not condition(found := await alerts(address, target)):  # noqa: ASYNC110
            await anyio.sleep(0.05)
        return found


async def tell(sink: AlertmanagerSink, event: Event) -> None:
    notice = describe(event)
    sink.note(notice, is_old=False)
    await sink.send(notice)


async def test_an_incident_is_one_alert_from_its_begin_to_its_end(alertmanager: str) -> None:
    target, began = "shop:6060", time.time() - 100
    sink = AlertmanagerSink(config_for(alertmanager), time.time)
    await tell(sink, make_event(1, target=target, time=began, found=began))
    (fired,) = await until(alertmanager, target, bool)
    assert fired["labels"] == {
        "alertname": "PprofwatchLeak",
        "target": target,
        "profile": "goroutine",
        "function": "main.(*Dispatcher).forward",
        "stack": "3fa9c1d2",
        "team": "shop",
    }
    assert parse_time(fired["startsAt"]) == pytest.approx(began, abs=0.001)
    assert parse_time(fired["endsAt"]) == pytest.approx(time.time() + 300, abs=30)
    assert fired["annotations"]["count_to"] == "120"
    assert fired["annotations"]["severity"] == "leak"
    assert fired["annotations"]["description"].startswith("LEAK shop:6060: goroutines grow without bound")

    worse: dict[str, Any] = {"target": target, "found": began, "severity": Severity.RUNAWAY, "count": 900}
    await tell(sink, make_event(2, Action.WORSENED, time=began + 50, **worse))
    (worsened,) = await until(alertmanager, target, lambda found: found[0]["annotations"]["count_to"] == "900")
    assert worsened["fingerprint"] == fired["fingerprint"]
    assert worsened["startsAt"] == fired["startsAt"]
    assert worsened["annotations"]["severity"] == "runaway"

    await tell(sink, make_event(3, Action.RESOLVED, time=time.time(), **worse))
    await until(alertmanager, target, lambda found: not found)
    await sink.refresh()
    assert await alerts(alertmanager, target) == []


async def test_an_open_incident_is_sent_again_before_it_ends_by_itself(alertmanager: str) -> None:
    target, began = "again:6060", time.time() - 100
    sink = AlertmanagerSink(config_for(alertmanager, resend=10.0), time.time)
    await tell(sink, make_event(1, target=target, time=began, found=began))
    (first,) = await until(alertmanager, target, bool)
    await sink.refresh()
    (again,) = await until(alertmanager, target, lambda found: found[0]["endsAt"] > first["endsAt"])
    assert again["fingerprint"] == first["fingerprint"]
    sink.keep_only({"others:6060"})
    await sink.refresh()
    assert (await alerts(alertmanager, target))[0]["endsAt"] == again["endsAt"]


async def test_after_a_restart_open_incidents_are_sent_again_and_one_that_ended_meanwhile_ends(
    alertmanager: str, tmp_path: Path
) -> None:
    began = time.time() - 100
    targets = ("open:6060", "over:6060")
    opened = [make_event(number, target=each, time=began, found=began) for number, each in enumerate(targets, 1)]
    over = make_event(3, Action.RESOLVED, target="over:6060", time=time.time(), found=began)

    async def live(resumed: list[Event], told: list[Event], condition: Callable[[], Awaitable[object]]) -> None:
        sink = AlertmanagerSink(config_for(alertmanager, resend=0.5), time.time)
        delivery = Delivery([sink], say=lambda _, text: pytest.fail(text), describe=describe)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delivery.run)
            await anyio.to_thread.run_sync(delivery.resume, resumed, tmp_path)
            for event in told:
                delivery.tell(event, tmp_path)
            await condition()
            tasks.cancel_scope.cancel()

    async def both_are_there() -> None:
        await until(alertmanager, "open:6060", bool)
        await until(alertmanager, "over:6060", bool)

    await live([], opened, both_are_there)
    (first,) = await alerts(alertmanager, "open:6060")

    async def one_goes_on_and_one_is_over() -> None:
        await until(alertmanager, "open:6060", lambda found: bool(found) and found[0]["endsAt"] > first["endsAt"])
        await until(alertmanager, "over:6060", lambda found: not found)

    # The second had ended, and the daemon had not yet told so.
    await live([*opened, over], [], one_goes_on_and_one_is_over)


async def test_an_end_that_was_not_taken_is_told_again_until_it_is() -> None:
    async with hook_server(200, CLOSE, 503, 200) as server:
        sink = AlertmanagerSink(config_for(f"http://127.0.0.1:{server.port}"), lambda: NOON)
        await tell(sink, make_event(1))
        with pytest.raises(SinkError):
            await tell(sink, make_event(2, Action.RESOLVED, time=NOON + 60))
        with pytest.raises(SinkError, match="answered 503"):
            await sink.refresh()
        await sink.refresh()
        await sink.refresh()
    ends = [got.body[0]["endsAt"] for got in server.got]
    assert ends == ["2027-01-15T08:05:00.000Z"] + ["2027-01-15T08:01:00.000Z"] * 3
    assert {got.path for got in server.got} == {"/api/v2/alerts"}


async def test_two_targets_of_one_program_are_two_alerts() -> None:
    async with hook_server() as server:
        sink = AlertmanagerSink(config_for(f"http://127.0.0.1:{server.port}"), lambda: NOON)
        for target in ("a:6060", "b:6060"):
            sink.note(describe(make_event(1, target=target)), is_old=True)
        await sink.refresh()
    assert [alert["labels"]["target"] for alert in server.got[0].body] == ["a:6060", "b:6060"]
