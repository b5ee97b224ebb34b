"""Which limits hold for this patient, ward and specimen? The rows of a pack's CSV, found by dict and bisect, most specific first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise, product
from pathlib import PurePath

from labmw.errors import QuantityError
from labmw.quantity import ucum
from rules.age import BIRTH, Age, Edge, edge, equal, ordered
from rules.interval import finite
from rules.spreadsheet import Line, Sheet, read_sheet
from rules.strict import nearest, refusal
from rules.vocabulary import ANY, is_loinc

KINDS = ("lim", "crit", "abs")  # release limits, critical limits, limits of the possible: each inside the next
NUMERIC = tuple(f"{kind}_{end}" for kind in KINDS for end in ("lo", "hi"))
COLUMNS = ("analyte", "sex", "age_from", "age_to", "ward", "specimen", "unit", *NUMERIC, "source")
SEXES = ("F", "M", ANY)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A lower and an upper limit, exact and as binary64; None where there is none."""

    low: Decimal | None
    high: Decimal | None
    low64: float | None
    high64: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a limit table."""

    analyte: str
    sex: str
    start: Edge
    end: Edge | None  # None: for ever
    ward: str
    specimen: str
    unit: str
    bounds: Mapping[str, Bounds]  # by kind
    source: str
    place: str  # "limits.csv:7"

    @property
    def line(self) -> str:
        """Where the row is in its file, as errors name it."""
        return f"line {self.place.rpartition(':')[2]}"


@dataclass(frozen=True, slots=True)
class _Bands:
    """The rows of one group, youngest first."""

    rows: tuple[Row, ...]

    def at(self, age: Age) -> Row | None:
        rows = self.rows
        place = bisect_right(rows, 0, key=lambda row: 0 if row.start.reached(age) else 1) - 1
        if place < 0:
            return None
        row = rows[place]
        return None if row.end is not None and row.end.reached(age) else row


@dataclass(frozen=True, slots=True)
class UnitLimits:
    """The rows of one LOINC code in one unit."""

    groups: Mapping[tuple[str, str, str], _Bands]  # by (ward, specimen, sex)
    wards: frozenset[str]
    specimens: frozenset[str]
    edges: tuple[Edge, ...]

    def row(self, ward: str, specimen: str, sex: str, age: Age) -> Row | None:
        """Return the most specific row: a ward counts more than a specimen, a specimen more than a sex."""
        for key in product(_tries(ward, self.wards), _tries(specimen, self.specimens), (sex, ANY)):
            bands = self.groups.get(key)
            if bands is not None and (row := bands.at(age)) is not None:
                return row
        return None

    def rows(self, ward: str | None, specimen: str | None, sex: str | None, age: Age | None) -> tuple[Row | None, ...]:
        """Return every row that may hold, given what is unknown (None); the last is None when there may be none at all."""
        if ward is not None and specimen is not None and sex is not None and age is not None:
            return (self.row(ward, specimen, sex, age),)
        wards = (*self.wards, "") if ward is None else (ward,)  # "" is a ward that no row names
        specimens = (*self.specimens, "") if specimen is None else (specimen,)
        sexes = SEXES[:2] if sex is None else (sex,)
        ages = tuple(one.age for one in self.edges) if age is None else (age,)
        found = {id(row): row for one in product(wards, specimens, sexes, ages) for row in (self.row(*one),)}
        return tuple(sorted(found.values(), key=lambda row: (row is None, row.place if row else "")))


def _tries(value: str, known: frozenset[str]) -> tuple[str, ...]:
    return (value, ANY) if value in known else (ANY,)


@dataclass(frozen=True, slots=True)
class LimitTable:
    """All rows of a pack, by LOINC code and unit."""

    rows: tuple[Row, ...]
    units: Mapping[str, Mapping[str, UnitLimits]]

    def of(self, loinc: str) -> Mapping[str, UnitLimits]:
        """Return the limits of one LOINC code, by unit."""
        return self.units.get(loinc, {})


def read_limits(file: str, data: bytes, analytes: Mapping[str, tuple[str, ...]]) -> LimitTable:
    """Read a pack's CSV; `analytes` gives the LOINC codes of each alias. Raises PackError with file, line and remedy."""
    return read_limits_of(((file, data),), analytes)


def read_limits_of(sheets: Sequence[tuple[str, bytes]], analytes: Mapping[str, tuple[str, ...]]) -> LimitTable:
    """Read several tables as one: a row of a later one takes the place of that with its test, sex, ages, ward, specimen and unit."""
    if not sheets:
        return LimitTable((), {})
    found: dict[tuple[str, ...], tuple[Row, tuple[str, ...]]] = {}
    file = ""
    for file, data in sheets:
        sheet = read_sheet(file, data, COLUMNS, NUMERIC)
        here: dict[tuple[str, ...], tuple[Row, tuple[str, ...]]] = {}
        for line in sheet.lines:
            row, loincs = _row(sheet, line, analytes)
            key = (*loincs, row.sex, row.start.text, row.end.text if row.end else "", row.ward, row.specimen, row.unit)
            # Twice in one table: both are kept, and refused as an overlap.
            here[key if key not in here else (*key, row.place)] = (row, loincs)
        found |= here
    grouped: dict[tuple[str, str], dict[tuple[str, str, str], list[Row]]] = {}
    rows = [row for row, _ in found.values()]
    for row, loincs in found.values():
        for loinc in loincs:
            grouped.setdefault((loinc, row.unit), {}).setdefault((row.ward, row.specimen, row.sex), []).append(row)
    units: dict[str, dict[str, UnitLimits]] = {}
    for (loinc, unit), groups in grouped.items():
        bands = {key: _bands(file, members) for key, members in groups.items()}
        units.setdefault(loinc, {})[unit] = UnitLimits(
            bands,
            wards=frozenset(key[0] for key in bands) - {ANY},
            specimens=frozenset(key[1] for key in bands) - {ANY},
            edges=(BIRTH, *(end for members in groups.values() for row in members for end in _edges(row))),
        )
    return LimitTable(tuple(rows), units)


def _edges(row: Row) -> tuple[Edge, ...]:
    return (row.start,) if row.end is None else (row.start, row.end)


def _row(sheet: Sheet, line: Line, analytes: Mapping[str, tuple[str, ...]]) -> tuple[Row, tuple[str, ...]]:
    cells, where = line.cells, f"line {line.number}"
    alias, loincs = _analyte(sheet.file, where, cells["analyte"], analytes)
    sex = cells["sex"]
    if sex not in SEXES:
        raise refusal(sheet.file, f"{where}, sex", f"{sex!r} is not a sex", "write F, M, or * for both")
    for column in ("ward", "specimen", "source"):
        if not cells[column]:
            remedy = "say where the numbers come from" if column == "source" else "write * when it holds for all"
            raise refusal(sheet.file, f"{where}, {column}", "is empty", remedy)
    try:
        unit = ucum(cells["unit"])
    except QuantityError:
        remedy = "write a UCUM unit such as mmol/L or 10*9/L, and 1 when the test has none"
        raise refusal(sheet.file, f"{where}, unit", f"{cells['unit']!r} is not a unit", remedy) from None
    start = _edge(sheet.file, where, "age_from", cells["age_from"] or BIRTH.text)
    end = _edge(sheet.file, where, "age_to", cells["age_to"]) if cells["age_to"] else None
    if end is not None and not ordered(start, end):
        problem = f"from {start.text} to {end.text} is no age band"
        raise refusal(
            sheet.file, where, problem, "let age_to be later than age_from, in the same unit where they are near"
        )
    bounds = _bounds(sheet, line)
    place = f"{PurePath(sheet.file).name}:{line.number}"
    return Row(alias, sex, start, end, cells["ward"], cells["specimen"], unit, bounds, cells["source"], place), loincs


def _analyte(file: str, where: str, name: str, analytes: Mapping[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    if name in analytes:
        return name, analytes[name]
    for alias, loincs in analytes.items():
        if name in loincs:
            return alias, (name,)
    remedy = "declare it in [analytes] of the pack" if is_loinc(name) else nearest(name, analytes)
    raise refusal(file, f"{where}, analyte", f"{name!r} is no analyte of this pack", remedy)


def _edge(file: str, where: str, column: str, text: str) -> Edge:
    found = edge(text)
    if found is None:
        raise refusal(file, f"{where}, {column}", f"{text!r} is not an age", "write it like 0d, 28d, 6m or 18y")
    return found


def _bounds(sheet: Sheet, line: Line) -> dict[str, Bounds]:
    where = f"line {line.number}"
    found = {
        kind: _pair(sheet.file, where, kind, sheet.number(line, f"{kind}_lo"), sheet.number(line, f"{kind}_hi"))
        for kind in KINDS
    }
    lows = [(kind, found[kind].low) for kind in reversed(KINDS) if found[kind].low is not None]
    highs = [(kind, found[kind].high) for kind in KINDS if found[kind].high is not None]
    for end, ends in (("lo", lows), ("hi", highs)):
        for (outer, one), (inner, other) in pairwise(ends):
            assert one is not None and other is not None
            if one > other:
                crossed = f"{outer}_{end} {one} and {inner}_{end} {other} are the wrong way round"
                problem = f"{crossed}: a value would be released though it is critical or impossible"
                raise refusal(
                    sheet.file, where, problem, "keep abs_lo <= crit_lo <= lim_lo and lim_hi <= crit_hi <= abs_hi"
                )
    for inner_kind, outer_kind in combinations(KINDS, 2):
        inner_, outer_ = found[inner_kind], found[outer_kind]
        if _higher(outer_.low, inner_.high) or _higher(inner_.low, outer_.high):
            problem = f"the {outer_kind} limits lie across the {inner_kind} limits"
            raise refusal(sheet.file, where, problem, "check the columns of this line")
    return found


def _higher(low: Decimal | None, high: Decimal | None) -> bool:
    return low is not None and high is not None and low > high


def _pair(file: str, where: str, kind: str, low: Decimal | None, high: Decimal | None) -> Bounds:
    if low is not None and high is not None and low >= high:
        problem = f"{kind}_lo {low} is not below {kind}_hi {high}"
        raise refusal(file, f"{where}, {kind}_lo", problem, "exchange them, or mend the one that is wrong")
    return Bounds(low, high, None if low is None else finite(low), None if high is None else finite(high))


def _bands(file: str, rows: list[Row]) -> _Bands:
    """Put the age bands of one group in order; a gap or an overlap is refused."""
    for one in rows:
        for other in rows:
            if one is not other and ordered(one.start, other.start) is None:
                problem = f"{one.start.text} and {other.start.text} cannot be put in order: months differ in length"
                raise refusal(file, f"{one.line} and {other.line}", problem, "write both in days or both in months")
    in_order = sorted(rows, key=lambda row: row.start.days)
    for one, next_ in pairwise(in_order):
        if one.end is not None and equal(one.end, next_.start):
            continue
        overlap = one.end is None or not ordered(one.end, next_.start)
        end = one.end.text if one.end else "for ever"
        raise refusal(
            file, f"{one.line} and {next_.line}",
            f"the ages of {one.analyte} {'overlap' if overlap else 'leave a gap'}: "
            f"{one.start.text} to {end}, then from {next_.start.text}",
            "let each band begin where the one before it ends",
        )  # fmt: skip
    return _Bands(tuple(in_order))
