"""What is said to the LIS: one message per specimen and analyzer message, with everything that the report needs (IHE LTW; spec: segur §2.4).

The message is made from rows alone, so that it can be made again byte for byte: its times are those of the rows, its MSH-10 is the row's. The
patient leaves as the LIS has told of him or her, PID whole; the order as the LIS has numbered it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from labmw.clock import read_stamp
from labmw.delivery.lis02 import Lis02Writer
from labmw.delivery.observed import Telling, observation, under_way, withdrawn
from labmw.delivery.redelivery import is_again
from labmw.errors import DeliveryError, DeliveryWaits
from labmw.lab.belonging import owner_of, owners
from labmw.lab.nouns import patient_of, specimen_of
from labmw.model import Patient, Specimen
from labmw.partner import BY_PARTNER
from labmw.store import statements
from labmw.store.statements import identities, interlab, redelivery
from labmw.store.statements import lis as stored
from labmw.store.statements import recalls as actions
from labmw.store.transaction import Row, Transaction
from protocols.errors import Hl7Error
from protocols.hl7 import strict
from protocols.hl7.adt import Ins
from protocols.hl7.datatypes import Code, EntityId, Identifier, Person, PersonName
from protocols.hl7.er7 import Segment
from protocols.hl7.ilw_results import REPORT
from protocols.hl7.ltw_results import result_status, write_results
from protocols.hl7.messages import Header, Report, ReportOrder, ReportPatient, ReportSpecimen
from protocols.hl7.pid import in_place_of_pid, with_ins
from protocols.hl7.profile import LTW_GENERIC, LtwProfile
from protocols.hl7.report import Observation
from protocols.hl7.values import Document


@dataclass(frozen=True, slots=True)
class LisReport:
    """Composes reports for one LIS."""

    site: str
    sending_application: str
    receiving_application: str
    receiving_facility: str
    zone: ZoneInfo
    auto_release_text: str
    profile: LtwProfile = LTW_GENERIC
    validation: Literal["labmw", "lis"] = "labmw"
    lis02: Lis02Writer | None = None  # for an LIS that takes labmw for an instrument

    def compose(self, outbox: Row) -> Transaction[bytes]:
        """Make the message of one outbox row; raises DeliveryError when a row cannot be told truthfully, DeliveryWaits when not yet."""
        rows, first = (yield statements.report_of(outbox.id)), outbox.id
        if not rows and is_again(outbox):
            rows = yield redelivery.report_again(outbox.id)
            first = (yield redelivery.first_entry(outbox.id))[0].entry
        taken_back = yield stored.withdrawals_in(outbox.id)
        gone = yield stored.withdrawn_in(outbox.id)
        added = yield actions.added_in(outbox.id)
        if not rows and not gone and not added:
            raise DeliveryError(
                f"outbox row {outbox.id} carries no result; look at it with `labmw result show {outbox.specimen}`"
            )
        patients_told = {row.patient for row in (*rows, *gone, *added)}
        if len(patients_told) > 1:
            raise DeliveryError(f"outbox row {outbox.id} carries results of several patients; report this fault")
        if (yield stored.provisional_on(self.site, [outbox.specimen])):
            raise DeliveryWaits(
                f"the orders of specimen {outbox.specimen} were typed by hand, and the LIS has not confirmed them yet; have it send its orders"
            )
        (owner,) = patients_told
        patients = yield statements.patients_among(self.site, [owner])
        tubes = yield statements.specimens_among(self.site, [outbox.specimen])
        if not patients:
            raise DeliveryError(
                f"patient of specimen {outbox.specimen} is not known any more; the LIS must send the patient again"
            )
        patient = patient_of(patients[0])
        tube = next((specimen_of(row) for row in tubes if row.patient == patient.identifier), None)
        told = yield from self._told(outbox, first, owner, rows, gone, [specimen_of(row) for row in tubes])
        performed = yield from self._performed(rows)
        observed = [(row, observation(told.telling, row, tube, performed.get(row.id))) for row in rows]
        observed += [(row, withdrawn(told.telling, row, one)) for row, one in zip(gone, taken_back, strict=True)]
        observed += [(row, under_way(row)) for row in added]
        documents = yield from self._documents(performed)
        orders: list[ReportOrder] = []
        for group in self._groups(told, observed):
            order = self._order(told, group, tube)
            answered = dict.fromkeys(performed[row.id].sub_order for row, _ in group if row.id in performed)
            pages = [page for one in answered for page in documents.pop(one, ())]
            orders += [order, *(replace(order, service=REPORT, observations=(page,), status="F") for page in pages)]
        report = Report(self._header(outbox), _patient(self.site, patient), tuple(orders))
        try:
            if self.lis02 is not None:
                return self.lis02.report(report)
            message = write_results(report, self.profile)
            if not patient.pid:
                return message
            ins = yield identities.ins_of(self.site, [owner])
            return in_place_of_pid(message, with_ins(patient.pid, Ins(ins[0].number, ins[0].oid) if ins else None))
        except Hl7Error as error:
            raise DeliveryError(f"no truthful report can be written: {error}") from error

    def _performed(self, rows: Sequence[Row]) -> Transaction[dict[int, Row]]:
        """The newest word of other laboratories on the results that they performed."""
        theirs = [row.id for row in rows if row.driver in BY_PARTNER]
        found = (yield interlab.performed_of_results(theirs)) if theirs else []
        return {one.result: one for one in found if one.fate not in ("repeat", "old")}

    def _documents(self, performed: Mapping[int, Row]) -> Transaction[dict[int, list[Observation]]]:
        """The reports of other laboratories by sub-order, as they came: each goes along behind the first order that it answers."""
        if self.lis02 is not None or not performed:
            return {}
        sub_orders = sorted({one.sub_order for one in performed.values()})
        newest = {
            (row.sub_order, row.kind): row  # a PDF and a CDA of one report both go
            for row in (yield interlab.documents_of(sub_orders))
            if row.direction == "in" and row.whole
        }
        found: dict[int, list[Observation]] = {}
        for row in newest.values():
            found.setdefault(row.sub_order, []).append(Observation(REPORT, _document(row)))
        return found

    def _told(
        self, outbox: Row, first: int, owner: str, rows: Sequence[Row], gone: Sequence[Row], tubes: Sequence[Specimen]
    ) -> Transaction[_Known]:
        """What the store knows that decides how the results are told. `first` is the message that brought them the first time."""
        orders = yield statements.orders_among(self.site, [outbox.specimen])
        origins = (yield stored.origins_of(self.site, [order.id for order in orders])) if orders else []
        before = yield stored.sent_before(self.site, outbox.specimen, owner, outbox.destination, first)
        reported = yield stored.reported_tests(self.site, outbox.specimen, owner)
        telling = Telling(
            self.zone,
            self.auto_release_text,
            self.validation,
            self.profile.withdrawn,
            frozenset(row.loinc for row in before),
        )
        return _Known(
            telling,
            tuple(orders),
            {row.order: row for row in origins},
            frozenset(row.loinc for row in reported),
            tuple(tubes),
        )

    def _header(self, outbox: Row) -> Header:
        when = self._time(read_stamp(outbox.created_at))
        return Header(
            self.sending_application,
            self.site,
            self.receiving_application,
            self.receiving_facility,
            when,
            outbox.control_id,
            country="FRA",
        )

    def _groups(
        self, told: _Known, observed: Sequence[tuple[Row, Observation]]
    ) -> Iterable[Sequence[tuple[Row, Observation]]]:
        """The results by their orders: those of a battery together."""
        groups: dict[object, list[tuple[Row, Observation]]] = {}
        for row, one in observed:
            ordered = told.order_of(row)
            battery = ordered is not None and len(told.together(ordered)) > 1
            groups.setdefault(ordered.placer if ordered is not None and battery else row.id, []).append((row, one))
        return groups.values()

    def _order(self, told: _Known, group: Sequence[tuple[Row, Observation]], tube: Specimen | None) -> ReportOrder:
        row = group[0][0]
        found = tuple(one for _, one in group)
        ordered = told.order_of(row)
        origin = told.origins.get(ordered.id) if ordered is not None else None
        collected = self._time(tube.collected) if tube is not None and tube.collected else ""
        specimen = ReportSpecimen(EntityId(row.specimen, self.site), _specimen_type(tube), collected=collected)
        sent = _Sent.of(origin)
        placer = sent.placer
        if origin is None and ordered is not None and ordered.placer:
            placer = EntityId(ordered.placer, self.receiving_application)
        filler = EntityId(
            ordered.filler if ordered is not None and ordered.filler else f"{row.specimen}-{row.code}",
            origin.filler_authority if origin is not None else self.sending_application,
        )
        complete = ordered is None or {one.loinc for one in told.together(ordered)} <= told.reported
        moments = [one.decided_at for one, _ in group if "decided_at" in one.columns]
        return ReportOrder(
            service=sent.service or found[0].code,
            placer=placer,
            filler=filler,
            observations=found,
            status=result_status([one.status for one in found], complete),
            group=sent.group,
            prescriber=sent.prescriber,
            collected=collected,
            reported=self._time(read_stamp(max(moments))) if moments else "",
            specimens=(specimen,),
        )

    def _time(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).strftime("%Y%m%d%H%M%S%z")


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store knows of a tube's orders and of what was told before."""

    telling: Telling
    orders: tuple[Row, ...]
    origins: dict[int, Row]
    reported: frozenset[str]
    tubes: tuple[Specimen, ...]  # all that have carried the number

    def order_of(self, row: Row) -> Row | None:
        """The order of a result. The newest: an older one may be of the tube that had this barcode before."""
        alive = [one for one in self.orders if one.loinc == row.loinc and self._is_for(one, row.patient)]
        standing = [one for one in alive if one.state != "cancelled"]
        found = standing or alive
        return found[-1] if found else None

    def _is_for(self, order: Row, patient: str) -> bool:
        owner = owner_of(read_stamp(order.ordered_at) if order.ordered_at else None, self.tubes)
        return owner == patient or (owner is None and len(owners(self.tubes)) < 2)

    def together(self, order: Row) -> list[Row]:
        """The tests that were ordered under one number: a battery."""
        if not order.placer:
            return [order]
        return [one for one in self.orders if one.placer == order.placer and one.state != "cancelled"] or [order]


@dataclass(frozen=True, slots=True)
class _Sent:
    """What an order was sent with and comes back with."""

    placer: EntityId | None = None
    group: EntityId | None = None
    service: Code | None = None
    prescriber: Person | None = None

    @classmethod
    def of(cls, origin: Row | None) -> _Sent:
        """What stands in the ORC and OBR that are kept."""
        if origin is None:
            return cls()
        orc, obr = Segment(origin.orc), Segment(origin.obr)
        service = Code.read(obr, 4) if origin.obr else None
        if service is not None:
            try:
                strict.check_code("OBR-4", service, with_text=True)
            except Hl7Error:
                service = None  # as it was sent it cannot be sent back: the test is named by its LOINC code
        return cls(
            EntityId.read(orc, 2) or (EntityId.read(obr, 2) if origin.obr else None),
            EntityId.read(orc, 4),
            service,
            Person.read(obr, 16) if origin.obr else None,
        )


def _document(row: Row) -> Document:
    """A document with the type that its bytes have, whatever its sender called it."""
    kind, subtype = {"cda": ("TEXT", "XML")}.get(row.kind, ("application", row.kind))
    return Document(kind, subtype, row.data)


def _patient(site: str, patient: Patient) -> ReportPatient:
    return ReportPatient(
        identifiers=(Identifier(patient.identifier, site, type="PI"),),
        names=(PersonName(patient.family, patient.given),) if patient.family else (),
        birth=patient.birth.strftime("%Y%m%d") if patient.birth else "",
        sex=patient.sex.value,
    )


def _specimen_type(tube: Specimen | None) -> Code:
    return Code(tube.kind, "", "99LABMW") if tube is not None and tube.kind else Code("UNK", "Unknown", "HL70487")
