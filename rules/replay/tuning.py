"""Which limit gives so many false holds, and what does it catch? From the history itself: real changes, and tubes exchanged on purpose.

An exchanged tube is simulated by giving each result the previous result of somebody else: the next patient in a shuffled order. Thresholds
are set on one half of the patients and told for the other half, so that what is promised was not also what was fitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

SEED = 20260101


@dataclass(frozen=True, slots=True)
class Tuned:
    """One limit: on how many pairs it was set and tried, the false holds it gives on the half not used, and the exchanges it catches."""

    name: str
    mode: str
    limit: float
    pairs: int
    false_holds: float
    caught: float


@dataclass(frozen=True, slots=True)
class Halves:
    """Half of the patients to set a threshold by, and the other half to tell what it does."""

    fit: pl.DataFrame
    told: pl.DataFrame


def halves(table: pl.DataFrame) -> Halves:
    """Split by patient, the same way every time."""
    side = pl.col("patient").hash(seed=SEED) % 2 == 0
    return Halves(table.filter(side), table.filter(~side))


def delta(features: pl.DataFrame, loinc: str, share: float, window_hours: float) -> tuple[Tuned, ...]:
    """Return the absolute and the percent delta limit of one test for a share of false holds."""
    pairs = features.filter(
        (pl.col("loinc") == loinc) & (pl.col("hours") <= window_hours) & (pl.col("comparator") == "")
        & (pl.col("previous_comparator").fill_null("") == "") & (pl.col("previous") > 0) & (pl.col("planted") == "")
    )  # fmt: skip
    found = []
    for mode, change in (
        ("absolute", (pl.col("number") - pl.col("previous")).abs()),
        ("percent", (pl.col("number") / pl.col("previous") - 1).abs() * 100),
    ):
        two = halves(pairs)
        if len(two.fit) < 2 or len(two.told) < 2:
            continue
        limit = two.fit.select(change.quantile(1 - share, "higher")).item()
        others = _exchanged(two.told, ["previous"])
        found.append(
            Tuned(
                loinc, mode, float(limit), len(pairs), _share(two.told, change > limit), _share(others, change > limit)
            )
        )
    return tuple(found)


def limits(features: pl.DataFrame, loinc: str, share: float) -> Tuned | None:
    """Return an upper and lower quantile of one test as one span: half of the false holds on each side; told as the upper limit."""
    values = features.filter((pl.col("loinc") == loinc) & (pl.col("comparator") == "") & (pl.col("planted") == ""))
    two = halves(values)
    if len(two.fit) < 2 or len(two.told) < 2:
        return None
    low, high = (
        float(two.fit.select(pl.col("number").quantile(q, "nearest")).item()) for q in (share / 2, 1 - share / 2)
    )
    outside = (pl.col("number") < low) | (pl.col("number") > high)
    return Tuned(loinc, f"{low:g} to {high:g}", high, len(values), _share(two.told, outside), math.nan)


@dataclass(frozen=True, slots=True)
class Identity:
    """The deviations of ln(now / before) by test, and the curve: (false holds wanted, threshold, false holds found, exchanges caught)."""

    deviations: dict[str, float]
    panels: int
    curve: tuple[tuple[float, float, float, float], ...]


def identity(
    features: pl.DataFrame, loincs: Sequence[str], shares: Sequence[float], window_hours: float, at_least: int = 3
) -> Identity | None:
    """Tune the score over several tests."""
    rows = features.filter(
        pl.col("loinc").is_in(loincs) & (pl.col("comparator") == "") & (pl.col("number") > 0) & (pl.col("planted") == "") & (pl.col("here") == 1)
    ).with_columns(pl.when((pl.col("hours") <= window_hours) & (pl.col("previous") > 0)).then("previous").alias("previous"))  # fmt: skip
    rows = rows.with_columns(pl.col("number").log().alias("now"), pl.col("previous").log().alias("then"))
    keys = ["site", "patient", "specimen"]
    wide = rows.pivot(on="loinc", index=keys, values=["now", "then"], aggregate_function="first")
    present = [loinc for loinc in loincs if f"now_{loinc}" in wide.columns]
    counted = (
        pl.sum_horizontal([_change(one).is_not_null().cast(pl.Int32) for one in present]) if present else pl.lit(0)
    )
    panels = wide.filter(counted >= at_least)
    two = halves(panels)
    if len(two.fit) < 2 or len(two.told) < 2:
        return None
    deviations = {one: float(two.fit.select(_change(one).std()).item() or math.nan) for one in present}
    usable = {one: sd for one, sd in deviations.items() if sd > 0}
    score = _score(usable)
    exchanged = _exchanged(two.told, [f"then_{one}" for one in present])
    curve = []
    for share in shares:
        threshold = float(two.fit.select(score.quantile(1 - share, "higher")).item())
        curve.append((share, threshold, _share(two.told, score > threshold), _share(exchanged, score > threshold)))
    return Identity(usable, len(panels), tuple(curve))


def _change(loinc: str) -> pl.Expr:
    return pl.col(f"now_{loinc}") - pl.col(f"then_{loinc}")


def _score(deviations: dict[str, float]) -> pl.Expr:
    z = [_change(one) / sd for one, sd in deviations.items()]
    count = pl.sum_horizontal([one.is_not_null().cast(pl.Int32) for one in z])
    return (pl.sum_horizontal([(one * one).fill_null(0.0) for one in z]) / count).sqrt()


def _exchanged(table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Give each row the earlier values of the next row in a shuffled order, of another patient."""
    shuffled = table.sample(fraction=1.0, shuffle=True, seed=SEED)
    other = shuffled.with_columns(
        pl.col("patient").shift(1).alias("other"), *(pl.col(name).shift(1).alias(name) for name in columns)
    )
    return other.filter(pl.col("other") != pl.col("patient"))


def _share(table: pl.DataFrame, condition: pl.Expr) -> float:
    found = table.select(condition.mean()).item() if len(table) else None
    return math.nan if found is None else float(found)
