"""What does one observation of a partner stand for? Verbatim, and beside it the number with its UCUM unit, or the doubt that keeps it back (law 10)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from labmw.driver.reading import Facts
from labmw.errors import QuantityError
from labmw.lab.lis_tests import name_of, tests_of
from labmw.model import Flag
from labmw.quantity import ucum
from labmw.store.transaction import Row
from labmw.terms import PartnerTerms
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.report import Observation
from protocols.hl7.values import Coded, Numeric, Text

FLAGS = {
    "L": Flag.LOW,
    "H": Flag.HIGH,
    "LL": Flag.CRITICAL_LOW,
    "HH": Flag.CRITICAL_HIGH,
    "<": Flag.BELOW_RANGE,
    ">": Flag.ABOVE_RANGE,
    "A": Flag.ABNORMAL,
    "AA": Flag.ABNORMAL,
    "N": Flag.NORMAL,
}
"""Table 0078."""
TRENDS = frozenset({"", "U", "D", "B", "W"})  # up, down, better, worse: comparisons that the partner makes for itself
URGENT = frozenset({"LL", "HH", "AA"})
"""The partner's criticals: they enter our call list."""


@dataclass(frozen=True, slots=True)
class ObservationRead:
    """One observation. `problem` is a reason for quarantine, and `error` what the partner is told so that it can mend its side."""

    loinc: str
    code: str
    name: str
    value: str
    number: str | None
    comparator: str
    unit: str
    unit_raw: str
    flags: frozenset[Flag]
    urgent: bool
    problem: str = ""
    facts: Facts = ()
    error: ErrorDetail | None = None


def read_observation(
    one: Observation, ordered: Sequence[str], terms: PartnerTerms, entries: Sequence[Row], place: int
) -> ObservationRead:
    """Read an observation of a sub-order for these tests; `place` is its OBX in the message, from 1."""
    code = one.code.code or one.code.local_code
    loinc, entry = _test(one, ordered, terms, entries)
    text, number, comparator = _value(one)
    unit_raw = one.unit.code if one.unit else ""
    unit, problem, facts = _unit(unit_raw, number, entry, terms)
    said: tuple[str, str, int] | None = None
    if unit_raw and problem:
        said = ("103", f"OBX-6: unit {unit_raw} is not the one agreed for this test", 6)
    elif problem:
        said = ("101", "OBX-6: a number has no unit", 6)
    if not code:
        problem, facts = "interlab-no-code", (("value", text),)
        said = ("101", "OBX-3: the result has no code", 3)
    elif not loinc:
        problem, facts = "interlab-unexpected-test", (("test", name_of(one.code) or code), ("code", code))
        said = ("103", f"OBX-3: {code} is not a test of this sub-order", 3)
    elif number is None and not text and one.status in ("P", "F", "C", "R", ""):
        problem, facts = "value-missing", (("value", text),)
        said = ("101", "OBX-5 is empty, or not of the type that OBX-2 says", 5)
    flags = frozenset(FLAGS[flag] for flag in one.flags if flag in FLAGS)
    if any(flag not in FLAGS and flag not in TRENDS for flag in one.flags):
        flags |= {Flag.UNKNOWN}
    error = ErrorDetail(said[0], said[1], Location("OBX", place, said[2])) if said else None
    return ObservationRead(
        loinc, code, name_of(one.code), text, number, comparator, unit, unit_raw, flags,
        bool(URGENT & set(one.flags)), problem, facts, error,
    )  # fmt: skip


def _test(
    one: Observation, ordered: Sequence[str], terms: PartnerTerms, entries: Sequence[Row]
) -> tuple[str, Row | None]:
    """The LOINC code that an observation stands for, of those that were ordered, with what the catalogue says of it."""
    codes = {one.code.code, one.code.local_code} - {""}
    named = [row for row in entries if row.code in codes and row.loinc in ordered]
    meant = tests_of(one.code, terms.lis)
    if len(meant) == 1 and meant[0] in ordered:
        return meant[0], next((row for row in entries if row.loinc == meant[0]), None)
    if named:
        return str(named[0].loinc), named[0]
    return "", None


def _value(one: Observation) -> tuple[str, str | None, str]:
    match one.value:
        case Numeric(number, comparator, "", None):
            return f"{comparator}{number:f}", f"{number:f}", comparator
        case Numeric(number, comparator, separator, second):
            return f"{comparator}{number:f}{separator}{'' if second is None else f'{second:f}'}", None, ""
        case Text(text):
            return text, None, ""
        case Coded(code):
            return code.text or code.code, None, ""
    return "", None, ""


def _unit(raw: str, number: str | None, entry: Row | None, terms: PartnerTerms) -> tuple[str, str, Facts]:
    """The UCUM unit, and what is wrong with it. A unit that the partner's table or the catalogue names is believed; nothing is converted."""
    expected = entry.unit if entry is not None else ""
    if number is None:
        return "", "", ()
    if not raw:
        return "", "unit-missing", (("expected", expected or "UCUM"),)
    try:
        unit = terms.partner.units.get(raw) or ("" if raw == "1" else ucum(raw))
    except QuantityError:
        return "", "unknown-unit", (("unit", raw), ("expected", expected or "UCUM"))
    if expected and unit != expected:
        return "", "unit-mismatch", (("unit", raw), ("expected", expected))
    return unit, "", ()


def flags_text(flags: frozenset[Flag]) -> str:
    """The flags as a column."""
    return json.dumps(sorted(flags))
