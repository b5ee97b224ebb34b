"""What is written down once a receiver has answered for a message, and does its answer say more than that it is stored?"""

from __future__ import annotations

from typing import Any

from labmw.store import schema, statements
from labmw.store.transaction import Transaction
from protocols.errors import Hl7Error
from protocols.hl7.acknowledgment import read_ack
from protocols.hl7.er7 import Message


def delivered(site: str, entry: int, now: str, receipt: bytes) -> Transaction[bool]:
    """Close a row that the receiver has taken, and its results; a dead letter whose acknowledgment came late as well. False when it was before."""
    if not (yield statements.outbox_delivered(entry, at=now, receipt=receipt)):
        return False
    yield statements.results_arrived(entry)
    yield statements.insert(schema.audit, **entry_in_audit(site, now, "delivered", entry, ""))
    return True


def only_stored(receipt: bytes | None) -> bool:
    """Whether all that the receiver has said so far is that it has stored a message."""
    try:
        return bool(receipt) and read_ack(Message.parse(receipt or b"")).code == "CA"
    except Hl7Error:
        return False


def entry_in_audit(site: str, now: str, what: str, entry: int, why: str) -> dict[str, Any]:
    """The audit's row of what became of a message by itself."""
    subject = f"outbox/{entry}"
    return {"site": site, "at": now, "who": "labmw", "what": what, "subject": subject, "why": why, "detail": "{}"}
