"""Is this the same patient as last time? Many tests compared at once with the patient's earlier results.

Each test gives ln(now / before) over the standard deviation that such changes have in the laboratory's own history; the score is the
root of the mean of their squares. One test says little (a potassium delta finds one swapped tube in six); together they find most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from labmw.model import Previous, Result, VerdictLevel
from labmw.quantity import Quantity
from rules.analyte import Analyte
from rules.checks.finding import About, Finding, Limits
from rules.checks.options import one_test, read_span
from rules.interval import Interval, above, finite
from rules.kleene import word
from rules.strict import Table
from rules.subject import Subject
from rules.vocabulary import POLICIES


@dataclass(frozen=True, slots=True)
class IdentityCheck:
    """The tests with their deviations, the score that is still believed, and how many tests it takes."""

    deviations: Mapping[str, tuple[Analyte, float]]  # by alias
    threshold: Decimal
    at_least: int
    window: timedelta
    no_previous: VerdictLevel
    name: str = "identity"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"score", "limit", "tests"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire above the threshold. With fewer comparable tests than it takes, the answer is "not checked", which is not "passed"."""
        changes = []
        for alias, (analyte, deviation) in self.deviations.items():
            change = self._change(one, analyte)
            if change is not None:
                changes.append((alias, change / deviation))
        told = " ".join(f"{alias} {z:+.3g}" for alias, z in changes)
        if len(changes) < self.at_least:
            detail = f"{len(changes)} of {self.at_least} tests comparable: {told or 'none'}"
            needed = (("tests", str(len(changes))), ("needed", str(self.at_least)))
            return Finding(None, "identity-not-checked", needed, detail, self.no_previous)
        score = math.sqrt(sum(z * z for _, z in changes) / len(changes))
        truth = above(Interval(score, score), float(self.threshold))
        detail = f"score > threshold [{score:.6g} vs {self.threshold}] -> {word(truth)}; {told}"
        facts = (("score", f"{score:.3g}"), ("limit", str(self.threshold)), ("tests", told))
        return Finding(truth, "identity", facts if truth else (), detail)

    def _change(self, one: Subject, analyte: Analyte) -> float | None:
        found = [
            result
            for result in (one.case.result, *one.case.siblings)
            if result.loinc in analyte.loincs and result.main and not result.index and not result.problem
        ]
        if len(found) != 1 or found[0].completed is None:
            return None
        now = found[0]
        before = newest(earlier(one, now), now.completed, self.window)
        return None if before is None else ratio(now.quantity, before.quantity)


def earlier(one: Subject, result: Result) -> list[Previous]:
    """Return what is known of a test of this specimen from before, within one method and laboratory where both are known."""
    case = one.case
    if result is case.result:
        found = list(case.history or ())
    else:
        found = [previous for loinc, previous in case.panel_history or () if loinc == result.loinc]
    return [p for p in found if not p.laboratory or not case.laboratory or p.laboratory == case.laboratory]


def newest(found: list[Previous], at: datetime | None, window: timedelta) -> Previous | None:
    """Return the newest of earlier results inside a window before a moment."""
    assert at is not None
    near = [p for p in found if timedelta(0) < at - p.completed <= window]
    return max(near, key=lambda p: p.completed, default=None)


def ratio(now: Quantity | None, before: Quantity) -> float | None:
    """Return ln(now / before); None unless both are positive numbers, exactly known, in one unit."""
    if now is None or now.comparator or before.comparator or now.unit != before.unit:
        return None
    a, b = finite(now.number), finite(before.number)
    if a is None or b is None or a <= 0 or b <= 0:
        return None
    return math.log(a / b) if 0 < a / b < math.inf else None


def read_identity(table: Table, about: About) -> IdentityCheck:
    """Read the keys of an identity rule."""
    remedy = "write the standard deviation of ln(now / before) of each test: deviations = { CREA = 0.18, MCV = 0.012 }"
    numbers = table.numbers("deviations", remedy)
    if not isinstance(numbers, dict) or len(numbers) < 2:
        raise table.refuse("deviations", "are not of several tests", remedy)
    deviations = {}
    for alias, number in numbers.items():
        if not 0 < number < 10:
            raise table.refuse(f"deviations.{alias}", f"{number} is no standard deviation", remedy)
        deviations[alias] = (one_test(table, f"deviations.{alias}", alias, about), float(number))
    threshold = table.number("threshold", "write the score that is still believed, such as 2.5")
    if threshold <= 0:
        raise table.refuse("threshold", "is not more than zero", "write the score that is still believed")
    at_least = table.number("at_least", "write how many tests it takes, such as 3") if table.has("at_least") else 3
    if at_least != int(at_least) or not 2 <= at_least <= len(deviations):
        raise table.refuse("at_least", f"{at_least} is not possible here", f"write 2 to {len(deviations)}")
    no_previous = POLICIES[table.word("if_no_previous", POLICIES)]
    return IdentityCheck(deviations, threshold, int(at_least), read_span(table, "window"), no_previous)
