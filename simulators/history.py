"""What did a laboratory measure in a year? Results of invented patients as one table, for what-if questions: python -m simulators.history.

One row is one result, with its patient, specimen, indices, what quality control said, what a person decided, and which mishap was planted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from simulators import mishaps
from simulators.mishaps import Tube, befall, swap
from simulators.population import BLOOD_COUNT, CHEMISTRY, Measured, Visitor, bodily, visitor, visits

START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 365
SHIFTED = ("sodium", "calcium", "creatinine")  # tests whose calibration may be off for a day
CAUGHT = 0.85  # of the planted errors, a person stops so many
CAUTIOUS = 0.01  # and so many of the rest

COLUMNS = (
    "result", "site", "patient", "sex", "birth", "ward", "specimen", "kind", "collected", "completed", "loinc", "number", "comparator", "unit",
    "value", "flags", "driver", "method", "laboratory", "haemolysis", "icterus", "lipaemia", "qc", "decision", "planted",
)  # fmt: skip


@dataclass(slots=True)
class _Drawn:
    """One tube of one visit."""

    visitor: Visitor
    at: datetime
    panel: Mapping[str, Measured]
    tube: Tube
    kind: str


def draw(
    seed: int, patients: int, *, start: datetime = START, days: int = DAYS, mishap_rate: float = 0.01
) -> list[_Drawn]:
    """Return every tube of the year, in the order in which they were taken, some of them after a mishap."""
    random = Random(seed)  # noqa: S311 - repeatable, nothing secret
    drawn: list[_Drawn] = []
    for number in range(1, patients + 1):
        who = visitor(random, number, start, days)
        for at in visits(random, who, start, days):
            inside = bodily(random, who, at)
            if random.random() < 0.9:
                found = {name: inside[name] for name in CHEMISTRY}
                drawn.append(_Drawn(who, at, CHEMISTRY, Tube(found, _indices(random, inside)), "SER"))
            if random.random() < 0.75:
                drawn.append(
                    _Drawn(
                        who, at, BLOOD_COUNT, Tube({k: v for k, v in inside.items() if k in BLOOD_COUNT}, {}), "EDTA"
                    )
                )
    drawn.sort(key=lambda one: (one.at, one.visitor.who.identifier, one.kind))
    for place, one in enumerate(drawn):
        if random.random() >= mishap_rate or one.tube.mishap:
            continue
        if random.random() < 0.4:
            near = [
                other for other in drawn[place + 1 : place + 12] if other.kind == one.kind and not other.tube.mishap
            ]
            if near and (other := random.choice(near)).visitor is not one.visitor:
                swap(one.tube, other.tube)
        else:
            befall(random, one.tube, mishaps.CHEMISTRY if one.kind == "SER" else mishaps.BLOOD_COUNT)
    return drawn


def _indices(random: Random, inside: Mapping[str, float]) -> dict[str, float]:
    if random.random() < 0.02:
        return {}  # not measured
    fat = max(1.0, 8 * inside["triglycerides"] + random.gauss(0, 3))
    return {"haemolysis": max(0.0, random.gauss(5, 3)), "icterus": inside["bilirubin"] / 17.1, "lipaemia": fat}


def rows(seed: int, drawn: Sequence[_Drawn], *, start: datetime = START) -> Iterator[dict[str, Any]]:
    """Measure the tubes and write the results down."""
    random = Random(seed + 1)  # noqa: S311 - repeatable, nothing secret
    shift = {(random.randrange(DAYS), random.choice(SHIFTED)): random.choice((0.92, 1.08)) for _ in range(8)}
    number = 0
    for tube_number, one in enumerate(drawn, start=1):
        day = (one.at - start).days
        completed = one.at + timedelta(minutes=random.uniform(25, 160))
        measured = _measured(random, one)
        for name, how in one.panel.items():
            factor = shift.get((day, name), 1.0)
            value = measured[name] * factor * one.tube.factor.get(name, 1.0)
            planted = one.tube.mishap if name in one.tube.touched else ("calibration" if factor != 1.0 else "")
            number += 1
            yield _row(random, number, tube_number, one, name, how, value, completed, planted)


def _measured(random: Random, one: _Drawn) -> dict[str, float]:
    found = {}
    for name, value in one.tube.values.items():
        found[name] = value * (1 + random.gauss(0, one.panel[name].analytical / 100))
    if one.panel is BLOOD_COUNT:  # as the analyzer computes them
        found["haematocrit"] = found["erythrocytes"] * found["mcv"] / 10
        found["haemoglobin"] = found["erythrocytes"] * found["mch"]
        found["mchc"] = found["haemoglobin"] * 100 / found["haematocrit"]
    return found


def _row(
    random: Random,
    number: int,
    tube: int,
    one: _Drawn,
    name: str,
    how: Measured,
    value: float,
    completed: datetime,
    planted: str,
) -> dict[str, Any]:
    low = how.least and value < how.least
    text = f"{how.least if low else value:.{how.decimals}f}"
    stopped = random.random() < (CAUGHT if planted else CAUTIOUS)
    who, indices = one.visitor.who, one.tube.indices
    return {
        "result": number, "site": "LAB1", "patient": who.identifier, "sex": who.sex, "birth": who.birth, "ward": one.visitor.ward,
        "specimen": f"{tube:08d}", "kind": one.kind, "collected": one.at, "completed": completed, "loinc": how.loinc, "number": float(text),
        "comparator": "<" if low else "", "unit": how.unit, "value": f"<{text}" if low else text, "flags": one.tube.flags.get(name, ""),
        "driver": "roche-cobas-c311" if one.kind == "SER" else "sysmex-xn", "method": "", "laboratory": "",
        "haemolysis": _tenth(indices.get("haemolysis")), "icterus": _tenth(indices.get("icterus")), "lipaemia": _tenth(indices.get("lipaemia")),
        "qc": "ok", "decision": "stopped" if stopped else "released", "planted": planted,
    }  # fmt: skip


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def write(path: Path, seed: int, patients: int, *, days: int = DAYS, mishap_rate: float = 0.01) -> int:
    """Write a year as Parquet; return how many results it has."""
    import polars as pl  # noqa: PLC0415 - only who writes a file needs it

    drawn = draw(seed, patients, days=days, mishap_rate=mishap_rate)
    table = pl.DataFrame(
        list(rows(seed, drawn)),
        schema_overrides=dict.fromkeys(("number", "haemolysis", "icterus", "lipaemia"), pl.Float64),
        infer_schema_length=None,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    table.select(COLUMNS).write_parquet(path)
    return len(table)


def main(arguments: Sequence[str]) -> int:
    """Write a history."""
    parser = argparse.ArgumentParser(prog="python -m simulators.history", description="A year of invented results.")
    parser.add_argument("--out", type=Path, default=Path("build/history.parquet"))
    parser.add_argument("--patients", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mishaps", type=float, default=0.01, help="share of tubes that something happens to")
    given = parser.parse_args(arguments)
    count = write(given.out, given.seed, given.patients, mishap_rate=given.mishaps)
    sys.stdout.write(f"{given.out}: {count} results of {given.patients} invented patients, seed {given.seed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
