"""Is the specimen too haemolysed, icteric or lipaemic for this test? Index against a threshold, per family of analyzers.

Vendors measure the indices on different scales (mg/dL of haemoglobin, or classes), so a threshold belongs to a driver and states its scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from labmw.model import Flag, VerdictLevel
from rules.checks.finding import About, Finding, Limits
from rules.interval import Interval, above, finite, show
from rules.kleene import word
from rules.strict import Table
from rules.subject import Subject

INDICES: Mapping[str, tuple[str, Flag]] = {
    "H": ("haemolysis", Flag.HAEMOLYSIS),
    "I": ("icterus", Flag.ICTERUS),
    "L": ("lipaemia", Flag.LIPAEMIA),
}
DIRECTIONS = ("up", "down")  # what the interference does to the result


@dataclass(frozen=True, slots=True)
class HilCheck:
    """One index. `threshold` is by driver name, or under "" for all of them; more than it fires."""

    index: str
    threshold: Mapping[str, Decimal]
    scale: str
    direction: str
    name: str = "hil"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "index", "limit", "direction"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire above the threshold, or when the analyzer says so by a flag; an index not measured is unknown, not zero."""
        code, flag = INDICES[self.index]
        result, indices = one.case.result, one.case.indices
        known: tuple[tuple[str, str], ...] = (("value", one.shown), ("direction", self.direction))
        if flag in result.flags:
            return Finding(
                True, code, (*known, ("index", flag.value), ("limit", flag.value)), f"flag {flag.value} -> true"
            )
        measured: Decimal | None = getattr(indices, code) if indices is not None else None
        number = None if measured is None else finite(measured)
        if number is None:
            return Finding(None, "index-missing", (*known, ("index", self.index)), f"index {self.index} not measured")
        threshold = self.threshold.get(result.driver, self.threshold.get(""))
        if threshold is None:
            facts = (*known, ("index", self.index), ("driver", result.driver))
            return Finding(None, "index-scale", facts, f"no threshold of {self.index} for {result.driver!r}")
        beyond = indices is not None and code in indices.beyond
        span = Interval(number, math.inf, True, True) if beyond else Interval(number, number)
        truth = above(span, float(threshold))
        detail = f"{self.index} > threshold [{show(span)} vs {threshold} {self.scale}] -> {word(truth)}"
        shown = (("index", f"{'>' if beyond else ''}{measured} {self.scale}"), ("limit", f"{threshold} {self.scale}"))
        level = (
            VerdictLevel.HOLD if truth is None else None
        )  # `>10` is not "not measured": `if_missing` must not let it pass
        return Finding(truth, code, () if truth is False else (*known, *shown), detail, level)


def read_hil(table: Table, about: About) -> HilCheck:
    """Read the keys of a HIL rule."""
    index = table.word("index", INDICES)
    remedy = 'write threshold = 50, or by driver: threshold = { "acme-x100" = 50 }'
    threshold = table.numbers("threshold", remedy)
    if not isinstance(threshold, dict):
        threshold = {"": threshold}
    for driver, number in threshold.items():
        if number < 0:
            raise table.refuse(f"threshold.{driver}" if driver else "threshold", f"{number} is negative", remedy)
    scale = table.text("scale", 'say on which scale the index is, such as "mg/dL" or "class"')
    return HilCheck(index, threshold, scale, table.word("direction", DIRECTIONS))
