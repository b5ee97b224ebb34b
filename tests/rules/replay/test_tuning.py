"""Do tuned limits hold what they promise? Set on half of the patients, told for the other half, on invented patients."""

from __future__ import annotations

import math

import polars as pl
import pytest

from rules.replay import tuning
from rules.replay.features import features
from rules.replay.history import prepared
from simulators.history import draw, rows


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return features(prepared("year", pl.DataFrame(list(rows(2, draw(2, 900))), infer_schema_length=None)))


def test_halves_share_no_patient(table: pl.DataFrame) -> None:
    two = tuning.halves(table)
    assert not set(two.fit["patient"]) & set(two.told["patient"])
    assert len(two.fit) + len(two.told) == len(table)


def test_a_delta_holds_about_what_was_asked_for(table: pl.DataFrame) -> None:
    absolute, percent = tuning.delta(table, "787-2", 0.05, 24 * 30)
    assert absolute.false_holds < 0.12 and percent.false_holds < 0.12
    every = [one.false_holds for code in table["loinc"].unique() for one in tuning.delta(table, code, 0.05, 24 * 30)]
    assert 0.03 < sum(every) / len(every) < 0.08
    assert 0.4 < absolute.caught < 0.95
    tight, _ = tuning.delta(table, "787-2", 0.01, 24 * 30)
    assert tight.limit > absolute.limit and tight.caught < absolute.caught
    assert tuning.delta(table, "no such test", 0.05, 100) == ()


def test_many_tests_together_beat_the_best_alone(table: pl.DataFrame) -> None:
    codes = sorted(table["loinc"].unique())
    found = tuning.identity(table, codes, [0.05], 24 * 30)
    assert found is not None
    [(_, threshold, false_holds, caught)] = found.curve
    single = max(one.caught for code in codes for one in tuning.delta(table, code, 0.05, 24 * 30))
    assert caught > single + 0.15
    assert false_holds < 0.12 and threshold > 1
    assert tuning.identity(table, codes, [0.05], 0.001) is None
    assert tuning.identity(table, ["no such test"], [0.05], 100) is None


def test_limits_hold_about_what_was_asked_for(table: pl.DataFrame) -> None:
    found = tuning.limits(table, "2951-2", 0.05)
    assert found is not None and found.false_holds < 0.1 and math.isnan(found.caught)
    assert tuning.limits(table, "no such test", 0.05) is None
