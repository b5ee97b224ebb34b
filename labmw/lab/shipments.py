"""What is in the box for a partner? Tubes are scanned in, the box leaves, and with it the sub-orders that waited for it; at the other end each tube is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labmw.clock import read_stamp
from labmw.lab.lis_told import Doubt, audit
from labmw.lab.sub_orders import Cause, label_of, note, service_of, tell_partner
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import partners as boxes
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_states import ALIVE, ENDED, State


def open_box(site: str, partner: str, temperature: str, by: str, at: str) -> Transaction[Row]:
    """The box that is being filled for a partner (of this temperature, where one is given), or a new one."""
    known = yield boxes.boxes_of(site, partner)
    for row in known:
        if row.state == "open" and temperature in ("", row.temperature):
            return row
    day = read_stamp(at).strftime("%Y%m%d")
    yield statements.insert(
        schema.box, site=site, partner=partner, number=f"{partner}-{day}-{len(known) + 1}", temperature=temperature, state="open", opened_at=at, by=by,
    )  # fmt: skip
    rows = yield boxes.boxes_of(site, partner)
    return rows[-1]


_FROM = {
    "received": ("packed", "announced", "missing"),
    "missing": ("packed", "announced"),
    "non-conforming": ("packed", "announced", "missing", "received"),
}
"""From which states a tube comes to another: one that has been seen is not missing."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was said when tubes were scanned into a box: those that stay out of it and why, and what to look at of those that are in it."""

    refused: tuple[Doubt, ...]
    remarks: tuple[Doubt, ...]


def pack(
    site: str, partner: str, tubes: Sequence[str], temperature: str, by: str, at: str, aliquot: str = ""
) -> Transaction[Packed]:
    """Scan tubes into the box. `aliquot` is the number on the tube that leaves in place of the one that stays here."""
    box: Row | None = None
    refused: list[Doubt] = []
    remarks: list[Doubt] = []
    entries = yield boxes.catalogue_at(site, partner, at)
    for tube in tubes:
        asked = [row for row in (yield stored.sub_orders_on(site, tube)) if row.role == "requester"]
        rows = [row for row in asked if row.partner == partner and State(row.state) not in ENDED]
        doubt = yield from _stays_out(site, partner, tube, rows, aliquot)
        if doubt is not None:
            refused.append(doubt)
            continue
        label = aliquot or tube
        if box is None:
            box = yield from open_box(site, partner, temperature, by, at)
        for before in (yield boxes.packed(site, tube)):  # it moves from another box, or its aliquot takes its place
            if before.partner == partner:
                yield change(schema.box_tube, before.id, box=box.id, specimen=label)
        yield statements.insert_or_update(
            schema.box_tube, site=site, box=box.id, specimen=label, state="packed", at=at, by=by
        )
        for row in rows:
            yield change(schema.sub_order, row.id, box=box.id, aliquot=aliquot)
            yield from note(
                row, "packed", row.state, Cause(site, at, None, by), {"box": box.number, "aliquot": aliquot}
            )
            remarks += _too_warm(row, box, entries)
        if not aliquot and (
            here := [one for one in (yield statements.orders_among(site, [tube])) if one.state == "open"]
        ):
            names = ", ".join(sorted({one.test_name or one.loinc for one in here}))
            remarks.append(Doubt("interlab-needed-here", (("specimen", tube), ("tests", names))))
    return Packed(tuple(refused), tuple(dict.fromkeys(remarks)))


def _stays_out(site: str, partner: str, tube: str, rows: Sequence[Row], aliquot: str) -> Transaction[Doubt | None]:
    """Why a tube does not go into the box."""
    if not rows:
        return Doubt("interlab-not-for-partner", (("specimen", tube), ("partner", partner)))
    blocked = [one for row in rows for one in json.loads(row.missing)]
    if blocked and len(rows) == 1:
        return Doubt("interlab-still-missing", (("order", rows[0].number), ("missing", ", ".join(blocked))))
    for row in rows if aliquot else ():
        if (yield stored.sayings_of(row.id)):
            return Doubt("interlab-aliquot-late", (("order", row.number), ("specimen", tube)))
    if not aliquot and (other := [one for one in (yield boxes.packed(site, tube)) if one.partner != partner]):
        return Doubt(
            "interlab-tube-shared", (("specimen", tube), ("box", other[0].number), ("partner", other[0].partner))
        )
    return None


def _too_warm(row: Row, box: Row, entries: Sequence[Row]) -> list[Doubt]:
    """What the catalogue says of the temperature, where the box says something else."""
    service, found = service_of(row), []
    for one in entries:
        if one.code not in (service.code, service.local_code) or not one.temperature or not box.temperature:
            continue
        if one.temperature.strip().casefold() != box.temperature.strip().casefold():
            facts = (("test", service.text), ("wanted", one.temperature), ("box", box.temperature))
            found.append(Doubt("interlab-temperature", (("specimen", label_of(row)), *facts)))
    return found


def waiting_for(site: str, partner: str) -> Transaction[list[tuple[str, list[Row]]]]:
    """The tubes that are in no box yet, each with its sub-orders: one tube goes for all of them."""
    found: dict[str, list[Row]] = {}
    for row in (yield stored.sub_orders_open(site)):
        if row.role == "requester" and row.partner == partner and row.box is None and not row.received_at:
            found.setdefault(row.specimen, []).append(row)
    return list(found.items())


@dataclass(frozen=True, slots=True)
class Left:
    """A box that has left: how many sub-orders left with it, and how many that had been said before were told where their tube is."""

    box: Row
    sent: int
    told: int


def close_box(
    site: str, partner: str, courier: str, tracking: str, by: str, at: str, *, tells: bool = True
) -> Transaction[Left | Doubt]:
    """The box leaves, and the partner is told what is in it: with the sub-orders that waited for it, and of those that it has, in which box they come.

    `tells` is whether the partner is sent numbers of boxes.
    """
    open_ = [row for row in (yield boxes.boxes_of(site, partner)) if row.state == "open"]
    if not open_:
        return Doubt("interlab-no-box", (("partner", partner),))
    (box, *_) = open_
    leaving: dict[tuple[str, int, str], list[Row]] = {}
    for row in (yield boxes.sub_orders_in(box.id)):
        sayings = yield stored.sayings_of(row.id)
        if row.state == State.CREATED and not json.loads(row.missing) and not sayings:
            leaving.setdefault((row.specimen, row.message, "NW"), []).append(row)
        elif tells and sayings and row.state in (State.CREATED, *ALIVE):
            leaving.setdefault((row.specimen, row.message, "SC"), []).append(row)
    yield change(schema.box, box.id, state="shipped", shipped_at=at, courier=courier, tracking=tracking)
    for (_, message, control), rows in leaving.items():
        status, about = ("SC", "shipped") if control == "SC" else ("", "")
        yield from tell_partner(site, partner, [(row, control, status) for row in rows], message, at, about)
        for row in rows:
            yield from note(
                row, "shipped", row.state, Cause(site, at, None, by), {"box": box.number, "courier": courier}
            )
    yield from audit(site, at, by, "box-shipped", f"box/{box.number}", tracking)
    counts = Counter(control for (_, _, control), rows in leaving.items() for _ in rows)
    return Left(box, counts["NW"], counts["SC"])


def tube_arrived(row: Row, cause: Cause, state: str) -> Transaction[None]:
    """It is said what became of a tube that was in a box; with the last of them the box has been received."""
    if row.box is None:
        return
    label = label_of(row)
    left = 0
    for tube in (yield boxes.tubes_in(row.box)):
        if tube.specimen == label:
            if tube.state in _FROM[state]:
                yield change(schema.box_tube, tube.id, state=state, reason=cause.reason, at=cause.at)
        elif tube.state in ("packed", "announced"):
            left += 1
    if not left:
        yield change(schema.box, row.box, state="received", received_at=cause.at)


def contents(site: str, partner: str) -> Transaction[tuple[Row, list[tuple[Row, list[Row]]]] | None]:
    """The newest box for a partner: its tubes, each with its sub-orders."""
    known = yield boxes.boxes_of(site, partner)
    if not known:
        return None
    box = known[-1]
    found = []
    inside = yield boxes.sub_orders_in(box.id)
    for tube in (yield boxes.tubes_in(box.id)):
        found.append((tube, [row for row in inside if label_of(row) == tube.specimen]))
    return box, found
