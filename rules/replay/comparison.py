"""What would a change of rules have changed? Hits of each rule before and after, results that flip either way, and what people had decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from labmw.model import VerdictLevel
from rules.replay.judge import GUARDS, Judged
from rules.replay.spread import reached

LEAVES = int(VerdictLevel.COMMENT)  # up to here a result leaves without a person
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule did before and after: how often it asked for anything, and how often it alone kept a result."""

    rule: str
    before: int | None
    after: int | None
    alone: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A change in figures. `released` and `held` are the rows that flip; people's decisions are None where the history has none."""

    results: int
    specimens: int
    held_before: int
    held_after: int
    whole_before: int  # specimens that leave altogether without a person
    whole_after: int
    rules: tuple[RuleCount, ...]
    released: pl.DataFrame  # held before, released after
    held: pl.DataFrame
    agree_before: float | None
    agree_after: float | None
    released_though_stopped: int | None  # newly released results that a person had stopped
    planted: Mapping[str, tuple[int, int, int]]  # mishap: (results, caught before, caught after)


def compare(before: Judged, after: Judged) -> Comparison:
    """Compare two verdicts on one history."""
    columns = [
        name
        for name in before.table.columns
        if name not in (*before.rules, *map(reached, before.reaching), GUARDS, "verdict")
        and name in after.table.columns
    ]
    table = before.table.select(*columns, pl.col("verdict").alias("before")).join(
        after.table.select("row", pl.col("verdict").alias("after")), on="row"
    )
    was, now = pl.col("before") > LEAVES, pl.col("after") > LEAVES
    tubes = table.group_by("site", "patient", "specimen").agg(was.any().alias("b"), now.any().alias("a"))
    released, held = table.filter(was & ~now), table.filter(~was & now)
    decided = table.filter(pl.col("decision") != "")
    stopped = pl.col("decision") == STOPPED
    planted = (
        table.filter(pl.col("planted") != "")
        .group_by("planted")
        .agg(pl.len(), was.sum().alias("b"), now.sum().alias("a"))
    )
    return Comparison(
        results=len(table),
        specimens=len(tubes),
        held_before=_count(table, was),
        held_after=_count(table, now),
        whole_before=_count(tubes, ~pl.col("b")),
        whole_after=_count(tubes, ~pl.col("a")),
        rules=_rules(before, after),
        released=released,
        held=held,
        agree_before=_share(decided, was == stopped),
        agree_after=_share(decided, now == stopped),
        released_though_stopped=_count(released, stopped) if len(decided) else None,
        planted={row[0]: (row[1], row[2], row[3]) for row in sorted(planted.iter_rows())},
    )  # fmt: skip


def _count(table: pl.DataFrame, condition: pl.Expr) -> int:
    return int(table.select(condition.sum()).item())


def _share(table: pl.DataFrame, condition: pl.Expr) -> float | None:
    return float(table.select(condition.mean()).item()) if len(table) else None


def _rules(before: Judged, after: Judged) -> tuple[RuleCount, ...]:
    names = dict.fromkeys((*before.rules, *after.rules))
    b, a, alone = _hits(before), _hits(after), sole(after)
    return tuple(RuleCount(name, b.get(name), a.get(name), alone.get(name, 0)) for name in names)


def _hits(one: Judged) -> dict[str, int]:
    if not one.rules:
        return {}
    counts = one.table.select((pl.col(name) > 0).sum() for name in one.rules)
    return dict(zip(one.rules, map(int, counts.row(0)), strict=True))


def sole(one: Judged) -> dict[str, int]:
    """Return how many results each rule alone keeps from leaving: without it they would."""
    if not one.rules:
        return {}
    keeping = [one.kept(name) > LEAVES for name in (*one.rules, GUARDS)]
    single = one.table.with_columns(pl.sum_horizontal(keeping).alias("_keeping"))
    counts = single.select(
        ((pl.col("_keeping") == 1) & (one.kept(name) > LEAVES)).sum().alias(name) for name in one.rules
    )
    return dict(zip(one.rules, map(int, counts.row(0)), strict=True))
