"""LAB-35: which sub-orders does a laboratory send to another, and what is said of them? OML^O21 written; O21, O33 and O35 read (IHE ILW).

Both laboratories send LAB-35: the requester new, cancelled and replaced sub-orders, the subcontractor how far they are and what it gives back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from protocols.errors import Hl7Error
from protocols.hl7 import envelope, strict
from protocols.hl7.datatypes import Code, EntityId, Organisation, Person
from protocols.hl7.er7 import Field, Message, Segment, build
from protocols.hl7.fields import coded, notes, numbered, row
from protocols.hl7.ilw_profile import ILW_GENERIC, IlwProfile
from protocols.hl7.ilw_shipment import Shipment, number_in_spm, shipment_rows
from protocols.hl7.ltw_orders import read_orders
from protocols.hl7.ltw_values import Action, Orders
from protocols.hl7.messages import obx_row
from protocols.hl7.pid import restated
from protocols.hl7.profile import LtwProfile
from protocols.hl7.report import Comment, Header, Observation


@dataclass(frozen=True, slots=True)
class SentSpecimen:
    """The tube that goes along: SPM and SAC."""

    id: EntityId
    type: Code
    parent: EntityId | None = None  # SPM-3, when this is an aliquot
    volume: Decimal | None = None  # SPM-12
    volume_unit: str = "mL"
    collected: str = ""
    received: str = ""  # SPM-18, at the requester
    available: str = ""  # SPM-20: N, it cannot be used
    rejected: tuple[Code, ...] = ()  # SPM-21, table 0490
    condition: tuple[Code, ...] = ()  # SPM-24, table 0493: SNR, it has not come
    shipment: Shipment | None = None  # the box in which it travels


@dataclass(frozen=True, slots=True)
class SubOrder:
    """One sub-order as it is said: ORC, TQ1, OBR and what belongs to them."""

    control: str  # ORC-1
    placer: EntityId | None
    service: Code
    filler: EntityId | None = None
    group: EntityId | None = None  # ORC-4: ties the sub-orders of one request
    status: str = ""  # ORC-5
    changed: str = ""  # ORC-9
    prescriber: Person | None = None
    facility: Organisation | None = None  # ORC-21: the laboratory that asks, required across organisations
    reason: Code | None = None  # ORC-16
    parent: EntityId | None = None  # ORC-8: the order a reflex comes from
    priority: str = "R"
    collected: str = ""
    comments: tuple[Comment, ...] = ()
    answers: tuple[Observation, ...] = ()  # to the questions of the catalogue, and documents such as the prescription
    specimen: SentSpecimen | None = None


def write_sub_orders(
    header: Header,
    pid: Segment,
    sub_orders: Sequence[SubOrder],
    profile: IlwProfile = ILW_GENERIC,
    *,
    visit_class: str = "U",
    payor: Sequence[Segment] = (),
) -> bytes:
    """The OML^O21 that says these sub-orders of one patient, in UTF-8. PID and `payor` (IN1, IN2, IN3) go as they are given.

    Raises: Hl7Error for what a partner could misread: no number, no code, a missing laboratory, an impossible time.
    """
    if not sub_orders:
        raise Hl7Error("the message has no sub-order: send at least one")
    rows: list[list[Field]] = [envelope.msh(header, ("OML", "O21", "OML_O21"))]
    visit: list[list[Field]] = [["PV1", "1", visit_class]]
    orders = [item for number, one in enumerate(sub_orders, 1) for item in _rows(number, one, profile)]
    for item in (*rows, *visit, *orders):
        strict.check_texts(item)
    for insurance in payor:
        if any(ord(character) < 32 for character in insurance.line):
            raise Hl7Error(f"{insurance.name} holds a control character: the LIS must send the order again")
    return build([*rows, pid, *visit, *payor, *orders])


def payor_of(message: Message) -> tuple[Segment, ...]:
    """The insurance of a message of orders, as it came, in the standard separators; none where it says none."""
    return tuple(restated(item) for item in message.segments if item.name in ("IN1", "IN2", "IN3"))


def _rows(number: int, one: SubOrder, profile: IlwProfile) -> Iterator[list[Field]]:
    place = f"ORC {number}"
    strict.require(f"{place}: ORC-1", one.control, "say what is to be done")
    if not (one.placer and one.placer.id) and one.control not in ("SN", "SC", "OC"):
        raise Hl7Error(f"{place}: ORC-2 is empty: a sub-order has the requester's number")
    if one.facility is None:
        raise Hl7Error(f"{place}: ORC-21 is empty: across organisations the laboratory that asks is named")
    strict.check_code(f"{place}: OBR-4", one.service, with_text=True)
    for name, time in (("ORC-9", one.changed), ("OBR-7", one.collected)):
        strict.check_time(f"{place}: {name}", time)
    prescriber = one.prescriber.components() if one.prescriber else None
    parent: Field = (one.parent.subcomponents(),) if one.parent else None
    yield row(
        "ORC",
        {
            1: one.control,
            2: numbered(one.placer),
            3: numbered(one.filler),
            4: numbered(one.group),
            5: one.status,
            8: parent,
            9: one.changed,
            12: prescriber,
            16: coded(one.reason),
            21: one.facility.components(),
        },
    )
    if one.control in ("NW", "RO"):
        yield row("TQ1", {1: "1", 9: (one.priority, "", "HL70485")})
    yield row(
        "OBR",
        {
            1: str(number),
            2: numbered(one.placer),
            3: numbered(one.filler),
            4: one.service.components(),
            7: one.collected,
            16: prescriber,
        },
    )
    yield from notes(one.comments, "P")
    for count, answer in enumerate(one.answers, 1):
        yield obx_row(count, answer)
    if one.specimen is not None:
        yield from _specimen(place, one.specimen, profile)


def _specimen(place: str, one: SentSpecimen, profile: IlwProfile) -> Iterator[list[Field]]:
    strict.require(f"{place}: SPM-2", one.id.id, "give the number on the tube that is sent")
    strict.check_code(f"{place}: SPM-4", one.type)
    for name, time in (("SPM-17", one.collected), ("SPM-18", one.received)):
        strict.check_time(f"{place}: {name}", time)
    volume: Field = None
    if one.volume is not None:
        volume = (f"{one.volume:f}", (one.volume_unit, "", "UCUM"))
    yield row(
        "SPM",
        {
            1: "1",
            2: (one.id.subcomponents(),),
            3: (one.parent.subcomponents(),) if one.parent else None,
            4: one.type.components(),
            12: volume,
            17: one.collected,
            18: one.received,
            20: one.available,
            21: [item.components() for item in one.rejected],
            24: [item.components() for item in one.condition],
            32: number_in_spm(one.shipment, profile),
        },
    )
    yield from shipment_rows(one.shipment, profile)
    yield row("SAC", {3: one.id.id})


def read_sub_orders(message: Message, profile: IlwProfile = ILW_GENERIC) -> Orders:
    """What a message says of sub-orders: see ``read_orders``; what is not well formed is in ``problems``.

    Raises: Hl7Error when the message is no order message.
    """
    read = read_orders(message, LtwProfile("ilw", cancels=profile.cancels))
    given: dict[str, Action] = dict.fromkeys(profile.returns, Action.RETURNED)
    given |= dict.fromkeys(profile.adds, Action.ADDED)
    orders = tuple(replace(one, action=given.get(one.control, one.action)) for one in read.orders)
    problems = tuple(item for item in read.problems if not _may_lack(item.text, orders))
    return replace(read, orders=orders, problems=problems)


def _may_lack(text: str, orders: Sequence[object]) -> bool:
    """A test that the subcontractor adds has no number of the requester yet: that is what it asks for."""
    return text.startswith("The order has no number") and all(
        getattr(one, "action", None) is Action.ADDED for one in orders
    )
