"""What does a message in quarantine say today, with the driver and the mapping mended? Read again, placed again, once, in the order of arrival.

A result that nothing stands against any more goes the way of any result, from its own row: it is verified, and no second one is made. What has
left quarantine meanwhile is never touched. What is still not understood stays where it is, and is shown as before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labmw.clock import read_stamp
from labmw.driver.reading import Reading
from labmw.lab.intake import placements_of, result_key
from labmw.lab.knowing import known_about
from labmw.lab.placement import CONTROL, QUARANTINED, VERIFY, Known, Placement, identity
from labmw.lab.raising import Specimens, alert_row, doubt_rows
from labmw.lab.rows import STRIDE, quarantine_row, result_row, shared_columns
from labmw.line.gathering import Gatherer
from labmw.line.received import Received
from labmw.model import Disposition
from labmw.store import schema, statements
from labmw.store.encryption.envelope import Unreadable, readable
from labmw.store.statements import quarantine as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.wire import frames_between
from labmw.store.transaction import Row, Transaction
from protocols.astm.frame import Frame
from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message as Hl7Message
from rules.pack import Packs


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one message came to: results that left quarantine, and entries that stay."""

    message: int
    left: int = 0
    stay: int = 0


def received_again(
    site: str, message: Row, gathering: Callable[[str], Gatherer], encoding: Callable[[str], str]
) -> Transaction[Received | None]:
    """Make of a stored message what its line handed over when it came; None where its bytes are no message any more."""
    kept: object | None = None
    if isinstance(message.raw, Unreadable):
        return None
    if message.protocol != "hl7":  # kept frame by frame
        gather = gathering(message.link)
        rows = yield frames_between(site, message.session, message.first_frame or 0, message.last_frame or 0)
        for row in rows:
            for one in gather.feed(Frame(row.number, readable(row.text), bool(row.last), b""), row.seq):
                if (one.last, one.place) == (message.last_frame, message.place):
                    kept = one.message
        if kept is None and rows and (rest := gather.rest(rows[-1].seq)) is not None:
            kept = rest.message
    else:
        try:
            kept = Hl7Message.parse(message.raw, encoding(message.link) or None)
        except Hl7Error:
            return None
    if kept is None:
        return None
    return Received(
        link=message.link,
        session=message.session,
        peer=message.peer,
        protocol=message.protocol,
        first=message.first_frame or 0,
        last=message.last_frame or 0,
        place=message.place,
        received_at=read_stamp(message.received_at),
        raw=message.raw,
        message=kept,
        control_id=message.control_id,
    )


def replay(
    site: str,
    message: int,
    received: Received,
    reading: Reading,
    *,
    packs: Packs,
    at: str,
    by: str,
    why: str,
    tolerance: float = 0.0,
    specimens: Specimens = lambda link, driver, code: frozenset(),
) -> Transaction[Replayed]:
    """Place one message's results anew, in ONE transaction; `tolerance` of the link's clock, in seconds."""
    entries = yield stored.entries_of_message(message)
    if not entries or reading.disposition is not Disposition.ACCEPTED:
        return Replayed(message, 0, len(entries))
    whole = [entry for entry in entries if entry.result is None]
    rows: dict[int, Row] = {row.id: row for row in (yield stored.results_of_message(message))}
    waiting = {number for number, row in rows.items() if row.state == QUARANTINED}
    if not whole:  # one that a person has discarded stays discarded
        waiting &= {entry.result for entry in entries}
    keys = [result_key(site, received, reading, read) for read in reading.results]
    identities = [identity(key) for key in keys]
    known = _without((yield from known_about(site, received, reading, identities)), waiting)
    placements = placements_of(received, reading, keys, identities, known)
    shared = shared_columns(site, received, reading, message, at)
    numbers = [message * STRIDE + ordinal for ordinal in range(len(placements))]
    yield stored.set_aside(
        [number for number, one in zip(numbers, placements, strict=True) if number in waiting and one.repeat_of is None]
    )
    left, work, alerts, controls = 0, False, [], False
    for ordinal, (number, read, one) in enumerate(zip(numbers, reading.results, placements, strict=True)):
        if number in rows and number not in waiting:
            continue  # decided before
        if one.repeat_of is not None:
            if one.repeat_of >= 0 and not one.supersedes:  # it came again meanwhile, or before: that one goes its way
                same = f"{why} (the same as result {one.repeat_of})"
                for entry in entries:
                    if entry.result == number:
                        yield stored.close_entry(entry.id, becomes="replayed", at=at, by=by, why=same)
            continue
        row = result_row(shared, read, one, ordinal)
        row["received_at"] = rows[number].received_at if number in rows else row["received_at"]
        if number in rows:
            if not (yield stored.replace_result(number, row)):
                continue
        else:
            yield statements.insert(schema.result, **row, id=number)
        yield from _close(entries, number, one, site, message, at, by, why, new=bool(whole))
        if one.state != QUARANTINED:
            left += 1
            work |= one.state == VERIFY
            controls |= one.state == CONTROL
        if alert := alert_row(site, read, one, reading, known, packs, number, at, received.received_at):
            alerts.append(alert)
    if alerts:
        yield statements.insert_rows_once(schema.alert, alerts)
    kept = {row.id for row in (yield stored.results_of_message(message))}
    doubts = doubt_rows(site, received, reading, placements, numbers, known, tolerance, specimens)
    if doubts := [row for row in doubts if row["result"] in kept]:
        yield statements.insert_rows_once(schema.doubt, doubts)
    if work and not (yield stored.work_of_message(message)):
        yield statements.insert(schema.work, site=site, kind=VERIFY, message=message, due_at=at, created_at=at)
    if controls:
        yield statements.insert(schema.work, site=site, kind=CONTROL, message=message, due_at=at, created_at=at)
    for entry in whole:
        yield stored.close_entry(entry.id, becomes="replayed", at=at, by=by, why=why)
    stay = len((yield stored.entries_of_message(message)))
    if left or whole:
        detail = {"left": left, "stay": stay, "driver": reading.driver, "mapping": reading.mapping_version}
        yield audited(site, at=at, who=by, what="replayed", subject=f"message/{message}", why=why, **detail)
    return Replayed(message, left, stay)


def _close(
    entries: Sequence[Row],
    number: int,
    one: Placement,
    site: str,
    message: int,
    at: str,
    by: str,
    why: str,
    *,
    new: bool,
) -> Transaction[None]:
    """Close the entries of a result that has left, or say anew why it stays."""
    own = [entry for entry in entries if entry.result == number]
    if one.state != QUARANTINED:
        for entry in own:
            yield stored.close_entry(entry.id, becomes="replayed", at=at, by=by, why=why)
        return
    told = (one.reason, json.dumps(dict(one.facts), sort_keys=True, ensure_ascii=False))
    if [(entry.reason, entry.facts) for entry in own] == [told] or not (own or new):
        return
    for entry in own:
        yield stored.close_entry(entry.id, becomes="replayed", at=at, by=by, why=why)
    yield statements.insert(schema.quarantine, **quarantine_row(site, message, number, one.reason, one.facts, at))


def _without(known: Known, waiting: set[int]) -> Known:
    """What is known, without the rows that are being read again: they must not count as earlier runs of themselves."""
    earlier: Mapping[str, Any] = {
        key: [one for one in found if one.id not in waiting] for key, found in known.earlier.items()
    }
    return replace(known, earlier=earlier)
