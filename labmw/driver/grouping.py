"""To which specimen and order does each observation of an HL7 message belong? The order of the segments says it (2.5.1, chapters 4 and 7).

Two layouts are in the field. Specimen first (OUL^R22, OUL^R21, OML^O33): what stands above an OBX is what it belongs to. Order first (ORU^R01,
ORU^R30, OUL^R24): the specimens stand behind the results of their order, and the next segment is not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.hl7.er7 import Segment

ORC_BEHIND = frozenset({"R22", "R24"})
"""OUL triggers in which ORC stands behind its OBR; everywhere else it opens the order."""


@dataclass(slots=True, eq=False)
class SpecimenGroup:
    """A specimen with its containers, and what the INV behind them says of what is in them."""

    spm: Segment | None = None
    sacs: list[Segment] = field(default_factory=list)
    inventory: list[Segment] = field(default_factory=list)
    number: int = 0  # the how-manieth of the message, from 1

    def segments(self, name: str) -> Sequence[Segment]:
        """The SPM, or every SAC of this specimen."""
        if name == "SAC":
            return self.sacs
        return (self.spm,) if self.spm is not None and name == "SPM" else ()


@dataclass(slots=True, eq=False)
class OrderGroup:
    """An OBR with its ORC and timing, and the specimen above it or the specimens behind it."""

    obr: Segment
    place: int
    patient: int | None
    above: SpecimenGroup | None
    orc: Segment | None = None
    timing: Segment | None = None
    behind: list[SpecimenGroup] = field(default_factory=list)
    observed: bool = False
    treatment: Segment | None = None

    def open(self, name: str) -> Segment | None:
        """The segment of this name that an observation of this order stands under."""
        return {"OBR": self.obr, "ORC": self.orc, "TQ1": self.timing}.get(name)


@dataclass(slots=True, eq=False)
class Observation:
    """An OBX where it stands, with the notes and the substances behind it."""

    obx: Segment
    place: int
    order: OrderGroup | None
    specimen: SpecimenGroup | None  # the one above it
    notes: list[Segment] = field(default_factory=list)
    inventory: list[Segment] = field(default_factory=list)
    treatment: Segment | None = None  # its TCD, or that of its order: how the specimen was treated


@dataclass(slots=True)
class Groups:
    """A message in its groups. Nothing is read here but the names of the segments."""

    behind: bool  # ORC behind OBR
    names: list[str] = field(default_factory=list)
    patients: list[Segment] = field(default_factory=list)
    specimens: list[SpecimenGroup] = field(default_factory=list)
    orders: list[OrderGroup] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    controls: list[tuple[Segment, SpecimenGroup | None]] = field(default_factory=list)  # ORC, the specimen above it
    inventory: list[tuple[str, Segment]] = field(default_factory=list)
    comments: list[tuple[str, Segment]] = field(default_factory=list)
    queries: list[Segment] = field(default_factory=list)
    order_first: bool = False
    _specimen: SpecimenGroup | None = None
    _order: OrderGroup | None = None
    _observation: Observation | None = None
    _orc: Segment | None = None  # an ORC that waits for its OBR
    _after: str = "MSH"

    @classmethod
    def of(cls, segments: Sequence[Segment], code: str, trigger: str) -> Groups:
        """Group the segments of a message of this type."""
        groups = cls(code == "OUL" and trigger in ORC_BEHIND)
        for place, segment in enumerate(segments):
            groups._take(place, segment)
        return groups

    def _take(self, place: int, segment: Segment) -> None:
        name = segment.name
        self.names.append(name)
        match name:
            case "OBX":
                self._take_observation(place, segment)
            case "NTE":
                if self._observation:
                    self._observation.notes.append(segment)
                self.comments.append((self._after, segment))
            case "INV":
                self._take_inventory(segment)
            case "OBR":
                self._open_order(place, segment)
            case "ORC":
                self._take_control(segment)
            case "TQ1":
                if self._order is not None:
                    self._order.timing = self._order.timing or segment
            case "SPM" | "SAC":
                self._take_specimen(segment)
            case "TCD":
                if self._observation is not None:
                    self._observation.treatment = segment
                elif self._order is not None:
                    self._order.treatment = segment
            case "PID":
                self.patients.append(segment)
                self._specimen = self._order = self._observation = self._orc = None
                self._after = "PID"
            case "QPD" | "QRD":
                self.queries.append(segment)
                self._after = name
            case _:
                pass

    def _take_specimen(self, segment: Segment) -> None:
        """SPM opens a specimen; SAC is its container, or opens a specimen of its own where none is open (OUL^R21, OUL^R23)."""
        self._observation = None
        self.order_first = self.order_first or (bool(self.observations or self.orders) and not self.specimens)
        group = self._specimen
        begun = self._order is not None and not self.order_first
        if group is None or begun or (segment.name == "SPM" and group.spm is not None):
            group = SpecimenGroup(number=len(self.specimens) + 1)
            self.specimens.append(group)
            self._specimen = group
            if self.order_first and self._order is not None:
                self._order.behind.append(group)
            else:
                self._order = None
        if segment.name == "SPM":
            group.spm = segment
        else:
            group.sacs.append(segment)
        self._after = f"SPM{group.number}"

    def _take_inventory(self, segment: Segment) -> None:
        if self._observation is not None:
            self._observation.inventory.append(segment)
        elif self._specimen is not None and self._order is None:
            self._specimen.inventory.append(segment)
        self.inventory.append((self._after, segment))

    def _take_control(self, segment: Segment) -> None:
        self.controls.append((segment, None if self.order_first else self._specimen))
        order = self._order
        if self.behind and order is not None and order.orc is None and not order.observed:
            order.orc = segment
            return
        self._orc = segment
        self._close_order()

    def _open_order(self, place: int, segment: Segment) -> None:
        self._close_order()
        above = None if self.order_first else self._specimen
        patient = len(self.patients) - 1 if self.patients else None
        self._order = OrderGroup(segment, place, patient, above, self._orc)
        self._orc = None
        self.orders.append(self._order)
        self._after = f"OBR{len(self.orders)}"

    def _close_order(self) -> None:
        """What follows is another order's: in the order-first layout the specimens behind the last one are not its."""
        self._observation = None
        if self.order_first:
            self._specimen = self._order = None

    def _take_observation(self, place: int, segment: Segment) -> None:
        order, above = self._order, self._specimen
        if self.order_first:
            if order is not None and order.behind and order.observed:
                order = None  # ORU^R01, group SPECIMEN: it tells of the specimen before it, not of the order
            else:
                above = None
        self._observation = Observation(segment, place, order, above)
        self._observation.treatment = order.treatment if order is not None else None
        if order is not None:
            order.observed = True
        self.observations.append(self._observation)
        self._after = f"OBX{len(self.observations)}"

    def specimens_of(self, observation: Observation) -> Sequence[SpecimenGroup]:
        """The specimens that an observation may have been made on: one where the message is clear."""
        order = observation.order
        if observation.specimen is not None:
            return (observation.specimen,)
        if order is not None and order.behind:
            return order.behind
        # one tube, several orders, and the tube named last
        return self.specimens if self.order_first and len(self.specimens) == 1 else ()
