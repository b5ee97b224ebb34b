"""What is in the box for a partner? Tubes are scanned in, the box leaves, and with it the sub-orders that waited for it; at the other end each tube is accounted for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from labmw.clock import read_stamp
from labmw.lab.lis_told import Doubt, audit
from labmw.lab.sub_orders import Cause, note, tell_partner
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import partners as boxes
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_states import ENDED, State


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


def pack(site: str, partner: str, tubes: Sequence[str], temperature: str, by: str, at: str) -> Transaction[list[Doubt]]:
    """Scan tubes into the box; return why some do not belong there."""
    box = yield from open_box(site, partner, temperature, by, at)
    doubts: list[Doubt] = []
    for tube in tubes:
        rows = [
            row
            for row in (yield stored.sub_orders_on(site, tube))
            if row.role == "requester" and row.partner == partner and State(row.state) not in ENDED
        ]
        if not rows:
            doubts.append(Doubt("interlab-not-for-partner", (("specimen", tube), ("partner", partner))))
            continue
        blocked = [one for row in rows for one in json.loads(row.missing)]
        if blocked and len(rows) == 1:
            facts = (("order", rows[0].number), ("missing", ", ".join(blocked)))
            doubts.append(Doubt("interlab-still-missing", facts))
            continue
        yield statements.insert_or_update(
            schema.box_tube, site=site, box=box.id, specimen=tube, state="packed", at=at, by=by
        )
        for row in rows:
            yield change(schema.sub_order, row.id, box=box.id)
            yield from note(row, "packed", row.state, Cause(site, at, None, by), {"box": box.number})
    return doubts


def close_box(
    site: str, partner: str, courier: str, tracking: str, by: str, at: str
) -> Transaction[tuple[Row, int] | Doubt]:
    """The box leaves; return it, and how many sub-orders left with it that had waited for it."""
    open_ = [row for row in (yield boxes.boxes_of(site, partner)) if row.state == "open"]
    if not open_:
        return Doubt("interlab-no-box", (("partner", partner),))
    (box, *_) = open_
    waiting: dict[tuple[str, int], list[Row]] = {}
    for row in (yield boxes.sub_orders_in(box.id)):
        if row.state == State.CREATED and not json.loads(row.missing) and not (yield stored.sayings_of(row.id)):
            waiting.setdefault((row.specimen, row.message), []).append(row)
    for (_, message), rows in waiting.items():
        yield from tell_partner(site, partner, [(row, "NW", "") for row in rows], message, at)
    yield change(schema.box, box.id, state="shipped", shipped_at=at, courier=courier, tracking=tracking)
    yield from audit(site, at, by, "box-shipped", f"box/{box.number}", tracking)
    return box, sum(len(rows) for rows in waiting.values())


def tube_arrived(row: Row, cause: Cause, state: str) -> Transaction[None]:
    """A partner has said what became of a tube that was in a box; with the last of them the box has been received."""
    if row.box is None:
        return
    tubes = yield boxes.tubes_in(row.box)
    for tube in tubes:
        if tube.specimen == row.specimen and tube.state in ("packed", "missing"):
            yield change(schema.box_tube, tube.id, state=state, reason=cause.reason, at=cause.at)
    if all(tube.state != "packed" or tube.specimen == row.specimen for tube in tubes):
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
        found.append((tube, [row for row in inside if row.specimen == tube.specimen]))
    return box, found
