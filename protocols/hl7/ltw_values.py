"""What does the laboratory's information system order? Orders, their specimens and what they say of earlier results."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.datatypes import Code, EntityId, Organisation, Person
from protocols.hl7.er7 import Segment
from protocols.hl7.report import Comment, Header, Observation, ReportOrder, ReportPatient


class Action(Enum):
    """What an order message asks for, for one order."""

    NEW = "new"
    ADD_ON = "add-on"  # another test on a specimen that is already here
    CHANGE = "change"
    CANCEL = "cancel"
    REPLACE = "replace"  # this order gives way to the ones that follow with REPLACEMENT
    REPLACEMENT = "replacement"
    STATUS = "status"  # says how far an order is
    RETURNED = "returned"  # whoever performs gives it back: it will not be done (ILW)
    ADDED = "added"  # whoever performs adds a test, and asks for its number (ILW)
    OTHER = "other"


ANSWERS = {
    Action.NEW: ("OK", "UA"),
    Action.ADD_ON: ("OK", "UA"),
    Action.CHANGE: ("XR", "UX"),
    Action.CANCEL: ("CR", "UC"),
    Action.REPLACE: ("RQ", "UM"),
    Action.REPLACEMENT: ("OK", "UA"),
    Action.STATUS: ("OK", "UA"),
    Action.RETURNED: ("OK", "UA"),
    Action.ADDED: ("NA", "UA"),
    Action.OTHER: ("UA",),
}
"""ORC-1 that may answer each action: done, not done (table 0119)."""


@dataclass(frozen=True, slots=True)
class OrderSpecimen:
    """A specimen of an order and its containers: SPM and SAC, both kept as sent."""

    id: EntityId | None
    type: Code | None = None
    containers: tuple[EntityId, ...] = ()
    filler_id: EntityId | None = None
    parents: tuple[EntityId, ...] = ()
    role: Code | None = None
    collected: str = ""
    received: str = ""
    available: str = ""  # SPM-20
    rejected: tuple[Code, ...] = ()  # SPM-21, table 0490
    condition: tuple[Code, ...] = ()  # SPM-24, table 0493
    observed: tuple[Segment, ...] = field(default=(), compare=False)  # OBX under the SPM, as sent
    spm: Segment | None = field(default=None, compare=False)
    sacs: tuple[Segment, ...] = field(default=(), compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """The numbers on the tubes: the containers', else the specimen's."""
        return tuple(item.id for item in self.containers if item.id) or (
            (self.id.id,) if self.id and self.id.id else ()
        )


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order of a message: ORC, TQ1, OBR and what belongs to them."""

    action: Action
    control: str  # ORC-1 as sent
    service: Code | None
    placer: EntityId | None
    filler: EntityId | None = None
    group: EntityId | None = None
    status: str = ""  # ORC-5
    priority: str = ""  # table 0485 or, before 2.5, 0027
    changed: str = ""
    parent: EntityId | None = None
    prescriber: Person | None = None
    reason: Code | None = None  # ORC-16
    facility: Organisation | None = None  # ORC-21, the laboratory or ward that asks
    collected: str = ""
    clinical: str = ""  # OBR-13
    comments: tuple[Comment, ...] = ()
    answers: tuple[Observation, ...] = ()  # to questions asked at order entry
    specimens: tuple[OrderSpecimen, ...] = ()
    previous: tuple[ReportOrder, ...] = ()  # earlier results, with method and laboratory where they are said
    orc: Segment | None = field(default=None, compare=False)
    obr: Segment | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class OrderPatient:
    """The patient of an order: as he or she may be used, and PID and PV1 whole."""

    patient: ReportPatient  # without an INS that is not qualified
    pid: Segment
    pv1: Segment | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """One order message. ``problems`` are what makes it malformed, for the reply AE."""

    header: Header
    kind: str  # OML^O21, OML^O33, OML^O35, ORM^O01
    orders: tuple[OrderRequest, ...]
    patient: OrderPatient | None = None
    problems: tuple[ErrorDetail, ...] = ()
    msh: Segment | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What is said of one order: its control code (``ANSWERS``), our number and the state."""

    order: OrderRequest
    control: str
    status: str = ""  # ORC-5
    filler: EntityId | None = None
    reason: Code | None = None
    placer: EntityId | None = None  # the number that a test added by the subcontractor is given (NA)
