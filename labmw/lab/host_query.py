"""Which work has this ASTM analyzer? A query (LIS02-A2 Q record) planned and written in one transaction, and what became of the answer.

"Sent" is AWOS state *accepted*, and is written when the analyzer has acknowledged every frame. What it may have got in part stays *broadcast*
and is shown so; it is given again when the tube is asked for again. LIS02-A2 has no identity of an order on the wire: the same test of the
same tube is the same order (protocol notes B.17).
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from labmw import SOFTWARE_VERSION
from labmw.clock import read_stamp, stamp
from labmw.driver.answering import Answer, Said, answer, unable
from labmw.driver.asking import Asked, What, asked
from labmw.driver.order_writing import Occasion, TestToDo, Work, write_orders
from labmw.errors import DriverError
from labmw.lab.astm_steps import few
from labmw.lab.awos import State
from labmw.lab.fitness import QC_OUT
from labmw.lab.law_orders import Tube
from labmw.lab.law_query import ALL_WITHIN, MOST_ORDERS, MOST_TUBES, is_fresh
from labmw.lab.planning import offered, open_orders, presented
from labmw.lab.steps import see_tube
from labmw.lab.work_link import AstmLink
from labmw.line.host_query import Dispatch
from labmw.store import schema, statements
from labmw.store.statements import host_query as stored
from labmw.store.statements import worklist
from labmw.store.transaction import Row, Transaction
from protocols.astm.message import Message
from protocols.astm.record import STANDARD
from protocols.errors import RecordError

log = structlog.get_logger("labmw.lab")

ANSWER, ORDER = "order-response", "order"
"""`message.kind` of what we say: an answer to a query, or an order that nobody asked for."""
LATE, INTERRUPTED, UNTAKEN, UNWRITABLE = "query-late", "query-interrupted", "query-untaken", "order-unwritable"
"""Why a tube is to be presented again, beside what the answer itself says; each is a phrase."""


@dataclass(frozen=True, slots=True)
class Question:
    """One query that waits for its answer."""

    row: int
    message: int
    session: str
    peer: str
    asked_at: datetime
    sender: Message | None  # the message that holds it; None when it can no longer be read
    asked: Asked | None

    @property
    def tubes(self) -> tuple[str, ...]:
        """The tubes that it names."""
        return tuple(one.identifier for one in self.asked.tubes) if self.asked else ()


def question_of(row: Row, link: AstmLink) -> Question:
    """Read a query as its line did."""
    try:
        (message,) = Message.parse(bytes(row.raw), link.encoding, tolerances=link.tolerances)
    except (RecordError, ValueError):
        return Question(row.id, row.message, row.session, row.peer, read_stamp(row.asked_at), None, None)
    found = asked(message, link.driver)
    return Question(row.id, row.message, row.session, row.peer, read_stamp(row.asked_at), message, found)


def occasion_of(link: AstmLink, heard: Message | None, now: datetime, number: str) -> Occasion:
    """Who speaks to whom: our name, and what the analyzer called itself in what it said last."""
    header = heard.header if heard is not None and heard.fault is None else None
    return Occasion(
        link.host,
        now,
        link.zone,
        number,
        tuple(header.components(5)) if header else (),
        header.field(13) if header else "",
        heard.delimiters if heard is not None and header else STANDARD,
        link.encoding,
    )


def new_number() -> str:
    """A name for a message of ours; LIS02-A2 does not send it unless the dialect has a place for it."""
    return uuid.uuid4().hex[:20].upper()


@dataclass(slots=True)
class Answering:
    """One query being answered, in one transaction. `known`: the LIS itself has just said that there is nothing else."""

    site: str
    link: AstmLink
    question: Question
    now: datetime
    max_age: float
    tally: Counter[str]
    _rows: dict[str, list[Row]] = field(default_factory=dict)  # the AWOS to be said, by tube
    _doubts: dict[str, str] = field(default_factory=dict)
    _kept_back: dict[str, Mapping[str, str]] = field(default_factory=dict)  # by tube: where to present it, and why

    @property
    def at(self) -> str:
        """The moment, as the store keeps it."""
        return stamp(self.now)

    @property
    def left(self) -> float:
        """Seconds for which the analyzer still waits."""
        return self.link.dialect.patience - (self.now - self.question.asked_at).total_seconds()

    def script(self) -> Transaction[Sequence[Dispatch]]:
        """Plan, write, keep; return what is to be sent."""
        question = self.question.asked
        if question is None:
            return (yield from self._close("unserved", Said.NOTHING, "query-unreadable"))
        yield from self._see_tubes(question)
        if self.left <= 0:
            yield from self._again(self.question.tubes, LATE)
            return (yield from self._close("late", Said.NOTHING, LATE))
        try:
            given = yield from self._answer(question)
        except DriverError as error:  # of the message as a whole: every tube by itself could be written
            log.error("an answer cannot be written for this analyzer", link=self.link.name, why=str(error))
            yield from self._again(self.question.tubes, UNWRITABLE)
            return (yield from self._close("unserved", Said.UNABLE, UNWRITABLE))
        self.tally[given.said.value] += 1
        yield from self._again([tube for tube in given.again if tube not in self._doubts], given.why)
        for tube, why in self._doubts.items():
            yield from self._again([tube], why)
        for tube, lines in self._kept_back.items():
            for line, why in lines.items():
                yield worklist.present_again(self.site, line, tube, why, self.at)
        if not given.messages:
            state = "unserved" if given.said is Said.UNABLE else "taken-back"
            return (yield from self._close(state, given.said, given.why))
        return (yield from self._keep(given))

    def _answer(self, question: Asked) -> Transaction[Answer]:
        works: list[Work] = []
        occasion = occasion_of(self.link, self.question.sender, self.now, "")
        for tube in (yield from self._tubes(question)):
            work = yield from self._work(tube, question, occasion)
            works += [work] if work else []
        if not works and self._doubts:
            why = next(iter(self._doubts.values()))
            return unable(self.link.driver, occasion, tuple(self._doubts), why)
        fresh = yield from is_fresh(self.site, self.now, self.max_age)
        given = answer(self.link.driver, occasion, question, works, fresh=fresh)
        said = {work.specimen for group in given.works for work in group}
        for tube in said:
            yield from presented(self.site, self.link.name, tube, self.at)
        return given

    def _tubes(self, question: Asked) -> Transaction[Sequence[str]]:
        """Which tubes are asked about."""
        if question.what is What.TUBES:
            return self.question.tubes
        if question.what is What.RANGE:
            rows = yield stored.tubes_between(self.site, question.first, question.last, most=MOST_TUBES)
            return [row.specimen for row in rows]
        if question.what is What.ALL:
            since = stamp(self.now - ALL_WITHIN)
            rows = yield worklist.orders_not_given(self.site, self.link.name, since=since, most=MOST_ORDERS)
            untold = yield stored.awos_untold(self.site, self.link.name, since=since, most=MOST_ORDERS)
            known = [row.specimen for row in (*untold, *(row for row in rows if self.link.code_of(row)))]
            return list(dict.fromkeys(known))[:MOST_TUBES]
        return ()

    def _work(self, label: str, question: Asked, occasion: Occasion) -> Transaction[Work | None]:
        """The open orders of one tube, as AWOS and as what is written of them."""
        tube, orders, doubt = yield from open_orders(self.site, self.link, Tube(label), self.now)
        if doubt:
            self._doubts[label] = doubt
            return None
        if question.tests:
            orders = [one for one in orders if (code := self.link.code_of(one)) and code.code in question.tests]
        if not orders:
            return None
        trial = work_of(self.link, tube, [(self._code(one), one.priority, one.ordered_at, "") for one in orders])
        if why := unwritable(self.link, occasion, trial):
            log.error("orders cannot be written for this analyzer", link=self.link.name, why=why)
            self._doubts[label] = UNWRITABLE
            return None
        offer = yield from offered(self.site, self.link, tube, orders, self.at, queried=True)
        if offer.kept_back:
            self._kept_back[label] = offer.kept_back
        rows = offer.rows
        if not rows:
            return None
        self._rows[label] = rows
        ordered = {one.id: one.ordered_at for one in orders}
        return work_of(
            self.link, tube, [(row.code, row.priority, ordered.get(row.order), row.dilution) for row in rows]
        )

    def _code(self, order: Row) -> str:
        code = self.link.code_of(order)
        assert code is not None
        return code.code

    def _keep(self, given: Answer) -> Transaction[Sequence[Dispatch]]:
        dispatches: list[Dispatch] = []
        for message, group in zip(given.messages, given.works or ((),) * len(given.messages), strict=True):
            number = new_number()
            yield from keep_said(self.site, self.link.name, message, ANSWER, number, self.at, self.question)
            rows = [row for work in group for row in self._rows.get(work.specimen, ())]
            yield from say(rows, number, self.at)
            dispatches.append(Dispatch(number, tuple(message.records_bytes()), self.left))
        yield worklist.change(
            schema.host_query,
            self.question.row,
            state="answering",
            said=given.said.value,
            reason=given.why,
            tubes=few(self.question.tubes or tuple(self._rows)),
            control_id=dispatches[-1].control_id,
            answered_at=self.at,
        )
        return dispatches

    def _see_tubes(self, question: Asked) -> Transaction[None]:
        """Remember where the analyzer says that the tubes stand."""
        places = (self.link.dialect.rack, self.link.dialect.position)
        for one in question.tubes:
            rack, place = (one.parts[at - 1].strip() if 0 < at <= len(one.parts) else "" for at in places)
            if rack:
                yield from see_tube(self.site, "rack", rack, place, one.identifier, self.link.name, self.at)

    def _again(self, tubes: Sequence[str], why: str) -> Transaction[None]:
        for tube in tubes:
            yield worklist.present_again(self.site, self.link.name, tube, why, self.at)
            self.tally["present-again"] += 1

    def _close(self, state: str, said: Said, reason: str) -> Transaction[Sequence[Dispatch]]:
        yield worklist.change(
            schema.host_query,
            self.question.row,
            state=state,
            said=said.value,
            reason=reason,
            tubes=few(self.question.tubes),
            closed_at=self.at,
        )
        return ()


def taken(site: str, number: str, at: str, tally: Counter[str]) -> Transaction[None]:
    """Every frame of a message of ours was acknowledged: the analyzer has what it says."""
    for row in (yield worklist.awos_of_message(site, number)):
        if not row.waits:
            continue
        # What is still to be taken back (wanted) was not spoken of as such in this message.
        live = row.state in (State.BROADCAST, State.ACCEPTED, State.IN_PROCESS)
        cancelled = live and row.reason in _TAKEN_BACK and not row.wanted
        state = State.CANCELLED if cancelled else State.ACCEPTED if row.state == State.BROADCAST else row.state
        yield worklist.change(
            schema.awos,
            row.id,
            state=state,
            waits=0,
            reason=row.reason if cancelled or row.reason not in _NOT_TAKEN else "",
            answered_at=at,
            closed_at=at if cancelled else row.closed_at,
            updated_at=at,
        )
        tally[str(state)] += 1
    for row in (yield stored.query_answered_by(site, number)):
        if row.closed_at is None:
            yield worklist.change(schema.host_query, row.id, state="answered", closed_at=at)


def failed(site: str, link: AstmLink, number: str, reason: str, at: str, *, unheard: bool) -> Transaction[None]:
    """A message of ours was not acknowledged whole. `unheard`: nothing of it has left.

    An answer is not sent again: its tubes are listed, and what it ordered is given when they are asked for again, or goes out unasked where the
    analyzer keeps a worklist. An order that nobody asked for stays owed.
    """
    rows = yield worklist.awos_of_message(site, number)
    answers = yield stored.query_answered_by(site, number)
    message = yield worklist.sent_message(site, link.name, number)
    is_answer = bool(answers) or any(row.kind == ANSWER for row in message)
    for row in rows:
        if not row.waits:
            continue
        if not is_answer:
            yield worklist.change(schema.awos, row.id, reason=row.reason or UNTAKEN, updated_at=at)
            continue
        yield from _give_back(row, link, at, unheard=unheard)
        yield worklist.present_again(site, link.name, row.specimen, UNTAKEN, at)
    for row in answers:
        if row.closed_at is None:
            yield worklist.change(schema.host_query, row.id, state="failed", reason=reason, closed_at=at)


def interrupted(site: str, link: AstmLink, at: str) -> Transaction[int]:
    """The last process died with these answers on their way: what has arrived of them nobody knows. Returns how many there were."""
    found = 0
    for row in (yield stored.queries_open(site, link.name, most=MOST_ORDERS)):
        if row.state != "answering":
            continue
        found += 1
        yield worklist.change(schema.host_query, row.id, state="interrupted", closed_at=at)
        for tube in question_of(row, link).tubes:
            yield worklist.present_again(site, link.name, tube, INTERRUPTED, at)
    for row in (yield worklist.awos_waiting(site, link.name)):
        message = yield worklist.sent_message(site, link.name, row.control_id)
        if message and message[0].kind == ANSWER:
            yield from _give_back(row, link, at, unheard=False)
    return found


def _give_back(row: Row, link: AstmLink, at: str, *, unheard: bool) -> Transaction[None]:
    """What an answer ordered is no longer on its way; where the analyzer keeps a worklist it goes out unasked."""
    again = {"wanted": "NW"} if link.push and not row.wanted else {}
    state = State.PLANNED if unheard and row.state == State.BROADCAST and row.sends <= 1 else row.state
    reason = row.reason if row.reason in _TAKEN_BACK else UNTAKEN
    yield worklist.change(schema.awos, row.id, state=state, waits=0, reason=reason, updated_at=at, **again)


def keep_said(
    site: str, link: str, message: Message, kind: str, number: str, at: str, question: Question | None = None
) -> Transaction[None]:
    """Keep a message of ours as it will leave."""
    yield statements.insert(
        schema.message,
        site=site,
        link=link,
        session=question.session if question else "",
        direction="<",
        protocol="astm",
        peer=question.peer if question else "",
        received_at=at,
        raw=message.raw,
        digest=hashlib.sha256(message.raw).hexdigest(),
        control_id=number,
        software_version=SOFTWARE_VERSION,
        kind=kind,
        disposition="accepted",
    )


def say(rows: Sequence[Row], number: str, at: str, *, cancel: bool = False) -> Transaction[None]:
    """These AWOS are spoken of in a message that is about to leave."""
    for row in rows:
        yield worklist.change(
            schema.awos,
            row.id,
            state=row.state if cancel else State.BROADCAST,
            wanted="",
            control_id=number,
            waits=1,
            sends=row.sends if cancel else row.sends + 1,
            reason=row.reason if cancel or row.reason not in _NOT_TAKEN else "",
            broadcast_at=at,
            updated_at=at,
        )


Wanted = tuple[str, str, str | None, str]  # code, priority, moment ordered, dilution


def work_of(link: AstmLink, tube: Tube, tests: Sequence[Wanted], *, more: bool = False) -> Work:
    """What is to be written of a tube."""
    found = tuple(TestToDo(code, first, read_stamp(at) if at else None, thin) for code, first, at, thin in tests)
    specimen = tube.specimen
    return Work(
        tube.identifier,
        found,
        tube.patient if link.patients else None,
        specimen.kind if specimen else "",
        specimen.collected if specimen else None,
        more=more,
    )


def unwritable(link: AstmLink, occasion: Occasion, work: Work, *, cancel: bool = False) -> str:
    """Why a tube's work cannot be written for this analyzer; "" when it can."""
    try:
        write_orders(link.driver, occasion, [work], asked=not cancel, cancel=cancel)
    except DriverError as error:
        return str(error)
    return ""


_TAKEN_BACK = frozenset({"order-cancelled", "asked", "done-elsewhere", QC_OUT})
_NOT_TAKEN = frozenset({UNTAKEN})
