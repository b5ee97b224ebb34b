"""What does a partner say of sub-orders (LAB-35)? Each is answered on its own; a requester's becomes orders of this laboratory, a subcontractor's moves ours on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labmw.clock import stamp
from labmw.lab.arrivals import announce, asked_for
from labmw.lab.lis_tests import name_of, tests_of
from labmw.lab.lis_told import Doubt, Told, quarantine, raise_task
from labmw.lab.lis_tubes import place_tube
from labmw.lab.partner_patients import keep_partner_patient
from labmw.lab.shipments import tube_arrived
from labmw.lab.sub_orders import Cause, again, label_of, move, note, service_of, tests_in
from labmw.phrases import say
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import tasks
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.hl7.datatypes import Code, EntityId
from protocols.hl7.er7 import Segment
from protocols.hl7.ilw_shipment import NOT_RECEIVED, is_about_the_box, shipment_of
from protocols.hl7.ilw_states import Event, State
from protocols.hl7.ltw_values import Action, OrderAnswer, OrderRequest, Orders
from protocols.hl7.pid import restated
from protocols.hl7.values import Text

NOT_DONE = "interlab-not-done"
NOT_THERE = "interlab-tube-missing"
_TICK = timedelta(microseconds=1)
_PRIORITIES = {"S": "S", "A": "A", "STAT": "S", "ASAP": "A"}
_NO = {Action.CANCEL: "UC", Action.REPLACE: "UM", Action.CHANGE: "UX"}


@dataclass(slots=True)
class SubOrdersTaken:
    """What was said to each sub-order of a message, and what waits for a person."""

    answers: list[OrderAnswer] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    opened: bool = False  # there is work for analyzers

    def done(
        self, order: OrderRequest, control: str, status: str, filler: EntityId | None, placer: EntityId | None = None
    ) -> None:
        """Say yes."""
        self.answers.append(OrderAnswer(order, control, status, filler, placer=placer))

    def refused(self, told: Told, order: OrderRequest, doubt: Doubt, status: str = "CA") -> None:
        """Say no, and why, in a code that the partner can read and in words that its people can."""
        self.doubts.append(doubt)
        text = say(doubt.reason, told.terms.language, **dict(doubt.facts))
        reason = Code(doubt.reason, text[:199], "99LABMW")
        self.answers.append(OrderAnswer(order, _NO.get(order.action, "UA"), status, order.filler, reason))


def take_sub_orders(told: Told, terms: PartnerTerms, orders: Orders) -> Transaction[SubOrdersTaken]:
    """Do what each sub-order of a message asks for or says."""
    taken = SubOrdersTaken()
    patient: str | Doubt | None = None
    if orders.patient is not None and not terms.partner.performs_for_us:
        patient = yield from keep_partner_patient(told, terms, orders.patient.pid)
    for number, order in enumerate(orders.orders, 1):
        step = _Step(told, terms, order, number, patient, taken)
        if terms.partner.performs_for_us:
            yield from step.of_subcontractor()
        else:
            yield from step.of_requester()
    for doubt in taken.doubts:
        yield from quarantine(told, doubt)
    return taken


@dataclass(slots=True)
class _Step:
    """One sub-order of a message."""

    told: Told
    terms: PartnerTerms
    order: OrderRequest
    number: int
    patient: str | Doubt | None
    taken: SubOrdersTaken

    @property
    def name(self) -> str:
        """The requester's number."""
        return self.order.placer.id.strip() if self.order.placer else ""

    @property
    def partner(self) -> str:
        """Who speaks."""
        return self.terms.partner.name

    @property
    def cause(self) -> Cause:
        """This message."""
        reason = self.order.reason
        rejected = [code for one in self.order.specimens for code in one.rejected]
        codes = [code.code or code.text for code in (reason, *rejected) if code is not None]
        texts = [code.text or code.code for code in (reason, *rejected) if code is not None]
        return Cause(self.told.site, self.told.at, self.told.message, self.partner, " ".join(codes), "; ".join(texts))

    def doubt(self, reason: str, **facts: str) -> Doubt:
        """An objection."""
        return Doubt(reason, (("order", self.name), ("partner", self.partner), *facts.items()))

    def refuse(self, doubt: Doubt, status: str = "CA") -> None:
        """Say no."""
        known = dict(doubt.facts)
        more = [(key, value) for key, value in (("order", self.name), ("partner", self.partner)) if key not in known]
        self.taken.refused(self.told, self.order, Doubt(doubt.reason, (*doubt.facts, *more)), status)

    def known(self, role: str) -> Transaction[Row | None]:
        """The sub-order that is named: by the requester's number, else by the subcontractor's."""
        if self.name:
            rows = yield stored.sub_orders_numbered(self.told.site, role, self.partner, [self.name])
        elif self.order.filler is not None:
            rows = yield stored.sub_orders_filled(self.told.site, role, self.partner, [self.order.filler.id.strip()])
        else:
            rows = []
        return rows[0] if len(rows) == 1 else None

    # --- we are the requester: a subcontractor tells how far it is -----------------------------------------------------------------

    def of_subcontractor(self) -> Transaction[None]:
        """Arrived, begun, given back, or added by the subcontractor."""
        if self.order.action is Action.ADDED:
            yield from self._added()
            return
        row = yield from self.known("requester")
        if row is None:
            return self.refuse(self.doubt("interlab-unknown-order"), "")
        if self._not_there():
            yield from self._missing(row)
            return
        event = self._event()
        if event is None:
            return self.refuse(self.doubt("order-control", control=self.order.control))
        after = yield from move(row, event, self.cause, {"status": self.order.status})
        if isinstance(after, Doubt):
            return self.refuse(after, _STATUS.get(State(row.state), ""))
        if after.state is State.RETURNED and row.state != State.RETURNED:
            yield from not_done(row, self.cause)
        if event is Event.RECEIVED:
            subject = f"sub-order/{row.number}"
            yield tasks.close_task(
                self.told.site, NOT_THERE, subject, at=self.told.at, by=self.partner, why="the tube has come"
            )
        if event in (Event.RECEIVED, Event.RETURNED):
            yield from tube_arrived(row, self.cause, "received" if event is Event.RECEIVED else "non-conforming")
        self.taken.done(self.order, "OK", self.order.status, self.order.filler)

    def _not_there(self) -> bool:
        """Whether the tube has not come: SPM-24, or the reason in an envelope that has no SPM."""
        codes = {code.code for one in self.order.specimens for code in one.condition}
        reason = self.order.reason.code if self.order.reason is not None else ""
        return self.order.action is Action.STATUS and NOT_RECEIVED in {*codes, reason}

    def _missing(self, row: Row) -> Transaction[None]:
        """The partner has unpacked the box, and the tube is not in it: the sub-order stays, and a person looks for the tube."""
        yield from note(row, "tube-missing", row.state, self.cause)
        yield from tube_arrived(row, self.cause, "missing")
        facts = {"order": row.number, "partner": row.partner, "specimen": label_of(row)}
        yield from raise_task(self.told.site, NOT_THERE, f"sub-order/{row.number}", row.specimen, facts, self.told.at)
        self.taken.done(self.order, "OK", self.order.status, self.order.filler)

    def _event(self) -> Event | None:
        if self.order.action is Action.RETURNED:
            return Event.RETURNED
        if self.order.action is not Action.STATUS:
            return None
        if self.order.status == "SC":
            return Event.ACCEPTED
        if self.order.status == self.terms.profile.received:
            return Event.RECEIVED
        return Event.RETURNED if self.order.status == "CA" else Event.STARTED if self.order.status == "IP" else None

    def _added(self) -> Transaction[None]:
        """A reflex of the subcontractor: it gets a number of ours, under the sub-order it comes from, and its result will be expected."""
        order = self.order
        parent = yield from self._parent()
        tests = tests_of(order.service, self.terms.lis)
        if parent is None or not tests or order.filler is None:
            return self.refuse(self.doubt("interlab-reflex-unknown", test=name_of(order.service)))
        again = yield stored.sub_orders_filled(self.told.site, "requester", self.partner, [order.filler.id.strip()])
        if again:
            number = EntityId(again[0].number, self.told.site)
            return self.taken.done(order, "NA", "SC", order.filler, number)
        name = f"{parent.number}-R{self.told.message}-{self.number}"
        made = yield statements.insert(
            schema.sub_order,
            site=self.told.site, role="requester", partner=self.partner, number=name, authority=self.told.site,
            filler=order.filler.id, filler_authority=order.filler.authority, specimen=parent.specimen, patient=parent.patient,
            service=json.dumps((order.service or Code("")).components(), ensure_ascii=False), tests=json.dumps(tests),
            priority=parent.priority, state=State.ACCEPTED.value, parent=parent.number, message=self.told.message,
            due_at=stamp(self.told.now + timedelta(hours=self.terms.partner.turnaround)), created_at=self.told.at,
            answered_at=self.told.at, updated_at=self.told.at,
        )  # fmt: skip
        for loinc in tests:
            asked = yield statements.insert_or_update(
                schema.order, site=self.told.site, specimen=parent.specimen, loinc=loinc, placer=name, state="elsewhere",
                test_name=name_of(order.service), ordered_at=self.told.at, updated_at=self.told.at, message=self.told.message,
            )  # fmt: skip
            yield statements.insert(
                schema.sub_order_order, site=self.told.site, sub_order=int(made[0].id), order=int(asked[0].id)
            )
        rows = yield stored.sub_orders_numbered(self.told.site, "requester", self.partner, [name])
        yield from note(rows[0], "reflex", State.ACCEPTED.value, self.cause, {"parent": parent.number})
        self.taken.done(order, "NA", "SC", order.filler, EntityId(name, self.told.site))

    def _parent(self) -> Transaction[Row | None]:
        """The sub-order that a reflex comes from: ORC-8, else the one of our number, else the only one of its tube."""
        names = [one.id.strip() for one in (self.order.parent, self.order.placer) if one is not None and one.id.strip()]
        if names:
            rows = yield stored.sub_orders_numbered(self.told.site, "requester", self.partner, names)
            return rows[0] if rows else None
        labels = [label.strip() for one in self.order.specimens for label in one.labels]
        rows = (yield stored.sub_orders_on(self.told.site, labels[0])) if labels else []
        mine = [row for row in rows if row.partner == self.partner and row.role == "requester"]
        return mine[0] if mine else None

    # --- we are the subcontractor: a requester asks ----------------------------------------------------------------------------------

    def of_requester(self) -> Transaction[None]:
        """New, replaced, taken back."""
        match self.order.action:
            case Action.NEW | Action.ADD_ON | Action.REPLACEMENT:
                yield from self._new()
            case Action.CANCEL | Action.REPLACE:
                yield from self._cancel()
            case Action.STATUS:
                row = yield from self.known("subcontractor")
                if row is None:
                    return self.refuse(self.doubt("interlab-unknown-order"), "")
                yield from self._boxed(row)
                self.taken.done(
                    self.order, "OK", _STATUS.get(State(row.state), ""), EntityId(row.filler, self.told.site)
                )
            case _:
                self.refuse(self.doubt("order-control", control=self.order.control))

    def _new(self) -> Transaction[None]:
        told, order = self.told, self.order
        row = yield from self.known("subcontractor")
        if row is not None:
            return (yield from self._asked_again(row))
        tests = tests_of(order.service, self.terms.lis)
        performs = self.terms.partner.performs
        if not tests or not set(tests) <= set(performs):
            code = (order.service.code or order.service.local_code) if order.service else ""
            return self.refuse(self.doubt("interlab-not-in-catalogue", code=code, test=name_of(order.service)))
        if isinstance(self.patient, Doubt):
            return self.refuse(self.patient)
        if self.patient is None:
            return self.refuse(self.doubt("order-without-patient", specimen=""))
        labels = list(dict.fromkeys(one.strip() for item in order.specimens for one in item.labels if one.strip()))
        if len(labels) != 1:
            reason = "order-without-tube" if not labels else "order-several-tubes"
            return self.refuse(self.doubt(reason, specimens=", ".join(labels)))
        since = yield from place_tube(told, labels[0], self.patient, order.specimens[0])
        if isinstance(since, Doubt):
            return self.refuse(since)
        filler = yield from self._open(tests, labels[0], self.patient, since)
        opened = yield from self.known("subcontractor")
        assert opened is not None
        yield from self._boxed(opened)
        yield from asked_for(opened, self.cause)
        self.taken.opened = True
        self.taken.done(order, "OK", "SC", filler)

    def _boxed(self, row: Row) -> Transaction[None]:
        """What is said of the box in which the tube travels."""
        shipment = shipment_of(self.order)
        if shipment is not None:
            yield from announce((yield from again(row)), shipment, self.cause)

    def _asked_again(self, row: Row) -> Transaction[None]:
        """The same number again: the same answer, unless it now asks for something else."""
        asked = tests_of(self.order.service, self.terms.lis)
        if set(asked) != set(tests_in(row)):
            return self.refuse(self.doubt("order-number-used", specimen=row.specimen, test=service_of(row).text))
        if row.state in (State.CANCELLED, State.RETURNED, State.REFUSED):
            return self.refuse(self.doubt("interlab-closed", state=row.state))
        yield from note(row, "asked-again", row.state, self.cause)
        yield from self._boxed(row)
        self.taken.done(self.order, "OK", _STATUS.get(State(row.state), "SC"), EntityId(row.filler, self.told.site))

    def _open(self, tests: tuple[str, ...], label: str, patient: str, since: datetime) -> Transaction[EntityId]:
        told, order = self.told, self.order
        filler = f"{told.message}-{self.number}"
        priority = _PRIORITIES.get(order.priority.strip().upper(), "R")
        service = order.service or Code("")
        group = order.group
        made = yield statements.insert(
            schema.sub_order,
            site=told.site, role="subcontractor", partner=self.partner, number=self.name,
            authority=order.placer.authority if order.placer else "", filler=filler, filler_authority=told.site,
            group_number=group.id if group else "", group_authority=group.authority if group else "",
            specimen=label, patient=patient, service=json.dumps(service.components(), ensure_ascii=False),
            tests=json.dumps(tests), priority=priority, state=State.CREATED.value, message=told.message,
            due_at=stamp(told.now + timedelta(hours=self.terms.partner.turnaround)), created_at=told.at, updated_at=told.at,
        )  # fmt: skip
        key = int(made[0].id)
        for loinc in tests:
            asked = yield statements.insert(
                schema.order,
                site=told.site, specimen=label, loinc=loinc, placer=f"{self.partner}:{self.name}", filler=filler, priority=priority,
                ordered_at=stamp(max(told.now, since + _TICK)), test_name=name_of(order.service) if len(tests) == 1 else loinc,
                message=told.message, updated_at=told.at,
            )  # fmt: skip
            number = int(asked[0].id)
            yield statements.insert(schema.sub_order_order, site=told.site, sub_order=key, order=number)
            yield statements.insert_or_update(
                schema.order_origin,
                site=told.site,
                order=number,
                message=told.message,
                placer_authority=order.placer.authority if order.placer else "",
                filler_authority=told.site,
                orc=_standard(order.orc),
                obr=_standard(order.obr),
                spm=_standard(order.specimens[0].spm),
            )
        row = yield from self.known("subcontractor")
        assert row is not None
        yield from note(row, "created", State.CREATED.value, self.cause)
        yield from move(row, Event.ACCEPTED, self.cause)
        for item in order.answers:
            if is_about_the_box(item):
                continue
            text = item.value.text if isinstance(item.value, Text) else ""
            kind = item.code.code or item.code.local_code or "answer"
            yield statements.insert_once(
                schema.sub_order_item, site=told.site, sub_order=key, kind=kind, text=text, at=told.at, by=self.partner
            )
        return EntityId(filler, told.site)

    def _cancel(self) -> Transaction[None]:
        row = yield from self.known("subcontractor")
        if row is None:
            return self.refuse(self.doubt("interlab-unknown-order"), "")
        was = _STATUS.get(State(row.state), "IP")
        begun = yield from self._measured(row)
        after: object = self.doubt("interlab-begun")
        if not begun:
            after = yield from move(row, Event.CANCEL, self.cause)
        if isinstance(after, Doubt):
            yield from note(row, "cancel-refused", row.state, self.cause)
            return self.refuse(Doubt("interlab-begun", (("order", self.name), ("partner", self.partner))), was)
        for order in (yield stored.orders_of_sub_orders([row.id])):
            if order.state == "open":
                yield change(
                    schema.order, order.id, state="cancelled", message=self.told.message, updated_at=self.told.at
                )
        self.taken.opened = True  # analyzers that have it are told
        control = "RQ" if self.order.action is Action.REPLACE else "CR"
        self.taken.done(self.order, control, "CA", EntityId(row.filler, self.told.site))

    def _measured(self, row: Row) -> Transaction[bool]:
        """Whether a result of it has come: then it is too late to take it back."""
        return any(order.state == "done" for order in (yield stored.orders_of_sub_orders([row.id])))


_STATUS = {
    State.ACCEPTED: "SC", State.RECEIVED: "IP", State.IN_PROCESS: "IP", State.PARTIAL: "A", State.FINAL: "CM",
    State.CORRECTED: "CM", State.CANCELLED: "CA", State.RETURNED: "CA", State.REFUSED: "CA", State.WITHDRAWN: "CA",
}  # fmt: skip
"""ORC-5, table 0038."""


def not_done(row: Row, cause: Cause) -> Transaction[None]:
    """A partner will not do it: somebody decides what becomes of the tube, and tells the prescriber."""
    facts = {
        "order": row.number,
        "partner": row.partner,
        "test": service_of(row).text,
        "why": cause.text or cause.reason or "-",
    }
    yield from raise_task(cause.site, NOT_DONE, f"sub-order/{row.number}", row.specimen, facts, cause.at)


def _standard(segment: Segment | None) -> str:
    return restated(segment).line if segment is not None else ""
