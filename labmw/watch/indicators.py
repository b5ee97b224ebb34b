"""How well do the rules work here? Rates of automatic release, what a single reason keeps, what people let go unchanged, what had to be taken back.

Figures are counted from verdicts as they were given. A result counts once, by its first verdict of the rules; a dossier is what one patient's tube
brought, and leaves by itself only when all of it does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from labmw.clock import read_stamp, stamp
from labmw.model import VerdictLevel
from labmw.store import Row, Transaction
from labmw.store.statements import past

RULES = ("", "rules", "labmw")  # who decides when nobody does
BY = ("test", "ward", "hour", "analyzer", "version")


@dataclass(slots=True)
class Rate:
    """How many of so many left by themselves."""

    judged: int = 0
    released: int = 0

    @property
    def share(self) -> float | None:
        """Between 0 and 1; None of nothing."""
        return self.released / self.judged if self.judged else None


@dataclass(slots=True)
class Kept:
    """What one reason (a rule, or a guard) kept: how often at all, how often alone, and how many of those a person let go unchanged."""

    kept: int = 0
    alone: int = 0
    released_unchanged: int = 0
    decided: int = 0  # by a person, of those it kept


@dataclass(slots=True)
class Indicators:
    """Everything that is told of a time."""

    since: str
    until: str
    results: Rate = field(default_factory=Rate)
    dossiers: Rate = field(default_factory=Rate)
    by: dict[str, dict[str, Rate]] = field(default_factory=lambda: {name: {} for name in BY})
    reasons: dict[str, Kept] = field(default_factory=dict)
    decided: int = 0  # held, then decided by a person
    released_unchanged: int = 0
    corrected: int = 0  # released by the rules, and taken back since
    corrections: tuple[tuple[int, str, str], ...] = ()  # result, specimen, why
    waiting: dict[str, int] = field(default_factory=dict)  # results that nobody has decided yet, by state


def indicators(site: str, since: datetime, until: datetime, zone: ZoneInfo) -> Transaction[Indicators]:
    """Count over the results received in a time."""
    span = (stamp(since), stamp(until))
    rows = yield past.results_judged(site, *span)
    tubes = {(row.identifier, row.patient): row.ward for row in (yield past.specimens_known(site))}
    verdicts: dict[int, list[Row]] = {}
    for row in (yield past.verdicts_given(site, *span)):
        verdicts.setdefault(row.result, []).append(row)
    withdrawn = {row.result: row.why for row in (yield past.results_withdrawn(site))}
    found = Indicators(*span)
    dossiers: dict[tuple[str, str], bool] = {}
    corrections = []
    keys: dict[str, Callable[[Row, Row], str]] = {
        "test": lambda row, _: row.test_name or row.loinc or row.code,
        "ward": lambda row, _: tubes.get((row.specimen, row.patient), "") or "-",
        "hour": lambda row, _: f"{read_stamp(row.received_at).astimezone(zone).hour:02d}",
        "analyzer": lambda row, _: row.link,
        "version": lambda _, one: ", ".join(pack["pack"].partition("#")[0] for pack in json.loads(one.packs)) or "-",
    }
    for row in rows:
        own = verdicts.get(row.id, [])
        first = next((one for one in own if one.decided_by in RULES), None)
        if first is None:
            continue
        released = first.level <= VerdictLevel.COMMENT
        _count(found.results, released=released)
        for name, key in keys.items():
            _count(found.by[name].setdefault(key(row, first), Rate()), released=released)
        dossier = (row.specimen, row.patient)
        dossiers[dossier] = dossiers.get(dossier, True) and released
        if released:
            if row.id in withdrawn or row.state == "withdrawn":
                corrections.append((row.id, row.specimen, withdrawn.get(row.id, "")))
        else:
            _held(found, row, first, own)
    for released in dossiers.values():
        _count(found.dossiers, released=released)
    found.corrected, found.corrections = len(corrections), tuple(corrections)
    for name in BY:
        order = (
            sorted(found.by[name])
            if name == "hour"
            else sorted(found.by[name], key=lambda key: -found.by[name][key].judged)
        )
        found.by[name] = {key: found.by[name][key] for key in order}
    found.reasons = dict(sorted(found.reasons.items(), key=lambda one: (-one[1].kept, one[0])))
    return found


def _count(rate: Rate, *, released: bool) -> None:
    rate.judged += 1
    rate.released += released


def _held(found: Indicators, row: Row, first: Row, own: Sequence[Row]) -> None:
    """What kept it, and what a person made of it: a value is never changed in labmw, so a release is a release unchanged."""
    keeping = [one for one in json.loads(first.reasons) if one["level"] in ("review", "hold", "block")]
    names = list(dict.fromkeys(one["rule"] or one["code"] for one in keeping)) or ["-"]
    person = next((one for one in reversed(own) if one.decided_by not in RULES), None)
    let_go = person is not None and person.level <= VerdictLevel.COMMENT
    if person is None and row.state in ("held", "blocked", "technical"):
        found.waiting[row.state] = found.waiting.get(row.state, 0) + 1
    found.decided += person is not None
    found.released_unchanged += let_go
    for name in names:
        kept = found.reasons.setdefault(name, Kept())
        kept.kept += 1
        kept.alone += len(names) == 1
        kept.decided += person is not None
        kept.released_unchanged += let_go


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watched pack would have said, beside what was said."""

    pack: str
    results: int
    first: str
    last: str
    held: int  # by the packs in force
    would_hold: int
    flips_held: tuple[Row, ...]  # released, and the watched pack would hold them
    flips_released: tuple[Row, ...]  # held, and it would release them
    rules: Mapping[str, int]  # what its rules kept


def watched(site: str, pack: str = "") -> Transaction[tuple[Watched, ...]]:
    """Report of every watched pack, or of those whose name begins so."""
    by_pack: dict[str, list[Row]] = {}
    for row in (yield past.shadow_verdicts(site)):
        if row.pack.startswith(pack):
            by_pack.setdefault(row.pack, []).append(row)
    return tuple(_watched(name, rows) for name, rows in by_pack.items())


def _watched(name: str, rows: Sequence[Row]) -> Watched:
    leaves = VerdictLevel.COMMENT
    hits = Counter(
        rule
        for row in rows
        for rule in {
            one["rule"] or one["code"] for one in json.loads(row.reasons) if one["level"] in ("review", "hold", "block")
        }
    )
    return Watched(
        name, len(rows), rows[0].decided_at, rows[-1].decided_at, sum(row.active > leaves for row in rows), sum(row.level > leaves for row in rows),
        tuple(row for row in rows if row.active <= leaves < row.level), tuple(row for row in rows if row.level <= leaves < row.active),
        dict(hits.most_common()),
    )  # fmt: skip


def span_of(days: int, now: datetime) -> tuple[datetime, datetime]:
    """The last so many days."""
    return now - timedelta(days=days), now
