"""LAB-28: what is an analyzer to do, or not to do? OML^O33, both ways, and the negative query response."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.errors import Hl7Error
from protocols.hl7 import envelope, strict
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.datatypes import Code, EntityId, Person
from protocols.hl7.er7 import Field, Message, Segment
from protocols.hl7.fields import coded, comments, cut, first, notes, row
from protocols.hl7.law_read import read_specimen, read_treatment
from protocols.hl7.law_times import as_local, as_sent
from protocols.hl7.law_values import NoWork, SpecimenWork, Step, Work
from protocols.hl7.law_write import Rows, container_row, material_rows, null, patient_rows, specimen_row, treatment_row
from protocols.hl7.patient import read_patient
from protocols.hl7.profile import GENERIC, LawProfile
from protocols.hl7.report import Header

_SPM, _ORC = frozenset({"SPM"}), frozenset({"ORC"})
_CONTROLS = ("NW", "CA")


def write_work(work: Work, profile: LawProfile = GENERIC) -> bytes:
    """The OML^O33 that gives an analyzer new work, or cancels work (ORC-1 CA) under the same AWOS id.

    Raises: Hl7Error for no specimen, a specimen without label or step, a step without AWOS id or test code, another control
    code, and one AWOS id twice: an analyzer refuses an id that it has seen (LAB28-006).
    """
    if not work.specimens:
        raise Hl7Error("no specimen: an OML^O33 without work is the negative query response, see write_no_work")
    rows = [_msh(work.header, profile), *patient_rows(work.patient)]
    seen: set[tuple[str, ...]] = set()
    for number, item in enumerate(work.specimens, 1):
        if not item.specimen.label:
            raise Hl7Error(f"SPM {number}: neither specimen nor container has a number: give the one on the tube")
        if not item.steps:
            raise Hl7Error(f"SPM {number} ({item.specimen.label}): no step: leave the specimen out")
        rows += [specimen_row(number, item.specimen, profile), container_row(item.specimen, profile)]
        if profile.control_in_order:
            rows += material_rows(material for material in item.specimen.materials if material.is_control)
        for step in item.steps:
            if step.awos is None or not step.awos.id:
                raise Hl7Error(f"OBR-2 of {step.test.code} is empty: every step needs its AWOS id")
            if step.awos.components() in seen:
                raise Hl7Error(f"OBR-2 {step.awos.id} stands twice: every step needs its own AWOS id")
            seen.add(tuple(str(part) for part in step.awos.components()))
            rows += _step(step, profile)
    return envelope.seal(rows, ascii_text=profile.ascii_text)


def _msh(header: Header, profile: LawProfile) -> list[Field]:
    return envelope.msh(
        header,
        ("OML", "O33", "OML_O33"),
        accept=profile.accept,
        application=profile.application,
        version=profile.version,
        charset=profile.charset,
        profile=profile.transaction("LAB-28"),
    )


def _step(step: Step, profile: LawProfile) -> Rows:
    if step.control not in _CONTROLS:
        raise Hl7Error(f"ORC-1 is {step.control!r}: NW gives work, CA cancels it, DC is for write_no_work")
    strict.check_code(f"OBR-4 of {step.awos.id if step.awos else '-'}", step.test)
    strict.check_time("ORC-9", step.when)
    rows = [row("ORC", {1: step.control, 9: as_sent(step.when, profile.times_sent)})]
    if step.priority:
        rows.append(row("TQ1", {9: step.priority.components()}))
    awos: Field = step.awos.components() if step.awos else null()
    prescriber: Field = step.prescriber.components() if step.prescriber else None
    rows.append(row("OBR", {2: awos, 4: step.test.components(), 16: prescriber}))
    if step.treatment:
        rows.append(treatment_row(step.treatment, profile))
    return rows + notes(step.comments, profile.note_source)


def write_no_work(nothing: NoWork, profile: LawProfile = GENERIC) -> bytes:
    """The negative query response: MSH, SPM, SAC, ORC with DC, and nothing else (LAB28-001), but for a reason if one is given.

    Raises: Hl7Error when the specimen that was asked for is not named.
    """
    specimen = nothing.specimen
    if not specimen.label and not specimen.carrier and not specimen.tray:
        raise Hl7Error("SAC-3 is empty: repeat the container, rack or tray that was asked for")
    strict.check_time("ORC-9", nothing.when)
    id_ = specimen_row(1, specimen, profile)[2] if specimen.id else None
    role = specimen.role or Code(profile.unknown_role, "Unknown", "HL70369")
    spm = row("SPM", {1: "1", 2: id_, 4: coded(specimen.type) or null(), 11: role.components()})
    rows = [_msh(nothing.header, profile), spm, container_row(specimen, profile)]
    rows.append(row("ORC", {1: "DC", 9: as_sent(nothing.when, profile.times_sent)}))
    if nothing.reason:
        rows += notes([nothing.reason], profile.note_source)
    return envelope.seal(rows, ascii_text=profile.ascii_text)


def read_work(message: Message, profile: LawProfile = GENERIC) -> Work | NoWork:
    """What the analyzer manager wants done, as the analyzer's side; what makes the message malformed is in ``problems``.

    Raises: Hl7Error when the message is no OML^O33.
    """
    envelope.expect(message, "OML", "O33")
    header = envelope.read_header(message.header)
    head, parts = cut(message.segments, _SPM)
    pid, problems = first(head, "PID"), list[ErrorDetail]()
    if not parts:
        problems.append(ErrorDetail("100", "SPM is missing", Location("SPM")))
    specimens = []
    for number, part in enumerate(parts, 1):
        about, orders = cut(part, _ORC)
        specimen = read_specimen(about, profile, {})
        if len(parts) == 1 and len(orders) == 1 and orders[0][0].component(1) == "DC":
            reason = comments(orders[0])
            when = as_local(orders[0][0].component(9), profile.times_received)
            return NoWork(header, specimen, when, reason[0] if reason else None)
        if not orders:
            problems.append(ErrorDetail("100", "ORC is missing", Location("SPM", number)))
        specimens.append(SpecimenWork(specimen, tuple(_read_step(order, profile, problems) for order in orders)))
    patient = read_patient(pid, first(head, "PV1")) if pid else None
    return Work(header, tuple(specimens), patient, tuple(problems))


def _read_step(order: Sequence[Segment], profile: LawProfile, problems: list[ErrorDetail]) -> Step:
    orc, tq1, obr, tcd = (first(order, name) for name in ("ORC", "TQ1", "OBR", "TCD"))
    control, when = orc.values(1, 9) if orc else ("", "")
    awos = EntityId.read(obr, 2) if obr else None
    test = Code.read(obr, 4) if obr else None
    if awos is None:
        problems.append(ErrorDetail("101", "OBR-2, the AWOS id, is missing", Location("OBR", 1, 2)))
    if test is None:
        problems.append(ErrorDetail("101", "OBR-4, the test, is missing", Location("OBR", 1, 4)))
    return Step(
        awos=awos,
        test=test or Code(""),
        control=control,
        when=as_local(when, profile.times_received),
        priority=Code.read(tq1, 9) if tq1 else None,
        prescriber=Person.read(obr, 16) if obr else None,
        treatment=read_treatment(tcd) if tcd else None,
        comments=comments(order),
    )
