"""Does a pack make sense as a whole? Sources for every number, a rule for every limit, limits for every rule, examples that hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rules.analyte import Analyte
from rules.checks.bounds import BoundsCheck
from rules.examples import Example
from rules.limits import KINDS, NUMERIC, LimitTable, Row
from rules.lines import line_of
from rules.rule import Rule, apply
from rules.strict import refusal
from rules.subject import subject

_CITATION = re.compile(r"(?:(?P<column>[a-z_]+)=)?(?P<source>[A-Za-z0-9._-]+)")


def check_sources(
    file: str, csv: str, limits: LimitTable, rules: Sequence[Rule], sources: Mapping[str, str], text: str = ""
) -> None:
    """Refuse a number whose source is not cited."""
    for rule in rules:
        if rule.source and rule.source not in sources:
            raise refusal(
                file, _at(text, rules, rule, "source"), f"{rule.source!r} is not in [sources]", "cite it there"
            )
    for row in limits.rows:
        cited: set[str] = set()
        for word in row.source.split():
            match = _CITATION.fullmatch(word)
            column = match["column"] if match else None
            if match is None or match["source"] not in sources or column not in (None, *KINDS, *NUMERIC):
                remedy = "write one source for the row, or lim=... crit_lo=... crit_hi=... abs=..."
                raise refusal(csv, f"{row.line}, source", f"{word!r} is not in [sources]", remedy)
            cited.update(one for one in NUMERIC if column is None or one == column or one.startswith(f"{column}_"))
        for column in NUMERIC:
            kind, _, end = column.partition("_")
            limit = row.bounds[kind].low if end == "lo" else row.bounds[kind].high
            if limit is not None and column not in cited:
                raise refusal(
                    csv, f"{row.line}, source", f"does not say where {column} comes from", f"add {column}=..."
                )


def _has(row: Row, kind: str) -> bool:
    return row.bounds[kind].low is not None or row.bounds[kind].high is not None


def check_reach(
    file: str, csv: str, analytes: Mapping[str, Analyte], rules: Sequence[Rule], limits: LimitTable, text: str = ""
) -> None:
    """Refuse a test without release criterion, a rule without numbers, and numbers without a rule."""
    used: set[tuple[str, str]] = set()
    for rule in rules:
        if not isinstance(rule.check, BoundsCheck):
            continue
        kind = rule.check.kind
        for alias in rule.analytes:
            used.add((alias, kind))
            for loinc in analytes[alias].loincs:
                rows = [row for row in limits.rows if row.analyte == alias]
                if not limits.of(loinc) or not any(_has(row, kind) for row in rows):
                    problem = f"needs {kind} limits of {alias} ({loinc}), and there are none"
                    raise refusal(file, _at(text, rules, rule), problem, "add a row to the CSV")
    for row in limits.rows:
        if not _has(row, KINDS[0]):
            raise refusal(csv, row.line, f"has no release limit for {row.analyte}", "write lim_lo, lim_hi or both")
        for kind in KINDS:
            if _has(row, kind) and (row.analyte, kind) not in used:
                raise refusal(
                    csv,
                    row.line,
                    f"the {kind} limits of {row.analyte} are used by no rule",
                    "add the rule to the pack",
                )
    for alias, analyte in analytes.items():
        if (alias, KINDS[0]) not in used and not analyte.words:
            problem = "has no criterion by which it could be released"
            raise refusal(
                file,
                f"{_line(text, f'analytes.{alias}', 'loinc')}analytes.{alias}",
                problem,
                'cover it by a rule with check = "limit", or give it words',
            )


def check_examples(
    file: str,
    rules: Sequence[Rule],
    examples: Sequence[tuple[Rule, Example]],
    analytes: Mapping[str, Analyte],
    limits: LimitTable,
    text: str = "",
) -> None:
    """Refuse a pack whose own examples come out differently, or a rule with none that fires it or none that does not."""
    seen: dict[str, set[str]] = {rule.id: set() for rule in rules}
    for rule, example in examples:
        analyte = analytes[example.alias]
        outcome = apply(rule, subject(example.case), limits.of(example.case.result.loinc), analyte.words)
        if outcome.level is not example.expect:
            problem = f"comes out as {outcome.level.name.lower()} ({outcome.word}: {outcome.detail})"
            remedy = f"it expects {example.expect.name.lower()}: mend the rule or the example"
            raise refusal(file, _line(text, example.where, "name") + example.where, problem, remedy)
        seen[rule.id].add(outcome.word)
    for rule in rules:
        for word, remedy in (("fired", "in which it fires"), ("passed", "in which it does not fire")):
            if word not in seen[rule.id]:
                raise refusal(file, _at(text, rules, rule), f"has no example {remedy}", "add a [[rule.test]]")


def _at(text: str, rules: Sequence[Rule], rule: Rule, key: str = "") -> str:
    """Where a rule stands: its line, and its id."""
    place = f"rule[{[one.id for one in rules].index(rule.id) + 1}] ({rule.id})"
    return f"{_line(text, place, key or 'id')}rule {rule.id}" + (f".{key}" if key else "")


def _line(text: str, where: str, key: str) -> str:
    """The line of a key, as the beginning of a place; "" where it cannot be told."""
    found = line_of(text, where, key) if text else None
    return "" if found is None else f"line {found}, "
