"""Do the runs of one test on one specimen agree? Then the last one stands, and nobody needs to compare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rules.checks.finding import About, Finding, Limits, no_number, other_unit
from rules.checks.options import by_unit
from rules.interval import above, difference, interval, percent, show, size
from rules.kleene import Truth, either, word
from rules.strict import Table
from rules.subject import Subject

MOST = 9


@dataclass(frozen=True, slots=True)
class RerunCheck:
    """How far two runs may lie apart, in the unit or in percent of the first, and how many runs there may be."""

    limit: Mapping[str, Decimal]  # by unit, or under "" in percent
    most: int
    name: str = "rerun"
    numeric: bool = True
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "runs", "others", "limit"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when a run disagrees or there are too many; a run that is not known here is unknown."""
        case, result = one.case, one.case.result
        others = [r for r in case.siblings if r.loinc == result.loinc and r.main and not r.index]
        runs = (*case.runs, *(r for r in others if r.key != result.key))
        count = max(len(runs), case.earlier_runs)
        if not count:
            return Finding(False, "runs-differ", (), "one run")
        if one.value is None:
            return no_number(one)
        limit = self.limit.get("", self.limit.get(one.unit))
        if limit is None:
            return other_unit(one, tuple(self.limit))
        told = ", ".join(str(r.quantity or r.value) for r in runs)
        facts = (("value", one.shown), ("runs", str(count + 1)), ("others", told))
        if count + 1 > self.most:
            return Finding(True, "runs-many", (*facts, ("limit", str(self.most))), f"{count + 1} runs")
        if len(runs) < count:
            return Finding(None, "runs-unknown", facts, f"{len(runs)} of {count} earlier runs known")
        truth: Truth = False
        shown = []
        for run in runs:
            before = None if run.quantity is None or (run.quantity.unit or "1") != one.unit else interval(run.quantity)
            if before is None:
                apart = None
            else:
                apart = percent(one.value, before) if "" in self.limit else difference(one.value, before)
            differs = None if apart is None else above(size(apart), float(limit))
            shown.append(f"{'?' if apart is None else show(size(apart))} vs {limit} -> {word(differs)}")
            truth = either(truth, differs)
        unit = "%" if "" in self.limit else one.unit
        detail = f"apart > limit [{'; '.join(shown)}]"
        if truth is None:
            return Finding(None, "runs-unknown", facts, detail)
        return Finding(truth, "runs-differ", (*facts, ("limit", f"{limit} {unit}")) if truth else (), detail)


def read_rerun(table: Table, about: About) -> RerunCheck:
    """Read the keys of a rule that reconciles runs."""
    if table.has("percent"):
        number = table.number("percent", "write by how many percent two runs may differ")
        if number <= 0:
            raise table.refuse("percent", f"{number} is not more than zero", "write how much is still agreement")
        limit: Mapping[str, Decimal] = {"": number}
    else:
        limit = by_unit(table, "limit", 'write percent = 5, or limit = { "mmol/L" = 0.2 }')
    most = table.number("max_runs", "write how many runs there may be") if table.has("max_runs") else Decimal(2)
    if most != int(most) or not 2 <= most <= MOST:
        raise table.refuse("max_runs", f"{most} is not possible", f"write 2 to {MOST}")
    return RerunCheck(limit, int(most))
