"""What does a finding about one result of a history do to the others? As `labmw.lab.spreading` does: a scope of panel, sample or visit holds them too.

In a history everything of a tube is known at once, so what the laboratory would have held or, had it left already, put on the recall list is
counted as held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl

from rules.rule import Rule
from rules.vocabulary import VISIT

TUBE: Final = ("site", "patient", "specimen")


def fired(name: str) -> str:
    """The column that says where a rule that reaches further has fired."""
    return f"fired:{name}"


def reached(name: str) -> str:
    """The column that holds what a rule asks for of the results that it reaches."""
    return f"reached:{name}"


def spread(table: pl.DataFrame, rules: Mapping[str, Rule]) -> pl.DataFrame:
    """Add what each of these rules reaches, by the columns that say where it has fired, and raise the verdicts."""
    level = table["verdict"].dtype
    for name, rule in rules.items():
        hit = pl.col("row").is_in(list(_rows(table, name, rule)))
        table = table.with_columns(
            pl.when(hit).then(pl.lit(int(rule.verdict))).otherwise(pl.lit(0)).cast(level).alias(reached(name))
        )
    names = [reached(name) for name in rules]
    return table.with_columns(pl.max_horizontal("verdict", *names).cast(level).alias("verdict"))


def _rows(table: pl.DataFrame, name: str, rule: Rule) -> Iterable[int]:
    """The rows that a rule reaches from where it has fired; a result of which nobody knows the patient reaches none."""
    from_here = table.filter(pl.col(fired(name)) & (pl.col("patient") != ""))
    if from_here.is_empty():
        return ()
    if rule.reach != "visit":
        found = table.join(from_here.select(TUBE).unique(), on=TUBE, how="semi")
        return found["row"] if rule.reach == "sample" else found.filter(pl.col("loinc").is_in(rule.panel))["row"]
    taken = table.select(
        *TUBE, "row", pl.col("collected").max().over(TUBE)
    )  # a tube is taken once, whichever row says when
    start = taken.filter(pl.col("row").is_in(from_here["row"].to_list())).drop("row").unique()
    near = taken.join(start, on=TUBE[:2], suffix="_from").filter(
        (pl.col("specimen") == pl.col("specimen_from"))
        | ((pl.col("collected") - pl.col("collected_from")).abs() <= VISIT)
    )
    return near["row"].unique()
