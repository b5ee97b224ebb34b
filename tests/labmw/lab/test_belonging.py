"""Law 6: a number that two patients' tubes have carried; an order is for the tube of its time, or the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from stage import SITE

from labmw.lab.belonging import owner_of
from labmw.model import Specimen

DAY = timedelta(days=1)
START = datetime(2026, 11, 1, tzinfo=UTC)


def tube(patient: str, start: int | None, end: int | None) -> Specimen:
    return Specimen(
        SITE,
        "S40",
        patient,
        "SER",
        None if start is None else START + start * DAY,
        None if end is None else START + end * DAY,
    )


OLD, NEW = tube("P40", None, 19), tube("P41", 21, None)


@pytest.mark.parametrize(
    ("day", "owner"), [(0, "P40"), (19, "P40"), (20, "P41"), (21, "P41"), (400, "P41"), (None, None)]
)
def test_an_order_is_for_the_tube_of_its_time_or_the_next(day: int | None, owner: str | None) -> None:
    assert owner_of(None if day is None else START + day * DAY, (OLD, NEW)) == owner
    assert owner_of(None if day is None else START + day * DAY, (NEW, OLD)) == owner


def test_one_patient_needs_no_moment_and_overlapping_windows_tell_nothing() -> None:
    assert owner_of(None, (OLD, tube("P40", 21, None))) == "P40"
    assert owner_of(START + 10 * DAY, (tube("P1", 0, 20), tube("P2", 5, 30))) is None
    assert owner_of(START + 40 * DAY, (tube("P1", 0, 20), tube("P2", 25, 30))) is None
    assert owner_of(START, ()) is None
