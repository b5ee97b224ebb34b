"""What does a report to the laboratory's information system hold? The nouns of an ORU^R01, as frozen values.

Times are HL7 date-times as text, with their offset: nothing here guesses a time zone.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.hl7.datatypes import Code, EntityId, Identifier, Organisation, Person, PersonName
from protocols.hl7.values import Value


@dataclass(frozen=True, slots=True)
class Header:
    """Who sends to whom, when, under which number: MSH."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    when: str
    control_id: str
    processing: str = "P"
    country: str = ""
    profile: EntityId | None = None


@dataclass(frozen=True, slots=True)
class ReportPatient:
    """The patient as the order named him or her: PID, and the class of PV1 (U when unknown)."""

    identifiers: tuple[Identifier, ...]
    names: tuple[PersonName, ...] = ()
    birth: str = ""
    sex: str = ""  # table 0001
    account: Identifier | None = None  # PID-18, number of the stay
    reliability: tuple[str, ...] = ()  # PID-32; France: VALI is the condition for sending the INS
    visit_class: str = "U"


@dataclass(frozen=True, slots=True)
class Comment:
    """A note: NTE."""

    text: str
    source: str = "L"  # table 0105: L the laboratory
    type: Code | None = None


@dataclass(frozen=True, slots=True)
class AutoRelease:
    """That rules released the result and nobody looked at it before; how it is sent is told in ``messages``."""

    text: str
    pack: str
    version: str
    responsible: Person


@dataclass(frozen=True, slots=True)
class Observation:
    """One result: OBX and the notes after it."""

    code: Code
    value: Value | None
    unit: Code | None = None  # UCUM
    status: str = "F"
    sub_id: str = ""
    range: str = ""
    flags: tuple[str, ...] = ()  # table 0078
    observed: str = ""  # OBX-14: for a laboratory test the time of collection
    producer: Code | None = None  # OBX-15
    responsible: Person | None = None  # OBX-16, the person who validated
    auto: AutoRelease | None = None  # or the rules that did
    method: Code | None = None
    equipment: tuple[EntityId, ...] = ()
    analysed: str = ""  # OBX-19
    performer: Organisation | None = None  # OBX-23, the subcontractor
    director: Person | None = None  # OBX-25
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportSpecimen:
    """The specimen of the results: SPM."""

    id: EntityId
    type: Code
    filler_id: EntityId | None = None
    role: Code | None = None
    collected: str = ""
    received: str = ""


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """One ordered test with its results: ORC, OBR and what follows."""

    service: Code
    placer: EntityId | None
    filler: EntityId | None
    observations: tuple[Observation, ...]
    status: str = "F"  # OBR-25; ORC-5 follows from it
    control: str = "SC"
    group: EntityId | None = None  # ORC-4
    changed: str = ""  # ORC-9
    prescriber: Person | None = None  # ORC-12 and OBR-16
    collected: str = ""  # OBR-7
    reported: str = ""  # OBR-22
    comments: tuple[Comment, ...] = ()
    specimens: tuple[ReportSpecimen, ...] = ()
    facility: Organisation | None = None  # ORC-21, the laboratory that asked


@dataclass(frozen=True, slots=True)
class Report:
    """One message: the results of one patient."""

    header: Header
    patient: ReportPatient
    orders: tuple[ReportOrder, ...]
