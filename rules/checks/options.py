"""How are keys read that several checks share? Time spans, units, numbers by unit, aliases of the pack."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from labmw.errors import QuantityError
from labmw.quantity import ucum
from rules.analyte import Analyte
from rules.checks.delta import span
from rules.checks.finding import About
from rules.strict import Table, nearest


def unit_key(table: Table, text: str) -> str:
    """Return the UCUM code that a key stands for."""
    try:
        return ucum(text)
    except QuantityError:
        raise table.refuse(text, f"{text!r} is not a unit", "write a UCUM unit such as mmol/L") from None


def read_span(table: Table, key: str) -> timedelta:
    """Read a time such as 6h or 3d."""
    remedy = "write it like 30min, 6h or 3d"
    found = span(text := table.text(key, remedy))
    if found is None:
        raise table.refuse(key, f"{text!r} is not a time span", remedy)
    return found


def by_unit(table: Table, key: str, remedy: str) -> Mapping[str, Decimal]:
    """Read positive numbers by unit."""
    found = table.numbers(key, remedy)
    if not isinstance(found, dict):
        raise table.refuse(key, "has no unit", remedy)
    for text, number in found.items():
        if number <= 0:
            raise table.refuse(f"{key}.{text}", f"{number} is not more than zero", remedy)
    return {unit_key(table, text): number for text, number in found.items()}


def tests(table: Table, key: str, about: About, *, least: int = 1) -> tuple[Analyte, ...]:
    """Read aliases of the pack."""
    remedy = "list aliases of [analytes]"
    found = table.texts(key, remedy)
    if len(found) < least:
        raise table.refuse(key, f"names fewer than {least}", remedy)
    return tuple(one_test(table, key, alias, about) for alias in found)


def one_test(table: Table, key: str, alias: str, about: About) -> Analyte:
    """Return the test of an alias."""
    if alias not in about.pack:
        raise table.refuse(key, f"{alias!r} is no analyte of this pack", nearest(alias, about.pack))
    return about.pack[alias]
