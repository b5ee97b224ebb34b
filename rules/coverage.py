"""Have the examples of a pack seen every side of it? Each rule fired, passed and unknown, each condition true, false and unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rules.checks.when import WhenCheck
from rules.expression.tree import conditions
from rules.expression.walk import truth
from rules.kleene import word
from rules.load import Pack
from rules.rule import apply
from rules.subject import subject

OUTCOMES = ("fired", "passed", "unknown")
TRUTHS = ("true", "false", "unknown")


@dataclass(frozen=True, slots=True)
class Covered:
    """How often something came out how; `never` are the ways that no example has seen."""

    rule: str
    condition: str  # "" for the rule as a whole
    seen: Mapping[str, int]
    ways: tuple[str, ...]

    @property
    def never(self) -> tuple[str, ...]:
        """The ways that are still to be shown."""
        return tuple(way for way in self.ways if not self.seen.get(way))


def coverage(pack: Pack) -> tuple[Covered, ...]:
    """Run every example of a pack and count."""
    found: list[Covered] = []
    for rule in pack.rules:
        own = [example for owner, example in pack.examples if owner is rule]
        seen: Counter[str] = Counter()
        inside: dict[str, Counter[str]] = {}
        for example in own:
            one = subject(example.case)
            words = pack.analytes[example.alias].words
            seen[apply(rule, one, pack.limits.of(example.case.result.loinc), words).word] += 1
            if isinstance(rule.check, WhenCheck):
                known, _ = rule.check.known(one)
                for condition in conditions(rule.check.tree):
                    inside.setdefault(str(condition), Counter())[word(truth(condition, known))] += 1
        found.append(Covered(rule.id, "", seen, OUTCOMES))
        found += [Covered(rule.id, text, counts, _ways(text)) for text, counts in inside.items()]
    return tuple(found)


def _ways(condition: str) -> tuple[str, ...]:
    """Flags and is_missing are never unknown."""
    return TRUTHS[:2] if condition.endswith("in flags") or condition.startswith("is_missing(") else TRUTHS
