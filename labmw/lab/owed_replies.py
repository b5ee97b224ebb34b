"""Which application replies are still owed, and what did the other side say of them? One row from the CA until the reply has arrived.

With MSH-15 = AL a sender forgets its message when it reads CA, and waits for the application reply, which is a message of its own (HL7 2.5.1
chapter 2.9.3). So the reply is owed from the very transaction that makes the CA true: a process that is killed between the two says it later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from labmw.clock import Clock, stamp
from labmw.lab.law_messages import keep_received
from labmw.lab.unread import storable
from labmw.line.received import Received, Stored
from labmw.line.replying import Owed
from labmw.store import schema, statements
from labmw.store.json_text import json_facts
from labmw.store.statements import owed_replies as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Store, Transaction
from protocols.hl7.acknowledgment import Acknowledgment
from protocols.hl7.envelope import read_header
from protocols.hl7.er7 import Message

MOST = 200  # replies taken up at once; a connection that is new asks again until there are none


@dataclass(frozen=True, slots=True)
class OwedReplies:
    """Fills `labmw.line.replying.Replies`."""

    site: str
    store: Store
    clock: Clock
    commit_timeout: float = 10.0

    async def owed(self, link: str, before: datetime) -> Sequence[Owed]:
        """The replies owed on a line since before a moment."""
        return await self.store.view(_owed(self.site, link, stamp(before)))

    async def said(self, link: str, control_id: str) -> None:
        """A reply was written to the wire: done, unless the other side was asked to confirm it."""
        await self.store.run(_said(self.site, link, control_id, stamp(self.clock.now())), timeout=self.commit_timeout)

    async def unconfirmed(self, link: str, control_id: str) -> None:
        """Nobody has confirmed a reply, however often it was sent; it goes out again on the next connection."""
        await self.store.run(_unconfirmed(self.site, link, control_id), timeout=self.commit_timeout)

    async def confirmed(self, received: Received, told: Acknowledgment) -> Stored | None:
        """Keep a commit acknowledgment of a reply of ours; None when it names none, and is for somebody else to look at."""
        script = _confirmed(self.site, received, told, stamp(self.clock.now()))
        return await self.store.run(script, timeout=self.commit_timeout)


def _owed(site: str, link: str, before: str) -> Transaction[Sequence[Owed]]:
    rows = yield stored.owed_replies(site, link, before=before, most=MOST)
    return [Owed(row.control_id, row.reply, bool(row.confirm)) for row in rows if row.reply]


def _said(site: str, link: str, control_id: str, at: str) -> Transaction[None]:
    for row in (yield stored.owed_reply_numbered(site, link, control_id)):
        if row.closed_at is None:
            state, closed = ("sent", None) if row.confirm else ("taken", at)
            yield change(schema.owed_reply, row.id, state=state, sends=row.sends + 1, closed_at=closed)


def _unconfirmed(site: str, link: str, control_id: str) -> Transaction[None]:
    for row in (yield stored.owed_reply_numbered(site, link, control_id)):
        if row.closed_at is None:
            yield change(schema.owed_reply, row.id, state="unconfirmed")


def _confirmed(site: str, received: Received, told: Acknowledgment, at: str) -> Transaction[Stored | None]:
    rows = yield stored.owed_reply_numbered(site, received.link, storable(told.control_id))
    if not rows:
        return None
    digest = hashlib.sha256(received.raw).hexdigest()
    for row in (yield statements.message_at(site, received.session, received.last, received.place)):
        if row.digest == digest:
            return Stored(row.id, row.disposition, row.reason, 0, repeat=True)
    for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
        yield step
    assert isinstance(received.message, Message)
    header = storable(read_header(received.message.header))
    said = storable(told.errors[0].text if told.errors else told.text)
    facts = {"control_id": storable(told.control_id), "answer": told.code} | ({"said": said} if said else {})
    refused = told.code == "CR"
    disposition, reason = ("quarantined", "reply-refused") if refused else ("accepted", "")
    facts |= {"link": received.link} if refused else {}
    kept = yield from keep_received(site, received, "ack", at, disposition, reason, facts, None, header)
    if refused:
        entry = {"site": site, "message": kept.message, "reason": reason, "facts": json_facts(facts), "raised_at": at}
        yield statements.insert(schema.quarantine, **entry)
    if told.code != "CE":  # not stored: to be sent again
        yield change(schema.owed_reply, rows[-1].id, state="refused" if refused else "taken", closed_at=at)
    return kept
