"""How are the segments of LAW read? SPM, SAC, INV, TCD and OBX into the values of ``law_values``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from protocols.hl7 import values
from protocols.hl7.datatypes import Code, EntityId
from protocols.hl7.er7 import Segment
from protocols.hl7.fields import codes, comments, cut, first, identifiers, numbers, pairs, people
from protocols.hl7.law_times import as_local
from protocols.hl7.law_values import Material, Observation, Specimen, Treatment, Volume
from protocols.hl7.profile import LawProfile

_OBX = frozenset({"OBX"})


def read_specimen(segments: Sequence[Segment], profile: LawProfile, places: Mapping[int, int]) -> Specimen:
    """The specimen of an SPM, and of the SAC, INV and OBX that follow before its first order.

    ``places`` says which segment of the message each one is, by its ``id()``.
    """
    spm = first(segments, "SPM") or Segment("SPM")
    sac = first(segments, "SAC") or Segment("SAC")
    _, results = cut([item for item in segments if item.name in ("OBX", "TCD", "NTE")], _OBX)
    return Specimen(
        id=EntityId.read_inside(spm, 2, 1),
        container=EntityId.read(sac, 3),
        type=Code.read(spm, 4),
        role=Code.read(spm, 11),
        filler_id=EntityId.read_inside(spm, 2, 2),
        parents=pairs(spm, 3),
        collected=as_local(spm.component(17), profile.times_received),
        received=as_local(spm.component(18), profile.times_received),
        container_type=Code.read(spm, 27),
        other_ids=identifiers(spm, 31),
        carrier=sac.component(10),
        position=sac.component(11),
        tray=sac.component(13),
        tray_position=sac.component(14),
        location=Code.read(sac, 15),
        dilution=read_dilution(sac, 29),
        materials=tuple(read_material(item, profile) for item in segments if item.name == "INV"),
        observations=tuple(read_observation(group, profile, places) for group in results),
    )


def read_material(inv: Segment, profile: LawProfile) -> Material:
    """The material of an INV."""
    return Material(
        code=Code.read(inv, 1),
        status=codes(inv, 2),
        type=Code.read(inv, 3),
        container=Code.read(inv, 4),
        carrier=Code.read(inv, 5),
        position=Code.read(inv, 6),
        expiry=as_local(inv.component(12), profile.expiry_received),
        lot=inv.component(16),
    )


def read_treatment(tcd: Segment) -> Treatment:
    """The treatment of a TCD."""
    number, unit = tcd.component(9, 1), tcd.component(9, 2)
    # TCD-9 came after 2.5.1; anything but a plain number with a unit is left in the segment.
    volume = Volume(Decimal(number), unit) if unit and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number) else None
    return Treatment(Code.read(tcd, 1), read_dilution(tcd, 2), Code.read(tcd, 8), volume)


def read_dilution(item: Segment, n: int) -> str:
    """A dilution of type SN in one text, such as 1:10."""
    return "".join(item.component(n, c) for c in range(1, 5))


def read_observation(group: Sequence[Segment], profile: LawProfile, places: Mapping[int, int]) -> Observation:
    """The observation of an OBX and the TCD, INV and NTE after it."""
    obx, behind = group[0], group[1:]
    tcd = first(behind, "TCD")
    run, status, observed, analysed, kind, subtype = obx.values(4, 11, 14, 19, 29, 30)
    return Observation(
        code=Code.read(obx, 3) or Code(""),
        value=values.decode(obx),
        run=run,
        status=status,
        unit=Code.read(obx, 6),
        range=obx.text(7),
        flags=codes(obx, 8),
        observed=as_local(observed, profile.times_received),
        operators=people(obx, 16),
        devices=numbers(obx, 18),
        analysed=as_local(analysed, profile.times_received),
        batch=EntityId.read(obx, 21),
        controls=codes(obx, 28),
        kind=kind,
        subtype=subtype,
        treatment=read_treatment(tcd) if tcd else None,
        materials=tuple([read_material(item, profile) for item in behind if item.name == "INV"]) if behind else (),
        comments=comments(behind) if behind else (),
        place=places.get(id(obx), -1),
    )
