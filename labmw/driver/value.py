"""What does one value stand for? A text, a unit string and what the driver declares, to a quantity or to a named doubt (law 10)."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from labmw.driver.declaration import Driver, Test
from labmw.driver.reading import Facts
from labmw.errors import QuantityError
from labmw.quantity import Quantity, is_ucum, read_number, ucum

_POWER = re.compile(r"10\*(-?\d{1,2})\.(\S+)", re.ASCII)
_LONGEST_UNIT = 80  # characters; what is longer is no unit, and is not looked up (look-ups are kept)


class ValueRead(NamedTuple):  # one for each result: a tuple is made in half the time of a dataclass
    """A value as read. `number` is the exact decimal as text, also where unit or test are in doubt."""

    quantity: Quantity | None = None
    comparator: str = ""
    number: str | None = None
    ucum: str = ""
    problem: str = ""
    facts: Facts = ()


def read_main(text: str, unit_raw: str, test: Test, driver: Driver) -> ValueRead:
    """Read the value of a test that the driver knows."""
    bare = text.strip()
    if not bare or bare in driver.no_value:
        return ValueRead(problem="value-missing", facts=(("value", bare),))
    if bare in test.values:
        return ValueRead()
    found = None if test.text else read_number(text, driver.numbers)
    if found is None:
        problem = "number-format" if not test.text and any(c.isdigit() for c in bare) else "unexpected-word"
        return ValueRead(problem=problem, facts=(("value", bare),))
    comparator, number = found
    if driver.powers and (power := _POWER.fullmatch(unit_raw.strip())):
        number, unit_raw = _shifted(number, int(power[1])), power[2]
    unit, problem, facts = _unit(unit_raw, test, driver)
    quantity = Quantity(number, comparator, unit)
    return ValueRead(quantity, comparator, _plain(number), unit, problem, facts)


def read_coded(text: str, unit_raw: str, system: str, driver: Driver) -> ValueRead:
    """Read the value of a test that the analyzer itself codes in LOINC: a number with a UCUM unit, and nothing else."""
    bare = text.strip()
    if not bare:
        return ValueRead(problem="value-missing", facts=(("value", bare),))
    found = read_number(text, driver.numbers)
    if found is None:
        doubt = "number-format" if any(c.isdigit() for c in bare) else "unexpected-word"
        return ValueRead(problem=doubt, facts=(("value", bare),))
    comparator, number = found
    unit = unit_raw.strip()
    problem, facts = "", ()  # type: str, Facts
    if not unit:
        problem, facts = "unit-missing", (("expected", "UCUM"),)
    elif system != "UCUM" or len(unit) > _LONGEST_UNIT or not is_ucum(unit):
        unit, problem, facts = "", "unknown-unit", (("unit", unit), ("expected", "UCUM"))
    return ValueRead(Quantity(number, comparator, unit), comparator, _plain(number), unit, problem, facts)


def read_detail(text: str, unit_raw: str, detail: str, driver: Driver) -> ValueRead:
    """Read a detail (Ct, logarithm, end point): its unit is the declared one or none, never what the unit field says."""
    found = read_number(text, driver.numbers)
    if found is None:
        return ValueRead()
    comparator, number = found
    declared = driver.details.get(detail, {})
    unit = declared.get(_known_unit(unit_raw.strip(), driver), "") if declared else ""
    return ValueRead(Quantity(number, comparator, unit), comparator, _plain(number), unit)


def read_unknown(text: str, driver: Driver) -> ValueRead:
    """Read a value of which nobody knows what it measures: a number may be one, its unit is not claimed."""
    found = read_number(text, driver.numbers)
    if found is None:
        return ValueRead()
    comparator, number = found
    return ValueRead(Quantity(number, comparator), comparator, _plain(number))


def _unit(unit_raw: str, test: Test, driver: Driver) -> tuple[str, str, Facts]:
    """Return the UCUM code the unit field stands for, and what is wrong with it."""
    sent = unit_raw.strip()
    unit = _known_unit(sent, driver) if sent else driver.units.get("", "")  # a family may say what no unit stands for
    if unit and (unit == test.unit or unit in test.also):
        return unit, "", ()
    expected = ", ".join(one for one in (test.unit, *test.also) if one) or "-"
    if not sent:
        return ("", "unit-missing", (("expected", expected),)) if test.unit else ("", "", ())
    if not unit:
        return "", "unknown-unit", (("unit", sent), ("expected", expected))
    reason = "log-with-linear-unit" if is_logarithm(test.unit) and not is_logarithm(unit) else "unit-mismatch"
    return "", reason, (("unit", sent), ("expected", expected))


def _known_unit(sent: str, driver: Driver) -> str:
    """Return the UCUM code of a unit string of this family, "" when nobody has declared it."""
    if sent in driver.units:
        return driver.units[sent]
    return _alias(sent) if len(sent) <= _LONGEST_UNIT else ""


@lru_cache(maxsize=1024)
def _alias(sent: str) -> str:
    """Return the UCUM code of a common unit string, "" for any other; an exception for each result would cost more than reading it."""
    try:
        return ucum(sent)
    except QuantityError:
        return ""


def is_logarithm(unit: str) -> bool:
    """True for a UCUM unit of a logarithm: {Log_copies}/mL, {Log_IU}/mL ..."""
    return unit.startswith(("{Log", "{log"))


def _shifted(number: Decimal, places: int) -> Decimal:
    """Multiply by a power of ten exactly: the digits stay as they are, the mark moves."""
    sign, digits, exponent = number.as_tuple()
    moved = Decimal((sign, digits, int(exponent) + places))
    return Decimal(f"{moved:f}")


def _plain(number: Decimal) -> str:
    """Return the number without an exponent."""
    text = str(number)
    return f"{number:f}" if "E" in text else text
