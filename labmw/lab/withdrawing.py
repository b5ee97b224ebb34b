"""How is a result taken back that the LIS has? A person says why; whoever has it is told with OBX-11 X, and history forgets the value."""

from __future__ import annotations

import hashlib

from labmw.lab.lis_told import Doubt, audit
from labmw.store import schema, statements
from labmw.store.statements import lis as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction


def withdraw(site: str, destination: str, number: int, by: str, why: str, at: str) -> Transaction[Doubt | None]:
    """Take back a delivered result, in one transaction with the message that says so; return why it cannot be."""
    rows = yield stored.result_numbered(site, number)
    if not rows:
        return Doubt("withdraw-unknown", (("result", str(number)),))
    (row,) = rows
    if row.state != "delivered":
        return Doubt("withdraw-not-delivered", (("result", str(number)), ("state", row.state)))
    told = [one.destination for one in (yield stored.told_of(site, number))]
    for one in dict.fromkeys([destination, *told]):
        yield from _told(site, one, row, by, why, at)
    yield change(schema.result, number, state="withdrawn")
    yield from audit(site, at, by, "withdrawn", f"result/{number}", why)
    return None


def _told(site: str, destination: str, row: Row, by: str, why: str, at: str) -> Transaction[None]:
    """The message to one of those who have it."""
    control_id = hashlib.sha256(f"{site}/{destination}/withdraw/{row.id}/{at}".encode()).hexdigest()[:20].upper()
    made = yield statements.insert(
        schema.outbox,
        site=site,
        destination=destination,
        control_id=control_id,
        specimen=row.specimen,
        message=row.message,
        state="waiting",
        priority="S",  # somebody may be treated on it
        due_at=at,
        created_at=at,
    )
    yield statements.insert(schema.withdrawal, site=site, result=row.id, outbox=made[0].id, at=at, by=by, why=why)
