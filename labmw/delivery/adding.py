"""What follows when the LIS does not want a test that a rule has added? Nobody measures it any more, and a person decides: a task says why.

The LIS says no by its acknowledgment (AE, AR), or takes the message and says no for the order inside it (ORC-1 UA, CR, OC or DE: table 0119).
"""

from __future__ import annotations

from typing import Final

from labmw.lab import awos
from labmw.lab.lis_told import raise_task
from labmw.lab.steps import cancel_step
from labmw.store import schema, statements
from labmw.store.statements import recalls as actions
from labmw.store.statements import worklist
from labmw.store.statements.audit import audited
from labmw.store.statements.interlab import receipt_of
from labmw.store.transaction import Row, Transaction
from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message

REFUSED: Final = "added-test-refused"
_NO: Final = {
    "UA": "unable to accept the order",
    "CR": "cancelled",
    "OC": "order cancelled",
    "DE": "data errors",
}  # table 0119


def refused_in(answer: bytes) -> str:
    """Why an answer that takes a message refuses the order in it; "" where it does not, or cannot be read."""
    try:
        message = Message.parse(answer)
        said = [(one.component(1), one.text(16).strip()) for one in message.segments if one.name == "ORC"]
        msa = message.first("MSA")
        text = msa.text(3).strip() if msa is not None else ""
    except Hl7Error:
        return ""
    code, reason = next(((code, reason) for code, reason in said if code in _NO), ("", ""))
    return f"ORC-1 {code}: {reason or text or _NO[code]}" if code else ""


def added_answered(site: str, row: Row, why: str, at: str) -> Transaction[None]:
    """The LIS has taken (`why` "") or refused a message; of one that told of added tests, a refusal comes back to a person."""
    added = yield actions.added_in(row.id)
    if not added:
        return
    if not why:
        kept = yield receipt_of(row.id)
        why = refused_in(bytes(kept[0].receipt or b"") if kept else b"")
    if not why:
        return
    for one in added:
        yield from _take_back(site, one, at)
        facts = {"specimen": one.specimen, "asked": one.test_name or one.loinc, "protocol": one.protocol, "why": why}
        yield from raise_task(site, REFUSED, f"{one.specimen}/{one.loinc}", one.specimen, facts, at)
        yield audited(
            site, at=at, who="labmw", what=REFUSED, subject=f"outbox/{row.id}", why=why, specimen=one.specimen, loinc=one.loinc
        )  # fmt: skip


def _take_back(site: str, added: Row, at: str) -> Transaction[None]:
    """The order of our own is cancelled, and its steps are taken back from analyzers; what the LIS has ordered itself stays."""
    for order in (yield statements.orders_among(site, [added.specimen])):
        ours = order.filler.startswith("ADD-") and not order.placer
        if order.loinc != added.loinc or not ours or order.state == "cancelled":
            continue
        yield worklist.change(schema.order, order.id, state="cancelled", updated_at=at)
        for step in (yield worklist.others_live([order.id], "")):
            yield from cancel_step(step, awos.ORDER_CANCELLED, at)
