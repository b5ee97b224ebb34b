"""What does each result of a history stand beside? Previous result, age, hours, the rest of its specimen: computed once, stored with it.

A row is *plain* when every number it stands on is exactly known, *bounded* when some are only bounds, and *irregular* when the columns
cannot say what the engine would (an unknown sex, two results of one test, two methods): the engine itself judges those, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from rules.age import OLDEST
from rules.analyte import Analyte
from rules.expression.bounds import HIGH, HIGH_OPEN, LOW, LOW_OPEN
from rules.expression.unit import alike

PERSON = ["site", "patient"]
TUBE = ["site", "patient", "specimen"]
_DAYS_A_YEAR = 365.2425


def features(table: pl.DataFrame) -> pl.DataFrame:
    """Return the history with what every rule may ask of a result alone."""
    series = [*PERSON, "loinc"]
    table = table.sort([*series, "completed", "result"])
    one_way = [*series, "unit", "method", "laboratory"]
    months = (
        (pl.col("collected").dt.year() - pl.col("birth").dt.year()) * 12
        + pl.col("collected").dt.month().cast(pl.Int32) - pl.col("birth").dt.month().cast(pl.Int32)
        - (pl.col("collected").dt.day() < pl.col("birth").dt.day()).cast(pl.Int32)
    )  # fmt: skip
    table = table.with_columns(
        pl.col("number").alias("value_number"),
        pl.col("number").shift(1).over(one_way).alias("previous"),
        pl.col("comparator").shift(1).over(one_way).alias("previous_comparator"),
        (pl.col("completed") - pl.col("completed").shift(1).over(one_way)).dt.total_microseconds().truediv(3.6e9).alias("hours"),
        (pl.col("completed") - pl.col("collected")).dt.total_microseconds().truediv(3.6e9).alias("tube_hours"),
        (pl.col("collected").dt.date() - pl.col("birth")).dt.total_days().alias("age_days"),
        months.alias("age_months"),
        *(pl.col(name).n_unique().over(series).alias(f"ways_{name}") for name in ("unit", "method", "laboratory")),
        pl.len().over([*TUBE, "loinc"]).alias("here"),
    )  # fmt: skip
    mixed = (pl.col("ways_unit") > 1) | (pl.col("ways_method") > 1) | (pl.col("ways_laboratory") > 1)
    odd = (
        mixed | (pl.col("here") > 1)
        | ~pl.col("sex").is_in(["F", "M"]) | pl.col("age_days").is_null() | (pl.col("age_days") < 0) | (pl.col("age_months") > OLDEST * 12)
        | (pl.col("ward") == "") | (pl.col("kind") == "") | (pl.col("driver") == "") | (pl.col("hours") <= 0).fill_null(False)
        | pl.col("number").is_null() | (pl.col("number") < 0) | (pl.col("previous") <= 0).fill_null(False)
        | pl.col("patient").eq("") | (pl.col("tube_hours") < 0).fill_null(True) | pl.col("completed").is_null()
    )  # fmt: skip
    bounded = (pl.col("comparator") != "") | (pl.col("previous_comparator").fill_null("") != "")
    return table.with_columns(
        pl.when(pl.col("previous").is_not_null()).then(pl.col("hours")).alias("hours"),
        (pl.col("age_days") / _DAYS_A_YEAR).alias("age"),
        odd.alias("irregular"),
        bounded.alias("bounded"),
        mixed.alias("mixed"),
        pl.lit(0.0).alias("runs"),
    ).drop([f"ways_{name}" for name in ("unit", "method", "laboratory")])


def with_siblings(table: pl.DataFrame, analytes: Iterable[Analyte]) -> pl.DataFrame:
    """Add the other tests of the specimen under their aliases, each in the unit of its pack; `alias?` says that it is no plain fact."""
    for one in analytes:
        if f"{one.alias}?" in table.columns:
            continue
        own = table.filter(pl.col("loinc").is_in(one.loincs))
        units = [text for text in own["unit"].unique().to_list() if alike(text, one.unit)]
        found = own.group_by(TUBE).agg(
            pl.col("number").first().alias(one.alias),
            pl.col("comparator").first().alias(f"{one.alias}_comparator"),
            ((pl.len() > 1) | ~pl.col("unit").is_in(units).all() | pl.col("number").is_null().any()).alias(f"{one.alias}?"),
        )  # fmt: skip
        table = table.join(found, on=TUBE, how="left").with_columns(pl.col(f"{one.alias}?").fill_null(False))
    return table


def with_ratios(table: pl.DataFrame, analytes: Iterable[Analyte]) -> pl.DataFrame:
    """Add ln(now / before) of the tests of the specimen, and how many hours before that was."""
    exact = (
        (pl.col("comparator") == "")
        & (pl.col("previous_comparator") == "")
        & (pl.col("number") > 0)
        & (pl.col("previous") > 0)
    )
    for one in analytes:
        if f"{one.alias}:ratio" in table.columns:
            continue
        found = table.filter(pl.col("loinc").is_in(one.loincs)).select(
            *TUBE,
            pl.when(exact).then((pl.col("number") / pl.col("previous")).log()).alias(f"{one.alias}:ratio"),
            pl.col("hours").alias(f"{one.alias}:hours"),
            (pl.col("mixed") | (pl.col("here") > 1)).alias(f"{one.alias}:odd"),
        )
        table = table.join(found.unique(TUBE, keep="first"), on=TUBE, how="left")
        table = table.with_columns(pl.col(f"{one.alias}:odd").fill_null(False))
    return table


def ends(table: pl.DataFrame, name: str, comparator: str | None) -> list[pl.Expr]:
    """Return the columns that say where a number lies when it may be a bound, as `rules.interval.interval` does."""
    value = pl.col(name)
    sign = pl.col(comparator).fill_null("") if comparator is not None else pl.lit("")
    there = value.is_not_null()
    less, more = sign.is_in(["<", "<="]), sign.is_in([">", ">="])
    floor = pl.when(value > 0).then(pl.lit(0.0)).otherwise(pl.lit(float("-inf")))
    return [
        pl.when(there).then(pl.when(less).then(floor).otherwise(value)).alias(f"{name}{LOW}"),
        pl.when(there).then(pl.when(more).then(pl.lit(float("inf"))).otherwise(value)).alias(f"{name}{HIGH}"),
        ((sign == ">") | (less & (value <= 0))).fill_null(False).alias(f"{name}{LOW_OPEN}"),
        ((sign == "<") | more).fill_null(False).alias(f"{name}{HIGH_OPEN}"),
    ]
