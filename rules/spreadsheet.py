"""How is a CSV from a spreadsheet read? As English or French spreadsheets write it, where that is unambiguous; otherwise refused.

French: `;` between cells, decimal comma, Windows-1252, a byte order mark. In a file with `;`, `1,234` may be one thousand or one and
a bit: it is only read when another number in the file shows that the comma is the decimal mark.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from rules.strict import nearest, refusal

LARGEST = 2**20  # bytes; the biggest real limit table is a tenth of that
_POINT = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_COMMA = re.compile(r"-?\d{1,15}(?:,\d{1,15})?", re.ASCII)
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2},\d{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the sheet: its number in the file, and its cells by column."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """The lines of one CSV, and which mark its numbers have."""

    file: str
    lines: tuple[Line, ...]
    comma: bool  # decimals are written with a comma

    def number(self, line: Line, column: str) -> Decimal | None:
        """Return the exact decimal of a cell; None for an empty one."""
        text = line.cells[column]
        if not text:
            return None
        if not (_COMMA if self.comma else _POINT).fullmatch(text):
            mark = "comma" if self.comma else "point"
            raise refusal(
                self.file, f"line {line.number}, {column}", f"{text!r} is not a number",
                f"write it with digits and a decimal {mark}, as the rest of this file does",
            )  # fmt: skip
        return Decimal(text.replace(",", "."))


def read_sheet(
    file: str, data: bytes, columns: Sequence[str], numeric: Sequence[str], optional: Sequence[str] = ()
) -> Sheet:
    """Read one CSV strictly: exactly these columns in any order, optional ones empty where they are not there; raises PackError with file, line and remedy."""
    text = _text(file, data)
    first = text.partition("\n")[0]
    if ";" in first and "," in first:
        raise refusal(file, "line 1", "has both ';' and ',' between its columns", "use one of them in the whole file")
    mark = ";" if ";" in first else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    lines: list[Line] = []
    header: list[str] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]  # str.strip takes the no-break spaces of spreadsheets too
            if not any(cells):
                continue
            if not header:
                header = _header(file, cells, columns, optional)
            elif len(cells) != len(header):
                raise refusal(
                    file, f"line {reader.line_num}", f"has {len(cells)} cells where the header has {len(header)}",
                    f"give every column a cell; text with {mark!r} in it needs quotes",
                )  # fmt: skip
            else:
                lines.append(Line(reader.line_num, dict.fromkeys(optional, "") | dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise refusal(file, f"line {reader.line_num}", f"is not CSV ({error})", "mend its quotes") from None
    if not lines:
        raise refusal(file, "", "has no line below its header", "give it at least one row")
    return Sheet(file, tuple(lines), mark == ";" and _comma(file, lines, numeric))


def _text(file: str, data: bytes) -> str:
    if len(data) > LARGEST:
        raise refusal(file, "", f"has {len(data)} bytes", f"keep a limit table under {LARGEST} bytes")
    if b"\0" in data:
        raise refusal(file, "", "is not a text file", "save it as CSV, UTF-8")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise refusal(file, "", "is neither UTF-8 nor Windows-1252", "save it as CSV, UTF-8")


def _header(file: str, cells: list[str], columns: Sequence[str], optional: Sequence[str]) -> list[str]:
    for cell in cells:
        if cell not in columns and cell not in optional:
            raise refusal(file, "line 1", f"{cell!r} is not a known column", nearest(cell, (*columns, *optional)))
    for column in (*columns, *optional):
        if cells.count(column) != 1 and (column in columns or column in cells):
            problem = f"the column {column!r} is {'missing' if column not in cells else 'there twice'}"
            raise refusal(file, "line 1", problem, f"the header is {','.join(columns)}")
    return cells


def _comma(file: str, lines: Sequence[Line], numeric: Sequence[str]) -> bool:
    """Decide which decimal mark a file with `;` uses; raises PackError where it cannot be decided."""
    numbers = [(line.number, column, line.cells[column]) for line in lines for column in numeric]
    commas = [one for one in numbers if _COMMA.fullmatch(one[2]) and "," in one[2]]
    points = [one for one in numbers if _POINT.fullmatch(one[2]) and "." in one[2]]
    if commas and points:
        number, column, text = points[0]
        raise refusal(
            file, f"line {number}, {column}", f"{text!r} has a decimal point where line {commas[0][0]} has a comma",
            "write all numbers of a file with the same decimal mark",
        )  # fmt: skip
    if commas and all(_THOUSANDS.fullmatch(text) for _, _, text in commas):
        number, column, text = commas[0]
        raise refusal(
            file, f"line {number}, {column}", f"{text!r} may be {text.replace(',', '')} or {text.replace(',', '.')}",
            "write it with a decimal point, or without a mark for thousands",
        )  # fmt: skip
    return bool(commas)
