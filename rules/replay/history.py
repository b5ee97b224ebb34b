"""Where do last year's results come from? A Parquet or CSV file, one row per result, refused where it cannot be trusted."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl

from labmw.quantity import UNIT_ALIASES
from rules.strict import nearest, refusal

TEXTS = (
    "patient", "specimen", "loinc", "value", "comparator", "unit", "sex", "ward", "kind", "flags", "driver", "method", "laboratory", "site", "decision", "planted",
)  # fmt: skip
NUMBERS = ("number", "haemolysis", "icterus", "lipaemia")
MOMENTS = ("collected", "completed")
NEEDED = ("patient", "specimen", "loinc", "number", "unit", "completed")
KNOWN = (*TEXTS, *NUMBERS, *MOMENTS, "birth", "result", "qc")
COMPARATORS = ("", "<", "<=", ">", ">=")


def read(path: Path, *, since: datetime | None = None, until: datetime | None = None) -> pl.DataFrame:
    """Read a history; raises PackError naming file, column and remedy. `since` and `until` bound which results are judged, not what came before."""
    file = str(path)
    try:
        table = _table(path)
    except FileNotFoundError:
        raise refusal(file, "", "there is no such file", "make history writes one of invented patients") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        problem = f"cannot be read ({str(error).splitlines()[0][:120]})"
        raise refusal(file, "", problem, "give a .parquet or .csv file with one row per result") from None
    return prepared(file, table, since=since, until=until)


def _table(path: Path) -> pl.DataFrame:
    if path.suffix == ".csv" or path.name.endswith(".csv.gz"):
        if not path.exists():
            raise FileNotFoundError
        return pl.read_csv(path, infer_schema_length=0)
    if not path.exists():
        raise FileNotFoundError
    return pl.read_parquet(path)


def prepared(
    file: str, table: pl.DataFrame, *, since: datetime | None = None, until: datetime | None = None
) -> pl.DataFrame:
    """Check a table's columns, give them their types, and mark which rows are judged."""
    for name in NEEDED:
        if name not in table.columns:
            known = [one for one in table.columns if one not in KNOWN]
            raise refusal(file, f"column {name}", "is missing", nearest(name, known) if known else f"give it {name}")
    table = table.select([one for one in table.columns if one in KNOWN])
    try:
        table = table.with_columns(
            *(_text(table, name) for name in TEXTS),
            *(_number(table, name) for name in NUMBERS),
            *(_moment(table, name) for name in MOMENTS),
            _birth(table),
            (pl.col("result") if "result" in table.columns else pl.int_range(1, pl.len() + 1)).alias("result"),
        )
    except pl.exceptions.PolarsError as error:
        problem = f"has a value that does not fit its column ({str(error).splitlines()[0][:160]})"
        remedy = "numbers with a point, times like 2025-01-31T08:30:00+01:00"
        raise refusal(file, "", problem, remedy) from None
    for name in NUMBERS:
        bad = table.filter(pl.col(name).is_nan() | pl.col(name).is_infinite())
        if len(bad):
            raise refusal(
                file, f"column {name}", f"has {len(bad)} values that are no number", "leave it empty where nothing was measured"
            )  # fmt: skip
    odd = table.filter(~pl.col("comparator").is_in(COMPARATORS))
    if len(odd):
        raise refusal(file, "column comparator", f"{odd['comparator'][0]!r} is none", "write <, <=, >, >= or nothing")
    judged = pl.lit(True)
    if since is not None:
        judged &= pl.col("completed") >= since
    if until is not None:
        judged &= pl.col("completed") < until
    return table.with_columns(
        pl.col("unit").replace(UNIT_ALIASES), judged.alias("judged"), pl.int_range(pl.len()).alias("row")
    )


def _text(table: pl.DataFrame, name: str) -> pl.Expr:
    if name not in table.columns:
        return pl.lit("").alias(name)
    return pl.col(name).cast(pl.String).fill_null("").alias(name)


def _number(table: pl.DataFrame, name: str) -> pl.Expr:
    if name not in table.columns:
        return pl.lit(None, dtype=pl.Float64).alias(name)
    if table[name].dtype == pl.String:
        return pl.when(pl.col(name) != "").then(pl.col(name)).cast(pl.Float64).alias(name)
    return pl.col(name).cast(pl.Float64).alias(name)


def _moment(table: pl.DataFrame, name: str) -> pl.Expr:
    if name not in table.columns:
        return pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias(name)
    if table[name].dtype == pl.String:
        return (
            pl.when(pl.col(name) != "").then(pl.col(name)).str.to_datetime(time_zone="UTC", time_unit="us").alias(name)
        )
    if getattr(table[name].dtype, "time_zone", None) is None:
        return pl.col(name).dt.replace_time_zone("UTC").dt.cast_time_unit("us").alias(name)
    return pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us").alias(name)


def _birth(table: pl.DataFrame) -> pl.Expr:
    if "birth" not in table.columns:
        return pl.lit(None, dtype=pl.Date).alias("birth")
    if table["birth"].dtype == pl.String:
        return pl.when(pl.col("birth") != "").then(pl.col("birth")).str.to_date().alias("birth")
    return pl.col("birth").cast(pl.Date).alias("birth")


__all__ = ["NEEDED", "prepared", "read"]
