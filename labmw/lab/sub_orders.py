"""What happens to a sub-order, and what is said of it? Each change is one row with its moment, in the transaction of whatever caused it (law 7)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labmw.lab.lis_told import Doubt
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.datatypes import Code
from protocols.hl7.ilw_states import ENDED, REQUESTER, SUBCONTRACTOR, Event, Standing, State, advance

TABLES = {"requester": REQUESTER, "subcontractor": SUBCONTRACTOR}
_MOMENTS = {
    Event.SENT: "sent_at",
    Event.ACCEPTED: "answered_at",
    Event.REFUSED: "answered_at",
    Event.RECEIVED: "received_at",
    Event.FINAL: "resulted_at",
    Event.CORRECTED: "resulted_at",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happens to a sub-order: when, by a message or a person, and in whose words."""

    site: str
    at: str
    message: int | None = None
    by: str = ""
    reason: str = ""
    text: str = ""


def standing_of(row: Row) -> Standing:
    """Where a sub-order is."""
    return Standing(State(row.state), State(row.before) if row.before else None)


def service_of(row: Row) -> Code:
    """OBR-4 of a sub-order."""
    return Code(*json.loads(row.service))


def tests_in(row: Row) -> tuple[str, ...]:
    """The LOINC codes of a sub-order."""
    return tuple(json.loads(row.tests))


def move(
    row: Row, event: Event, cause: Cause, facts: Mapping[str, str] | None = None, **columns: object
) -> Transaction[Standing | Doubt]:
    """Let an event happen; return where it leads, or the contradiction that it is. Either way it is kept.

    `row` is what was read in this transaction: who moves one twice reads it again.
    """
    before = standing_of(row)
    after = advance(TABLES[row.role], before, event)
    if after is None:
        yield from note(row, f"contradiction-{event.value}", before.state.value, cause, facts)
        told = (("order", row.number), ("partner", row.partner), ("state", before.state.value), ("event", event.value))
        return Doubt("interlab-contradiction", told)
    moments: dict[str, object] = {}
    if (name := _MOMENTS.get(event)) and not getattr(row, name):
        moments[name] = cause.at
    reason = {"reason": cause.reason, "reason_text": cause.text} if cause.reason or cause.text else {}
    yield change(
        schema.sub_order,
        row.id,
        state=after.state.value,
        before=after.before.value if after.before else "",
        closed_at=(row.closed_at or cause.at) if after.state in ENDED else None,
        updated_at=cause.at,
        **moments,
        **reason,
        **columns,
    )
    yield from note(row, event.value, after.state.value, cause, facts)
    return after


def note(row: Row, event: str, state: str, cause: Cause, facts: Mapping[str, str] | None = None) -> Transaction[None]:
    """Keep what happened, without moving anything."""
    yield statements.insert(
        schema.sub_order_event,
        site=cause.site,
        sub_order=row.id,
        at=cause.at,
        event=event,
        state=state,
        message=cause.message,
        by=cause.by,
        why=cause.text or cause.reason,
        facts=json.dumps(dict(facts or {}), sort_keys=True, ensure_ascii=False),
    )


def tell_partner(
    site: str, partner: str, said: Sequence[tuple[Row, str, str]], message: int, at: str, about: str = ""
) -> Transaction[int]:
    """Write the outbox row that tells a partner of sub-orders: each with ORC-1 and ORC-5; return its number.

    `about` is what of them is said beside that: "shipped", "missing".

    All are of one patient and tube: they go in one message.
    """
    first = said[0][0]
    words = "/".join(f"{row.id}:{control}:{status}{about}" for row, control, status in said)
    control_id = hashlib.sha256(f"{site}/{partner}/{message}/{words}/{at}".encode()).hexdigest()[:20].upper()
    priority = "S" if any(row.priority == "S" for row, _, _ in said) else "R"
    made = yield statements.insert(
        schema.outbox,
        site=site,
        destination=partner,
        control_id=control_id,
        specimen=first.specimen,
        message=message,
        state="waiting",
        priority=priority,
        due_at=at,
        created_at=at,
    )
    entry = int(made[0].id)
    for row, control, status in said:
        yield statements.insert(
            schema.sub_order_said,
            site=site,
            outbox=entry,
            sub_order=row.id,
            control=control,
            status=status,
            about=about,
        )
    return entry


def label_of(row: Row) -> str:
    """The number on the tube that travels."""
    return str(row.aliquot or row.specimen)


def again(row: Row) -> Transaction[Row]:
    """The same sub-order as it is now."""
    rows = yield stored.sub_orders_numbered(row.site, row.role, row.partner, [row.number])
    return rows[0]
