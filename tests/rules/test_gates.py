"""A control or a calibration that is later than the measurement is unknown, and of several reagents none may be unsaid."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from labmw.model import Case, Module, Result, ResultKey
from labmw.quantity import Quantity
from rules.checks.finding import Finding
from rules.checks.gates import CalibrationCheck, QcCheck, ReagentCheck
from rules.subject import subject

NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
RESULT = Result(ResultKey("S", "a", "S1", "K", "", "", ""), "4.2", Quantity(Decimal("4.2"), "", "mmol/L"), completed=NOON)  # fmt: skip
GOOD = Module("M", "ok", NOON, NOON, "A", NOON + DAY, NOON, True)


def asked(check: QcCheck | CalibrationCheck | ReagentCheck, module: Module) -> Finding:
    return check.judge(subject(Case(RESULT, None, None, None, module=module)), {})


@pytest.mark.parametrize(
    ("hours", "truth"), [(0, False), (24, False), (24.001, True), (-0.001, None), (-24, None)], ids=str
)
def test_the_age_is_counted_back_from_the_measurement(hours: float, truth: bool | None) -> None:
    at = NOON - timedelta(hours=hours)
    assert asked(QcCheck(DAY), replace(GOOD, qc_at=at)).truth is truth
    assert asked(CalibrationCheck(DAY), replace(GOOD, calibrated=at)).truth is truth


def test_a_reagent_of_which_something_is_not_said_is_unknown_unless_what_is_said_is_bad() -> None:
    assert asked(ReagentCheck(DAY), GOOD).truth is False
    assert asked(ReagentCheck(DAY), replace(GOOD, reagent_partly=True)).truth is None
    assert asked(ReagentCheck(DAY), replace(GOOD, reagent_partly=True, reagent_opened=NOON - 2 * DAY)).truth is True
    assert asked(ReagentCheck(DAY), replace(GOOD, reagent_opened=NOON - DAY)).truth is False, "exactly at the limit"
    assert asked(ReagentCheck(DAY), replace(GOOD, reagent_expires=NOON)).truth is False, "at its last moment"
