"""What is an HL7 analyzer answered that asks in a dialect of its own? One query in one transaction, and what its acknowledgment settles.

The query, the AWOS it leads to and the very bytes of the answer are committed together, then said. Where the analyzer acknowledges its work
(DSR^Q03, ACK^Q03) an AWOS is *accepted* when it has; where it does not (RSP^Z02) it stays *broadcast* until its results come. Whoever asks again lacks its
work, and gets it again (decision 0040). "No work" is said only while the order feed is fresh.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from labmw import SOFTWARE_VERSION
from labmw.clock import stamp
from labmw.lab.awos import State
from labmw.lab.law_messages import keep_received, kept_before
from labmw.lab.law_orders import Tube, hl7_time, new_control_id
from labmw.lab.law_query import is_fresh
from labmw.lab.owing import owe
from labmw.lab.planning import offered, open_orders, presented
from labmw.lab.work_link import Hl7Link
from labmw.line.orders import Answer, Broadcast
from labmw.line.received import Received, Stored
from labmw.store import schema, statements
from labmw.store.statements import worklist as stored
from labmw.store.transaction import Row, Transaction
from protocols.hl7.acknowledgment import Acknowledgment, ErrorDetail
from protocols.hl7.asking import Moment, TestAsked, TubeQuery, TubeWork
from protocols.hl7.envelope import read_header
from protocols.hl7.er7 import Message

_SAID = {
    "order-feed-stale": "orders cannot be looked up now; ask again",
    "two-patients": "two patients share this number; ask the laboratory",
}
"""What an analyzer is told in English, beside the reason that people read."""


@dataclass(slots=True)
class Hl7Answering:
    """One query being answered, in one transaction."""

    site: str
    link: Hl7Link
    received: Received
    message: Message
    query: TubeQuery
    now: datetime
    max_age: float
    tally: Counter[str]

    @property
    def at(self) -> str:
        """The moment, as the store keeps it."""
        return stamp(self.now)

    def script(self) -> Transaction[Answer]:
        """Found again, or planned and answered. The same bytes under the same number get the stored reply, and the work that is not acknowledged."""
        if (kept := (yield from kept_before(self.site, self.received))) is not None:
            return Answer(kept, tuple((yield from self._again())))
        return (yield from self._answer())

    def _again(self) -> Transaction[Sequence[Broadcast]]:
        found: list[Broadcast] = []
        for number in dict.fromkeys(
            [
                row.control_id
                for row in (yield stored.awos_waiting(self.site, self.link.name))
                if row.specimen == self.query.tube
            ]
        ):
            rows = yield stored.sent_message(self.site, self.link.name, number)
            found += [Broadcast(number, row.raw, again=True) for row in rows[:1] if isinstance(row.raw, bytes)]
        return found

    def _answer(self) -> Transaction[Answer]:
        query = self.query
        if query.problem is not None:
            self.tally["refused"] += 1
            return (yield from self._refuse(query.problem, "query-not-served"))
        if query.taken_back:
            self.tally["nothing"] += 1
            return Answer((yield from self._keep(self._reply(None), "query-cancel")))
        tube, orders, doubt = yield from open_orders(self.site, self.link, Tube(query.tube), self.now)
        if doubt:
            return (yield from self._present_again(doubt))
        rows: list[Row] = []
        if orders:
            offer = yield from offered(self.site, self.link, tube, orders, self.at, queried=True)
            rows = offer.rows
            for line, why in offer.kept_back.items():
                yield stored.present_again(self.site, line, tube.identifier, why, self.at)
        if rows:
            return (yield from self._give(tube, rows))
        if not (yield from is_fresh(self.site, self.now, self.max_age)):
            return (yield from self._present_again("order-feed-stale"))
        self.tally["no-work"] += 1
        return Answer((yield from self._keep(self._reply(None))))

    def _give(self, tube: Tube, rows: Sequence[Row]) -> Transaction[Answer]:
        self.tally["work"] += 1
        work = work_of(self.link, tube, rows)
        moment = self._moment()
        reply = self.link.dialect.answer(self.message, work, None, moment)
        messages: tuple[Broadcast, ...] = ()
        number = moment.control_id
        if self.link.dialect.order is not None:
            order = self._moment()
            number = order.control_id
            messages = (Broadcast(number, self.link.dialect.order(self.message, work, order)),)
        kept = yield from self._keep(reply)
        for one in messages:
            yield from _keep_sent(self.site, self.received, one.raw, number, self.at)
        for row in rows:
            yield stored.change(
                schema.awos,
                row.id,
                state=State.BROADCAST,
                wanted="",
                control_id=number,
                waits=1 if messages else 0,
                sends=row.sends + 1,
                broadcast_at=self.at,
                updated_at=self.at,
            )
        yield from presented(self.site, self.link.name, tube.identifier, self.at)
        return Answer(kept, messages)

    def _present_again(self, why: str) -> Transaction[Answer]:
        self.tally["present-again"] += 1
        yield stored.present_again(self.site, self.link.name, self.query.tube, why, self.at)
        return (yield from self._refuse(ErrorDetail("207", _SAID.get(why, why)), why))

    def _refuse(self, problem: ErrorDetail, reason: str) -> Transaction[Answer]:
        return Answer((yield from self._keep(self._reply(problem), reason=reason, problem=problem.text)))

    def _reply(self, problem: ErrorDetail | None) -> bytes:
        return self.link.dialect.answer(self.message, None, problem, self._moment())

    def _moment(self) -> Moment:
        return Moment(new_control_id(), hl7_time(self.now, self.link.zone))

    def _keep(self, reply: bytes, kind: str = "query", *, reason: str = "", problem: str = "") -> Transaction[Stored]:
        kept = yield from keep_received(
            self.site,
            self.received,
            kind,
            self.at,
            "refused" if reason else "accepted",
            reason,
            {"problem": problem} if problem else {},
            reply,
            read_header(self.message.header),
        )
        yield from owe(self.site, self.received, kept.message, reply, self.at)
        return kept


def work_of(link: Hl7Link, tube: Tube, rows: Sequence[Row]) -> TubeWork:
    """What is to be written of a tube; each code once, also where it is several tests."""
    urgency = {row.code: row.priority for row in sorted(rows, key=lambda row: row.priority in ("S", "A"))}
    codes = dict.fromkeys([str(row.code) for row in rows])
    who, known = tube.patient if link.patients else None, tube.specimen
    return TubeWork(
        tube.identifier,
        tuple(TestAsked(code, urgency[code]) for code in codes),
        patient=who.identifier if who else "",
        family=who.family if who else "",
        given=who.given if who else "",
        birth=who.birth.strftime("%Y%m%d") if who and who.birth else "",
        sex=who.sex.value if who else "",
        kind=known.kind if known else "",
        collected=hl7_time(known.collected, link.zone) if known and known.collected else "",
    )


def _keep_sent(site: str, received: Received, raw: bytes, number: str, at: str) -> Transaction[None]:
    """Keep a message of ours as it will leave."""
    yield statements.insert(
        schema.message,
        site=site,
        link=received.link,
        session=received.session,
        direction="<",
        protocol="hl7",
        peer=received.peer,
        received_at=at,
        raw=raw,
        digest=hashlib.sha256(raw).hexdigest(),
        control_id=number,
        software_version=SOFTWARE_VERSION,
        kind="order",
        disposition="accepted",
    )


def keep_acknowledgment(
    site: str, link: Hl7Link, received: Received, said: Acknowledgment, message: Message, at: str, tally: Counter[str]
) -> Transaction[Stored | None]:
    """Keep what an analyzer says to the work it was given, and move its AWOS on; None when it answers nothing that we have sent."""
    digest = hashlib.sha256(received.raw).hexdigest()
    for row in (yield statements.message_at(site, received.session, received.last, received.place)):
        if row.digest == digest:
            return Stored(row.id, row.disposition, row.reason, 0, repeat=True)
    if not (yield stored.sent_message(site, link.name, said.control_id)):
        return None
    for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
        yield step
    text = next((one.text for one in said.errors if one.text), said.text)
    facts = {"control_id": said.control_id, "answer": said.code} | ({"said": text} if text else {})
    kept = yield from keep_received(
        site, received, "order-response", at, "accepted", "", facts, None, read_header(message.header)
    )
    for row in (yield stored.awos_of_message(site, said.control_id)):
        if not row.waits:
            continue
        state, reason = row.state, row.reason
        if row.state == State.BROADCAST:
            state = State.ACCEPTED if said.accepted else State.REFUSED
            reason = "" if said.accepted else text or said.code
        yield stored.change(
            schema.awos,
            row.id,
            state=state,
            reason=reason,
            waits=0,
            answered_at=at,
            closed_at=at if state == State.REFUSED else row.closed_at,
            updated_at=at,
        )
        if state != row.state:
            tally[str(state)] += 1
    return kept


def take_back(site: str, link: str, at: str) -> Transaction[int]:
    """What is cancelled cannot be told to an analyzer that only asks: its tube is taken out by hand, and results may come. Returns how many."""
    rows = yield stored.awos_wanted(site, link, most=MOST_TAKEN_BACK)
    for row in rows:
        state = {"state": State.UNABLE} if row.wanted == "CA" else {}
        yield stored.change(schema.awos, row.id, wanted="", updated_at=at, **state)
    return len(rows)


MOST_TAKEN_BACK = 500  # AWOS looked at in one step
