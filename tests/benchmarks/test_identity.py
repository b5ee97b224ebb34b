"""Is the score measured as it is said to be? Its interval, and on the public data where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.identity import BETTER, FILE, measure, wilson
from tests.benchmarks.planted import measure as planted


def test_the_interval() -> None:
    low, high = wilson(0.5, 100)
    assert (round(low, 3), round(high, 3)) == (0.404, 0.596)
    assert wilson(1.0, 100)[1] == pytest.approx(1.0)


def test_without_the_data_nothing_is_measured(tmp_path: Path) -> None:
    assert measure(tmp_path / "nothing.csv.gz") is None


@pytest.mark.skipif(not FILE.exists(), reason=f"the public data are not at {FILE}")
def test_many_tests_find_what_one_does_not() -> None:
    found = measure()
    assert found is not None
    assert found.above > BETTER
    assert all(low <= caught <= high for _, _, caught, low, high in found.curve)


def test_what_was_planted_is_counted() -> None:
    found = planted(120)
    assert {"swap", "drip"} <= found.kinds.keys()
    assert all(
        stopped <= tubes <= results and released <= results
        for tubes, stopped, results, released in found.kinds.values()
    )
    assert 0 < found.false_holds < 0.2
