"""What did a check find? True (it fires), false, or unknown; with the values it compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from labmw.model import VerdictLevel
from rules.analyte import Analytes
from rules.kleene import Truth
from rules.limits import UnitLimits
from rules.subject import Facts, Subject

Limits = Mapping[str, UnitLimits]
"""The limit rows of one LOINC code in one pack, by unit."""


@dataclass(frozen=True, slots=True)
class About:
    """What a rule is about while it is read: the aliases that it judges, and all tests of its pack."""

    analytes: tuple[str, ...]
    pack: Analytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer.

    `detail` shows the comparisons, the row and the previous result used, in codes and values of no language. `level` is what an unknown
    answer asks for where the rule's own `if_missing` must not decide.
    """

    truth: Truth
    code: str
    facts: Facts = ()
    detail: str = ""
    level: VerdictLevel | None = None
    possible: bool = False  # unknown, but true for some of what the value or the patient may be


class Check(Protocol):
    """A primitive with its options."""

    @property
    def name(self) -> str:
        """The word a pack uses for it."""

    @property
    def numeric(self) -> bool:
        """True when it needs a number: a result that an analyte may say in words is exempt from it."""

    @property
    def sourced(self) -> bool:
        """True when the rule itself holds a number, whose source the pack must state."""

    @property
    def facts(self) -> frozenset[str]:
        """The names that the rule's message may use in braces."""

    def judge(self, one: Subject, limits: Limits) -> Finding:
        """Judge one subject; pure."""


def no_number(one: Subject) -> Finding:
    """Return the answer where there is no number to compare."""
    return Finding(None, "missing-value", (("value", one.shown),), f"value {one.shown!r} is no number")


def other_unit(one: Subject, known: tuple[str, ...]) -> Finding:
    """Return the answer where the limits are in other units: nothing is compared and nothing converted, a person looks."""
    facts = (("value", one.shown), ("unit", one.unit), ("expected", " ".join(known)))
    return Finding(None, "unit-mismatch", facts, f"unit {one.unit} not in {' '.join(known)}", VerdictLevel.HOLD)
