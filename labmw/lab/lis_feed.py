"""What the LIS sends: orders, identities and what it releases. ONE transaction keeps the message, does what it says, and writes its reply (law 3).

Law 4: a malformed message is answered AE with its place, another type AR; both are kept. What was understood and cannot be done is refused order
by order under AA, in quarantine with its reason. The same bytes under the same MSH-10 get the reply that was stored, and change nothing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from labmw.clock import Clock, stamp
from labmw.driver.timestamp import zone_of_message
from labmw.errors import StoreError
from labmw.lab.law_messages import keep_received
from labmw.lab.lis_astm import AstmSaid, read_astm_orders
from labmw.lab.lis_orders import OrdersTaken, take_orders
from labmw.lab.lis_patients import keep_event
from labmw.lab.lis_released import take_released
from labmw.lab.lis_told import Doubt, Told, quarantine
from labmw.lab.owing import owe
from labmw.lab.unread import is_the_message, storable, unreadable
from labmw.line.answering import unserved
from labmw.line.received import Received, Stored
from labmw.metrics import LIS_ORDERS, LIS_RELEASED, MESSAGES, TRANSMITTED
from labmw.metrics import QUARANTINED as QUARANTINED_COUNT
from labmw.store import schema, statements
from labmw.store.statements.worklist import change
from labmw.store.transaction import Store, Transaction
from labmw.terms import LisTerms
from protocols.astm.message import Message as AstmMessage
from protocols.errors import Hl7Error, RecordError
from protocols.hl7.acknowledgment import Acknowledgment, ErrorDetail, Location, mode, read_ack
from protocols.hl7.adt import TRIGGERS, IdentityEvent, read_adt
from protocols.hl7.envelope import read_header
from protocols.hl7.er7 import Message
from protocols.hl7.ltw_orders import KINDS, read_orders
from protocols.hl7.ltw_reply import write_order_reply
from protocols.hl7.ltw_results import read_results
from protocols.hl7.ltw_values import Orders
from protocols.hl7.report import Header, Report

log = structlog.get_logger("labmw.lab")

_RELEASED = {("ORU", "R01"), ("OUL", "R22")}
MOST_ORDERS = 1000
MOST_RESULTS = 5000
"""In one message: all of it is one transaction, and the analyzers' lines wait behind it."""
_NO_HEADER = Header("", "", "", "", "", "")
Content = Orders | IdentityEvent | Report | AstmSaid | Acknowledgment
Settle = Callable[[Acknowledgment, str, bytes], Transaction[bool]]
"""What an acknowledgment says of a message that the LIS was sent, when, and its bytes; False when it answers nothing of ours."""


def _settles_nothing(acknowledgment: Acknowledgment, at: str, raw: bytes) -> Transaction[bool]:
    """The LIS is sent nothing."""
    return False
    yield


@dataclass(frozen=True, slots=True)
class _Unfit:
    """A message that is kept and not done."""

    code: str  # MSA-1
    error: ErrorDetail
    doubt: Doubt | None


@dataclass(slots=True)
class LisFeed:
    """Takes what the LIS sends; fills `labmw.line.received.Intake`."""

    terms: LisTerms
    store: Store
    clock: Clock
    wake: Callable[[], None] = lambda: None  # there are new or other orders
    heard: Callable[[bool], None] = lambda nothing: (
        None
    )  # an LIS over LIS02 has sent orders, or said that there are none
    settle: Settle = _settles_nothing
    settled: Callable[[Acknowledgment, bytes], None] = lambda acknowledgment, raw: (
        None
    )  # one is on the disk with what it settles
    commit_timeout: float = 10.0

    async def take(self, received: Received) -> Stored:
        """Keep one message and do what it says; raises StoreError, and then nothing may be acknowledged."""
        message = received.message
        assert isinstance(message, Message | AstmMessage)
        received = replace(received, control_id=storable(received.control_id))
        content = self._read(message) if isinstance(message, Message) else self._read_astm(message)
        try:
            kept = await self._store(received, message, content)
            if isinstance(content, AstmSaid):
                self.heard(content.nothing)
            if isinstance(content, Acknowledgment):
                self.settled(content, received.raw)
            return kept
        except Exception as error:
            if not is_the_message(error):
                raise
            log.exception("a message of the LIS cannot be done; it is kept whole, in quarantine", why=str(error))
        why = ErrorDetail("207", "the message could not be processed; it is kept, ask the laboratory")
        named = _named(message)
        failed = _Unfit("AE", why, Doubt("lis-message-failed", (("type", named),)))
        try:
            return await self._store(received, message, failed)
        except Exception as error:
            if not is_the_message(error):
                raise
            raise StoreError(f"a message of the LIS cannot be kept ({error}); report this fault") from error

    def _read(self, message: Message) -> Content | _Unfit:
        kind = (message.code, message.trigger)
        named = _named(message)
        if message.code == "ACK" or message.first("MSA") is not None:
            return _read_acknowledgment(message)
        if (unread := unreadable(message)) is not None:
            code, error = unread
            return _Unfit(code, error, None) if code == "AR" else _malformed(named, error)
        try:
            if kind in KINDS:
                orders = read_orders(message, self.terms.dialect.ltw)
                if orders.problems or not orders.orders:
                    nothing = ErrorDetail("101", "the message holds no order", Location("ORC"))
                    problem = orders.problems[0] if orders.problems else nothing
                    return _malformed(named, problem)
                return (
                    orders if len(orders.orders) <= MOST_ORDERS else _too_many(named, len(orders.orders), MOST_ORDERS)
                )
            if kind[0] == "ADT" and kind[1] in TRIGGERS:
                return read_adt(message)
            if kind in _RELEASED:
                report = read_results(message)
                count = sum(len(order.observations) for order in report.orders)
                return report if count <= MOST_RESULTS else _too_many(named, count, MOST_RESULTS)
        except Hl7Error as error:
            return _malformed(named, ErrorDetail("100", str(error), None))
        return _Unfit("AR", unserved(message, "unsupported-type"), None)

    def _read_astm(self, message: AstmMessage) -> AstmSaid | _Unfit:
        if not message.terminated:
            return _malformed("LIS02", ErrorDetail("100", "the message ended before its L record"))
        try:
            said = read_astm_orders(message, self.terms.authority)
        except RecordError as error:
            return _malformed("LIS02", ErrorDetail("100", str(error)))
        if not said.orders and not said.nothing:
            return _malformed("LIS02", ErrorDetail("101", "the message holds no order"))
        return said

    async def _store(self, received: Received, message: Message | AstmMessage, content: Content | _Unfit) -> Stored:
        tally: Counter[tuple[str, str]] = Counter()
        script = self._script(received, message, content, tally)
        kept = await self.store.run(script, timeout=self.commit_timeout)
        if kept.repeat:
            return kept
        MESSAGES.labels(received.link, kept.disposition).inc()
        for (what, label), count in tally.items():
            counter = {"order": LIS_ORDERS, "released": LIS_RELEASED, "elsewhere": TRANSMITTED}.get(what)
            if counter is not None:
                counter.labels(label).inc(count)
            else:
                QUARANTINED_COUNT.labels(received.link, label).inc(count)
        if kept.reason:
            log.warning("message of the LIS not done, or not all of it", link=received.link, reason=kept.reason)
        if isinstance(content, Orders | AstmSaid):
            self.wake()
        return kept

    def _script(
        self,
        received: Received,
        message: Message | AstmMessage,
        content: Content | _Unfit,
        tally: Counter[tuple[str, str]],
    ) -> Transaction[Stored]:
        digest = hashlib.sha256(received.raw).hexdigest()
        same = yield statements.message_at(self.terms.site, received.session, received.last, received.place)
        if not any(row.digest == digest for row in same):
            for step in received.before:  # noqa: UP028 -- `yield from` a sequence cannot be sent the rows
                yield step
            same = []
            if received.control_id:
                same = yield statements.messages_by_control_id(self.terms.site, received.link, received.control_id)
        for row in same:
            if row.digest == digest:
                return Stored(row.id, row.disposition, row.reason, 0, repeat=True, reply=row.reply or b"")
        now = self.clock.now()
        if isinstance(message, Message):
            header = storable(read_header(message.header))
        else:
            header = storable(content.header) if isinstance(content, AstmSaid) else _NO_HEADER
        kind = _kind(content)
        kept = yield from keep_received(self.terms.site, received, kind, stamp(now), "accepted", "", {}, None, header)
        told = Told(self.terms, kept.message, now, zone_of_message(header.when, self.terms.zone))
        disposition, reason, facts, reply = yield from self._do(told, received, message, content, tally)
        tolerances = ("control_id_reused",) if same else ()
        yield change(
            schema.message,
            kept.message,
            disposition=disposition,
            reason=reason,
            facts=json.dumps(facts, sort_keys=True, ensure_ascii=False),
            tolerances=json.dumps(tolerances),
            reply=reply,
            reply_key=None,
        )
        yield from owe(self.terms.site, received, kept.message, reply, stamp(now))
        return Stored(kept.message, disposition, reason, 0, reply=reply, tolerances=tolerances)

    def _do(
        self,
        told: Told,
        received: Received,
        message: Message | AstmMessage,
        content: Content | _Unfit,
        tally: Counter[tuple[str, str]],
    ) -> Transaction[tuple[str, str, dict[str, Any], bytes]]:
        """Do what a message says; return disposition, reason, facts and reply."""
        answer = received.reply or (lambda code, error: b"")  # LIS02 has no reply: its frames were acknowledged
        if isinstance(content, _Unfit):
            reply = answer(content.code, content.error)
            if content.doubt is None:
                reason = "unsupported-version" if content.error.code == "203" else "unsupported-type"
                return "refused", reason, {"type": _named(message)}, reply
            yield from quarantine(told, content.doubt)
            tally["quarantined", content.doubt.reason] += 1
            return "quarantined", content.doubt.reason, dict(content.doubt.facts), reply
        doubts: list[Doubt] = []
        facts: dict[str, Any] = {}
        if isinstance(content, Orders):
            taken = yield from take_orders(told, content)
            doubts = _counted(taken, tally)
            assert isinstance(message, Message)
            reply = self._order_reply(told, received, message, content, taken)
        elif isinstance(content, AstmSaid):
            for orders in content.orders:
                doubts += _counted((yield from take_orders(told, orders)), tally)
            reply = b""
        elif isinstance(content, IdentityEvent):
            doubts = yield from keep_event(told, content)
            reply = answer("AA", None)
        elif isinstance(content, Acknowledgment):
            doubts = yield from self._acknowledged(told, content, received)
            facts = {"control_id": content.control_id, "answer": content.code}
            reply = answer("AA", None)  # b"" always: a reply is accept-acknowledged at most
        else:
            counted = yield from take_released(told, content)
            facts = dict(counted)
            tally.update({("released", what): count for what, count in counted.items()})
            reply = answer("AA", None)
        for doubt in doubts:
            tally["quarantined", doubt.reason] += 1
        if doubts:
            return "quarantined", doubts[0].reason, dict(doubts[0].facts) | facts, reply
        return "accepted", "", facts, reply

    def _acknowledged(self, told: Told, content: Acknowledgment, received: Received) -> Transaction[list[Doubt]]:
        """What the LIS says of a message of ours, by its own line instead of the connection that brought it."""
        if (yield from self.settle(content, told.at, received.raw)):
            return []
        doubt = Doubt("reply-to-nothing", (("control_id", content.control_id), ("link", received.link)))
        yield from quarantine(told, doubt)
        return [doubt]

    def _order_reply(
        self, told: Told, received: Received, message: Message, orders: Orders, taken: OrdersTaken
    ) -> bytes:
        """ORL or ORR; a plain acknowledgment where the LIS expects no more, or asked for none of the application."""
        assert received.reply is not None
        wanted = mode(message)
        if not self.terms.dialect.ltw.reply_with_content or not wanted.owes_application(accepted=True):
            return received.reply("AA", None)
        when = told.now.astimezone(self.terms.zone).strftime("%Y%m%d%H%M%S%z")
        number = uuid.uuid4().hex[:20].upper()
        try:
            return write_order_reply(orders, taken.answers, control_id=number, when=when, accept=received.accept)
        except Hl7Error as error:  # its own fields cannot be sent back: what was done is done, and said without them
            log.warning("the reply to an order cannot be written in full", why=str(error))
            return received.reply("AA", None)


def _counted(taken: OrdersTaken, tally: Counter[tuple[str, str]]) -> list[Doubt]:
    tally["order", "done"] += taken.changed
    tally["order", "refused"] += len(taken.doubts)
    tally.update({("elsewhere", partner): count for partner, count in taken.elsewhere.items()})
    return taken.doubts


def _named(message: Message | AstmMessage) -> str:
    return storable(f"{message.code}^{message.trigger}") if isinstance(message, Message) else "LIS02"


def _malformed(named: str, problem: ErrorDetail) -> _Unfit:
    place = problem.location
    where = (place.segment if place else "") + (f"-{place.field}" if place and place.field else "")
    facts = (("type", named), ("problem", problem.text), ("place", where), ("code", problem.code))
    return _Unfit("AE", problem, Doubt("lis-message-malformed", facts))


def _too_many(named: str, count: int, most: int) -> _Unfit:
    text = f"{count} in one message, and {most} at most are done: send them in several"
    return _malformed(named, ErrorDetail("100", text))


def _read_acknowledgment(message: Message) -> Acknowledgment | _Unfit:
    try:
        return storable(read_ack(message))
    except Hl7Error as error:
        unreadable = Doubt("reply-unreadable", (("type", _named(message)),))
        return _Unfit("AE", ErrorDetail("100", str(error)), unreadable)


def _kind(content: Content | _Unfit) -> str:
    if isinstance(content, Acknowledgment):
        return "ack"
    if isinstance(content, Orders | AstmSaid):
        return "order"
    if isinstance(content, IdentityEvent):
        return "identity"
    return "released" if isinstance(content, Report) else "other"
