"""Do the limits of a pack hold exactly where they stand? Cases made from every limit: just outside, at it, just inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from labmw.model import Case, Patient, Result, ResultKey, Sex, Specimen
from labmw.quantity import Quantity
from rules.checks.bounds import BoundsCheck
from rules.given import NOON, born
from rules.limits import Row, UnitLimits
from rules.load import Pack
from rules.rule import Rule, apply
from rules.subject import subject
from rules.vocabulary import ANY

NOWHERE = "-"  # a ward, or a kind of specimen, that no row names


@dataclass(frozen=True, slots=True)
class Boundary:
    """One case at one limit: what was asked, what must come out, and what did."""

    rule: str
    row: str  # limits.csv:7
    loinc: str
    value: str
    expected: str  # fired or passed
    found: str

    @property
    def holds(self) -> bool:
        """True when it came out as it must."""
        return self.expected == self.found


def boundaries(pack: Pack) -> Iterator[Boundary]:
    """Ask every rule about limits at each of its limits."""
    for rule in pack.rules:
        if isinstance(rule.check, BoundsCheck):
            for loinc, limits, row in _rows(pack, rule):
                sex = reached(row, limits)
                if sex is not None:
                    yield from _at(pack, rule, rule.check.kind, loinc, row, sex)


def _rows(pack: Pack, rule: Rule) -> Iterator[tuple[str, UnitLimits, Row]]:
    for row in pack.limits.rows:
        if row.analyte in rule.analytes:
            for loinc in pack.analytes[row.analyte].loincs:
                limits = pack.limits.of(loinc).get(row.unit)
                if limits is not None:
                    yield loinc, limits, row


def reached(row: Row, limits: UnitLimits) -> str | None:
    """Return the sex of somebody to whom a row applies at the beginning of its age band; None when more specific rows leave it nobody."""
    ward, specimen = _named(row.ward), _named(row.specimen)
    for sex in ("F", "M") if row.sex == ANY else (row.sex,):
        if limits.row(ward, specimen, sex, row.start.age) is row:
            return sex
    return None


def unreached(pack: Pack) -> Iterator[Row]:
    """Return the rows of limits that no patient reaches: a more specific row is always found first."""
    for row in pack.limits.rows:
        tables = [pack.limits.of(loinc).get(row.unit) for loinc in pack.analytes[row.analyte].loincs]
        if not any(table is not None and reached(row, table) is not None for table in tables):
            yield row


def _named(name: str) -> str:
    return NOWHERE if name == ANY else name


def _at(pack: Pack, rule: Rule, kind: str, loinc: str, row: Row, sex: str) -> Iterator[Boundary]:
    pair = row.bounds[kind]
    for limit, outwards in ((pair.low, -1), (pair.high, 1)):
        if limit is None:
            continue
        # A tenth of its last digit; where that is less than what is equality (law 10), a millionth of it.
        step = max(Decimal(1).scaleb(int(limit.as_tuple().exponent) - 1), abs(limit) * Decimal("0.000001"))
        for value, expected in (
            (limit + outwards * step, "fired"),
            (limit, "passed"),
            (limit - outwards * step, "passed"),
        ):
            case = _case(loinc, row, sex, value)
            words = pack.analytes[row.analyte].words
            outcome = apply(rule, subject(case), pack.limits.of(loinc), words)
            yield Boundary(rule.id, row.place, loinc, f"{value} {row.unit}", expected, outcome.word)


def _case(loinc: str, row: Row, sex: str, value: Decimal) -> Case:
    key = ResultKey("example", "example", "example", loinc, "", "", "")
    result = Result(key, str(value), Quantity(value, "", row.unit), loinc=loinc, completed=NOON)
    patient = Patient("example", "example", sex=Sex(sex), birth=born(row.start))
    tube = Specimen("example", "example", "example", collected=NOON)
    return Case(result, patient, replace(tube, ward=_named(row.ward), kind=_named(row.specimen)), (), now=NOON)
