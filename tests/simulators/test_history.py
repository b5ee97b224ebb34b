"""Is a year of invented results a year of a laboratory? The same again for the same seed, correlated, with earlier results and planted errors."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from simulators.history import COLUMNS, DAYS, START, draw, main, rows
from simulators.mishaps import BLOOD_COUNT, CHEMISTRY, Tube, befall, swap
from simulators.population import ILLNESSES, bodily, visitor, visits


@pytest.fixture(scope="module")
def year() -> list[dict[str, Any]]:
    return list(rows(3, draw(3, 300, mishap_rate=0.05)))


def test_the_same_seed_gives_the_same_year(year: list[dict[str, Any]]) -> None:
    assert list(rows(3, draw(3, 300, mishap_rate=0.05))) == year
    assert list(rows(4, draw(4, 300)))[:50] != year[:50]


def test_every_column_is_there_and_times_are_in_order(year: list[dict[str, Any]]) -> None:
    assert all(tuple(row) == COLUMNS for row in year)
    assert all(row["collected"] < row["completed"] for row in year)
    assert all(0 <= (row["collected"] - START).days < DAYS for row in year)
    assert [row["result"] for row in year] == list(range(1, len(year) + 1))
    assert all(math.isfinite(row["number"]) for row in year)
    assert {row["comparator"] for row in year} == {"", "<"}, "some are only bounds"


def values(year: list[dict[str, Any]], loinc: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for row in year:
        if row["loinc"] == loinc and not row["planted"]:
            found[row["patient"]].append(math.log(row["number"]))
    return found


def test_a_person_resembles_themselves_more_than_others(year: list[dict[str, Any]]) -> None:
    for loinc in ("787-2", "2324-2", "14647-2"):
        own = [statistics.stdev(some) for some in values(year, loinc).values() if len(some) > 2]
        others = statistics.stdev(statistics.mean(some) for some in values(year, loinc).values())
        assert statistics.median(own) < 0.6 * others


def test_tests_of_one_person_lean_together(year: list[dict[str, Any]]) -> None:
    first, second = (values(year, loinc) for loinc in ("1920-8", "1742-6"))
    pairs = [(a[0], b[0]) for patient, a in first.items() if (b := second.get(patient))]
    assert statistics.correlation([a for a, _ in pairs], [b for _, b in pairs]) > 0.4


def test_mishaps_are_planted_and_named(year: list[dict[str, Any]]) -> None:
    assert {row["planted"] for row in year} == {"", "swap", "calibration", *CHEMISTRY, *BLOOD_COUNT}
    planted = [row for row in year if row["planted"]]
    assert 0.7 < sum(row["decision"] == "stopped" for row in planted) / len(planted) < 0.97


@pytest.mark.parametrize("mishap", [*CHEMISTRY])
def test_each_mishap_changes_what_it_touches(mishap: str) -> None:
    inside = bodily(Random(1), visitor(Random(1), 1, START, DAYS), START)
    tube = Tube(dict(inside), {"haemolysis": 1.0})
    befall(Random(2), tube, {mishap: CHEMISTRY[mishap]})
    assert tube.mishap == mishap and tube.touched
    changed = {name for name, value in tube.values.items() if value != inside[name]} | set(tube.factor)
    assert changed == set(tube.touched)


def test_a_swap_exchanges_two_people() -> None:
    one, other = Tube({"sodium": 1.0}, {}), Tube({"sodium": 2.0}, {})
    swap(one, other)
    assert (one.values["sodium"], other.values["sodium"], one.mishap, other.mishap) == (2.0, 1.0, "swap", "swap")


def test_an_illness_shows_and_passes() -> None:
    hepatitis = next(illness for illness in ILLNESSES if illness.name == "hepatitis")
    one = visitor(Random(5), 1, START, DAYS)
    one.ill = [(hepatitis, START, 1.0)]
    moments = visits(Random(5), one, START, DAYS)
    assert len(moments) >= 2
    before, height, later = (
        bodily(Random(9), one, START.replace(year=START.year + year, month=month))["alat"]
        for year, month in ((-1, 6), (0, 1), (0, 12))
    )
    assert height > 8 * before
    assert later < 2 * before


def test_it_is_written(tmp_path: Path) -> None:
    out = tmp_path / "build" / "history.parquet"
    assert main(["--out", str(out), "--patients", "20"]) == 0
    table = pl.read_parquet(out)
    assert tuple(table.columns) == COLUMNS
    assert table["number"].dtype == pl.Float64
