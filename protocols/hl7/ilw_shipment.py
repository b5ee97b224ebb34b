"""In which box does a tube travel to another laboratory? Its number in SPM-32 or in an OBX under the specimen, with what else is said of the box; written and read.

Uncertain: a guide that claims ILW names both places (LOINC 97209-1, or SPM-32 of HL7 2.7) and neither for the whole box; how many tubes it holds, how cold it
is and who carries it are OBX with codes of our own, which a partner that does not know them can leave. HPRIM has no SPM: there the OBX alone travel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.hl7 import strict
from protocols.hl7.datatypes import EntityId
from protocols.hl7.er7 import Field, Segment
from protocols.hl7.fields import row
from protocols.hl7.ilw_profile import IlwProfile
from protocols.hl7.ltw_values import OrderRequest
from protocols.hl7.report import Observation
from protocols.hl7.values import Numeric, Text

NUMBER = "97209-1"
"""LOINC: what a shipment is found by."""
TUBES, TEMPERATURE, COURIER, TRACKING = "BOX-TUBES", "BOX-TEMPERATURE", "BOX-COURIER", "BOX-TRACKING"
CODES = frozenset({NUMBER, TUBES, TEMPERATURE, COURIER, TRACKING})
"""OBX-3 of what is said of a box: no answers to questions of the test."""
NOT_RECEIVED = "SNR"
"""SPM-24, table 0493: the specimen has not come."""
MOST_TUBES = 100_000


@dataclass(frozen=True, slots=True)
class Shipment:
    """A box as it is said with each tube in it."""

    box: EntityId
    tubes: int | None = None  # how many are in it
    temperature: str = ""  # such as +4
    courier: str = ""
    tracking: str = ""  # the courier's own number


def number_in_spm(one: Shipment | None, profile: IlwProfile) -> Field:
    """SPM-32, for a partner that reads the number there."""
    return one.box.components() if one is not None and profile.shipment == "spm" else None


def shipment_rows(one: Shipment | None, profile: IlwProfile) -> Iterator[list[Field]]:
    """The OBX of a specimen that say in which box it is; none for a partner that is not told. Raises Hl7Error for a box without a number."""
    if one is None or not profile.shipment:
        return
    strict.require("the box of a specimen: its number", one.box.id, "close the box under a number")
    said = [(NUMBER, "Shipment", "LN", one.box.id)] if profile.shipment == "obx" else []
    said += [
        (TUBES, "Tubes in the box", "99LABMW", "" if one.tubes is None else str(one.tubes)),
        (TEMPERATURE, "Temperature of the box", "99LABMW", one.temperature),
        (COURIER, "Courier", "99LABMW", one.courier),
        (TRACKING, "Tracking number of the courier", "99LABMW", one.tracking),
    ]
    for number, (code, name, system, text) in enumerate((item for item in said if item[3]), 1):
        yield row("OBX", {1: str(number), 2: "ST", 3: (code, name, system), 5: text, 11: "F"})


def shipment_of(order: OrderRequest) -> Shipment | None:
    """The box in which the specimen of an order travels, wherever its number stands; None when nothing is said of one."""
    said: dict[str, str] = {}
    for one in order.answers:
        if (code := _code(one)) in CODES:
            said.setdefault(code, _text(one))
    box: EntityId | None = None
    for specimen in order.specimens:
        for obx in specimen.observed:
            code = obx.component(3) if obx.component(3) in CODES else obx.component(3, 4)
            if code in CODES:
                said.setdefault(code, obx.text(5).strip())
        if box is None and specimen.spm is not None:
            box = _number(specimen.spm)
    if box is None and said.get(NUMBER):
        box = EntityId(said[NUMBER])
    if box is None:
        return None
    return Shipment(
        box, _count(said.get(TUBES, "")), said.get(TEMPERATURE, ""), said.get(COURIER, ""), said.get(TRACKING, "")
    )


def is_about_the_box(one: Observation) -> bool:
    """Whether an OBX of an order says something of its box, and answers no question."""
    return _code(one) in CODES


def _number(spm: Segment) -> EntityId | None:
    number = EntityId.read(spm, 32)
    return number if number is not None and number.id.strip() else None


def _code(one: Observation) -> str:
    return one.code.code if one.code.code in CODES else one.code.local_code


def _text(one: Observation) -> str:
    match one.value:
        case Text(text):
            return text.strip()
        case Numeric(number, comparator):
            return f"{comparator}{number:f}"
    return ""


def _count(text: str) -> int | None:
    """How many tubes; None for what is no number of tubes."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 and int(text) <= MOST_TUBES else None
