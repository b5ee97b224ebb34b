"""What in a pack that can be used is still worth a second look? Rows and rules that nobody reaches, the same rule twice, nobody's name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rules.boundary import unreached
from rules.checks.when import WhenCheck
from rules.coverage import coverage
from rules.expression.tree import All, Any, Compare, Constant, Name, Truth
from rules.load import Pack
from rules.subject import Facts

STARTING_POINT = "starting-point"


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark: where, and the code and facts of its sentence."""

    where: str
    code: str
    facts: Facts = ()


def lint(pack: Pack) -> Iterator[Remark]:
    """Look a pack over; what makes it unusable was refused when it was loaded."""
    for row in unreached(pack):
        yield Remark(row.place, "lint-row-unreached", (("analyte", row.analyte),))
    for rule in pack.rules:
        if isinstance(rule.check, WhenCheck) and never(rule.check.tree):
            yield Remark(rule.id, "lint-never-true", (("condition", rule.check.text),))
    checks: dict[object, str] = {}
    for rule in pack.rules:
        same = repr((rule.check, rule.analytes, rule.scope, rule.exemptions, rule.reach, rule.actions))
        if same in checks:
            yield Remark(rule.id, "lint-rule-twice", (("other", checks[same]),))
        checks.setdefault(same, rule.id)
    for seen in coverage(pack):
        if seen.condition and set(seen.never) - {"unknown"}:
            yield Remark(
                seen.rule, "lint-condition-unseen", (("condition", seen.condition), ("never", ", ".join(seen.never)))
            )
    for one in pack.overrides:
        reason = f"{one.reason['en']} / {one.reason['fr']}"
        facts = (("rule", one.rule), ("parent", one.parent), ("what", one.what), ("wards", ", ".join(one.wards) or "*"), ("reason", reason))  # fmt: skip
        yield Remark(one.rule, "lint-override", facts)
    if not pack.authors:
        yield Remark("pack.authors", "lint-no-author")
    unsupported = sum(
        part.rpartition("=")[2] == STARTING_POINT for row in pack.limits.rows for part in row.source.split()
    ) + sum(rule.source == STARTING_POINT for rule in pack.rules)
    if unsupported:
        yield Remark("sources", "lint-starting-points", (("count", str(unsupported)),))


def never(tree: Truth) -> bool:
    """True when a condition can be seen to hold for no number: `value > 6 and value < 5`."""
    if isinstance(tree, Any):
        return all(never(one) for one in tree.parts)
    if not isinstance(tree, All):
        return False
    ranges: dict[str, tuple[float, float]] = {}
    for one in tree.parts:
        if never(one):
            return True
        match one:
            case Compare(sign="<" | "<=", left=Name(name=name), right=Constant(number=limit)):
                low, high = ranges.get(name, (-math.inf, math.inf))
                ranges[name] = (low, min(high, limit))
            case Compare(sign=">" | ">=", left=Name(name=name), right=Constant(number=limit)):
                low, high = ranges.get(name, (-math.inf, math.inf))
                ranges[name] = (max(low, limit), high)
            case _:
                pass
    return any(low > high for low, high in ranges.values())
