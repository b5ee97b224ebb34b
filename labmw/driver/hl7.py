"""What does this HL7 v2 message say, read with this driver? One from an unknown sender is read as sent, and quarantined whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from zoneinfo import ZoneInfo

from labmw.driver.declaration import PRACTICE, Driver, Evidence, Field, Hl7Driver
from labmw.driver.grouping import Groups, Observation, OrderGroup, SpecimenGroup
from labmw.driver.menu import menu_of
from labmw.driver.observation import ObservationReader, Tube, interprets, inventory_of, tube_of
from labmw.driver.observed import pick, repeated
from labmw.driver.reading import (
    Facts,
    Inventory,
    Kind,
    OrderControl,
    OrderRead,
    PatientRead,
    QueryRead,
    Reading,
    ResultRead,
)
from labmw.driver.timestamp import read_time, zone_of_message
from labmw.errors import DriverError
from labmw.model import Disposition
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.version import served

ANY = "any-hl7"  # the driver of senders that nobody knows: everything as sent, all of it quarantined
_KINDS: dict[str, Kind] = {
    "ORU": "result", "OUL": "result", "QBP": "query", "QRY": "query", "QCN": "query-cancel", "OML": "order", "ORM": "order",
    "OMG": "order", "ORL": "order-response", "ORR": "order-response", "RSP": "order-response", "ACK": "ack", "ADT": "adt",
    "ESU": "equipment-status", "SSU": "equipment-status", "INU": "equipment-status", "EAR": "equipment-status",
}  # fmt: skip
REPLIES = frozenset({"ORL", "ACK", "RSP", "ORR"})
_SERVED = frozenset(_KINDS.values()) - {"adt"}
_WORK_QUERIES = (
    "WOS",
    "INISEQ",
    "INIBAR",
)  # QPD-1 of queries for work whose QPD-3 is the container: IHE LAW, and Roche's

_PADDING = ("",) * 26  # so that every field of ORC and OBR that is read can be asked for

Tubes = dict[SpecimenGroup, Tube]


def read(message: Message, driver: Driver, *, zone: ZoneInfo, tolerances_used: Sequence[str] = ()) -> Reading:
    """Read one message. What its type is not served for is refused (AR); what cannot be trusted is quarantined.

    Raises DriverError for a driver that is not one of HL7.
    """
    if not isinstance(driver, Hl7Driver):
        raise DriverError(f"{driver.name} does not read HL7: name a driver whose value is an Hl7Driver, or any-hl7")
    header, segments = message.header, message.segments
    kind: Kind = _KINDS.get(message.code, "other")
    controls = driver.control.processing_id and header.component(11) == "Q"
    doubt = _doubt(driver, header.field(3), header.component(11))
    groups = Groups.of(segments, message.code, message.trigger)
    tubes = {group: tube_of(group, driver) for group in groups.specimens}
    orders = [_order(group, tubes, driver, controls) for group in groups.orders]
    reader = ObservationReader(
        driver=driver,
        menu=menu_of(driver, message),
        header=header,
        zone=UTC if driver.utc else zone_of_message(header.component(7), zone),
        doubt=doubt,
        controls=controls,
        ordering=kind == "order",
        known=driver.name != ANY,
    )
    results = _results(reader, groups, orders, tubes)
    queries = [_query(segment, driver) for segment in groups.queries]
    if kind == "result" and (controls or (results and all(one.control for one in results))):
        kind = "qc-result"
    refused = _refusal(kind, message)
    reason, facts = refused or doubt
    return Reading(
        driver=driver.name,
        driver_version=driver.version,
        mapping_version=driver.mapping_version,
        protocol="hl7",
        kind=kind,
        delimiters=header.field(1) + header.field(2),
        structure=" ".join(groups.names),
        sender=header.field(3),
        receiver=header.field(5),
        serial=_first(segments, driver.serial),
        software=_first(segments, driver.software),
        processing_id=header.field(11),
        version=header.field(12),
        datetime=header.field(7),
        message_id=message.control_id,
        terminated=True,
        terminator="",
        patients=tuple(_patient(segment) for segment in groups.patients),
        specimens=_specimens(tubes, orders, queries),
        orders=tuple(orders),
        results=tuple(results),
        queries=tuple(queries),
        comments=tuple((after, note.field(2), note.field(3), note.field(4)) for after, note in groups.comments),
        manufacturer=(),
        disposition=Disposition.REFUSED if refused else Disposition.QUARANTINED if reason else Disposition.ACCEPTED,
        reason=reason,
        reason_facts=facts,
        problems=tuple(one for one in (message.charset_problem, message.line_end_problem) if one),
        tolerances_used=tuple(tolerances_used),
        message_type=header.field(9),
        inventory=tuple(inventory_of(segment, after) for after, segment in groups.inventory),
        responses=tuple(_control(*one, tubes) for one in groups.controls) if kind == "order-response" else (),
        restated=driver.evidence is Evidence.RESTATED,
        sent_at=read_time(header.component(7), UTC if driver.utc else zone, utc=driver.utc).at,
    )


def is_reply(message: Message) -> bool:
    """Whether a message answers one of ours: then it is not answered itself."""
    return message.code in REPLIES or message.first("MSA") is not None


def unasked(reading: Reading, message: Message, link: str) -> Reading:
    """What was read on a line on which we send nothing: a reply answers no message of ours, and is for a person."""
    if not is_reply(message) or reading.disposition is not Disposition.ACCEPTED:
        return reading
    said = message.first("MSA")
    facts = (("control_id", (said.component(2) if said else "") or "-"), ("link", link))
    return replace(reading, disposition=Disposition.QUARANTINED, reason="reply-to-nothing", reason_facts=facts)


def _refusal(kind: Kind, message: Message) -> tuple[str, Facts] | None:
    """Why a message is not served at all (AR): sending it again would not cure it, and nothing of it may be believed (law 4)."""
    if kind not in _SERVED and kind != "qc-result":
        return "unsupported-type", (("type", message.header.field(9) or "-"),)
    if not served(message.version):
        return "unsupported-version", (("version", message.version),)
    return None


def _doubt(driver: Hl7Driver, sender: str, processing: str) -> tuple[str, Facts]:
    """Why a message cannot be trusted whole although it can be read."""
    if driver.rivals:
        return "ambiguous-sender", (("sender", sender), ("drivers", ", ".join(driver.rivals)))
    if driver.name == ANY:
        return "unknown-sender", (("sender", sender or "-"),)
    if driver.practice and processing.strip() in PRACTICE:
        return "not-production", (("processing", processing.strip()),)
    return "", ()


def _first(segments: Sequence[Segment], place: Field | None) -> str:
    """The first filled place of its kind in the message: serial number, software version."""
    if place is None:
        return ""
    found = (pick(segment, place).strip() for segment in segments if segment.name == place.record)
    return next((one for one in found if one), "")


def _patient(segment: Segment) -> PatientRead:
    return PatientRead(segment.field(2), segment.field(3), "", segment.field(5), segment.field(7), segment.field(8))


def _order(group: OrderGroup, tubes: Tubes, driver: Hl7Driver, controls: bool) -> OrderRead:
    obr, above = group.obr, group.above
    cells = [*obr.fields, *_PADDING]
    tube = tubes[above] if above else Tube()
    named = _named_by(group, driver) or tube.identifiers
    service = cells[4]
    return OrderRead(
        specimen=named[0] if len(named) == 1 else "",
        specimen_raw=above.spm.field(2) if above and above.spm else "",
        instrument_specimen_raw="",
        tests_raw=service,
        tests=(service,),
        codes=(pick(obr, driver.ordered),),
        priority=cells[5],
        action=obr.component(11) if cells[11] else "",
        specimen_type=cells[15],
        report_type=cells[25],
        patient=group.patient,
        specimens=named,
        control=controls or tube.control is not None,
        placer=cells[2],
        filler=cells[3],
        awos=pick(obr, driver.awos) if driver.awos else "",
        time=cells[7],
        state=_control(group.orc, above, tubes) if group.orc else None,
    )


def _named_by(group: OrderGroup, driver: Hl7Driver) -> tuple[str, ...]:
    """The specimen of a family whose specimens are named by the order itself (OBR-3 of ORU^R01)."""
    place = driver.specimen
    found = pick(group.open(place.record), place).strip() if place.record in ("OBR", "ORC") else ""
    return (found,) if found else ()


def _control(orc: Segment, above: SpecimenGroup | None, tubes: Tubes) -> OrderControl:
    cells = [*orc.fields, *_PADDING]
    parents = tuple([text for text in repeated(orc, 8) if text]) if cells[8] else ()
    named = tubes[above].identifiers if above else ()
    return OrderControl(cells[1], cells[2], cells[3], cells[5], parents, named[0] if len(named) == 1 else "")


def _results(reader: ObservationReader, groups: Groups, orders: Sequence[OrderRead], tubes: Tubes) -> list[ResultRead]:
    index_of = {group: index for index, group in enumerate(groups.orders)}
    behind: dict[OrderGroup | None, Tube] = {}
    substances = _contributing(groups.observations)
    results = []
    for observation, contributing in zip(groups.observations, substances, strict=True):
        group, above = observation.order, observation.specimen
        index = index_of[group] if group else None
        order = orders[index] if index is not None else None
        if group and (named := _named_by(group, reader.driver)):
            tube = Tube(named)
        elif above is not None:
            tube = tubes[above]
        else:
            tube = behind.get(group) or behind.setdefault(group, _one_of(groups.specimens_of(observation), tubes))
        results.append(reader.read(observation, index, order, tube, contributing))
    return results


def _one_of(groups: Sequence[SpecimenGroup], tubes: Tubes) -> Tube:
    """The one specimen there is, or all that it may have been."""
    if len(groups) == 1:
        return tubes[groups[0]]
    return Tube(tuple(dict.fromkeys(one for group in groups for one in tubes[group].identifiers)))


def _contributing(observations: Sequence[Observation]) -> list[tuple[Inventory, ...]]:
    """The substances behind each result; those behind the interpretation of a number are the number's too (cobas pro)."""
    own = [
        tuple([inventory_of(segment, f"OBX{number}") for segment in observation.inventory])
        for number, observation in enumerate(observations, 1)
    ]
    for place in range(len(own) - 1):
        if not own[place] and own[place + 1] and interprets(observations[place + 1], observations[place]):
            own[place] = own[place + 1]
    return own


def _query(segment: Segment, driver: Hl7Driver) -> QueryRead:
    """Which specimen is asked about; where that stands in an unknown sender's query, only the profiles of IHE LAW say."""
    known = driver.name != ANY or segment.component(1).startswith(_WORK_QUERIES)
    named = pick(segment, driver.query).strip() if known and segment.name == driver.query.record else ""
    return QueryRead(
        start_raw=segment.field(1),
        end_raw=segment.field(2),
        specimens=(named,) if named else (),
        tests_raw=segment.field(3),
        status="",
        name=segment.field(1),
        tag=segment.field(2),
        parameters=tuple(segment.fields[3:]),
    )


def _specimens(tubes: Tubes, orders: Sequence[OrderRead], queries: Sequence[QueryRead]) -> tuple[str, ...]:
    named = [one for tube in tubes.values() for one in tube.identifiers]
    named += [one for order in orders for one in order.specimens]
    named += [one for query in queries for one in query.specimens]
    return tuple(dict.fromkeys(named))
