"""What has changed from one version of a pack to the next? Rules and limits, in the words of the pack and not of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import timedelta

from labmw.model import VerdictLevel
from rules.analyte import Analyte
from rules.checks.delta import DeltaCheck
from rules.limits import KINDS, Row
from rules.load import Pack
from rules.rule import Rule


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is new, gone, or different: `before` and `after` are "" where there is none."""

    where: str
    what: str
    before: str
    after: str


def difference(old: Pack, new: Pack) -> Iterator[Change]:
    """Return every change, rules first."""
    yield from _named("pack", {"version": old.version}, {"version": new.version})
    for alias in dict.fromkeys((*old.analytes, *new.analytes)):
        yield from _named(f"analyte {alias}", _analyte(old.analytes.get(alias)), _analyte(new.analytes.get(alias)))
    for name in dict.fromkeys((*old.protocols, *new.protocols)):
        agreed = [pack.protocols[name].source if name in pack.protocols else "" for pack in (old, new)]
        yield from _named(f"protocol {name}", {"source": agreed[0]}, {"source": agreed[1]})
    rules = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    for name in dict.fromkeys((*rules[0], *rules[1])):
        one, other = rules[0].get(name), rules[1].get(name)
        yield from _named(f"rule {name}", rule_facts(one), rule_facts(other))
    rows = {row_key(row): row for row in old.limits.rows}, {row_key(row): row for row in new.limits.rows}
    for key in dict.fromkeys((*rows[0], *rows[1])):
        before, after = rows[0].get(key), rows[1].get(key)
        yield from _named(f"limits {' '.join(key)}", _limits(before), _limits(after))


def _named(where: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for what in dict.fromkeys((*old, *new)):
        if old.get(what, "") != new.get(what, ""):
            yield Change(where, what, old.get(what, ""), new.get(what, ""))


def _analyte(analyte: Analyte | None) -> dict[str, str]:
    if analyte is None:
        return {}
    words = ", ".join(sorted(analyte.words))
    return {"loinc": " ".join(analyte.loincs), "unit": analyte.unit, "words": words, "class": analyte.kind}


def rule_facts(rule: Rule | None) -> dict[str, str]:
    """Return what a rule says, key by key, as texts."""
    if rule is None:
        return {}
    found = {
        "verdict": rule.verdict.name.lower(), "if_missing": _plain(rule.if_missing), "analytes": " ".join(rule.analytes),
        "drivers": " ".join(sorted(rule.scope.drivers)), "wards": " ".join(sorted(rule.scope.wards)), "source": rule.source, "message.en": rule.message["en"], "message.fr": rule.message["fr"],
        "scope": "" if rule.reach == "result" else rule.reach, "protocol": rule.protocol,
        "action": " ".join(f"{one.kind}:{one.target}" if one.target else one.kind for one in rule.actions),
        "exempt": "; ".join(f"{' '.join(sorted(one.scope.wards))}: {one.reason['en']}" for one in rule.exemptions),
    }  # fmt: skip
    for field in fields(rule.check):  # type: ignore[arg-type]  # every check is a frozen dataclass
        if field.name not in _INTERNAL:
            found["check" if field.name == "name" else field.name] = _plain(getattr(rule.check, field.name))
    return found


_INTERNAL = frozenset({"facts", "numeric", "sourced", "pack", "tree", "code", "low_code", "high_code"})


def _plain(value: object) -> str:
    if isinstance(value, VerdictLevel):
        return "pass" if value is VerdictLevel.RELEASE else value.name.lower()
    if isinstance(value, timedelta):
        return f"{value / timedelta(hours=1):g} h"
    if isinstance(value, frozenset):
        return " ".join(sorted(map(str, value)))
    if isinstance(value, dict):
        return ", ".join(f"{_plain(number)} {key}".strip() for key, number in value.items())
    if isinstance(value, DeltaCheck):  # one side of a reference change value
        return f"{_plain(dict(value.limit))} %, {_plain(value.window)}, {_plain(value.no_previous)}"
    if isinstance(value, tuple):
        return " ".join(map(_plain, value))
    return str(getattr(value, "alias", value))


def row_key(row: Row) -> tuple[str, ...]:
    """Whom and what a row is for: two rows with one key are two versions of one row."""
    age = f"{row.start.text}-{row.end.text if row.end else ''}"
    return (row.analyte, row.unit, f"sex {row.sex}", f"age {age}", f"ward {row.ward}", f"specimen {row.specimen}")


def _limits(row: Row | None) -> dict[str, str]:
    if row is None:
        return {}
    found = {"source": row.source}
    for kind in KINDS:
        for end, value in (("lo", row.bounds[kind].low), ("hi", row.bounds[kind].high)):
            found[f"{kind}_{end}"] = "" if value is None else str(value)
    return found
