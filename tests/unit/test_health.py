"""What is said of a target that fails, and when."""

from __future__ import annotations

from pprofwatch.collect.health import NOTICE, WARNING, Health
from pprofwatch.collect.log_trouble import LogTrouble
from pprofwatch.errors import FetchError, LogError, ProfileBusyError, ProfileMissingError, UnreachableError

REFUSED = UnreachableError("connection refused")


def test_a_target_that_is_down_is_said_once_for_all_its_profiles() -> None:
    health = Health("host:1")
    assert health.failed("goroutine", REFUSED, 10.0) == [(WARNING, "host:1 is down: connection refused")]
    assert health.failed("heap", REFUSED, 11.0) == []
    assert health.failed("goroutine", UnreachableError("no connection within 5s"), 20.0) == []
    assert health.is_down


def test_any_answer_ends_being_down() -> None:
    health = Health("host:1")
    health.failed("heap", REFUSED, 10.0)
    assert health.succeeded("goroutine", 75.0) == [(NOTICE, "host:1 is up again, after 1m5s and 1 failed polls")]
    assert not health.is_down
    assert health.up_since == 75.0
    assert health.succeeded("heap", 80.0) == []


def test_a_wrong_answer_also_ends_being_down() -> None:
    health = Health("host:1")
    health.failed("goroutine", REFUSED, 10.0)
    health.failed("heap", REFUSED, 10.0)
    said = health.failed("goroutine", FetchError("answered 502 Bad Gateway"), 20.0)
    assert said == [(WARNING, "host:1 goroutine: answered 502 Bad Gateway")]
    assert not health.is_down
    assert health.up_since == 20.0


def test_profiles_that_fail_alike_share_a_line() -> None:
    health = Health("host:1")
    assert health.failed("goroutine", FetchError("no answer within 5s"), 1.0)
    assert not health.failed("threadcreate", FetchError("no answer within 6s"), 1.0)
    assert not health.failed("goroutine", FetchError("no answer within 5s"), 11.0)
    assert health.failed("heap", FetchError("answered 500 Internal Server Error: oops"), 11.0)
    assert not health.failed("heap", FetchError("answered 500 Internal Server Error: ouch"), 21.0)


def test_text_that_differs_only_in_the_profiles_name_is_said_once() -> None:
    health = Health("host:1")
    assert health.failed("goroutine", FetchError("answered something that is not a goroutine profile: hi"), 1.0)
    assert not health.failed("heap", FetchError("answered something that is not a heap profile: hi"), 1.0)


def test_a_profile_that_always_fails_does_not_repeat_itself_while_others_succeed() -> None:
    health = Health("host:1")
    said = []
    for tick in range(10):
        said += health.failed("threadcreate", FetchError("no answer within 6s"), float(tick))
        said += health.succeeded("goroutine", float(tick))
    assert len(said) == 1
    assert len(health.failed("goroutine", REFUSED, 11.0)) == 1


def test_trouble_ends_when_a_profile_that_had_it_succeeds() -> None:
    health = Health("host:1")
    health.failed("goroutine", FetchError("no answer within 5s"), 0.0)
    health.failed("heap", FetchError("no answer within 5s"), 1.0)
    assert health.succeeded("goroutine", 10.0) == [(NOTICE, "host:1 answers again, after 10s and 2 failed polls")]
    assert health.succeeded("heap", 11.0) == []


def test_a_missing_profile_is_said_once_until_it_was_there() -> None:
    health = Health("host:1")
    missing = ProfileMissingError("has no goroutineleak profile")
    assert health.failed("goroutineleak", missing, 0.0) == [
        (NOTICE, "host:1 has no goroutineleak profile: it is asked for again now and then")
    ]
    assert health.failed("goroutineleak", missing, 3600.0) == []
    assert health.succeeded("goroutineleak", 7200.0) == []
    assert len(health.failed("goroutineleak", missing, 9000.0)) == 1


def test_that_what_nobody_asked_for_is_missing_is_no_news() -> None:
    health = Health("host:1")
    missing = ProfileMissingError("has no goroutineleak profile")
    assert health.failed("goroutineleak", missing, 0.0, implied=True) == []
    assert len(health.failed("goroutineleak", FetchError("no answer within 5s"), 1.0, implied=True)) == 1


def test_a_busy_profiler_is_not_worth_a_line() -> None:
    assert Health("host:1").failed("profile", ProfileBusyError("already in use"), 0.0) == []


def test_a_full_disk_is_said_once_and_its_end_too() -> None:
    said: list[str] = []
    trouble = LogTrouble(lambda _, text: said.append(text))
    for log in ("a", "b", "a"):
        trouble.failed(log, LogError(f"/logs/{log}.log: cannot write: No space left on device"))
    trouble.failed("c", LogError("/logs/c.log: cannot open: Permission denied"))
    assert [line.partition(" (")[0] for line in said] == [
        "/logs/a.log: cannot write: No space left on device",
        "/logs/c.log: cannot open: Permission denied",
    ]
    trouble.succeeded("a")
    assert len(said) == 2
    trouble.succeeded("b")
    assert said[2:] == ["works again, after: No space left on device"]


def test_a_log_that_fails_for_one_cause_after_the_other_is_said_once() -> None:
    said: list[str] = []
    trouble = LogTrouble(lambda _, text: said.append(text))
    for cause in ("only 12 of 900 bytes found room", "No space left on device", "only 3 of 700 bytes found room"):
        trouble.failed("a", LogError(f"a.log: cannot write: {cause}"))
    trouble.failed("b", LogError("b.log: cannot write: only 100 of 101 bytes found room"))
    assert len(said) == 1
