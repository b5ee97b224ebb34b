"""Why this verdict? Its parts as plain lines of codes and facts; the sentences are in the catalogue, in English and French."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from labmw.model import Verdict
from rules.vocabulary import Language

Part = Literal["verdict", "pack", "reason", "rule"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation: render it with `labmw.phrases.say(line.code, language, **line.facts)`."""

    part: Part
    code: str
    facts: Mapping[str, str]
    rule: str = ""


def explain(verdict: Verdict) -> tuple[Line, ...]:
    """Return the whole explanation: the verdict, the packs that judged, each reason, then each rule with what it compared."""
    return (
        Line("verdict", f"verdict-{verdict.level.name.lower()}", {}),
        *(Line("pack", "judged-by", {"pack": name}) for name in verdict.packs),
        *(Line("reason", one.code, dict(one.facts), one.rule) for one in verdict.reasons),
        *(
            Line("rule", f"rule-{word}", {"rule": name, "detail": detail or "-"}, name)
            for name, word, detail in verdict.trace
        ),
    )


def message(line: Line, language: Language) -> str:
    """Return the pack's own sentence for a reason, frozen when the verdict was given; "" where there is none."""
    return line.facts.get(f"message_{language}", "")
