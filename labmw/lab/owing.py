"""From when on is an application reply owed? From the very transaction that makes the commit acknowledgment true (decision 0079)."""

from __future__ import annotations

from labmw.lab.unread import storable
from labmw.line.received import Received
from labmw.store import schema, statements
from labmw.store.transaction import Transaction
from protocols.hl7.er7 import Message


def owe(site: str, received: Received, message: int, reply: bytes, at: str) -> Transaction[None]:
    """The reply to this message is owed; part of the transaction that stores it."""
    if not received.apart or not reply:
        return
    sent = Message.parse(reply)
    yield statements.insert(
        schema.owed_reply,
        site=site,
        link=received.link,
        message=message,
        control_id=storable(sent.control_id),
        state="owed",
        confirm=int(sent.header.component(15) in ("AL", "SU")),
        created_at=at,
    )
