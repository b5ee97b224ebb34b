"""What follows when the LIS has answered a correction? What it refuses, or is known to ignore, a person corrects by hand: a task says so."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.delivery.adding import added_answered
from labmw.dialect import LisDialect
from labmw.lab.lis_told import raise_task
from labmw.store import schema, statements
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message
from protocols.hl7.ltw_results import read_results
from protocols.hl7.values import Numeric, Text

CORRECT_BY_HAND = "correct-by-hand"
_CORRECTS = frozenset({"C", "X", "D"})  # OBX-11


@dataclass(frozen=True, slots=True)
class Correction:
    """One result that a message corrects or takes back."""

    test: str
    value: str  # "" when it is taken back


def corrections_in(payload: bytes) -> list[Correction]:
    """What a message of ours corrects or takes back; nothing for one that only adds."""
    try:
        report = read_results(Message.parse(payload))
    except Hl7Error:
        return []
    return [
        Correction(one.code.text or one.code.code, _shown(one.value, one.unit.code if one.unit else ""))
        for order in report.orders
        for one in order.observations
        if one.status in _CORRECTS
    ]


def _shown(value: object, unit: str) -> str:
    if isinstance(value, Numeric):
        return f"{value.comparator}{value.number:f} {unit}".strip()
    return value.text if isinstance(value, Text) else ""


@dataclass(frozen=True, slots=True)
class Settling:
    """Writes the tasks of one destination, in the transaction that keeps its answer."""

    site: str
    dialect: LisDialect

    def after(self, row: Row, payload: bytes, why: str, at: str) -> Transaction[None]:
        """The LIS has taken (`why` "") or refused a message."""
        yield from added_answered(self.site, row, why, at)
        if not why and self.dialect.corrections != "ignores":
            return
        found = corrections_in(payload)
        if not found:
            return
        facts = {
            "specimen": row.specimen,
            "tests": ", ".join(f"{one.test} {one.value}".strip() for one in found),
            "why": why or self.dialect.name,
            "control_id": row.control_id,
        }
        yield from raise_task(self.site, CORRECT_BY_HAND, f"outbox/{row.id}", row.specimen, facts, at)


def corrected_by_hand(subject: str, by: str, at: str) -> Transaction[None]:
    """A person has put into the LIS what a refused message said: the message is no dead letter any more."""
    entry = int(subject.removeprefix("outbox/"))
    rows = yield statements.outbox_numbered(entry)
    if not rows or rows[0].state != "dead":
        return
    yield change(schema.outbox, entry, state="delivered", delivered_at=at, last_error=f"by hand: {by}")
    yield statements.results_of_outbox(entry, was="dead", becomes="delivered")
