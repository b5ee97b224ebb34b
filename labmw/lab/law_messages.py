"""How are the messages of a LAW line kept, both ways, and which of ours are still owed?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from labmw import SOFTWARE_VERSION
from labmw.clock import stamp
from labmw.lab import awos
from labmw.lab.law_orders import LawLink, Tube, write_steps
from labmw.lab.owing import owe
from labmw.lab.planning import open_orders, said
from labmw.lab.qc_orders import with_control
from labmw.line.orders import Answer, Broadcast
from labmw.line.received import Received, Stored
from labmw.store import schema, statements
from labmw.store.encryption.envelope import Unreadable
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Row, Transaction
from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.report import Header

MOST_OWED = 2000  # AWOS looked at in one step


def kept_before(site: str, received: Received) -> Transaction[Stored | None]:
    """The same bytes in the same place of the session, or under the same number (law 4): with the reply that was stored. None: they are new, and what must be in the journal is written."""
    digest = hashlib.sha256(received.raw).hexdigest()
    same = yield statements.message_at(site, received.session, received.last, received.place)
    if not any(row.digest == digest for row in same):
        for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
            yield step
        same = yield statements.messages_by_control_id(site, received.link, received.control_id)
    for row in same:
        if row.digest == digest:
            return Stored(row.id, row.disposition, row.reason, 0, repeat=True, reply=row.reply or b"")
    return None


def spelled(text: str) -> str:
    """A text with its control characters and lone surrogates written out: what a column of either database can hold."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode() for one in text
    )


def keep_unanswerable(site: str, received: Received, header: Header, why: str, at: str) -> Transaction[Answer]:
    """Keep a query to which no answer can be written in its own form, because a field of it, or of the work, cannot stand in one: AE."""
    if (kept := (yield from kept_before(site, received))) is not None:
        return Answer(kept)
    error = ErrorDetail(
        "102", "the answer cannot be written: a field holds a control character or a byte that is no text"
    )
    reply = received.reply("AE", error) if received.reply is not None else b""
    shown = replace(header, sending_application=spelled(header.sending_application))
    facts = {"problem": spelled(why)}
    kept = yield from keep_received(site, received, "query", at, "refused", "query-not-served", facts, reply, shown)
    yield from owe(site, received, kept.message, reply, at)
    return Answer(kept)


def keep_received(
    site: str,
    received: Received,
    kind: str,
    at: str,
    disposition: str,
    reason: str,
    facts: Mapping[str, str],
    reply: bytes | None,
    header: Header,
) -> Transaction[Stored]:
    """Keep a message of the analyzer's as it came, with what was made of it and what it is answered."""
    rows = yield statements.insert(
        schema.message,
        site=site,
        link=received.link,
        session=received.session,
        first_frame=received.first,
        last_frame=received.last,
        place=received.place,
        direction=">",
        protocol=received.protocol,
        peer=received.peer,
        received_at=at,
        raw=received.raw,
        digest=hashlib.sha256(received.raw).hexdigest(),
        control_id=received.control_id,
        sender=header.sending_application,
        software_version=SOFTWARE_VERSION,
        kind=kind,
        disposition=disposition,
        reason=reason,
        facts=json.dumps(dict(facts), sort_keys=True, ensure_ascii=False),
        reply=reply,
    )
    return Stored(int(rows[0].id), disposition, reason, 0, reply=reply or b"")


def keep_sent(
    site: str, link: LawLink, one: Broadcast, at: str, session: str = "", peer: str = ""
) -> Transaction[None]:
    """Keep a message of ours as it will leave."""
    yield statements.insert(
        schema.message,
        site=site,
        link=link.name,
        session=session,
        direction="<",
        protocol="hl7",
        peer=peer,
        received_at=at,
        raw=one.raw,
        digest=hashlib.sha256(one.raw).hexdigest(),
        control_id=one.control_id,
        software_version=SOFTWARE_VERSION,
        kind="order",
        disposition="accepted",
    )


def write_due(
    site: str, link: LawLink, to: Header | None, now: datetime, most: int
) -> Transaction[Sequence[Broadcast]]:
    """Write what is owed: one message per tube and kind, oldest first."""
    rows = yield stored.awos_wanted(site, link.name, most=MOST_OWED)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.specimen, row.wanted), []).append(row)
    at = stamp(now)
    found: list[Broadcast] = []
    for (specimen, wanted), steps in list(groups.items())[:most]:
        tube, _, doubt = yield from open_orders(site, link, Tube(specimen), now)
        if steps[0].order is None:
            tube = yield from with_control(site, tube, at)
        if doubt and wanted == "NW":  # whose tube it is, is for a person: it stays planned, and status shows it
            for row in steps:
                yield stored.change(schema.awos, row.id, wanted="", reason=doubt, updated_at=at)
            continue
        broadcast = write_steps(link, tube, steps, control=wanted, to=to, at=now)
        yield from keep_sent(site, link, broadcast, at)
        yield from said(steps, broadcast, at, cancel=wanted == "CA")
        found.append(broadcast)
    return found


def waiting(site: str, link: str) -> Transaction[Sequence[Broadcast]]:
    """The messages that the analyzer has not answered, the bytes as they left; then those that it has stored and owes a reply to."""
    numbers = list(dict.fromkeys([row.control_id for row in (yield stored.awos_waiting(site, link))]))
    found: list[Broadcast] = []
    for number in numbers:
        rows = yield stored.sent_message(site, link, number)
        for row in rows[:1]:
            if isinstance(row.raw, Unreadable):
                yield from stop_waiting(site, number)
            else:
                found.append(Broadcast(number, row.raw, again=True))
    committed = dict.fromkeys([row.control_id for row in (yield stored.awos_committed(site, link))])
    return [*found, *(Broadcast(number, b"", again=True, committed=True) for number in committed)]


def count_send(site: str, control_id: str, at: str) -> Transaction[None]:
    """One of ours is about to be sent once more."""
    for row in (yield stored.awos_of_message(site, control_id)):
        yield stored.change(schema.awos, row.id, sends=row.sends + 1, updated_at=at)


def stop_waiting(site: str, control_id: str) -> Transaction[None]:
    """One of ours cannot be said again word for word, for its bytes can be read no more (0076): it is shown as unanswered, and a person decides."""
    for row in (yield stored.awos_of_message(site, control_id)):
        yield stored.change(schema.awos, row.id, waits=0, reason=awos.UNANSWERED)


def mark_unanswered(site: str, control_id: str, at: str) -> Transaction[None]:
    """One of ours was never answered; it is owed all the same."""
    for row in (yield stored.awos_of_message(site, control_id)):
        yield stored.change(schema.awos, row.id, reason=awos.UNANSWERED, updated_at=at)
