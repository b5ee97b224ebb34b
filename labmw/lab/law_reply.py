"""What does an analyzer's reply settle? Kept with what it says of each AWOS; a reply to nothing is for a person."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.law_messages import keep_received
from labmw.lab.law_orders import LawLink
from labmw.line.received import Received, Stored
from labmw.store import schema, statements
from labmw.store.encryption.envelope import Unreadable
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Transaction
from protocols.hl7.er7 import Message
from protocols.hl7.law_reply import outcomes
from protocols.hl7.law_values import NoWork, WorkReply
from protocols.hl7.law_work import read_work


def _committed(site: str, control_id: str, at: str) -> Transaction[None]:
    """The analyzer has stored a message of ours: it is not sent again, and its reply is still to come."""
    for row in (yield stored.awos_of_message(site, control_id)):
        if row.waits == 1:
            yield stored.change(schema.awos, row.id, waits=2, updated_at=at)


def keep_reply(
    site: str, link: LawLink, received: Received, reply: WorkReply, at: str, tally: Counter[str]
) -> Transaction[Stored]:
    """Keep a reply and move on the AWOS that it settles; the same bytes a second time change nothing."""
    digest = hashlib.sha256(received.raw).hexdigest()
    for row in (yield statements.message_at(site, received.session, received.last, received.place)):
        if row.digest == digest:
            return Stored(row.id, row.disposition, row.reason, 0, repeat=True)
    for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
        yield step
    sent = yield stored.sent_message(site, link.name, reply.control_id)
    if not sent:
        facts = {"control_id": reply.control_id, "link": link.name}
        kept = yield from keep_received(
            site, received, "ack", at, "quarantined", "reply-to-nothing", facts, None, reply.header
        )
        yield statements.insert(
            schema.quarantine,
            site=site,
            message=kept.message,
            reason="reply-to-nothing",
            facts=json.dumps(facts, sort_keys=True, ensure_ascii=False),
            raised_at=at,
        )
        return kept
    said = reply.errors[0].text if reply.errors else reply.text
    facts = {"control_id": reply.control_id, "answer": reply.code} | ({"said": said} if said else {})
    kept = yield from keep_received(site, received, "order-response", at, "accepted", "", facts, None, reply.header)
    if reply.code == "CE":  # not stored there: it is sent again
        return kept
    if isinstance(
        sent[0].raw, Unreadable
    ):  # what we said cannot be read any more: its orders stay unanswered, for a person
        return kept
    work = read_work(Message.parse(sent[0].raw), link.profile)
    if isinstance(work, NoWork):
        return kept
    if reply.code == "CA" and not link.profile.commit_settles:
        yield from _committed(site, reply.control_id, at)
        return kept
    told = {one.step.awos.id: one for one in outcomes(work, reply, link.profile) if one.step.awos}
    for row in (yield stored.awos_named(site, list(told) or [""])):
        one = told[row.awos]
        late = link.profile.commit_settles and reply.code in ("AE", "AR")
        state, reason = awos.answered(row.state, one.control, one.status, sends=row.sends, late=late)
        mine = row.control_id == reply.control_id
        if not reason and state in (State.REFUSED, State.UNABLE):
            reason = said or f"{reply.code} {one.control}".strip()
        yield stored.change(
            schema.awos,
            row.id,
            state=state,
            reason=reason or ("" if row.reason == awos.UNANSWERED else row.reason),
            waits=0 if mine else row.waits,
            answered_at=at,
            closed_at=at if state in awos.CLOSED and not row.closed_at else row.closed_at,
            updated_at=at,
        )
        if state != row.state:
            tally[str(state)] += 1
    return kept
