"""Why this verdict, and what would change it? From the record that was frozen when the verdict was given."""

from __future__ import annotations

import json
import re
from typing import Any

from labmw.cli.story import verdict_in_words
from labmw.phrases import Language, say
from labmw.store import Row
from labmw.store.statements import Story

Told = dict[str, Any]
_COMPARED = re.compile(r"([^;]+?) -> (true|unknown)")


def explained(story: Story, language: Language) -> list[Told]:
    """Return the explanation of each judged result of a specimen, by its last verdict."""
    last = {row.result: row for row in story.verdicts}
    return [_one(row, last[row.id], language) for row in story.results if row.id in last]


def _one(result: Row, verdict: Row, language: Language) -> Told:
    level = ("release", "comment", "review", "hold", "block")[int(verdict.level)]
    reasons = json.loads(verdict.reasons)
    trace = json.loads(verdict.trace)
    return {
        "result": result.id,
        "test": result.test_name or result.code,
        "loinc": result.loinc,
        "value": f"{result.comparator or ''}{result.number or result.value} {result.unit}".strip(),
        "verdict": level,
        "sentence": verdict_in_words(verdict, level, language),
        "packs": json.loads(verdict.packs),
        "decided_at": verdict.decided_at,
        "reasons": [
            {
                "rule": one["rule"],
                "code": one["code"],
                "level": one["level"],
                "sentence": one["facts"].get(f"message_{language}") or say(one["code"], language, **one["facts"]),
            }
            for one in reasons
        ],
        "trace": [
            {"rule": rule, "outcome": outcome, "sentence": say(f"rule-{outcome}", language, rule=rule, detail=detail or "-")}
            for rule, outcome, detail in trace
        ],
        "would_release": [] if level in ("release", "comment") else _would(reasons, trace, language),
    }  # fmt: skip


def _would(reasons: list[Told], trace: list[list[str]], language: Language) -> list[str]:
    """Return, for each rule that keeps the result, what must not have been so; all of them together release it."""
    keeping = {one["rule"] for one in reasons if one["level"] in ("review", "hold", "block")}
    found = []
    for rule, _, detail in trace:
        if rule not in keeping:
            continue
        compared = [f"{match[1].strip()}" for match in _COMPARED.finditer(detail)]
        if compared:
            found.append(say("rules-would-compare", language, rule=rule, compared=" · ".join(compared)))
        else:
            code = next(one["code"] for one in reasons if one["rule"] == rule)
            found.append(say("rules-would-reason", language, rule=rule, code=code))
    return found
