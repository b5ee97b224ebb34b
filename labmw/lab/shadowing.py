"""What would a pack say that is only watched? Kept beside the verdict, in its transaction; nothing ever acts on it, and no failure of it holds anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from labmw.model import Case, Verdict
from labmw.store import schema, statements
from labmw.store.transaction import Row, Transaction
from rules.engine import judge
from rules.pack import Packs

log = structlog.get_logger("labmw.lab")


@dataclass(frozen=True, slots=True)
class Shadow:
    """A pack that is watched: its name, the tests it judges, and the packs as they would be with it in force."""

    name: str
    loincs: frozenset[str]
    packs: Packs


def watch(
    site: str, judged: Sequence[tuple[Row, Case, Verdict]], shadows: Sequence[Shadow], now: str
) -> Transaction[None]:
    """Keep what each watched pack says of these results; `judged` has the verdict of the rules alone, before any gate."""
    rows = []
    for shadow in shadows:
        for row, case, verdict in judged:
            if row.loinc not in shadow.loincs:
                continue
            try:
                would = judge(case, shadow.packs)
            except Exception as error:  # it must not hold anything
                log.warning("a watched pack could not be asked", pack=shadow.name, why=str(error))
                continue
            reasons = [{"code": one.code, "rule": one.rule, "level": one.level.name.lower()} for one in would.reasons]
            rows.append(
                {
                    "site": site, "result": row.id, "pack": shadow.name, "level": int(would.level), "active": int(verdict.level),
                    "reasons": json.dumps(reasons), "decided_at": now,
                }
            )  # fmt: skip
    if rows:
        yield statements.insert_rows_once(schema.shadow_verdict, rows)
