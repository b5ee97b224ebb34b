"""What does this LIS02-A2 message say, read with this driver? Nothing dropped, nothing guessed, every doubt named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from labmw.driver import places
from labmw.driver.declaration import PRACTICE, Driver, Evidence, Field
from labmw.driver.plan import plan_of
from labmw.driver.reading import Facts, Kind, OrderRead, PatientRead, QueryRead, Reading, ResultRead
from labmw.driver.result import NOTHING, Above, RecordReader
from labmw.driver.timestamp import read_time
from labmw.model import Disposition
from protocols.astm.message import Message
from protocols.astm.record import Record

ANY = frozenset(
    {"any-astm", "any-plain"}
)  # the drivers of senders that nobody knows: everything as sent, all of it quarantined
_REPORTS = frozenset("FCPXRI")  # O.26: the analyzer reports on an order, also where no result came of it
_NO_ORDER = frozenset("YZ")  # O.26: the host has no order for what was asked


def read(message: Message, driver: Driver, *, zone: ZoneInfo, tolerances_used: Sequence[str] = ()) -> Reading:
    """Read one message; one from an unknown or ambiguous sender is read as sent, and quarantined whole."""
    used = list(tolerances_used)
    message, encoding = _as_text(message, driver)
    if encoding:
        used.append(f"encoding {encoding}")
    if message.fault is not None:
        return _unreadable(message, driver, tuple(used))
    header = message.header
    sender = header.field(5) if header else ""
    reason, facts = _doubt(driver, sender, header.field(12) if header else "")
    control = places.is_control_header(header, driver)
    reader = RecordReader(
        driver, plan_of(driver, message.delimiters), zone, (reason, facts), control, driver.name not in ANY
    )
    walk = _Walk(driver, reader, control)
    walk.take_all(message.records)
    if not message.terminated:
        reason, facts = "unterminated", (("records", str(len(message.records))),)
    return Reading(
        driver=driver.name,
        driver_version=driver.version,
        mapping_version=driver.mapping_version,
        protocol="astm",
        kind=walk.kind(message),
        delimiters=str(message.delimiters),
        structure=walk.structure,
        sender=sender,
        receiver=header.field(10) if header else "",
        serial=places.first(message.records, driver.serial),
        software=places.first(message.records, driver.software),
        processing_id=header.field(12) if header else "",
        version=header.field(13) if header else "",
        datetime=header.field(14) if header else "",
        message_id=header.field(3) if header else "",
        terminated=message.terminated,
        terminator=message.terminator or "",
        patients=tuple(walk.patients),
        specimens=tuple(dict.fromkeys(walk.specimens)),
        orders=tuple(walk.orders),
        results=tuple(walk.results),
        queries=tuple(walk.queries),
        comments=tuple(walk.comments),
        manufacturer=tuple(walk.manufacturer),
        disposition=Disposition.QUARANTINED if reason else Disposition.ACCEPTED,
        reason=reason,
        reason_facts=facts,
        problems=tuple(walk.problems),
        tolerances_used=tuple(used),
        restated=driver.evidence is Evidence.RESTATED,
        sent_at=read_time(header.field(14), zone).at if header else None,
    )


def _doubt(driver: Driver, sender: str, processing: str) -> tuple[str, Facts]:
    """Why a message cannot be trusted whole although it can be read."""
    if driver.rivals:
        return "ambiguous-sender", (("sender", sender), ("drivers", ", ".join(driver.rivals)))
    if driver.name in ANY:
        return "unknown-sender", (("sender", sender or "-"),)
    if driver.practice and processing.strip() in PRACTICE:
        return "not-production", (("processing", processing.strip()),)
    return "", ()


def _unreadable(message: Message, driver: Driver, used: tuple[str, ...]) -> Reading:
    """Keep a message that cannot be split safely: no field of it is believed."""
    head = message.raw[:12].decode("latin-1")
    return Reading(
        driver=driver.name,
        driver_version=driver.version,
        mapping_version=driver.mapping_version,
        protocol="astm",
        kind="other",
        delimiters="",
        structure="",
        sender="",
        receiver="",
        serial="",
        software="",
        processing_id="",
        version="",
        datetime="",
        message_id="",
        terminated=message.terminated,
        terminator="",
        patients=(),
        specimens=(),
        orders=(),
        results=(),
        queries=(),
        comments=(),
        manufacturer=(),
        disposition=Disposition.QUARANTINED,
        reason="bad-delimiters",
        reason_facts=(("head", head),),
        problems=(str(message.fault),),
        tolerances_used=used,
    )


@dataclass(slots=True)
class _Walk:
    """The records in their order: which patient, order and result are open (LIS02-A2 levels, B.6)."""

    driver: Driver
    reader: RecordReader
    control: bool
    patients: list[PatientRead] = field(default_factory=list)
    orders: list[OrderRead] = field(default_factory=list)
    results: list[ResultRead] = field(default_factory=list)
    queries: list[QueryRead] = field(default_factory=list)
    specimens: list[str] = field(default_factory=list)
    comments: list[tuple[str, str, str, str]] = field(default_factory=list)
    manufacturer: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    structure: str = ""
    _patient: int | None = None
    _patient_record: Record | None = None
    _above: Above = NOTHING
    _after: str = "H"  # the record that a comment or manufacturer record belongs to

    def take_all(self, records: Sequence[Record]) -> None:
        """Take every record, each with the comments that belong to it."""
        types = [record.type for record in records]
        self.structure = "".join(types)
        for place, record in enumerate(records):
            comments: list[Record] = []
            if types[place] in ("O", "R"):
                for behind in range(place + 1, len(types)):
                    if types[behind] == "C":
                        comments.append(records[behind])
                    elif types[behind] != "M":
                        break
            self._take(place, record, types[place], comments)
        self._finish()

    def _take(self, place: int, record: Record, kind: str, comments: Sequence[Record]) -> None:
        match kind:
            case "H":
                self._after = "H"
            case "P":
                self._take_patient(record)
            case "O":
                self._take_order(place, record, comments)
            case "R":
                self._take_result(place, record, comments)
            case "C":
                self._take_comment(record)
            case "Q":
                self._take_query(record)
            case "M" | "S":
                self.manufacturer.append((self._after, record.raw))
            case "L":
                pass
            case other:
                self.problems.append(f"record {place + 1} has the unknown type {other!r}; it was kept and not read")

    def _take_patient(self, record: Record) -> None:
        self._patient_record = record
        self.patients.append(PatientRead(*(record.field(n) for n in (3, 4, 5, 6, 8, 9))))
        self._patient, self._above = len(self.patients) - 1, NOTHING
        self._after = f"P{len(self.patients)}"

    def _take_order(self, place: int, record: Record, comments: Sequence[Record]) -> None:
        tried = (self._specimens(one, record) for one in (self.driver.specimen, *self.driver.specimen_or))
        specimens = next((named for named in tried if named), ())
        control = self.control or places.is_control(record, specimens[0] if specimens else "", self.driver)
        if not control:  # a control is called as it is registered
            specimens = tuple(one for named in specimens if (one := self.driver.tube.read(named)))
        several = len(specimens) > 1
        identifier = record.field(3) if several else (specimens[0] if specimens else "")
        tests = record.repeats(5)
        self.orders.append(
            OrderRead(
                specimen=identifier,
                specimen_raw=record.field(3),
                instrument_specimen_raw=record.field(4),
                tests_raw=record.field(5),
                tests=tuple(tests),
                codes=tuple(self.reader.plan.code(text) for text in tests if text),
                priority=record.field(6),
                action=record.field(12),
                specimen_type=record.field(16),
                report_type=record.field(26),
                patient=self._patient,
                comments=tuple(places.decoded(comment.field(4), comment) for comment in comments),
                specimens=specimens,
                control=control,
            )
        )
        self.specimens += specimens
        self._above = self.reader.above(len(self.orders) - 1, self.orders[-1], record)
        self._after = f"O{len(self.orders)}"
        if self._patient is None:
            self.problems.append(f"record {place + 1}: an order without a patient record before it")

    def _specimens(self, place: Field, order: Record) -> tuple[str, ...]:
        """The specimens that this place names: in the order, or in the patient record above it."""
        named = self._patient_record if place.record == "P" else order
        return places.specimens(named, place) if named else ()

    def _take_query(self, record: Record) -> None:
        sent = (one for one in places.specimens(record, self.driver.query) if one != "ALL")
        named = tuple(one for each in sent if (one := self.driver.tube.read(each)))
        self.queries.append(QueryRead(record.field(3), record.field(4), named, record.field(5), record.field(13)))
        self.specimens += named
        self._after = f"Q{len(self.queries)}"

    def _take_comment(self, record: Record) -> None:
        cells = [*record.fields, "", "", "", ""]
        self.comments.append((self._after, cells[2], cells[3], cells[4]))

    def _take_result(self, place: int, record: Record, comments: Sequence[Record]) -> None:
        self.results.append(self.reader.read(place, record, self._above, comments))
        self._after = f"R{len(self.results)}"

    def _finish(self) -> None:
        """Tell the mean of replicates from the replicates: where one of them is marked as the mean, the others are details."""
        mark = self.driver.mean_flag
        if not mark:
            return
        means = {(one.order, one.code) for one in self.results if _is_mean(one, mark)}
        counted: dict[tuple[int | None, str], int] = {}
        for place, one in enumerate(self.results):
            group = (one.order, one.code)
            if group in means and not _is_mean(one, mark):
                counted[group] = counted.get(group, 0) + 1
                detail = f"replicate {counted[group]}"
                self.results[place] = replace(one, main=False, detail=detail, loinc="")

    def kind(self, message: Message) -> Kind:
        """Say in one word what the message is for."""
        if self.results:
            return "qc-result" if all(one.control for one in self.results) else "result"
        if self.queries:
            cancelled = all(one.status in {"A", "X"} for one in self.queries)
            return "query-cancel" if cancelled else "query"
        reports = {one.report_type for one in self.orders}
        if reports & _NO_ORDER or (not self.orders and message.terminator in {"I", "Q"}):
            return "order-response"
        if self.orders:
            return "result" if reports & _REPORTS else "order"
        return "other"


def _is_mean(result: ResultRead, mark: str) -> bool:
    return mark in re.split(r"[^A-Za-z0-9]+", result.flags_raw)


def _as_text(message: Message, driver: Driver) -> tuple[Message, str]:
    """Decode text beyond ASCII as the driver declares; the bytes decide, not the place where they came from."""
    if not driver.encodings or message.raw.isascii():
        return message, ""
    for encoding in driver.encodings:
        try:
            message.raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return replace(message, encoding=encoding), encoding
    return message, ""
