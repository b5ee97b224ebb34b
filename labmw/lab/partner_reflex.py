"""What follows when our rules add a test to a tube of another laboratory? It becomes a sub-order that the requester is asked to number (ORC-1 SN), under the one it comes from.

Our own LIS knows nothing of such a tube and is told nothing. Until the requester has given its number the result waits: it could not be told whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from labmw.lab.lis_told import raise_task
from labmw.lab.sub_orders import Cause, again, move, note, tell_partner, tests_in
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.datatypes import EntityId
from protocols.hl7.ilw_states import Event, State

REFUSED = "added-test-refused"


def add_for_requester(
    asking: Sequence[Row], order: int, tests: tuple[str, str, str], message: int, at: str
) -> Transaction[None]:
    """Make the sub-order of a test that a rule has added, and tell the requester. `tests`: the test that called for it, the one that is added, its name."""
    cause_loinc, loinc, name = tests
    parent = next((row for row in asking if cause_loinc in tests_in(row)), asking[0])
    filler = f"{message}-R{order}"
    made = yield statements.insert(
        schema.sub_order, site=parent.site, role="subcontractor", partner=parent.partner, number=filler, filler=filler,
        filler_authority=parent.site, group_number=parent.group_number, group_authority=parent.group_authority, specimen=parent.specimen,
        patient=parent.patient, service=json.dumps((loinc, name, "LN"), ensure_ascii=False), tests=json.dumps([loinc]),
        priority=parent.priority, state=State.ACCEPTED.value, parent=parent.number, message=message, due_at=parent.due_at,
        received_at=parent.received_at, created_at=at, answered_at=at, updated_at=at,
    )  # fmt: skip
    yield statements.insert(schema.sub_order_order, site=parent.site, sub_order=made[0].id, order=order)
    row = (yield stored.sub_orders_numbered(parent.site, "subcontractor", parent.partner, [filler]))[0]
    yield from note(
        row, "reflex", State.ACCEPTED.value, Cause(parent.site, at, message, "rules"), {"parent": parent.number}
    )
    yield from tell_partner(parent.site, parent.partner, [(row, "SN", "SC")], message, at)


def is_unnumbered(row: Row) -> bool:
    """Whether the requester has not given it a number yet."""
    return bool(row.role == "subcontractor" and row.parent and row.number == row.filler)


def numbered(row: Row, number: EntityId, cause: Cause) -> Transaction[None]:
    """The requester has given its number: from now on the sub-order is called by it."""
    yield change(schema.sub_order, row.id, number=number.id, authority=number.authority, updated_at=cause.at)
    yield from note(row, "numbered", row.state, cause, {"number": number.id})


def not_wanted(row: Row, cause: Cause) -> Transaction[None]:
    """The requester does not want it: nobody measures it any more, and a person knows."""
    yield from move((yield from again(row)), Event.RETURNED, cause)
    for order in (yield stored.orders_of_sub_orders([row.id])):
        if order.state == "open":
            yield change(schema.order, order.id, state="cancelled", updated_at=cause.at)
    (test,) = tests_in(row)
    facts = {"specimen": row.specimen, "asked": test, "protocol": row.partner, "why": cause.text or cause.reason or "-"}
    yield from raise_task(cause.site, REFUSED, f"{row.specimen}/{test}", row.specimen, facts, cause.at)
