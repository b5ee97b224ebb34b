"""Is a value outside its limits? The release, the critical and the possible limits of the pack's CSV; exactly at a limit is inside."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.model import VerdictLevel
from rules.checks.finding import Finding, Limits, no_number, other_unit
from rules.interval import Interval, above, below, show
from rules.kleene import Truth, agreement, either, word
from rules.limits import Row
from rules.subject import Facts, Subject


@dataclass(frozen=True, slots=True)
class BoundsCheck:
    """One pair of columns of the limit table."""

    name: str
    kind: str  # lim, crit or abs
    low_code: str
    high_code: str
    numeric: bool = True
    sourced: bool = False
    facts: frozenset[str] = frozenset({"value", "limit", "sign", "row"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Compare the value with every row that may hold; rows that disagree make the answer unknown."""
        if one.value is None:
            return no_number(one)
        unit_limits = limits.get(one.unit)
        if unit_limits is None:
            return other_unit(one, tuple(sorted(limits)))
        candidates = unit_limits.rows(one.ward, one.specimen, one.sex, one.age)
        rows = [row for row in candidates if row is not None]
        compared = [self._compare(one.value, row) for row in rows]
        detail = "; ".join(text for _, _, text, _ in compared)
        truths = [truth for truth, _, _, _ in compared]
        possible = any(truth is not False for truth in truths)
        if len(rows) < len(candidates):  # for some patients that this may be, there is no row
            code = "demographics" if rows else "no-limits"
            facts = (("value", one.shown), ("unknown", one.unknown), ("unit", one.unit))
            return Finding(None, code, facts, detail or f"no row in {one.unit}", VerdictLevel.HOLD, possible)
        truth = agreement(truths)
        if truth is None:
            return self._unknown(one, truths, detail, possible)
        _, code, _, crossed = compared[0]
        return Finding(truth, code, (("value", one.shown), *crossed) if truth else (), detail)

    def _unknown(self, one: Subject, truths: list[Truth], detail: str, possible: bool) -> Finding:
        if len(set(truths)) > 1:  # which row holds decides, and that is not known
            facts = (("value", one.shown), ("unknown", one.unknown), ("unit", one.unit))
            return Finding(None, "demographics", facts, detail, VerdictLevel.HOLD, possible)
        return Finding(None, "censored", (("value", one.shown), ("check", self.name)), detail, None, possible)

    def _compare(self, value: Interval, row: Row) -> tuple[Truth, str, str, Facts]:
        bounds = row.bounds[self.kind]
        low: Truth = False if bounds.low64 is None else below(value, bounds.low64)
        high: Truth = False if bounds.high64 is None else above(value, bounds.high64)
        shown = show(value)
        parts = []
        if bounds.low is not None:
            parts.append(f"value < {self.kind}_lo [{shown} vs {bounds.low}] -> {word(low)}")
        if bounds.high is not None:
            parts.append(f"value > {self.kind}_hi [{shown} vs {bounds.high}] -> {word(high)}")
        parts.append(f"row {row.place}")
        is_low = low is True
        limit, sign = (bounds.low, "<") if is_low else (bounds.high, ">")
        facts = (("limit", f"{limit} {row.unit}"), ("sign", sign), ("row", row.place))
        return either(low, high), self.low_code if is_low else self.high_code, "; ".join(parts), facts


LIMIT = BoundsCheck("limit", "lim", "below-limit", "above-limit")
CRITICAL = BoundsCheck("critical", "crit", "critical", "critical")
ABSURD = BoundsCheck("absurd", "abs", "absurd", "absurd")
