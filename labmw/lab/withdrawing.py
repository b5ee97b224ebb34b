"""How is a result taken back that somebody has? A person says why; whoever has it is told with OBX-11 X, and history forgets the value."""

from __future__ import annotations

import hashlib

from labmw.lab.lis_told import Doubt, audit
from labmw.store import schema, statements
from labmw.store.statements import lis as stored
from labmw.store.statements.mending import refusals_of
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction


def withdraw(site: str, destination: str, number: int, by: str, why: str, at: str) -> Transaction[Doubt | None]:
    """Take back a result that somebody has, in one transaction with the messages that say so; return why it cannot be.

    One destination that is away or refuses keeps no other from being told. What has not left to it does not leave any more.
    """
    rows = yield stored.result_numbered(site, number)
    if not rows:
        return Doubt("withdraw-unknown", (("result", str(number)),))
    (row,) = rows
    told = [one.destination for one in (yield stored.told_of(site, number))]
    if row.state == "delivered":
        told = [destination, *told]
    elif row.state not in ("released", "dead") or not told:
        return Doubt("withdraw-not-delivered", (("result", str(number)), ("state", row.state)))
    for carrier in (yield stored.not_taken(number)):
        if not (yield from _stopped(carrier, why)):
            told.append(carrier.destination)
            yield statements.hurry(site, carrier.destination, row.specimen)
    for one in dict.fromkeys(told):
        yield from _told(site, one, row, by, why, at)
    yield change(schema.result, number, state="withdrawn")
    yield from audit(site, at, by, "withdrawn", f"result/{number}", why)
    return None


def _stopped(carrier: Row, why: str) -> Transaction[bool]:
    """Keep a message from leaving that carries nothing else; whether it surely has not arrived. Else the receiver is told, after it."""
    if carrier.state == "claimed" or len((yield statements.report_of(carrier.id))) > 1:
        return False
    free = {"claimed_by": None, "claimed_until": None}
    yield change(schema.outbox, carrier.id, state="closed", last_error=why, **free)
    return carrier.payload is None or (carrier.state == "dead" and bool((yield refusals_of(carrier.id))))


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
