"""What of a period is sent again to a destination that has lost it, and what must not be? Current versions only, never over a later state.

A message that sends again has an MSH-10 of its own: a receiver that has lost its data may still know the numbers it had seen, and drop them.
What it says of each result is what was said the first time, a first report no correction (decision 0032).
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labmw.lab.comparison import GONE, same
from labmw.store import schema, statements
from labmw.store.encryption.shredding import write_anew
from labmw.store.statements import lis as stored
from labmw.store.statements import redelivery as again
from labmw.store.statements.audit import audited
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction

SEND: Final = "redeliver-send"
TAKE_BACK: Final = "redeliver-take-back"
SENT: Final = (SEND, TAKE_BACK)
CHUNK: Final = 500
MOST: Final = 20_000
"""Results that are sent again at once: they are queued in one transaction, and analyzers wait for it."""

Test = tuple[str, str, str]
"""Tube, patient and test: what has one current version."""


@dataclass(frozen=True, slots=True)
class Line:
    """One result that the destination took in the period, and what becomes of it: a code of the catalogue."""

    fate: str
    specimen: str
    test: str
    value: str
    result: int
    outbox: int
    message: int
    delivered_at: str
    theirs: str = ""  # what the destination says it holds
    by: str = ""  # who took it back, and why
    why: str = ""


def plan(site: str, destination: str, since: str, before: str, *, every: bool = False) -> Transaction[list[Line]]:
    """Say of each result of the period whether it is sent again. `every`: also what the destination says it holds as we sent it.

    A period with more than MOST results is answered with more lines than that, and not with all of them.
    """
    rows = yield again.brought(site, destination, since, before, most=MOST + 1)
    taken_back = yield again.taken_back_in(site, destination, since, before, most=MOST + 1)
    return (yield from _judged(site, destination, rows, taken_back, every=every))


def _judged(
    site: str, destination: str, rows: Sequence[Row], taken: Sequence[Row], *, every: bool
) -> Transaction[list[Line]]:
    taken_back = {row.id: row for row in taken}
    tubes = sorted({row.specimen for row in (*rows, *taken_back.values())})
    newest: dict[Test, Row] = {}
    held: dict[tuple[str, str], list[Row]] = {}
    for start in range(0, len(tubes), CHUNK):
        some = tubes[start : start + CHUNK]
        for row in (yield again.carried_of(site, destination, some)):
            newest[_test(row)] = row
        for row in (yield stored.held_by_lis(site, some)):
            held.setdefault((row.specimen, row.loinc), []).append(row)
    found = [_line(row, newest, held.get((row.specimen, row.loinc), ()), taken_back, every) for row in rows]
    return found + [_withdrawn(row, newest) for row in taken_back.values()]


def _test(row: Row) -> Test:
    return row.specimen, row.patient, row.loinc or row.code


def _line(row: Row, newest: Mapping[Test, Row], held: Sequence[Row], told: Container[int], every: bool) -> Line:
    last = newest[_test(row)]
    theirs = [one for one in held if one.status not in GONE]
    if row.state == "withdrawn":
        fate = "redeliver-withdrawn" if row.id in told else "redeliver-withdrawn-later"
    elif last.outbox > row.outbox:
        fate = "redeliver-superseded" if last.state == "delivered" else "redeliver-on-its-way"
    elif row.state not in ("delivered", "released", "dead"):
        fate = "redeliver-not-current"
    elif any(same(row, one) for one in theirs) and not every:
        fate = "redeliver-there"
    elif any(one.at > row.delivered_at and not same(row, one) for one in held):
        fate = "redeliver-changed-there"
    else:
        fate = SEND
    shown = ", ".join(" ".join(filter(None, (f"{one.comparator}{one.value}", one.unit, one.status))) for one in held)
    return _told(row, fate, theirs=shown)


def _withdrawn(row: Row, newest: Mapping[Test, Row]) -> Line:
    last = newest.get(_test(row))
    overtaken = row.state != "withdrawn" or (last is not None and last.outbox > row.outbox)
    return _told(row, "redeliver-superseded" if overtaken else TAKE_BACK, by=row.by, why=row.why)


def _told(row: Row, fate: str, **more: str) -> Line:
    value = " ".join(filter(None, (f"{row.comparator}{row.number or row.value}", row.unit)))
    test = row.test_name or row.code
    return Line(fate, row.specimen, test, value, row.id, row.outbox, row.message, row.delivered_at, **more)


def redeliver(
    site: str, destination: str, planned: Iterable[Line], *, at: str, by: str, why: str, every: bool = False
) -> Transaction[list[Line]]:
    """Queue what was planned as it stands at this moment, one message for each that brought it the first time; return the plan of now.

    The period was searched before: a search through years would keep analyzers waiting for the writer.
    """
    entries = sorted({line.outbox for line in planned})
    rows = yield again.brought_by(site, destination, entries)
    taken_back = yield again.taken_back_by(site, destination, entries)
    lines = yield from _judged(site, destination, rows, taken_back, every=every)
    groups: dict[tuple[int, str], list[Line]] = {}
    for line in lines:
        if line.fate in SENT:
            groups.setdefault((line.outbox, line.fate), []).append(line)
    for (earlier, fate), some in groups.items():
        first = some[0]
        made = yield statements.insert(
            schema.outbox,
            site=site,
            destination=destination,
            control_id=_control(site, destination, earlier, fate, at),
            specimen=first.specimen,
            message=first.message,
            state="waiting",
            priority="R",  # it has been there before: nobody waits for it
            due_at=at,
            created_at=at,
        )
        yield from _carry(site, made[0].id, earlier, fate, some, at)
        subject = f"outbox/{made[0].id}"
        yield audited(site, at=at, who=by, what="redelivered", subject=subject, why=why, earlier=earlier)
    return lines


def _carry(site: str, entry: int, earlier: int, fate: str, lines: Iterable[Line], at: str) -> Transaction[None]:
    if fate == SEND:
        rows = [{"site": site, "outbox": entry, "earlier": earlier, "result": line.result} for line in lines]
        yield statements.insert_rows(schema.redelivery, rows)
        return
    for line in lines:
        yield statements.insert(
            schema.withdrawal, site=site, result=line.result, outbox=entry, at=at, by=line.by, why=line.why
        )


def is_again(row: Row) -> bool:
    """Whether an outbox message sends again what was delivered before."""
    return str(row.control_id).startswith(again.CONTROL)


def still_current(row: Row, *, sent: bool) -> Transaction[bool]:
    """Look at a message that sends again at the last moment, and take out what has a later state by now; whether it may be sent now.

    One that was `sent` before, without an acknowledgment, comes back under another number: never two contents under one MSH-10.
    """
    if not is_again(row) or not (yield again.drop_overtaken(row.id)):
        return True
    free = {"claimed_by": None, "claimed_until": None}
    if not (yield again.left_in(row.id)):
        yield change(schema.outbox, row.id, state="closed", last_error="overtaken by a later state", **free)
        return False
    if sent:
        anew = _control(row.site, row.destination, row.id, row.control_id)
        yield from write_anew(schema.outbox, row, payload=None)
        yield change(schema.outbox, row.id, state="waiting", control_id=anew, **free)
    return not sent


def _control(*parts: object) -> str:
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()
    return again.CONTROL + digest[:19].upper()
