"""How does a message that one destination does not take get to another? A person sends its results there instead; the old message is closed.

For a register that has moved, an LIS that was replaced, a dead letter that somebody else must have at once. A destination gets a result once:
what it has already is left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from labmw.delivery.mending import NotNow, Overtaken, TakenBack
from labmw.store import schema, statements
from labmw.store.statements import mending as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction

MOVED = ("waiting", "dead", "held")


@dataclass(frozen=True, slots=True)
class Routed:
    """What became of one message: the message that carries its results now (None when the destination has them all), and how many."""

    entry: int
    anew: int | None
    results: int
    there: int  # results that the other destination had already


def route(site: str, entry: int, destination: str, *, at: str, by: str, why: str) -> Transaction[Routed]:
    """Send the results of a message to another destination instead; raises NotNow, Overtaken, TakenBack."""
    rows = yield stored.outbox_entry(site, entry)
    if not rows:
        raise NotNow(entry, "not known")
    (old,) = rows
    if old.state not in MOVED or old.destination == destination:
        raise NotNow(entry, old.state)
    if gone := (yield stored.not_any_more(entry)):
        raise TakenBack(entry, gone[0])
    carried = [row.result for row in (yield stored.carried_numbers(entry))]
    known = yield stored.at_destination(site, destination, entry)
    for row in known:
        if row.state == "closed":  # it was routed away from there: that message is let go again, by its own number
            raise NotNow(row.outbox, "closed")
    there = {row.result for row in known}
    if newer := (yield stored.newer_at(site, destination, entry)):
        raise Overtaken(entry, newer[0])
    taken_back = yield stored.withdrawals_of(entry)
    going = [number for number in carried if number not in there]
    anew = None
    if going or taken_back:
        anew = yield from _anew(old, destination, at)
        for number in going:
            yield statements.insert(
                schema.outbox_result, site=site, outbox=anew, result=number, destination=destination
            )
        for one in taken_back:
            yield statements.insert(
                schema.withdrawal, site=site, result=one.result, outbox=anew, at=one.at, by=one.by, why=one.why
            )
        yield statements.results_of_outbox(anew, was="dead", becomes="released")
    yield change(
        schema.outbox,
        entry,
        state="closed",
        last_error=f"to {destination} instead",
        claimed_by=None,
        claimed_until=None,
    )
    if there:
        yield statements.results_arrived(entry)
    yield audited(
        site, at=at, who=by, what="routed", subject=f"outbox/{entry}", why=why, to=destination, anew=anew, was=old.state
    )
    return Routed(entry, anew, len(going) + len(taken_back), len(there))


def route_all(site: str, source: str, destination: str, *, at: str, by: str, why: str) -> Transaction[list[Routed]]:
    """The same with everything that a destination has not taken, in one transaction; what is being sent at this moment stays."""
    found = []
    for row in (yield stored.unfinished_to(site, source)):
        if row.state in MOVED:
            found.append((yield from route(site, row.id, destination, at=at, by=by, why=why)))
    return found


def _anew(old: Row, destination: str, at: str) -> Transaction[int]:
    """The message to the other destination, with a number of its own and everything else as it was."""
    digest = hashlib.sha256(f"{old.site}/{destination}/routed/{old.control_id}".encode()).hexdigest()
    made = yield statements.insert(
        schema.outbox,
        site=old.site,
        destination=destination,
        control_id=digest[:20].upper(),
        specimen=old.specimen,
        message=old.message,
        state="waiting",
        priority=old.priority,
        due_at=at,
        created_at=at,
    )
    return int(made[0].id)
