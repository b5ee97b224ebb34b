"""What is one thing that `labmw check` or `labmw status` has to say? A code of the catalogue with its facts, and how much it weighs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from labmw.errors import LabmwError
from labmw.phrases import Language, said, say


class Weight(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"  # must be mended
    WARNING = "warning"  # a person should look
    GOOD = "good"  # said for completeness


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence: what it is about (a link, a pack, a destination, a key of the configuration), what is so, and what to do."""

    weight: Weight
    subject: str
    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def sentence(self, language: Language) -> str:
        """The sentence; what to do is in it. A fact that is an error is said in the same language."""
        facts = {
            name: said(fact, language) if isinstance(fact, LabmwError) else fact for name, fact in self.facts.items()
        }
        return say(self.code, language, **facts)

    def row(self, language: Language) -> dict[str, object]:
        """The finding as JSON."""
        facts = {name: str(value) for name, value in self.facts.items()}
        return {
            "weight": self.weight.value,
            "subject": self.subject,
            "code": self.code,
            "facts": facts,
            "sentence": self.sentence(language),
        }


def error(subject: str, code: str, **facts: object) -> Finding:
    """Something that must be mended."""
    return Finding(Weight.ERROR, subject, code, facts)


def warning(subject: str, code: str, **facts: object) -> Finding:
    """Something a person should look at."""
    return Finding(Weight.WARNING, subject, code, facts)


def good(subject: str, code: str, **facts: object) -> Finding:
    """Something that is as it should be."""
    return Finding(Weight.GOOD, subject, code, facts)
