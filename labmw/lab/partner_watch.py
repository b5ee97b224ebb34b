"""How do we stand with other laboratories? Open and late sub-orders by partner, and the whole story of one; read-only."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from labmw.clock import read_stamp
from labmw.partner import Partner
from labmw.store import statements
from labmw.store.statements import interlab as stored
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_states import State

FRESH = timedelta(seconds=60)  # the state of a line is written every 15 s
NOT_LATE = frozenset({State.CANCEL_SENT.value})
"""Open states of which no result is waited for."""


@dataclass(frozen=True, slots=True)
class PartnerNow:
    """A partner at this moment."""

    name: str
    role: str
    way: str
    states: tuple[tuple[str, int], ...]
    late: int
    waiting: int  # messages not delivered
    dead: int
    troubles: tuple[
        tuple[str, Mapping[str, str]], ...
    ] = ()  # phrases of the status catalogue and their facts, of both its lines

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "partner": self.name, "role": self.role, "way": self.way, "states": dict(self.states), "late": self.late,
            "waiting": self.waiting, "dead": self.dead, "troubles": [{"code": code, "facts": dict(facts)} for code, facts in self.troubles],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SubOrderStory:
    """Everything about one sub-order."""

    row: Row
    events: tuple[Row, ...]
    sayings: tuple[Row, ...]
    performed: tuple[Row, ...]
    documents: tuple[Row, ...]
    items: tuple[Row, ...]


def late_now(site: str, at: str) -> Transaction[list[Row]]:
    """The sub-orders whose results are overdue, the longest first."""
    return [
        row
        for row in (yield stored.sub_orders_open(site))
        if row.due_at and row.due_at < at and row.state not in NOT_LATE
    ]


def partners_now(site: str, partners: Sequence[Partner], at: str) -> Transaction[list[PartnerNow]]:
    """Every partner of the configuration."""
    rows = yield stored.all_sub_orders(site)
    late = Counter(row.partner for row in (yield from late_now(site, at)))
    outbox: Counter[tuple[str, bool]] = Counter()
    for row in (yield statements.outbox_waiting(site)):
        destination, state, count, _, _ = row
        outbox[destination, state == "dead"] += count
    troubles = {row.link: _troubles(row, at) for row in (yield statements.link_states(site))}
    found = []
    for partner in partners:
        states = Counter(row.state for row in rows if row.partner == partner.name)
        way = f"{partner.connect} {partner.listen}".strip()
        if partner.files is not None:
            way = partner.files.way
        elif partner.tls is not None:
            way = f"{way} TLS"
        found.append(
            PartnerNow(
                partner.name, partner.role, way, tuple(sorted(states.items())), late[partner.name],
                outbox[partner.name, False], outbox[partner.name, True], (*troubles.get(partner.name, ()), *troubles.get(partner.feed, ())),
            )
        )  # fmt: skip
    return found


def _troubles(row: Row, at: str) -> tuple[tuple[str, Mapping[str, str]], ...]:
    """What a line has noted, where that is not older than a daemon that runs would leave it."""
    if read_stamp(at) - read_stamp(row.updated_at) > FRESH:
        return ()
    facts: Mapping[str, Mapping[str, str]] = json.loads(row.facts)
    return tuple((code, {"link": row.link, **facts.get(code, {})}) for code in filter(None, row.trouble.split(",")))


def story_of(site: str, number: str) -> Transaction[list[SubOrderStory]]:
    """The story of every sub-order of this number."""
    found = []
    for row in (yield stored.sub_order_named(site, number)):
        found.append(
            SubOrderStory(
                row,
                tuple((yield stored.events_of(row.id))),
                tuple((yield stored.sayings_of(row.id))),
                tuple((yield stored.performed_of(row.id))),
                tuple((yield stored.documents_of([row.id]))),
                tuple((yield stored.items_of([row.id]))),
            )
        )
    return found
