"""Is the change larger than biology and measurement explain? The reference change value, symmetric, or log-normal with two limits.

RCV % = sqrt(2) z sqrt(CVa^2 + CVi^2); log-normal (Fokkema 2006): s = sqrt(ln(1 + CVa^2) + ln(1 + CVi^2)), exp(+-z sqrt(2) s) - 1.
Healthy adults' variation is too tight for inpatients: in one public set 28 % of their consecutive sodium pairs exceed it. It suits
comments and known outpatients; limits that hold come from a replay of the laboratory's own results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from rules.checks.delta import DeltaCheck, read_window
from rules.checks.finding import About, Finding, Limits
from rules.interval import finite
from rules.strict import Table
from rules.subject import Subject
from rules.vocabulary import POLICIES

FORMS = ("symmetric", "log-normal")
TWO_SIDED = Decimal("1.96")  # 95 %


@dataclass(frozen=True, slots=True)
class RcvCheck:
    """Two deltas in percent: so much more, or so much less, than the patient's previous result."""

    up: DeltaCheck
    down: DeltaCheck
    name: str = "rcv"
    numeric: bool = True
    sourced: bool = True
    facts: frozenset[str] = frozenset({"value", "previous", "change", "limit", "hours"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when one of the two does."""
        up, down = self.up.judge(one, limits), self.down.judge(one, limits)
        found = down if down.truth or (up.truth is False and down.truth is None) else up
        detail = up.detail if up.detail == down.detail else f"{up.detail}; {down.detail}"
        return replace(found, code="rcv" if found.truth else found.code, detail=detail)


def symmetric(analytical: float, within: float, z: float) -> float:
    """Return the symmetric RCV in percent, from CVs in percent."""
    return math.sqrt(2) * z * math.sqrt(analytical**2 + within**2)


def log_normal(analytical: float, within: float, z: float) -> tuple[float, float]:
    """Return how much more and how much less, in percent, from CVs in percent; both positive."""
    s = math.sqrt(math.log(1 + (analytical / 100) ** 2) + math.log(1 + (within / 100) ** 2))
    return (math.exp(z * math.sqrt(2) * s) - 1) * 100, (1 - math.exp(-z * math.sqrt(2) * s)) * 100


def read_rcv(table: Table, about: About) -> RcvCheck:
    """Read the keys of an RCV rule."""
    cvs = []
    for key in ("cv_within", "cv_analytical"):
        number = table.number(key, "write the coefficient of variation in percent")
        if not 0 < number < 100:
            raise table.refuse(key, f"{number} is no coefficient of variation", "write it in percent, such as 3.92")
        cvs.append(float(number))
    z = finite(table.number("z")) if table.has("z") else float(TWO_SIDED)
    if z is None or not 0 < z < 10:
        raise table.refuse("z", "is no quantile", "write 1.96 for 95 % two-sided, 1.65 one-sided")
    form = table.word("form", FORMS)
    within, analytical = cvs
    up, down = (
        (symmetric(analytical, within, z),) * 2 if form == "symmetric" else log_normal(analytical, within, z)
    )  # fmt: skip
    window, no_previous = read_window(table), POLICIES[table.word("if_no_previous", POLICIES)]
    return RcvCheck(
        DeltaCheck("percent", {"": Decimal(f"{up:.6g}")}, window, "up", no_previous),
        DeltaCheck("percent", {"": Decimal(f"{down:.6g}")}, window, "down", no_previous),
    )
