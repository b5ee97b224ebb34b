"""What case did the engine have before it, for one row of a history? For the rows that columns cannot judge, and to prove those they can."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from labmw.model import Case, Flag, HilIndices, Patient, Previous, Result, ResultKey, Sex, Specimen
from labmw.quantity import Quantity

_FLAGS = {flag.value: flag for flag in Flag}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cases:
    """The rows of some patients, ready to be looked at one by one."""

    by_series: Mapping[tuple[str, str, str], list[Row]]
    by_tube: Mapping[tuple[str, str, str], list[Row]]

    @classmethod
    def of(cls, table: pl.DataFrame, patients: Iterable[str]) -> Cases:
        """Collect the rows of these patients."""
        series: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        tubes: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in table.filter(pl.col("patient").is_in(list(patients))).iter_rows(named=True):
            series[row["site"], row["patient"], row["loinc"]].append(row)
            tubes[row["site"], row["patient"], row["specimen"]].append(row)
        return cls(series, tubes)

    def case(self, row: Row) -> Case:
        """Return the case of one row: every earlier result of the patient is its history."""
        tube = self.by_tube[row["site"], row["patient"], row["specimen"]]
        mine = _result(row)
        siblings = tuple(_result(other) for other in tube if other["row"] != row["row"])
        runs = sum(other["loinc"] == row["loinc"] and other["row"] != row["row"] for other in tube)
        sex = Sex(row["sex"]) if row["sex"] in ("F", "M") else Sex.UNKNOWN
        others = tuple(
            (other["loinc"], previous)
            for other in tube
            if other["loinc"] != row["loinc"]
            for previous in self._before(other)
        )
        return Case(
            mine,
            Patient(row["site"], row["patient"], birth=row["birth"], sex=sex) if row["patient"] else None,
            Specimen(
                row["site"], row["specimen"], row["patient"], kind=row["kind"], collected=row["collected"], ward=row["ward"]
            ),
            self._before(row),
            _indices(row),
            now=row["completed"],
            siblings=siblings,
            method=row["method"],
            laboratory=row["laboratory"],
            earlier_runs=runs,
            panel_history=others,
        )  # fmt: skip

    def _before(self, row: Row) -> tuple[Previous, ...]:
        return tuple(
            Previous(quantity, other["completed"], method=other["method"], laboratory=other["laboratory"])
            for other in self.by_series[row["site"], row["patient"], row["loinc"]]
            if row["completed"] is not None
            and other["completed"] is not None
            and other["completed"] < row["completed"]
            and (quantity := _quantity(other)) is not None
        )


def _quantity(row: Row) -> Quantity | None:
    if row["number"] is None:
        return None
    return Quantity(Decimal(repr(row["number"])), row["comparator"], row["unit"])


def _result(row: Row) -> Result:
    key = ResultKey(row["site"], row["driver"], row["specimen"], row["loinc"], "", str(row["result"]), "")
    flags = frozenset(_FLAGS.get(word, Flag.UNKNOWN) for word in row["flags"].split())
    quantity = _quantity(row)
    return Result(
        key, row["value"] or str(quantity or ""), quantity, loinc=row["loinc"], completed=row["completed"], flags=flags,
        driver=row["driver"], status="F",
    )  # fmt: skip


def _indices(row: Row) -> HilIndices | None:
    found = [row[name] for name in ("haemolysis", "icterus", "lipaemia")]
    if all(one is None for one in found):
        return None
    haemolysis, icterus, lipaemia = (None if one is None else Decimal(repr(one)) for one in found)
    return HilIndices(haemolysis, icterus, lipaemia)
