"""LAB-29: what became of an analyzer's work? OUL^R22, both ways: results, reruns, reflex tests, controls, states."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.errors import Hl7Error
from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.datatypes import Code, EntityId
from protocols.hl7.er7 import Field, Message, Segment
from protocols.hl7.fields import coded, comments, cut, first, notes, numbered, pairs, row
from protocols.hl7.law_read import read_observation, read_specimen
from protocols.hl7.law_values import SpecimenStatus, StatusChange, StepStatus
from protocols.hl7.law_write import (
    Rows,
    container_row,
    material_rows,
    null,
    observation_rows,
    patient_rows,
    specimen_row,
)
from protocols.hl7.patient import read_patient
from protocols.hl7.profile import GENERIC, LawProfile

_SPM, _OBX = frozenset({"SPM"}), frozenset({"OBX"})


def read_status(message: Message, profile: LawProfile = GENERIC) -> StatusChange:
    """What an analyzer reports. What makes the message malformed is in ``problems``, and the rest is read all the same.

    The order of ORC and OBR is taken as the sender has it, and a missing AWOS id in OBR-2 is looked for in ORC-2.
    Raises: Hl7Error when the message is no OUL^R22.
    """
    envelope.expect(message, "OUL", "R22")
    segments = message.segments
    places = {id(item): place for place, item in enumerate(segments)}
    head, parts = cut(segments, _SPM)
    problems: list[ErrorDetail] = []
    if not parts:
        problems.append(ErrorDetail("100", "SPM is missing", Location("SPM")))
    if any(item.name in ("OBR", "OBX") for item in head):
        problems.append(ErrorDetail("100", "A result stands before its SPM", Location("OBR")))
        parts = [head, *parts]
    specimens = tuple(_read_part(part, profile, places, problems) for part in parts)
    pid = first(head, "PID")
    patient = read_patient(pid, first(head, "PV1")) if pid else None
    return StatusChange(envelope.read_header(message.header), specimens, patient, tuple(problems))


def _read_part(
    part: Sequence[Segment], profile: LawProfile, places: dict[int, int], problems: list[ErrorDetail]
) -> SpecimenStatus:
    # LAW has OBR before ORC; some senders turn them round. Which of them comes first decides for the whole specimen.
    opening = next((item.name for item in part if item.name in ("OBR", "ORC")), "OBR")
    about, orders = cut(part, frozenset({opening}))
    specimen = read_specimen(about, profile, places)
    if not orders:
        problems.append(ErrorDetail("100", "OBR is missing", Location("OBR")))
    return SpecimenStatus(specimen, tuple(_read_step(order, profile, places, problems) for order in orders))


def _read_step(
    order: Sequence[Segment], profile: LawProfile, places: dict[int, int], problems: list[ErrorDetail]
) -> StepStatus:
    head, results = cut(order, _OBX)
    named = {item.name: item for item in reversed(head)}  # the first of each name
    if "OBR" not in named:
        problems.append(ErrorDetail("100", "OBR is missing", Location("ORC")))
    obr, orc, tq1 = named.get("OBR") or Segment("OBR"), named.get("ORC") or Segment("ORC"), named.get("TQ1")
    at_analyzer = obr.is_null(2)
    return StepStatus(
        awos=None if at_analyzer else EntityId.read(obr, 2) or EntityId.read(orc, 2),
        test=Code.read(obr, 4) or Code(""),
        status=orc.component(5),
        control=orc.component(1),
        at_analyzer=at_analyzer,
        reflex=obr.component(11) == "G",
        parents=pairs(orc, 8),
        priority=Code.read(tq1, 9) if tq1 else None,
        comments=comments(head) if "NTE" in named else (),
        observations=tuple([read_observation(group, profile, places) for group in results]),
    )


def write_status(change: StatusChange, profile: LawProfile = GENERIC) -> bytes:
    """The OUL^R22 of an analyzer.

    Raises: Hl7Error for no specimen, a specimen without step, and what the fields cannot carry.
    """
    if not change.specimens:
        raise Hl7Error("no specimen: an OUL^R22 reports on at least one")
    msh = envelope.msh(
        change.header,
        ("OUL", "R22", "OUL_R22"),
        accept=profile.accept,
        application=profile.application,
        version=profile.version,
        charset=profile.charset,
        profile=profile.transaction("LAB-29"),
    )
    rows: Rows = [msh, *patient_rows(change.patient)[:1]]
    for number, item in enumerate(change.specimens, 1):
        if not item.steps:
            raise Hl7Error(f"SPM {number}: no step: leave the specimen out")
        rows.append(specimen_row(number, item.specimen, profile))
        rows += observation_rows(item.specimen.observations, profile)
        rows += [container_row(item.specimen, profile), *material_rows(item.specimen.materials)]
        for step in item.steps:
            rows += _step(step, profile)
    return envelope.seal(rows, ascii_text=profile.ascii_text)


def _step(step: StepStatus, profile: LawProfile) -> Rows:
    awos: Field = null() if step.at_analyzer else numbered(step.awos)
    parents: Field = [(parent.subcomponents(),) for parent in step.parents]
    rows = [
        row("OBR", {2: awos, 4: step.test.components(), 11: "G" if step.reflex else None}),
        row("ORC", {1: step.control, 5: step.status, 8: parents}),
    ]
    rows += notes(step.comments)
    if step.priority:
        rows.append(row("TQ1", {9: coded(step.priority)}))
    return rows + observation_rows(step.observations, profile)
