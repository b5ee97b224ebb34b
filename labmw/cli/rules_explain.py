"""Why this verdict, and what would change it? From the record that was frozen when the verdict was given."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from labmw.cli.story import verdict_in_words
from labmw.cli.trace_words import compared, guarded, spoken
from labmw.phrases import Language, say
from labmw.store import Row
from labmw.store.statements import Story

Told = dict[str, Any]


def explained(story: Story, language: Language, zone: ZoneInfo) -> list[Told]:
    """Return the explanation of each judged result of a specimen, by its last verdict."""
    last = {row.result: row for row in story.verdicts}
    return [_one(row, last[row.id], language, zone) for row in story.results if row.id in last]


def _one(result: Row, verdict: Row, language: Language, zone: ZoneInfo) -> Told:
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
            {"rule": rule, "outcome": outcome, "detail": detail, "sentence": spoken(rule, outcome, detail, language, zone)}
            for rule, outcome, detail in trace
        ],
        "would_release": [] if level in ("release", "comment") else _would(reasons, trace, language, zone),
    }  # fmt: skip


def _would(reasons: list[Told], trace: list[list[str]], language: Language, zone: ZoneInfo) -> list[str]:
    """Return, for each rule that keeps the result, what must not have been so; all of them together release it."""
    keeping = {one["rule"] for one in reasons if one["level"] in ("review", "hold", "block")}
    found = []
    for rule, _, detail in trace:
        if rule not in keeping:
            continue
        name = guarded(rule, language)
        if told := compared(detail, language, zone):
            found.append(say("rules-would-compare", language, rule=name, compared=" · ".join(told)))
        else:
            one = next(one for one in reasons if one["rule"] == rule)
            sentence = one["facts"].get(f"message_{language}") or say(one["code"], language, **one["facts"])
            found.append(say("rules-would-compare", language, rule=name, compared=sentence))
    return found
