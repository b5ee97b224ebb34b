"""Was the blood drawn beside a drip? Everything in it has fallen together since the patient's last specimen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from labmw.model import VerdictLevel
from rules.analyte import Analyte
from rules.checks.finding import About, Finding, Limits
from rules.checks.identity import earlier, newest, ratio
from rules.checks.options import read_span, tests
from rules.kleene import word
from rules.strict import Table
from rules.subject import Subject
from rules.vocabulary import POLICIES


@dataclass(frozen=True, slots=True)
class DilutionCheck:
    """Tests that a drip dilutes, and by how many percent each must have fallen."""

    tests: tuple[Analyte, ...]
    percent: Decimal
    at_least: int
    window: timedelta
    no_previous: VerdictLevel
    name: str = "dilution"
    numeric: bool = False
    sourced: bool = True
    facts: frozenset[str] = frozenset({"tests", "limit"})

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Fire when all that can be compared have fallen by more; one that has not is against it."""
        falls = []
        for analyte in self.tests:
            found = [
                r
                for r in (one.case.result, *one.case.siblings)
                if r.loinc in analyte.loincs and r.main and not r.index and not r.problem
            ]
            if len(found) != 1 or found[0].completed is None:
                continue
            before = newest(earlier(one, found[0]), found[0].completed, self.window)
            change = None if before is None else ratio(found[0].quantity, before.quantity)
            if change is not None:
                falls.append((analyte.alias, (1 - math.exp(change)) * 100))
        told = " ".join(f"{alias} {-fall:+.3g} %" for alias, fall in falls)
        if len(falls) < self.at_least:
            facts = (("tests", str(len(falls))), ("needed", str(self.at_least)))
            return Finding(None, "identity-not-checked", facts, f"comparable: {told or 'none'}", self.no_previous)
        truth = all(fall > float(self.percent) for _, fall in falls)
        detail = f"all fell by more than {self.percent} %: {told} -> {word(truth)}"
        return Finding(truth, "dilution", (("tests", told), ("limit", f"{self.percent} %")) if truth else (), detail)


def read_dilution(table: Table, about: About) -> DilutionCheck:
    """Read the keys of a dilution rule."""
    found = tests(table, "tests", about, least=2)
    percent = table.number("percent", "write by how many percent each has fallen, such as 15")
    if not 0 < percent < 100:
        raise table.refuse("percent", f"{percent} is no fall", "write a number between 0 and 100")
    at_least = int(table.number("at_least")) if table.has("at_least") else len(found)
    if not 2 <= at_least <= len(found):
        raise table.refuse("at_least", f"{at_least} is not possible here", f"write 2 to {len(found)}")
    no_previous = POLICIES[table.word("if_no_previous", POLICIES)]
    return DilutionCheck(found, percent, at_least, read_span(table, "window"), no_previous)
