"""What would a replay have to know of the results in the store? One row per result, as a history file has them, what came before included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from labmw.clock import read_stamp, stamp
from labmw.model import VerdictLevel
from labmw.store import Row, Transaction
from labmw.store.statements import past
from rules.checks.hil import INDICES
from rules.guards import CORRECTED, FINAL
from rules.replay.history import prepared

EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


def table(site: str, since: datetime | None, until: datetime | None) -> Transaction[pl.DataFrame]:
    """Return the history of a site; results outside the time, and those of the LIS, count as what came before."""
    rows = yield past.results_judged(site, stamp(EVER[0]), stamp(EVER[1]))
    indices = _indices((yield past.indices_measured(site, stamp(EVER[0]), stamp(EVER[1]))))
    patients = {row.identifier: row for row in (yield past.patients_known(site))}
    tubes = {(row.identifier, row.patient): row for row in (yield past.specimens_known(site))}
    decided = _decided((yield past.verdicts_given(site, stamp(EVER[0]), stamp(EVER[1]))))
    before = yield past.previous_known(site)
    found = [_row(site, row, patients, tubes, indices, decided) for row in rows if row.status in FINAL | CORRECTED]
    found += [_earlier(site, row, place) for place, row in enumerate(before, start=1)]
    made = prepared("store", pl.DataFrame(found, schema=_SCHEMA), since=since, until=until)
    return made.with_columns((pl.col("judged") & (pl.col("result") > 0)).alias("judged"))


def _schema() -> dict[str, Any]:
    texts = ("site", "patient", "specimen", "loinc", "value", "comparator", "unit", "sex", "birth", "ward", "kind", "flags", "driver", "laboratory", "method", "decision")  # fmt: skip
    return {
        "result": pl.Int64, **dict.fromkeys(texts, pl.String), **dict.fromkeys(("number", "haemolysis", "icterus", "lipaemia"), pl.Float64),
        **dict.fromkeys(("collected", "completed"), pl.Datetime("us", "UTC")),
    }  # fmt: skip


_SCHEMA = _schema()


def _row(
    site: str, row: Row, patients: Mapping[str, Row], tubes: Mapping[tuple[str, str], Row], indices: Mapping[tuple[str, str, str], Mapping[str, float]],
    decided: Mapping[int, str],
) -> dict[str, Any]:  # fmt: skip
    who, tube = patients.get(row.patient), tubes.get((row.specimen, row.patient))
    measured = indices.get((row.analyzer, row.specimen, row.patient), {})
    return {
        "result": row.id, "site": site, "patient": row.patient, "specimen": row.specimen, "loinc": row.loinc, "value": row.value,
        "number": float(row.number) if row.number is not None else None, "comparator": row.comparator if row.number is not None else "",
        "unit": row.unit, "sex": who.sex if who is not None else "", "birth": who.birth if who is not None else "",
        "ward": tube.ward if tube is not None else "", "kind": tube.kind if tube is not None else "",
        "collected": read_stamp(tube.collected) if tube is not None and tube.collected else None,
        "completed": read_stamp(row.completed_at or row.received_at), "flags": " ".join(json.loads(row.flags)), "driver": row.driver,
        "method": "", "laboratory": "", "decision": decided.get(row.id, ""), **{name: measured.get(name) for name in ("haemolysis", "icterus", "lipaemia")},
    }  # fmt: skip


def _earlier(site: str, row: Row, place: int) -> dict[str, Any]:
    """A result that the LIS told: it is compared with, and not judged."""
    return {
        "result": -place, "site": site, "patient": row.patient, "specimen": f"LIS/{place}", "loinc": row.loinc, "value": row.number,
        "number": float(row.number), "comparator": row.comparator, "unit": row.unit, "completed": read_stamp(row.completed_at), "method": row.method,
        "laboratory": row.laboratory, **dict.fromkeys(("sex", "birth", "ward", "kind", "flags", "driver", "decision"), ""),
        **dict.fromkeys(("collected", "haemolysis", "icterus", "lipaemia")),
    }  # fmt: skip


def _indices(rows: list[Row]) -> dict[tuple[str, str, str], dict[str, float]]:
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for row in rows:
        if row.number is not None and row.serum_index in INDICES:
            found.setdefault((row.analyzer, row.specimen, row.patient), {})[INDICES[row.serum_index][0]] = float(
                row.number
            )
    return found


def _decided(rows: list[Row]) -> dict[int, str]:
    """What people decided; what the rules said is what a replay says again."""
    return {
        row.result: "released" if row.level <= VerdictLevel.COMMENT else "stopped"
        for row in rows
        if row.decided_by not in ("", "rules", "labmw")
    }


__all__ = ["table"]
