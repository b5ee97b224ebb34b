"""Was the audit tampered with? Seals chain its rows by SHA-256; a row changed, removed or slipped in breaks the chain.

A row that was destroyed when its time was over has left a tombstone with its digest, and the chain holds over it; the tombstones themselves are those that
the certificate of that destruction, a row of the audit, speaks of (decision 0033).

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
from labmw.store.statements.audit import audit_about, audit_after, last_seal, seals_after
from labmw.store.statements.retention import certificates, tombstones_between, tombstones_of
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
            gone = yield tombstones_between(site, "audit", after, one.last)
            broken = _broken(one, previous, after, covered, gone)
            if broken:
                return Verified(sealed, 0, previous, sealed_at, broken)
            previous, after, sealed, sealed_at = one.hash, one.last, sealed + one.rows, one.at
    if false := (yield from false_certificate(site)):
        return Verified(sealed, 0, previous, sealed_at, false)
    waiting = 0
    last = after
    while rows := (yield audit_after(site, last, most=BATCH)):
        waiting, last = waiting + len(rows), rows[-1].id
    return Verified(sealed, waiting, previous, sealed_at)


def false_certificate(site: str) -> Transaction[str]:
    """Which destruction, or removal into the archive, has not left the tombstones that its certificate speaks of, in the words of the audit's own row; "" when none."""
    for one in (yield certificates(site)):
        stones = yield tombstones_of(one.id)
        told = yield audit_about(site, [f"certificate/{one.id}"])
        said = [json.loads(row.detail).get("digest") for row in told if row.what in ("destroyed", "archived")]
        if one.digest is not None and (said != [one.digest] or stones_digest(stones) != one.digest):
            return f"certificate {one.id}: its tombstones are not those of which the audit speaks"
    return ""


def stones_digest(stones: Iterable[Row]) -> str:
    """What the tombstones of a certificate come to."""
    found = hashlib.sha256()
    for one in stones:
        columns = [one.id, one.mapping()["class"], one.kind, one.row, one.subject, one.digest, one.at]
        found.update(json.dumps(columns, ensure_ascii=False).encode() + b"\n")
    return found.hexdigest()


def digest(previous: str, rows: Iterable[Row], gone: Iterable[Row] = ()) -> str:
    """The hash of a seal: of the one before it and of the digest of each row, in order; a row that was destroyed has left its digest."""
    digests = {row.id: row_digest(row) for row in rows} | {stone.row: stone.digest for stone in gone}
    found = hashlib.sha256(previous.encode())
    for number in sorted(digests):
        found.update(b"\n" + digests[number].encode())
    return found.hexdigest()


def row_digest(row: Row) -> str:
    """The digest of every column of an audit row."""
    return hashlib.sha256(_columns(row)).hexdigest()


def first_digest(previous: str, rows: Iterable[Row]) -> str:
    """The hash of a seal as it was made before rows could be destroyed: of the columns themselves."""
    found = hashlib.sha256(previous.encode())
    for row in rows:
        found.update(b"\n" + _columns(row))
    return found.hexdigest()


def _columns(row: Row) -> bytes:
    columns: list[Any] = [row.id, row.site, row.at, row.who, row.what, row.subject, row.why, row.detail]
    return json.dumps(columns, ensure_ascii=False).encode()


def _broken(one: Row, previous: str, after: int, covered: list[Row], gone: list[Row]) -> str:
    where = f"audit rows {after + 1} to {one.last}"
    if one.previous != previous:
        return f"{where}: the seal does not follow the one before it; a seal was removed or changed"
    if len(covered) + len(gone) != one.rows:
        return f"{where}: {len(covered) + len(gone)} rows where {one.rows} were sealed on {one.at}"
    if one.hash not in (digest(previous, covered, gone), first_digest(previous, covered)):
        return f"{where}: a row is not as it was sealed on {one.at}"
    return ""
