"""What do the shipped example packs stop of what was planted? Per kind of mishap, and what they hold for nothing.

Invented patients, and packs whose limits are starting points: a generator can flatter, and can be unfair. Shown so that a change is seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from labmw.model import VerdictLevel
from rules.pack import SHIPPED, Packs, load_all, signed
from rules.replay.history import prepared
from rules.replay.judge import judge, prepare
from simulators.history import draw, rows


@dataclass(frozen=True, slots=True)
class Planted:
    """By mishap: specimens, specimens of which something was stopped, results, results released although they were touched."""

    kinds: Mapping[str, tuple[int, int, int, int]]
    false_holds: float
    results: int


def measure(patients: int = 1500) -> Planted:
    """Judge a year of invented patients by the shipped packs, signed for this."""
    packs = load_all([SHIPPED])[0]
    several = Packs.of(
        packs, [signed(one, who="nobody", at=datetime(2026, 1, 1, tzinfo=UTC), reason="measured") for one in packs]
    )
    year = pl.DataFrame(list(rows(9, draw(9, patients, mishap_rate=0.03))), infer_schema_length=None)
    judged = judge(prepare(prepared("year", year), [several]), several).table
    stops = pl.col("verdict") > int(VerdictLevel.COMMENT)
    good = judged.filter(pl.col("planted") == "")
    kinds: dict[str, tuple[int, int, int, int]] = {}
    for (kind,), part in judged.filter(pl.col("planted") != "").group_by("planted"):
        tubes = part.group_by("specimen").agg(stops.any().alias("stopped"))
        kinds[str(kind)] = (len(tubes), int(tubes["stopped"].sum()), len(part), len(part.filter(~stops)))
    return Planted(dict(sorted(kinds.items())), float(good.select(stops.mean()).item()), len(judged))
