"""Does the condition that the rule spells out hold? `when = "K > 6 and CA < 1.9"`, for what crosses several tests."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.model import VerdictLevel
from rules import facts as known_facts
from rules.analyte import Analytes
from rules.checks.finding import About, Finding, Limits
from rules.expression import ExpressionError, Truth, read
from rules.expression.tree import Constant, numbers, parts, words
from rules.expression.walk import Known, truth
from rules.interval import Interval, show
from rules.strict import Table
from rules.subject import Subject


@dataclass(frozen=True, slots=True)
class WhenCheck:
    """One condition over the names of the vocabulary and the tests of the pack."""

    text: str
    tree: Truth
    unit: str  # of `value`; "" where the rule does not use it
    pack: Analytes
    name: str = "when"
    code: str = "condition"

    @property
    def numeric(self) -> bool:
        """True when it looks at the value itself."""
        return not known_facts.OWN_NAMES.isdisjoint(numbers(self.tree))

    @property
    def sourced(self) -> bool:
        """True when a number is written in it."""
        return any(isinstance(node, Constant) for node in parts(self.tree))

    @property
    def facts(self) -> frozenset[str]:
        """The value, the condition, and every name that the condition uses."""
        return frozenset({"value", "condition", *numbers(self.tree), *words(self.tree)})

    def known(self, one: Subject) -> tuple[Known, list[str]]:
        """Return what the condition knows of a subject, and the names that are there in another unit."""
        other_unit: list[str] = []
        found: dict[str, Interval | None] = {}
        for name in numbers(self.tree):
            found[name], differs = known_facts.number(name, one, self.unit, self.pack)
            if differs:
                other_unit.append(name)
        said = {name: known_facts.say(name, one) for name in words(self.tree)}
        return Known(found, said, frozenset(flag.value for flag in one.case.result.flags)), other_unit

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Judge the condition; what is missing or only bounded makes it unknown where it matters."""
        known, other_unit = self.known(one)
        found, said = known.numbers, known.words
        trace: list[str] = []
        holds = truth(self.tree, known, trace)
        detail = "; ".join(trace)
        facts = (("value", one.shown), ("condition", self.text))
        if holds is None:
            if other_unit:
                named = (*facts, ("names", " ".join(other_unit)))
                return Finding(None, "condition-unit", named, detail, VerdictLevel.HOLD)
            lacking = [name for name, value in (*found.items(), *said.items()) if value is None]
            return Finding(None, "condition-unknown", (*facts, ("names", " ".join(lacking) or "-")), detail)
        shown = {name: "?" if value is None else show(value) for name, value in found.items() if name != "value"}
        shown |= {name: value or "?" for name, value in said.items()}
        return Finding(holds, self.code, (*facts, *shown.items()) if holds else (), detail)


def read_when(table: Table, about: About) -> WhenCheck:
    """Read the condition of a rule; raises PackError with its line, and what to write instead."""
    text = table.text("when", 'write a condition: when = "value > 6"')
    own = [about.pack[alias] for alias in about.analytes]
    try:
        tree = read(text, known_facts.vocabulary(own, about.pack))
    except ExpressionError as error:
        problem, remedy = error.problem, error.remedy
        if "is not a known word" in problem:
            bare = [one.alias for one in about.pack.values() if not one.unit and f"'{one.alias}'" in problem]
            if bare:
                remedy = f'say in which unit the pack takes it: [analytes.{bare[0]}] unit = "mmol/L"'
            elif any(f"'{name}'" in problem for name in known_facts.OWN):
                problem = "'value' has no one unit: the tests of this rule have several, or none is stated"
                remedy = 'state unit = "..." in [analytes] for each, and list in analytes those of one unit'
        raise table.refuse("when", f"column {error.column}: {problem}", remedy) from None
    units = {one.unit for one in own}
    return WhenCheck(text, tree, units.pop() if len(units) == 1 else "", about.pack)
