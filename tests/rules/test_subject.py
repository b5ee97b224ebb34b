"""What the rules know of a result: from the LIS, never from the analyzer, and unknown where it is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from labmw.model import Sex
from rules.age import Age
from rules.subject import Scope, subject
from tests.rules.cases import ADULT, NOON, TUBE, case


def test_everything_known() -> None:
    one = subject(case())
    assert (one.unit, one.sex, one.age, one.ward, one.specimen) == ("mmol/L", "F", Age(14610, 480), "MED", "SER")
    assert one.unknown == ""
    assert one.shown == "4.2 mmol/L"


def test_nothing_known() -> None:
    one = subject(case(patient=None, specimen=None, unit=""))
    assert (one.unit, one.sex, one.age, one.ward, one.specimen) == ("1", None, None, None, None)
    assert one.unknown == "sex age ward specimen"


def test_a_text_result() -> None:
    one = subject(case("NOT DETECTED"))
    assert (one.value, one.unit, one.shown) == (None, "1", "NOT DETECTED")


@pytest.mark.parametrize("sex", [Sex.OTHER, Sex.UNKNOWN])
def test_another_sex_selects_no_row(sex: Sex) -> None:
    assert subject(case(patient=replace(ADULT, sex=sex))).sex is None


def test_age_is_that_of_the_collection_then_of_the_measurement_then_of_now() -> None:
    newborn = replace(ADULT, birth=date(2026, 1, 10))
    collected = replace(TUBE, collected=NOON - timedelta(days=2))
    for tube, completed, now, days in (
        (collected, NOON, NOON, 3),
        (replace(TUBE, collected=None), NOON, None, 5),
        (None, NOON, None, 5),
        (None, None, NOON + timedelta(days=1), 6),
    ):
        found = subject(case(patient=newborn, specimen=tube, completed=completed, now=now)).age
        assert found == Age(days, 0)
    assert subject(case(patient=newborn, specimen=None, completed=None, now=None)).age is None
    assert subject(case(patient=replace(ADULT, birth=None))).age is None
    assert subject(case(patient=replace(ADULT, birth=date(2026, 2, 1)))).age is None


def test_scopes() -> None:
    one = subject(case())
    assert Scope().holds(one, unknown=False)
    assert Scope(wards=frozenset({"MED"})).holds(one, unknown=False)
    assert not Scope(wards=frozenset({"DIAL"})).holds(one, unknown=True)
    assert not Scope(drivers=frozenset({"other"})).holds(one, unknown=True)
    nowhere = subject(case(specimen=None, driver=""))
    for unknown in (True, False):
        assert Scope(wards=frozenset({"DIAL"})).holds(nowhere, unknown=unknown) is unknown
        assert Scope(drivers=frozenset({"other"})).holds(nowhere, unknown=unknown) is unknown
