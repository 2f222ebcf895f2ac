from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pprofwatch.times import format_stamp, format_time, parse_stamp, parse_time


@given(st.integers(0, 253_402_300_799_000 - 86_400_000))
@example(1_001)
@example(14_083_090_755_456)
def test_a_time_survives_its_text_to_the_millisecond(milliseconds: int) -> None:
    time = milliseconds / 1000
    assert parse_time(format_time(time)) == time
    assert parse_stamp(format_stamp(time)) == milliseconds // 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-12-31T13:49:53Z", 1767188993),
        ("2025-12-31t13:49:53z", 1767188993),
        ("2025-12-31T13:49:53.25Z", 1767188993.25),
        ("2025-12-31 19:19:53,500000000+05:30", 1767188993.5),
        ("2025-12-31T10:49:53-0300", 1767188993),
        ("2025-12-31T10:49:53-03", 1767188993),
    ],
)
def test_rfc_3339_times_as_date_writes_them_are_read(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-12-31",
        "2025-12-31T13:49:53",
        "2025-12-31T13:49:53Z\n",
        "2025-12-32T13:49:53Z",
        "2025-12-31T24:00:01Z",
        "2025-12-31T13:49:60Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:00",
        "0001-01-01T00:00:00+23:00",
        "2025-12-31T13:49:53+25:00",
        "٢٠٢٥-12-31T13:49:53Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


@pytest.mark.parametrize("text", ["20261122T134953", "20261322T134953Z", "2026-11-22T13:49:53Z", "20261122T134953Z "])
def test_what_is_no_stamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_stamp(text)
