"""What becomes of the orders in a message of the LIS (LAB-1, LAB-4)? Each is done or refused on its own, in one transaction with its reply.

What is refused waits for a person too, with its reason: an unknown test, a tube that is somebody else's, a number used twice. A worklist entry
is an open row of `order`: the lines of the analyzers look for rows that are new or changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labmw.clock import stamp
from labmw.lab.awaited import call_up
from labmw.lab.elsewhere import NO_PLACE, cancel_elsewhere, give_way, send_elsewhere, tell_urgency
from labmw.lab.giving_way import GivingWay, replacing
from labmw.lab.late import tubes_changed
from labmw.lab.lis_patients import keep_identity
from labmw.lab.lis_tests import name_of, tests_of
from labmw.lab.lis_told import Doubt, Told, quarantine
from labmw.lab.lis_tubes import owner_of, place_tube
from labmw.lab.lis_typed import reconcile
from labmw.lab.sub_orders import Cause
from labmw.phrases import say
from labmw.store import schema, statements
from labmw.store.statements import lis as stored
from labmw.store.statements.tasks import close_task
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.adt import read_identity
from protocols.hl7.datatypes import Code, EntityId
from protocols.hl7.er7 import Segment
from protocols.hl7.ltw_values import Action, OrderAnswer, OrderRequest, Orders, OrderSpecimen
from protocols.hl7.pid import restated

_DONE = {
    Action.NEW: "OK",
    Action.ADD_ON: "OK",
    Action.REPLACEMENT: "OK",
    Action.STATUS: "OK",
    Action.CHANGE: "XR",
    Action.CANCEL: "CR",
    Action.REPLACE: "RQ",
}
_NOT_DONE = {Action.CHANGE: "UX", Action.CANCEL: "UC", Action.REPLACE: "UM"}
_PRIORITIES = {"S": "S", "A": "A", "STAT": "S", "ASAP": "A"}
_STATUS = {"open": "SC", "elsewhere": "SC", "done": "CM", "cancelled": "CA"}  # ORC-5, table 0038
_TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class OrdersTaken:
    """What was done of one message's orders."""

    answers: list[OrderAnswer] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    changed: int = 0  # orders that are new or other than before
    tubes: list[str] = field(default_factory=list)  # for which a test is open now
    elsewhere: Counter[str] = field(default_factory=Counter)  # tests that leave, by partner
    giving_way: list[GivingWay] = field(default_factory=list)  # sub-orders that are replaced

    def done(self, order: OrderRequest, status: str, filler: EntityId) -> None:
        """Say yes to an order."""
        self.changed += 1
        self.answers.append(OrderAnswer(order, _DONE[order.action], status, filler))

    def refused(self, told: Told, order: OrderRequest, doubt: Doubt, status: str = "") -> None:
        """Say no to an order, and why."""
        self.doubts.append(doubt)
        text = say(doubt.reason, told.terms.language, **dict(doubt.facts))
        reason = Code(doubt.reason, text[:199], "99LABMW")
        self.answers.append(OrderAnswer(order, _NOT_DONE.get(order.action, "UA"), status, order.filler, reason))


def take_orders(told: Told, orders: Orders) -> Transaction[OrdersTaken]:
    """Do what each order of a message asks for."""
    taken = OrdersTaken()
    patient: str | Doubt | None = None
    if orders.patient is not None:
        patient = yield from keep_identity(told, read_identity(orders.patient.pid, orders.patient.pv1))
    pv1 = orders.patient.pv1 if orders.patient is not None else None
    ward = pv1.component(3, 1).strip() if pv1 is not None else ""
    for number, order in enumerate(orders.orders, 1):
        step = _Step(told, order, number, patient, taken, ward, replacing(orders.orders, number - 1))
        match order.action:
            case Action.NEW | Action.ADD_ON | Action.REPLACEMENT:
                yield from step.new()
            case Action.CHANGE:
                yield from step.change()
            case Action.CANCEL | Action.REPLACE:
                yield from step.cancel()
            case Action.STATUS:
                yield from step.status()
            case Action.OTHER:
                taken.refused(told, order, step.doubt("order-control", control=order.control))
    for doubt in taken.doubts:
        yield from quarantine(told, doubt)
    yield from call_up(told.site, taken.tubes, told.at)
    taken.elsewhere = yield from send_elsewhere(told, orders, taken.giving_way)
    return taken


@dataclass(slots=True)
class _Step:
    """One order of a message being done."""

    told: Told
    order: OrderRequest
    number: int
    patient: str | Doubt | None
    taken: OrdersTaken
    ward: str = ""  # where the patient is (PV1-3.1)
    replaced_by: frozenset[str] = frozenset()  # the numbers of the orders that replace this one

    @property
    def placer(self) -> str:
        """The number under which the LIS knows the order."""
        named = self.order.placer or self.order.filler
        return named.id.strip() if named else ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The tubes that the order names."""
        return tuple(
            dict.fromkeys(label.strip() for one in self.order.specimens for label in one.labels if label.strip())
        )

    @property
    def sent(self) -> OrderSpecimen | None:
        """The specimen as it was sent."""
        return self.order.specimens[0] if self.order.specimens else None

    def doubt(self, reason: str, **facts: str) -> Doubt:
        """An objection to this order."""
        return Doubt(reason, (("order", self.placer), *facts.items()))

    def refuse(self, doubt: Doubt, status: str = "") -> None:
        """Say no."""
        if not dict(doubt.facts).get("order"):
            doubt = Doubt(doubt.reason, (*doubt.facts, ("order", self.placer)))
        self.taken.refused(self.told, self.order, doubt, status)

    # --- new, and added to a tube that is here --------------------------------------------------------------------------------

    def new(self) -> Transaction[None]:
        """A test asked for on a tube."""
        tests = tests_of(self.order.service, self.told.terms)
        if not tests:
            return self.refuse(self._unknown_test())
        if len(self.labels) != 1:
            reason = "order-without-tube" if not self.labels else "order-several-tubes"
            return self.refuse(self.doubt(reason, specimens=", ".join(self.labels)))
        label = self.labels[0]
        rows = yield stored.orders_of_placer(self.told.site, [self.placer])
        if foreign := [row for row in rows if row.specimen != label or row.loinc not in tests]:
            return self.refuse(self.doubt("order-number-used", specimen=foreign[0].specimen, test=foreign[0].test_name))
        since = yield from self._tube(label)
        if isinstance(since, Doubt):
            return self.refuse(since)
        filler = yield from self._filler(rows)
        for loinc in tests:
            row = next((one for one in rows if one.loinc == loinc), None)
            yield from self._open(label, loinc, row, since, filler, single=len(tests) == 1)
        states = {row.state for row in rows if row.state != "cancelled"}
        self.taken.done(self.order, "CM" if states == {"done"} else "SC", filler)

    def _unknown_test(self) -> Doubt:
        service = self.order.service
        code = (service.code or service.local_code) if service else ""
        return self.doubt("order-unknown-test", code=code, test=name_of(service))

    def _tube(self, label: str) -> Transaction[datetime | Doubt]:
        """Have the order's tube, for the order's patient; without PID, for the patient whose tube it is."""
        if isinstance(self.patient, Doubt):
            return self.patient
        patient = self.patient
        if patient is None:
            patient = yield from owner_of(self.told, label)
            if not patient:
                return self.doubt("order-without-patient", specimen=label)
        if mismatch := (yield from reconcile(self.told, label, patient)):
            yield from quarantine(self.told, mismatch)
        return (yield from place_tube(self.told, label, patient, self.sent, self.ward))

    def _filler(self, rows: Sequence[Row]) -> Transaction[EntityId]:
        """Our number: the one that was given before, the LIS's own where it gives both, else a new one."""
        if rows and rows[0].filler:
            kept = yield stored.origins_of(self.told.site, [rows[0].id])
            return EntityId(rows[0].filler, kept[0].filler_authority if kept else self.told.terms.application)
        if self.order.filler is not None and self.order.placer is not None:
            return self.order.filler
        return EntityId(f"{self.told.message}-{self.number}", self.told.terms.application)

    def _open(
        self, label: str, loinc: str, row: Row | None, since: datetime, filler: EntityId, *, single: bool
    ) -> Transaction[None]:
        """Have an open row for one test: the one that is there, one that was typed while the LIS was away, or a new one."""
        told, order = self.told, self.order
        asked = told.time(order.changed) or told.now
        columns = {
            "filler": filler.id,
            "priority": _priority(order),
            # Not before its tube: what was ordered before the end of an earlier tube of this number belongs to that one.
            "ordered_at": stamp(max(min(asked, told.now), since + _TICK)),
            "message": told.message,
            "updated_at": told.at,
            "test_name": name_of(order.service) if single else loinc,
        }
        if row is None:
            untold = yield stored.typed_on(told.site, label)
            typed = [one for one in untold if one.loinc == loinc and one.state != "cancelled"]
            row = typed[0] if typed else None
        if row is not None:
            state = "open" if row.state == "cancelled" else row.state
            if state == "elsewhere" and row.priority != columns["priority"]:
                cause = Cause(told.site, told.at, told.message, told.terms.name)
                yield from tell_urgency(cause, row, str(columns["priority"]))
            yield change(schema.order, row.id, state=state, placer=self.placer, **columns)
            number = int(row.id)
        else:
            made = yield statements.insert(
                schema.order, site=told.site, specimen=label, loinc=loinc, placer=self.placer, **columns
            )
            number = int(made[0].id)
        self.taken.tubes.append(label)
        yield from self._origin(number, filler)

    def _origin(self, number: int, filler: EntityId) -> Transaction[None]:
        order = self.order
        spm = self.sent.spm if self.sent else None
        yield statements.insert_or_update(
            schema.order_origin,
            site=self.told.site,
            order=number,
            message=self.told.message,
            placer_authority=order.placer.authority if order.placer else "",
            filler_authority=filler.authority,
            orc=_standard(order.orc),
            obr=_standard(order.obr),
            spm=_standard(spm),
        )

    # --- changed, taken back ----------------------------------------------------------------------------------------------------

    def change(self) -> Transaction[None]:
        """Another priority, tube or test under the same number."""
        rows = [
            row for row in (yield stored.orders_of_placer(self.told.site, [self.placer])) if row.state != "cancelled"
        ]
        if not rows:
            return self.refuse(self.doubt("order-never-received"))
        tests = tests_of(self.order.service, self.told.terms)
        if self.order.service is not None and not tests:
            return self.refuse(self._unknown_test())
        tests = tests or tuple(row.loinc for row in rows)
        if len(self.labels) > 1:
            return self.refuse(self.doubt("order-several-tubes", specimens=", ".join(self.labels)))
        label = self.labels[0] if self.labels else rows[0].specimen
        gone = [row for row in rows if row.specimen != label or row.loinc not in tests]
        if done := [row for row in gone if row.state == "done"]:
            return self.refuse(self.doubt("order-done", test=done[0].test_name, specimen=done[0].specimen), "CM")
        since = yield from self._tube(label)
        if isinstance(since, Doubt):
            return self.refuse(since)
        filler = yield from self._filler(rows)
        for row in gone:
            yield from self._cancel(row)
        for loinc in tests:
            there = next((one for one in rows if one.loinc == loinc and one.specimen == label), None)
            yield from self._open(label, loinc, there, since, filler, single=len(tests) == 1)
        self.taken.done(self.order, "SC", filler)

    def cancel(self) -> Transaction[None]:
        """An order is taken back, or gives way to others: nobody is to measure it any more."""
        rows = yield stored.orders_of_placer(self.told.site, [self.placer])
        tests = tests_of(self.order.service, self.told.terms)
        named = [
            row
            for row in rows
            if (not self.labels or row.specimen in self.labels) and (self.order.service is None or row.loinc in tests)
        ]
        if not named:
            return self.refuse(self.doubt("order-never-received"))
        if done := [row for row in named if row.state == "done"]:
            return self.refuse(self.doubt("order-done", test=done[0].test_name, specimen=done[0].specimen), "CM")
        for row in named:
            if row.state in ("open", "elsewhere"):
                yield from self._cancel(row)
        self.taken.done(self.order, "CA", (yield from self._filler(named)))

    def _cancel(self, row: Row) -> Transaction[None]:
        if row.state == "elsewhere":
            cause = Cause(self.told.site, self.told.at, self.told.message, self.told.terms.name)
            by = {Action.REPLACE: self.replaced_by, Action.CHANGE: frozenset({self.placer})}.get(self.order.action)
            if by:
                rows = yield from give_way(cause, row)
                self.taken.giving_way += [GivingWay(one, by) for one in rows]
            else:
                yield from cancel_elsewhere(cause, row)
        site, at, who = self.told.site, self.told.at, self.told.terms.name
        yield close_task(site, NO_PLACE, f"order/{row.id}", at=at, by=who, why="the order was taken back")
        yield change(schema.order, row.id, state="cancelled", message=self.told.message, updated_at=at)
        yield from tubes_changed(
            self.told.site, [row.specimen], "late-order", self.told.at
        )  # nobody waits for it any more

    def status(self) -> Transaction[None]:
        """The LIS tells how far an order is: nothing is to be done, but it has to be one that is known."""
        rows = yield stored.orders_of_placer(self.told.site, [self.placer])
        if not rows:
            return self.refuse(self.doubt("order-never-received"))
        self.taken.answers.append(
            OrderAnswer(self.order, "OK", _STATUS[rows[0].state], (yield from self._filler(rows)))
        )


def _priority(order: OrderRequest) -> str:
    return _PRIORITIES.get(order.priority.strip().upper(), "R")


def _standard(segment: Segment | None) -> str:
    return restated(segment).line if segment is not None else ""
