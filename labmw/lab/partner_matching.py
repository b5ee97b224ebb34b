"""To which sub-order does a result belong, and is it the same person's? By our number, then by the strict traits."""

from __future__ import annotations

from labmw.lab.lis_told import Told
from labmw.lab.same_person import difference
from labmw.store import statements
from labmw.store.statements import interlab as stored
from labmw.store.transaction import Row, Transaction
from protocols.hl7.report import Report, ReportOrder


def sub_order_of(told: Told, partner: str, order: ReportOrder) -> Transaction[Row | None]:
    """The sub-order that an order of a report answers: by our number; by the partner's only where ours is not there."""
    if order.placer is not None and order.placer.id.strip():
        rows = yield stored.sub_orders_numbered(told.site, "requester", partner, [order.placer.id.strip()])
    elif order.filler is not None and order.filler.id.strip():
        rows = yield stored.sub_orders_filled(told.site, "requester", partner, [order.filler.id.strip()])
    else:
        rows = []
    return rows[0] if len(rows) == 1 else None


def another_person(told: Told, report: Report, row: Row) -> Transaction[str]:
    """On which trait the report's patient is not the sub-order's; "" when it is the same person."""
    known = yield statements.patients_among(told.site, [row.patient])
    if not known:
        return "patient"
    (ours,) = known
    sent = report.patient
    return difference(
        [name.family for name in sent.names],
        [one for name in sent.names for one in (name.given, *name.further.split())],
        sent.birth,
        sent.sex,
        ours=(ours.family, ours.given.split(" ")[0], ours.birth, ours.sex),
    )
