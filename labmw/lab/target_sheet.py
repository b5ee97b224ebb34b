"""How do targets of control lots come from a spreadsheet? Strictly: what is not unambiguous is refused with file, line and remedy."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

from labmw.errors import QuantityError
from labmw.lab.controlling import Target
from labmw.quantity import ucum
from rules.spreadsheet import Line, Sheet, read_sheet
from rules.strict import refusal
from rules.vocabulary import is_loinc

COLUMNS: Final = ("analyzer", "module", "test", "material", "lot", "unit", "mean", "sd", "source")
REQUIRED: Final = ("test", "material", "lot", "source")
_CODE_LENGTH: Final = 64


def read_targets(path: Path) -> tuple[Target, ...]:
    """Read the targets of one sheet; raises PackError naming file, line, column and remedy."""
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise refusal(file, "", f"cannot be read ({problem})", "give another file") from None
    sheet = read_sheet(file, data, COLUMNS, ("mean", "sd"))
    found: list[Target] = []
    seen: dict[tuple[str, ...], int] = {}
    for line in sheet.lines:
        one = _target(sheet, line)
        key = (one.analyzer, one.module, one.test, one.material, one.lot)
        if key in seen:
            raise refusal(file, f"line {line.number}", f"sets the target of line {seen[key]} again", "keep one of them")
        seen[key] = line.number
        found.append(one)
    return tuple(found)


def _target(sheet: Sheet, line: Line) -> Target:
    cells = line.cells
    for column in REQUIRED:
        if not cells[column] or len(cells[column]) > 4 * _CODE_LENGTH:
            raise refusal(sheet.file, f"line {line.number}, {column}", "is empty or too long", "fill it in")
    test = cells["test"]
    if "-" in test and test.replace("-", "").isdigit() and not is_loinc(test):
        raise refusal(
            sheet.file, f"line {line.number}, test", f"{test!r} has a wrong check digit", "correct the LOINC code"
        )
    mean, sd = _number(sheet, line, "mean"), _number(sheet, line, "sd")
    if sd <= 0:
        raise refusal(sheet.file, f"line {line.number}, sd", f"{sd} is not above zero", "give the standard deviation")
    try:
        unit = ucum(cells["unit"]) if cells["unit"] not in ("", "1") else ""
    except QuantityError as problem:
        raise refusal(sheet.file, f"line {line.number}, unit", str(problem), "write it in UCUM") from None
    analyzer = "" if cells["analyzer"] == "*" else cells["analyzer"]
    return Target(analyzer, cells["module"], test, cells["material"], cells["lot"], cells["source"], unit, mean, sd)


def _number(sheet: Sheet, line: Line, column: str) -> Decimal:
    found = sheet.number(line, column)
    if found is None:
        raise refusal(sheet.file, f"line {line.number}, {column}", "is empty", "give a number")
    return found
