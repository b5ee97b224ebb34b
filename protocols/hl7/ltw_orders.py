"""LAB-1 and LAB-4: what is ordered? OML^O21, OML^O33, OML^O35 and the older ORM^O01, read into orders.

Each order is read as what it will become: a report without results. Its segments are put into the order of an ORU^R01 and
read by the reader of reports, and so are the previous results that some systems send with an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from protocols.errors import Hl7Error
from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.adt import usable
from protocols.hl7.datatypes import Code, EntityId, Organisation, Person
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.fields import codes, pairs
from protocols.hl7.grammar import Group, match
from protocols.hl7.ltw_values import Action, OrderPatient, OrderRequest, Orders, OrderSpecimen
from protocols.hl7.messages import read_oru
from protocols.hl7.patient import read_patient
from protocols.hl7.profile import LTW_GENERIC, LtwProfile
from protocols.hl7.report import Report, ReportOrder

KINDS = {("OML", "O21"): "OML_O21", ("OML", "O33"): "OML_O33", ("OML", "O35"): "OML_O35", ("ORM", "O01"): "ORM_O01"}
_ACTIONS = {
    "NW": Action.NEW,
    "XO": Action.CHANGE,
    "XX": Action.CHANGE,
    "RP": Action.REPLACE,
    "RO": Action.REPLACEMENT,
    "SC": Action.STATUS,
    "SN": Action.STATUS,
    "NA": Action.STATUS,
}


def read_orders(message: Message, profile: LtwProfile = LTW_GENERIC) -> Orders:
    """The orders of a message. What makes it malformed is in ``problems``, and the rest is read all the same.

    An order after a prior result is a new one unless its ORC-1 says PR: see ``grammars``.
    Raises: Hl7Error when the message is no order message.
    """
    structure = KINDS.get((message.code, message.trigger))
    if structure is None:
        raise Hl7Error(f"{message.header.field(9)!r} is no order: read it with the reader of its own type")
    tree = match(message, structure)
    problems = [
        ErrorDetail("100", f"{offence.segment} is {offence.misfit.value} in {offence.group}", Location(offence.segment))
        for offence in tree.offences
        if offence.segment in ("PID", "SPM", "ORC", "OBR")
    ]
    patient = _patient(tree.root)
    reader = _Reader(message, patient.pid if patient else Segment("PID", message.separators, message.encoding), profile)
    orders = tuple(reader.orders(tree.root))
    problems += [problem for number, order in enumerate(orders, 1) for problem in _lacks(number, order)]
    kind = f"{message.code}^{message.trigger}"
    return Orders(envelope.read_header(message.header), kind, orders, patient, tuple(problems), message.header)


def _patient(root: Group) -> OrderPatient | None:
    group = root.group("PATIENT")
    pid = group.segment("PID") if group else None
    if group is None or pid is None:
        return None
    visit = group.group("PATIENT_VISIT")
    pv1 = visit.segment("PV1") if visit else None
    return OrderPatient(usable(read_patient(pid, pv1)), pid, pv1)


def _lacks(number: int, order: OrderRequest) -> Iterator[ErrorDetail]:
    if not order.control:
        yield ErrorDetail("101", "ORC-1, what to do with the order, is missing", Location("ORC", number, 1))
    if order.placer is None and order.filler is None:
        yield ErrorDetail("101", "The order has no number: fill ORC-2", Location("ORC", number, 2))
    if order.service is None and order.action in (Action.NEW, Action.ADD_ON, Action.CHANGE, Action.REPLACEMENT):
        yield ErrorDetail("101", "OBR-4, the test, is missing", Location("OBR", number, 4))


class _Reader:
    """What reading the orders of one message needs to know: its header, its patient and the system's dialect."""

    def __init__(self, message: Message, pid: Segment, profile: LtwProfile) -> None:
        self.message = message
        self.pid = pid
        self.profile = profile

    def orders(self, group: Group, specimen: tuple[OrderSpecimen, ...] = ()) -> Iterator[OrderRequest]:
        """Every order in this group and below, with the specimen that it stands under."""
        if group.name == "SPECIMEN":
            specimen = (_specimen(group),)
        elif group.name == "CONTAINER" and specimen:
            specimen = (_specimen(group, specimen[0]),)
        for part in group.parts:
            if isinstance(part, Group):
                if part.name == "ORDER":
                    yield self._order(part, specimen)
                else:
                    yield from self.orders(part, specimen)

    def _order(self, group: Group, specimens: tuple[OrderSpecimen, ...]) -> OrderRequest:
        detail = group.group("OBSERVATION_REQUEST") or group.group("ORDER_DETAIL") or Group("")
        blank = Segment("OBR", self.message.separators, self.message.encoding)
        orc = group.segment("ORC") or Segment("ORC", self.message.separators, self.message.encoding)
        found = detail.segment("OBR")
        obr = found or blank
        own = [orc, obr, *detail.segments("NTE")]
        for answer in detail.groups("OBSERVATION"):
            own += [item for _, item in answer.flat()]
        read = self._report(own).orders[0]
        below = tuple(_specimen(item) for item in detail.groups("SPECIMEN"))
        timing = next((item for part in group.groups("TIMING") for item in part.segments("TQ1")), None)
        control = orc.component(1)
        action = self._action(control, obr)
        return OrderRequest(
            action=action,
            control=control,
            service=Code.read(obr, 4),
            placer=EntityId.read(orc, 2) or read.placer,
            filler=EntityId.read(orc, 3) or read.filler,
            group=read.group,
            status=orc.component(5),
            priority=(timing.component(9) if timing else "")
            or orc.component(7, 6)
            or obr.component(27, 6)
            or obr.component(5),
            changed=read.changed,
            parent=EntityId.read_inside(orc, 8, 1),
            prescriber=read.prescriber or Person.read(orc, 12),
            reason=Code.read(orc, 16),
            facility=Organisation.read(orc, 21),
            collected=read.collected,
            clinical=obr.text(13),
            comments=read.comments,
            answers=read.observations,
            specimens=specimens or below or self._legacy(group),
            previous=tuple(order for prior in detail.groups("PRIOR_RESULT") for order in self._previous(prior)),
            orc=orc,
            obr=found,
        )

    def _action(self, control: str, obr: Segment) -> Action:
        if control in self.profile.cancels:
            return Action.CANCEL
        action = _ACTIONS.get(control, Action.OTHER)
        return Action.ADD_ON if action is Action.NEW and obr.component(11) in self.profile.add_on else action

    def _legacy(self, group: Group) -> tuple[OrderSpecimen, ...]:
        """The specimen of an order without SPM group: an SPM that stands anywhere in it, or the field the dialect names."""
        flat = [item for _, item in group.flat()]
        loose = [item for item in flat if item.name == "SPM"]
        if loose:
            return tuple(_read_specimen(spm, ()) for spm in loose)
        if self.profile.legacy_specimen:
            name, n = self.profile.legacy_specimen
            number = next((EntityId.read(item, n) for item in flat if item.name == name), None)
            source = next((Code.read(item, 15) for item in flat if item.name == "OBR"), None)
            return (OrderSpecimen(number, source),) if number else ()
        return ()

    def _previous(self, prior: Group) -> Iterator[ReportOrder]:
        yield from self._report(item for _, item in prior.flat()).orders

    def _report(self, segments: Iterable[Segment]) -> Report:
        header = self.message.header
        cells = header.fields.copy()
        cells[9:10] = [header.separators.component.join(("ORU", "R01", "ORU_R01"))]
        msh = header.separators.field.join([cells[0], *cells[2:]])
        lines = [msh, self.pid.line, *(item.line for item in _of_orders(segments))]
        text = "".join(line + "\r" for line in lines)
        encoding = self.message.encoding
        return read_oru(Message(text.encode(encoding, "surrogateescape"), text, encoding))


def _of_orders(segments: Iterable[Segment]) -> Iterator[Segment]:
    """What a report can hold of these segments, without an OBX or NTE that belongs to no OBR."""
    inside = False
    for item in segments:
        if item.name in ("ORC", "OBR"):
            inside = item.name == "OBR"
            yield item
        elif inside and item.name in ("OBX", "NTE"):
            yield item


def _specimen(group: Group, above: OrderSpecimen | None = None) -> OrderSpecimen:
    """The specimen of a SPECIMEN group with all its containers, or the one above with only the container of this group."""
    spm = above.spm if above else group.segment("SPM")
    sacs = group.segments("SAC") + [sac for part in group.groups("CONTAINER") for sac in part.segments("SAC")]
    return _read_specimen(spm, tuple(sacs), tuple(group.segments("OBX")))


def _read_specimen(spm: Segment | None, sacs: tuple[Segment, ...], observed: tuple[Segment, ...] = ()) -> OrderSpecimen:
    containers = tuple(number for number in (EntityId.read(sac, 3) for sac in sacs) if number)
    if spm is None:
        return OrderSpecimen(None, containers=containers, sacs=sacs)
    return OrderSpecimen(
        id=EntityId.read_inside(spm, 2, 1),
        type=Code.read(spm, 4),
        containers=containers,
        filler_id=EntityId.read_inside(spm, 2, 2),
        parents=pairs(spm, 3),
        role=Code.read(spm, 11),
        collected=spm.component(17),
        received=spm.component(18),
        available=spm.component(20),
        rejected=codes(spm, 21),
        condition=codes(spm, 24),
        observed=observed,
        spm=spm,
        sacs=sacs,
    )
