"""Which AWOS come of which orders, and which of them are to be said now? One per order and analyzer, none of them ever said twice (LAW C.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from labmw.clock import read_stamp, stamp
from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.fitness import QC_OUT, Fitness, fitness
from labmw.lab.law_orders import Tube
from labmw.lab.nouns import patient_of, specimen_of
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


QC_TUBE, QC_ELSEWHERE, QC_BACK = stored.KEPT_BACK


@dataclass(frozen=True, slots=True)
class Offer:
    """The AWOS to be said of one tube. `kept_back`: lines on which it is to be presented again, and why; for tests whose control failed."""

    rows: list[Row] = field(default_factory=list)
    kept_back: Mapping[str, str] = field(default_factory=dict)


def offered(
    site: str, link: WorkLink, tube: Tube, orders: Sequence[Row], at: str, *, queried: bool
) -> Transaction[Offer]:
    """The AWOS to be said: those not known to be with the analyzer, and new ones; one per order and analyzer (LAW C.11).

    An ASTM analyzer that asks for a tube has not got its work, whatever it acknowledged before: what has no result is said again (decision 0040).
    """
    made = yield stored.awos_of_orders([row.id for row in orders])
    of_order: dict[int, list[Row]] = {}
    for row in made:
        of_order.setdefault(row.order, []).append(row)
    fit = yield from fitness(site, {order.loinc for order in orders}, read_stamp(at), link.routing.compared)
    names: list[str] = []
    kept_back: dict[str, str] = {}
    for order in orders:
        there = of_order.get(order.id, [])
        if fit.out(link.name, order.loinc):
            kept_back |= _kept_back(link, order, there, fit)
            continue
        if not link.routing.asks(link.name, order, there, fit):
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
        return Offer(kept_back=kept_back)
    rows = yield stored.awos_named(site, names)
    return Offer(sorted(rows, key=lambda row: int(row.id)), kept_back)


def _kept_back(link: WorkLink, order: Row, made: Sequence[Row], fit: Fitness) -> dict[str, str]:
    """Where the tube is to be presented for a test whose control failed here; nowhere, when another analyzer has the test."""
    other = link.routing.instead(link.name, order, made, fit)
    if not other:
        return {link.name: QC_TUBE}
    has = any(row.link == other and row.state in awos.LIVE for row in made)
    return {} if has else {other: QC_ELSEWHERE}


def plan(
    site: str,
    link: WorkLink,
    order: Row,
    name: str,
    patient: str,
    at: str,
    *,
    queried: bool = False,
    wanted: str = "",
    dilution: str = "",
) -> Transaction[None]:
    """Make the AWOS of an order on one analyzer; `wanted` NW where it is to be told without having asked; `dilution` 10 is 1 to 10."""
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
        dilution=dilution,
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
    """New orders for analyzers that keep a worklist; cancelled ones for every analyzer that has them; and what quality control moves."""
    made: dict[int, list[Row]] = {}
    for row in (yield stored.awos_of_orders([row.id for row in orders])):
        made.setdefault(row.order, []).append(row)
    routing = links[0].routing if links else EVERYWHERE
    fit = yield from fitness(
        site, {order.loinc for order in orders if order.state == "open"}, read_stamp(at), routing.compared
    )
    load: dict[str, int] = {}
    if any(route.by == "load" for route in routing.routes.values()):
        since = stamp(read_stamp(at) - LOAD_WITHIN)
        load = {row.link: row.count for row in (yield stored.live_by_link(site, since=since))}
    pushing = frozenset(link.name for link in links if link.push)
    for order in orders:
        if order.state == "cancelled":
            for row in made.get(order.id, ()):
                yield from cancel_step(row, awos.ORDER_CANCELLED, at)
        if order.state != "open":
            continue
        there = made.get(order.id, [])
        able = [link for link in links if link.push and link.code_of(order)]
        told = routing.pushed(order, there, [link.name for link in able], load, fit)
        yield from _move(order, there, pushing, fit, at)
        there = [row for row in there if row.reason != QC_OUT or row.state in awos.LIVE | {State.UNABLE}]
        for link in able:
            if link.name in told and not any(row.link == link.name for row in there):
                load[link.name] = load.get(link.name, 0) + 1
                yield from plan(site, link, order, awos.new_name(), "", at, wanted="NW")


def _move(order: Row, made: Sequence[Row], pushing: frozenset[str], fit: Fitness, at: str) -> Transaction[None]:
    """Take back what was given unasked to an analyzer whose control failed, and let it stay where a control passes before it was.

    What runs goes on: its result is held by the gate. Where the analyzer asks, the tube is in it, or has gone by.
    """
    for row in made:
        if row.link not in pushing:
            continue
        if fit.out(row.link, order.loinc):
            if row.state in (State.PLANNED, State.BROADCAST, State.ACCEPTED):
                yield from cancel_step(row, QC_OUT, at)
        elif row.reason != QC_OUT or any(one.link != row.link and one.state in awos.LIVE for one in made):
            continue
        elif row.wanted == "CA":  # it was not told yet
            yield stored.change(schema.awos, row.id, wanted="", reason="", updated_at=at)
        elif row.state == State.UNABLE:  # it could not be told, and has it still
            yield stored.change(schema.awos, row.id, state=State.ACCEPTED, reason="", updated_at=at)


def presented(site: str, link: str, tube: str, at: str) -> Transaction[None]:
    """A tube was given its work on a line: it is listed elsewhere only for a test that is out there and that nobody has."""
    yield stored.presented(site, link, tube, at)
    listed = [row for row in (yield stored.to_present_of(site, tube)) if row.reason in stored.KEPT_BACK]
    if not listed:
        return
    orders = [row for row in (yield statements.orders_among(site, [tube])) if row.state == "open"]
    has = {row.order for row in (yield stored.awos_of_orders([row.id for row in orders])) if row.state in awos.LIVE}
    left = {row.loinc for row in orders if row.id not in has}
    fit = yield from fitness(site, left, read_stamp(at))
    for row in listed:
        if not any(row.reason != QC_TUBE or fit.out(row.link, test) for test in left):
            yield stored.change(schema.re_present, row.id, closed_at=at)


def back_again(site: str, links: Sequence[WorkLink], orders: Sequence[Row], at: str) -> Transaction[None]:
    """Tubes that were to be presented once a control passes: those of which no ordered test is out on their line any more may come."""
    waiting = [row for row in (yield stored.to_present(site)) if row.reason == QC_TUBE]
    if not waiting:
        return
    named = {link.name: link for link in links}
    tubes = {order.specimen for order in orders}
    tests: dict[str, set[str]] = {}
    for row in (yield statements.orders_among(site, sorted(tubes & {one.specimen for one in waiting}))):
        if row.state == "open":
            tests.setdefault(row.specimen, set()).add(row.loinc)
    fit = yield from fitness(site, {test for some in tests.values() for test in some}, read_stamp(at))
    for row in waiting:
        here = tests.get(row.specimen, set())
        if here and row.link in named and not any(fit.out(row.link, test) for test in here):
            yield stored.change(schema.re_present, row.id, reason=QC_BACK)


def rerun(site: str, link: WorkLink, row: Row, at: str, dilution: str = "") -> Transaction[str]:
    """Ask for a test once more, diluted or not: a new AWOS for the same order (LAW C.3); returns its identity.

    An analyzer that keeps a worklist is told at once; another gets it when it asks for the tube, which is listed to be presented again.
    """
    (order,) = [one for one in (yield statements.orders_among(site, [row.specimen])) if one.id == row.order]
    yield stored.change(schema.order, order.id, state="open", updated_at=at)
    name = awos.new_name()
    wanted = "NW" if link.push else ""
    yield from plan(site, link, order, name, row.patient, at, wanted=wanted, dilution=dilution)
    if not link.push:
        yield stored.present_again(site, link.name, row.specimen, stored.AGAIN, at)
    return name
