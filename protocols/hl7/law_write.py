"""How are the segments of LAW written? The values of ``law_values`` into SPM, SAC, INV, TCD and OBX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from protocols.errors import Hl7Error
from protocols.hl7 import strict, values
from protocols.hl7.datatypes import EntityId
from protocols.hl7.er7 import NULL, Field, Raw
from protocols.hl7.fields import coded, notes, numbered, row
from protocols.hl7.law_times import as_sent
from protocols.hl7.law_values import Material, Observation, Specimen, Treatment
from protocols.hl7.profile import LawProfile, SpecimenForm
from protocols.hl7.report import ReportPatient
from protocols.hl7.values import Unread

Rows = list[list[Field]]
_DILUTION = re.compile(
    r"(<=|>=|<>|<|>)?([0-9]{0,9}(?:\.[0-9]{1,9})?)(?:([-:/+])([0-9]{1,9}(?:\.[0-9]{1,9})?))?", re.ASCII
)


def null() -> Raw:
    """The field that says: there is none, or it is unknown."""
    return Raw(NULL)


def patient_rows(patient: ReportPatient | None) -> Rows:
    """PID and PV1 for an analyzer: who it is, and nothing about the stay.

    Raises: Hl7Error for an INS: an analyzer needs none, and it may only leave with a qualified identity (PID-32 VALI).
    """
    if patient is None:
        return []
    if any(item.type == "INS" for item in patient.identifiers):
        raise Hl7Error("PID-3: the INS is not sent to analyzers: give the laboratory's own identifier")
    strict.check_time("PID-7", patient.birth)
    pid = row(
        "PID",
        {
            3: [item.components() for item in patient.identifiers],
            5: [name.components() for name in patient.names],
            7: patient.birth,
            8: patient.sex,
        },
    )
    return [pid, row("PV1", {2: patient.visit_class or "U"})]


def specimen_row(number: int, specimen: Specimen, profile: LawProfile) -> list[Field]:
    """SPM."""
    times = [as_sent(time, profile.times_sent) for time in (specimen.collected, specimen.received)]
    for place, time in zip(("SPM-17", "SPM-18"), times, strict=True):
        strict.check_time(place, time)
    own, filler = _specimen_id(specimen.id, profile), specimen.filler_id
    return row(
        "SPM",
        {
            1: str(number) if profile.set_ids else None,
            2: (own, filler.subcomponents() if filler else None),
            3: [(parent.subcomponents(),) for parent in specimen.parents],
            4: specimen.type.components() if specimen.type else null(),
            11: coded(specimen.role),
            17: times[0],
            18: times[1],
            27: coded(specimen.container_type),
            31: [item.components() for item in specimen.other_ids],
        },
    )


def _specimen_id(number: EntityId | None, profile: LawProfile) -> tuple[str, ...] | None:
    match profile.specimen_form:
        case SpecimenForm.EMPTY:
            return None
        case SpecimenForm.PLAIN:
            return (number.id,) if number else None
        case SpecimenForm.NAMED:
            if number is None:
                return None
            id_, authority, *universal = number.subcomponents()
            return (id_, authority or profile.namespace, *universal)


def container_row(specimen: Specimen, profile: LawProfile) -> list[Field]:
    """SAC."""
    return row(
        "SAC",
        {
            3: numbered(specimen.container) if profile.container_in_sac else None,
            10: specimen.carrier,
            11: specimen.position,
            13: specimen.tray,
            14: specimen.tray_position,
            15: coded(specimen.location),
            29: dilution(specimen.dilution),
        },
    )


def dilution(text: str) -> Field:
    """A dilution such as 1:10 as SN.

    Raises: Hl7Error when it is no ratio.
    """
    if not text:
        return None
    match = _DILUTION.fullmatch(text)
    if not match:
        raise Hl7Error(f"{text!r} is no dilution: write it as 1:10")
    return match.groups("")


def material_rows(materials: Iterable[Material]) -> Rows:
    """INV."""
    made = []
    for item in materials:
        strict.check_time("INV-12", item.expiry)
        cells: dict[int, Field] = {
            1: coded(item.code),
            2: [code.components() for code in item.status],
            3: coded(item.type),
        }
        cells |= {
            4: coded(item.container),
            5: coded(item.carrier),
            6: coded(item.position),
            12: item.expiry,
            16: item.lot,
        }
        made.append(row("INV", cells))
    return made


def treatment_row(treatment: Treatment, profile: LawProfile) -> list[Field]:
    """TCD; the volume only where the analyzer understands it."""
    volume: Field = None
    if treatment.volume and profile.volume_field:
        volume = (f"{treatment.volume.number:f}", (treatment.volume.unit, "", "UCUM"))
    repeat = coded(treatment.repeat)
    return row("TCD", {1: coded(treatment.test), 2: dilution(treatment.dilution), 8: repeat, 9: volume})


def observation_rows(observations: Sequence[Observation], profile: LawProfile) -> Rows:
    """OBX, and the TCD, INV and NTE after each, numbered from 1."""
    made: Rows = []
    for number, item in enumerate(observations, 1):
        made.append(_obx(number, item, profile))
        if item.treatment:
            made.append(treatment_row(item.treatment, profile))
        made += material_rows(item.materials)
        made += notes(item.comments)
    return made


def _obx(number: int, item: Observation, profile: LawProfile) -> list[Field]:
    kind, content = _value(item)
    for place, time in (("OBX-14", item.observed), ("OBX-19", item.analysed)):
        strict.check_time(f"OBX {number}: {place}", time)
    return row(
        "OBX",
        {
            1: str(number),
            2: kind,
            3: item.code.components(),
            4: item.run,
            5: content,
            6: coded(item.unit),
            7: item.range,
            8: [flag.components() for flag in item.flags],
            11: item.status,
            14: as_sent(item.observed, profile.times_sent),
            16: [person.components() for person in item.operators],
            18: [device.components() for device in item.devices],
            19: as_sent(item.analysed, profile.times_sent),
            21: numbered(item.batch),
            28: [code.components() for code in item.controls],
            29: item.kind,
            30: item.subtype,
        },
    )


def _value(item: Observation) -> tuple[str, Field]:
    if item.value is None:
        return "", None
    if isinstance(item.value, Unread):
        # Times, entity ids and what else has no value of its own here: written as it was read, in the standard separators.
        if any(character in item.value.field for character in "|\r\n"):
            raise Hl7Error(f"OBX-5 {item.value.field[:40]!r} holds a separator: escape it")
        return item.value.type, Raw(item.value.field)
    return values.encode(item.value)
