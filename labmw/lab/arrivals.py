"""Which tubes of a requester's box have come? Its list arrives with the sub-orders; each tube is scanned against it, and what is missing is told.

A tube may come before its sub-order: it is kept as unexpected, and received the moment somebody asks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labmw.lab.lis_told import Doubt, audit
from labmw.lab.sub_orders import Cause, again, move, note, tell_partner
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import partners as boxes
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_shipment import Shipment
from protocols.hl7.ilw_states import ENDED, Event, State

COMING, HERE, GONE = "announced", "received", "missing"
UNEXPECTED = "unexpected"
LONGEST = 64  # characters of what a partner says of a box


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of one tube that was scanned: the sub-orders that were waiting for it, and whether any list names it."""

    specimen: str
    orders: tuple[str, ...]
    listed: bool
    kept_in: str = ""  # the box under which a tube that nobody asks for is kept


def announce(row: Row, shipment: Shipment, cause: Cause) -> Transaction[None]:
    """A requester says in which box a tube travels: keep it on the list of that box."""
    said = {"temperature": shipment.temperature, "courier": shipment.courier, "tracking": shipment.tracking}
    columns: dict[str, object] = {name: text[:LONGEST] for name, text in said.items() if text}
    if shipment.tubes is not None:
        columns["announced"] = shipment.tubes
    box = yield from _box(cause.site, row.partner, shipment.box.id.strip()[:LONGEST], cause, columns)
    yield change(schema.sub_order, row.id, box=box.id)
    tubes = yield boxes.tubes_in(box.id)
    known = next((one for one in tubes if one.specimen == row.specimen), None)
    if known is None:
        state = HERE if row.received_at else COMING
        yield statements.insert(
            schema.box_tube, site=cause.site, box=box.id, specimen=row.specimen, state=state, at=cause.at, by=cause.by
        )
        if state == COMING and box.state != "announced":  # more is said of a box that had been checked
            yield change(schema.box, box.id, state="announced", received_at=None)
    yield from note(row, "announced", row.state, cause, {"box": box.number, "temperature": box.temperature})


def asked_for(row: Row, cause: Cause) -> Transaction[None]:
    """A sub-order has been accepted: a tube of it that came before is here."""
    waiting = yield boxes.came_unasked(cause.site, row.partner, row.specimen)
    if not waiting:
        return
    for tube in waiting:
        yield change(schema.box_tube, tube.id, state=HERE, reason="", at=cause.at)
    if not isinstance((yield from move((yield from again(row)), Event.RECEIVED, cause)), Doubt):
        yield from tell_partner(cause.site, row.partner, [((yield from again(row)), "SC", "IP")], row.message, cause.at)


def arrive(
    site: str, specimen: str, by: str, at: str, box_number: str = "", partner: str = ""
) -> Transaction[Arrived | Doubt]:
    """A tube is scanned in: its sub-orders are told; one that nobody asks for is kept in the box that was named, or in one without a list.

    `partner` is who sent a tube that nobody asks for; "" where that cannot be told: then it is said, and not kept.
    """
    cause = Cause(site, at, None, by)
    found: list[str] = []
    rows = [row for row in (yield stored.sub_orders_on(site, specimen)) if row.role == "subcontractor"]
    named: Row | None = None
    if box_number:
        box = yield from inbound(site, box_number, partner)
        if isinstance(box, Doubt):
            if not partner or dict(box.facts).get("partners"):
                return box
            box = yield from _box(site, partner, box_number, cause, {})
        named = box
    for row in rows:
        if State(row.state) is not State.ACCEPTED:
            continue
        if isinstance((yield from move(row, Event.RECEIVED, cause)), Doubt):
            continue
        yield from tell_partner(site, row.partner, [((yield from again(row)), "SC", "IP")], row.message, at)
        found.append(row.number)
    listed = yield from _tick(site, specimen, cause)
    known = bool(found) or listed or any(State(row.state) not in ENDED for row in rows)
    kept = ""
    if named is not None and specimen not in {one.specimen for one in (yield boxes.tubes_in(named.id))}:
        yield from _keep(named, specimen, cause)
        kept = named.number
    elif not known and named is None and partner:
        box = yield from _box(site, partner, f"unlisted-{at[:10]}", cause, {})
        yield from _keep(box, specimen, cause)
        kept = box.number
    if found or kept:
        yield from audit(site, at, by, "tube-received", f"specimen/{specimen}", ", ".join(found) or kept)
    return Arrived(specimen, tuple(found), listed, kept)


def complete(site: str, box_number: str, partner: str, by: str, at: str) -> Transaction[Counter[str] | Doubt]:
    """The box is empty: whatever of its list was not scanned is missing, and the requester is told so. Returns how many tubes are in which state."""
    box = yield from inbound(site, box_number, partner)
    if isinstance(box, Doubt):
        return box
    cause = Cause(site, at, None, by)
    inside = yield boxes.sub_orders_in(box.id)
    states: Counter[str] = Counter()
    for tube in (yield boxes.tubes_in(box.id)):
        if tube.state != COMING:
            states[tube.state] += 1
            continue
        states[GONE] += 1
        yield change(schema.box_tube, tube.id, state=GONE, at=at, by=by)
        for row in inside:
            if row.specimen == tube.specimen and State(row.state) not in ENDED:
                yield from note(row, "tube-missing", row.state, cause, {"box": box.number})
                yield from tell_partner(site, row.partner, [(row, "SC", "SC")], row.message, at, "missing")
    yield change(schema.box, box.id, state="received", received_at=at)
    yield from audit(
        site, at, by, "box-received", f"box/{box.number}", ", ".join(f"{n} {s}" for s, n in states.items())
    )
    return states


def inbound(site: str, number: str, partner: str = "") -> Transaction[Row | Doubt]:
    """The box of a requester under this number."""
    rows = [row for row in (yield boxes.boxes_numbered(site, number)) if partner in ("", row.partner)]
    if len(rows) == 1:
        return rows[0]
    if not rows:
        return Doubt("interlab-box-unknown", (("box", number),))
    return Doubt("interlab-box-several", (("box", number), ("partners", ", ".join(row.partner for row in rows))))


def expected(site: str) -> Transaction[list[tuple[Row, list[Row]]]]:
    """The boxes that are on their way, each with its tubes."""
    found = []
    for box in (yield boxes.boxes_coming(site)):
        found.append((box, list((yield boxes.tubes_in(box.id)))))
    return found


def _tick(site: str, specimen: str, cause: Cause) -> Transaction[bool]:
    """Every list that names a tube: it is here; return whether one does."""
    listed = False
    for tube in (yield boxes.tubes_coming(site, specimen)):
        listed = True
        if tube.state in (COMING, GONE):
            yield change(schema.box_tube, tube.id, state=HERE, reason="", at=cause.at, by=cause.by)
            if not any(one.state == COMING for one in (yield boxes.tubes_in(tube.box))):
                yield change(schema.box, tube.box, state="received", received_at=cause.at)
    return listed


def _keep(box: Row, specimen: str, cause: Cause) -> Transaction[None]:
    yield statements.insert_once(
        schema.box_tube, site=cause.site, box=box.id, specimen=specimen, state=UNEXPECTED, at=cause.at, by=cause.by
    )


def _box(site: str, partner: str, number: str, cause: Cause, columns: dict[str, object]) -> Transaction[Row]:
    rows: Sequence[Row] = [row for row in (yield boxes.boxes_numbered(site, number)) if row.partner == partner]
    if rows:
        if columns:
            yield change(schema.box, rows[0].id, **columns)
    else:
        yield statements.insert(
            schema.box, site=site, partner=partner, number=number, direction="in", state="announced", opened_at=cause.at,
            by=cause.by, **columns,
        )  # fmt: skip
    rows = [row for row in (yield boxes.boxes_numbered(site, number)) if row.partner == partner]
    return rows[0]
