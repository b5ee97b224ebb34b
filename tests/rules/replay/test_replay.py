"""Do columns judge a history as the engine judges it row by row? On a year made awkward, under every rule that a history can answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from labmw.errors import PackError
from labmw.model import VerdictLevel
from rules.engine import judge as engine_judge
from rules.pack import Packs, signed
from rules.quick import Quick
from rules.replay.cases import Cases
from rules.replay.comparison import compare, sole
from rules.replay.history import prepared, read
from rules.replay.judge import GUARDS, Judged, judge, prepare
from tests.rules.replay.years import SIGNED_AT, awkward, everything, year


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    return everything(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module")
def plain() -> pl.DataFrame:
    return prepared("year", year())


@pytest.fixture(scope="module")
def rough() -> pl.DataFrame:
    return prepared("year", awkward(year(40)))


def differences(table: pl.DataFrame, judged: Judged, packs: Packs) -> list[str]:
    cases = Cases.of(table, table["patient"].unique().to_list())
    found = []
    for row in judged.table.iter_rows(named=True):
        verdict = engine_judge(cases.case(row), packs)
        asked = {one.rule: int(one.level) for one in verdict.reasons}
        guards = max((level for name, level in asked.items() if name.startswith("labmw/")), default=0)
        told = {name: row[name] for name in judged.rules}
        said = {name: asked.get(name, 0) for name in judged.rules}
        if told != said or row[GUARDS] != guards:
            wrong = {name: (told[name], said[name]) for name in told if told[name] != said[name]}
            found.append(
                f"{row['loinc']} {row['comparator']}{row['number']} {row['unit']}: {wrong} guards {row[GUARDS]} {guards}"
            )
    return found


@pytest.mark.parametrize("kind", ["plain", "rough"])
def test_columns_and_engine_agree_on_every_rule_of_every_result(
    kind: str, packs: Packs, plain: pl.DataFrame, rough: pl.DataFrame
) -> None:
    table = prepare(plain if kind == "plain" else rough, [packs])
    judged = judge(table, packs)
    assert differences(table, judged, packs) == []
    assert judged.skipped == {"everything/QC": "qc"}, "a history does not say what quality control said"
    if kind == "plain":
        assert table["irregular"].mean() == 0, "nothing goes the slow way that need not"
        assert len(judged.table) == len(table)
    hits = dict(
        zip(judged.rules, judged.table.select((pl.col(name) > 0).sum() for name in judged.rules).row(0), strict=True)
    )
    own = {name: count for name, count in hits.items() if name.startswith("everything/") and kind == "rough"}
    assert all(own.values()), f"a rule that never fires proves nothing: {own}"


def test_a_reader_that_is_wrong_would_be_noticed(packs: Packs, plain: pl.DataFrame) -> None:
    table = prepare(plain, [packs])
    judged = judge(table, packs)
    wrong = judged.table.with_columns((pl.col("chemistry/LIMIT") + 1).alias("chemistry/LIMIT"))
    assert differences(table, Judged(wrong.head(50), judged.rules, {}), packs)


def test_only_the_asked_period_is_judged_and_what_came_before_counts(packs: Packs) -> None:
    since, until = datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 9, 1, tzinfo=UTC)
    some = judge(prepare(prepared("year", year(), since=since, until=until), [packs]), packs).table
    whole = judge(prepare(prepared("year", year()), [packs]), packs).table
    assert some["completed"].min() >= since and some["completed"].max() < until  # type: ignore[operator]
    same = whole.filter((pl.col("completed") >= since) & (pl.col("completed") < until))
    assert some["verdict"].to_list() == same["verdict"].to_list()


def test_nothing_is_signed_holds_everything(plain: pl.DataFrame) -> None:
    judged = judge(prepare(plain, [Packs()]), Packs())
    assert judged.hold_rate == 1.0
    assert judge(prepare(plain, [Packs()]).with_columns(pl.lit(False).alias("judged")), Packs()).table.height == 0


def test_a_change_is_told_both_ways(packs: Packs, plain: pl.DataFrame) -> None:
    shipped = Packs.of([p for p in packs.active if p.id != "everything"], [])
    table = prepare(plain, [packs, shipped])
    before, after = judge(table, packs), judge(table, Packs.of(packs.active, ()))
    same = compare(before, before)
    assert (same.released.height, same.held.height, same.held_before) == (0, 0, same.held_after)
    change = compare(after, before)
    assert change.held_before == change.results, "unsigned: everything is held"
    assert change.released.height == change.results - change.held_after
    assert change.held.height == 0
    assert change.released_though_stopped is not None
    assert change.agree_before is not None and change.agree_after is not None
    assert {"swap", "drip"} <= change.planted.keys()
    assert all(caught == results for results, caught, _ in change.planted.values())
    assert {one.rule for one in change.rules} == set(before.rules)
    undecided = compare(after, Judged(before.table.with_columns(pl.lit("").alias("decision")), before.rules, {}))
    assert undecided.results == change.results


def test_sole_hits_are_what_a_rule_alone_keeps(packs: Packs, plain: pl.DataFrame) -> None:
    judged = judge(prepare(plain, [packs]), packs)
    counts = sole(judged)
    name = max(counts, key=lambda one: counts[one])
    without = judged.table.with_columns(
        pl.max_horizontal(GUARDS, *(judged.kept(one) for one in judged.rules if one != name)).alias("less")
    )
    freed = without.filter(
        (pl.col("verdict") > int(VerdictLevel.COMMENT)) & (pl.col("less") <= int(VerdictLevel.COMMENT))
    )
    assert freed.height == counts[name] > 0
    assert sole(Judged(judged.table, (), {})) == {}


def test_a_history_is_read_from_parquet_and_csv_alike(tmp_path: Path) -> None:
    table = year(5)
    table.write_parquet(tmp_path / "a.parquet")
    table.with_columns(pl.col("collected", "completed").dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z")).write_csv(
        tmp_path / "a.csv"
    )
    one, other = read(tmp_path / "a.parquet"), read(tmp_path / "a.csv")
    for name in ("number", "completed", "collected", "birth", "unit", "haemolysis", "sex"):
        assert one[name].to_list() == other[name].to_list()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.drop("number"), "column number: is missing"), (lambda t: t.rename({"number": "numbre"}), "did you mean 'numbre'"),
        (lambda t: t.with_columns(number=float("nan")), "no number"), (lambda t: t.with_columns(lipaemia=float("inf")), "column lipaemia"),
        (lambda t: t.with_columns(comparator=pl.lit("~")), "column comparator"), (lambda t: t.with_columns(number=pl.lit("4,2")), "does not fit"),
    ],
)  # fmt: skip
def test_a_history_that_cannot_be_trusted_is_refused(change: object, problem: str) -> None:
    assert callable(change)
    with pytest.raises(PackError, match=problem):
        prepared("year", change(year(3)))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    for name in ("no.parquet", "no.csv"):
        with pytest.raises(PackError, match="there is no such file"):
            read(tmp_path / name)
    (tmp_path / "bad.parquet").write_bytes(b"not parquet")
    with pytest.raises(PackError, match="cannot be read"):
        read(tmp_path / "bad.parquet")


def test_times_without_a_zone_are_utc_and_few_columns_are_enough() -> None:
    table = year(3).select(
        "patient", "specimen", "loinc", "number", "unit", pl.col("completed").dt.replace_time_zone(None)
    )
    made = prepared("year", table)
    assert made["completed"].to_list() == year(3)["completed"].to_list()
    assert made["result"].to_list() == list(range(1, len(made) + 1))
    assert prepare(made, [Packs()])["irregular"].all(), "without sex and ward the engine itself judges"


@pytest.mark.parametrize("kind", ["plain", "rough"])
def test_the_quick_way_says_what_the_engine_says_or_nothing(
    kind: str, packs: Packs, plain: pl.DataFrame, rough: pl.DataFrame
) -> None:
    """Without the checks that compare many tests over time, which it leaves to the engine."""
    some = [
        replace(pack, rules=tuple(rule for rule in pack.rules if rule.check.name not in ("identity", "dilution", "qc")))
        for pack in packs.active
    ]
    fewer = Packs.of(some, [signed(pack, who="Dr A", at=SIGNED_AT, reason="test") for pack in some])
    quick = Quick(fewer)
    table = prepare(plain if kind == "plain" else rough, [fewer])
    cases = Cases.of(table, table["patient"].unique().to_list())
    answered = fired = 0
    for row in table.iter_rows(named=True):
        case = cases.case(row)
        level = quick.level(case)
        if level is None:
            assert quick.explained(case) is None
            continue
        answered += 1
        verdict = engine_judge(case, fewer)
        assert level is verdict.level, (row["loinc"], row["number"], [one.rule for one in verdict.reasons])
        explained = quick.explained(case)
        assert explained is not None and explained[0] is level
        told = {one.rule for one in explained[1]}
        assert told == {name for name, word, _ in verdict.trace if word == "fired"}
        assert all(" -> true" in one.detail for one in explained[1])
        fired += len(told)
    assert fired > 50
    assert answered > (0.9 if kind == "plain" else 0.3) * len(table)


def test_the_quick_way_leaves_to_the_engine_what_it_does_not_know(packs: Packs, plain: pl.DataFrame) -> None:
    table = prepare(plain.head(40), [packs])
    cases = Cases.of(table, table["patient"].unique().to_list())
    case = cases.case(table.filter(pl.col("loinc") == "2951-2").row(0, named=True))
    assert Quick(packs).level(case) is None, "a rule of many tests over time"
    assert Quick(Packs()).level(case) is None, "no pack"
