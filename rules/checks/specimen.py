"""Is the specimen too old, or the test asked again too soon? Hours from collection to measurement, and from the previous result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rules import facts as known
from rules.checks.finding import About, Finding, Limits
from rules.checks.options import read_span
from rules.interval import above
from rules.kleene import word
from rules.strict import Table
from rules.subject import Subject

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StabilityCheck:
    """How old a specimen may be when this test is measured in it."""

    limit: timedelta
    name: str = "stability"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "hours", "limit"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when it is older; unknown when the times are, or when it was collected after the measurement."""
        age, _ = known.number("tube_hours", one, "", {})
        if age is None:
            return Finding(
                None, "no-collection-time", (("value", one.shown),), "collection or completion time unusable"
            )
        hours = self.limit / _HOUR
        truth = above(age, hours)
        told = (("value", one.shown), ("hours", f"{age.low:.4g}"), ("limit", f"{hours:g}"))
        detail = f"specimen age > limit [{age.low:.6g} h vs {hours:g} h] -> {word(truth)}"
        return Finding(truth, "specimen-old", told if truth else (), detail)


@dataclass(frozen=True, slots=True)
class RetestCheck:
    """How long after a result the same test says something new."""

    minimum: timedelta
    name: str = "retest"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "hours", "limit", "previous"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when the previous result is younger than that."""
        case = one.case
        if case.history is None or case.result.completed is None:
            return Finding(None, "no-history", (("value", one.shown),), "history not available")
        limit = self.minimum / _HOUR
        last = known.previous(one)
        if last is None:
            return Finding(False, "retest", (), f"no previous result, of {len(case.history)} known")
        hours = (case.result.completed - last.completed) / _HOUR
        truth = hours < limit
        told = (
            ("value", one.shown),
            ("hours", f"{hours:.4g}"),
            ("limit", f"{limit:g}"),
            ("previous", str(last.quantity)),
        )
        detail = f"hours since previous < minimum [{hours:.6g} vs {limit:g}] -> {word(truth)}"
        return Finding(truth, "retest", told if truth else (), detail)


def read_stability(table: Table, about: About) -> StabilityCheck:
    """Read the keys of a stability rule."""
    return StabilityCheck(read_span(table, "limit"))


def read_retest(table: Table, about: About) -> RetestCheck:
    """Read the keys of a rule on the minimum retest interval."""
    return RetestCheck(read_span(table, "minimum"))


__all__ = ["RetestCheck", "StabilityCheck", "read_retest", "read_stability"]
