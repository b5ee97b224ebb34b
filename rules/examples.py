"""Do the examples inside a pack come out as they say? Each rule has at least one that fires it and one that does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from labmw.errors import QuantityError
from labmw.model import Case, Flag, HilIndices, Patient, Previous, Result, ResultKey, Sex, Specimen, VerdictLevel
from labmw.quantity import Quantity, read_number, ucum
from rules.age import Edge, edge
from rules.analyte import Analyte, Analytes
from rules.checks.delta import span
from rules.strict import Table, nearest
from rules.vocabulary import EXPECTATIONS

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)  # when every example happens; the 15th exists in every month


@dataclass(frozen=True, slots=True)
class Example:
    """One case, and what the rule it stands under must say of it. `where` is its place in the pack."""

    name: str
    where: str
    alias: str
    case: Case
    expect: VerdictLevel


def read_example(table: Table, analytes: Analytes, own: tuple[str, ...]) -> Example:
    """Read one [[rule.test]] of a rule about the analytes `own`."""
    name = table.text("name", "say in a few words what the example shows")
    given = table.table("given", 'write given = { value = "4.2", unit = "mmol/L", age = "40y" }')
    expect = EXPECTATIONS[table.word("expect", EXPECTATIONS)]
    table.done()
    alias = given.word("analyte", own, own[0] if len(own) == 1 else None)
    case = _case(given, analytes[alias], analytes)
    given.done()
    return Example(name, table.where, alias, case, expect)


def _case(given: Table, own: Analyte, analytes: Analytes) -> Case:
    loinc = own.loincs[0]
    text, quantity = _measured(given, "value", "unit")
    flags = given.texts("flags")
    known = {flag.value for flag in Flag}
    for one in flags:
        if one not in known:
            raise given.refuse("flags", f"{one!r} is not a flag", nearest(one, known))
    result = Result(
        ResultKey("example", "example", "example", loinc, "", "", ""), text, quantity,
        loinc=loinc, completed=NOON, flags=frozenset(Flag(one) for one in flags), driver=given.text("driver", default=""),
    )  # fmt: skip
    sex = Sex(given.word("sex", ("F", "M", "U"), "U"))
    patient = Patient("example", "example", sex=sex, birth=_birth(given))
    tube = Specimen("example", "example", "example", collected=NOON - _ago(given, "collected"))
    tube = replace(tube, ward=given.text("ward", default="-"), kind=given.text("specimen", default="-"))
    return Case(
        result, patient, tube, _history(given), _indices(given), now=NOON, method=given.text("method", default=""),
        siblings=_siblings(given, own, analytes), mode=given.text("mode", default=""),
    )  # fmt: skip


def _measured(given: Table, value: str, unit: str) -> tuple[str, Quantity | None]:
    text = given.text(value, 'write it as a text: "4.2", "<0.1", or the words of a result without a number')
    found = read_number(text)
    if found is None:
        return text, None
    remedy = "write a UCUM unit such as mmol/L, and 1 when the test has none"
    raw = given.text(unit, remedy)
    try:
        return text, Quantity(found[1], found[0], ucum(raw))
    except QuantityError:
        raise given.refuse(unit, f"{raw!r} is not a unit", remedy) from None


def _ago(given: Table, key: str) -> timedelta:
    """Read how long before the measurement something was: `6h`; left out, at the same moment."""
    text = given.text(key, default="")
    found = span(text) if text else timedelta(0)
    if found is None:
        raise given.refuse(key, f"{text!r} is not a time span", "write how long before, like 6h or 3d")
    return found


def _siblings(given: Table, own: Analyte, analytes: Analytes) -> tuple[Result, ...]:
    """Read the other results of the specimen, `with = { CA = "1.9" }`: each in the unit that the pack takes it in."""
    if not given.has("with"):
        return ()
    inner = given.table("with", "")
    found = []
    for alias in inner.names():
        analyte = analytes.get(alias)
        if analyte is None or analyte is own:
            raise inner.refuse(alias, "is no other analyte of this pack", nearest(alias, set(analytes) - {own.alias}))
        text = inner.text(alias, 'write it as a text: "4.2"')
        number = read_number(text)
        quantity = None if number is None else Quantity(number[1], number[0], analyte.unit)
        key = ResultKey("example", "example", "example", analyte.loincs[0], "", "", "")
        found.append(Result(key, text, quantity, loinc=analyte.loincs[0], completed=NOON))
    inner.done()
    return tuple(found)


def _birth(given: Table) -> date | None:
    remedy = "write it like 40y, 6m or 12d"
    text = given.text("age", remedy, default="")
    if not text:
        return None
    found = edge(text)
    if found is None or found.days[1] > 150 * 366:
        raise given.refuse("age", f"{text!r} is not an age", remedy)
    return born(found)


def born(age: Edge) -> date:
    """Return the birth date of somebody who reaches this age on the day of the examples."""
    today = NOON.date()
    if not age.months:
        return today - timedelta(days=age.count)
    years, month = divmod(today.year * 12 + today.month - 1 - age.count, 12)
    return date(years, month + 1, today.day)


def _history(given: Table) -> tuple[Previous, ...] | None:
    if given.has("history"):
        if given.take("history", "") != "unavailable":
            raise given.refuse("history", "is not a known word", 'write "unavailable", or leave it out')
        return None
    if not given.has("previous"):
        return ()
    inner = given.table("previous", "")
    _, quantity = _measured(inner, "value", "unit")
    remedy = "write how long before, like 24h or 3d"
    before = span(text := inner.text("before", remedy))
    if before is None:
        raise inner.refuse("before", f"{text!r} is not a time span", remedy)
    if quantity is None:
        raise inner.refuse("value", "is not a number", "an earlier result to compare with is a number")
    previous = Previous(quantity, NOON - before, method=inner.text("method", default=""))
    inner.done()
    return (previous,)


def _indices(given: Table) -> HilIndices | None:
    found: dict[str, Decimal | None] = {
        letter: given.number(letter) if given.has(letter) else None for letter in ("H", "I", "L")
    }
    return None if all(one is None for one in found.values()) else HilIndices(found["H"], found["I"], found["L"])
