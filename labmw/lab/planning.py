"""Which AWOS come of which orders, and which of them are to be said now? One per order and analyzer, none of them ever said twice (LAW C.11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from labmw.clock import read_stamp, stamp
from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.intake import patient_of, specimen_of
from labmw.lab.law_orders import Tube
from labmw.lab.routing import EVERYWHERE
from labmw.lab.steps import cancel_step
from labmw.lab.work_link import WorkLink
from labmw.line.orders import Broadcast
from labmw.store import schema, statements
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Row, Transaction

LOAD_WITHIN = timedelta(days=2)  # what was ordered before that weighs no analyzer down any more


def open_orders(site: str, link: WorkLink, tube: Tube, now: datetime) -> Transaction[tuple[Tube, Sequence[Row], str]]:
    """The open orders of a tube that this analyzer can do, each test once; a tube that two patients share has none, and a doubt.

    A barcode recycles (law 6): what was ordered before the end of an earlier tube of this number belongs to that one.
    """
    known = [specimen_of(row) for row in (yield statements.specimens_among(site, [tube.identifier]))]
    valid = [
        one
        for one in known
        if (one.valid_from is None or one.valid_from <= now) and (one.valid_to is None or now <= one.valid_to)
    ]
    owners = {one.patient for one in valid}
    if len(owners) > 1:
        return tube, (), "two-patients"
    if known and not valid:
        return tube, (), ""
    ended = max((one.valid_to for one in known if one.valid_to is not None and one.valid_to < now), default=None)
    wanted: dict[str, Row] = {}
    for row in (yield statements.orders_among(site, [tube.identifier])):
        mine = row.state == "open" and row.loinc not in wanted and link.code_of(row)
        if mine and (ended is None or row.ordered_at is None or read_stamp(row.ordered_at) > ended):
            wanted[row.loinc] = row
    patient = None
    if owners:
        found = yield statements.patients_among(site, sorted(owners))
        patient = patient_of(found[0]) if found else None
    specimen = valid[0] if valid else None
    placed = Tube(tube.identifier, specimen, patient, tube.carrier, tube.position, tube.tray, tube.tray_position)
    return placed, tuple(wanted.values()), ""


def offered(
    site: str, link: WorkLink, tube: Tube, orders: Sequence[Row], at: str, *, queried: bool
) -> Transaction[list[Row]]:
    """The AWOS to be said: those not known to be with the analyzer, and new ones; one per order and analyzer (LAW C.11).

    An ASTM analyzer that asks for a tube has not got its work, whatever it acknowledged before: what has no result is said again (decision 0040).
    """
    made = yield stored.awos_of_orders([row.id for row in orders])
    of_order: dict[int, list[Row]] = {}
    for row in made:
        of_order.setdefault(row.order, []).append(row)
    names: list[str] = []
    for order in orders:
        there = of_order.get(order.id, [])
        if not link.routing.asks(link.name, order, there):
            continue
        old = next((row for row in reversed(there) if row.link == link.name), None)
        again = awos.UNSAID | ({State.ACCEPTED, State.IN_PROCESS} if link.asks_for_what_it_lacks else set())
        if old is not None and old.state in again:
            names.append(old.awos)
            if queried:
                yield stored.change(schema.awos, old.id, queried_at=at, updated_at=at)
            continue
        lost = old is not None and old.state in (State.ACCEPTED, State.IN_PROCESS) and link.loses_worklist
        if old is not None and not lost and old.state not in awos.OFFERED_AGAIN:
            continue
        if old is not None and lost:  # it has lost its worklist: the same work under a new identity
            yield stored.change(
                schema.awos, old.id, state=State.CANCELLED, reason=awos.REPLACED, closed_at=at, updated_at=at
            )
        name = awos.new_name()
        yield from plan(site, link, order, name, tube.patient.identifier if tube.patient else "", at, queried=queried)
        names.append(name)
    if not names:
        return []
    rows = yield stored.awos_named(site, names)
    return sorted(rows, key=lambda row: int(row.id))


def plan(
    site: str, link: WorkLink, order: Row, name: str, patient: str, at: str, *, queried: bool = False, wanted: str = ""
) -> Transaction[None]:
    """Make the AWOS of an order on one analyzer; `wanted` NW where it is to be told without having asked."""
    code = link.code_of(order)
    assert code is not None
    yield statements.insert(
        schema.awos,
        site=site,
        awos=name,
        link=link.name,
        specimen=order.specimen,
        patient=patient,
        loinc=order.loinc,
        code=code.code,
        test_name=order.test_name or code.text,
        order=order.id,
        priority=order.priority,
        state=State.PLANNED,
        wanted=wanted,
        created_at=at,
        queried_at=at if queried else None,
        updated_at=at,
    )


def said(rows: Sequence[Row], broadcast: Broadcast, at: str, *, cancel: bool = False) -> Transaction[None]:
    """These AWOS are spoken of in a message that is about to leave."""
    for row in rows:
        state = row.state if cancel else State.BROADCAST
        yield stored.change(
            schema.awos,
            row.id,
            state=state,
            wanted="",
            control_id=broadcast.control_id,
            waits=1,
            sends=row.sends + 1 if not cancel else row.sends,
            broadcast_at=at,
            updated_at=at,
        )


def plan_changes(site: str, links: Sequence[WorkLink], orders: Sequence[Row], at: str) -> Transaction[None]:
    """New orders for analyzers that keep a worklist; cancelled ones for every analyzer that has them."""
    made: dict[int, list[Row]] = {}
    for row in (yield stored.awos_of_orders([row.id for row in orders])):
        made.setdefault(row.order, []).append(row)
    routing = links[0].routing if links else EVERYWHERE
    load: dict[str, int] = {}
    if any(route.by == "load" for route in routing.routes.values()):
        since = stamp(read_stamp(at) - LOAD_WITHIN)
        load = {row.link: row.count for row in (yield stored.live_by_link(site, since=since))}
    for order in orders:
        if order.state == "cancelled":
            for row in made.get(order.id, ()):
                yield from cancel_step(row, awos.ORDER_CANCELLED, at)
        if order.state != "open":
            continue
        there = made.get(order.id, [])
        able = [link for link in links if link.push and link.code_of(order)]
        told = routing.pushed(order, there, [link.name for link in able], load)
        for link in able:
            if link.name in told and not any(row.link == link.name for row in there):
                load[link.name] = load.get(link.name, 0) + 1
                yield from plan(site, link, order, awos.new_name(), "", at, wanted="NW")


def rerun(site: str, link: WorkLink, row: Row, at: str) -> Transaction[str]:
    """Ask for a test once more: a new AWOS for the same order (LAW C.3); returns its identity.

    An analyzer that keeps a worklist is told at once, another gets it when it asks for the tube.
    """
    (order,) = [one for one in (yield statements.orders_among(site, [row.specimen])) if one.id == row.order]
    yield stored.change(schema.order, order.id, state="open", updated_at=at)
    name = awos.new_name()
    yield from plan(site, link, order, name, row.patient, at, wanted="NW" if link.push else "")
    return name
