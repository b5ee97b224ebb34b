"""How is a version of the mapping read? One page of TOML, tables beside it as CSV from any spreadsheet, every mistake with file, line and remedy.

A CSV may come from a French spreadsheet: `;`, Windows-1252, a byte order mark. What would be ambiguous is refused (rules.spreadsheet).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from labmw.driver.check import loinc_check_digit
from labmw.errors import MappingError, PackError
from labmw.mapping.version import IGNORED, Analyte, Code, Version, digest
from labmw.quantity import UNIT_ALIASES, is_ucum
from rules.reserved import CLASSES, class_named
from rules.spreadsheet import Line, Sheet, read_sheet
from rules.strict import Table, refusal

LARGEST: Final = 2**20  # bytes of the page
MOST: Final = 20_000  # lines of a table
ANALYTE_COLUMNS: Final = ("analyte", "name", "loinc", "unit", "also", "words", "decimals", "specimens", "class")
MAY_LACK: Final = ("class",)
"""Columns that a catalogue of an earlier day did not have."""
CODE_COLUMNS: Final = ("driver", "link", "code", "analyte", "unit")
KEYS: Final = ("id", "version", "author", "from", "until", "catalogue", "codes", "units", "analyte", "code")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST: Final = 200


def load(file: Path) -> Version:
    """Read one version; raises MappingError with a sentence that names file, line or key, and the remedy."""
    try:
        return _load(file)
    except PackError as error:
        raise MappingError(str(error)) from None


def _load(file: Path) -> Version:
    name = str(file)
    try:
        data = file.read_bytes()
        if len(data) > LARGEST:
            raise refusal(
                name, "", f"has {len(data)} bytes", f"keep it under {LARGEST} bytes, and put tables into CSV files"
            )
        text = data.decode("utf-8")
        table = Table(name, "", tomllib.loads(text, parse_float=Decimal), text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise refusal(name, "", f"cannot be read ({error})", "mend it; TOML is UTF-8") from None
    identity, version = _identifier(table, "id"), _identifier(table, "version")
    author = table.text("author", "name who wrote this version")
    begins = table.moment("from", "write from when it holds, like 2026-12-01T00:00:00+01:00")
    ends = table.moment("until", "write it like 2027-12-01T00:00:00+01:00") if table.has("until") else None
    if ends is not None and ends <= begins:
        raise table.refuse("until", "is not after from", "give a later moment, or leave it out")
    units = _units(table)
    analytes = [_analyte_of(one) for one in table.tables("analyte")]
    codes = [_code_of(one) for one in table.tables("code")]
    if catalogue := table.text("catalogue", default=""):
        sheet = _sheet(file, catalogue, ANALYTE_COLUMNS, ("decimals",))
        analytes += [(_at(sheet, line), _analyte_in(sheet, line)) for line in sheet.lines]
    for one in table.texts("codes", 'list CSV files, like ["codes.csv"]'):
        sheet = _sheet(file, one, CODE_COLUMNS, ())
        codes += [(_at(sheet, line), _code_in(line)) for line in sheet.lines]
    table.done()
    if len(analytes) > MOST or len(codes) > MOST:
        raise refusal(name, "", "has too many lines", f"a laboratory has fewer than {MOST}")
    known = _catalogue(analytes)
    found = Version(identity, version, author, begins, ends, known, _codes(codes, known), units, name)
    return replace(found, hash=digest(found))


def _identifier(table: Table, key: str) -> str:
    text = table.text(key)
    if not _NAME.fullmatch(text):
        raise table.refuse(key, f"{text!r} cannot be a name", "use letters, digits, '.', '_' and '-', at most 64")
    return text


def _units(table: Table) -> dict[str, str]:
    """Unit aliases of the site. One that labmw knows already may not be given another meaning."""
    if not table.has("units"):
        return {}
    inner = table.table("units", 'write each as "UI/L" = "[IU]/L"')
    found = {}
    for sent in inner.names():
        unit = inner.text(sent, "write a UCUM code")
        if not is_ucum(unit):
            raise inner.refuse(sent, f"{unit!r} is not UCUM", "write it like 10*9/L, mmol/L or [IU]/L")
        usual = UNIT_ALIASES.get(sent)
        if usual is not None and usual != unit:
            raise inner.refuse(
                sent, f"means {usual} everywhere", "give the analyzer's code its own unit, or leave the alias out"
            )
        found[sent] = unit
    return found


def _analyte_of(table: Table) -> tuple[str, Analyte]:
    decimals = table.number("decimals") if table.has("decimals") else None
    found = Analyte(
        table.text("id", "give the analyte the laboratory's own name for it"),
        table.text("name", default=""),
        table.text("loinc", "give the LOINC code"),
        table.text("unit", default=""),
        table.texts("also"),
        table.texts("words"),
        _whole(table.file, f"{table.where}.decimals", decimals),
        table.texts("specimens"),
        _kind(table.file, f"{table.where}.class", table.text("class", default="")),
    )
    table.done()
    return f"{table.file}: {table.where}", found


def _analyte_in(sheet: Sheet, line: Line) -> Analyte:
    cells = line.cells
    return Analyte(
        cells["analyte"],
        cells["name"],
        cells["loinc"],
        cells["unit"],
        _several(cells["also"]),
        _several(cells["words"]),
        _whole(sheet.file, f"line {line.number}, decimals", sheet.number(line, "decimals")),
        _several(cells["specimens"]),
        _kind(sheet.file, f"line {line.number}, class", cells["class"]),
    )


def _code_of(table: Table) -> tuple[str, Code]:
    found = Code(
        table.text("code", "give the code as the analyzer sends it"),
        table.text("analyte", f"name an analyte of the catalogue, or {IGNORED!r}"),
        table.text("driver", default=""),
        table.text("link", default=""),
        table.text("unit", default=""),
    )
    table.done()
    return f"{table.file}: {table.where}", found


def _code_in(line: Line) -> Code:
    cells = line.cells
    return Code(cells["code"], cells["analyte"], cells["driver"], cells["link"], cells["unit"])


def _kind(file: str, where: str, text: str) -> str:
    found = class_named(text) if text else ""
    if found is None:
        raise refusal(file, where, f"{text!r} is no class", f"write {', '.join(CLASSES)}, a class of LOINC, or nothing")
    return found


def _several(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


def _whole(file: str, where: str, number: Decimal | None) -> int | None:
    if number is None:
        return None
    if number != number.to_integral_value() or not 0 <= number <= 12:
        raise refusal(file, where, f"{number} is no number of decimals", "give a whole number from 0 to 12")
    return int(number)


def _sheet(page: Path, name: str, columns: Sequence[str], numeric: Sequence[str]) -> Sheet:
    if Path(name).name != name:
        raise refusal(
            str(page), name, "is not beside this file", "put the table into the same folder and give its name alone"
        )
    try:
        data = (page.parent / name).read_bytes()
    except OSError as error:
        raise refusal(
            str(page), name, f"cannot be read ({error.strerror})", "put it beside this file, or mend its name"
        ) from None
    may_lack = [one for one in columns if one in MAY_LACK]
    return read_sheet(str(page.parent / name), data, [one for one in columns if one not in MAY_LACK], numeric, may_lack)


def _at(sheet: Sheet, line: Line) -> str:
    return f"{sheet.file}: line {line.number}"


def _catalogue(lines: Iterable[tuple[str, Analyte]]) -> dict[str, Analyte]:
    found: dict[str, Analyte] = {}
    for where, one in lines:
        if not one.id or one.id == IGNORED or len(one.id) > _LONGEST or not one.id.isprintable():
            raise refusal(where, "", f"{one.id!r} cannot name an analyte", "give it a short name")
        if one.id in found:
            raise refusal(where, "", f"the analyte {one.id!r} is there twice", "keep one of them")
        if not loinc_check_digit(one.loinc):
            raise refusal(where, "", f"the check digit of LOINC {one.loinc!r} is wrong", "look the code up again")
        for unit in (one.unit, *one.also):
            if unit and not is_ucum(unit):
                raise refusal(where, "", f"the unit {unit!r} is not UCUM", "write it like 10*9/L, mmol/L or [IU]/L")
        if not one.unit and not one.words:
            raise refusal(
                where,
                "",
                f"{one.id} has neither a unit nor words",
                "give the UCUM unit (1 for a ratio), or the words it may have",
            )
        if one.also and not one.unit:
            raise refusal(where, "", f"{one.id} has further units and none of its own", "give it a unit")
        found[one.id] = one
    return found


def _codes(lines: Iterable[tuple[str, Code]], known: dict[str, Analyte]) -> tuple[Code, ...]:
    found: dict[tuple[str, str, str], Code] = {}
    for where, one in lines:
        if not one.code or len(one.code) > _LONGEST:
            raise refusal(where, "", "has no code", "give the code as the analyzer sends it")
        if not one.driver and not one.link:
            raise refusal(where, "", f"{one.code} names neither a driver nor a link", "say whose code it is")
        if one.analyte != IGNORED and one.analyte not in known:
            raise refusal(
                where,
                "",
                f"{one.analyte!r} is not in the catalogue",
                f"add it there, or write {IGNORED!r} for a code that is not reported",
            )
        if one.unit and not is_ucum(one.unit):
            raise refusal(where, "", f"the unit {one.unit!r} is not UCUM", "write it like 10*9/L, mmol/L or [IU]/L")
        if one.unit and one.analyte != IGNORED:
            analyte = known[one.analyte]
            if one.unit not in (analyte.unit, *analyte.also):
                raise refusal(
                    where, "", f"{one.code} is in {one.unit}, and {analyte.id} may be in {', '.join((analyte.unit, *analyte.also))}",
                    "add the unit to `also` if the LOINC code holds for it; labmw converts nothing",
                )  # fmt: skip
        key = one.driver, one.link, one.code
        if key in found:
            raise refusal(where, "", f"the code {one.code!r} is there twice for the same analyzer", "keep one of them")
        found[key] = one
    return tuple(found.values())
