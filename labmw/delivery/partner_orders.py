"""How is a sub-order said to another laboratory (LAB-35)? New and taken back by us, or how far it is, by the rows alone (IHE ILW)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from labmw.clock import read_stamp
from labmw.errors import DeliveryError
from labmw.lab.sub_orders import label_of, service_of
from labmw.store import statements
from labmw.store.statements import identities
from labmw.store.statements import interlab as stored
from labmw.store.statements import lis as lis_stored
from labmw.store.statements import partners as boxes
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.errors import Hl7Error
from protocols.hl7.adt import Ins
from protocols.hl7.datatypes import Code, EntityId, Identifier, Organisation, Person, PersonName
from protocols.hl7.er7 import Message, Segment, segment
from protocols.hl7.fields import row as fields_of
from protocols.hl7.ilw_orders import SentSpecimen, SubOrder, payor_of, write_sub_orders
from protocols.hl7.ilw_shipment import NOT_RECEIVED, Shipment
from protocols.hl7.pid import with_ins
from protocols.hl7.report import Header, Observation
from protocols.hl7.values import Document, Text

_SNR = Code(NOT_RECEIVED, "Sample not received", "HL70493")
_LOINC = re.compile(r"\d{1,7}-\d", re.ASCII)


def time_of(text: str | None, zone: ZoneInfo) -> str:
    """A moment of the store as HL7 writes it, with the offset of the site; "" for none."""
    return read_stamp(text).astimezone(zone).strftime("%Y%m%d%H%M%S%z") if text else ""


def header_of(terms: PartnerTerms, outbox: Row) -> Header:
    """MSH: its time is that of the row, so that the message can be made again."""
    partner = terms.partner
    return Header(
        terms.lis.application,
        terms.lis.site,
        partner.application or partner.name,
        partner.facility,
        time_of(outbox.created_at, terms.lis.zone),
        outbox.control_id,
        country=terms.profile.country,
    )


def pid_of(site: str, patient: str, *, ins: bool) -> Transaction[Segment]:
    """The PID of a patient as it leaves: whole, with the INS only for a qualified identity and where the partner is to have it."""
    rows = yield statements.patients_among(site, [patient])
    if not rows:
        raise DeliveryError(f"patient {patient} is not known any more; have the patient sent again")
    (known,) = rows
    if known.pid:
        numbers = (yield identities.ins_of(site, [patient])) if ins else []
        return Segment(with_ins(known.pid, Ins(numbers[0].number, numbers[0].oid) if numbers else None))
    made = fields_of(
        "PID",
        {
            3: Identifier(patient, site, type="PI").components(),
            5: PersonName(known.family, known.given).components() if known.family else None,
            7: known.birth.replace("-", ""),
            8: known.sex,
        },
    )
    return segment(made)


def write_said(terms: PartnerTerms, outbox: Row, said: Sequence[Row]) -> Transaction[bytes]:
    """The OML^O21 of an outbox row; raises DeliveryError when it cannot be written truthfully."""
    patients = {row.patient for row in said}
    if len(patients) != 1:
        raise DeliveryError(f"outbox row {outbox.id} speaks of several patients; report this fault")
    pid = yield from pid_of(terms.lis.site, patients.pop(), ins=terms.profile.ins)
    items = yield stored.items_of([row.id for row in said])
    orders: list[SubOrder] = []
    for row in said:
        mine = [one for one in items if one.sub_order == row.id] if row.control in ("NW", "RO") else []
        orders.append((yield from _said(terms, row, mine)))
    payor = (yield from _payor(terms, said)) if terms.profile.payor else ()
    try:
        return write_sub_orders(header_of(terms, outbox), pid, orders, terms.profile, payor=payor)
    except Hl7Error as error:
        raise DeliveryError(f"no truthful sub-order can be written: {error}") from error


def _payor(terms: PartnerTerms, said: Sequence[Row]) -> Transaction[tuple[Segment, ...]]:
    """The insurance that the LIS gave with the order of a new sub-order: as it came, or none."""
    first = next((row for row in said if row.role == "requester" and row.control in ("NW", "RO")), None)
    kept = (yield stored.raw_of(first.message)) if first is not None else []
    if not kept or not kept[0].raw.startswith(b"MSH"):  # destroyed by age, or an LIS that speaks LIS02
        return ()
    try:
        return payor_of(Message.parse(kept[0].raw))
    except Hl7Error:
        return ()


def _said(terms: PartnerTerms, row: Row, items: Sequence[Row]) -> Transaction[SubOrder]:
    site, zone = terms.lis.site, terms.lis.zone
    ordered = yield stored.orders_of_sub_orders([row.id])
    origins = (yield lis_stored.origins_of(site, [one.id for one in ordered])) if ordered else []
    orc = Segment(origins[0].orc) if origins and origins[0].orc else Segment("ORC")
    obr = Segment(origins[0].obr) if origins and origins[0].obr else Segment("OBR")
    spm = Segment(origins[0].spm) if origins and origins[0].spm else Segment("SPM")
    tubes = yield statements.specimens_among(site, [row.specimen])
    tube = next((one for one in reversed(tubes) if one.patient == row.patient), None)
    ours = row.role == "requester"
    collected = time_of(tube.collected, zone) if tube is not None and tube.collected else ""
    refused = row.control == "OC"
    number = EntityId.read_inside(spm, 2, 1)
    kind = Code.read(spm, 4) or Code((tube.kind if tube is not None else "") or "UNK", "", "HL70487")
    reason = (
        Code(row.reason.split(" ")[0], row.reason_text[:199], "99LABMW")
        if row.reason and row.control in ("CA", "RP", "OC")
        else None
    )
    missing = row.about == "missing"
    shipment = (yield from _shipment(row)) if ours and (row.control in ("NW", "RO") or row.about == "shipped") else None
    if missing:
        reason = _SNR
    specimen = SentSpecimen(
        EntityId(label_of(row), site if ours else (number.authority if number else row.authority)),
        kind,
        parent=EntityId(row.specimen, site) if row.aliquot else None,
        collected=collected,
        received=spm.component(18) if ours else "",
        available="N" if refused else "",
        rejected=_rejected(row) if refused else (),
        condition=(_SNR,) if missing else (),
        shipment=shipment,
    )  # fmt: skip
    return SubOrder(
        control=row.control,
        placer=EntityId(row.number, row.authority) if row.control != "SN" else None,
        service=service_of(row),
        filler=EntityId(row.filler, row.filler_authority) if row.filler else None,
        group=EntityId(row.group_number, row.group_authority) if row.group_number else None,
        status=row.said_status,
        changed=time_of(row.updated_at, zone),
        prescriber=Person.read(obr, 16) or Person.read(orc, 12),
        facility=terms.us if ours else Organisation.read(orc, 21) or Organisation(terms.partner.facility or terms.partner.name, "D"),
        reason=reason,
        parent=EntityId(row.parent, row.authority) if row.control == "SN" else None,
        priority=row.priority,
        collected=collected,
        answers=tuple(_item(one) for one in items),
        specimen=specimen,
    )  # fmt: skip


def _shipment(row: Row) -> Transaction[Shipment | None]:
    """The box in which the tube of a sub-order has left; None while it is still open."""
    found = (yield boxes.box_of(row.box)) if row.box is not None else []
    if not found or found[0].state == "open":
        return None
    (box,) = found
    tubes = yield boxes.tubes_in(box.id)
    return Shipment(EntityId(box.number, row.site), len(tubes), box.temperature, box.courier, box.tracking)


def _rejected(row: Row) -> tuple[Code, ...]:
    """The codes of table 0490 among the reasons."""
    known = {"EX", "QS", "RA", "RB", "RC", "RD", "RE", "RH", "RI", "RM", "RN", "RP", "RR", "RS"}
    return tuple(Code(code, "", "HL70490") for code in row.reason.split() if code in known)


def _item(row: Row) -> Observation:
    """What goes along with a sub-order: an answer in words, or a document."""
    code = Code(row.kind, row.kind, "LN" if _LOINC.fullmatch(row.kind) else "99LABMW")
    if row.data:
        kind, _, subtype = row.media.partition("/")
        return Observation(code, Document(kind or "application", subtype or "pdf", row.data))
    return Observation(code, Text(row.text))
