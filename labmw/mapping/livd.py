"""What does a maker's LIVD table say? Vendor codes with the LOINC codes that the maker proposes, as lines for a site's own table.

LIVD is the industry's table of vendor test codes against LOINC, passed on as a spreadsheet: here as its CSV export. It names the test, the
specimen and the LOINC code, and no UCUM unit: units, and whether the proposal fits, are the laboratory's to decide.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from labmw.driver.check import loinc_check_digit
from labmw.errors import MappingError

LARGEST: Final = 16 * 2**20
MOST: Final = 50_000
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "code": ("vendor analyte code", "vendor transmission code", "analyte code"),
    "name": ("vendor analyte name", "analyte name"),
    "specimen": ("vendor specimen description", "specimen description"),
    "result": ("vendor result description", "result description"),
    "loinc": ("loinc code", "test performed loinc code"),
    "long": ("loinc long name", "test performed loinc long name"),
    "model": ("model", "vendor model"),
    "publication": ("publication version id",),
}
_NEEDED: Final = ("code", "loinc")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One line of a LIVD table."""

    line: int
    code: str
    loinc: str
    name: str = ""
    specimen: str = ""
    result: str = ""
    long: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Livd:
    """A table: its proposals, which publication it is, and the lines that propose nothing usable, each with why (a phrase code)."""

    proposals: tuple[Proposal, ...]
    publication: str
    refused: tuple[tuple[int, str, str], ...]  # line, phrase, what stands there


def read_livd(file: str, data: bytes) -> Livd:
    """Read a CSV export; raises MappingError with file, line and remedy."""
    rows = _rows(file, data)
    at, columns = _header(file, rows)
    proposals: list[Proposal] = []
    refused: list[tuple[int, str, str]] = []
    publication = ""
    for number, row in rows[at + 1 :]:
        cells = {key: row[place].strip() if place < len(row) else "" for key, place in columns.items()}
        if not any(cells.values()):
            continue
        publication = publication or cells.get("publication", "")
        code, loinc = cells["code"], cells["loinc"]
        if not code:
            refused.append((number, "livd-no-code", cells.get("name", "")))
        elif not loinc_check_digit(loinc):
            refused.append((number, "livd-bad-loinc", loinc))
        else:
            more = {key: cells.get(key, "") for key in ("name", "specimen", "result", "long", "model")}
            proposals.append(Proposal(number, code, loinc, **more))
    return Livd(tuple(proposals), publication, tuple(refused))


def _rows(file: str, data: bytes) -> list[tuple[int, list[str]]]:
    if len(data) > LARGEST or b"\0" in data:
        raise MappingError(f"{file}: is no CSV file; export the sheet of the LIVD workbook as CSV, UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = text.partition("\n")[0]
    mark = max((";", ",", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if len(found) > MOST:
                raise MappingError(f"{file}: has more than {MOST} lines; cut it to the analyzers of this laboratory")
            found.append((reader.line_num, row))
    except csv.Error as error:
        raise MappingError(f"{file}: line {reader.line_num}: is not CSV ({error}); mend its quotes") from None
    return found


def _header(file: str, rows: Sequence[tuple[int, list[str]]]) -> tuple[int, dict[str, int]]:
    """Where the header stands (some exports have lines of title above it), and which column is which."""
    for at, (number, row) in enumerate(rows[:20]):
        titles = [" ".join(cell.casefold().split()) for cell in row]
        found: dict[str, int] = {}
        for key, names in _COLUMNS.items():
            places = [place for place, title in enumerate(titles) if title in names]
            if len(places) > 1:
                raise MappingError(f"{file}: line {number}: two columns say {titles[places[0]]!r}; keep one of them")
            if places:
                found[key] = places[0]
        if all(key in found for key in _NEEDED):
            return at, found
    raise MappingError(
        f"{file}: has no columns 'Vendor Analyte Code' and 'LOINC Code'; export the mapping sheet of the LIVD workbook"
    )
