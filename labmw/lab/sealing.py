"""Was the audit tampered with? Seals chain its rows by SHA-256; a row changed, removed or slipped in breaks the chain.

Sealing works behind what writes the rows, never in its way: `seal` covers what has come since the last seal. Whoever can write the store can
also write a new chain, so the last hash is logged now and then, and shown by `labmw audit verify`: kept elsewhere, it proves the chain before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from labmw.store import schema
from labmw.store.statements import insert
from labmw.store.statements.audit import audit_after, last_seal, seals_after
from labmw.store.transaction import Row, Transaction

BATCH: Final = 2000
"""Rows that one seal covers at most."""
BEGINNING: Final = "0" * 64
"""What the first seal holds in the place of a hash before it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of a check: rows under seals, rows not sealed yet, and where the chain first breaks ("" for nowhere)."""

    sealed: int
    open: int
    hash: str
    sealed_at: str
    broken: str = ""


def seal(site: str, at: str) -> Transaction[tuple[int, str]]:
    """Seal what has come since the last seal; returns how many rows, and the chain's newest hash."""
    found = yield last_seal(site)
    previous, after = (found[0].hash, found[0].last) if found else (BEGINNING, 0)
    rows = yield audit_after(site, after, most=BATCH)
    if not rows:
        return 0, previous
    newest = digest(previous, rows)
    row = {"site": site, "last": rows[-1].id, "rows": len(rows), "previous": previous, "hash": newest, "at": at}
    yield insert(schema.audit_seal, **row)
    return len(rows), newest


def verify(site: str) -> Transaction[Verified]:
    """Compute the whole chain again, seal by seal."""
    previous, after, sealed, sealed_at = BEGINNING, 0, 0, ""
    while seals := (yield seals_after(site, after, most=BATCH)):
        for one in seals:
            rows = yield audit_after(site, after, most=one.rows + 1)
            covered = [row for row in rows if row.id <= one.last]
            broken = _broken(one, previous, after, covered)
            if broken:
                return Verified(sealed, 0, previous, sealed_at, broken)
            previous, after, sealed, sealed_at = one.hash, one.last, sealed + one.rows, one.at
    waiting = 0
    last = after
    while rows := (yield audit_after(site, last, most=BATCH)):
        waiting, last = waiting + len(rows), rows[-1].id
    return Verified(sealed, waiting, previous, sealed_at)


def digest(previous: str, rows: Iterable[Row]) -> str:
    """The hash of a seal: of the one before it and of every column of its rows, in order."""
    found = hashlib.sha256(previous.encode())
    for row in rows:
        columns: list[Any] = [row.id, row.site, row.at, row.who, row.what, row.subject, row.why, row.detail]
        found.update(b"\n" + json.dumps(columns, ensure_ascii=False).encode())
    return found.hexdigest()


def _broken(one: Row, previous: str, after: int, covered: list[Row]) -> str:
    where = f"audit rows {after + 1} to {one.last}"
    if one.previous != previous:
        return f"{where}: the seal does not follow the one before it; a seal was removed or changed"
    if len(covered) != one.rows:
        return f"{where}: {len(covered)} rows where {one.rows} were sealed on {one.at}"
    if digest(previous, covered) != one.hash:
        return f"{where}: a row is not as it was sealed on {one.at}"
    return ""
