"""What was found before labmw was here? A bulk load of the LIS's history: one CSV row per result, every row right or none is loaded."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from labmw.clock import stamp
from labmw.driver.check import loinc_check_digit
from labmw.driver.timestamp import read_time
from labmw.errors import QuantityError
from labmw.lab.lis_patients import resolve
from labmw.quantity import read_number, ucum
from labmw.store import schema, statements
from labmw.store.transaction import Transaction

NEEDED = ("patient", "loinc", "completed", "value", "unit")
MAY = ("method", "laboratory", "analyzer")
BATCH = 500  # rows per transaction: the lines get in between
_LOINC = re.compile(r"\d{1,7}-\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row: a code of the catalogue and its facts."""

    line: int
    reason: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds."""

    rows: tuple[Mapping[str, str], ...]
    faults: tuple[Fault, ...]


def read_history(lines: Iterable[str], tests: Mapping[str, tuple[str, ...]], zone: ZoneInfo) -> Read:
    """Read a CSV file (comma, semicolon or tab; a header line). `zone`: of times without an offset.

    Columns: patient, loinc (or a code of `[lis.tests]`), completed (ISO 8601 or HL7), value (with < or >), unit, and method, laboratory, analyzer.
    """
    rows: list[Mapping[str, str]] = []
    faults: list[Fault] = []
    source = iter(lines)
    head = next(source, "").lstrip("\ufeff")
    mark = max(",;\t", key=head.count)
    names = [name.strip().lower() for name in next(csv.reader([head], delimiter=mark), [])]
    if lost := [name for name in NEEDED if name not in names]:
        return Read(
            (), (Fault(1, "history-column", (("column", ", ".join(lost)), ("known", ", ".join((*NEEDED, *MAY))))),)
        )
    reader = csv.reader(source, delimiter=mark)
    for cells in reader:
        line = reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            faults.append(Fault(line, "history-cells", (("count", str(len(cells))), ("columns", str(len(names))))))
            continue
        found = _row(dict(zip(names, (cell.strip() for cell in cells), strict=True)), tests, zone)
        if isinstance(found, str):
            faults.append(
                Fault(
                    line, "history-value", (("column", found), ("value", dict(zip(names, cells, strict=True))[found]))
                )
            )
        else:
            rows.append(found)
    return Read(tuple(rows), tuple(faults))


def _row(cells: Mapping[str, str], tests: Mapping[str, tuple[str, ...]], zone: ZoneInfo) -> Mapping[str, str] | str:
    """The row to be kept, or the column that cannot be read."""
    if not cells["patient"]:
        return "patient"
    loinc = tests.get(cells["loinc"], (cells["loinc"],))
    if len(loinc) != 1 or not _LOINC.fullmatch(loinc[0]) or not loinc_check_digit(loinc[0]):
        return "loinc"
    at = _moment(cells["completed"], zone)
    if at is None:
        return "completed"
    number = read_number(cells["value"])
    if number is None:
        return "value"
    try:
        unit = ucum(cells["unit"]) if cells["unit"] not in ("", "1") else ""
    except QuantityError:
        return "unit"
    return {
        "patient": cells["patient"],
        "loinc": loinc[0],
        "completed_at": stamp(at),
        "number": f"{number[1]:f}",
        "comparator": number[0],
        "unit": unit,
        **{name: cells.get(name, "") for name in MAY},
    }


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    if re.fullmatch(r"\d{12,14}.*", text):
        return read_time(text, zone).at
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) < 16:
        return None  # a day without an hour: two results of it would be one
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def batches(rows: Sequence[Mapping[str, str]]) -> Iterator[Sequence[Mapping[str, str]]]:
    """The rows in transactions of a bearable size."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def keep_history(site: str, rows: Sequence[Mapping[str, str]], source: str) -> Transaction[None]:
    """Keep rows as history; what is there already is left as it is. A number that was merged means the patient who was kept."""
    known: dict[str, str] = {}
    for number in {row["patient"] for row in rows}:
        known[number] = yield from resolve(site, number)
    made = [{"site": site, **row, "patient": known[row["patient"]], "source": source} for row in rows]
    yield statements.insert_rows_once(schema.previous, made)
