"""How does a test stand after its newest control? Points become runs, runs are judged, and each level of the newest run gets its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from rules.qc.westgard import Rule, Run, Violation, judge

State = Literal["in-control", "warning", "out"]

CLASSIC_TWO = (Rule.W1_2S, Rule.W1_3S, Rule.W2_2S, Rule.R_4S, Rule.W4_1S, Rule.X10)
CLASSIC_THREE = (Rule.W1_2S, Rule.W1_3S, Rule.W2OF3_2S, Rule.R_4S, Rule.W3_1S, Rule.X12)
"""Westgard's multi-rule procedure for two and for three levels: what holds until a laboratory chooses by sigma."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One control result with its target: exact numbers, and to which run it belongs."""

    level: str
    lot: str
    at: datetime
    run: str
    number: Decimal
    mean: Decimal
    sd: Decimal
    excluded: bool = False

    @property
    def z(self) -> Decimal:
        """How many SD it lies from the mean; exact until the division."""
        return (self.number - self.mean) / self.sd


@dataclass(frozen=True, slots=True)
class Standing:
    """What the newest run says: the rules it breaks, and the state of each of its levels."""

    violations: tuple[Violation, ...]
    states: Mapping[str, State]

    def rule(self, level: str) -> str:
        """The rule that decided a level's state; "" in control."""
        own = [one for one in self.violations if level in one.levels]
        return str(max(own, key=lambda one: one.rejects).rule) if own else ""

    def broken(self, level: str) -> tuple[Violation, ...]:
        """Every rule that a level breaks."""
        return tuple(one for one in self.violations if level in one.levels)


def default_rules(levels: int) -> tuple[Rule, ...]:
    """Return the rules of a test that nobody has chosen any for."""
    return CLASSIC_THREE if levels >= 3 else CLASSIC_TWO


def stand(
    points: Sequence[Measured], levels: Sequence[str], rules: Sequence[Rule], restarts: Sequence[datetime] = ()
) -> Standing:
    """Judge the newest run of these points (oldest first); history begins anew after a corrective action and with another lot."""
    runs = _runs(points, restarts)
    violations = judge(runs, levels, rules)
    newest = runs[-1] if runs else Run({})
    states: dict[str, State] = {}
    for level in newest.z:
        if level in newest.excluded:
            continue
        own = [one for one in violations if level in one.levels]
        states[level] = "out" if any(one.rejects for one in own) else "warning" if own else "in-control"
    return Standing(violations, states)


def _runs(points: Sequence[Measured], restarts: Sequence[datetime]) -> list[Run]:
    grouped: dict[str, list[Measured]] = {}
    for point in points:
        grouped.setdefault(point.run, []).append(point)
    found: list[Run] = []
    lots: dict[str, str] = {}
    before: datetime | None = None
    for members in grouped.values():
        first = min(one.at for one in members)
        acted = any((before is None or before < at) and at <= first for at in restarts)
        changed = any(lots.get(one.level, one.lot) != one.lot for one in members)
        lots.update({one.level: one.lot for one in members})
        excluded = frozenset(one.level for one in members if one.excluded)
        found.append(Run({one.level: float(one.z) for one in members}, acted or changed, excluded))
        before = max(one.at for one in members)
    return found
