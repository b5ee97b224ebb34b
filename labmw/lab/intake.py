"""The way into the laboratory: ONE transaction keeps the raw message, its results, the alerts and the work that follows (law 3, law 7).

The caller acknowledges when `take` returns, never before. What is not understood is committed raw, quarantined and acknowledged: sending
it again would not cure it (law 4).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from labmw.clock import Clock, stamp
from labmw.driver.reading import Reading, ResultRead
from labmw.errors import StoreError
from labmw.lab import sameness
from labmw.lab.astm_steps import asks, keep_work_done
from labmw.lab.clockwork import offset_seconds
from labmw.lab.knowing import known_about
from labmw.lab.owing import owe
from labmw.lab.placement import (
    CONTROL,
    QUARANTINED,
    VERIFY,
    Earlier,
    Known,
    Placement,
    identity,
    place,
    sender_of,
)
from labmw.lab.raising import Specimens, alert_row, doubt_rows
from labmw.lab.rows import STRIDE, message_row, quarantine_row, result_row, shared_columns
from labmw.lab.steps import Steps
from labmw.lab.unread import is_the_message, observations, storable, too_many, unread, unstored
from labmw.line.presence import Presence
from labmw.line.received import UNTERMINATED, Received, Stored
from labmw.metrics import AWOS, CLOCK_OFFSET, MESSAGES, RESULTS, TOLERANCES
from labmw.metrics import QUARANTINED as QUARANTINED_COUNT
from labmw.model import Disposition, ResultKey
from labmw.store import schema, statements
from labmw.store.json_text import json_list
from labmw.store.transaction import Store, Transaction
from rules.pack import Packs

log = structlog.get_logger("labmw.lab")

MAX_RESULTS = 30_000
"""Results in one message at most: one question about all of them must fit into one statement. Beyond, it is kept whole and unread."""

MOST_BESIDE = 500
"""Results in one message whose transaction is played side by side with others."""

LARGE = 2**18
"""Bytes; reading so much takes more than a few milliseconds."""

Reader = Callable[[Received], Reading]


@dataclass(slots=True)
class LaboratoryIntake:
    """Reads a message with its driver and stores what it says; fills `labmw.line.received.Intake`."""

    site: str
    store: Store
    clock: Clock
    read: Reader
    packs: Callable[[], Packs]
    wake: Callable[[], None]  # verification has something to do
    commit_timeout: float = 10.0
    asking: frozenset[str] = frozenset()  # the lines whose queries (LIS02-A2) are answered
    presence: Presence | None = None
    clock_tolerance: Callable[[str], float] = field(
        default=lambda link: 0.0
    )  # seconds; 0: an old header is no reason to hold
    # (link, driver, code): on which kinds of tube the laboratory measures this; empty: not compared
    specimens: Specimens = field(default=lambda link, driver, code: frozenset())
    _met: set[sameness.Identity] = field(default_factory=set)  # analyzers that the store knows
    _told: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def take(self, received: Received) -> Stored:
        """Store one message; raises StoreError, and then nothing may be acknowledged."""
        if len(received.raw) < LARGE:
            reading = self._reading(received)
        else:  # beside the loop: what takes long must not keep the other analyzers waiting for their ACK
            reading = await asyncio.to_thread(self._reading, received)
        try:
            return await self._store(received, reading)
        except Exception as error:
            if not is_the_message(error):
                raise
            log.exception(
                "a message cannot be stored as it was read; it is kept whole, in quarantine", link=received.link
            )
            stripped = unstored(reading, error)
        try:
            return await self._store(received, stripped)
        except Exception as error:
            if not is_the_message(error):
                raise
            raise StoreError(f"a message of {received.link} cannot be kept ({error}); report this fault") from error

    def _reading(self, received: Received) -> Reading:
        """Read the message; whatever its driver does wrong stops this message alone, and not the line (law 4)."""
        announced = observations(received.raw)
        if announced > MAX_RESULTS:  # known by counting: reading so many would keep the other lines waiting for seconds
            return too_many(unread(received, None), announced, MAX_RESULTS)
        try:
            reading = self.read(received)
        except Exception as error:
            log.exception(
                "a message cannot be read; it is kept whole, in quarantine", link=received.link, why=str(error)
            )
            return unread(received, error)
        if len(reading.results) > MAX_RESULTS:
            return too_many(reading, len(reading.results), MAX_RESULTS)
        reading = self._alone(received, reading)
        return reading if received.raw.isascii() else storable(reading)

    def _alone(self, received: Received, reading: Reading) -> Reading:
        """The reading, in quarantine when another live connection gives the same serial number."""
        if self.presence is None or not reading.serial:
            return reading
        alternates = received.protocol == "astm"
        other = self.presence.said(reading.serial, received.link, received.peer, alternates=alternates)
        if other is None:
            return reading
        facts = (("serial", reading.serial), ("other", str(other)))
        return replace(reading, disposition=Disposition.QUARANTINED, reason="serial-twice", reason_facts=facts)

    async def _store(self, received: Received, reading: Reading) -> Stored:
        tally: Counter[tuple[str, str]] = Counter()
        who = sameness.identity_of(received.link, reading)
        new = who if who not in self._met else None
        tolerance = self.clock_tolerance(received.link)
        told = received.link in self.asking
        at, packs = stamp(self.clock.now()), self.packs()

        def script() -> Transaction[Stored]:
            tally.clear()  # it may be played again
            return _script(
                self.site, received, reading, at, packs, tally, new, tolerance, self.specimens, told=told
            )  # fmt: skip

        if new is None and not told and len(reading.results) <= MOST_BESIDE:
            stored = await self.store.run_beside(script, concerns(received, reading), timeout=self.commit_timeout)
        else:
            stored = await self.store.run(script(), timeout=self.commit_timeout)
        if new is not None and not stored.repeat:
            self._met.add(new)
        if not stored.repeat:
            self._count(received.link, reading, stored, tally)
            if any(state == VERIFY for state, _ in tally):
                self.wake()
        return stored

    def _count(self, link: str, reading: Reading, stored: Stored, tally: Mapping[tuple[str, str], int]) -> None:
        MESSAGES.labels(link, reading.disposition.value).inc()
        if (offset := offset_seconds(reading, self.clock.now())) is not None:
            CLOCK_OFFSET.labels(link).set(offset)
        for state in stored.moved:
            AWOS.labels(link, state).inc()
        for name in stored.tolerances:
            TOLERANCES.labels(link, name).inc()
        for (state, reason), count in tally.items():
            RESULTS.labels(link, state).inc(count)
            if reason:
                QUARANTINED_COUNT.labels(link, reason).inc(count)
        if reading.disposition is not Disposition.ACCEPTED:
            self._tell(link, reading)

    def _tell(self, link: str, reading: Reading) -> None:
        """Log the 1st, 2nd, 4th, 8th ... of a kind: an unknown sender must not fill the log, and each message is shown in quarantine."""
        self._told[link, reading.reason] += 1
        times = self._told[link, reading.reason]
        if times & (times - 1) == 0:
            facts = {"reason": reading.reason, "kind": reading.kind, "results": len(reading.results)}
            log.warning("message quarantined", link=link, times=times, **facts)


def concerns(received: Received, reading: Reading) -> frozenset[str]:
    """All that the transaction of a message reads and another one may write, by name: its session, its number, its tubes and its AWOS (decision 0070).

    What it reads beside them, no intake writes: patients, materials, tubes. What only it writes has its message's number.
    """
    about = {f"session/{received.session}", f"number/{received.link}/{received.control_id}"}
    about.update([f"tube/{one.specimen.strip()}" for one in reading.results])
    if received.change is not None:
        for item in received.change.specimens:
            tube = item.specimen
            places = (("tube", tube.label.strip()), ("rack", tube.carrier), ("tray", tube.tray))
            about.update([f"{kind}/{name}" for kind, name in places if name])
            for step in item.steps:
                about |= {f"awos/{one.id}" for one in (step.awos, *step.parents) if one is not None}
    return frozenset(about)


def _script(
    site: str,
    received: Received,
    reading: Reading,
    at: str,
    packs: Packs,
    tally: Counter[tuple[str, str]],
    who: sameness.Identity | None,
    tolerance: float,
    specimens: Specimens,
    *,
    told: bool = False,
) -> Transaction[Stored]:
    """The transaction: found again, or stored whole. `told`: this line is told what to do, when it asks or unasked."""
    digest = hashlib.sha256(received.raw).hexdigest()
    if not received.first_attempt:
        for row in (yield statements.message_at(site, received.session, received.last, received.place)):
            if row.digest == digest:  # committed after we had refused for time: the resend is recognised (law 3)
                return Stored(row.id, row.disposition, row.reason, 0, repeat=True, reply=row.reply or b"")
    if received.place == UNTERMINATED:
        for row in (yield statements.last_message_of_session(site, received.session)):
            if row.first_frame <= received.first and row.last_frame > received.last:
                return Stored(
                    row.id, "", "", 0, repeat=True
                )  # refused for time and committed late: it is whole, with these frames
    for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
        yield step
    tolerances = received.tolerances
    if received.control_id:
        same = yield statements.messages_by_control_id(site, received.link, received.control_id)
        for row in same:
            if row.digest == digest:  # sent again: the same bytes get the reply that was stored (law 4)
                return Stored(row.id, row.disposition, row.reason, 0, repeat=True, reply=row.reply or b"")
        if same:  # other bytes under a number that was used: a new message, and the reuse is counted and shown (law 4)
            tolerances = (*tolerances, "control_id_reused")
    reply = received.answer(reading) if received.answer is not None else None
    row_of_message = message_row(site, received, reading, at, digest, reply)
    rows = yield statements.insert_message(**row_of_message, tolerances=json_list(tolerances))
    message = int(rows[0].id)
    if reply and received.apart:
        yield from owe(site, received, message, reply, at)
    if who is not None:
        yield from sameness.note(site, who, message, at)
    if reading.disposition is not Disposition.ACCEPTED:
        entry = quarantine_row(site, message, None, reading.reason, reading.reason_facts, at)
        yield statements.insert_rows(schema.quarantine, [entry])
    keys = [result_key(site, received, reading, read) for read in reading.results]
    identities = [identity(key) for key in keys]
    known = yield from known_about(site, received, reading, identities)
    steps = yield from Steps.of(site, received)
    reading, known = yield from steps.with_controls(reading, known)
    placements = steps.objecting(reading, placements_of(received, reading, keys, identities, known))
    numbers = yield from _keep_results(site, received, reading, message, placements, known, packs, at, tally)
    if doubts := doubt_rows(site, received, reading, placements, numbers, known, tolerance, specimens):
        yield statements.insert_rows_once(schema.doubt, doubts)
    moved = yield from steps.keep(reading, message, placements, numbers, at)
    if told and reading.protocol == "astm" and reading.queries and reading.disposition is Disposition.ACCEPTED:
        moment = stamp(received.received_at)  # not now: a message taken up after a restart was asked before it
        yield from asks(site, received.link, message, reading.kind, reading.specimens, asked_at=moment, at=at)
    if told:
        done = yield from keep_work_done(site, received.link, reading, message, placements, numbers, at)
        moved = (*moved, *done)
    if any(one.state == VERIFY for one in placements):
        work = {"site": site, "kind": VERIFY, "message": message, "due_at": at, "attempts": 0, "created_at": at}
        yield statements.insert_rows(schema.work, [work])
    if any(one.state == CONTROL and (one.repeat_of is None or one.supersedes) for one in placements):
        work = {"site": site, "kind": CONTROL, "message": message, "due_at": at, "attempts": 0, "created_at": at}
        yield statements.insert_rows(schema.work, [work])
    disposition = reading.disposition.value
    return Stored(
        message, disposition, reading.reason, len(placements), reply=reply or b"", tolerances=tolerances, moved=moved
    )


def placements_of(
    received: Received, reading: Reading, keys: Sequence[ResultKey], identities: Sequence[str], known: Known
) -> list[Placement]:
    """Place every result, each seeing those before it in the same message (two runs may share a key)."""
    placed: list[Placement] = []
    earlier: dict[str, list[Earlier]] = {key: list(found) for key, found in known.earlier.items()}
    here = replace(known, earlier=earlier)
    several = {one for one, count in Counter(identities).items() if count > 1}
    whole = reading.disposition is not Disposition.ACCEPTED
    for ordinal, (read, key, name) in enumerate(zip(reading.results, keys, identities, strict=True)):
        sender = sender_of(read, reading.orders, reading.patients)
        one = place(read, key, kind=reading.kind, sender=sender, known=here, at=received.received_at)
        if whole and one.repeat_of is None:
            one = Placement(one.key, QUARANTINED, reading.reason, reading.reason_facts, one.patient)
        elif whole:
            one = Placement(one.key, QUARANTINED, one.reason, one.facts, one.patient, one.repeat_of)
        placed.append(one)
        if name not in several:
            continue
        others = earlier.setdefault(name, [])
        if one.repeat_of is None:
            # -1 - ordinal: not yet a row; a repeat within one message is a repeat of a line in this very list
            mark = Earlier(
                -1 - ordinal,
                one.key.run,
                read.value,
                read.number or "",
                read.comparator,
                read.unit_raw,
                one.state,
                acknowledged=True,
                status=read.status,
                flags_raw=read.flags_raw,
            )
            others.append(mark)
        elif one.supersedes:  # it has left quarantine: the next repeat of it is no more than a repeat
            others[:] = [replace(other, state=one.state) if other.id == one.repeat_of else other for other in others]
    return placed


def result_key(site: str, received: Received, reading: Reading, read: ResultRead) -> ResultKey:
    """Return the identity of a result as sent (law 5): the serial number where the analyzer gives one, else its line, and its address on a shared one."""
    analyzer = reading.serial or "@".join(filter(None, (received.link, reading.station)))
    parts = (analyzer, read.specimen, read.code, read.part, read.run, read.time)
    if "\x1f" in "".join(parts):
        # 0x1F separates the parts of a key; an analyzer can send one as an escape, and two keys must not look like one.
        return ResultKey(site, *[part.replace("\x1f", "\\x1f") for part in parts])
    return ResultKey(site, *parts)


def _keep_results(
    site: str,
    received: Received,
    reading: Reading,
    message: int,
    placements: Sequence[Placement],
    known: Known,
    packs: Packs,
    at: str,
    tally: Counter[tuple[str, str]],
) -> Transaction[list[int]]:
    """Write results, repeats, quarantine entries and alerts; return the row of each result, the earlier one's for a repeat."""
    numbers: list[int] = []
    new: dict[int, Mapping[str, Any]] = {}
    repeats: list[Mapping[str, Any]] = []
    quarantined: dict[int, Mapping[str, Any]] = {}
    alerts: list[Mapping[str, Any]] = []
    mended: set[int] = set()  # messages of which results were sent again
    whole = reading.disposition is not Disposition.ACCEPTED
    shared = shared_columns(site, received, reading, message, at)
    for ordinal, (read, one) in enumerate(zip(reading.results, placements, strict=True)):
        result = message * STRIDE + ordinal
        if one.repeat_of is not None:
            result = one.repeat_of if one.repeat_of >= 0 else message * STRIDE + (-1 - one.repeat_of)
        numbers.append(result)
        if one.repeat_of is not None and not one.supersedes:
            repeats.append({"site": site, "result": result, "message": message, "record": read.record, "seen_at": at})
            tally["repeat", ""] += 1
            continue
        row = result_row(shared, read, one, ordinal)
        if one.supersedes and result not in new:
            yield statements.supersede_result(result, row)
            yield statements.close_quarantine_of_result(
                result, at=at, by="labmw", why=f"sent again in message {message}"
            )
            mended.add(result // STRIDE)
        else:  # new, or in the place of an earlier line of this very message
            row["id"] = result
            new[result] = row
            quarantined.pop(result, None)
        tally[one.state, one.reason] += 1
        if one.state == QUARANTINED and not whole:
            quarantined[result] = quarantine_row(site, message, result, one.reason, one.facts, at)
        if alert := alert_row(site, read, one, reading, known, packs, result, at, received.received_at):
            alerts.append(alert)
    for table, rows in (
        (schema.result, list(new.values())),
        (schema.repeat, repeats),
        (schema.quarantine, list(quarantined.values())),
        (schema.alert, alerts),
    ):
        if (
            rows and table is schema.alert
        ):  # a result that takes a quarantined one's row may have raised its alert before
            yield statements.insert_rows_once(table, rows)
        elif rows:
            yield statements.insert_rows(table, rows)
    for one_of in sorted(mended - {message}):
        yield statements.close_quarantine_of_message(one_of, at=at, by="labmw", why=f"sent again in message {message}")
    return numbers
