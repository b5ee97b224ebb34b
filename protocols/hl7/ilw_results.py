"""LAB-36: which results come back from another laboratory? ORU^R01 written, OUL^R22 read too, with its report as a document (IHE ILW).

One report may cover several sub-orders: its document stands in an ORDER_OBSERVATION of its own under 11502-2, or beside the results. Both are read;
the first is written. What a status says is the gravest of its observations, not the code in OBR-25 alone: senders forget it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from protocols.errors import Hl7Error
from protocols.hl7.datatypes import Code
from protocols.hl7.er7 import Message
from protocols.hl7.ilw_profile import ILW_GENERIC, IlwProfile
from protocols.hl7.ilw_states import Event
from protocols.hl7.ltw_results import oul_r22, read_results
from protocols.hl7.messages import oru_r01
from protocols.hl7.report import Observation, Report, ReportOrder
from protocols.hl7.values import Document, Unread

REPORT = Code("11502-2", "Laboratory report", "LN")
"""OBR-4 and OBX-3 of the document itself."""

WITHDRAWN = frozenset({"X", "D", "W"})  # OBX-11: cannot be obtained, deleted, wrong
CORRECTED = frozenset({"C"})
FINAL = frozenset({"F"})


def write_sub_results(report: Report, profile: IlwProfile = ILW_GENERIC) -> bytes:
    """The results of sub-orders, as this partner wants them.

    Raises: Hl7Error as ``oru_r01`` and ``oul_r22`` do, for a laboratory that is not named, and for another kind of message in the profile.
    """
    for order in report.orders:
        if order.facility is None:
            raise Hl7Error("ORC-21 is empty: across organisations the laboratory that asked is named")
    match profile.results_as:
        case "ORU_R01":
            return oru_r01(report)
        case "OUL_R22":
            return oul_r22(report)
    raise Hl7Error(f"results_as is {profile.results_as!r}: use ORU_R01 or OUL_R22")


def read_sub_results(message: Message) -> Report:
    """The report in a message; raises Hl7Error for another type of message, and as ``read_oru`` does."""
    return read_results(message)


def observations_of(order: ReportOrder) -> Iterator[tuple[int, Observation]]:
    """The observations that are results, each with its place under the order from 1."""
    for place, one in enumerate(order.observations, 1):
        if document_in(one) is None and not _is_report(one.code):
            yield place, one


def documents_of(order: ReportOrder) -> Iterator[tuple[int, bytes | None]]:
    """The documents of an order with their place; None where the bytes cannot be had (no Base64, cut in the middle of a group)."""
    for place, one in enumerate(order.observations, 1):
        data = document_in(one)
        if data is not None:
            yield place, data or None


def document_in(one: Observation) -> bytes | None:
    """The document of an observation: b"" for one that cannot be read, None when it is a result.

    Partners write the type in many ways, and some call the encoding ``A`` or nothing at all: Base64 is tried on whatever ED holds.
    """
    if isinstance(one.value, Document):
        return one.value.data
    if not isinstance(one.value, Unread) or one.value.type not in ("ED", "RP"):
        return None
    parts = one.value.field.split("^")
    try:
        return base64.b64decode(parts[4], validate=True) if len(parts) > 4 else b""
    except ValueError:
        return b""


def _is_report(code: Code) -> bool:
    return REPORT.code in (code.code, code.local_code)


def said_of(order: ReportOrder) -> Event | None:
    """What the results of one order say of its sub-order; None when there are none.

    ``PARTIAL`` when any is preliminary or OBR-25 says that more is to come.
    """
    statuses = {one.status for _, one in observations_of(order)}
    if not statuses:
        return None
    if statuses <= WITHDRAWN:
        return Event.WITHDRAWN
    if statuses - WITHDRAWN - CORRECTED - FINAL or order.status in ("P", "A", "I", "S", "R"):
        return Event.PARTIAL
    return Event.CORRECTED if statuses & CORRECTED or order.status == "C" else Event.FINAL
