"""Does a replay spread findings over panel, tube and visit as the laboratory does? Held against the laboratory's own spreading, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labmw.lab.spreading import spread
from labmw.lab.surroundings import Surroundings
from labmw.model import VerdictLevel
from labmw.store.transaction import row_type
from rules.engine import judge as engine_judge
from rules.pack import Packs
from rules.replay.cases import Cases
from rules.replay.comparison import compare, sole
from rules.replay.history import prepared
from rules.replay.judge import Judged, judge, prepare
from rules.vocabulary import VISIT
from tests.rules.replay.years import awkward, everything, year

Stored = row_type(("id", "specimen", "patient", "loinc", "test_name", "code", "state", "collected"))


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    return everything(tmp_path_factory.mktemp("everything"))


def laboratory(table: pl.DataFrame, packs: Packs) -> Iterator[tuple[int, VerdictLevel]]:
    """What the laboratory's own spreading says of each row, patient by patient, all of a patient's tubes being known."""
    cases = Cases.of(table, table["patient"].unique().to_list())
    for _, mine in table.group_by("site", "patient", maintain_order=True):
        rows = list(mine.iter_rows(named=True))
        stored = [
            Stored((one["row"], one["specimen"], one["patient"], one["loinc"], "", one["loinc"], "verify", one["collected"]))
            for one in rows
        ]  # fmt: skip
        visits = {
            (one.specimen, one.patient): frozenset(
                other.specimen
                for mine in stored
                if mine.specimen == one.specimen
                for other in stored
                if mine.collected and other.collected and abs(mine.collected - other.collected) <= VISIT
            )
            for one in stored
        }
        known = Surroundings(0, tuple(stored), visits, {}, {}, {}, "")
        judged = [(here, engine_judge(cases.case(row), packs)) for here, row in zip(stored, rows, strict=True)]
        for here, verdict in spread(judged, known)[0]:
            yield here.id, verdict.level


def differences(table: pl.DataFrame, judged: Judged, packs: Packs) -> list[tuple[int, int, int]]:
    told = dict(zip(judged.table["row"], judged.table["verdict"], strict=True))
    return [(row, told[row], int(level)) for row, level in laboratory(table, packs) if told[row] != level]


def test_a_replay_holds_what_the_laboratory_would(packs: Packs) -> None:
    @settings(max_examples=10, deadline=None, database=None)
    @given(seed=st.integers(0, 10_000), rough=st.booleans(), hours=st.sampled_from([0, 11, 12, 13]))
    def holds(seed: int, rough: bool, hours: int) -> None:
        drawn = year(3, seed)
        table = prepared("year", two_tubes(awkward(drawn, seed) if rough else drawn, hours))
        made = prepare(table, [packs])
        judged = judge(made, packs)
        assert differences(made, judged, packs) == []

    holds()


def two_tubes(table: pl.DataFrame, hours: int) -> pl.DataFrame:
    """Put every third result of a tube on a second one, taken some hours later."""
    other = pl.int_range(pl.len()) % 3 == 0
    later = pl.col("collected") + timedelta(hours=hours)
    return table.with_columns(
        pl.when(other).then(pl.col("specimen").cast(pl.String) + "-B").otherwise(pl.col("specimen").cast(pl.String)).alias("specimen"),
        pl.when(other).then(later).otherwise(pl.col("collected")).alias("collected"),
    )  # fmt: skip


def test_a_replay_that_does_not_spread_would_be_noticed(packs: Packs) -> None:
    made = prepare(prepared("year", awkward(year(12))), [packs])
    judged = judge(made, packs)
    assert {"everything/FLAG", "everything/GAP", "everything/IDENTITY"} <= set(judged.reaching)
    assert differences(made, judged, packs) == []
    alone = judged.table.with_columns(pl.max_horizontal("labmw/guards", *judged.rules).alias("verdict"))
    assert len(differences(made, Judged(alone, judged.rules, {}), packs)) > 20


def test_what_a_rule_reaches_counts_where_it_alone_keeps(packs: Packs) -> None:
    judged = judge(prepare(prepared("year", year(40)), [packs]), packs)
    name = "everything/IDENTITY"
    others = [judged.kept(one) for one in (*judged.rules, "labmw/guards") if one != name]
    freed = judged.table.filter(
        (judged.kept(name) > int(VerdictLevel.COMMENT)) & (pl.max_horizontal(others) <= int(VerdictLevel.COMMENT))
    )
    assert sole(judged)[name] == len(freed) > 0
    own = freed.filter(pl.col(name) == 0)
    assert len(own) > 0, "some are held by it alone that it did not judge"
    same = compare(judged, judged)
    assert same.released.height == same.held.height == 0
    assert not any(one.startswith("reached:") for one in same.held.columns)


def test_a_pack_without_reach_adds_no_column(tmp_path: Path) -> None:
    table = prepared("year", year(3))
    judged = judge(prepare(table, [Packs()]), Packs())
    assert judged.reaching == () and not any(one.startswith(("reached:", "fired:")) for one in judged.table.columns)
