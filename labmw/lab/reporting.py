"""What leaves together? One message per destination, specimen, patient and analyzer message, queued in the transaction that released it (law 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from labmw.lab.routes import Takes, everything
from labmw.store import schema, statements
from labmw.store.statements import interlab
from labmw.store.transaction import Row, Transaction


def report_all(
    site: str, destinations: Sequence[str], rows: Sequence[Row], now: str, takes: Takes = everything
) -> Transaction[int]:
    """Queue released results for every destination; answers how many messages. Each row has its order's `priority`.

    By patient too: a recycled barcode can bring results of two people in one message (law 6).
    """
    reports = 0
    requesters = yield from _requesters(site, rows)
    ours = [row for row in rows if (row.specimen, row.patient) not in requesters]
    chosen = [(destination, [row for row in ours if takes(destination, row)]) for destination in destinations]
    for partner in dict.fromkeys(requesters.values()):
        chosen.append((partner, [row for row in rows if requesters.get((row.specimen, row.patient)) == partner]))
    for destination, wanted in chosen:
        for tube in dict.fromkeys((row.specimen, row.patient, row.message) for row in wanted):
            carried = [row for row in wanted if (row.specimen, row.patient, row.message) == tube]
            yield from report(site, destination, tube[0], tube[2], carried, now)
            reports += 1
    return reports


def _requesters(site: str, rows: Sequence[Row]) -> Transaction[dict[tuple[str, str], str]]:
    """For which laboratory a tube was measured, of those that are not this one's: results of it go there, and to nobody else."""
    if not rows:
        return {}
    found = yield interlab.requesters_of(site, sorted({row.specimen for row in rows}))
    return {(row.specimen, row.patient): row.partner for row in found}


def report(
    site: str, destination: str, specimen: str, message: int, rows: Sequence[Row], now: str
) -> Transaction[None]:
    """Write the outbox row and what it carries."""
    made = f"{site}/{destination}/{message}/{specimen}/{rows[0].id}"
    if (yield statements.outbox_by_control_id(site, _number(made))):
        made = f"{made}/{now}"  # it was queued before, and taken back before it left
    priority = "S" if any(row.priority == "S" for row in rows) else "R"
    row = {"site": site, "destination": destination, "specimen": specimen, "message": message}
    if priority == "S":
        yield statements.hurry(site, destination, specimen)
    outbox = yield statements.insert(
        schema.outbox,
        **row,
        control_id=_number(made),
        state="waiting",
        priority=priority,
        due_at=now,
        created_at=now,
    )
    entries = [{"site": site, "outbox": outbox[0].id, "result": row.id, "destination": destination} for row in rows]
    yield statements.insert_rows(schema.outbox_result, entries)


def _number(text: str) -> str:
    """MSH-10: the same for the same report, so that a receiver can drop a repeat."""
    return hashlib.sha256(text.encode()).hexdigest()[:20].upper()
