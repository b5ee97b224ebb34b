"""What does an expression know of a case? Each name of the vocabulary, its unit, and how it is found; in another unit it is missing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta

from labmw.model import Flag, Previous, Result
from labmw.quantity import Quantity
from rules.analyte import Analyte, Analytes
from rules.expression.read import Vocabulary
from rules.expression.unit import NONE, Unit, alike, unit
from rules.interval import Interval, finite, interval
from rules.subject import Subject

YEARS, HOURS = unit("a"), unit("h")
OWN = ("value", "previous")  # in the unit of the rule's own tests
OWN_NAMES = frozenset(OWN)
_PLAIN: Mapping[str, Unit] = {
    "hours": HOURS, "tube_hours": HOURS, "age": YEARS, "haemolysis": NONE, "icterus": NONE, "lipaemia": NONE, "runs": NONE,
}  # fmt: skip
_WORDS: Mapping[str, frozenset[str]] = {
    "sex": frozenset({"F", "M"}), "ward": frozenset(), "specimen": frozenset(), "driver": frozenset(), "method": frozenset(),
    "mode": frozenset(),
}  # fmt: skip
FLAGS = frozenset(flag.value for flag in Flag)
_HOUR = timedelta(hours=1)
_DAYS_A_YEAR = 365.2425


def vocabulary(own: Iterable[Analyte], pack: Analytes) -> Vocabulary:
    """Return what a rule about these tests may say; `value` is known when they all have one unit."""
    numbers = dict(_PLAIN)
    for analyte in pack.values():
        if analyte.unit and analyte.alias.isidentifier():
            numbers[analyte.alias] = unit(analyte.unit)
    units = {analyte.unit for analyte in own}
    if len(units) == 1 and (code := units.pop()):
        numbers |= {name: unit(code) for name in OWN}
    return Vocabulary(numbers, _WORDS, FLAGS)


def number(name: str, one: Subject, own_unit: str, pack: Analytes) -> tuple[Interval | None, bool]:
    """Return one number of a case, and whether it is there in another unit than the pack takes it in."""
    case, result = one.case, one.case.result
    match name:
        case "value":
            return _in(result.quantity, own_unit)
        case "previous":
            last = previous(one)
            return (None, False) if last is None else _in(last.quantity, own_unit)
        case "hours":
            last = previous(one)
            if last is None or result.completed is None:
                return None, False
            return _exact((result.completed - last.completed) / _HOUR), False
        case "tube_hours":
            collected = case.specimen.collected if case.specimen is not None else None
            if collected is None or result.completed is None or result.completed < collected:
                return None, False
            return _exact((result.completed - collected) / _HOUR), False
        case "age":
            return (None if one.age is None else _exact(one.age.days / _DAYS_A_YEAR)), False
        case "haemolysis" | "icterus" | "lipaemia":
            measured = getattr(case.indices, name) if case.indices is not None else None
            found = None if measured is None else finite(measured)
            if found is not None and case.indices is not None and name in case.indices.beyond:
                return Interval(found, math.inf, True, True), False
            return (None if found is None else _exact(found)), False
        case "runs":
            return _exact(float(case.earlier_runs)), False
        case _:
            return _measured(pack[name], one)


def previous(one: Subject) -> Previous | None:
    """Return the newest earlier result, within one method and one laboratory where both are known."""
    case = one.case
    if case.history is None or case.result.completed is None:
        return None
    earlier = [
        p
        for p in case.history
        if p.completed < case.result.completed
        and _alike(p.method, case.method)
        and _alike(p.laboratory, case.laboratory)
    ]
    return max(earlier, key=lambda p: p.completed, default=None)


def _alike(a: str, b: str) -> bool:
    return not a or not b or a == b


def _measured(analyte: Analyte, one: Subject) -> tuple[Interval | None, bool]:
    """Find the one result of a test on this specimen; two of them, or one in quarantine, are no fact."""
    found: list[Result] = [
        result
        for result in (one.case.result, *one.case.siblings)
        if result.loinc in analyte.loincs and result.main and not result.index
    ]
    if len(found) != 1 or found[0].problem:
        return None, False
    return _in(found[0].quantity, analyte.unit)


def _in(quantity: Quantity | None, code: str) -> tuple[Interval | None, bool]:
    if quantity is None:
        return None, False
    if not alike(quantity.unit, code):
        return None, True
    return interval(quantity), False


def _exact(value: float) -> Interval:
    return Interval(value, value)


def say(name: str, one: Subject) -> str | None:
    """Return one word of a case; None where it is not known."""
    match name:
        case "sex" | "ward" | "specimen":
            found: str | None = getattr(one, name)
            return found
        case "driver":
            return one.case.result.driver or None
        case "method":
            return one.case.method or None
        case _:
            return one.case.mode or None


__all__ = ["FLAGS", "number", "previous", "say", "vocabulary"]
