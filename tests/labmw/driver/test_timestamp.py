"""When was it measured? In the analyzer's own zone, with what is doubtful named."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver.timestamp import read_time, zone_of_message

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "utc", "doubt"),
    [
        ("20260310081500", datetime(2026, 3, 10, 7, 15, tzinfo=UTC), ""),
        ("202607010930", datetime(2026, 7, 1, 7, 30, tzinfo=UTC), ""),
        ("20260310081500+0900", datetime(2026, 3, 9, 23, 15, tzinfo=UTC), ""),
        ("20260310081500.1234-0430", datetime(2026, 3, 10, 12, 45, tzinfo=UTC), ""),
        ("20261025023000", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "ambiguous"),  # this hour comes twice
        ("20260329023000", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "skipped"),  # this one never
    ],
)
def test_a_moment(text: str, utc: datetime, doubt: str) -> None:
    moment = read_time(text, PARIS)
    assert moment.at is not None
    assert moment.at.astimezone(UTC) == utc
    assert moment.doubt == doubt


@pytest.mark.parametrize("text", ["", "  ", "18991230", "18991230000000", "00000000000000"])
def test_a_null_date_is_no_date_and_no_fault(text: str) -> None:
    assert read_time(text, PARIS) == read_time("", PARIS)


@pytest.mark.parametrize(
    "text", ["2026", "20260230101010", "20260310250000", "10/03/2026", "2018051909150400", "20260310081500+9900"]
)
def test_what_is_no_date_is_told(text: str) -> None:
    assert read_time(text, PARIS).at is None
    assert read_time(text, PARIS).doubt == "unreadable"


def test_a_date_alone_is_no_moment() -> None:
    assert read_time("20260310", PARIS).doubt == "date-only"
    assert read_time("20260310", PARIS).at is None


@given(st.text(alphabet="0123456789+-. T", max_size=24))
def test_nothing_raises(text: str) -> None:
    read_time(text, PARIS)


@given(st.text(alphabet="0123456789+-. ", max_size=30))
def test_no_header_time_raises(text: str) -> None:
    zone_of_message(text, PARIS)


@pytest.mark.parametrize("text", ["99991231235959-1200", "00010102000000+1400", "18000101000000", "2" * 100_000])
def test_a_time_that_cannot_be_brought_into_every_zone_is_told(text: str) -> None:
    assert read_time(text, PARIS).doubt == "unreadable"
    assert zone_of_message(text, PARIS) is PARIS


@pytest.mark.parametrize(
    ("header", "utc"),
    [
        ("20260310081500", "20260310071500"),  # nothing said: the analyzer's own zone
        ("20260310081500+0100", "20260310071500"),
        ("20260310081500+0900", "20260309231500"),  # the header's offset holds for all (2.5.1, 2.15.9.7)
        ("20260401081500+0200", "20260310071500"),  # Paris in summer: Paris knows that March had another offset
        ("not a time", "20260310071500"),
    ],
)
def test_the_offset_of_the_header_holds_for_times_without_one(header: str, utc: str) -> None:
    moment = read_time("20260310081500", zone_of_message(header, PARIS)).at
    assert moment is not None
    assert moment.astimezone(UTC).strftime("%Y%m%d%H%M%S") == utc


def test_a_family_that_sends_utc_with_the_offset_to_add() -> None:
    assert read_time("20260228225959+0100", PARIS, utc=True).at == datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC)
