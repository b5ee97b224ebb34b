"""What did the analyzer say? A message read with a driver: nothing dropped, nothing guessed, every doubt named.

This file holds the values; `labmw.driver.astm` fills them from LIS02-A2 records, `labmw.driver.hl7` from HL7 segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from labmw.frozen import value
from labmw.model import Disposition, Flag
from labmw.quantity import Quantity

Instant = datetime
"""A moment, where a field is itself called `datetime`."""

Kind = Literal[
    "result", "qc-result", "query", "query-cancel", "order", "order-response", "adt", "ack", "equipment-status", "other"
]

Role = Literal["", "result", "interpretation", "supplemental", "order-observation", "specimen-observation"]
"""What an OBX is beside its order, where HL7 tells; "" in ASTM."""

Facts = tuple[tuple[str, str], ...]
"""What fills the sentence of a reason code."""


_FEW = 8  # names in one sentence; each result of a hostile message carries its own


def listed(names: Sequence[str]) -> str:
    """A few names for a sentence, and how many more there are."""
    more = f" (+{len(names) - _FEW})" if len(names) > _FEW else ""
    return ", ".join(name[:80] for name in names[:_FEW]) + more


@value
class PatientRead:
    """A P record or PID segment as sent (PID-2 and PID-3 as the first two)."""

    practice_id: str
    lab_id: str
    id3: str
    name: str
    birth: str
    sex: str


@value
class Inventory:
    """An INV segment: a control, reagent, calibrator or consumable, with the segment it stands behind ("SPM1", "OBX3")."""

    raw: str
    name: str  # INV-1
    status: tuple[str, ...]  # INV-2, table 0383 and the maker's own
    kind: str  # INV-3, table 0384: CO control, RC calibrator, SR and MR reagents ...
    expiry: str  # INV-12 as sent
    lot: str  # INV-16
    after: str = ""
    opened: str = ""  # INV-13 as sent: when the analyzer first used it


@value
class OrderControl:
    """An ORC segment as sent: what becomes of an order (table 0119), its state (table 0038), and the orders it came from (ORC-8)."""

    control: str
    placer: str
    filler: str
    status: str
    parents: tuple[str, ...] = ()
    specimen: str = ""  # the one named above it


@value
class OrderRead:
    """An O record or OBR as sent, with the specimen identifier as the driver reads it.

    `awos` is the identifier that the analyzer manager gave to the step (IHE LAW, OBR-2), "" for work that began at the analyzer.
    """

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
    placer: str = ""  # OBR-2
    filler: str = ""  # OBR-3
    awos: str = ""
    time: str = ""  # OBR-7
    state: OrderControl | None = None


@value
class ObxRead:
    """What an OBX and the segments around it say of a result beside its value."""

    role: Role
    awos: str  # OBR-2, "" for unsolicited results
    parents: tuple[str, ...]  # ORC-8
    reflex: bool  # OBR-11 = G: decided by the analyzer
    observation_type: str  # OBX-29, table 0936
    contributing: tuple[Inventory, ...]
    control_item: Inventory | None  # the control that the INV behind the container names
    specimen_role: str  # SPM-11, table 0369; Q alone does not make a control
    container: str  # SAC-3
    value_type: str  # OBX-2
    sub_id: str  # OBX-4 as sent
    observed: str  # OBX-14 as sent
    analysed: str  # OBX-19 as sent


@value
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
    obx: ObxRead | None = None  # what only HL7 says

    @property
    def part(self) -> str:
        """What tells several values under one code apart (law 5): target and detail, so that the Ct of two targets are two results."""
        if self.analyte and self.detail:
            return f"{self.analyte}/{self.detail}"
        return self.analyte or self.detail

    @property
    def awos(self) -> str:
        """The identifier that the analyzer manager gave to this step (IHE LAW); "" where it gave none."""
        return self.obx.awos if self.obx else ""

    @property
    def parents(self) -> tuple[str, ...]:
        """The AWOS that a reflex of the analyzer came from."""
        return self.obx.parents if self.obx else ()

    @property
    def contributing(self) -> tuple[Inventory, ...]:
        """The reagents, diluents and calibrators behind this result."""
        return self.obx.contributing if self.obx else ()


@value
class QueryRead:
    """A Q record or QPD segment: which specimens the analyzer asks about."""

    start_raw: str
    end_raw: str
    specimens: tuple[str, ...]
    tests_raw: str
    status: str
    name: str = ""  # QPD-1
    tag: str = ""  # QPD-2
    parameters: tuple[str, ...] = ()  # QPD-3 and following, as sent


@value
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
    inventory: tuple[Inventory, ...] = ()  # every INV of the message, in order
    responses: tuple[OrderControl, ...] = ()  # of an order response: each ORC
    station: str = ""  # the address that chose the driver, where several analyzers share a link: part of who measured
    restated: bool = (
        False  # by a driver whose document nobody here read: nothing leaves without a person (decision 0094)
    )
    sent_at: Instant | None = None  # H.14 or MSH-7 in the analyzer's zone; None when it cannot be read
