"""What does an LIS order that speaks LIS02-A2? P and O records, read into the same orders that HL7 messages hold.

LIS02 has no number for an order: tube and test stand for it. It has no national identity either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.astm.message import Message
from protocols.astm.record import Record
from protocols.errors import RecordError
from protocols.hl7.datatypes import Code, EntityId, Identifier, PersonName
from protocols.hl7.er7 import segment
from protocols.hl7.ltw_values import Action, OrderPatient, OrderRequest, Orders, OrderSpecimen
from protocols.hl7.patient import read_patient
from protocols.hl7.report import Header

_ACTIONS = {"": Action.NEW, "N": Action.NEW, "A": Action.ADD_ON, "C": Action.CANCEL}
"""O-12 (8.4.12); a control specimen, and what is pending or reserved, is nothing to be measured for a patient."""
_NOTHING_KNOWN = frozenset({"Y", "Z"})  # O-26: no order, no patient on record: answers to a query


@dataclass(frozen=True, slots=True)
class AstmSaid:
    """What a message says: orders, patient by patient, and whether it answers a query with nothing (L-3 = I, O-26 = Y or Z)."""

    header: Header
    orders: tuple[Orders, ...]
    nothing: bool


def read_astm_orders(message: Message, authority: str) -> AstmSaid:
    """The orders of a message; patient numbers are those of `authority`.

    Raises: RecordError when it cannot be split, holds results, or an order without a patient record.
    """
    records = message.records
    header = _header(records[0])
    found: list[Orders] = []
    patient: Record | None = None
    requests: list[OrderRequest] = []
    nothing = message.terminator in ("I", "Q")
    for record in records[1:]:
        if record.type == "R":
            raise RecordError("an LIS does not send results to an instrument: send them to a laboratory's history")
        if record.type == "P":
            found += _orders(header, patient, requests, authority)
            patient, requests = record, []
        elif record.type == "O":
            if record.field(26) in _NOTHING_KNOWN or not record.field(5).strip():
                nothing = True
            elif patient is None:
                raise RecordError("an order stands before any patient: send a P record above it")
            else:
                requests += _requests(record)
    found += _orders(header, patient, requests, authority)
    return AstmSaid(header, tuple(found), nothing)


def _header(record: Record) -> Header:
    return Header(record.component(5, 1), "", record.component(10, 1), "", record.field(14), record.field(3))


def _orders(header: Header, record: Record | None, requests: list[OrderRequest], authority: str) -> Iterator[Orders]:
    if record is None or not requests:
        return
    number = next((record.component(n, 1) for n in (3, 4, 5) if record.component(n, 1).strip()), "")
    name = PersonName(record.component(6, 1), record.component(6, 2), record.component(6, 3))
    birth, sex = record.field(8)[:8], record.field(9)
    given = Identifier(number, authority, type="PI").components() if number else None
    pid = segment(["PID", None, None, given, None, name.components(), None, birth, sex])
    yield Orders(header, "OML^O21", tuple(requests), OrderPatient(read_patient(pid), pid))


def _requests(record: Record) -> Iterator[OrderRequest]:
    """One order for each repetition of O-5."""
    tube = record.component(3, 1).strip()
    kind = record.component(16, 1)
    specimen = OrderSpecimen(
        EntityId(tube) if tube else None,
        Code(kind) if kind else None,
        collected=record.field(8),
        received=record.field(15),
    )
    for repeat in range(1, len(record.repeats(5)) + 1):
        universal, name, _, local = (record.component(5, n, repeat).strip() for n in range(1, 5))
        code = local or universal
        action = _ACTIONS.get(record.field(12).strip(), Action.OTHER)
        yield OrderRequest(
            action=action,
            control=record.field(12),
            service=Code(
                code, name or code, "LN", universal if local else "", name, "LN" if local and universal else ""
            ),
            placer=EntityId(f"{tube}:{code}"),
            priority=record.component(6, 1),
            changed=record.field(7),
            specimens=(specimen,),
        )
