"""What does this HL7 v2 message say? Read as sent: the fields every version has in the same place, and no family's habits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from labmw.driver.declaration import Driver
from labmw.driver.reading import Facts, Kind, OrderRead, PatientRead, QueryRead, Reading, ResultRead
from labmw.driver.timestamp import read_time
from labmw.driver.value import ValueRead, read_unknown
from labmw.model import Disposition
from protocols.hl7.er7 import Message, Segment

_KINDS: dict[str, Kind] = {
    "ORU": "result", "OUL": "result", "QBP": "query", "QRY": "query", "QCN": "query-cancel", "OML": "order", "ORM": "order",
    "OMG": "order", "ORL": "order-response", "ORR": "order-response", "RSP": "order-response", "ACK": "ack", "ADT": "adt",
    "ESU": "equipment-status", "SSU": "equipment-status", "INU": "equipment-status", "EAR": "equipment-status",
}  # fmt: skip
_SERVED = frozenset(_KINDS.values()) - {"adt"}
_NUMERIC = frozenset({"NM", "ST", "SN", ""})  # OBX-2 of values that may stand for a number


def read(message: Message, driver: Driver, *, zone: ZoneInfo, tolerances_used: Sequence[str] = ()) -> Reading:
    """Read one message. What its type is not served for is refused (AR); everything else is quarantined as from an unknown sender."""
    header = message.header
    kind: Kind = _KINDS.get(message.code, "other")
    if kind == "result" and header.component(11) == "Q":
        kind = "qc-result"
    sender = header.field(3)
    walk = _Walk(driver, zone, _doubt(driver, sender))
    for place, segment in enumerate(message.segments):
        walk.take(place, segment)
    walk.finish()
    refused = kind not in _SERVED and kind != "qc-result"
    reason, facts = ("unsupported-type", (("type", header.field(9) or "-"),)) if refused else walk.doubt
    disposition = Disposition.REFUSED if refused else Disposition.QUARANTINED if reason else Disposition.ACCEPTED
    return Reading(
        driver=driver.name,
        driver_version=driver.version,
        mapping_version=driver.mapping_version,
        protocol="hl7",
        kind=kind,
        delimiters=header.field(1) + header.field(2),
        structure=" ".join(segment.name for segment in message.segments),
        sender=sender,
        receiver=header.field(5),
        serial="",
        software="",
        processing_id=header.field(11),
        version=header.field(12),
        datetime=header.field(7),
        message_id=message.control_id,
        terminated=True,
        terminator="",
        patients=tuple(walk.patients),
        specimens=tuple(dict.fromkeys(walk.specimens)),
        orders=tuple(walk.orders),
        results=tuple(walk.results),
        queries=tuple(walk.queries),
        comments=tuple(walk.comments),
        manufacturer=(),
        disposition=disposition,
        reason=reason,
        reason_facts=facts,
        tolerances_used=tuple(tolerances_used),
        message_type=header.field(9),
    )


def _doubt(driver: Driver, sender: str) -> tuple[str, Facts]:
    if driver.rivals:
        return "ambiguous-sender", (("sender", sender), ("drivers", ", ".join(driver.rivals)))
    return "unknown-sender", (("sender", sender or "-"),)


@dataclass(slots=True)
class _Walk:
    """The segments in their order: which patient, specimen, order and result are open."""

    driver: Driver
    zone: ZoneInfo
    doubt: tuple[str, Facts]
    patients: list[PatientRead] = field(default_factory=list)
    orders: list[OrderRead] = field(default_factory=list)
    results: list[ResultRead] = field(default_factory=list)
    queries: list[QueryRead] = field(default_factory=list)
    specimens: list[str] = field(default_factory=list)
    comments: list[tuple[str, str, str, str]] = field(default_factory=list)
    _specimen: str = ""
    _after: str = "MSH"

    def take(self, place: int, segment: Segment) -> None:
        """Take the next segment."""
        match segment.name:
            case "PID":
                name = segment.field(5)
                self.patients.append(
                    PatientRead(segment.field(2), segment.field(3), "", name, segment.field(7), segment.field(8))
                )
                self._after = "PID"
            case "SPM":
                self._open_specimen(segment.component(2))
                self._after = f"SPM{len(self.specimens)}"
            case "SAC":
                self._open_specimen(segment.component(3) or segment.component(4))
            case "OBR":
                self._take_order(segment)
            case "OBX":
                self._take_result(place, segment)
            case "NTE":
                self.comments.append((self._after, segment.field(2), segment.field(3), segment.field(4)))
            case "QPD":
                self._take_query(segment)
            case _:
                pass

    def _open_specimen(self, identifier: str) -> None:
        """SPM-2 names the specimen; a SAC below it names the tube, and counts where SPM does not."""
        identifier = identifier.strip()
        if identifier:
            self._specimen = identifier
            self.specimens.append(identifier)

    def _take_order(self, segment: Segment) -> None:
        service = segment.field(4)
        self.orders.append(
            OrderRead(
                specimen=self._specimen,
                specimen_raw="",
                instrument_specimen_raw="",
                tests_raw=service,
                tests=(service,),
                codes=(segment.component(4),),
                priority=segment.field(5),
                action=segment.field(11),
                specimen_type=segment.field(15),
                report_type=segment.field(25),
                patient=len(self.patients) - 1 if self.patients else None,
            )
        )
        self._after = f"OBR{len(self.orders)}"

    def _take_query(self, segment: Segment) -> None:
        """QPD-3 names the specimen in a query for work (LAW, and Roche's INISEQ); other profiles have theirs elsewhere."""
        named = segment.component(3) if segment.component(1).startswith(("WOS", "INISEQ")) else ""
        specimens = (named,) if named else ()
        self.specimens += specimens
        self.queries.append(QueryRead(segment.field(1), segment.field(2), specimens, segment.field(3), ""))
        self._after = "QPD"

    def _take_result(self, place: int, segment: Segment) -> None:
        kind = segment.component(2)
        value = _value(segment, kind)
        read_as = self._number(segment, kind, value)
        time = segment.field(14)
        moment = read_time(time, self.zone)
        self.results.append(
            ResultRead(
                seq=segment.field(1),
                record=place,
                specimen=self._specimen,
                order=len(self.orders) - 1 if self.orders else None,
                code=segment.component(3),
                code_raw=segment.field(3),
                detail=segment.field(4),
                analyte="",
                main=True,
                value=value,
                value_raw=segment.field(5),
                quantity=read_as.quantity,
                comparator=read_as.comparator,
                number=read_as.number,
                unit_raw=segment.field(6),
                ucum="",
                loinc="",
                test_name=segment.component(3, 2),
                index="",
                range_raw=segment.field(7),
                flags_raw=segment.field(8),
                flags=frozenset(),
                status=segment.field(11),
                operator=segment.field(16),
                time=time,
                completed=moment.at,
                instrument=segment.field(18),
                run="",
                comments=(),
                problem=self.doubt[0],
                problem_facts=self.doubt[1],
                time_doubt=moment.doubt,
            )
        )
        self._after = f"OBX{len(self.results)}"

    def _number(self, segment: Segment, kind: str, value: str) -> ValueRead:
        if kind not in _NUMERIC or len(segment.repetitions(5)) > 1:
            return ValueRead()
        if kind == "SN":
            comparator, first = segment.component(5, 1), segment.component(5, 2)
            if segment.component(5, 3) or segment.component(5, 4) or comparator == "=":
                comparator = ""
            found = read_unknown(comparator + first, self.driver)
            return found if not segment.component(5, 4) else ValueRead()
        return read_unknown(value, self.driver)

    def finish(self) -> None:
        """ORU^R30 and its kin name the specimen behind the results: where one alone is named, it is theirs."""
        named = tuple(dict.fromkeys(self.specimens))
        if len(named) == 1 and any(not result.specimen for result in self.results):
            self.results = [replace(one, specimen=one.specimen or named[0]) for one in self.results]


def _value(segment: Segment, kind: str) -> str:
    """OBX-5 as text: the number of an SN, the one component there is, or the field as sent where it has parts."""
    raw = segment.field(5)
    components = segment.components(5)
    filled = [text for text in components if text]
    if kind == "SN" and len(components) == 2 and not components[0]:
        return components[1]
    if len(segment.repetitions(5)) <= 1 and (len(components) == 1 or (len(filled) == 1 and components[0])):
        return filled[0] if filled else ""
    return raw
