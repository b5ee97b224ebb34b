"""Is a time that cannot be right noticed, and one that can be right left alone?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.cli.unframe import peek
from labmw.driver import astm
from labmw.driver.reading import Reading
from labmw.lab.clockwork import AHEAD, doubts_of_message, doubts_of_result, offset_seconds
from labmw.line.registry import Registry
from labmw.model import Specimen
from labmw.phrases import codes, facts_of

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 10, 25, 12, 0, tzinfo=UTC)
DRIVER = Registry.find().named("erba-xl")


def reading_of(header: str, completed: str) -> Reading:
    """A message whose header and result have these times."""
    records = (
        rf"H|\^&||||||||||P|1|{header}",
        "P|1",
        "O|1|S1||^^^ALTT",
        f"R|1|^^^ALTT|22|U/L||||||||{completed}",
        "L|1|N",
        "",
    )
    [message] = peek("\r".join(records).encode(), "records")
    return astm.read(message, DRIVER, zone=PARIS)


TUBE = Specimen("T", "S1", "P1")


def told(header: str, completed: str, *, tolerance: float = 0.0, collected: datetime | None = None) -> list[str]:
    reading = reading_of(header, completed)
    found = doubts_of_message(reading, NOW, tolerance)
    found += doubts_of_result(reading.results[0], [replace(TUBE, collected=collected)], NOW)
    for code, facts in found:
        assert code in codes()
        assert facts_of(code) <= {name for name, _ in facts}
    return [code for code, _ in found]


@pytest.mark.parametrize(
    ("header", "completed", "tolerance", "collected", "expected"),
    [
        ("20261025130000", "20261025125500", 0.0, None, []),  # 13:00 in Paris is 12:00 UTC
        ("20261025130000", "20261025125500", 60.0, None, []),
        ("20261025150000", "20261025125500", 0.0, None, ["clock-drift"]),  # a clock still in summer time, or set wrong
        ("20261025130900", "20261025125500", 0.0, None, []),
        ("20261025130500", "20261025125500", 120.0, None, ["clock-drift"]),
        ("20261022130000", "20261022125500", 0.0, None, []),  # it may have waited
        ("20261022130000", "20261022125500", 600.0, None, ["clock-drift"]),
        ("", "20261026125500", 600.0, None, ["clock-future"]),
        ("", "20261025023000", 0.0, None, ["clock-ambiguous"]),  # 02:30 came twice on this day
        ("", "20260329023000", 0.0, None, ["clock-skipped"]),
        ("", "20261025125500", 0.0, datetime(2026, 10, 25, 11, 56, tzinfo=UTC), ["before-collection"]),
        ("", "20261025125500", 0.0, datetime(2026, 10, 25, 11, 54, tzinfo=UTC), []),
        ("", "", 600.0, datetime(2026, 10, 25, 11, 54, tzinfo=UTC), []),
        ("no time", "neither", 600.0, None, []),
    ],
)
def test_each_doubt(
    header: str, completed: str, tolerance: float, collected: datetime | None, expected: list[str]
) -> None:
    assert told(header, completed, tolerance=tolerance, collected=collected) == expected


def test_the_offset_is_measured_in_the_analyzers_zone() -> None:
    assert offset_seconds(reading_of("20261025130030", ""), NOW) == 30
    assert offset_seconds(reading_of("20261025125900", ""), NOW) == -60
    assert offset_seconds(reading_of("", ""), NOW) is None


@given(st.integers(-(10**9), 10**9), st.floats(0, 1e7))
def test_a_clock_within_its_tolerance_is_never_doubted_and_beyond_always(seconds: int, tolerance: float) -> None:
    reading = replace(reading_of("", ""), sent_at=NOW + timedelta(seconds=seconds))
    doubted = bool(doubts_of_message(reading, NOW, tolerance))
    ahead = seconds > (min(tolerance, AHEAD.total_seconds()) if tolerance else AHEAD.total_seconds())
    assert doubted == (ahead or (bool(tolerance) and -seconds > tolerance))
