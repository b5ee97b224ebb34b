"""A result that a partner performed was wrong: how is it taken back from wherever it has got to?

What the LIS has is withdrawn there (OBX-11 X); what has not arrived does not leave any more; and a person is told, because somebody may have acted on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from labmw.lab.lis_told import Told, raise_task
from labmw.lab.withdrawing import withdraw
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction

RECALL = "interlab-recall"


@dataclass(frozen=True, slots=True)
class Recall:
    """What is taken back: a result of ours that came for a sub-order, and where results go."""

    told: Told
    destination: str
    sub_order: Row
    result: Row


def take_back(one: Recall, why: str, now: str) -> Transaction[None]:
    """Take a result back; `now` is what the partner says in its place."""
    told, row, result = one.told, one.sub_order, one.result
    if result.state != "withdrawn":
        nobody_has_it = not one.destination or (
            yield from withdraw(told.site, one.destination, result.id, row.partner, why, told.at)
        )
        if nobody_has_it:
            yield from _stop(result, why)
    facts = {"result": str(result.id), "order": row.number, "partner": row.partner, "was": result.value, "now": now}
    yield from raise_task(told.site, RECALL, f"result/{result.id}", row.specimen, facts, told.at)


def _stop(result: Row, why: str) -> Transaction[None]:
    """What has not arrived does not leave any more: the result is blocked, and the message that carries it alone is given up."""
    yield change(schema.result, result.id, state="blocked")
    for carrier in (yield stored.carriers(result.id)):
        carried = yield statements.report_of(carrier.id)
        if carrier.state in ("waiting", "held") and len(carried) == 1:
            yield change(schema.outbox, carrier.id, state="dead", last_error=why)
