"""What case does an example of a pack describe? Value, patient, specimen, history and analyzer, each only as far as it is given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from labmw.errors import QuantityError
from labmw.model import (
    Case,
    Flag,
    HilIndices,
    Module,
    Patient,
    Previous,
    Result,
    ResultKey,
    Sex,
    Specimen,
)
from labmw.quantity import Quantity, read_number, ucum
from rules.age import Edge, edge
from rules.analyte import Analyte, Analytes
from rules.checks.delta import span
from rules.strict import Table, nearest

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)  # when every example happens; the 15th exists in every month


def read_case(given: Table, own: Analyte, analytes: Analytes) -> Case:
    """Read the case of one example about the test `own`."""
    loinc = loinc_of(own)
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
    own_history, others = _history(given), _earlier(given, own, analytes)
    if others is not None and own_history is not None:
        own_history += tuple(previous for loinc, previous in others if loinc == loinc_of(own))
    runs = tuple(_run(given, text, own, quantity) for text in given.texts("runs", "list what the earlier runs said"))
    return Case(
        result, patient, tube, own_history, _indices(given),
        now=given.moment("now", "write it like 2026-01-15T22:00:00+01:00") if given.has("now") else NOON,
        siblings=_siblings(given, own, analytes), method=given.text("method", default=""), earlier_runs=len(runs), runs=runs,
        panel_history=others, said_before=_said(given), module=_module(given), ordered=_ordered(given, analytes),
        received=NOON - _ago(given, "waited") if given.has("waited") else None, mode=given.text("mode", default=""),
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


def loinc_of(analyte: Analyte) -> str:
    """Return the code under which examples measure a test: its first."""
    return analyte.loincs[0]


def _run(given: Table, text: str, own: Analyte, like: Quantity | None) -> Result:
    number = read_number(text)
    if number is None or like is None:
        raise given.refuse("runs", f"{text!r} is not a number", 'write runs = ["5.1"], in the unit of the value')
    key = ResultKey("example", "example", "example", loinc_of(own), "", "earlier", "")
    return Result(key, text, Quantity(number[1], number[0], like.unit), loinc=loinc_of(own), completed=NOON)


def _earlier(given: Table, own: Analyte, analytes: Analytes) -> tuple[tuple[str, Previous], ...] | None:
    """Read what the patient's tests were before, `earlier = { before = "3d", CREA = "80" }`: each in the unit of the pack."""
    if not given.has("earlier"):
        return None
    inner = given.table("earlier", "")
    at = NOON - _ago(inner, "before")
    found = []
    for alias in inner.names():
        if alias not in analytes:
            raise inner.refuse(alias, "is no analyte of this pack", nearest(alias, analytes))
        number = read_number(text := inner.text(alias))
        if number is None:
            raise inner.refuse(alias, f"{text!r} is not a number", "an earlier result to compare with is a number")
        quantity = Quantity(number[1], number[0], analytes[alias].unit)
        found.append((loinc_of(analytes[alias]), Previous(quantity, at)))
    return tuple(found)


def _said(given: Table) -> tuple[tuple[str, datetime], ...] | None:
    """Read what the test said in words before: `said = { value = "NEGATIVE", before = "30d" }`, or `said = "nothing"`."""
    if not given.has("said"):
        return None
    value = given.take("said", "")
    if value == "nothing":
        return ()
    inner = Table(given.file, f"{given.where}.said", value)
    found = ((inner.text("value"), NOON - _ago(inner, "before")),)
    inner.done()
    return found


def _module(given: Table) -> Module | None:
    """Read the analyzer: `module = { qc = "ok", qc_age = "3h", ... }`."""
    if not given.has("module"):
        return None
    inner = given.table("module", "")
    ago = {
        key: NOON - _ago(inner, key) if inner.has(key) else None
        for key in ("qc_age", "calibrated", "opened", "expired")
    }
    if inner.has("expires_in"):
        ago["expired"] = NOON + _ago(inner, "expires_in")
    accepted = inner.word("accepted", ("yes", "no", "unknown"), "unknown")
    found = Module(
        "example", inner.word("qc", ("ok", "warning", "failed", "unknown"), "unknown"), ago["qc_age"], ago["calibrated"],
        inner.text("lot", default=""), ago["expired"], ago["opened"], None if accepted == "unknown" else accepted == "yes",
        inner.word("average", ("ok", "alarm", "unknown"), "unknown"),
    )  # fmt: skip
    inner.done()
    return found


def _ordered(given: Table, analytes: Analytes) -> frozenset[str] | None:
    if not given.has("ordered"):
        return None
    found = given.texts("ordered", "list aliases of [analytes]")
    for alias in found:
        if alias not in analytes:
            raise given.refuse("ordered", f"{alias!r} is no analyte of this pack", nearest(alias, analytes))
    return frozenset(loinc_of(analytes[alias]) for alias in found)
