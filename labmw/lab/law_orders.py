"""How is work written for a LAW analyzer? From the store's rows to LAB-28 messages, in the analyzer's own codes; pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from labmw.lab.routing import EVERYWHERE, Routing
from labmw.line.orders import Broadcast
from labmw.model import Patient, Specimen
from protocols.hl7 import law_values as law
from protocols.hl7.datatypes import Code, EntityId, Identifier, PersonName
from protocols.hl7.law_work import write_no_work, write_work
from protocols.hl7.profile import GENERIC, LawProfile
from protocols.hl7.report import Comment, Header, ReportPatient

PRIORITIES = {"S": "Stat", "R": "Routine", "A": "ASAP", "P": "Preoperative", "T": "Timing critical"}


@dataclass(frozen=True, slots=True)
class LawLink:
    """What the worklist needs to know of one LAW analyzer.

    `codes` are the tests that its driver maps, by LOINC: what is ordered of anything else is not for this analyzer. `anything`: it takes LOINC
    codes as they are (IHE LAW as written); then `only`, where given, says which. `push`: it keeps a worklist, and is told of new orders
    without being asked.
    """

    name: str
    codes: Mapping[str, Code]
    profile: LawProfile = GENERIC
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    application: str = "LABMW"
    facility: str = ""
    push: bool = False
    patients: bool = True  # PID goes along with orders
    anything: bool = False
    only: frozenset[str] = frozenset()  # LOINC codes routed to this analyzer; empty: all that it knows
    routing: Routing = EVERYWHERE

    @property
    def loses_worklist(self) -> bool:
        """Whether what it asks for again is given under a new identity: the profile says so."""
        return self.profile.rebroadcast_with_new_ids

    @property
    def asks_for_what_it_lacks(self) -> bool:
        """An identity that was taken is never offered again (LAB28-006)."""
        return False

    def code_of(self, order: Any) -> Code | None:
        """What the analyzer calls the test of an order; None when the order is not for it."""
        if self.only and order.loinc not in self.only:
            return None
        if self.anything:
            return Code(order.loinc, order.test_name or order.loinc, "LN")
        return self.codes.get(order.loinc)

    def dilutes(self, factor: str) -> bool:
        """Whether a dilution can be ordered of it (TCD-2)."""
        return self.profile.dilution_ordered


@dataclass(frozen=True, slots=True)
class Control:
    """A registered control material, with the lot in use and its end."""

    identifier: str
    name: str
    lot: str = ""
    expiry: datetime | None = None


@dataclass(frozen=True, slots=True)
class Tube:
    """What an order message says of a tube, and of where the analyzer said that it stands."""

    identifier: str
    specimen: Specimen | None = None
    patient: Patient | None = None
    carrier: str = ""
    position: str = ""
    tray: str = ""
    tray_position: str = ""
    control: Control | None = None  # it is no patient's


def new_control_id() -> str:
    """MSH-10 of a message of ours: never used twice."""
    return uuid.uuid4().hex[:20].upper()


def hl7_time(at: datetime, zone: ZoneInfo) -> str:
    """A moment as HL7 writes it: the laboratory's wall clock, with its offset."""
    return at.astimezone(zone).strftime("%Y%m%d%H%M%S%z")


def header(link: LawLink, to: Header | None, at: datetime, control_id: str) -> Header:
    """MSH of a message of ours; `to` is the header of what the analyzer said last, whose names are used."""
    return Header(
        sending_application=(to.receiving_application if to else "") or link.application,
        sending_facility=(to.receiving_facility if to else "") or link.facility,
        receiving_application=to.sending_application if to else "",
        receiving_facility=to.sending_facility if to else "",
        when=hl7_time(at, link.zone),
        control_id=control_id,
    )


def write_steps(
    link: LawLink, tube: Tube, rows: Sequence[Any], *, control: str, to: Header | None, at: datetime
) -> Broadcast:
    """The OML^O33 that gives (NW) or takes back (CA) these AWOS of one tube (LAB28-007: one tube only). Raises Hl7Error."""
    number = new_control_id()
    steps = tuple(_step(link, row, control, at) for row in rows)
    work = law.Work(
        header=header(link, to, at, number),
        specimens=(law.SpecimenWork(_specimen(link, tube), steps),),
        patient=_patient(tube.patient) if link.patients and tube.control is None else None,
    )
    return Broadcast(number, write_work(work, link.profile))


def _step(link: LawLink, row: Any, control: str, at: datetime) -> law.Step:
    known = link.code_of(row)
    system = known.system if known and known.code == row.code else "L"  # the driver may have been changed since
    test = Code(row.code, row.test_name or row.code, system)
    priority = row.priority if row.priority in PRIORITIES else "R"
    return law.Step(
        awos=EntityId(row.awos, link.application),
        test=test,
        control=control,
        when=hl7_time(at, link.zone),
        priority=Code(priority, PRIORITIES[priority], "HL70485"),
        treatment=law.Treatment(test=test, dilution=_dilution(row)) if control == "NW" else None,
    )


def _dilution(row: Any) -> str:
    """TCD-2 of an AWOS: 1:10; "" for a specimen as it is."""
    return f"1:{row.dilution}" if row.dilution else ""


def write_nothing(link: LawLink, tube: Tube, *, to: Header | None, at: datetime, reason: str = "") -> Broadcast:
    """The negative query response: there is no work for what was asked about (LAB27-004). Raises Hl7Error."""
    number = new_control_id()
    nothing = law.NoWork(
        header=header(link, to, at, number),
        specimen=law.Specimen(
            container=EntityId(tube.identifier) if tube.identifier else None,
            carrier=tube.carrier,
            position=tube.position,
            tray=tube.tray,
            tray_position=tube.tray_position,
        ),
        when=hl7_time(at, link.zone),
        reason=Comment(reason, source="") if reason else None,
    )
    return Broadcast(number, write_no_work(nothing, link.profile), lasting=False)


def _specimen(link: LawLink, tube: Tube) -> law.Specimen:
    known, control = tube.specimen, tube.control
    patient = Code("P", "Patient specimen", "HL70369")
    kind = known.kind if known else ""
    collected = known.collected if known else None
    return law.Specimen(
        id=EntityId(tube.identifier, link.profile.namespace or link.application),
        container=EntityId(tube.identifier),
        type=Code(kind, "", "HL70487") if kind else None,
        role=patient if control is None else Code(link.profile.control_role, "Control specimen", "HL70369"),
        materials=() if control is None else (_material(link, control),),
        collected=hl7_time(collected, link.zone) if collected else "",
        carrier=tube.carrier,
        position=tube.position,
        tray=tube.tray,
        tray_position=tube.tray_position,
    )


def _material(link: LawLink, control: Control) -> law.Material:
    """Which control it is: by the identifier under which its results are registered, and by lot."""
    return law.Material(
        code=Code(control.identifier, control.name, "L"),
        status=(Code("OK", "", "HL70383"),),
        type=Code("CO", "Control", "HL70384"),
        expiry=hl7_time(control.expiry, link.zone) if control.expiry else "",
        lot=control.lot,
    )


def _patient(patient: Patient | None) -> ReportPatient | None:
    """Who it is, under the laboratory's own identifier: an analyzer needs no national one."""
    if patient is None:
        return None
    name = (PersonName(patient.family, patient.given),) if patient.family or patient.given else ()
    birth = patient.birth.strftime("%Y%m%d") if patient.birth else ""
    return ReportPatient((Identifier(patient.identifier, type="PI"),), name, birth, patient.sex.value)
