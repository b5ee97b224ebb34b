"""What do the messages of IHE LAW hold? Specimens, analytical work order steps (AWOS) and observations, as frozen values.

Times are HL7 date-times as text, with their offset: nothing here guesses a time zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.datatypes import Code, EntityId, Identifier, Person
from protocols.hl7.er7 import Segment
from protocols.hl7.profile import QueryBy
from protocols.hl7.report import Comment, Header, ReportPatient
from protocols.hl7.values import Value

# --- what all three transactions share ---


@dataclass(frozen=True, slots=True)
class Material:
    """A reagent, calibrator, control or consumable: INV."""

    code: Code | None  # INV-1
    status: tuple[Code, ...] = ()  # table 0383
    type: Code | None = None  # table 0384: CO control, SR and MR reagents, RC reagent calibrator
    container: Code | None = None
    carrier: Code | None = None
    position: Code | None = None
    expiry: str = ""
    lot: str = ""

    @property
    def is_control(self) -> bool:
        """Whether this is a control material."""
        return self.type is not None and self.type.code == "CO"


@dataclass(frozen=True, slots=True)
class Volume:
    """How much of the specimen to use (TCD-9)."""

    number: Decimal
    unit: str  # UCUM


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a test is to be, or was, carried out: TCD."""

    test: Code | None = None
    dilution: str = ""  # 1:10
    repeat: Code | None = None  # TCD-8, table 0389
    volume: Volume | None = None


@dataclass(frozen=True, slots=True)
class Specimen:
    """A specimen and the container it is in: SPM, SAC, and the INV and OBX that belong to them."""

    id: EntityId | None = None  # SPM-2, the placer's; some families leave it empty
    container: EntityId | None = None  # SAC-3; some families leave it empty
    type: Code | None = None  # None is sent as "", unknown
    role: Code | None = None  # table 0369: P patient, Q control, U unknown
    filler_id: EntityId | None = None
    parents: tuple[EntityId, ...] = ()  # of an aliquot or isolate
    collected: str = ""
    received: str = ""
    container_type: Code | None = None
    other_ids: tuple[Identifier, ...] = ()  # SPM-31
    carrier: str = ""
    position: str = ""
    tray: str = ""
    tray_position: str = ""
    location: Code | None = None
    dilution: str = ""  # SAC-29
    materials: tuple[Material, ...] = ()  # a control specimen says here which control it is
    observations: tuple[Observation, ...] = ()  # about the specimen itself

    @property
    def label(self) -> str:
        """The number on the tube: the container's, else the specimen's, else empty."""
        return (self.container.id if self.container else "") or (self.id.id if self.id else "")

    @property
    def control_names(self) -> tuple[str, ...]:
        """The control materials named beside the specimen (INV-1)."""
        return tuple(item.code.code for item in self.materials if item.is_control and item.code)


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation of one run: OBX, and the TCD, INV and NTE after it."""

    code: Code
    value: Value | None
    run: str = ""  # OBX-4: 1, 2 ...; some families write 1.0, 1/2 or nothing
    status: str = "F"  # P on the way, R not a candidate, F candidate, C corrects the same run, X none could be produced
    unit: Code | None = None
    range: str = ""
    flags: tuple[Code, ...] = ()
    observed: str = ""
    operators: tuple[Person, ...] = ()
    devices: tuple[EntityId, ...] = ()  # model, serial number, the vendor's own
    analysed: str = ""
    batch: EntityId | None = None  # OBX-21, x800: the run of the analyzer
    controls: tuple[Code, ...] = ()  # OBX-28, cobas 6800: the controls of the run
    kind: str = ""  # OBX-29: RSLT
    subtype: str = ""  # OBX-30
    treatment: Treatment | None = None
    materials: tuple[Material, ...] = ()  # that contributed: reagents, calibrators, consumables
    comments: tuple[Comment, ...] = ()
    place: int = field(default=-1, compare=False)  # which segment of the message, from 0

    @property
    def supplemental(self) -> str:
        """S_OTHER and the like, when this comes beside the result: serum indices, Ct, pipetting times."""
        code = self.code
        return code.local_code if code.local_system == "IHELAW" and code.local_code.startswith("S_") else ""


# --- LAB-27 ---


@dataclass(frozen=True, slots=True)
class Query:
    """An analyzer asks for work: QBP^Q11. ``by`` is None when the profile does not know the name in QPD-1."""

    header: Header
    name: Code
    by: QueryBy | None
    tag: str = ""
    container: str = ""
    carrier: str = ""
    position: str = ""
    tray: str = ""
    tray_position: str = ""
    location: Code | None = None
    isolate: str = ""
    problem: ErrorDetail | None = None  # why it cannot be served; to be answered AE
    qpd: Segment | None = field(default=None, compare=False)  # as sent: the answer repeats it


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """What the reply to a query says: RSP^K11."""

    header: Header
    code: str  # MSA-1
    control_id: str  # MSH-10 of the query
    tag: str
    status: str  # QAK-2
    name: Code | None
    text: str = ""
    errors: tuple[ErrorDetail, ...] = ()


# --- LAB-28 ---


@dataclass(frozen=True, slots=True)
class Step:
    """One AWOS: a test to be done, or no longer to be done, on one specimen by one analyzer. ORC, TQ1, OBR, TCD, NTE."""

    awos: EntityId | None
    test: Code
    control: str = "NW"  # CA cancels
    when: str = ""  # ORC-9
    priority: Code | None = None  # table 0485
    prescriber: Person | None = None
    treatment: Treatment | None = None
    comments: tuple[Comment, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecimenWork:
    """What is to be done on one specimen."""

    specimen: Specimen
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """Work for an analyzer: OML^O33."""

    header: Header
    specimens: tuple[SpecimenWork, ...]
    patient: ReportPatient | None = None
    problems: tuple[ErrorDetail, ...] = field(default=(), compare=False)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step, in the order of the message."""
        return tuple(step for work in self.specimens for step in work.steps)


@dataclass(frozen=True, slots=True)
class NoWork:
    """There is nothing to do for the specimen that was asked for: the negative query response."""

    header: Header
    specimen: Specimen
    when: str = ""
    reason: Comment | None = None


@dataclass(frozen=True, slots=True)
class StepReply:
    """What the analyzer says of one AWOS."""

    awos: EntityId | None  # None: the family does not repeat it
    control: str  # OK, UA; CR, UC for a cancellation
    status: str = ""  # ORC-5


@dataclass(frozen=True, slots=True)
class SpecimenReply:
    """What the analyzer says of the steps of one specimen."""

    specimen: Specimen | None
    steps: tuple[StepReply, ...]


@dataclass(frozen=True, slots=True)
class WorkReply:
    """The reply to work, or to its absence: ORL^O34."""

    header: Header
    code: str  # MSA-1
    control_id: str  # MSH-10 of the work
    specimens: tuple[SpecimenReply, ...] = ()
    text: str = ""
    errors: tuple[ErrorDetail, ...] = ()

    @property
    def steps(self) -> tuple[StepReply, ...]:
        """Every step reply, in the order of the message."""
        return tuple(step for specimen in self.specimens for step in specimen.steps)


# --- LAB-29 ---


@dataclass(frozen=True, slots=True)
class StepStatus:
    """What became of one AWOS, or of work the analyzer made itself: OBR, ORC and its observations."""

    awos: EntityId | None
    test: Code
    status: str = "CM"  # ORC-5: SC, IP, CM, CA
    control: str = "SC"
    at_analyzer: bool = False  # OBR-2 is the null: no order of ours
    reflex: bool = False  # OBR-11 G: the analyzer decided it
    parents: tuple[EntityId, ...] = ()  # ORC-8 of a reflex
    priority: Code | None = None
    comments: tuple[Comment, ...] = ()
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecimenStatus:
    """What became of the work on one specimen."""

    specimen: Specimen
    steps: tuple[StepStatus, ...]


@dataclass(frozen=True, slots=True)
class StatusChange:
    """Results and states from an analyzer: OUL^R22. ``problems`` are what makes the message malformed, for the reply AE."""

    header: Header
    specimens: tuple[SpecimenStatus, ...]
    patient: ReportPatient | None = None
    problems: tuple[ErrorDetail, ...] = field(default=(), compare=False)

    @property
    def steps(self) -> tuple[StepStatus, ...]:
        """Every step, in the order of the message."""
        return tuple(step for item in self.specimens for step in item.steps)
