"""Which tests is a pack about? Each under an alias, with its LOINC codes, its names and the words it may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labmw.errors import QuantityError
from labmw.quantity import ucum
from rules.message import Message, read_message
from rules.reserved import CLASSES
from rules.strict import Table
from rules.vocabulary import is_loinc


@dataclass(frozen=True, slots=True)
class Analyte:
    """A test of a pack: its LOINC codes, its names, and the words it may say instead of a number and still be released."""

    alias: str
    loincs: tuple[str, ...]
    name: Message
    words: frozenset[str]
    unit: str = ""  # the UCUM unit in which expressions and formulas take it; a result in another is missing to them
    kind: str = (
        ""  # a class of tests that never leave without a person (rules.reserved); "" = what the table there says
    )


Analytes = Mapping[str, Analyte]
"""The tests of a pack, by alias."""


def read_analytes(table: Table) -> dict[str, Analyte]:
    """Read [analytes]; raises PackError for a code that is no LOINC code or belongs to two."""
    outer = table.table("analytes", 'name the tests: [analytes.K], then loinc = ["2823-3"]')
    found: dict[str, Analyte] = {}
    owners: dict[str, str] = {}
    for alias in outer.names():
        inner = outer.table(alias, "")
        loincs = inner.texts("loinc", 'list LOINC codes: loinc = ["2823-3"]')
        if not loincs:
            raise inner.refuse("loinc", "is missing", 'list LOINC codes: loinc = ["2823-3"]')
        for loinc in loincs:
            if not is_loinc(loinc):
                raise inner.refuse(
                    "loinc", f"{loinc!r} is not a LOINC code", "check its digits; the last one is a check digit"
                )
            if loinc in owners:
                raise inner.refuse(
                    "loinc", f"{loinc!r} belongs to {owners[loinc]} too", "give each code to one analyte"
                )
            owners[loinc] = alias
        name, words = read_message(inner, "name", frozenset()), frozenset(inner.texts("words"))
        kind = inner.word("class", CLASSES) if inner.has("class") else ""
        found[alias] = Analyte(alias, loincs, name, words, _unit(inner), kind)
        inner.done()
    if not found:
        raise table.refuse("analytes", "is empty", "name at least one test")
    return found


def _unit(table: Table) -> str:
    text = table.text("unit", default="")
    try:
        return ucum(text) if text else ""
    except QuantityError:
        raise table.refuse("unit", f"{text!r} is not a unit", "write a UCUM unit such as mmol/L") from None
