"""Which tests does a person send to another laboratory, without a route or after it? What is open here, or was given back by whoever had it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labmw.clock import stamp
from labmw.lab.elsewhere import NO_PLACE, has_left, make_sub_order, together
from labmw.lab.lis_told import Doubt, Told, audit
from labmw.lab.partner_orders import NOT_DONE
from labmw.lab.sub_orders import Cause, tell_partner
from labmw.store import statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import tasks
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.hl7.ilw_states import State

UNDONE = (State.REFUSED, State.RETURNED, State.CANCELLED)
"""Of a sub-order after which its tests may be asked of somebody else."""


def send_by_hand(
    terms: PartnerTerms, tube: str, tests: Sequence[str], by: str, now: datetime
) -> Transaction[list[Row] | Doubt]:
    """Make sub-orders of tests of a tube for one partner, batteries whole; return them, or why it cannot be. What they lack blocks them as ever."""
    site, at = terms.lis.site, stamp(now)
    known = [row for row in (yield statements.orders_among(site, [tube])) if row.state in ("open", "elsewhere")]
    before: dict[int, list[Row]] = {row.id: [] for row in known}
    for sub_order in (yield stored.sub_orders_of_orders(site, [row.id for row in known])) if known else []:
        before[sub_order.of_order].append(sub_order)
    free = [row for row in known if row.state == "open" and not before[row.id]]
    free += [row for row in known if before[row.id] and all(State(one.state) in UNDONE for one in before[row.id])]
    free = [row for row in free if all(one.role == "requester" for one in before[row.id])]
    groups = yield from together(site, sorted(free, key=lambda row: row.id))
    chosen = [one for one in groups if set(one.tests) & set(tests)]
    if absent := [test for test in tests if not any(test in one.tests for one in chosen)]:
        return Doubt("interlab-not-to-send", (("specimen", tube), ("tests", ", ".join(absent))))
    made: list[Row] = []
    leaving: list[Row] = []
    for one in chosen:
        told = Told(terms.lis, int(one.first.message), now, terms.lis.zone)
        earlier = len({row.id for order in one.orders for row in before[order.id]})
        number = f"SO{told.message}-{one.first.id}" + (f"-{earlier + 1}" if earlier else "")
        row, ready = yield from make_sub_order(told, terms, one, None, Cause(site, at, None, by), number)
        made.append(row)
        if ready and (terms.partner.send == "at-once" or (yield from has_left(row))):
            leaving.append(row)
        for order in one.orders:
            yield tasks.close_task(site, NO_PLACE, f"order/{order.id}", at=at, by=by, why=f"sent to {row.partner}")
            for old in before[order.id]:
                subject = f"sub-order/{old.number}"
                yield tasks.close_task(site, NOT_DONE, subject, at=at, by=by, why=f"sent to {row.partner}")
        yield from audit(site, at, by, "sub-order-sent", f"sub-order/{row.number}", f"{tube} to {row.partner}")
    if leaving:
        yield from tell_partner(site, terms.partner.name, [(row, "NW", "") for row in leaving], leaving[0].message, at)
    return made
