"""What does labmw tell the laboratory's information system? The ORU^R01 of HL7 2.5.1, written strictly and read back.

Layout (IHE LTW, LAB-3, and the LAB-5 of systems that are not IHE): MSH PID PV1 { ORC OBR { NTE } { OBX { NTE } } { SPM } }.

**Released without a human.** A report must say so in words, and a receiver must be able to tell (France: SC.DOC.09.SGL).
HL7 2.5.1 has no field for it, so this is labmw's own convention, on every observation concerned:

* OBX-16, first repetition: ``AUTO^<rule pack>^<version>^^^^^^99LABMW``. It is the first, so that a receiver that reads only
  one observer, or drops comments, shows AUTO and not a person's name;
* OBX-16, second repetition: the biologist under whose responsibility the rules run;
* an NTE directly after the OBX, NTE-2 ``L``, NTE-3 the laboratory's own text, NTE-4 ``AUTO^Automatic release^99LABMW``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocols.errors import Hl7Error
from protocols.hl7 import strict, values
from protocols.hl7.datatypes import Code, EntityId, Identifier, Organisation, Person, PersonName
from protocols.hl7.er7 import Field, Message, Segment, build
from protocols.hl7.report import (
    AutoRelease,
    Comment,
    Header,
    Observation,
    Report,
    ReportOrder,
    ReportPatient,
    ReportSpecimen,
)

__all__ = [
    "AUTO",
    "AutoRelease",
    "Code",
    "Comment",
    "EntityId",
    "Header",
    "Identifier",
    "Observation",
    "Organisation",
    "Person",
    "PersonName",
    "Report",
    "ReportOrder",
    "ReportPatient",
    "ReportSpecimen",
    "oru_r01",
    "read_oru",
]

AUTO = Code("AUTO", "Automatic release", "99LABMW")
"""NTE-4 of the comment that says a result was released without a human; its system also marks OBX-16."""

ORDER_STATUS = {"I": "IP", "P": "A", "F": "CM", "C": "CM", "X": "CA"}
"""ORC-5 for each OBR-25: in process, some results, complete, corrected, cancelled."""

COHERENT = {
    "I": frozenset("IOX"),
    "P": frozenset("IOPRFCX"),
    "F": frozenset("FCDX"),
    "C": frozenset("CFDX"),
    "X": frozenset("XD"),
}
"""OBX-11 that may stand under each OBR-25; U is not for laboratories (LAB-3)."""


def oru_r01(report: Report) -> bytes:
    """The ORU^R01 of a report, in UTF-8, without MLLP.

    Raises: Hl7Error naming the segment and the field for anything that a receiver could misread: no code, a number without
    unit, NaN, a control character, an impossible time, statuses that contradict each other.
    """
    if not report.orders:
        raise Hl7Error("the report has no order: send at least one OBR")
    rows: list[list[Field]] = [
        _msh(report.header),
        _pid(report.patient),
        ["PV1", "1", report.patient.visit_class or "U"],
    ]
    for number, order in enumerate(report.orders, 1):
        rows += _order(number, order)
    for row in rows:
        strict.check_texts(row)
    return build(rows)


def _msh(header: Header) -> list[Field]:
    strict.require("MSH-10", header.control_id, "give every message its own control id")
    strict.check_time("MSH-7", strict.require("MSH-7", header.when, "give the time of sending"))
    sender = [
        header.sending_application,
        header.sending_facility,
        header.receiving_application,
        header.receiving_facility,
    ]
    profile = header.profile.components() if header.profile else None
    row: list[Field] = [
        "MSH",
        None,
        None,
        *sender,
        header.when,
        None,
        ("ORU", "R01", "ORU_R01"),
        header.control_id,
        header.processing,
        "2.5.1",
    ]
    return [*row, None, None, None, None, header.country, "UNICODE UTF-8", None, None, profile]


def _pid(patient: ReportPatient) -> list[Field]:
    if not patient.identifiers or not all(identifier.id for identifier in patient.identifiers):
        raise Hl7Error("PID-3: the patient has no identifier, or an empty one: a result cannot be filed without it")
    if "VALI" not in patient.reliability and any(identifier.type == "INS" for identifier in patient.identifiers):
        raise Hl7Error(
            "PID-3: the INS may only be sent for a qualified identity: set PID-32 to VALI, or leave the INS out"
        )
    strict.check_time("PID-7", patient.birth)
    if patient.sex not in ("", "F", "M", "U", "O", "A", "N"):
        raise Hl7Error(f"PID-8 is {patient.sex!r}: use F, M, U, O, A or N (table 0001)")
    names = patient.names or (PersonName("", type="U"),)  # PID-5 is required: U says that no name is given
    row: list[Field] = [None] * 33
    row[0], row[1] = "PID", "1"
    row[3] = [identifier.components() for identifier in patient.identifiers]
    row[5] = [name.components() for name in names]
    row[7], row[8] = patient.birth, patient.sex
    row[18] = patient.account.components() if patient.account else None
    row[32] = list(patient.reliability)
    return row


def _order(number: int, order: ReportOrder) -> Iterator[list[Field]]:
    place = f"OBR {number}"
    strict.check_code(f"{place}: OBR-4", order.service, with_text=True)
    if not (order.placer and order.placer.id) and not (order.filler and order.filler.id):
        raise Hl7Error(f"{place}: neither OBR-2 nor OBR-3: a result needs the placer's or the filler's order number")
    if order.status not in ORDER_STATUS:
        raise Hl7Error(f"{place}: OBR-25 is {order.status!r}: use one of {', '.join(ORDER_STATUS)}")
    for name, time in (("ORC-9", order.changed), ("OBR-7", order.collected), ("OBR-22", order.reported)):
        strict.check_time(f"{place}: {name}", time)
    placer, filler, group = (item.components() if item else None for item in (order.placer, order.filler, order.group))
    prescriber = order.prescriber.components() if order.prescriber else None
    orc: list[Field] = [
        "ORC",
        order.control,
        placer,
        filler,
        group,
        ORDER_STATUS[order.status],
        None,
        None,
        None,
        order.changed,
    ]
    facility = order.facility.components() if order.facility else None
    yield [*orc, None, None, prescriber, *[None] * 8, facility]
    obr: list[Field] = [None] * 26
    obr[:5] = ["OBR", str(number), placer, filler, order.service.components()]
    obr[7], obr[16], obr[22], obr[25] = order.collected, prescriber, order.reported, order.status
    yield obr
    yield from _notes(order.comments)
    for index, observation in enumerate(order.observations, 1):
        if observation.status not in COHERENT[order.status]:
            raise Hl7Error(
                f"{place}, OBX {index}: OBX-11 {observation.status!r} contradicts OBR-25 {order.status!r}: correct one of them"
            )
        yield obx_row(index, observation)
        yield from _notes((*_auto_note(observation.auto), *observation.comments))
    for index, specimen in enumerate(order.specimens, 1):
        yield _spm(index, specimen)


def obx_row(number: int, result: Observation) -> list[Field]:
    """The OBX of one observation; raises Hl7Error as ``oru_r01`` does."""
    place = f"OBX {number} ({result.code.code or result.code.local_code})"
    strict.check_code(f"{place}: OBX-3", result.code)
    kind: str = ""
    content: Field = None
    if result.value is not None:
        try:
            kind, content = values.encode(result.value)
        except Hl7Error as error:
            raise Hl7Error(f"{place}: OBX-5: {error}") from None
    elif result.status in ("P", "R", "F", "C"):
        raise Hl7Error(
            f"{place}: OBX-5 is empty with status {result.status}: give the value, or status X with a comment"
        )
    if isinstance(result.value, values.Numeric) or result.unit:
        strict.check_unit(f"{place}: OBX-6", result.unit)
    for name, time in (("OBX-14", result.observed), ("OBX-19", result.analysed)):
        strict.check_time(f"{place}: {name}", time)
    row: list[Field] = [None] * 26
    row[:7] = [
        "OBX",
        str(number),
        kind,
        result.code.components(),
        result.sub_id,
        content,
        result.unit.components() if result.unit else None,
    ]
    row[7], row[8], row[11], row[14] = result.range, list(result.flags), result.status, result.observed
    row[15] = result.producer.components() if result.producer else None
    row[16] = [person.components() for person in _observers(place, result)]
    row[17] = result.method.components() if result.method else None
    row[18] = [device.components() for device in result.equipment]
    row[19] = result.analysed
    row[23] = result.performer.components() if result.performer else None
    row[25] = result.director.components() if result.director else None
    return row


def _observers(place: str, result: Observation) -> list[Person]:
    auto = result.auto
    if auto is None:
        return [result.responsible] if result.responsible else []
    if result.responsible:
        raise Hl7Error(f"{place}: both a person and the rules released it: give either responsible or auto")
    if not auto.text.strip() or not auto.pack or not auto.version:
        raise Hl7Error(f"{place}: an automatic release names its text, rule pack and version: fill all three")
    if not auto.responsible.id and not auto.responsible.family:
        raise Hl7Error(f"{place}: an automatic release names the responsible biologist: give the number or the name")
    return [Person(AUTO.code, auto.pack, auto.version, authority=AUTO.system), auto.responsible]


def _auto_note(auto: AutoRelease | None) -> Iterator[Comment]:
    if auto:
        yield Comment(auto.text, "L", AUTO)


def _notes(comments: Iterable[Comment]) -> Iterator[list[Field]]:
    for number, comment in enumerate(comments, 1):
        strict.require(f"NTE {number}: NTE-3", comment.text.strip(), "leave an empty comment out")
        yield ["NTE", str(number), comment.source, comment.text, comment.type.components() if comment.type else None]


def _spm(number: int, specimen: ReportSpecimen) -> list[Field]:
    place = f"SPM {number}"
    strict.require(f"{place}: SPM-2", specimen.id.id, "give the number on the tube")
    strict.check_code(f"{place}: SPM-4", specimen.type)
    for name, time in (("SPM-17", specimen.collected), ("SPM-18", specimen.received)):
        strict.check_time(f"{place}: {name}", time)
    row: list[Field] = [None] * 19
    row[0], row[1] = "SPM", str(number)
    row[2] = (specimen.id.subcomponents(), specimen.filler_id.subcomponents() if specimen.filler_id else None)
    row[4] = specimen.type.components()
    row[11] = specimen.role.components() if specimen.role else None
    row[17], row[18] = specimen.collected, specimen.received
    return row


def read_oru(message: Message) -> Report:
    """The report in an ORU^R01: what ``oru_r01`` writes comes back equal; segments it does not write are passed over.

    Raises: Hl7Error for another type of message, no or several patients, and a result outside an order.
    """
    if (message.code, message.trigger) != ("ORU", "R01"):
        raise Hl7Error(f"{message.header.field(9)!r} is not ORU^R01: read it with the reader of its own type")
    patients = message.all("PID")
    if len(patients) != 1:
        raise Hl7Error(f"{len(patients)} PID segments: a report is about one patient, send one message for each")
    pv1 = message.first("PV1")
    orders: list[ReportOrder] = []
    orc: Segment | None = None
    for group in _groups(message.segments):
        if group[0].name == "OBR":
            orders.append(_read_order(orc, group))
            orc = None
        else:
            orc = group[0]
    return Report(
        _read_header(message.header), _read_patient(patients[0], pv1.component(2) if pv1 else ""), tuple(orders)
    )


def _groups(segments: list[Segment]) -> Iterator[list[Segment]]:
    """Each ORC, and each OBR, with everything up to the next ORC or OBR."""
    group: list[Segment] = []
    for item in segments:
        if item.name in ("ORC", "OBR"):
            if group:
                yield group
            group = [item]
        elif item.name == "OBX" and (not group or group[0].name == "ORC"):
            raise Hl7Error(f"OBX {item.field(1)} stands before its OBR: a result belongs to an order")
        elif group:
            group.append(item)
    if group:
        yield group


def _read_header(msh: Segment) -> Header:
    from_application, from_facility, to_application, to_facility, when, control_id, processing, country = msh.values(
        3, 4, 5, 6, 7, 10, 11, 17
    )
    profile = EntityId.read(msh, 21)
    return Header(
        from_application, from_facility, to_application, to_facility, when, control_id, processing, country, profile
    )


def _read_patient(pid: Segment, visit_class: str) -> ReportPatient:
    identifiers = [Identifier.read(pid, 3, r) for r in _each(pid, 3)]
    names = [PersonName.read(pid, 5, r) for r in _each(pid, 5)]
    return ReportPatient(
        tuple(item for item in identifiers if item),
        tuple(item for item in names if item),
        pid.component(7),
        pid.component(8),
        Identifier.read(pid, 18),
        tuple(pid.component(32, repetition=r) for r in _each(pid, 32)),
        visit_class or "U",
    )


def _read_order(orc: Segment | None, group: list[Segment]) -> ReportOrder:
    obr = group[0]
    comments: list[Comment] = []
    observations: list[Observation] = []
    specimens: list[ReportSpecimen] = []
    notes = comments
    results: list[tuple[Segment, list[Comment]]] = []
    for item in group[1:]:
        if item.name == "OBX":
            notes = []
            results.append((item, notes))
        elif item.name == "NTE":
            text = "\n".join(item.text(3, r) for r in _each(item, 3))
            notes.append(Comment(text, item.component(2), Code.read(item, 4)))
        elif item.name == "SPM":
            specimens.append(_read_specimen(item))
    observations = [_read_observation(obx, found) for obx, found in results]
    common = orc or obr
    return ReportOrder(
        service=Code.read(obr, 4) or Code(""),
        placer=EntityId.read(obr, 2) or EntityId.read(common, 2),
        filler=EntityId.read(obr, 3) or EntityId.read(common, 3),
        observations=tuple(observations),
        status=obr.component(25),
        control=orc.component(1) if orc else "",
        group=EntityId.read(orc, 4) if orc else None,
        changed=orc.component(9) if orc else "",
        prescriber=Person.read(obr, 16),
        facility=Organisation.read(orc, 21) if orc else None,
        collected=obr.component(7),
        reported=obr.component(22),
        comments=tuple(comments),
        specimens=tuple(specimens),
    )


def _read_observation(obx: Segment, notes: list[Comment]) -> Observation:
    observers = [person for person in (Person.read(obx, 16, r) for r in _each(obx, 16)) if person]
    auto = None
    if observers and (observers[0].id, observers[0].authority) == (AUTO.code, AUTO.system):
        said = [note for note in notes if note.type == AUTO]
        notes = [note for note in notes if note.type != AUTO]
        responsible = observers[1] if len(observers) > 1 else Person("")
        auto = AutoRelease("\n".join(note.text for note in said), observers[0].family, observers[0].given, responsible)
    equipment = [EntityId.read(obx, 18, r) for r in _each(obx, 18)]
    return Observation(
        code=Code.read(obx, 3) or Code(""),
        value=values.decode(obx),
        unit=Code.read(obx, 6),
        status=obx.component(11),
        sub_id=obx.component(4),
        range=obx.text(7),
        flags=tuple(obx.component(8, repetition=r) for r in _each(obx, 8)),
        observed=obx.component(14),
        producer=Code.read(obx, 15),
        responsible=observers[0] if observers and not auto else None,
        auto=auto,
        method=Code.read(obx, 17),
        equipment=tuple(item for item in equipment if item),
        analysed=obx.component(19),
        performer=Organisation.read(obx, 23),
        director=Person.read(obx, 25),
        comments=tuple(notes),
    )


def _read_specimen(spm: Segment) -> ReportSpecimen:
    return ReportSpecimen(
        EntityId.read_inside(spm, 2, 1) or EntityId(""),
        Code.read(spm, 4) or Code(""),
        EntityId.read_inside(spm, 2, 2),
        Code.read(spm, 11),
        spm.component(17),
        spm.component(18),
    )


def _each(segment: Segment, n: int) -> range:
    return range(1, len(segment.repetitions(n)) + 1)
