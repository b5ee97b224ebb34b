"""Which tube does an order mean? A number means a tube of one patient for so many days (law 6); what would be a guess goes to a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from labmw.clock import stamp
from labmw.lab.late import tubes_changed
from labmw.lab.lis_told import Doubt, Told
from labmw.lab.nouns import specimen_of
from labmw.model import Specimen
from labmw.store import schema, statements
from labmw.store.statements import lis as stored
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ltw_values import OrderSpecimen

LEAD = timedelta(hours=12)
"""How long before its collection a tube's number is valid: clocks of analyzers and times typed on a ward are not exact."""
_TICK = timedelta(microseconds=1)


def place_tube(
    told: Told, label: str, patient: str, sent: OrderSpecimen | None, ward: str = ""
) -> Transaction[datetime | Doubt]:
    """Have a tube of this number for this patient; return since when it is valid, or why the number cannot mean it."""
    rows = yield statements.specimens_among(told.site, [label])
    if (yield statements.materials_among(told.site, [label], at=told.at)):
        return Doubt("tube-is-control", (("specimen", label),))
    kind = sent.type.code if sent is not None and sent.type is not None else ""
    collected = told.time(sent.collected) if sent is not None else None
    until = told.now + timedelta(days=told.terms.window_days)
    tubes = [(row, specimen_of(row)) for row in rows]
    here = [(row, one) for row, one in tubes if _covers(one, told.now)]
    others = [(row, one) for row, one in here if one.patient != patient]
    if others and (yield stored.open_on(told.site, label)):
        return Doubt("tube-of-another", (("specimen", label), ("patient", patient), ("other", others[0][1].patient)))
    for row, _ in others:  # its orders are all done: the number is used again, as numbers are
        yield change(schema.specimen, row.id, valid_to=stamp(told.now))
    for row, one in here:
        if one.patient == patient and (not kind or not one.kind or one.kind == kind):
            yield from _still_the_same(told, row, kind, collected, until, ward)
            return one.valid_from or told.now - LEAD
    ended = _ended(told, tubes, others)
    moments = [told.now, *(moment for moment in (collected, _received(told, sent)) if moment is not None)]
    since = min(moments) - LEAD
    if ended is not None and since <= ended:
        since = ended + _TICK
    yield statements.insert_or_update(
        schema.specimen,
        site=told.site,
        identifier=label,
        kind=kind,
        valid_from=stamp(since),
        valid_to=stamp(until),
        patient=patient,
        collected=stamp(collected) if collected else None,
        ward=ward,
    )
    return since


def _covers(one: Specimen, now: datetime) -> bool:
    return (one.valid_from is None or one.valid_from <= now) and (one.valid_to is None or now <= one.valid_to)


def _received(told: Told, sent: OrderSpecimen | None) -> datetime | None:
    return told.time(sent.received) if sent is not None else None


def _still_the_same(
    told: Told, row: Row, kind: str, collected: datetime | None, until: datetime, ward: str
) -> Transaction[None]:
    """Another order on a tube that is known: what is said of it now is kept, and its number stays valid."""
    at = stamp(collected) if collected else row.collected
    if (row.kind or kind, at, ward or row.ward) != (row.kind, row.collected, row.ward):  # rules ask for them
        yield from tubes_changed(told.site, [row.identifier], "late-specimen", told.at)
    yield change(
        schema.specimen,
        row.id,
        kind=row.kind or kind,
        collected=at,
        ward=ward or row.ward,
        valid_to=row.valid_to and max(row.valid_to, stamp(until)),
    )


def _ended(
    told: Told, tubes: Sequence[tuple[Row, Specimen]], closed: Sequence[tuple[Row, Specimen]]
) -> datetime | None:
    """When the last tube that had this number ended."""
    if closed:
        return told.now
    return max((one.valid_to for _, one in tubes if one.valid_to is not None and one.valid_to < told.now), default=None)


def owner_of(told: Told, label: str) -> Transaction[str]:
    """The patient of the tube that has this number now; "" when it is not known, or two have it."""
    tubes = [specimen_of(row) for row in (yield statements.specimens_among(told.site, [label]))]
    owners = {one.patient for one in tubes if _covers(one, told.now)}
    return owners.pop() if len(owners) == 1 else ""
