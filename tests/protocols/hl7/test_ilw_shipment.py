"""The box of a specimen: written in both places, read from both, through HPRIM too, and whatever is said in its place does no harm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from protocols.errors import Hl7Error
from protocols.hl7 import check, ilw
from protocols.hl7.datatypes import Code, EntityId, Organisation, Person
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.report import Header
from protocols.hprim import parse
from protocols.hprim_hl7 import to_hl7, to_hprim

HEADER = Header("LABMW", "A", "SPE", "B", "20260315142501+0100", "RQ-1", country="FRA")
PID = Segment("PID|||PAT1^^^A^PI||DUPONT^Léa^^^^^L||19850412|F")
BOX = ilw.Shipment(EntityId("SPE-20260315-1", "A"), 3, "+4", "Transports D", "1Z^9|&")
TUBE = ilw.SentSpecimen(EntityId("T1", "A"), Code("SER", "Serum", "HL70487"), shipment=BOX)
ASKED = ilw.SubOrder(
    "NW", EntityId("SO1", "A"), Code("1742-6", "ALAT", "LN"), facility=Organisation("LABO"), specimen=TUBE, group=EntityId("G1", "A"),
    prescriber=Person("801234567866", "DURAND", "Paul"), changed="20260315142500+0100",
)  # fmt: skip


def said(profile: ilw.IlwProfile, asked: ilw.SubOrder = ASKED) -> Message:
    return Message.parse(ilw.write_sub_orders(HEADER, PID, [asked], profile))


@pytest.mark.parametrize("where", ["obx", "spm", ""])
def test_it_comes_back_from_either_place(where: str) -> None:
    profile = replace(ilw.ILW_GENERIC, shipment=where)
    message = said(profile)
    [read] = ilw.read_sub_orders(message, profile).orders
    found = ilw.shipment_of(read)
    expected = replace(BOX, box=EntityId(BOX.box.id, "A" if where == "spm" else ""))
    assert found == (expected if where else None)
    assert read.answers == ()
    assert check.sound(check.check(message, "ilw"))


def test_it_comes_back_through_hprim() -> None:
    back = to_hl7(parse(to_hprim(said(ilw.ILW_GENERIC).raw, "A.HPR")))
    [read] = ilw.read_sub_orders(back).orders
    assert ilw.shipment_of(read) == replace(BOX, box=EntityId(BOX.box.id))


def test_a_box_without_a_number_is_not_said() -> None:
    with pytest.raises(Hl7Error, match="box"):
        said(ilw.ILW_GENERIC, replace(ASKED, specimen=replace(TUBE, shipment=ilw.Shipment(EntityId("")))))


@pytest.mark.parametrize("count", ["", "x", "-1", "1.5", "9999999", "١٢"])
def test_what_is_no_number_of_tubes_is_none(count: str) -> None:
    raw = (
        said(ilw.ILW_GENERIC)
        .raw.decode()
        .replace("|3|||||", f"|{count}|||||")
        .replace("99LABMW||3", f"99LABMW||{count}")
    )
    [read] = ilw.read_sub_orders(Message.parse(raw.encode())).orders
    found = ilw.shipment_of(read)
    assert found is not None
    assert found.tubes is None


@given(some.text(some.characters(exclude_categories=("Cs", "Cc")), max_size=30))
def test_whatever_stands_there_is_a_text(text: str) -> None:
    asked = replace(ASKED, specimen=replace(TUBE, shipment=replace(BOX, temperature=text)))
    try:
        message = said(ilw.ILW_GENERIC, asked)
    except Hl7Error:
        return
    [read] = ilw.read_sub_orders(message).orders
    found = ilw.shipment_of(read)
    assert found is not None
    assert found.temperature == text.strip()
