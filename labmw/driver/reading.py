"""What did the analyzer say? A message read with a driver: nothing dropped, nothing guessed, every doubt named.

This file holds the values; `labmw.driver.astm` fills them from LIS02-A2 records, `labmw.driver.hl7` from HL7 segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from labmw.model import Disposition, Flag
from labmw.quantity import Quantity

Kind = Literal[
    "result", "qc-result", "query", "query-cancel", "order", "order-response", "adt", "ack", "equipment-status", "other"
]

Facts = tuple[tuple[str, str], ...]
"""What fills the sentence of a reason code."""


@dataclass(frozen=True, slots=True)
class PatientRead:
    """A P record as sent."""

    practice_id: str
    lab_id: str
    id3: str
    name: str
    birth: str
    sex: str


@dataclass(frozen=True, slots=True)
class OrderRead:
    """An O record as sent, with the specimen identifier as the driver reads it."""

    specimen: str
    specimen_raw: str
    instrument_specimen_raw: str
    tests_raw: str
    tests: tuple[str, ...]
    codes: tuple[str, ...]
    priority: str
    action: str
    specimen_type: str
    report_type: str
    patient: int | None
    comments: tuple[str, ...] = ()
    specimens: tuple[str, ...] = ()  # every identifier, where one order names several
    control: bool = False


@dataclass(frozen=True, slots=True)
class ResultRead:
    """One R record (or OBX) as sent and as read. `problem` is the reason code for quarantine, "" when the reading is certain."""

    seq: str
    record: int  # place of the record in the message, from 0: the evidence
    specimen: str
    order: int | None
    code: str
    code_raw: str
    detail: str
    analyte: str
    main: bool
    value: str
    value_raw: str
    quantity: Quantity | None  # unit filled only where the driver knows it
    comparator: str
    number: str | None  # the exact decimal as text, also where the code is unknown
    unit_raw: str
    ucum: str
    loinc: str
    test_name: str
    index: str
    range_raw: str
    flags_raw: str
    flags: frozenset[Flag]
    status: str
    operator: str
    time: str  # completion time as sent
    completed: datetime | None  # in the analyzer's zone; None when it cannot be read
    instrument: str
    run: str
    comments: tuple[str, ...]
    problem: str = ""
    problem_facts: Facts = ()
    control: bool = False  # measured on a control material
    assay: str = ""
    time_doubt: str = ""  # "ambiguous": this hour came twice; "skipped": it never came; "unreadable"

    @property
    def part(self) -> str:
        """What tells several values under one code apart (law 5): target and detail, so that the Ct of two targets are two results."""
        return "/".join(text for text in (self.analyte, self.detail) if text)


@dataclass(frozen=True, slots=True)
class QueryRead:
    """A Q record: which specimens the analyzer asks about."""

    start_raw: str
    end_raw: str
    specimens: tuple[str, ...]
    tests_raw: str
    status: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One message through one driver."""

    driver: str
    driver_version: str
    mapping_version: str  # digest of the driver's file
    protocol: str
    kind: Kind
    delimiters: str
    structure: str
    sender: str
    receiver: str
    serial: str
    software: str
    processing_id: str
    version: str
    datetime: str
    message_id: str
    terminated: bool
    terminator: str
    patients: tuple[PatientRead, ...]
    specimens: tuple[str, ...]
    orders: tuple[OrderRead, ...]
    results: tuple[ResultRead, ...]
    queries: tuple[QueryRead, ...]
    comments: tuple[tuple[str, str, str, str], ...]  # (after, source, text, type)
    manufacturer: tuple[tuple[str, str], ...]  # (after, raw)
    disposition: Disposition
    reason: str = ""  # why the whole message is quarantined or refused: a reason code
    reason_facts: Facts = ()
    problems: tuple[str, ...] = ()  # oddities of structure, in words for lab IT
    tolerances_used: tuple[str, ...] = ()
    message_type: str = ""  # MSH-9 of an HL7 message
