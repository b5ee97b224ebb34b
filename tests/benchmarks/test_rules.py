"""Are the sixty rules sixty, does each fire on something, and does the replay of them say what one at a time says?"""

from __future__ import annotations

import polars as pl

from rules.quick import Quick
from rules.replay.cases import Cases
from rules.replay.history import prepared
from rules.replay.judge import prepare
from simulators.history import draw, rows
from tests.benchmarks.rounds import Sample
from tests.benchmarks.rules import EXPLAINED, VERDICT, hits, million, prepare_cases, stored
from tests.benchmarks.ruleset import described, limits_of, packs, zen
from tests.benchmarks.table import replay_json, replay_missed


def test_sixty_rules_are_written_for_both() -> None:
    several = packs()
    assert len(several.active[0].rules) == 60
    text, names = zen(several)
    assert text.count("analyte in") > 50 and "value" in names and "lim_lo" in names


def test_cases_are_those_that_the_quick_way_judges() -> None:
    several = packs()
    cases = prepare_cases(several, 50)
    assert len(cases) == 50
    assert {type(Quick(several).level(case)).__name__ for case in cases} == {"VerdictLevel"}
    told = [described(case) for case in cases]
    assert all(one["own"][1] and one["birth"] for one in told)
    assert set(limits_of(several)) == set(several.active[0].analytes)


def test_columns_fire_what_one_at_a_time_fires() -> None:
    several = packs()
    made = prepare(
        prepared("year", pl.DataFrame(list(rows(4, draw(4, 60, mishap_rate=0.1))), infer_schema_length=None)), [several]
    )
    cases, quick = Cases.of(made, made["patient"].unique().to_list()), Quick(several)
    checked = 0
    parts = stored(made, several)
    for part, conditions in parts:
        plain = part.filter((pl.col("comparator") == "") & (pl.col("previous_comparator").fill_null("") == ""))
        told = plain.select(one.fill_null(False).alias(name) for name, one in conditions.items())
        for row, fired in zip(plain.iter_rows(named=True), told.iter_rows(named=True), strict=True):
            explained = quick.explained(cases.case(row))
            if explained is not None:
                checked += 1
                assert {one.rule.removeprefix("bench/") for one in explained[1]} == {
                    name for name, holds in fired.items() if holds
                }
    counted = hits(parts, ["R01", "R05"])
    assert set(counted) == {"R01", "R05"} and counted["R01"] > 0
    assert checked > 500


def test_the_replay_is_told() -> None:
    found = million(1, Sample((1e-5,)), 3000)
    assert found.results == 3000 and abs(found.loop - 0.03) < 1e-9
    assert replay_json(found)["times_loop"] == found.times
    assert len(replay_missed(found)) <= 2
    assert VERDICT != EXPLAINED
