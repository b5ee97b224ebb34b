"""Do the examples inside a pack come out as they say? Each rule has at least one that fires it and one that does not."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.model import Case, VerdictLevel
from rules.analyte import Analytes
from rules.given import read_case
from rules.strict import Table
from rules.vocabulary import EXPECTATIONS


@dataclass(frozen=True, slots=True)
class Example:
    """One case, and what the rule it stands under must say of it. `where` is its place in the pack."""

    name: str
    where: str
    alias: str
    case: Case
    expect: VerdictLevel


def read_example(table: Table, analytes: Analytes, own: tuple[str, ...]) -> Example:
    """Read one [[rule.test]] of a rule about the analytes `own`."""
    name = table.text("name", "say in a few words what the example shows")
    given = table.table("given", 'write given = { value = "4.2", unit = "mmol/L", age = "40y" }')
    expect = EXPECTATIONS[table.word("expect", EXPECTATIONS)]
    table.done()
    alias = given.word("analyte", own, own[0] if len(own) == 1 else None)
    case = read_case(given, analytes[alias], analytes)
    given.done()
    return Example(name, table.where, alias, case, expect)
