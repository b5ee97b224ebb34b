"""What does a person do about a sub-order? Receives its tube, gives it back, releases what was held, adds what is missing; each is one transaction with its author."""

from __future__ import annotations

import hashlib
import json

from labmw.lab.elsewhere import BLOCKED, cancel_sub_order
from labmw.lab.lis_told import Doubt, audit
from labmw.lab.shipments import tube_arrived
from labmw.lab.sub_orders import Cause, again, move, note, tell_partner
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import lis as lis_stored
from labmw.store.statements import tasks
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_states import ALIVE, ENDED, Event, State

REASONS = {
    "EX": "expired", "QS": "quantity", "RA": "accident", "RB": "broken", "RC": "clotted", "RD": "no-request", "RE": "receptacle", "RH": "haemolysis",
    "RI": "identity", "RM": "marking", "RN": "temperature", "RP": "preservation", "RR": "refrigeration", "RS": "method",
}  # fmt: skip
"""Table 0490: why a specimen cannot be used."""


def _one(site: str, number: str) -> Transaction[Row | Doubt]:
    rows = yield stored.sub_order_named(site, number)
    if not rows:
        return Doubt("interlab-no-such", (("order", number),))
    if len(rows) > 1:
        return Doubt("interlab-several", (("order", number), ("partners", ", ".join(row.partner for row in rows))))
    return rows[0]


def give_back(site: str, specimen: str, code: str, by: str, why: str, at: str) -> Transaction[list[str]]:
    """The tube of a requester cannot be used: its sub-orders go back with the reason, and analyzers are not to measure it; return their numbers."""
    found: list[str] = []
    for row in (yield stored.sub_orders_on(site, specimen)):
        if row.role != "subcontractor" or State(row.state) in ENDED:
            continue
        cause = Cause(site, at, None, by, code, why)
        if isinstance((yield from move(row, Event.RETURNED, cause)), Doubt):
            continue
        for order in (yield stored.orders_of_sub_orders([row.id])):
            if order.state == "open":
                yield change(schema.order, order.id, state="cancelled", updated_at=at)
        yield from tube_arrived(row, cause, "non-conforming")
        yield from tell_partner(site, row.partner, [((yield from again(row)), "OC", "CA")], row.message, at)
        found.append(row.number)
    if found:
        yield from audit(site, at, by, "tube-non-conforming", f"specimen/{specimen}", f"{code} {why}")
    return found


def cancel(site: str, number: str, by: str, why: str, at: str) -> Transaction[Doubt | None]:
    """Take a sub-order back: the requester's ends or is asked of the partner, the subcontractor's is given back."""
    row = yield from _one(site, number)
    if isinstance(row, Doubt):
        return row
    cause = Cause(site, at, None, by, "CANCELLED", why)
    if row.role == "subcontractor":
        given = yield from give_back(site, row.specimen, "CANCELLED", by, why, at)
        return None if row.number in given else Doubt("interlab-too-late", (("order", number), ("state", row.state)))
    if State(row.state) not in (State.CREATED, *ALIVE) or not (yield from cancel_sub_order(row, cause)):
        return Doubt("interlab-too-late", (("order", number), ("state", row.state)))
    yield from audit(site, at, by, "sub-order-cancelled", f"sub-order/{number}", why)
    return None


def send(site: str, number: str, by: str, at: str) -> Transaction[Doubt | None]:
    """Let a sub-order leave that waits: for a box that will not come, or for what was missing and is here now."""
    row = yield from _one(site, number)
    if isinstance(row, Doubt):
        return row
    sayings = yield stored.sayings_of(row.id)
    if row.role != "requester" or row.state != State.CREATED or sayings:
        return Doubt("interlab-sent-already", (("order", number), ("state", row.state)))
    missing: list[str] = json.loads(row.missing)
    if missing:
        return Doubt("interlab-still-missing", (("order", number), ("missing", ", ".join(missing))))
    yield from tell_partner(site, row.partner, [(row, "NW", "")], row.message, at)
    yield from audit(site, at, by, "sub-order-sent", f"sub-order/{number}")
    return None


def add_item(
    site: str, number: str, kind: str, text: str, data: bytes | None, media: str, by: str, at: str
) -> Transaction[Doubt | None]:
    """Add what a test asks for: an answer in words, or a document such as the prescription. With the last of them the sub-order may leave."""
    row = yield from _one(site, number)
    if isinstance(row, Doubt):
        return row
    if (yield stored.sayings_of(row.id)):
        return Doubt("interlab-sent-already", (("order", number), ("state", row.state)))
    yield statements.insert_or_update(
        schema.sub_order_item, site=site, sub_order=row.id, kind=kind, text=text, media=media, data=data, at=at, by=by
    )
    left = [one for one in json.loads(row.missing) if one != kind]
    yield change(schema.sub_order, row.id, missing=json.dumps(left, ensure_ascii=False), updated_at=at)
    yield from note(row, "item-added", row.state, Cause(site, at, None, by), {"kind": kind})
    if not left:
        yield tasks.close_task(site, BLOCKED, f"sub-order/{number}", at=at, by=by, why=f"{kind} was added")
    yield from audit(site, at, by, "item-added", f"sub-order/{number}", kind)
    return None


def release_held(site: str, number: str, result: int, by: str, why: str, at: str) -> Transaction[Doubt | None]:
    """A person has looked at a result that the rules held, and it goes to the laboratory that asked for it; a later one of its test is a correction there."""
    row = yield from _one(site, number)
    if isinstance(row, Doubt):
        return row
    found = yield lis_stored.result_numbered(site, result)
    if not found or found[0].state != "held" or found[0].specimen != row.specimen or row.role != "subcontractor":
        return Doubt("interlab-not-held", (("result", str(result)), ("order", number)))
    (held,) = found
    yield change(schema.result, held.id, state="released")
    verdict = {"reasons": "[]", "trace": "[]", "packs": "[]", "comments": json.dumps([why], ensure_ascii=False)}
    yield statements.insert(schema.verdict, site=site, result=held.id, level=0, decided_at=at, decided_by=by, **verdict)
    control_id = hashlib.sha256(f"{site}/{row.partner}/release/{held.id}/{at}".encode()).hexdigest()[:20].upper()
    made = yield statements.insert(
        schema.outbox,
        site=site,
        destination=row.partner,
        control_id=control_id,
        specimen=held.specimen,
        message=held.message,
        state="waiting",
        priority=row.priority if row.priority == "S" else "R",
        due_at=at,
        created_at=at,
    )
    entry = {"site": site, "outbox": made[0].id, "result": held.id, "destination": row.partner}
    yield statements.insert_rows(schema.outbox_result, [entry])
    yield from audit(site, at, by, "released", f"result/{held.id}", why)
    return None
