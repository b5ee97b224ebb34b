"""Is the value within what this analyzer and reagent can measure? Outside, it is reported as `<` or `>`, or measured again diluted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from labmw.model import Flag
from rules.checks.finding import About, Finding, Limits, no_number, other_unit
from rules.checks.options import unit_key
from rules.interval import above, below, finite, show
from rules.kleene import either, word
from rules.strict import Table
from rules.subject import Subject


@dataclass(frozen=True, slots=True)
class LinearityCheck:
    """The measuring range by unit, and how far a dilution extends it upwards."""

    ranges: Mapping[str, tuple[Decimal, Decimal]]
    diluted: Mapping[str, Decimal]
    name: str = "linearity"
    numeric: bool = True
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "limit"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire outside the range. `<0.1` is what a value below 0.1 is to be called, so it passes; `>10` was not diluted yet, so it fires."""
        result = one.case.result
        if one.value is None or result.quantity is None:
            return no_number(one)
        found = self.ranges.get(one.unit)
        if found is None:
            return other_unit(one, tuple(self.ranges))
        low, high = found
        if Flag.DILUTED in result.flags:
            high = self.diluted.get(one.unit, high)
        is_bound = result.quantity.comparator in ("<", "<=")
        under = False if is_bound and result.quantity.number <= low else below(one.value, float(low))
        over = True if result.quantity.comparator in (">", ">=") else above(one.value, float(high))
        under = True if Flag.BELOW_RANGE in result.flags and not is_bound else under
        over = True if Flag.ABOVE_RANGE in result.flags else over
        truth = either(under, over)
        detail = f"{show(one.value)} within [{low}, {high}] {one.unit}: below {word(under)}, above {word(over)}"
        code, limit = ("above-range", high) if over else ("below-range", low)
        if truth is None:
            return Finding(None, "censored", (("value", one.shown), ("check", self.name)), detail)
        return Finding(truth, code, (("value", one.shown), ("limit", f"{limit} {one.unit}")) if truth else (), detail)


def read_linearity(table: Table, about: About) -> LinearityCheck:
    """Read the keys of a linearity rule."""
    ranges: dict[str, tuple[Decimal, Decimal]] = {}
    remedy = 'write range = { "mmol/L" = { low = 1.5, high = 10 } }'
    outer = table.table("range", remedy)
    for text in outer.names():
        inner = outer.table(text, remedy)
        low, high = inner.number("low", remedy), inner.number("high", remedy)
        inner.done()
        if not 0 <= low < high or finite(high) is None:
            raise outer.refuse(text, f"{low} to {high} is no range", remedy)
        ranges[unit_key(outer, text)] = (low, high)
    if not ranges:
        raise table.refuse("range", "is empty", remedy)
    diluted: dict[str, Decimal] = {}
    if table.has("diluted_up_to"):
        inner = table.table("diluted_up_to", "")
        for text in inner.names():
            code = unit_key(inner, text)
            number = inner.number(text)
            if code not in ranges or number <= ranges[code][1]:
                raise inner.refuse(text, "does not extend the range in this unit", "write how far dilution reaches")
            diluted[code] = number
    return LinearityCheck(ranges, diluted)
